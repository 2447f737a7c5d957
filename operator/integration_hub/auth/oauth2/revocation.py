"""Giving tokens back (RFC 7009)."""

from __future__ import annotations

from integration_hub.auth.oauth2.answer import refusal
from integration_hub.auth.oauth2.discovery import server
from integration_hub.auth.oauth2.request import token_request
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.tokens import Tokens


def revoke(setup: Setup, held: Tokens) -> Steps[TokenRefused | None]:
    """Give back the refresh token, with which the access token goes, else the access token. None where that is done."""
    found = yield from server(setup, "revocationURL")
    if isinstance(found, TokenRefused):
        return found
    kind = "refresh_token" if held.refresh_token else "access_token"
    token = held.refresh_token or held.access_token
    response = yield token_request(
        setup,
        found.urls["revocationURL"],
        [("token", token), ("token_type_hint", kind)],
        {},
        str(setup.settings.get("tokenURL", "")),
    )
    refused = refusal(setup, response, (token,))
    # A token that is of no use any more need not be given back (RFC 7009 section 2.2).
    return None if refused is None or refused.ended else refused
