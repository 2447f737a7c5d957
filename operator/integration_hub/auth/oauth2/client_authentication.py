"""How the client proves who it is, beside what a request asks for (RFC 6749 section 2.3): a table of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import quote_plus

from integration_hub.auth.basic_auth import basic_value
from integration_hub.auth.oauth2.assertion import client_assertion
from integration_hub.auth.oauth2.grants import BASIC, JWT_BEARER, NONE, POST, PRIVATE_KEY_JWT
from integration_hub.auth.oauth2.setup import CLIENT_SECRET, Setup

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""


class Proof(NamedTuple):
    """What is added to a request."""

    headers: dict[str, str]
    parameters: list[tuple[str, str]]


def proof(setup: Setup, token_url: str) -> Proof:
    """Return the client's proof. `token_url` is for whom it is made where no issuer is known."""
    return _PROOFS[setup.authentication](setup, token_url)


def _basic(setup: Setup, token_url: str) -> Proof:
    # Each part is form-encoded before they are joined (RFC 6749 section 2.3.1), so that ':' in a client id is none of
    # the header's. authlib leaves that out.
    pair = quote_plus(setup.client_id), quote_plus(setup.value(CLIENT_SECRET))
    return Proof({"Authorization": basic_value(*pair)}, [])


def _post(setup: Setup, token_url: str) -> Proof:
    return Proof({}, [("client_id", setup.client_id), ("client_secret", setup.value(CLIENT_SECRET))])


def _private_key_jwt(setup: Setup, token_url: str) -> Proof:
    return Proof(
        {},
        [
            ("client_id", setup.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", client_assertion(setup, token_url)),
        ],
    )


def _none(setup: Setup, token_url: str) -> Proof:
    # An assertion says itself whose it is (RFC 7521 section 4.1).
    return Proof({}, [] if setup.grant == JWT_BEARER else [("client_id", setup.client_id)])


_PROOFS: Final[dict[str, Callable[[Setup, str], Proof]]] = {
    BASIC: _basic,
    POST: _post,
    PRIVATE_KEY_JWT: _private_key_jwt,
    NONE: _none,
}
