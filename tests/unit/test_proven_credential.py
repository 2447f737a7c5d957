"""Tests with `proveCredential`: when the same is asked for without the credential, and what its answer means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.http import FailureKind, HttpResponse, Outcome
from integration_hub.model.instance import Stage
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Postponed
from support.builders import (
    CANARY,
    Told,
    answered,
    connected,
    definition,
    failed,
    found,
    inputs,
    instance,
    tell,
)

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
        (answered(503), {"status": "503"}),
        (
            failed(FailureKind.TLS_CLIENT_CERTIFICATE, "the host asks for one"),
            {"fault": "the host asks for one"},
        ),
    ],
    ids=["refused", "sent to sign in", "page", "another", "failure rule", "no identity", "down", "no answer"],
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


def test_a_test_whose_second_request_must_wait_is_made_again_as_a_whole() -> None:
    told = tell(inputs(of=OF), found(), answered(), Postponed(30.0))
    assert told.made == []
    assert told.says(c.READY) == ("Unknown", Reason.TEST_PENDING)


def test_the_duration_is_that_of_both_requests() -> None:
    told = tell(inputs(of=OF), found(), answered(), replace(REFUSED, seconds=0.5))
    (test,) = told.status.tests
    assert test.duration_ms == 750
    assert control(told).duration_ms == 500
