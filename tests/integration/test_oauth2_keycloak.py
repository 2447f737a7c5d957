"""`oauth2` with a party that none of us wrote: every grant and every proof of a client, through the real HTTP client.

What the operator makes of it in a cluster is tested elsewhere; here the method's own steps are driven one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from integration_hub.auth.oauth2.link import NO_ISSUER, OTHER_ISSUER
from integration_hub.auth.tokens import DevicePending, TokenRefused
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import DeviceCode, Tokens
from support.browser import Callback, approve, deny, enter_device_code, fill_in_who, sign_in
from support.keycloak import ASSERTION_ISSUER, PASSWORDS, SCOPE, SECRET, UNSPOKEN_SCOPE, KeycloakServer
from support.oauth2 import METHOD, accepted
from support.oauth2_connection import OAuth2Connection, Sender
from support.waiting import wait_until

pytest_plugins = ["support.signing_in"]


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as callback:
        yield callback


class AtKeycloak(Sender):
    """The operator's HTTP client, which may speak to Keycloak."""

    def __init__(self, keycloak: KeycloakServer) -> None:
        super().__init__(keycloak.url, keycloak.ca)
        self.keycloak = keycloak


@pytest.fixture(scope="module")
def sender(keycloak: KeycloakServer) -> Iterator[AtKeycloak]:
    sender = AtKeycloak(keycloak)
    yield sender
    sender.close()


class Connection(OAuth2Connection):
    """One instance's settings and Secret, against the server."""

    def __init__(
        self, sender: AtKeycloak, settings: dict[str, Any], redirect_uri: str = "", **secret: str
    ) -> None:
        asked = accepted({"issuer": sender.keycloak.issuer, "scopes": ["openid"], **settings})
        super().__init__(sender, asked, redirect_uri, **{"clientSecret": SECRET, **secret})
        self.keycloak = sender.keycloak

    def who(self, tokens: Tokens) -> str:
        """Return who is connected with these tokens, '' where the server does not accept them."""
        response = self.sender.send(self.signed(HttpRequest("GET", self.keycloak.userinfo_url), tokens))
        return str(json.loads(response.body)["preferred_username"]) if response.status == 200 else ""


PROOFS: list[tuple[str, dict[str, Any]]] = [
    ("hub-service", {}),
    ("hub-service", {"clientAuthentication": "client_secret_post"}),
    ("hub-service", {"discovery": "oauth"}),
    ("hub-rs256", {"clientAuthentication": "private_key_jwt"}),
    ("hub-es256", {"clientAuthentication": "private_key_jwt", "jwt": {"algorithm": "ES256"}}),
]


@pytest.mark.parametrize(("client_id", "settings"), PROOFS)
def test_a_client_obtains_tokens_by_itself(
    sender: AtKeycloak, client_id: str, settings: dict[str, Any]
) -> None:
    key = sender.keycloak.client_keys["ES256" if client_id.endswith("es256") else "RS256"].pem
    asked = {"grant": "clientCredentials", "scopes": ["openid", SCOPE, UNSPOKEN_SCOPE], **settings}
    connection = Connection(sender, asked, clientId=client_id, privateKey=key)
    tokens = connection.obtained()
    assert isinstance(tokens, Tokens), tokens
    assert connection.who(tokens) == f"service-account-{client_id}"
    assert set(tokens.scopes or ()) == {"openid", SCOPE}
    assert tokens.expires_at is not None
    # Keycloak counts what is left when it writes the answer, in whole seconds.
    assert 290 <= (tokens.expires_at - tokens.obtained_at).total_seconds() <= 300
    assert isinstance(connection.renewed(tokens), Tokens)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_assertion_is_exchanged(sender: AtKeycloak, algorithm: str) -> None:
    settings = {
        "grant": "jwtBearer",
        "clientAuthentication": "client_secret_basic",
        "jwt": {
            "algorithm": algorithm,
            "issuer": f"{ASSERTION_ISSUER}/{algorithm}",
            "subject": "external-alice",
        },
    }
    key = sender.keycloak.issuer_keys[algorithm].pem
    connection = Connection(sender, settings, clientId="hub-assertion", privateKey=key)
    first, second = connection.obtained(), connection.obtained()
    assert isinstance(first, Tokens), first
    assert isinstance(second, Tokens), "each assertion is another one"
    assert connection.who(first) == "alice"


def test_what_is_wrong_in_the_settings_is_no_end_of_a_grant(sender: AtKeycloak) -> None:
    cases = [
        ({"clientId": "hub-service", "clientSecret": "wrong"}, {}, "unauthorized_client"),
        ({"clientId": "nobody"}, {}, "invalid_client"),
        ({"clientId": "hub-service"}, {"scopes": ["no-such"]}, "invalid_scope"),
    ]
    for secret, settings, code in cases:
        connection = Connection(sender, {"grant": "clientCredentials", **settings}, **secret)
        assert connection.obtained() == TokenRefused(code), code


