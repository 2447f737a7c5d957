"""What we claim in JSON Web Tokens: to authenticate the client, as a grant, or as an access token (RFC 7523)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from integration_hub.auth.oauth2.setup import PRIVATE_KEY, Setup
from integration_hub.auth.signed_token import LIFETIME, algorithm_of, signed_token
from integration_hub.config.durations import parse_duration

ACCESS_LIFETIME: Final = timedelta(hours=1)

_HEADERS: Final = {"keyId": "kid", "certificateThumbprint": "x5t#S256"}
"""RFC 7515 sections 4.1.4 and 4.1.8."""


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
    return signed_token(
        setup.value(PRIVATE_KEY),
        claims,
        setup.context,
        algorithm=algorithm_of(setup.jwt),
        lifetime=_lifetime(setup, lifetime),
        header={name: setup.jwt[setting] for setting, name in _HEADERS.items() if setup.jwt.get(setting)},
    )


def _lifetime(setup: Setup, default: timedelta) -> timedelta:
    return parse_duration(setup.jwt["lifetime"]) if "lifetime" in setup.jwt else default
