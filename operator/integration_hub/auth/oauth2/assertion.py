"""JSON Web Tokens that we sign: to authenticate the client, as a grant, or as an access token (RFC 7523 section 3)."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from integration_hub.auth.oauth2.private_key import load_private_key
from integration_hub.auth.oauth2.setup import PRIVATE_KEY, Setup
from integration_hub.config.durations import parse_duration

LIFETIME: Final = timedelta(minutes=1)
"""Of a token that is sent at once. Some systems refuse one that lives longer than a minute."""
ACCESS_LIFETIME: Final = timedelta(hours=1)

_HEADERS: Final = {"keyId": "kid", "certificateThumbprint": "x5t#S256"}
"""RFC 7515 sections 4.1.4 and 4.1.8."""


def algorithm_of(setup_jwt: Any) -> str:
    """Return the algorithm that the settings `jwt` name."""
    return str(setup_jwt.get("algorithm", "RS256"))


def client_assertion(setup: Setup, token_url: str) -> str:
    """Return what proves who the client is (RFC 7523 section 2.2): iss and sub are the client id."""
    claims = {"iss": setup.client_id, "sub": setup.client_id, "aud": audience(setup, token_url)}
    return _signed(setup, claims, LIFETIME)


def grant_assertion(setup: Setup, token_url: str) -> str:
    """Return what tokens are obtained with (RFC 7523 section 2.1)."""
    return _signed(setup, _grant_claims(setup, audience(setup, token_url)), LIFETIME)


def access_token(setup: Setup) -> str:
    """Return a token that is no grant but is sent in requests itself."""
    return _signed(setup, _grant_claims(setup, setup.jwt.get("audience", "")), ACCESS_LIFETIME)


def access_lifetime(setup: Setup) -> timedelta:
    """Return how long such a token lives."""
    return _lifetime(setup, ACCESS_LIFETIME)


def audience(setup: Setup, token_url: str) -> str:
    """Return for whom a token is: the authorization server, by its identifier where that is known."""
    return str(setup.jwt.get("audience") or setup.issuer or token_url)


def _grant_claims(setup: Setup, for_whom: str) -> dict[str, Any]:
    issuer = setup.jwt.get("issuer") or setup.client_id
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": setup.jwt.get("subject", issuer),
        "aud": for_whom,
        **setup.jwt.get("claims", {}),
    }
    if "scopeClaim" in setup.jwt:
        claims[setup.jwt["scopeClaim"]] = setup.scope_text
    return {name: value for name, value in claims.items() if value != ""}


def _signed(setup: Setup, claims: dict[str, Any], lifetime: timedelta) -> str:
    issued = int(setup.context.now.timestamp())
    header = {"alg": algorithm_of(setup.jwt)}
    header |= {name: setup.jwt[setting] for setting, name in _HEADERS.items() if setup.jwt.get(setting)}
    times = {
        "iat": issued,
        "exp": issued + int(_lifetime(setup, lifetime).total_seconds()),
        "jti": _random_text(setup),
    }
    # Its text was checked with the credentials; joserfc alone would validate an RSA key once more.
    key: Any = load_private_key(setup.value(PRIVATE_KEY))
    family = ECKey if header["alg"].startswith("ES") else RSAKey
    return jwt.encode(header, {**claims, **times}, family.import_key(key), algorithms=[header["alg"]])


def _lifetime(setup: Setup, default: timedelta) -> timedelta:
    return parse_duration(setup.jwt["lifetime"]) if "lifetime" in setup.jwt else default


def _random_text(setup: Setup) -> str:
    return base64.urlsafe_b64encode(setup.context.random(16)).rstrip(b"=").decode()
