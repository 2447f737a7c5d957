"""From the outcome of a test to what it means: reason, message and the conditions that follow. Two tables and a rule.

Messages say what was found and where; they name methods, paths and hosts of the definition, and never repeat a byte
that the other side sent, since that may be anything, credentials included.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition, ConditionStatus
from integration_hub.model.http import Failure, FailureKind, HttpResponse, Outcome
from integration_hub.model.instance import TestResult
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.probe.identity import parse_path, read_identity
from integration_hub.probe.plan import ProbePlan


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a test's outcome means."""

    result: TestResult
    reason: Reason
    message: str
    reachable: Condition
    authenticated: Condition
    healthy: Condition
    identity: str | None = None

    @property
    def hint(self) -> str | None:
        """What to do next; None when there is nothing to do."""
        return REASONS[self.reason].remedy or None


class _Row(NamedTuple):
    reason: Reason
    text: str
    result: TestResult = "Failure"


_FAILURES: dict[FailureKind, _Row] = {
    FailureKind.HOST_NOT_ALLOWED: _Row(
        Reason.HOST_NOT_ALLOWED, "{host} is not among the definition's allowedHosts, so nothing was sent."
    ),
    FailureKind.SCHEME_NOT_ALLOWED: _Row(
        Reason.HOST_NOT_ALLOWED,
        "{host} would be reached over plain HTTP, which is not allowed here, so nothing was sent.",
    ),
    FailureKind.ADDRESS_NOT_ALLOWED: _Row(Reason.ADDRESS_NOT_ALLOWED, "{host} may not be reached: {detail}."),
    FailureKind.TRUST_INVALID: _Row(
        Reason.TRUST_INVALID, "The certificate authority configured for {host} cannot be used: {detail}."
    ),
    FailureKind.HOST_NOT_FOUND: _Row(Reason.HOST_NOT_FOUND, "DNS does not know the host name in {host}."),
    FailureKind.DNS_FAILED: _Row(
        Reason.DNS_FAILED, "The name in {host} could not be looked up in DNS.", "Unknown"
    ),
    FailureKind.CONNECTION_REFUSED: _Row(Reason.CONNECTION_REFUSED, "{host} refused the connection."),
    FailureKind.UNREACHABLE: _Row(Reason.HOST_UNREACHABLE, "There is no route to {host}."),
    FailureKind.CONNECT_TIMEOUT: _Row(
        Reason.CONNECT_TIMEOUT, "{host} did not answer the attempt to connect in time."
    ),
    FailureKind.TLS_UNTRUSTED: _Row(
        Reason.TLS_UNTRUSTED, "The certificate of {host} is not trusted: {detail}."
    ),
    FailureKind.TLS_HOST_MISMATCH: _Row(
        Reason.TLS_HOST_MISMATCH, "The certificate of {host} is for another name."
    ),
    FailureKind.TLS_EXPIRED: _Row(
        Reason.TLS_EXPIRED, "The certificate of {host} is not valid now: {detail}."
    ),
    FailureKind.TLS_FAILED: _Row(
        Reason.TLS_FAILED, "No secure connection to {host} could be set up: {detail}."
    ),
    FailureKind.RESPONSE_TIMEOUT: _Row(
        Reason.RESPONSE_TIMEOUT, "{host} accepted the connection and then did not answer {request} in time."
    ),
    FailureKind.CONNECTION_LOST: _Row(
        Reason.CONNECTION_LOST, "The connection to {host} ended before the answer to {request} was complete."
    ),
    FailureKind.RESPONSE_TOO_LARGE: _Row(
        Reason.RESPONSE_TOO_LARGE, "The answer of {host} to {request} is larger than a test may read."
    ),
}

_STATUSES: dict[int, _Row] = {
    401: _Row(
        Reason.CREDENTIALS_REJECTED,
        "{host} answered {request} with {status}: it does not accept the credentials.",
    ),
    403: _Row(
        Reason.PERMISSION_DENIED, "{host} answered {request} with {status}: the credentials do not permit it."
    ),
    404: _Row(Reason.NOT_FOUND, "{host} answered {request} with {status}: there is nothing at that address."),
    429: _Row(
        Reason.RATE_LIMITED, "{host} answered {request} with {status}: it asks for fewer requests.", "Unknown"
    ),
}
_STATUS_CLASSES: dict[int, _Row] = {
    3: _Row(
        Reason.REDIRECTED,
        "{host} answered {request} with {status}: it points to another address, which is not followed.",
    ),
    5: _Row(Reason.SERVER_ERROR, "{host} answered {request} with {status}: it reports a fault of its own."),
}
_OTHER_STATUS = _Row(
    Reason.UNEXPECTED_STATUS, "{host} answered {request} with {status}; the test expects {expected}."
)

