"""Keycloak is the party that later tests take it for: each grant, each way of a client to say who it is, rotation."""

from __future__ import annotations

import base64
import hashlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from support.browser import Callback, approve, deny, enter_device_code, fill_in_who, sign_in
from support.keycloak import (
    PASSWORDS,
    REALM,
    SCOPE,
    SECRET,
    UNSPOKEN_SCOPE,
    Answer,
    KeycloakServer,
)
from support.waiting import wait_until

pytest_plugins = ["support.signing_in"]

ROOT = Path(__file__).parents[2]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as callback:
        yield callback


class Consent:
    """One try to get somebody's consent, with PKCE and a state."""

    def __init__(self, keycloak: KeycloakServer, callback: Callback, client_id: str, scope: str) -> None:
        self._keycloak, self._callback, self.client_id = keycloak, callback, client_id
        self.verifier, self.state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": callback.url,
            "scope": scope,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        self.url = f"{keycloak.authorization_url}?{urlencode(query)}"

    def answer(self) -> dict[str, str]:
        """Return what came back with our state."""
        return self._callback.answer(self.state)

    def exchange(self, code: str, **changed: str) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback.url,
            "code_verifier": self.verifier,
            "client_id": self.client_id,
            "client_secret": SECRET,
        }
        return self._keycloak.ask(self._keycloak.token_url, form | changed)


def consented(
    keycloak: KeycloakServer, callback: Callback, page: Page, client_id: str = "hub-code"
) -> dict[str, Any]:
    """Return the tokens after alice has signed in."""
    consent = Consent(keycloak, callback, client_id, "openid")
    sign_in(page, consent.url, "alice", PASSWORDS["alice"])
    answer = consent.exchange(consent.answer()["code"])
    assert answer.status == 200, answer.text
    return dict(answer.json)


def refresh(keycloak: KeycloakServer, token: str, client_id: str = "hub-code") -> Answer:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": client_id,
        "client_secret": SECRET,
    }
    return keycloak.ask(keycloak.token_url, form)


def who_is(keycloak: KeycloakServer, token: str) -> tuple[int, str]:
    answer = keycloak.ask(keycloak.userinfo_url, headers={"Authorization": f"Bearer {token}"})
    return answer.status, answer.json["preferred_username"] if answer.status == 200 else ""


def client_credentials(keycloak: KeycloakServer, **form: str) -> Answer:
    return keycloak.ask(keycloak.token_url, {"grant_type": "client_credentials", "scope": "openid"} | form)


# What it says of itself


def test_the_discovery_document_names_what_the_grants_need(keycloak: KeycloakServer) -> None:
    for document in (
        f"{keycloak.issuer}/.well-known/openid-configuration",
        # RFC 8414 puts the well-known part before the issuer's path.
        f"{keycloak.url}/.well-known/oauth-authorization-server/realms/{REALM}",
    ):
        found = keycloak.ask(document)
        assert found.status == 200, document
        says = found.json
        assert says["issuer"] == keycloak.issuer
        assert says["token_endpoint"] == keycloak.token_url
        assert says["authorization_endpoint"] == keycloak.authorization_url
        assert says["device_authorization_endpoint"] == keycloak.device_url
        assert says["revocation_endpoint"] == keycloak.revocation_url
        assert says["authorization_response_iss_parameter_supported"] is True
        assert "S256" in says["code_challenge_methods_supported"]
        assert {DEVICE_GRANT, JWT_GRANT, "client_credentials"} <= set(says["grant_types_supported"])


# How a client says who it is


