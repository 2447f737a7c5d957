"""From an outcome to what it means."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model import conditions as c
from integration_hub.model.http import FailureKind, HttpResponse, Outcome
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose, unknown
from support.builders import CANARY, answered, failed, plan

PLAN = plan()

FAILURES = {
    FailureKind.HOST_NOT_ALLOWED: Reason.HOST_NOT_ALLOWED,
    FailureKind.SCHEME_NOT_ALLOWED: Reason.HOST_NOT_ALLOWED,
    FailureKind.ADDRESS_NOT_ALLOWED: Reason.ADDRESS_NOT_ALLOWED,
    FailureKind.TRUST_INVALID: Reason.TRUST_INVALID,
    FailureKind.HOST_NOT_FOUND: Reason.HOST_NOT_FOUND,
    FailureKind.DNS_FAILED: Reason.DNS_FAILED,
    FailureKind.CONNECTION_REFUSED: Reason.CONNECTION_REFUSED,
    FailureKind.UNREACHABLE: Reason.HOST_UNREACHABLE,
    FailureKind.CONNECT_TIMEOUT: Reason.CONNECT_TIMEOUT,
    FailureKind.TLS_UNTRUSTED: Reason.TLS_UNTRUSTED,
    FailureKind.TLS_HOST_MISMATCH: Reason.TLS_HOST_MISMATCH,
    FailureKind.TLS_EXPIRED: Reason.TLS_EXPIRED,
    FailureKind.TLS_FAILED: Reason.TLS_FAILED,
    FailureKind.RESPONSE_TIMEOUT: Reason.RESPONSE_TIMEOUT,
    FailureKind.CONNECTION_LOST: Reason.CONNECTION_LOST,
    FailureKind.RESPONSE_TOO_LARGE: Reason.RESPONSE_TOO_LARGE,
}

STATUSES = [
    (200, Reason.CONNECTED, "what the test expects"),
    (204, Reason.UNEXPECTED_STATUS, "success, but not the one that the test expects"),
    (301, Reason.REDIRECTED, "never followed"),
    (302, Reason.REDIRECTED, "never followed: usually a login page"),
    (304, Reason.REDIRECTED, "any 3xx"),
    (400, Reason.UNEXPECTED_STATUS, "says nothing of credentials"),
    (401, Reason.CREDENTIALS_REJECTED, "not accepted"),
    (403, Reason.PERMISSION_DENIED, "accepted, not allowed"),
    (404, Reason.NOT_FOUND, "nothing there"),
    (418, Reason.UNEXPECTED_STATUS, "any other 4xx"),
    (429, Reason.RATE_LIMITED, "fewer requests, please"),
    (500, Reason.SERVER_ERROR, "their fault"),
    (503, Reason.SERVER_ERROR, "their fault"),
    (599, Reason.SERVER_ERROR, "a status that no RFC knows"),
    (103, Reason.UNEXPECTED_STATUS, "an answer that is none"),
]


def spread(diagnosis: Diagnosis) -> tuple[str, str, str]:
    """The status of Reachable, Authenticated and Healthy, in one letter each."""
    found = (diagnosis.reachable, diagnosis.authenticated, diagnosis.healthy)
    assert [x.type for x in found] == [c.REACHABLE, c.AUTHENTICATED, c.HEALTHY]
    letters = [x.status[0] for x in found]
    return letters[0], letters[1], letters[2]


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_failure_has_its_reason_and_is_shown_at_the_right_condition(kind: FailureKind) -> None:
    diagnosis = diagnose(PLAN, failed(kind, "some evidence"))
    assert diagnosis.reason is FAILURES[kind]
    dns, large = kind is FailureKind.DNS_FAILED, kind is FailureKind.RESPONSE_TOO_LARGE
    # A failed lookup says nothing of the host; too large an answer is an answer.
    assert spread(diagnosis) == (("T", "U", "F") if large else ("U", "U", "U") if dns else ("F", "U", "U"))
    assert diagnosis.result == ("Unknown" if dns else "Failure")
    assert "eu.acme.example:443" in diagnosis.message
    assert diagnosis.identity is None


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_failure_without_detail_still_reads_as_a_sentence(kind: FailureKind) -> None:
    message = diagnose(PLAN, failed(kind)).message
    assert message.endswith(".")
    assert ": ." not in message
    assert "{" not in message


@pytest.mark.parametrize(("status", "expected", "reason"), STATUSES)
def test_every_status_has_its_reason(status: int, expected: Reason, reason: str) -> None:
    assert diagnose(PLAN, answered(status)).reason is expected, reason


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        (200, ("T", "T", "T"), "all is well"),
        (401, ("T", "F", "U"), "reached, refused"),
        (403, ("T", "F", "U"), "reached, refused"),
        (404, ("T", "U", "F"), "many systems answer 404 before they look at credentials"),
        (302, ("T", "U", "F"), "a redirect to a login page is no acceptance"),
        (429, ("T", "U", "U"), "how it would have ended is not known"),
        (500, ("T", "U", "F"), "many systems fail before they look at credentials"),
        (400, ("T", "U", "F"), "so do they here"),
    ],
)
def test_conditions_before_the_finding_hold_and_those_after_it_are_unknown(
    status: int, expected: tuple[str, str, str], reason: str
) -> None:
    assert spread(diagnose(PLAN, answered(status))) == expected, reason


@given(st.integers(100, 599))
def test_a_message_names_host_request_and_status(status: int) -> None:
    message = diagnose(PLAN, answered(status)).message
    assert "eu.acme.example" in message
    if status != 200:
        assert f"GET /v1/account with {status}" in message


@given(st.integers(100, 599), st.lists(st.integers(100, 599), min_size=1, max_size=4))
def test_what_the_definition_expects_is_success_whatever_it_is(status: int, expected: list[int]) -> None:
    tests = [{"name": "t", "default": True, "expect": {"status": expected}}]
    diagnosis = diagnose(plan(tests=tests), answered(status))
    assert (diagnosis.result == "Success") == (status in expected)


@given(st.integers(100, 599))
def test_nothing_that_the_other_side_sent_is_repeated_but_the_identity(status: int) -> None:
    body = {"error": CANARY, "message": CANARY}
    diagnosis = diagnose(PLAN, answered(status, body, headers={"x-echo": CANARY, "location": CANARY}))
    assert CANARY not in repr(diagnosis)


def test_the_identity_is_named() -> None:
    diagnosis = diagnose(PLAN, answered(200))
    assert diagnosis.message == "Connected to eu.acme.example as ops@acme.example."
    assert diagnosis.identity == "ops@acme.example"
    assert diagnosis.hint is None


def test_without_an_identity_path_nobody_is_named() -> None:
    diagnosis = diagnose(plan(tests=[{"name": "t", "default": True}]), answered(200))
    assert (diagnosis.message, diagnosis.identity) == ("Connected to eu.acme.example.", None)


def test_an_answer_without_the_identity_is_no_success() -> None:
    # A proxy's friendly page also answers 200.
    diagnosis = diagnose(PLAN, answered(200, {"hello": "there"}))
    assert diagnosis.reason is Reason.IDENTITY_MISSING
    assert spread(diagnosis) == ("T", "T", "F")
    assert "response.json.email" in diagnosis.message


def test_a_failures_hint_is_the_tables_remedy() -> None:
    assert diagnose(PLAN, answered(401)).hint == REASONS[Reason.CREDENTIALS_REJECTED].remedy


def test_an_expected_status_is_listed_with_the_others() -> None:
    tests = [{"name": "t", "default": True, "expect": {"status": [200, 201]}}]
    assert "the test expects 200 or 201" in diagnose(plan(tests=tests), answered(202)).message


def test_braces_of_a_path_are_no_placeholders() -> None:
    tests = [{"name": "t", "default": True, "request": {"path": "/{host}/{}"}}]
    assert "GET /%7Bhost%7D/%7B%7D with 404" in diagnose(plan(tests=tests), answered(404)).message


def test_the_path_that_was_really_asked_is_named() -> None:
    asked = plan(
        baseURL="https://eu.acme.example/base",
        tests=[{"name": "t", "default": True, "request": {"path": "/a b"}}],
    )
    assert "GET /base/a%20b with 404" in diagnose(asked, answered(404)).message


def test_an_outcome_with_neither_answer_nor_failure_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="either a response or a failure"):
        diagnose(PLAN, Outcome(None, None, 0.0))


def test_what_is_not_decided_says_where_to_look() -> None:
    condition = unknown(c.HEALTHY)
    assert (condition.status, condition.reason) == ("Unknown", Reason.NOT_YET_KNOWN)
    assert "Ready" in condition.message


def test_the_tables_here_cover_what_there_is() -> None:
    assert set(FAILURES) == set(FailureKind)
    assert {HTTPStatus(s).value for s in (401, 403, 404, 429)} <= {status for status, _, _ in STATUSES}


def test_reprs_show_no_answer() -> None:
    outcome = Outcome(HttpResponse(200, {"x": CANARY}, CANARY.encode()), None, 0.1)
    assert CANARY not in repr(outcome)