_NOT_YET_KNOWN = "Not decided: see the Ready condition."


def diagnose(plan: ProbePlan, outcome: Outcome, secrets: Collection[str] = ()) -> Diagnosis:
    """Return what the outcome of a planned test means.

    The identity is the one thing that is taken over from an answer; `secrets` are masked in it, since a system may
    answer with the very token that it was sent.
    """
    if outcome.failure is not None:
        return _diagnose_failure(plan, outcome.failure)
    if outcome.response is None:
        raise ValueError("an outcome has either a response or a failure")
    return _diagnose_response(plan, outcome.response, secrets)


def unknown(type_: str, message: str = _NOT_YET_KNOWN) -> Condition:
    """Return a condition that could not be decided because an earlier one is not True."""
    return Condition(type=type_, status="Unknown", reason=Reason.NOT_YET_KNOWN, message=message)


def _diagnose_failure(plan: ProbePlan, failure: Failure) -> Diagnosis:
    row = _FAILURES[failure.kind]
    words = {
        "host": failure.host,
        "detail": failure.detail or "no further detail",
        "request": _request_words(plan),
    }
    return _conclude(row, row.text.format_map(words))


def _diagnose_response(plan: ProbePlan, response: HttpResponse, secrets: Collection[str]) -> Diagnosis:
    words = {
        "host": _host(plan),
        "request": _request_words(plan),
        "status": _status_words(response.status),
        "expected": " or ".join(map(str, plan.test.expect.status)),
    }
    if response.status not in plan.test.expect.status:
        row = _STATUSES.get(response.status) or _STATUS_CLASSES.get(response.status // 100, _OTHER_STATUS)
        return _conclude(row, row.text.format_map(words))
    identity = None
    if plan.test.identity:
        identity = read_identity(parse_path(plan.test.identity), response, secrets)
        if identity is None:
            text = "{host} answered {request} with {status}, but without {path}."
            text = text.format_map(words | {"path": plan.test.identity})
            return _conclude(_Row(Reason.IDENTITY_MISSING, ""), text)
    message = f"Connected to {words['host']}" + (f" as {identity}." if identity else ".")
    return _conclude(_Row(Reason.CONNECTED, "", "Success"), message, identity)


def _conclude(row: _Row, message: str, identity: str | None = None) -> Diagnosis:
    """Spread one finding over the three conditions: those before it hold, those after it are not known."""
    bad: ConditionStatus = "False" if row.result == "Failure" else "Unknown"
    good = {
        c.REACHABLE: Condition(
            type=c.REACHABLE, status="True", reason=Reason.RESPONDED, message="The external system answered."
        ),
        c.AUTHENTICATED: Condition(
            type=c.AUTHENTICATED,
            status="True",
            reason=Reason.ACCEPTED,
            message="The credentials were accepted.",
        ),
        c.HEALTHY: Condition(
            type=c.HEALTHY, status="True", reason=Reason.PASSED, message="The answer is as expected."
        ),
    }
    found = dict(good)
    if row.reason is not Reason.CONNECTED:
        (at,) = REASONS[row.reason].conditions
        order = list(good)
        for later in order[order.index(at) :]:
            found[later] = unknown(later)
        found[at] = Condition(type=at, status=bad, reason=row.reason, message=message)
        if at == c.HEALTHY and row.reason is not Reason.IDENTITY_MISSING:
            # An error answer says nothing of the credentials: many systems answer 404 or 500 before they look at them.
            found[c.AUTHENTICATED] = unknown(c.AUTHENTICATED)
    return Diagnosis(
        result=row.result,
        reason=row.reason,
        message=message,
        reachable=found[c.REACHABLE],
        authenticated=found[c.AUTHENTICATED],
        healthy=found[c.HEALTHY],
        identity=identity,
    )


def _host(plan: ProbePlan) -> str:
    return plan.request.url.split("/", 3)[2]


def _request_words(plan: ProbePlan) -> str:
    return f"{plan.request.method} {urlsplit(plan.request.url).path or '/'}"


def _status_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
