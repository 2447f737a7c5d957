"""The type oauth2 against Keycloak, over real TLS: each grant, each way to authenticate, what refusals are taken for.

Here its steps are driven one by one; tests/e2e/test_consent.py has the whole operator do it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import pytest
from playwright.sync_api import Page

from integration_hub.adapters.egress import EgressPolicy, HostRule, parse_cidrs
from integration_hub.adapters.http import HttpClient
from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.oauth2 import OAuth2
from integration_hub.auth.tokens import DevicePending, Steps, TokenRefused
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, Tokens
from support.browser import Callback, approve, deny, enter_device_code, fill_in_who, sign_in
from support.keycloak import (
    ASSERTION_ISSUER,
    PASSWORDS,
    SCOPE,
    SECRET,
    UNSPOKEN_SCOPE,
    KeycloakServer,
)
from support.waiting import wait_until

pytest_plugins = ["support.signing_in"]

T = TypeVar("T")
Result = Tokens | TokenRefused

METHOD = OAuth2()
POLICY = EgressPolicy(parse_cidrs(["127.0.0.0/8"]))
ALGORITHMS = ("RS256", "ES256")


class Wire:
    """The operator's HTTP client in a loop of its own thread: Playwright has this one's."""

    def __enter__(self) -> Self:
        self.http = HttpClient(POLICY)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _close(self) -> None:
        await self.http.close()
        await asyncio.sleep(0.2)  # TLS connections say goodbye before they close


@dataclass
class Client:
    """One client of Keycloak, and the operator's part for it."""

    wire: Wire
    keycloak: KeycloakServer
    settings: Mapping[str, Any]
    secret: Mapping[str, str]
    redirect_uri: str = ""
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert not settings_violations("oauth2", self.settings)
        assert {key.name for key in METHOD.secret_keys(self.settings) if key.required} == set(self.secret)

    @property
    def arguments(self) -> tuple[Mapping[str, Any], Credentials]:
        return self.settings, Credentials(self.secret)

    @property
    def context(self) -> AuthContext:
        return AuthContext(datetime.now(UTC), os.urandom, self.redirect_uri, self.scopes)

    def send(self, steps: Steps[T]) -> T:
        """Send what steps ask for, and return what came of it."""
        return self.wire.run(self._send(steps))

    async def _send(self, steps: Steps[T]) -> T:
        rules = [HostRule.parse(self.keycloak.url)]
        try:
            request = next(steps)
            while True:
                outcome = await self.wire.http.send(request, allowed_hosts=rules, ca_bundle=self.keycloak.ca)
                assert outcome.response is not None, outcome.failure
                request = steps.send(outcome.response)
        except StopIteration as end:
            result: T = end.value
            return result

    def obtain(self) -> Result:
        return self.send(METHOD.obtain(*self.arguments, self.context))

    def refresh(self, tokens: Tokens) -> Result:
        return self.send(METHOD.refresh(*self.arguments, tokens, self.context))

    def revoke(self, tokens: Tokens) -> TokenRefused | None:
        return self.send(METHOD.revoke(*self.arguments, tokens, self.context))

    def link(self) -> ConsentAttempt:
        state = f"{secrets.token_hex(16)}.{secrets.token_urlsafe(32)}"
        made = self.send(METHOD.authorization_link(*self.arguments, state, self.context))
        assert isinstance(made, ConsentAttempt), made
        return made

    def exchange(self, attempt: ConsentAttempt, back: Mapping[str, str]) -> Result:
        answer = ConsentAnswer(back["state"], back.get("code"), back.get("iss"), back.get("error"))
        return self.send(METHOD.exchange(*self.arguments, attempt, answer, self.context))

    def consented(self, page: Page, callback: Callback, user: str = "alice") -> Tokens:
        """Return the tokens of a person who has signed in."""
        attempt = self.link()
        sign_in(page, attempt.url, user, PASSWORDS[user])
        return tokens_of(self.exchange(attempt, callback.answer(attempt.state)))

    def who_is(self, tokens: Tokens) -> tuple[int, str]:
        """Return how the API answers to a request that the method has authenticated, and who it says that is."""
        request = HttpRequest("GET", self.keycloak.userinfo_url)
        arguments = (self.settings, Credentials(self.secret).with_tokens(tokens), request, self.context)
        (authenticated,) = METHOD.flow(*arguments)
        answer = self.keycloak.ask(authenticated.url, headers=dict(authenticated.headers))
        return answer.status, answer.json["preferred_username"] if answer.status == 200 else ""


