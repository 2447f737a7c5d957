"""Authorization code: the link that a person opens, and the exchange of the code that it comes back with."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from integration_hub.auth.oauth2.answer import refused, tokens
from integration_hub.auth.oauth2.discovery import Server, is_as_safe, server
from integration_hub.auth.oauth2.fingerprint import fingerprint
from integration_hub.auth.oauth2.request import Parameters, token_request
from integration_hub.auth.oauth2.setup import Setup
from integration_hub.auth.tokens import Steps, TokenRefused
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, Tokens

LIFETIME: Final = timedelta(minutes=10)
_VERIFIER_BYTES: Final = 32
"""RFC 7636 section 4.1: gives 43 characters."""

NO_CALLBACK: Final = (
    "The operator was not told at which address a browser reaches it, so no link can come back."
)
NO_S256: Final = (
    "The authorization server's metadata lists no S256 among its code_challenge_methods_supported, and the"
    " definition requires PKCE."
)
IN_CLEAR: Final = (
    "The authorization URL is http:// and the token URL is https://: nobody is asked to sign in where everybody on the"
    " way can read along. Let both be https://."
)
NO_CODE: Final = "The browser came back without a code and without an error."
OTHER_GRANT: Final = "What is asked for was changed since the link was made; a new link is needed."
NO_ISSUER: Final = (
    "The browser came back without 'iss', which the authorization server says it always sends (RFC 9207): the"
    " answer may be of another one."
)
OTHER_ISSUER: Final = (
    "The browser came back with an 'iss' that is not the issuer of the definition (RFC 9207): the answer is of"
    " another authorization server, and its code was not used."
)


def authorization_link(setup: Setup, state: str) -> Steps[ConsentAttempt | TokenRefused]:
    """Make a link (RFC 6749 section 4.1.1)."""
    if not setup.context.redirect_uri:
        return TokenRefused(message=NO_CALLBACK)
    found = yield from server(setup, "authorizationURL", "tokenURL")
    if isinstance(found, TokenRefused):
        return found
    if not is_as_safe(found.urls["authorizationURL"], found.urls["tokenURL"]):
        return TokenRefused(message=IN_CLEAR)
    pkce = setup.settings.get("pkce", "required")
    if pkce == "required" and found.challenges is not None and "S256" not in found.challenges:
        return TokenRefused(message=NO_S256)
    verifier = None if pkce == "off" else _verifier(setup)
    return ConsentAttempt(
        state=state,
        url=_url(found.urls["authorizationURL"], _parameters(setup, state, verifier)),
        redirect_uri=setup.context.redirect_uri,
        generation=0,
        grant=fingerprint(setup),
        expires_at=setup.context.now + LIFETIME,
        verifier=verifier,
        issuer=setup.issuer,
    )


def exchange(setup: Setup, attempt: ConsentAttempt, answer: ConsentAnswer) -> Steps[Tokens | TokenRefused]:
    """Exchange the code (RFC 6749 section 4.1.3), unless it may be another authorization server's."""
    shown = [value for value in (answer.code, attempt.verifier) if value]
    problem = _problem(setup, attempt, answer, shown)
    if problem is not None:
        return problem
    # Both addresses, so that metadata is read here too wherever it was read for the link.
    found = yield from server(setup, "authorizationURL", "tokenURL")
    if isinstance(found, TokenRefused):
        return found
    if found.names_itself and answer.iss is None:
        return TokenRefused(message=NO_ISSUER)
    response = yield _exchange_request(setup, found, attempt, answer.code or "")
    return tokens(setup, response, attempt.grant, shown=shown)


def _problem(
    setup: Setup, attempt: ConsentAttempt, answer: ConsentAnswer, shown: list[str]
) -> TokenRefused | None:
    """Return why there is nothing to exchange. What another server says is not even read."""
    if answer.iss is not None and attempt.issuer is not None and answer.iss != attempt.issuer:
        return TokenRefused(message=OTHER_ISSUER)
    if answer.error is not None:
        return refused(setup, answer.error, shown)
    if not answer.code:
        return TokenRefused(message=NO_CODE)
    if attempt.grant != fingerprint(setup):
        return TokenRefused(message=OTHER_GRANT)
    return None


def _exchange_request(setup: Setup, found: Server, attempt: ConsentAttempt, code: str) -> HttpRequest:
    parameters = [
        ("grant_type", setup.row.grant_type),
        ("code", code),
        ("redirect_uri", attempt.redirect_uri),
        *setup.target_parameters(),
    ]
    if attempt.verifier is not None:
        parameters.append(("code_verifier", attempt.verifier))
    return token_request(setup, found.urls["tokenURL"], parameters, setup.settings.get("tokenParameters", {}))


def _parameters(setup: Setup, state: str, verifier: str | None) -> Parameters:
    parameters = [
        ("response_type", "code"),
        ("client_id", setup.client_id),
        ("redirect_uri", setup.context.redirect_uri),
        *setup.scope_parameters(),
        ("state", state),
        *setup.target_parameters(),
        *setup.settings.get("authorizationParameters", {}).items(),
    ]
    if verifier is not None:
        challenge = str(create_s256_code_challenge(verifier))
        parameters += [("code_challenge", challenge), ("code_challenge_method", "S256")]
    return parameters


def _url(address: str, parameters: Parameters) -> str:
    """Return the link. A query that the address has stays (RFC 6749 section 3.1); '%20' is read by all, '+' not."""
    return address + ("&" if "?" in address else "?") + urlencode(parameters, quote_via=quote)


def _verifier(setup: Setup) -> str:
    return base64.urlsafe_b64encode(setup.context.random(_VERIFIER_BYTES)).rstrip(b"=").decode()
