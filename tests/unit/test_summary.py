"""Ready, Reconciling, Stalled and the phase: one table's consequences."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition, ConditionStatus
from integration_hub.model.instance import InstanceStatus, Stage, TestedInputs, TestStatus, VerdictChange
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.gates import undecided
from integration_hub.reconcile.summary import (
    headline,
    kstatus_conditions,
    ready_condition,
    says_the_same,
    summarise,
)
from support.status_rules import RULES, SUITE_RULES, assert_keeps_the_rules

NOW = "2026-03-01T12:00:00Z"
BAD = sorted(
    reason
    for reason, row in REASONS.items()
    if row.course is not Course.GOOD
    and set(row.conditions) & set(c.DOMAIN_CONDITIONS)
    and reason != Reason.NOT_YET_KNOWN
)


def condition(type_: str, status: ConditionStatus, reason: Reason) -> Condition:
    return Condition(type=type_, status=status, reason=reason, message="Found.")


def status_for(reason: Reason, status: ConditionStatus = "False") -> InstanceStatus:
    """A status whose first domain condition that is not True has this reason."""
    (at,) = REASONS[reason].conditions
    good = {type_: r for r, row in REASONS.items() if row.course is Course.GOOD for type_ in row.conditions}
    held = [condition(t, "True", good[t]) for t in c.DOMAIN_CONDITIONS[: c.DOMAIN_CONDITIONS.index(at)]]
    found = (*held, condition(at, status, reason))
    domain = (*found, *undecided(found))
    return summarise(InstanceStatus(), ready_condition(headline(domain)), domain, generation=3, now=NOW)


@pytest.mark.parametrize("reason", BAD)
@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_every_reason_that_is_not_good_gives_a_status_that_keeps_the_rules(
    reason: Reason, status: ConditionStatus
) -> None:
    summed = status_for(reason, status)
    assert_keeps_the_rules(summed, generation=3)
    ready = summed.condition(c.READY)
    assert ready is not None
    assert (ready.status, ready.reason) == (status, reason)
    assert ready.message == f"Found. {REASONS[reason].remedy}".strip()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.CONNECTED, []),
        (Reason.SUSPENDED, []),
        (Reason.SECRET_NOT_FOUND, [(c.RECONCILING, Reason.SECRET_NOT_FOUND)]),
        (Reason.CONNECTION_REFUSED, [(c.RECONCILING, Reason.RETRYING)]),
        (Reason.CREDENTIALS_REJECTED, [(c.STALLED, Reason.CREDENTIALS_REJECTED)]),
    ],
)
def test_one_of_each_course(reason: Reason, expected: list[tuple[str, Reason]]) -> None:
    found = kstatus_conditions(condition(c.READY, "False", reason))
    assert [(x.type, x.reason) for x in found] == expected
    assert {x.status for x in found} <= {"True"}


@pytest.mark.parametrize(
    ("statuses", "expected", "why"),
    [
        (["True", "False", "Unknown"], 1, "the first that is False"),
        (["Unknown", "False", "True"], 1, "False tells more than Unknown, wherever it stands"),
        (["True", "Unknown", "Unknown"], 1, "the first that is Unknown where none is False"),
    ],
)
def test_the_condition_that_explains_ready(statuses: list[ConditionStatus], expected: int, why: str) -> None:
    types = c.DOMAIN_CONDITIONS[3:]
    found = [condition(t, s, Reason.DNS_FAILED) for t, s in zip(types, statuses, strict=True)]
    assert headline(found).type == types[expected], why


def test_what_only_says_that_something_earlier_is_not_true_explains_nothing() -> None:
    found = [
        condition(c.REACHABLE, "Unknown", Reason.NOT_YET_KNOWN),
        condition(c.HEALTHY, "Unknown", Reason.RATE_LIMITED),
    ]
    assert headline(found).reason == Reason.RATE_LIMITED


def test_fields_that_are_not_given_are_kept() -> None:
    before = InstanceStatus(identity="ops", auth_type="apiKey", last_handled_request="1")
    ready = condition(c.READY, "True", Reason.CONNECTED)
    summed = summarise(before, ready, [], generation=1, now=NOW, auth_type="basicAuth", identity=None)
    assert (summed.identity, summed.auth_type, summed.last_handled_request) == (None, "basicAuth", "1")
    assert summed.updated_at == NOW


TESTED = TestStatus(name="t", result="Success", reason="Connected", message="m", time=NOW, duration_ms=5)


@pytest.mark.parametrize(
    ("changed", "same", "why"),
    [
        ({}, True, "equal"),
        ({"last_tested": NOW}, True, "a clock"),
        ({"next_test_time": NOW}, True, "a clock"),
        ({"updated_at": NOW}, True, "a clock"),
        (
            {"tests": [TESTED.model_copy(update={"time": "later", "duration_ms": 9})]},
            True,
            "the clocks of a test",
        ),
        ({"tests": [TESTED.model_copy(update={"next_time": NOW})]}, True, "when a test is made next"),
        ({"tests": [TESTED.model_copy(update={"streak": 7})]}, True, "how often it ended so"),
        (
            {"tests": [TESTED.model_copy(update={"stages": [Stage(name="dns", result="Passed")]})]},
            True,
            "how long its steps took, and through which address",
        ),
        ({"tests": [TESTED.model_copy(update={"last_result": "Unknown"})]}, False, "how a test ended last"),
        ({"tests": [TESTED.model_copy(update={"last_reason": "DNSTimeout"})]}, False, "why it ended so"),
        ({"tests": [TESTED.model_copy(update={"since": NOW})]}, False, "since when it stands so"),
        (
            {"history": [VerdictChange(time=NOW, test="t", result="Success", reason="Connected")]},
            False,
            "history",
        ),
        ({"tests": [TESTED.model_copy(update={"message": "other"})]}, False, "what a test says"),
        ({"tests": []}, False, "a test that is gone"),
        ({"identity": "x"}, False, "who"),
        ({"phase": "Error"}, False, "the phase"),
        ({"last_handled_request": "2"}, False, "the echo that somebody waits for"),
        ({"observed_generation": 2}, False, "what it is about"),
        ({"conditions": [condition(c.READY, "True", Reason.CONNECTED)]}, False, "a condition"),
    ],
)
def test_what_is_news(changed: dict[str, object], same: bool, why: str) -> None:
    before = InstanceStatus(tests=[TESTED], observed_generation=1)
    assert says_the_same(before, before.model_copy(update=changed)) is same, why


class TestRules:
    """The rules themselves find what breaks them."""

    GOOD = TestStatus(
        name="t",
        result="Failure",
        reason="CredentialsRejected",
        message="m",
        hint="h",
        since=NOW,
        last_result="Failure",
        last_reason="CredentialsRejected",
        streak=1,
        time=NOW,
        next_time="2026-03-02T12:00:00Z",
        stages=[Stage(name="config", result="Passed"), Stage(name="request", result="Failed")],
    )
    CHANGE = VerdictChange(time=NOW, test="t", result="Failure", reason="CredentialsRejected")

    def whole(self) -> InstanceStatus:
        """A status that keeps every rule, of a connection with one test."""
        fields: dict[str, Any] = {
            "tests": [self.GOOD],
            "history": [self.CHANGE],
            "tested": TestedInputs(generation=3, definition_generation=1),
            "last_tested": NOW,
            "last_test_result": "Failure",
            "next_test_time": "2026-03-02T12:00:00Z",
        }
        return status_for(Reason.CREDENTIALS_REJECTED).model_copy(update=fields)

    def test_are_kept_by_one_that_breaks_none(self) -> None:
        assert_keeps_the_rules(self.whole(), generation=3, suite=["t", "later"])

    @pytest.mark.parametrize(
        ("rule", "broken"),
        [
            ("1.", {"conditions": []}),
            ("5.", "both"),
            ("7.", {"observed_generation": 2}),
            ("11.", {"phase": "Connected"}),
            ("14.", {"identity": "ops"}),
            ("16.", {"tests": [GOOD, GOOD]}),
            ("17.", {"tests": [GOOD.model_copy(update={"next_time": None})]}),
            ("17.", {"tests": [GOOD.model_copy(update={"since": None})]}),
            ("17.", {"tests": [GOOD.model_copy(update={"streak": 0})]}),
            ("18.", {"tests": [GOOD.model_copy(update={"last_reason": "Connected"})]}),
            ("18.", {"tests": [GOOD.model_copy(update={"result": "Unknown"})]}),
            ("18.", {"tests": [GOOD.model_copy(update={"stages": GOOD.stages[::-1]})]}),
            ("19.", {"tests": [GOOD.model_copy(update={"hint": "é" * 2000})]}),
            ("20.", {"history": [CHANGE] * 11}),
            ("20.", {"history": [CHANGE, CHANGE.model_copy(update={"time": "2026-03-01T12:00:01Z"})]}),
            ("A.", {"tests": [GOOD.model_copy(update={"name": "later"}), GOOD]}),
            ("A.", {"tests": [GOOD, GOOD.model_copy(update={"name": "gone"})]}),
            ("B.", {"next_test_time": "2026-03-03T12:00:00Z"}),
            ("B.", {"next_test_time": None}),
            ("C.", {"tested": None}),
            ("C.", {"tested": TestedInputs(generation=2, definition_generation=1)}),
            ("D.", {"last_test_result": "Success"}),
            ("D.", {"last_tested": "2026-03-01T11:00:00Z"}),
            ("E.", "green"),
        ],
    )
    def test_a_broken_rule_is_named(self, rule: str, broken: object) -> None:
        status = self.whole()
        if isinstance(broken, dict):
            status = status.model_copy(update=broken)
        elif broken == "both":
            more = condition(c.RECONCILING, "True", Reason.RETRYING)
            status = status.model_copy(update={"conditions": [*status.conditions, more]})
        else:
            ready = condition(c.READY, "True", Reason.CONNECTED)
            others = [x for x in status.conditions if x.type != c.READY]
            status = status.model_copy(update={"conditions": [ready, *others]})
        with pytest.raises(AssertionError, match=rf"\n{rule}"):
            assert_keeps_the_rules(status, generation=3, suite=["t", "later"])

    def test_there_are_more_than_ten(self) -> None:
        assert len(RULES) >= 10
        assert len(SUITE_RULES) >= 5
