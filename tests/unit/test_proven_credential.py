"""Tests with `proveCredential`: when the same is asked for without the credential, and what its answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.http import FailureKind, HttpResponse, Outcome
from integration_hub.model.instance import Stage
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Postponed, SecretAnswer, SecretState
from support.builders import (
    CANARY,
    NOW,
    Told,
    after,
    answered,
    connected,
    definition,
    failed,
    found,
    inputs,
    instance,
    tell,
)
from support.certificates import Authority

TEST: dict[str, Any] = {
    "name": "account",
    "default": True,
    "request": {"path": "/v1/account"},
    "identity": "response.json.email",
    "failures": [{"when": "response.json.guest == true", "reason": "CredentialsRejected"}],
    "proveCredential": True,
}
OF = definition(tests=[TEST])
REFUSED = answered(401, {"error": "unauthorized"})
PAGE = Outcome(
    HttpResponse(
        200,
        {"content-type": "text/html"},
        b"<html><body><form><input type=password></form></body></html>",
    ),
    None,
    0.25,
)


def control(told: Told) -> Stage:
    """The last stage of the one test."""
    (test,) = told.status.tests
    return test.stages[-1]


def test_the_second_request_is_the_first_without_what_the_auth_method_adds() -> None:
    told = tell(inputs(of=OF), found(), answered(), REFUSED)
    first, second = told.sent
    assert "Authorization" in first.request.headers
    assert "Authorization" not in second.request.headers
    assert CANARY not in repr(dict(second.request.headers))
    assert (second.request.method, second.request.url) == (first.request.method, first.request.url)
    assert second.allowed_hosts == first.allowed_hosts
    assert second.request.purpose == "control"


@pytest.mark.parametrize(
    ("other", "evidence"),
    [
        (REFUSED, {"status": "401"}),
        (answered(302, headers={"location": "https://eu.acme.example/login"}), {"status": "302"}),
        (PAGE, {"status": "200"}),
        (answered(body={"email": "guest@acme.example"}), {"status": "200"}),
        (answered(body={"email": "ops@acme.example", "guest": True}), {"status": "200"}),
        (answered(body={}), {"status": "200"}),
        (answered(500), {"status": "500"}),
        (
            failed(FailureKind.TLS_CLIENT_CERTIFICATE, "the host asks for one"),
            {"fault": "the host asks for one"},
        ),
    ],
    ids=[
        "refused",
        "sent to sign in",
        "page",
        "another",
        "failure rule",
        "no identity",
        "broken",
        "wants a certificate",
    ],
)
def test_whatever_is_not_the_same_success_proves_the_credential(
    other: Outcome, evidence: dict[str, str]
) -> None:
    told = tell(inputs(of=OF), found(), answered(), other)
    assert told.says(c.READY) == ("True", Reason.CONNECTED)
    assert told.status.identity == "ops@acme.example"
    assert (control(told).name, control(told).result, control(told).evidence) == (
        "control",
        "Passed",
        evidence,
    )


def test_the_same_success_proves_nothing() -> None:
    told = tell(inputs(of=OF), found(), answered(), answered())
    assert told.says(c.READY) == ("False", Reason.CREDENTIAL_UNPROVEN)
    assert told.says(c.REACHABLE) == ("True", Reason.RESPONDED)
    assert told.says(c.AUTHENTICATED) == ("False", Reason.CREDENTIAL_UNPROVEN)
    assert told.says(c.HEALTHY) == ("Unknown", Reason.NOT_YET_KNOWN)
    assert told.says(c.STALLED) == ("True", Reason.CREDENTIAL_UNPROVEN)
    assert told.status.identity is None
    assert (control(told).name, control(told).result) == ("control", "Failed")


KEY = {"name": "key", "type": "apiKey", "settings": {"prefix": "Bearer"}}
OPEN = {"name": "open", "type": "custom", "settings": {"anonymous": {}}}


@pytest.mark.parametrize(
    ("methods", "path", "open_", "protected"),
    [
        (
            [KEY, OPEN],
            "/v1/account",
            "choose the auth method 'open' (spec.auth.method), which sends no credential.",
            "the author of the test 'account' should let it ask for what only those get who have a credential.",
        ),
        (
            [KEY, OPEN, {**OPEN, "name": "free"}],
            "/v1/{{ config.team }}/account",
            "choose the auth method 'open' or 'free' (spec.auth.method), which sends no credential.",
            "the author of the test 'account' should let it ask for what only those get who have a credential.",
        ),
        (
            [KEY],
            "/{{ config.team }}",
            "the definition's author can add an auth method that sends none ('custom' with 'anonymous').",
            (
                "name in spec.config.team, which the test 'account' asks for, something that only those get who have a"
                " credential."
            ),
        ),
    ],
    ids=["a method and a fixed path", "two methods", "no method, and the configuration says the path"],
)  # fmt: skip
def test_what_to_do_names_what_the_definition_has(
    methods: list[dict[str, Any]], path: str, open_: str, protected: str
) -> None:
    of = definition(tests=[{**TEST, "request": {"path": path}}], authMethods=methods)
    asked = instance(
        config={"region": "eu", "team": "a"}, auth={"method": "key", "secretRef": {"name": "key"}}
    )
    told = tell(inputs(asked, of), found(), answered(), answered())
    (test,) = told.status.tests
    assert test.hint == (
        f"Have the system protected. Where it is open on purpose, {open_} Where it is protected, {protected}"
    )


def test_a_server_that_somebody_opens_later_is_noticed_at_the_next_test() -> None:
    raw = connected(of=definition(tests=[{**TEST, "proveCredential": False}]))
    asked = instance(status=raw["status"], request="again")
    told = tell(inputs(asked, OF), found(), answered(), answered())
    assert told.says(c.READY) == ("False", Reason.CREDENTIAL_UNPROVEN)


@pytest.mark.parametrize("first", [REFUSED, answered(500), failed(FailureKind.CONNECTION_REFUSED)])
def test_nothing_more_is_sent_where_the_test_has_no_success(first: Outcome) -> None:
    told = tell(inputs(of=OF), found(), first)
    assert told.sends == 1
    assert told.says(c.READY) != ("True", Reason.CONNECTED)


@pytest.mark.parametrize(
    "failures", [[], [{"when": "response.status == 401", "reason": "CredentialsRejected"}]]
)
@pytest.mark.parametrize("status", [401, 403])
def test_who_sends_no_credential_is_not_told_that_it_was_rejected(
    status: int, failures: list[dict[str, Any]]
) -> None:
    of = definition(
        authMethods=[{"name": "none", "type": "custom", "settings": {"anonymous": {}}}],
        tests=[{**TEST, "failures": failures}],
    )
    told = tell(inputs(instance(auth={}), of), answered(status, {"error": "unauthorized"}))
    assert told.says(c.READY) == ("False", Reason.AUTH_SCHEME_WRONG)
    assert "sends none" in told.ready
    assert "another auth method" in told.ready


def test_nothing_more_is_sent_where_the_method_sends_no_credential() -> None:
    of = definition(
        authMethods=[{"name": "none", "type": "custom", "settings": {"anonymous": {}}}], tests=[TEST]
    )
    told = tell(inputs(instance(auth={}), of), answered())
    assert told.sends == 1
    assert told.reads == 0
    assert told.says(c.READY) == ("True", Reason.CONNECTED)
    assert told.says(c.CREDENTIALS_AVAILABLE) == ("True", Reason.NOT_NEEDED)
    assert told.says(c.AUTHENTICATED) == ("True", Reason.NOT_NEEDED)
    assert told.status.credential is None


@pytest.mark.parametrize(
    "other",
    [
        answered(429),
        answered(503),
        answered(504),
        failed(FailureKind.RESPONSE_TIMEOUT),
        failed(FailureKind.CONNECTION_LOST),
        failed(FailureKind.HOST_PAUSED),
        Postponed(30.0),
    ],
    ids=["too many", "down", "gateway", "no answer", "hung up", "paused", "not its turn"],
)
def test_what_passes_proves_nothing_and_disproves_nothing(other: Outcome | Postponed) -> None:
    told = tell(inputs(of=OF), found(), answered(), other)
    assert told.says(c.READY) == ("Unknown", Reason.PROOF_PENDING)
    assert told.says(c.AUTHENTICATED) == ("Unknown", Reason.PROOF_PENDING)
    assert control(told).result == "Unknown"
    assert told.made == ["account"], "the answer with the credential is not asked for again at once"


def test_a_connection_that_was_proven_stays_so_where_one_test_cannot_tell() -> None:
    raw = after(instance(), tell(inputs(of=OF), found(), answered(), REFUSED))
    later = NOW + timedelta(hours=1)
    told = tell(inputs(raw, OF, now=later), found(), answered(), answered(503))
    assert told.says(c.READY) == ("True", Reason.CONNECTED)
    assert told.test("account").last_reason == Reason.PROOF_PENDING


def test_who_is_shown_no_certificate_may_hang_up_without_a_word() -> None:
    pair = Authority("Clients").issue("hub", for_server=False)
    data = {"tls.crt": pair.chain.encode(), "tls.key": pair.key.encode()}
    of = definition(
        authMethods=[{"name": "pair", "type": "custom", "settings": {"mtls": {}}}],
        tests=[TEST],
    )
    answer = SecretAnswer(SecretState.FOUND, uid="s-1", version="7", type="kubernetes.io/tls", data=data)
    told = tell(inputs(of=of), answer, answered(), failed(FailureKind.CONNECTION_LOST))
    assert told.says(c.READY) == ("True", Reason.CONNECTED)


def test_a_failure_that_comes_with_success_is_not_asked_for_again() -> None:
    told = tell(inputs(of=OF), found(), answered(body={"email": "ops@acme.example", "guest": True}))
    assert told.sends == 1
    assert told.says(c.READY) == ("False", Reason.CREDENTIALS_REJECTED)


def test_a_secret_that_is_named_in_vain_is_not_read() -> None:
    of = definition(
        authMethods=[{"name": "none", "type": "custom", "settings": {"anonymous": {}}}], tests=[TEST]
    )
    told = tell(inputs(instance(), of, secret_version=None), answered())
    assert told.reads == 0
    assert told.says(c.READY) == ("True", Reason.CONNECTED)


def test_the_duration_is_that_of_both_requests() -> None:
    told = tell(inputs(of=OF), found(), answered(), replace(REFUSED, seconds=0.5))
    (test,) = told.status.tests
    assert test.duration_ms == 750
    assert control(told).duration_ms == 500