def test_a_secret_is_taken_in_the_header_and_in_the_form(keycloak: KeycloakServer) -> None:
    in_form = client_credentials(keycloak, client_id="hub-service", client_secret=SECRET)
    assert in_form.status == 200, in_form.text
    basic = base64.b64encode(f"hub-service:{SECRET}".encode()).decode()
    in_header = keycloak.ask(
        keycloak.token_url, {"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
    )
    assert in_header.status == 200, in_header.text
    assert who_is(keycloak, in_form.json["access_token"]) == (200, "service-account-hub-service")


def test_a_wrong_secret_is_an_invalid_client(keycloak: KeycloakServer) -> None:
    answer = client_credentials(keycloak, client_id="hub-service", client_secret="wrong")
    assert (answer.status, answer.json["error"]) == (401, "unauthorized_client")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_client_can_prove_itself_with_a_key(keycloak: KeycloakServer, algorithm: str) -> None:
    client_id, now = f"hub-{algorithm.lower()}", int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": keycloak.issuer, "iat": now, "exp": now + 60}

    def ask(algorithm: str) -> Answer:
        signed = keycloak.client_keys[algorithm].sign(claims | {"jti": secrets.token_urlsafe()})
        return client_credentials(keycloak, client_assertion_type=ASSERTION_TYPE, client_assertion=signed)

    answer = ask(algorithm)
    assert answer.status == 200, answer.text
    other = "ES256" if algorithm == "RS256" else "RS256"
    assert ask(other).status in {400, 401}


# Grants without a person


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_assertion_is_worth_a_token_once(keycloak: KeycloakServer, algorithm: str) -> None:
    form = {
        "grant_type": JWT_GRANT,
        "client_id": "hub-assertion",
        "client_secret": SECRET,
        "scope": "openid",
        "assertion": keycloak.assertion(algorithm, int(time.time())),
    }
    answer = keycloak.ask(keycloak.token_url, form)
    assert answer.status == 200, answer.text
    assert who_is(keycloak, answer.json["access_token"]) == (200, "alice")
    again = keycloak.ask(keycloak.token_url, form)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


def test_scopes_are_granted_named_kept_silent_and_refused(keycloak: KeycloakServer) -> None:
    who = {"client_id": "hub-service", "client_secret": SECRET}
    plain = client_credentials(keycloak, **who)
    assert plain.json["scope"] == "openid"
    more = client_credentials(keycloak, **who, scope=f"openid {SCOPE} {UNSPOKEN_SCOPE}")
    assert set(more.json["scope"].split()) == {"openid", SCOPE}
    unknown = client_credentials(keycloak, **who, scope="openid no-such")
    assert (unknown.status, unknown.json["error"]) == (400, "invalid_scope")


def test_a_client_of_the_tests_own_has_its_own_lifetime(keycloak: KeycloakServer) -> None:
    own = f"own-{secrets.token_hex(4)}"
    keycloak.admin.create_client(own, serviceAccountsEnabled=True, attributes={"access.token.lifespan": "2"})
    answer = client_credentials(keycloak, client_id=own, client_secret=SECRET)
    assert answer.json["expires_in"] == 2
    token = answer.json["access_token"]
    assert who_is(keycloak, token)[0] == 200
    wait_until(lambda: who_is(keycloak, token)[0], lambda status: status == 401, "the token ends")
    keycloak.admin.delete_client(own)
    assert client_credentials(keycloak, client_id=own, client_secret=SECRET).status == 401


# Grants of a person


def test_a_person_consents_and_the_code_is_worth_tokens_once(
    keycloak: KeycloakServer, callback: Callback, page: Page
) -> None:
    consent = Consent(keycloak, callback, "hub-consent", f"openid {SCOPE}")
    sign_in(page, consent.url, "alice", PASSWORDS["alice"])
    approve(page)
    back = consent.answer()
    assert back["iss"] == keycloak.issuer
    assert consent.exchange(back["code"], code_verifier="x" * 43).json["error"] == "invalid_grant"

    consent = Consent(keycloak, callback, "hub-consent", f"openid {SCOPE}")
    page.goto(consent.url)  # signed in and agreed: nothing is asked again
    code = consent.answer()["code"]
    tokens = consent.exchange(code)
    assert tokens.status == 200, tokens.text
    assert who_is(keycloak, tokens.json["access_token"]) == (200, "alice")
    assert set(tokens.json["scope"].split()) == {"openid", SCOPE}
    assert consent.exchange(code).json["error"] == "invalid_grant"

    keycloak.admin.revoke_consent("alice", "hub-consent")
    assert refresh(keycloak, tokens.json["refresh_token"], "hub-consent").json["error"] == "invalid_grant"


def test_a_person_can_say_no(keycloak: KeycloakServer, callback: Callback, page: Page) -> None:
    consent = Consent(keycloak, callback, "hub-consent", "openid")
    sign_in(page, consent.url, "bob", PASSWORDS["bob"])
    deny(page)
    back = consent.answer()
    assert back["error"] == "access_denied"
    assert back["iss"] == keycloak.issuer


def test_without_pkce_nobody_is_asked(keycloak: KeycloakServer, callback: Callback, page: Page) -> None:
    consent = Consent(keycloak, callback, "hub-public", "openid")
    without = consent.url.split("&code_challenge=", maxsplit=1)[0]
    page.goto(without)
    assert consent.answer()["error"] == "invalid_request"


def test_a_refresh_token_is_good_for_one_use_and_a_second_ends_the_session(
    keycloak: KeycloakServer, callback: Callback, page: Page
) -> None:
    first = consented(keycloak, callback, page)
    second = refresh(keycloak, first["refresh_token"])
    assert second.status == 200, second.text
    assert second.json["refresh_token"] != first["refresh_token"]
    assert who_is(keycloak, second.json["access_token"]) == (200, "alice")

    reused = refresh(keycloak, first["refresh_token"])
    assert (reused.status, reused.json["error"]) == (400, "invalid_grant")
    for token in (second.json["refresh_token"], first["refresh_token"]):
        assert refresh(keycloak, token).json["error"] == "invalid_grant"
    assert who_is(keycloak, second.json["access_token"])[0] == 401


def test_revocation_and_an_end_by_the_administrator_kill_the_refresh_token(
    keycloak: KeycloakServer, callback: Callback, page: Page
) -> None:
    who = {"client_id": "hub-code", "client_secret": SECRET}
    tokens = consented(keycloak, callback, page)
    form = who | {"token": tokens["refresh_token"], "token_type_hint": "refresh_token"}
    assert keycloak.ask(keycloak.revocation_url, form).status == 200
    assert refresh(keycloak, tokens["refresh_token"]).json["error"] == "invalid_grant"

    page.context.clear_cookies()
    tokens = consented(keycloak, callback, page)
    keycloak.admin.sign_out("alice")
    assert refresh(keycloak, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_rotated_realm_keys_leave_tokens_good(
    keycloak: KeycloakServer, callback: Callback, page: Page
) -> None:
    tokens = consented(keycloak, callback, page)
    before = keycloak.admin.signing_key_ids()
    keycloak.admin.rotate_keys()
    assert keycloak.admin.signing_key_ids() > before
    assert who_is(keycloak, tokens["access_token"]) == (200, "alice")
    assert refresh(keycloak, tokens["refresh_token"]).status == 200


def test_the_device_flow_ends_when_the_code_was_typed_and_approved(
    keycloak: KeycloakServer, page: Page
) -> None:
    who = {"client_id": "hub-device", "client_secret": SECRET}
    started = keycloak.ask(keycloak.device_url, who | {"scope": "openid"}).json
    assert started["interval"] == 1
    assert started["expires_in"] == 300
    form = who | {"grant_type": DEVICE_GRANT, "device_code": started["device_code"]}
    assert keycloak.ask(keycloak.token_url, form).json["error"] == "authorization_pending"

    enter_device_code(page, started["verification_uri"], started["user_code"])
    fill_in_who(page, "bob", PASSWORDS["bob"])
    approve(page)
    tokens = wait_until(
        lambda: keycloak.ask(keycloak.token_url, form), lambda seen: seen.status == 200, "bob has approved"
    )
    assert who_is(keycloak, tokens.json["access_token"]) == (200, "bob")


# Where one of them cannot be had


class TestWithoutThem:
    """The tools of `make test`, with an empty cache and an empty PATH: nothing can be fetched or installed."""

    NAMES = {"bootstrap_keycloak": "Keycloak", "bootstrap_chromium": "Chromium"}  # noqa: RUF012

    @staticmethod
    def run(tool: str, folder: Path, *words: str, ci: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(folder), "HOME": str(folder), "CI": ci}
        command: list[str | Path] = [sys.executable, ROOT / "tools" / f"{tool}.py", *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env=environment
        )

    @pytest.mark.parametrize("tool", NAMES)
    def test_a_person_is_told_and_goes_on(self, tool: str, tmp_path: Path) -> None:
        done = self.run(tool, tmp_path, ci="")
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith(f"{self.NAMES[tool]} cannot be had: ")
        assert "Going on without" in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("tool", NAMES)
    def test_ci_does_not(self, tool: str, tmp_path: Path) -> None:
        done = self.run(tool, tmp_path, ci="true")
        assert done.returncode == 1
        assert done.stderr.endswith(" CI needs it.\n")

    @pytest.mark.parametrize("tool", NAMES)
    def test_asking_where_it_is_fetches_nothing(self, tool: str, tmp_path: Path) -> None:
        assert self.run(tool, tmp_path, "--find", ci="true").returncode == 1
        assert not list(tmp_path.iterdir())

    def test_asking_for_keycloak_in_vain_says_how_to_get_it(self, tmp_path: Path) -> None:
        assert "is not in the cache" in self.run("bootstrap_keycloak", tmp_path, "--find", ci="").stderr