def tokens_of(result: Result) -> Tokens:
    assert isinstance(result, Tokens), result
    return result


def by_issuer(keycloak: KeycloakServer, grant: str, **settings: Any) -> dict[str, Any]:
    """Return settings that leave all addresses to discovery."""
    return {"grant": grant, "issuer": keycloak.issuer, "scopes": ["openid"]} | settings


def by_secret(client_id: str) -> dict[str, str]:
    return {"clientId": client_id, "clientSecret": SECRET}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as callback:
        yield callback


@pytest.fixture
def person(wire: Wire, keycloak: KeycloakServer, callback: Callback) -> Client:
    """The authorization code grant, with PKCE, as Keycloak requires it of this client."""
    return Client(
        wire,
        keycloak,
        by_issuer(keycloak, "authorizationCode"),
        by_secret("hub-code"),
        redirect_uri=callback.url,
    )


def test_it_is_the_method_that_definitions_name() -> None:
    assert type(METHODS["oauth2"]) is OAuth2


# Without a person


@pytest.mark.parametrize("discovery", ["openid", "oauth"])
@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_client_credentials_with_a_secret(
    wire: Wire, keycloak: KeycloakServer, authentication: str, discovery: str
) -> None:
    settings = by_issuer(
        keycloak, "clientCredentials", clientAuthentication=authentication, discovery=discovery
    )
    client = Client(wire, keycloak, settings, by_secret("hub-service"))
    tokens = tokens_of(client.obtain())
    assert client.who_is(tokens) == (200, "service-account-hub-service")
    assert tokens.expires_at is not None
    assert 290 < (tokens.expires_at - tokens.obtained_at).total_seconds() <= 300
    assert tokens.scopes == ("openid",)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_client_credentials_with_a_private_key(wire: Wire, keycloak: KeycloakServer, algorithm: str) -> None:
    settings = by_issuer(
        keycloak,
        "clientCredentials",
        clientAuthentication="private_key_jwt",
        jwt={"algorithm": algorithm},
    )
    client_id = f"hub-{algorithm.lower()}"
    key = keycloak.client_keys[algorithm].pem
    client = Client(wire, keycloak, settings, {"clientId": client_id, "privateKey": key})
    assert client.who_is(tokens_of(client.obtain())) == (200, f"service-account-{client_id}")


def test_addresses_can_be_named_instead_of_discovered(wire: Wire, keycloak: KeycloakServer) -> None:
    settings = {"grant": "clientCredentials", "tokenURL": keycloak.token_url, "scopes": ["openid"]}
    client = Client(wire, keycloak, settings, by_secret("hub-service"))
    assert client.who_is(tokens_of(client.obtain())) == (200, "service-account-hub-service")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_assertion_of_another_issuer(wire: Wire, keycloak: KeycloakServer, algorithm: str) -> None:
    claims = {
        "algorithm": algorithm,
        "issuer": f"{ASSERTION_ISSUER}/{algorithm}",
        "subject": "external-alice",
        "audience": keycloak.issuer,
    }
    settings = by_issuer(keycloak, "jwtBearer", clientAuthentication="client_secret_basic", jwt=claims)
    key = keycloak.issuer_keys[algorithm].pem
    client = Client(wire, keycloak, settings, by_secret("hub-assertion") | {"privateKey": key})
    assert client.who_is(tokens_of(client.obtain())) == (200, "alice")
    # Each has a 'jti' of its own, or Keycloak would take the second for a replay.
    assert client.who_is(tokens_of(client.obtain())) == (200, "alice")


def test_scopes_of_the_definition_and_of_the_instance_are_asked_for(
    wire: Wire, keycloak: KeycloakServer
) -> None:
    settings = by_issuer(keycloak, "clientCredentials")
    client = Client(wire, keycloak, settings, by_secret("hub-service"), scopes=(SCOPE, UNSPOKEN_SCOPE))
    assert set(tokens_of(client.obtain()).scopes or ()) == {"openid", SCOPE}
    refused = Client(wire, keycloak, settings, by_secret("hub-service"), scopes=("no-such",)).obtain()
    assert isinstance(refused, TokenRefused)
    assert refused.code == "invalid_scope"


