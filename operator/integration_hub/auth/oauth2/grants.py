"""The grants, by which tokens are obtained, and the ways in which a client proves who it is: one row each."""

from __future__ import annotations

from typing import Final, NamedTuple

from integration_hub.auth.tokens import Acquisition


class Grant(NamedTuple):
    """What one grant needs."""

    acquisition: Acquisition
    grant_type: str
    """The parameter `grant_type` of its token request."""
    urls: tuple[str, ...]
    """Settings that name the addresses it asks."""
    renewable: bool
    """Whether its access tokens are renewed by a refresh token; else new ones are obtained in the same way."""
    signs: bool = False
    """Whether a JSON Web Token is signed, beside one by which the client may authenticate."""


AUTHORIZATION_CODE: Final = "authorizationCode"
CLIENT_CREDENTIALS: Final = "clientCredentials"
REFRESH_TOKEN: Final = "refreshToken"  # noqa: S105 - a grant's name
DEVICE_CODE: Final = "deviceCode"
JWT_BEARER: Final = "jwtBearer"
SIGNED_JWT: Final = "signedJWT"

GRANTS: Final[dict[str, Grant]] = {
    AUTHORIZATION_CODE: Grant(
        Acquisition.LINK, "authorization_code", ("authorizationURL", "tokenURL"), renewable=True
    ),
    CLIENT_CREDENTIALS: Grant(Acquisition.BY_ITSELF, "client_credentials", ("tokenURL",), renewable=False),
    REFRESH_TOKEN: Grant(Acquisition.BY_ITSELF, "refresh_token", ("tokenURL",), renewable=True),
    DEVICE_CODE: Grant(
        Acquisition.DEVICE,
        "urn:ietf:params:oauth:grant-type:device_code",  # RFC 8628 section 3.4
        ("deviceAuthorizationURL", "tokenURL"),
        renewable=True,
    ),
    JWT_BEARER: Grant(
        Acquisition.BY_ITSELF,
        "urn:ietf:params:oauth:grant-type:jwt-bearer",  # RFC 7523 section 2.1
        ("tokenURL",),
        renewable=False,
        signs=True,
    ),
    SIGNED_JWT: Grant(Acquisition.BY_ITSELF, "", (), renewable=False, signs=True),
}

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
PRIVATE_KEY_JWT: Final = "private_key_jwt"
NONE: Final = "none"
CLIENT_AUTHENTICATIONS: Final = (BASIC, POST, PRIVATE_KEY_JWT, NONE)
"""Named as in the registry of RFC 7591 section 2."""
