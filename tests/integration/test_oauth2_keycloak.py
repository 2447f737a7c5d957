"""`oauth2` with a party that none of us wrote: every grant and every proof of a client, through the real HTTP client.

What the operator makes of it in a cluster is tested elsewhere; here the method's own steps are driven one by one.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Page

from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.auth.flow import AuthContext
from integration_hub.auth.oauth2.link import NO_ISSUER, OTHER_ISSUER
from integration_hub.auth.tokens import DevicePending, Steps, TokenRefused
from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from support.browser import Callback, approve, deny, enter_device_code, fill_in_who, sign_in
from support.keycloak import ASSERTION_ISSUER, PASSWORDS, SCOPE, SECRET, UNSPOKEN_SCOPE, KeycloakServer
from support.oauth2 import METHOD, accepted, credentials_of
from support.waiting import wait_until

pytest_plugins = ["support.signing_in"]

T = TypeVar("T")
LOOPBACK = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as callback:
        yield callback


class Sender:
    """The operator's HTTP client on a loop of its own: Playwright's runs in the tests' thread."""

    def __init__(self, keycloak: KeycloakServer) -> None:
        self.keycloak = keycloak
        self.client = HttpClient(LOOPBACK)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def send(self, request: HttpRequest) -> HttpResponse:
        host = HostRule.parse(self.keycloak.url.removeprefix("https://"))
        exchange = self.client.send(request, allowed_hosts=[host], ca_bundle=self.keycloak.ca)
        outcome = asyncio.run_coroutine_threadsafe(exchange, self.loop).result(30)
        assert outcome.response is not None, outcome.failure
        return outcome.response

    def close(self) -> None:
        async def closed() -> None:
            await self.client.close()
            await asyncio.sleep(0.25)  # aiohttp returns before its TLS connections have said goodbye

        asyncio.run_coroutine_threadsafe(closed(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def sender(keycloak: KeycloakServer) -> Iterator[Sender]:
    sender = Sender(keycloak)
    yield sender
    sender.close()


class Connection:
    """One instance's settings and Secret, against the server."""

    def __init__(
        self, sender: Sender, settings: dict[str, Any], redirect_uri: str = "", **secret: str
    ) -> None:
        self.sender = sender
        self.settings = accepted({"issuer": sender.keycloak.issuer, "scopes": ["openid"], **settings})
        self.credentials = credentials_of(self.settings, {"clientSecret": SECRET, **secret})
        self.redirect_uri = redirect_uri

    @property
    def asked(self) -> tuple[Any, Any, AuthContext]:
        """What every step is handed."""
        context = AuthContext(datetime.now(UTC), secrets.token_bytes, self.redirect_uri)
        return self.settings, self.credentials, context

    def driven(self, steps: Steps[T]) -> T:
        """Send what the steps yield until they return."""
        try:
            request = next(steps)
            while True:
                request = steps.send(self.sender.send(request))
        except StopIteration as end:
            result: T = end.value
            return result

    def who(self, tokens: Tokens) -> str:
        """Return who is connected with these tokens, '' where the server does not accept them."""
        asked = HttpRequest("GET", self.sender.keycloak.userinfo_url)
        settings, credentials, context = self.asked
        (request,) = METHOD.flow(settings, credentials.with_tokens(tokens), asked, context)
        response = self.sender.send(request)
        return str(json.loads(response.body)["preferred_username"]) if response.status == 200 else ""

    def obtained(self) -> Tokens | TokenRefused:
        return self.driven(METHOD.obtain(*self.asked))

    def renewed(self, tokens: Tokens) -> Tokens | TokenRefused:
        settings, credentials, context = self.asked
        return self.driven(METHOD.refresh(settings, credentials, tokens, context))

    def link(self) -> ConsentAttempt:
        settings, credentials, context = self.asked
        state = secrets.token_urlsafe(24)
        attempt = self.driven(METHOD.authorization_link(settings, credentials, state, context))
        assert isinstance(attempt, ConsentAttempt), attempt
        return attempt

    def exchanged(
        self, attempt: ConsentAttempt, brought: dict[str, str], **changed: Any
    ) -> Tokens | TokenRefused:
        answer = ConsentAnswer(
            **{name: brought[name] for name in ("state", "code", "iss", "error") if name in brought}
        )
        settings, credentials, context = self.asked
        steps = METHOD.exchange(settings, credentials, attempt, replace(answer, **changed), context)
        return self.driven(steps)


PROOFS: list[tuple[str, dict[str, Any]]] = [
    ("hub-service", {}),
    ("hub-service", {"clientAuthentication": "client_secret_post"}),
    ("hub-service", {"discovery": "oauth"}),
    ("hub-rs256", {"clientAuthentication": "private_key_jwt"}),
    ("hub-es256", {"clientAuthentication": "private_key_jwt", "jwt": {"algorithm": "ES256"}}),
]


@pytest.mark.parametrize(("client_id", "settings"), PROOFS)
def test_a_client_obtains_tokens_by_itself(sender: Sender, client_id: str, settings: dict[str, Any]) -> None:
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
def test_an_assertion_is_exchanged(sender: Sender, algorithm: str) -> None:
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


def test_what_is_wrong_in_the_settings_is_no_end_of_a_grant(sender: Sender) -> None:
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
    sender: Sender, callback: Callback, page: Page, client_id: str, settings: dict[str, Any]
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
    sender: Sender, callback: Callback, page: Page
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


def test_tokens_are_given_back(sender: Sender, callback: Callback, page: Page) -> None:
    connection = Connection(sender, {}, callback.url, clientId="hub-code")
    attempt = connection.link()
    sign_in(page, attempt.url, "bob", PASSWORDS["bob"])
    tokens = connection.exchanged(attempt, callback.answer(attempt.state))
    assert isinstance(tokens, Tokens), tokens
    settings, credentials, context = connection.asked
    for _ in range(2):  # what is of no use any more counts as given back
        assert connection.driven(METHOD.revoke(settings, credentials, tokens, context)) is None
    assert connection.renewed(tokens) == TokenRefused("invalid_grant", ended=True)


def test_a_person_says_no(sender: Sender, callback: Callback, page: Page) -> None:
    connection = Connection(sender, {}, callback.url, clientId="hub-consent")
    attempt = connection.link()
    sign_in(page, attempt.url, "bob", PASSWORDS["bob"])
    deny(page)
    refused = connection.exchanged(attempt, callback.answer(attempt.state))
    assert refused == TokenRefused("access_denied", ended=True)


def test_a_code_is_typed(sender: Sender, page: Page) -> None:
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
