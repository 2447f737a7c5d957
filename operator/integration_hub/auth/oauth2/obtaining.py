"""Obtaining tokens without a person, and renewing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from integration_hub.auth.oauth2.answer import tokens
from integration_hub.auth.oauth2.assertion import access_lifetime, access_token, grant_assertion
from integration_hub.auth.oauth2.discovery import server
from integration_hub.auth.oauth2.fingerprint import fingerprint
from integration_hub.auth.oauth2.grants import (
    CLIENT_CREDENTIALS,
    JWT_BEARER,
    REFRESH_TOKEN,
    SIGNED_JWT,
)
from integration_hub.auth.oauth2.request import Parameters, token_request
from integration_hub.auth.oauth2.setup import REFRESH, Setup
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.tokens import Tokens

NOT_RENEWABLE: Final = "There is no refresh token."


def obtain(setup: Setup) -> Steps[Tokens | TokenRefused]:
    """Obtain tokens with what the Secret has."""
    return _OBTAIN[setup.grant](setup)


def refresh(setup: Setup, before: Tokens) -> Steps[Tokens | TokenRefused]:
    """Renew tokens by their refresh token (RFC 6749 section 6), or obtain new ones where none is ever given out."""
    if not setup.row.renewable:
        return (yield from obtain(setup))
    if before.refresh_token is None:
        return TokenRefused(message=NOT_RENEWABLE)
    return (yield from _by_refresh_token(setup, before.refresh_token, before))


def _client_credentials(setup: Setup) -> Steps[Tokens | TokenRefused]:
    """RFC 6749 section 4.4.2."""
    return _ask(setup, lambda _: setup.scope_parameters())


def _jwt_bearer(setup: Setup) -> Steps[Tokens | TokenRefused]:
    """RFC 7523 section 2.1."""
    return _ask(setup, lambda url: [("assertion", grant_assertion(setup, url)), *setup.scope_parameters()])


def _ask(setup: Setup, own: Callable[[str], Parameters]) -> Steps[Tokens | TokenRefused]:
    found = yield from server(setup, "tokenURL")
    if isinstance(found, TokenRefused):
        return found
    url = found.urls["tokenURL"]
    parameters = [("grant_type", setup.row.grant_type), *own(url), *setup.target_parameters()]
    response = yield token_request(setup, url, parameters, setup.settings.get("tokenParameters", {}))
    return tokens(setup, response, fingerprint(setup))


def _first_refresh(setup: Setup) -> Steps[Tokens | TokenRefused]:
    """Use the refresh token of the Secret. Where the answer has no other one it is good for the next time, too."""
    token = setup.value(REFRESH)
    kept = Tokens("", setup.context.now, fingerprint(setup), refresh_token=token)
    return _by_refresh_token(setup, token, kept)


def _signed_jwt(setup: Setup) -> Steps[Tokens | TokenRefused]:
    """Ask nobody: what is signed is the access token."""
    now = setup.context.now
    yield from ()
    return Tokens(access_token(setup), now, fingerprint(setup), expires_at=now + access_lifetime(setup))


_OBTAIN: Final[dict[str, Callable[[Setup], Steps[Tokens | TokenRefused]]]] = {
    CLIENT_CREDENTIALS: _client_credentials,
    JWT_BEARER: _jwt_bearer,
    REFRESH_TOKEN: _first_refresh,
    SIGNED_JWT: _signed_jwt,
}


def _by_refresh_token(setup: Setup, token: str, before: Tokens) -> Steps[Tokens | TokenRefused]:
    found = yield from server(setup, "tokenURL")
    if isinstance(found, TokenRefused):
        return found
    parameters = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        # Consent has fixed the scopes, and asking for others is refused; a refresh token of the Secret has had no
        # consent here, so it is asked for those of the settings.
        *(setup.scope_parameters() if setup.grant == REFRESH_TOKEN else ()),
        *setup.target_parameters(),
    ]
    if setup.settings.get("refresh", {}).get("redirectURI") and setup.context.redirect_uri:
        parameters.append(("redirect_uri", setup.context.redirect_uri))
    further = {
        **setup.settings.get("tokenParameters", {}),
        **setup.settings.get("refreshParameters", {}),
    }
    response = yield token_request(setup, found.urls["tokenURL"], parameters, further)
    return tokens(setup, response, fingerprint(setup), shown=(token,), previous=before)