def test_a_wrong_secret_is_refused_by_name(wire: Wire, keycloak: KeycloakServer) -> None:
    secret = by_secret("hub-service") | {"clientSecret": "wrong"}
    refused = Client(wire, keycloak, by_issuer(keycloak, "clientCredentials"), secret).obtain()
    assert isinstance(refused, TokenRefused)
    # Keycloak says so where RFC 6749 has invalid_client.
    assert refused.code == "unauthorized_client"


# With a person


def test_a_person_consents_and_tokens_are_renewed_and_given_back(
    person: Client, page: Page, callback: Callback
) -> None:
    first = person.consented(page, callback)
    assert person.who_is(first) == (200, "alice")
    second = tokens_of(person.refresh(first))
    assert second.refresh_token != first.refresh_token
    assert person.who_is(second) == (200, "alice")
    assert person.revoke(second) is None
    refused = person.refresh(second)
    assert isinstance(refused, TokenRefused)
    assert (refused.code, refused.ended) == ("invalid_grant", True)


def test_a_public_client_has_no_secret(
    wire: Wire, keycloak: KeycloakServer, page: Page, callback: Callback
) -> None:
    settings = by_issuer(keycloak, "authorizationCode", clientAuthentication="none")
    client = Client(wire, keycloak, settings, {"clientId": "hub-public"}, redirect_uri=callback.url)
    assert client.who_is(client.consented(page, callback)) == (200, "alice")


def test_a_client_with_a_key_exchanges_its_code(
    wire: Wire, keycloak: KeycloakServer, page: Page, callback: Callback
) -> None:
    settings = by_issuer(
        keycloak,
        "authorizationCode",
        clientAuthentication="private_key_jwt",
        jwt={"algorithm": "ES256"},
    )
    secret = {"clientId": "hub-es256", "privateKey": keycloak.client_keys["ES256"].pem}
    client = Client(wire, keycloak, settings, secret, redirect_uri=callback.url)
    assert client.who_is(client.consented(page, callback, "bob")) == (200, "bob")


def test_a_person_says_no(wire: Wire, keycloak: KeycloakServer, page: Page, callback: Callback) -> None:
    settings = by_issuer(keycloak, "authorizationCode")
    client = Client(wire, keycloak, settings, by_secret("hub-consent"), redirect_uri=callback.url)
    attempt = client.link()
    sign_in(page, attempt.url, "bob", PASSWORDS["bob"])
    deny(page)
    refused = client.exchange(attempt, callback.answer(attempt.state))
    assert isinstance(refused, TokenRefused)
    assert refused.code == "access_denied"


def test_an_answer_of_another_issuer_is_not_exchanged(person: Client, page: Page, callback: Callback) -> None:
    attempt = person.link()
    sign_in(page, attempt.url, "alice", PASSWORDS["alice"])
    back = callback.answer(attempt.state)
    for changed in (
        back | {"iss": "https://somebody.example"},
        {k: v for k, v in back.items() if k != "iss"},
    ):
        refused = person.exchange(attempt, changed)
        assert isinstance(refused, TokenRefused)
        assert refused.message
    # Nothing was sent, so the code is still good.
    assert person.who_is(tokens_of(person.exchange(attempt, back))) == (200, "alice")


def test_a_second_use_of_a_refresh_token_ends_everything(
    person: Client, page: Page, callback: Callback
) -> None:
    first = person.consented(page, callback)
    second = tokens_of(person.refresh(first))
    for tokens in (first, second):
        refused = person.refresh(tokens)
        assert isinstance(refused, TokenRefused)
        assert (refused.code, refused.ended) == ("invalid_grant", True)
    assert person.who_is(second)[0] == 401


def test_a_code_is_typed_and_approved(wire: Wire, keycloak: KeycloakServer, page: Page) -> None:
    client = Client(wire, keycloak, by_issuer(keycloak, "deviceCode"), by_secret("hub-device"))
    device = client.send(METHOD.start_device(*client.arguments, client.context))
    assert not isinstance(device, TokenRefused)

    def poll() -> Tokens | DevicePending | TokenRefused:
        return client.send(METHOD.poll_device(*client.arguments, device, client.context))

    assert isinstance(poll(), DevicePending)
    enter_device_code(page, device.verification_uri, device.user_code)
    fill_in_who(page, "bob", PASSWORDS["bob"])
    approve(page)
    tokens = wait_until(poll, lambda seen: not isinstance(seen, DevicePending), "bob has approved")
    assert isinstance(tokens, Tokens), tokens
    assert client.who_is(tokens) == (200, "bob")
    assert client.who_is(tokens_of(client.refresh(tokens))) == (200, "bob")
