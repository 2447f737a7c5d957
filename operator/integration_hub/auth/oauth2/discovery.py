"""Where the authorization server is asked for what: as the definition says, else as the server's metadata says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc8414 import get_well_known_url  # type: ignore[import-untyped]

from integration_hub.auth.oauth2.answer import document
from integration_hub.auth.oauth2.request import discovery_request
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.http import HttpResponse

_NAMES: Final = {
    "authorizationURL": "authorization_endpoint",
    "tokenURL": "token_endpoint",
    "deviceAuthorizationURL": "device_authorization_endpoint",
    "revocationURL": "revocation_endpoint",
}
"""RFC 8414 section 2; RFC 8628 section 4."""

NO_METADATA: Final = "The answer at the issuer's address is no metadata of an authorization server."

_URL: Final = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of the authorization server."""

    urls: Mapping[str, str]
    """By the names of the settings."""
    names_itself: bool = False
    """Whether it says that it puts `iss` into every answer (RFC 9207 section 3)."""
    challenges: tuple[str, ...] | None = None
    """The methods of PKCE that it lists, None where it lists none or was not asked."""


def server(setup: Setup, *names: str) -> Steps[Server | TokenRefused]:
    """Return the server with the addresses of these settings, asking for its metadata only where one is not set."""
    told = {name: str(setup.settings[name]) for name in names if name in setup.settings}
    missing = [name for name in names if name not in told]
    if not missing:
        return Server(told)
    if setup.issuer is None:
        return TokenRefused(message=f"The settings have neither '{missing[0]}' nor 'issuer'.")
    response = yield discovery_request(well_known(setup.issuer, setup.settings.get("discovery", "openid")))
    metadata = _metadata(setup.issuer, response)
    if isinstance(metadata, TokenRefused):
        return metadata
    for name in missing:
        url = metadata.get(_NAMES[name])
        if not isinstance(url, str) or not _is_usable(url, setup.issuer):
            return TokenRefused(
                message=f"The issuer's metadata has no usable {_NAMES[name]}; set '{name}' if there is one."
            )
        told[name] = url
    return Server(
        told,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
        challenges=_texts(metadata.get("code_challenge_methods_supported")),
    )


def _metadata(issuer: str, response: HttpResponse) -> Mapping[str, Any] | TokenRefused:
    if response.status != 200:  # noqa: PLR2004 - RFC 8414 section 3.2
        return TokenRefused()
    found = document(response)
    if found is None or not isinstance(found.get("issuer"), str):
        return TokenRefused(message=NO_METADATA)
    if found["issuer"] != issuer:
        return TokenRefused(message=_other_issuer(issuer, found["issuer"]))
    return found


def well_known(issuer: str, kind: str) -> str:
    """Return where the metadata is: appended for OpenID Connect, inserted before the path for RFC 8414."""
    bare = issuer.rstrip("/")
    return (
        f"{bare}/.well-known/openid-configuration"
        if kind == "openid"
        else str(get_well_known_url(bare, external=True))
    )


def _other_issuer(asked: str, told: str) -> str:
    """Say that metadata of another issuer was found (RFC 8414 section 3.3), without repeating its name."""
    hint = " They differ in the '/' at the end alone." if asked.rstrip("/") == told.rstrip("/") else ""
    return f"The metadata at the issuer's address names another issuer than the definition, which has '{asked}'.{hint}"


def _is_usable(url: str, issuer: str) -> bool:
    """Tell whether an address from metadata can be asked: as safe as the issuer's own, and nothing but an address."""
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return is_as_safe(url, issuer) and bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment


def is_as_safe(url: str, asked: str) -> bool:
    """Tell whether an address is https, as all are where the system that is asked is not in clear itself."""
    return url.lower().startswith("https://") or not asked.lower().startswith("https://")


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(entry for entry in value if isinstance(entry, str))