@pytest.mark.parametrize(
    ("client_id", "settings"),
    [
        ("hub-code", {"clientAuthentication": "client_secret_post", "pkce": "supported"}),
        ("hub-public", {"clientAuthentication": "none"}),
    ],
)
def test_a_person_consents_to_this_server_and_no_other(
    sender: AtKeycloak, callback: Callback, page: Page, client_id: str, settings: dict[str, Any]
) -> None:
    connection = Connection(sender, settings, callback.url, clientId=client_id)
    attempt = connection.link()
    sign_in(page, attempt.url, "alice", PASSWORDS["alice"])
    brought = callback.answer(attempt.state)
    elsewhere = connection.exchanged(attempt, brought, iss="https://attacker.example")
    assert elsewhere == TokenRefused(message=OTHER_ISSUER)
    assert connection.exchanged(attempt, brought, iss=None) == TokenRefused(message=NO_ISSUER)
    # Neither has used the code up.
    tokens = connection.exchanged(attempt, brought)
    assert isinstance(tokens, Tokens), tokens
    assert connection.who(tokens) == "alice"
    assert connection.exchanged(attempt, brought) == TokenRefused("invalid_grant", ended=True)


def test_a_refresh_token_can_begin_elsewhere_is_renewed_and_a_second_use_ends_the_grant(
    sender: AtKeycloak, callback: Callback, page: Page
) -> None:
    elsewhere = Connection(sender, {}, callback.url, clientId="hub-code")
    attempt = elsewhere.link()
    sign_in(page, attempt.url, "alice", PASSWORDS["alice"])
    given = elsewhere.exchanged(attempt, callback.answer(attempt.state))
    assert isinstance(given, Tokens), given
    assert given.refresh_token is not None
    assert given.refresh_expires_at is not None
    secret = {"clientId": "hub-code", "refreshToken": given.refresh_token}
    connection = Connection(sender, {"grant": "refreshToken"}, **secret)
    first = connection.obtained()
    assert isinstance(first, Tokens), first
    assert connection.who(first) == "alice"
    second = connection.renewed(first)
    assert isinstance(second, Tokens), second
    assert len({given.refresh_token, first.refresh_token, second.refresh_token}) == 3
    assert connection.who(second) == "alice"
    for used in (first, second):
        assert connection.renewed(used) == TokenRefused("invalid_grant", ended=True)
    assert connection.who(second) == ""


def test_tokens_are_given_back(sender: AtKeycloak, callback: Callback, page: Page) -> None:
    connection = Connection(sender, {}, callback.url, clientId="hub-code")
    attempt = connection.link()
    sign_in(page, attempt.url, "bob", PASSWORDS["bob"])
    tokens = connection.exchanged(attempt, callback.answer(attempt.state))
    assert isinstance(tokens, Tokens), tokens
    settings, credentials, context = connection.asked
    for _ in range(2):  # what is of no use any more counts as given back
        assert connection.driven(METHOD.revoke(settings, credentials, tokens, context)) is None
    assert connection.renewed(tokens) == TokenRefused("invalid_grant", ended=True)


def test_a_person_says_no(sender: AtKeycloak, callback: Callback, page: Page) -> None:
    connection = Connection(sender, {}, callback.url, clientId="hub-consent")
    attempt = connection.link()
    sign_in(page, attempt.url, "bob", PASSWORDS["bob"])
    deny(page)
    refused = connection.exchanged(attempt, callback.answer(attempt.state))
    assert refused == TokenRefused("access_denied", ended=True)


def test_a_code_is_typed(sender: AtKeycloak, page: Page) -> None:
    connection = Connection(sender, {"grant": "deviceCode"}, clientId="hub-device")
    device = connection.driven(METHOD.start_device(*connection.asked))
    assert isinstance(device, DeviceCode), device
    assert device.verification_uri_complete is not None
    assert device.user_code in device.verification_uri_complete

    def poll() -> Tokens | DevicePending | TokenRefused:
        settings, credentials, context = connection.asked
        return connection.driven(METHOD.poll_device(settings, credentials, device, context))

    assert poll() == DevicePending(1.0)
    enter_device_code(page, device.verification_uri, device.user_code)
    fill_in_who(page, "alice", PASSWORDS["alice"])
    approve(page)
    tokens = wait_until(poll, lambda seen: not isinstance(seen, DevicePending), "alice has approved")
    assert isinstance(tokens, Tokens), tokens
    assert connection.who(tokens) == "alice"
