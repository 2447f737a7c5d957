"""How an instance's tests stand: which verdicts still hold, which are due, and what they mean together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.http import FailureKind
from integration_hub.model.instance import TestStatus
from integration_hub.model.reasons import REASONS, SELECTABLE, Reason
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import Inputs
from integration_hub.reconcile.standing import Standing, standing_of
from support.builders import (
    LATER,
    NOW,
    Raw,
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

MINUTE = timedelta(minutes=1)
WITH_TESTS = instance(
    tests=[{"name": "orders", "request": {}}, {"name": "stock", "request": {}, "optional": True}]
)


def standing(given: Inputs) -> Standing:
    """How the tests of an instance stand, by its status."""
    passed = pass_gates(given).passed
    assert passed is not None
    return standing_of(given, passed.tests)


def holds(given: Inputs) -> bool:
    """Whether the verdicts in status still hold."""
    return bool(standing(given).held)


def stands(**verdicts: TestStatus) -> Standing:
    """The tests of `WITH_TESTS`, with these verdicts."""
    made = standing(inputs(WITH_TESTS))
    made.held = verdicts
    return made


def verdict(name: str, reason: Reason = Reason.CONNECTED, result: Any = None, **fields: Any) -> TestStatus:
    """The verdict of a test whose last result agrees with it."""
    told = result or ("Success" if reason is Reason.CONNECTED else "Failure")
    return TestStatus(
        name=name,
        result=told,
        reason=reason,
        message=f"Of {name}.",
        **({"last_result": told, "last_reason": reason, "time": "2026-03-01T12:00:00Z"} | fields),
    )


def in_words(conditions: tuple[Condition, ...]) -> list[tuple[str, str]]:
    assert [x.type for x in conditions] == [c.READY, c.REACHABLE, c.AUTHENTICATED, c.HEALTHY]
    return [(x.status, x.reason) for x in conditions]


class TestHolds:
    """A verdict holds as long as what it is about is what is there."""

    def test_while_nothing_has_changed(self) -> None:
        assert holds(inputs(connected()))

    def test_also_of_an_instance_without_a_secret(self) -> None:
        raw = connected()
        raw["status"]["tested"]["secretResourceVersion"] = ""
        assert holds(inputs(raw, secret_version=None))

    def test_not_where_there_is_none(self) -> None:
        assert not holds(inputs(instance()))

    @pytest.mark.parametrize(
        "changed",
        [
            {"of": definition(generation=2)},
            {"of": definition(uid="d-2")},
            {"secret_version": "8"},
            {"secret_version": None},
        ],
        ids=[
            "the definition",
            "another definition of the same name",
            "the Secret",
            "the Secret, which is gone",
        ],
    )
    def test_not_after_a_change_of(self, changed: dict[str, Any]) -> None:
        assert not holds(inputs(connected(), **changed))

    def test_not_after_a_change_of_the_instance(self) -> None:
        raw = connected()
        raw["metadata"]["generation"] = 2
        assert not holds(inputs(raw))

    @pytest.mark.parametrize(
        ("type_", "status", "reason"),
        [
            (c.READY, "False", "CredentialsRejected"),
            (c.READY, "Unknown", "Connected"),
            (c.READY, "True", "Fine"),
        ],
    )
    def test_not_where_somebody_else_wrote_another_ready(self, type_: str, status: str, reason: str) -> None:
        raw = connected()
        for condition in raw["status"]["conditions"]:
            if condition["type"] == type_:
                condition |= {"status": status, "reason": reason}
        assert not holds(inputs(raw))

    @pytest.mark.parametrize(
        "broken",
        [
            {"conditions": []},
            {"tests": []},
            {"tested": None},
            {"observedGeneration": None},
            {"observedGeneration": 7},
        ],
        ids=str,
    )
    def test_not_where_parts_of_the_status_are_gone(self, broken: Raw) -> None:
        raw = connected()
        raw["status"] = {key: value for key, value in (raw["status"] | broken).items() if value is not None}
        assert not holds(inputs(raw))

    @pytest.mark.parametrize("change", [{"result": "Failure"}, {"reason": "NotFound"}, {"name": "other"}])
    def test_not_where_somebody_wrote_another_test_result(self, change: Raw) -> None:
        # 'NotFound' is a reason of an operator before this one: a new test tells in today's words.
        raw = connected()
        raw["status"]["tests"][0] |= change
        assert not holds(inputs(raw))

    def test_one_that_does_not_hold_is_remembered_for_its_since(self) -> None:
        before = standing(inputs(connected(), secret_version="8")).before
        assert list(before) == ["account"]


class TestDue:
    def due(self, made: Standing, now: datetime = NOW) -> list[str]:
        return [planned.test.name for planned in made.due(now)]

    def test_is_every_test_that_was_never_made(self) -> None:
        assert self.due(stands()) == ["account", "orders", "stock"]

    def test_is_each_test_at_its_own_time(self) -> None:
        made = stands(
            account=verdict("account", next_time="2026-03-01T12:00:00Z"),
            orders=verdict("orders", next_time="2026-03-01T12:00:01Z"),
            stock=verdict("stock", next_time="2026-03-01T11:59:59Z"),
        )
        assert self.due(made) == ["account", "stock"]
        assert self.due(made, NOW + LATER) == ["account", "orders", "stock"]

    @pytest.mark.parametrize("reason", sorted(SELECTABLE))
    def test_is_only_the_default_test_while_nothing_gets_through(self, reason: Reason) -> None:
        made = stands(account=verdict("account", reason))
        at = REASONS[reason].conditions[0]
        assert made.blocked() is (at in {c.REACHABLE, c.AUTHENTICATED})
        assert self.due(made) == ["account"] + ([] if made.blocked() else ["orders", "stock"])

    def test_nothing_is_in_the_way_of_a_first_test(self) -> None:
        assert not stands().blocked()
        assert not stands(account=verdict("account")).blocked()

    @pytest.mark.parametrize(("ahead", "due"), [(timedelta(hours=26), []), (timedelta(days=2), ["account"])])
    def test_is_what_would_be_made_later_than_any_test_is(self, ahead: timedelta, due: list[str]) -> None:
        # The clock of the node was wrong, or an operator with longer intervals has written it.
        raw = connected()
        raw["status"]["tests"][0]["nextTime"] = (NOW + ahead).isoformat()
        assert self.due(standing(inputs(raw))) == due

    def test_what_is_put_off_is_made_then_and_says_so(self) -> None:
        made = stands(account=verdict("account", next_time="2026-03-01T11:00:00Z"))
        account, orders, _ = made.suite
        made.put_off(account, NOW + MINUTE)
        made.put_off(orders, NOW + 2 * MINUTE)
        assert self.due(made) == ["stock"]
        assert self.due(made, NOW + MINUTE) == ["account", "stock"]
        assert made.held["account"].next_time == "2026-03-01T12:01:00Z"
        assert made.next_time() == NOW + MINUTE

    def test_the_next_time_is_that_of_the_first_test_to_come(self) -> None:
        made = stands(
            account=verdict("account", next_time="2026-03-01T12:05:00Z"),
            orders=verdict("orders", next_time="2026-03-01T12:03:00Z"),
            stock=verdict("stock", next_time="2026-03-01T12:09:00Z"),
        )
        assert made.next_time() == NOW + 3 * MINUTE

    def test_the_next_time_is_the_default_tests_while_nothing_gets_through(self) -> None:
        made = stands(
            account=verdict("account", Reason.CONNECTION_REFUSED, next_time="2026-03-01T12:05:00Z"),
            orders=verdict("orders", next_time="2026-03-01T12:03:00Z"),
        )
        assert made.next_time() == NOW + 5 * MINUTE


class TestTogether:
    GOOD = ("True", "True", "True", "True")

    def test_all_is_well_where_every_required_test_is(self) -> None:
        made = stands(
            account=verdict("account"),
            orders=verdict("orders"),
            stock=verdict("stock", Reason.SERVER_ERROR),
        )
        told = in_words(made.conditions())
        assert tuple(status for status, _ in told) == self.GOOD
        assert told[0][1] == Reason.CONNECTED

    def test_an_optional_test_need_not_even_have_been_made(self) -> None:
        told = in_words(stands(account=verdict("account"), orders=verdict("orders")).conditions())
        assert tuple(status for status, _ in told) == self.GOOD

    def test_without_a_verdict_of_a_required_test_it_is_pending(self) -> None:
        open_, unknown = ("Unknown", Reason.TEST_PENDING), ("Unknown", Reason.NOT_YET_KNOWN)
        assert in_words(stands().conditions()) == [open_, unknown, unknown, unknown]
        # What the default test has shown is told all the same.
        told = in_words(stands(account=verdict("account"), stock=verdict("stock")).conditions())
        assert told == [open_, ("True", Reason.RESPONDED), ("True", Reason.ACCEPTED), unknown]

    def test_the_first_that_does_not_succeed_explains_though_later_ones_are_not_known(self) -> None:
        told = in_words(stands(account=verdict("account", Reason.TLS_EXPIRED)).conditions())
        assert told == [
            ("False", Reason.TLS_EXPIRED),
            ("False", Reason.TLS_EXPIRED),
            ("Unknown", Reason.NOT_YET_KNOWN),
            ("Unknown", Reason.NOT_YET_KNOWN),
        ]

    def test_another_test_that_fails_is_named(self) -> None:
        made = stands(
            account=verdict("account"),
            orders=verdict("orders", Reason.OBJECT_NOT_FOUND, hint="Look for it."),
        ).conditions()
        assert (made[0].status, made[0].reason) == ("False", Reason.OBJECT_NOT_FOUND)
        assert made[0].message == "Test 'orders': Of orders. Look for it."
        assert made[3].message == "Test 'orders': Of orders."

    def test_who_could_not_tell_is_unknown_and_not_green(self) -> None:
        told = in_words(stands(account=verdict("account", Reason.HOST_UNAVAILABLE, "Unknown")).conditions())
        assert told[0] == told[1] == ("Unknown", Reason.HOST_UNAVAILABLE)

    def test_doubt_of_what_is_still_green_is_said(self) -> None:
        doubtful = verdict("account", last_result="Unknown", last_reason=Reason.DNS_TIMEOUT)
        made = stands(account=doubtful, orders=verdict("orders")).conditions()
        assert made[0].status == "True"
        assert "could not tell (DNSTimeout)" in made[0].message

    def test_hope_for_what_is_still_red_is_said(self) -> None:
        hopeful = verdict("account", Reason.SERVER_ERROR, last_result="Success", last_reason="Connected")
        made = stands(account=hopeful, orders=verdict("orders")).conditions()
        assert made[0].status == "False"
        assert "The last test succeeded" in made[0].message

    def test_the_verdicts_are_told_in_the_suites_order(self) -> None:
        made = stands(stock=verdict("stock"), gone=verdict("gone"), account=verdict("account"))
        assert [status.name for status in made.statuses()] == ["account", "stock"]


def test_what_a_decision_wrote_is_what_the_next_one_reads() -> None:
    # Else every reconcile would take its own status for somebody else's.
    for outcome in (answered(), answered(404), failed(FailureKind.DNS_TIMEOUT), answered(401), answered(429)):
        raw = after(instance(), tell(inputs(), found(), outcome))
        assert holds(inputs(raw)), outcome
