"""Several tests of one connection: which are made when, what each leaves, and what all of them say together.

Every status that is written keeps the rules of tests/support/status_rules.py; `play` sees to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_hub.model import conditions as c
from integration_hub.model.http import FailureKind, Outcome
from integration_hub.model.instance import InstanceStatus, IntegrationInstance
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    Effect,
    Inputs,
    Postponed,
    ReadSecret,
    SecretAnswer,
    SecretState,
    Send,
    Timing,
)
from integration_hub.reconcile.pipeline import SHORT_WAIT_SECONDS
from integration_hub.reconcile.run import is_requested
from integration_hub.reconcile.times import parse_timestamp
from support.builders import (
    CANARY,
    LATER,
    NOW,
    Raw,
    Told,
    after,
    answered,
    definition,
    failed,
    found,
    inputs,
    instance,
    play,
    tell,
)

TIMING = Timing()
INTERVAL = TIMING.interval
HOUR = timedelta(hours=1)
WELL_LATER = NOW + 2 * INTERVAL
"""When every test is due that is made at the operator's interval."""
ORDERS = {"name": "orders", "request": {"path": "/orders"}}
STOCK = {"name": "stock", "request": {"path": "/stock"}, "optional": True}
THREE = instance(tests=[ORDERS, STOCK])
REFUSED = failed(FailureKind.CONNECTION_REFUSED)
DOWN = failed(FailureKind.HOST_UNAVAILABLE, again_in=30)
PAUSED = failed(FailureKind.HOST_PAUSED, again_in=30)
READY = ("True", Reason.CONNECTED)

Ends = Outcome | Postponed


def outside(
    *, secret: SecretAnswer | None = None, turn: Answer = None, **ends: Ends
) -> Callable[[Effect], Answer]:
    """A hand for which each test ends as it is named, and well where it is not."""

    def hand(effect: Effect) -> Answer:
        match effect:
            case AskTurn():
                return turn
            case ReadSecret():
                return secret or found()
            case Send():
                return ends.get(effect.test, answered())
        raise AssertionError(f"nothing keeps tokens here, but: {effect}")

    return hand


def made(given: Inputs, **ends: Any) -> Told:
    """A reconcile in which the tests end so."""
    return play(given, outside(**ends))


def began(raw: Raw = THREE, **ends: Any) -> Raw:
    """The instance after its first reconcile."""
    return after(raw, made(inputs(raw), **ends))


def asked(raw: Raw, request: str = "1") -> Raw:
    """The instance of which a person wants to know now."""
    return raw | {"metadata": raw["metadata"] | {"annotations": {"integrationhub.dev/request": request}}}


class TestMaking:
    def test_all_are_made_one_after_the_other_the_default_first_with_one_look_at_the_secret(self) -> None:
        told = made(inputs(THREE))
        assert [type(effect).__name__ for effect in told.effects] == [
            "AskTurn",
            "ReadSecret",
            *["Send"] * 3,
        ]
        assert [(send.test, send.request.url.rsplit("/", 1)[1]) for send in told.sent] == [
            ("account", "account"),
            ("orders", "orders"),
            ("stock", "stock"),
        ]
        assert told.made == ["account", "orders", "stock"]
        assert told.says(c.READY) == READY
        assert told.status.identity == "ops@acme.example"
        assert [change.test for change in told.status.history] == ["stock", "orders", "account"]

    def test_each_tells_when_it_ended(self) -> None:
        slow = Outcome(answered().response, None, seconds=30)
        told = made(inputs(THREE), account=slow, orders=slow)
        assert [test.time for test in told.status.tests] == [
            "2026-03-01T12:00:30Z",
            "2026-03-01T12:01:00Z",
            "2026-03-01T12:01:00Z",
        ]

    @pytest.mark.parametrize("end", [REFUSED, DOWN, answered(401), answered(403)])
    def test_where_the_default_test_does_not_get_through_the_others_are_spared(self, end: Outcome) -> None:
        told = made(inputs(THREE), account=end)
        assert told.made == ["account"]
        assert told.sends == 1

    @pytest.mark.parametrize("end", [answered(404), answered(500), answered(429)])
    def test_where_it_fails_at_something_of_its_own_the_others_are_made(self, end: Outcome) -> None:
        assert made(inputs(THREE), account=end).made == ["account", "orders", "stock"]

    def test_while_it_does_not_get_through_it_alone_is_tried_again(self) -> None:
        raw = after(THREE, made(inputs(THREE), account=REFUSED))
        told = made(inputs(raw, now=WELL_LATER), account=REFUSED)
        assert told.made == ["account"]

    def test_once_it_gets_through_again_the_others_follow_at_once(self) -> None:
        told = made(inputs(began(account=REFUSED), now=WELL_LATER))
        assert told.made == ["account", "orders", "stock"]
        assert told.says(c.READY) == READY

    def test_each_keeps_to_its_own_interval(self) -> None:
        often, seldom = ORDERS | {"monitor": {"interval": "30s"}}, STOCK | {"monitor": {"interval": "3h"}}
        raw = instance(tests=[often, seldom])
        counts = dict.fromkeys(("account", "orders", "stock"), 0)
        now, end = NOW, NOW + 6 * HOUR
        while now < end:
            told = made(inputs(raw, now=now))
            for name in told.made:
                counts[name] += 1
            assert told.decision.due is not None
            assert told.decision.due > now
            raw, now = after(raw, told), told.decision.due
        # The first, and one an interval.
        assert abs(counts["orders"] - 6 * 120) <= 2
        assert abs(counts["account"] - 6 * 6) <= 2
        assert abs(counts["stock"] - 3) <= 1

    def test_one_that_is_removed_leaves_the_status(self) -> None:
        raw = began()
        told = made(inputs(after(raw, made(inputs(raw)), tests=[STOCK], generation=2), now=NOW + LATER))
        assert [test.name for test in told.status.tests] == ["account", "stock"]


class TestSaying:
    def test_a_required_test_that_fails_makes_the_connection_not_ready_and_is_named(self) -> None:
        told = made(inputs(THREE), orders=answered(404))
        assert told.says(c.READY) == told.says(c.HEALTHY) == ("False", Reason.OBJECT_NOT_FOUND)
        assert told.ready.startswith("Test 'orders': ")
        assert told.status.last_test_result == "Success", "that is the default test's"
        assert told.test("orders").result == "Failure"

    def test_what_the_default_test_has_shown_still_holds_where_another_fails(self) -> None:
        told = made(inputs(THREE), orders=answered(500))
        assert told.says(c.REACHABLE) == ("True", Reason.RESPONDED)
        assert told.says(c.AUTHENTICATED) == ("True", Reason.ACCEPTED)
        assert told.status.identity == "ops@acme.example"

    def test_a_permission_that_only_another_test_needs_is_told_of_that_test(self) -> None:
        told = made(inputs(THREE), orders=answered(403))
        assert told.says(c.READY) == told.says(c.AUTHENTICATED) == ("False", Reason.PERMISSION_DENIED)
        assert told.ready.startswith("Test 'orders': ")

    def test_an_optional_test_that_fails_is_shown_and_takes_nothing_from_ready(self) -> None:
        told = made(inputs(THREE), stock=answered(500))
        assert told.says(c.READY) == READY
        assert "stock" not in told.ready
        assert (told.test("stock").result, told.test("stock").reason) == ("Failure", Reason.SERVER_ERROR)
        assert told.status.history[0].test == "stock"

    def test_the_default_test_that_fails_explains_before_all_others(self) -> None:
        told = made(inputs(THREE), account=answered(500), orders=answered(404))
        assert told.says(c.READY) == ("False", Reason.SERVER_ERROR)
        assert not told.ready.startswith("Test ")

    def test_what_mended_is_said_at_once(self) -> None:
        raw = began(orders=answered(404))
        told = made(inputs(raw, now=WELL_LATER))
        assert told.says(c.READY) == READY
        assert told.decision.write
        assert told.decision.reason_changed

    def test_history_holds_the_last_ten_changes_of_all_tests_the_newest_first(self) -> None:
        raw, now = began(), NOW
        for number in range(8):
            now += 26 * HOUR
            end = answered(500) if number % 2 == 0 else answered()
            raw = after(raw, made(inputs(raw, now=now), account=end, stock=end))
        history = raw["status"]["history"]
        assert len(history) == 10
        assert [change["test"] for change in history] == ["stock", "account"] * 5
        assert [change["time"] for change in history] == sorted((x["time"] for x in history), reverse=True)

    def test_the_same_again_is_no_history(self) -> None:
        raw = began()
        told = made(inputs(raw, now=WELL_LATER))
        assert len(told.status.history) == 3
        assert [test.since for test in told.status.tests] == ["2026-03-01T12:00:00Z"] * 3


class TestThresholds:
    PATIENT = instance(monitor={"failureThreshold": 3, "recoveryThreshold": 2})

    def test_a_failure_below_its_threshold_leaves_the_connection_ready_with_a_word_of_doubt(self) -> None:
        raw = began(self.PATIENT)
        told = made(inputs(raw, now=WELL_LATER), account=REFUSED)
        assert told.says(c.READY) == READY
        assert "The last test failed (ConnectionRefused)" in told.ready
        assert (told.test("account").last_result, told.status.last_test_result) == ("Failure", "Failure")
        assert told.status.identity == "ops@acme.example"
        assert told.decision.write, "somebody may want to see it"
        assert not told.decision.reason_changed

    def test_it_is_followed_up_soon_and_counts_when_there_are_enough(self) -> None:
        raw, now, said = began(self.PATIENT), WELL_LATER, []
        for _ in range(3):
            told = made(inputs(raw, now=now), account=REFUSED)
            said.append(told.says(c.READY))
            assert told.decision.due is not None
            assert told.decision.due - now < timedelta(seconds=30)
            raw, now = after(raw, told), told.decision.due
        assert said == [READY, READY, ("False", Reason.CONNECTION_REFUSED)]
        assert told.status.identity is None

    def test_what_is_mended_counts_after_as_many_successes_as_it_takes(self) -> None:
        raw, now = began(self.PATIENT, account=REFUSED), NOW + HOUR
        said, seen = [], []
        for _ in range(2):
            told = made(inputs(raw, now=now))
            said.append(told.says(c.READY))
            assert told.decision.due is not None
            raw, now = after(raw, told), told.decision.due
            seen.append(told.status.identity)
        assert said == [("False", Reason.CONNECTION_REFUSED), READY]
        # Who we are is told of a connection that works, as far as we know.
        assert seen == [None, "ops@acme.example"]

    @pytest.mark.parametrize("change", [{"generation": 2}, {}], ids=["of the instance", "of the Secret"])
    def test_after_a_change_the_first_result_decides(self, change: Raw) -> None:
        raw = began(self.PATIENT)
        raw = after(raw, made(inputs(raw)), **change)
        version = "7" if change else "8"
        given = inputs(raw, secret_version=version, now=NOW + LATER)
        told = made(given, account=REFUSED, secret=found(version))
        assert told.says(c.READY) == ("False", Reason.CONNECTION_REFUSED)

    def test_a_secret_that_changes_while_it_is_read_is_another_one(self) -> None:
        # The watch has not told of version 8 yet; the verdict that is held is about 7.
        told = made(inputs(began(self.PATIENT), now=WELL_LATER), account=REFUSED, secret=found("8"))
        assert told.says(c.READY) == ("False", Reason.CONNECTION_REFUSED)

    def test_a_verdict_about_the_secret_before_is_not_taken_along(self) -> None:
        # Only the default test is due; what the others found was with version 7.
        raw = instance(tests=[ORDERS | {"monitor": {"interval": "24h"}}])
        told = made(inputs(began(raw), now=WELL_LATER), secret=found("8"), orders=answered(403))
        assert told.status.tested is not None
        about_8 = told.status.tested.secret_resource_version == "8"
        kept = "orders" not in told.made and any(test.name == "orders" for test in told.status.tests)
        assert not (about_8 and kept)


class TestDeadCredentials:
    """A Secret's version changes with every label; what was refused is tried again only with other credentials."""

    KEY = b"of this process"
    DEAD = answered(401)

    def refused(self, raw: Raw = THREE, *, end: Outcome = DEAD) -> tuple[Raw, bytes | None]:
        """The instance after its credentials were tried, and what the operator remembers of them."""
        told = made(replace(inputs(raw), fingerprint_key=self.KEY), account=end)
        return after(raw, told), told.decision.fingerprint

    def relabelled(self, before: tuple[Raw, bytes | None], **given_: Any) -> Inputs:
        """The inputs once the Secret has another version."""
        raw, fingerprint = before
        known: dict[str, Any] = {"secret_version": "8", "now": NOW + LATER}
        return replace(
            inputs(raw, **known | given_), fingerprint_key=self.KEY, tested_fingerprint=fingerprint
        )

    @pytest.mark.parametrize("turn", [None, Postponed(600), PAUSED], ids=["free", "busy", "paused"])
    def test_that_are_the_same_in_another_version_of_the_secret_are_left_alone(self, turn: Answer) -> None:
        before = self.refused()
        told = made(self.relabelled(before), turn=turn, secret=found("8", apiKey=CANARY, note="new"))
        assert [type(effect).__name__ for effect in told.effects] == ["ReadSecret"]
        assert told.decision.write
        assert not told.decision.reason_changed
        assert told.status.tested is not None
        assert told.status.credential is not None
        assert told.status.tested.secret_resource_version == "8"
        assert told.status.credential.secret_resource_version == "8"
        was = InstanceStatus.model_validate(before[0]["status"])
        new = ("tested", "credential", "updated_at")
        assert told.status.model_copy(update={name: getattr(was, name) for name in new}) == was
        assert told.decision.due == parse_timestamp(was.next_test_time)

    def test_that_were_left_alone_need_no_second_look(self) -> None:
        raw, fingerprint = self.refused()
        told = made(self.relabelled((raw, fingerprint)), secret=found("8"))
        again = made(self.relabelled((after(raw, told), fingerprint), now=NOW + 2 * LATER))
        assert again.effects == []
        assert not again.decision.write

    def test_that_are_others_are_tried_at_once(self) -> None:
        raw, fingerprint = self.refused()
        told = made(self.relabelled((raw, fingerprint)), secret=found("8", apiKey="another"))
        assert told.made == ["account", "orders", "stock"]
        assert told.reads == 1
        assert all(send.urgent for send in told.sent)
        assert told.decision.fingerprint is None, "they were not refused"

    def test_that_are_others_and_as_bad_are_remembered_instead(self) -> None:
        raw, fingerprint = self.refused()
        secret = found("8", apiKey="another")
        told = made(self.relabelled((raw, fingerprint)), account=self.DEAD, secret=secret)
        assert told.decision.fingerprint not in {None, fingerprint}

    @pytest.mark.parametrize("turn", [None, DOWN])
    def test_are_still_remembered_where_the_daily_look_tells_nothing(self, turn: Answer) -> None:
        raw, fingerprint = self.refused()
        due = InstanceStatus.model_validate(raw["status"]).next_test_time
        given_ = self.relabelled((raw, fingerprint), secret_version="7", now=parse_timestamp(due))
        told = made(replace(given_, now=given_.now + LATER), account=DOWN, turn=turn)
        assert told.made == ["account"]
        assert told.decision.fingerprint == fingerprint

    @pytest.mark.parametrize("given_", [{"of": definition(generation=2)}, {"of": definition(uid="d-2")}])
    def test_are_tried_again_where_something_else_changed_too(self, given_: Raw) -> None:
        told = made(self.relabelled(self.refused(), **given_), account=self.DEAD, secret=found("8"))
        assert told.made == ["account"]

    def test_are_tried_again_where_the_instance_changed_too(self) -> None:
        raw, fingerprint = self.refused()
        raw["metadata"]["generation"] += 1
        told = made(self.relabelled((raw, fingerprint)), account=self.DEAD, secret=found("8"))
        assert told.made == ["account"]

    def test_are_tried_again_where_a_person_asks(self) -> None:
        raw, fingerprint = self.refused()
        told = made(self.relabelled((asked(raw), fingerprint)), account=self.DEAD, secret=found("8"))
        assert told.made == ["account"]
        assert told.reads == 1
        assert told.status.last_handled_request == "1"

    def test_are_tried_again_once_a_day(self) -> None:
        before = self.refused()
        due = parse_timestamp(InstanceStatus.model_validate(before[0]["status"]).next_test_time)
        assert due is not None
        told = made(self.relabelled(before, now=due + LATER), account=self.DEAD, secret=found("8"))
        assert told.made == ["account"]

    def test_are_tried_again_where_it_is_not_known_which_were_tried(self) -> None:
        raw, _ = self.refused()
        assert made(self.relabelled((raw, None)), account=self.DEAD, secret=found("8")).made == ["account"]

    @pytest.mark.parametrize("end", [answered(), answered(500), REFUSED])
    def test_are_only_those_that_were_refused(self, end: Outcome) -> None:
        raw, forgotten = self.refused(end=end)
        assert forgotten is None
        _, fingerprint = self.refused()  # as where somebody has restored a status of before
        told = made(self.relabelled((raw, fingerprint)), account=end, secret=found("8"))
        assert "account" in told.made

    def test_that_became_unusable_are_named(self) -> None:
        told = made(self.relabelled(self.refused()), turn=PAUSED, secret=found("8", apiKey=f"{CANARY}\n"))
        assert told.sends == 0
        assert told.says(c.READY) == ("False", Reason.SECRET_LINE_BREAK)

    def test_that_are_others_and_have_no_turn_say_what_the_host_does(self) -> None:
        told = made(self.relabelled(self.refused()), turn=PAUSED, secret=found("8", apiKey="another"))
        assert told.says(c.READY) == ("Unknown", Reason.WAITING_FOR_QUOTA)

    def test_are_remembered_as_what_tells_nothing_of_them(self) -> None:
        _, fingerprint = self.refused()
        assert fingerprint is not None
        assert CANARY.encode() not in fingerprint
        given_ = replace(inputs(), fingerprint_key=b"of another process")
        decision = made(given_, account=self.DEAD).decision
        assert decision.fingerprint != fingerprint, "the same in another process is another"
        assert repr(decision.fingerprint) not in repr(decision)
        assert "process" not in repr(given_)

    def test_are_not_remembered_where_nothing_can_be_kept_secret(self) -> None:
        assert made(inputs(), account=self.DEAD).decision.fingerprint is None


class TestAskedFor:
    """A person has set the annotation and waits for its echo."""

    @pytest.mark.parametrize(
        ("wanted", "handled", "expected", "reason"),
        [
            (None, None, False, "nobody asked"),
            ("1", None, True, "the first request"),
            ("1", "1", False, "handled already"),
            ("2", "1", True, "another request"),
            ("", "1", False, "an empty annotation asks for nothing"),
            (None, "1", False, "the annotation was removed"),
        ],
    )
    def test_is_open_until_its_value_is_echoed(
        self, *, wanted: str | None, handled: str | None, expected: bool, reason: str
    ) -> None:
        status = {"lastHandledRequest": handled} if handled else {}
        assert is_requested(inputs(instance(request=wanted, status=status))) is expected, reason

    def test_all_tests_are_made_now_urgently_and_afresh(self) -> None:
        told = made(inputs(asked(began()), now=NOW + LATER))
        assert told.made == ["account", "orders", "stock"]
        assert all(send.urgent and send.fresh for send in told.sent)
        assert told.effects[0] == AskTurn("https://eu.acme.example/v1/account", urgent=True)
        assert told.status.last_handled_request == "1"

    def test_what_falls_due_by_itself_is_neither(self) -> None:
        told = made(inputs(began(), now=WELL_LATER))
        assert told.made == ["account", "orders", "stock"]
        assert not any(send.urgent or send.fresh for send in told.sent)
        assert told.effects[0] == AskTurn("https://eu.acme.example/v1/account", urgent=False)

    def test_after_a_change_it_is_urgent_and_may_share_an_answer(self) -> None:
        told = made(inputs(began(), secret_version="8", now=NOW + LATER), secret=found("8"))
        assert all(send.urgent and not send.fresh for send in told.sent)

    def test_even_a_rejected_credential_is_tried_again(self) -> None:
        raw = began(account=answered(401))
        assert made(inputs(asked(raw), now=NOW + LATER)).made == ["account", "orders", "stock"]

    @pytest.mark.parametrize("seconds", [0.2, SHORT_WAIT_SECONDS, 600.0])
    def test_is_not_echoed_before_it_is_its_turn(self, seconds: float) -> None:
        raw = asked(began())
        told = made(inputs(raw, now=NOW + LATER), turn=Postponed(seconds))
        assert told.status.last_handled_request is None
        assert told.decision.due == NOW + LATER + timedelta(seconds=seconds)
        told = made(inputs(after(raw, told), now=WELL_LATER))
        assert told.status.last_handled_request == "1"

    def test_tests_that_are_put_off_midway_follow_by_themselves(self) -> None:
        raw = asked(began())
        told = made(inputs(raw, now=NOW + LATER), orders=Postponed(20.0))
        assert told.made == ["account"]
        again = NOW + LATER + timedelta(seconds=20)
        assert told.decision.due == again
        assert made(inputs(after(raw, told), now=again)).made == ["orders", "stock"]


class TestTurns:
    """The host's budget is spent, or the host is down: no Secret is read for nothing."""

    LONG, SHORT = Postponed(120.0), Postponed(SHORT_WAIT_SECONDS - 0.1)

    def test_nothing_is_read_or_sent_out_of_turn(self) -> None:
        for turn in (self.LONG, self.SHORT, DOWN):
            for raw in (THREE, began()):
                told = made(inputs(raw, now=WELL_LATER), turn=turn)
                assert [type(effect) for effect in told.effects] == [AskTurn]

    def test_who_waits_for_moments_says_nothing_of_it(self) -> None:
        told = made(inputs(THREE), turn=self.SHORT)
        assert not told.decision.write
        assert told.decision.due == NOW + timedelta(seconds=self.SHORT.seconds)

    def test_who_waits_long_for_a_first_verdict_says_so(self) -> None:
        told = made(inputs(THREE), turn=self.LONG)
        assert told.says(c.READY) == ("Unknown", Reason.TEST_PENDING)
        assert (told.status.phase, told.status.next_test_time) == ("Pending", "2026-03-01T12:02:00Z")
        assert told.decision.due == NOW + timedelta(seconds=120)
        assert told.decision.made == ()
        again = made(inputs(after(THREE, told), now=NOW + timedelta(minutes=2)))
        assert again.says(c.READY) == READY

    def test_who_has_a_verdict_keeps_it_unchanged(self) -> None:
        raw = began()
        told = made(inputs(raw, now=WELL_LATER), turn=self.LONG)
        assert not told.decision.write
        assert told.status.to_wire() == raw["status"]
        assert told.decision.due == WELL_LATER + timedelta(seconds=120)

    @pytest.mark.parametrize(
        "change",
        [{"of": definition(generation=2)}, {"secret_version": "8"}, {"generation": 2}],
        ids=["of the definition", "of the Secret", "of the instance"],
    )
    def test_a_verdict_about_what_was_is_not_shown_while_it_waits(self, change: Raw) -> None:
        raw = began()
        given = dict(change)
        if "generation" in given:
            raw = after(raw, made(inputs(raw)), generation=given.pop("generation"))
        told = made(inputs(raw, now=NOW + LATER, **given), turn=self.LONG)
        assert told.says(c.READY) == ("Unknown", Reason.TEST_PENDING)
        assert told.status.identity is None
        # Nor is it taken up again by the next look.
        again = made(inputs(after(raw, told), now=NOW + 2 * LATER, **given), secret=found("8"))
        assert again.made[0] == "account"

    def test_a_test_that_is_put_off_midway_leaves_what_the_others_found(self) -> None:
        raw = began()
        told = made(inputs(raw, now=WELL_LATER), account=answered(500), orders=Postponed(20.0))
        assert told.made == ["account"]
        assert told.says(c.READY) == ("False", Reason.SERVER_ERROR)
        assert told.test("orders").time == raw["status"]["tests"][1]["time"]
        assert told.decision.due is not None
        assert told.decision.due <= WELL_LATER + timedelta(seconds=20)

    def test_where_a_required_test_is_put_off_before_its_first_verdict_nothing_is_claimed(self) -> None:
        told = made(inputs(THREE), orders=Postponed(20.0))
        assert told.made == ["account"]
        assert told.says(c.READY) == ("Unknown", Reason.TEST_PENDING)
        # What is known by then is told.
        assert told.says(c.AUTHENTICATED) == ("True", Reason.ACCEPTED)
        assert told.says(c.HEALTHY) == ("Unknown", Reason.NOT_YET_KNOWN)
        assert told.decision.due == NOW + timedelta(seconds=20)
        assert made(inputs(after(THREE, told), now=NOW + timedelta(seconds=20))).says(c.READY) == READY

    def test_put_off_at_the_first_test_it_is_as_if_it_was_not_its_turn(self) -> None:
        told = made(inputs(THREE), account=self.LONG)
        assert told.says(c.READY) == ("Unknown", Reason.TEST_PENDING)
        assert told.decision.made == ()

    def test_a_host_that_is_down_is_told_as_not_known(self) -> None:
        told = made(inputs(THREE), turn=DOWN)
        assert told.says(c.READY) == told.says(c.REACHABLE) == ("Unknown", Reason.HOST_UNAVAILABLE)
        assert told.made == ["account"]
        assert told.decision.due is not None
        assert told.decision.due >= NOW + timedelta(seconds=30)

    @pytest.mark.parametrize("turn", [DOWN, PAUSED])
    def test_a_host_that_is_down_does_not_make_a_green_connection_red_or_unknown(self, turn: Outcome) -> None:
        told = made(inputs(began(instance()), now=WELL_LATER), turn=turn)
        assert told.says(c.READY) == READY
        assert "could not tell" in told.ready
        assert told.test("account").last_result == told.status.last_test_result == "Unknown"
        assert told.status.identity == "ops@acme.example"

    def test_after_three_such_times_nobody_knows(self) -> None:
        raw, now, said = began(instance()), WELL_LATER, []
        for _ in range(3):
            # As the breaker answers once it lets through the one that finds out.
            told = made(inputs(raw, now=now), account=DOWN)
            said.append(told.says(c.READY))
            assert told.decision.due is not None
            raw, now = after(raw, told), told.decision.due
        assert said == [READY, READY, ("Unknown", Reason.HOST_UNAVAILABLE)]

    def test_credentials_that_were_never_read_are_not_said_to_be_complete(self) -> None:
        raw, now = THREE, NOW
        for _ in range(3):
            told = made(inputs(raw, now=now), turn=DOWN)
            assert told.reads == 0
            assert told.says(c.CREDENTIALS_AVAILABLE) == ("Unknown", Reason.NOT_YET_KNOWN)
            assert told.decision.due is not None
            raw, now = after(raw, told), told.decision.due

    def test_a_host_that_is_down_takes_no_failure_back(self) -> None:
        raw = began(account=answered(401))
        told = made(inputs(raw, now=NOW + 30 * HOUR), turn=DOWN)
        assert told.says(c.READY) == ("False", Reason.CREDENTIALS_REJECTED)
        assert told.test("account").last_result == "Unknown"

    def test_a_secret_that_is_missing_matters_more_than_the_turn(self) -> None:
        told = tell(inputs(THREE, secret_version=None), SecretAnswer(SecretState.NOT_FOUND), turn=self.LONG)
        assert told.says(c.READY) == ("False", Reason.SECRET_NOT_FOUND)

    def test_is_asked_for_where_no_secret_is_needed_too(self) -> None:
        method = {
            "name": "key",
            "type": "basicAuth",
            "settings": {"username": "any", "passwordRequired": False},
        }
        told = tell(inputs(instance(auth={}), definition(authMethods=[method])), turn=DOWN)
        assert told.says(c.READY) == ("Unknown", Reason.HOST_UNAVAILABLE)
        assert told.says(c.CREDENTIALS_AVAILABLE) == ("True", Reason.FOUND)


class TestFirstLook:
    """After a restart the operator sees everything at once, and much of it is overdue."""

    def looks(self, raw: Raw, now: datetime, **given: Any) -> Told:
        return made(inputs(raw, now=now, first_look=True, **given))

    def test_what_is_not_due_is_left_alone(self) -> None:
        told = self.looks(began(), NOW + LATER)
        assert told.effects == []
        assert not told.decision.write

    def test_what_is_overdue_is_put_off_and_nothing_is_written(self) -> None:
        raw, now = began(), NOW + 26 * HOUR
        told = self.looks(raw, now)
        assert told.effects == []
        assert not told.decision.write
        assert told.decision.due is not None
        assert now <= told.decision.due <= now + INTERVAL
        # It stays put off when something else makes the operator look again.
        again = made(inputs(after(raw, told), now=now + LATER))
        assert again.effects == []

    def test_when_its_time_has_come_it_is_tested(self) -> None:
        raw, now = began(), NOW + 26 * HOUR
        told = self.looks(raw, now)
        assert told.decision.due is not None
        assert made(inputs(after(raw, told), now=told.decision.due)).made == ["account", "orders", "stock"]

    def test_many_are_spread_over_the_whole_interval(self) -> None:
        now, tenths = NOW + 26 * HOUR, [0] * 10
        plain = began(instance())
        for number in range(1000):
            raw = plain | {"metadata": plain["metadata"] | {"namespace": f"team-{number}"}}
            due = self.looks(raw, now).decision.due
            assert due is not None
            tenths[min(int((due - now) / INTERVAL * 10), 9)] += 1
        assert all(60 <= count <= 140 for count in tenths), tenths

    def test_what_did_not_work_is_looked_at_within_half_a_minute(self) -> None:
        raw, now = began(account=REFUSED), NOW + 26 * HOUR
        told = self.looks(raw, now)
        assert told.effects == []
        assert told.decision.due is not None
        assert now <= told.decision.due <= now + timedelta(seconds=30)

    @pytest.mark.parametrize(
        "change",
        [{"secret_version": "8"}, {"of": definition(generation=2)}, {"of": definition(uid="d-2")}],
        ids=["the Secret", "the definition", "another definition"],
    )
    def test_what_changed_while_the_operator_was_away_is_tested_at_once(self, change: Raw) -> None:
        told = made(inputs(began(), now=NOW + 26 * HOUR, first_look=True, **change), secret=found("8"))
        assert told.made == ["account", "orders", "stock"]

    def test_so_is_what_was_never_tested(self) -> None:
        assert self.looks(THREE, NOW).made == ["account", "orders", "stock"]

    def test_so_is_what_a_person_asked_for_meanwhile(self) -> None:
        assert self.looks(asked(began()), NOW + 26 * HOUR).made == ["account", "orders", "stock"]

    def test_so_is_a_status_that_somebody_else_wrote(self) -> None:
        raw = began()
        next(x for x in raw["status"]["conditions"] if x["type"] == c.READY)["reason"] = "AllFine"
        assert self.looks(raw, NOW + LATER).made == ["account", "orders", "stock"]


class TestWriting:
    """What is done every ten seconds must not be written every ten seconds."""

    OFTEN = instance(monitor={"interval": "10s"}, tests=[ORDERS, STOCK])

    def writes(self, minutes: int, timing: Timing = TIMING) -> list[datetime]:
        raw, now, written = self.OFTEN, NOW, []
        while now < NOW + timedelta(minutes=minutes):
            told = made(inputs(raw, now=now, timing=timing))
            assert told.made == ["account", "orders", "stock"]
            written += [now] if told.decision.write else []
            assert told.decision.due is not None
            raw, now = after(raw, told), told.decision.due
        return written

    def test_what_says_nothing_new_is_written_once_in_a_refresh(self) -> None:
        first, *more = self.writes(21)
        assert first == NOW
        assert len(more) == 4

    def test_the_refresh_is_a_setting(self) -> None:
        assert len(self.writes(21, Timing(status_refresh=timedelta(minutes=1)))) == 21

    def test_lasttested_is_what_was_last_written(self) -> None:
        raw = began(self.OFTEN)
        told = made(inputs(raw, now=NOW + timedelta(minutes=6)))
        assert told.decision.write
        assert told.status.last_tested == told.test("account").time == "2026-03-01T12:06:00Z"
        assert parse_timestamp(told.status.next_test_time) is not None


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 700, 100_000])),
    st.tuples(st.just("due"), st.just(0)),
    st.tuples(st.just("generation"), st.just(0)),
    st.tuples(st.just("definition"), st.just(0)),
    st.tuples(st.just("secret"), st.just(0)),
    st.tuples(st.just("request"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
)
ENDS = st.sampled_from(
    [
        answered(),
        answered(),
        REFUSED,
        DOWN,
        answered(401),
        answered(404),
        answered(429),
        Postponed(2),
        Postponed(50),
    ]
)
STORY = st.lists(
    st.tuples(STEPS, st.fixed_dictionaries(dict.fromkeys(("account", "orders", "stock"), ENDS)), ENDS),
    max_size=12,
)


class TestWhateverHappens:
    """Any order of changes, waits, restarts and results. Each status that is written keeps all rules."""

    PATIENT = instance(
        monitor={"failureThreshold": 2, "recoveryThreshold": 2},
        tests=[ORDERS | {"monitor": {"interval": "30s"}}, STOCK],
    )

    @settings(max_examples=100, deadline=None)
    @given(STORY)
    def test_the_connection_is_never_forgotten_and_nothing_is_claimed_that_was_not_seen(
        self, story: list[tuple[tuple[str, int], dict[str, Ends], Ends]]
    ) -> None:
        raw, now, version, of = self.PATIENT, NOW, 7, 1
        fingerprint: bytes | None = None
        told = made(inputs(raw))
        now += LATER
        for (what, amount), ends, turn in story:
            raw = after(raw, told)
            due = told.decision.due
            assert due is not None, "it would never be looked at again"
            assert due <= now + 1.2 * TIMING.slow_recheck
            now = max(now, due) if what == "due" else now + timedelta(seconds=amount)
            version, of = version + (what == "secret"), of + (what == "definition")
            if what == "generation":
                raw["metadata"]["generation"] += 1
            if what == "request":
                raw = asked(raw, str(now))
            given_ = inputs(
                raw,
                definition(generation=of),
                secret_version=str(version),
                now=now,
                first_look=what == "restart",
            )
            fingerprint = None if what == "restart" else told.decision.fingerprint or fingerprint
            given_ = replace(given_, fingerprint_key=b"key", tested_fingerprint=fingerprint)
            away = turn if isinstance(turn, Postponed) or turn is DOWN else None
            hand = outside(secret=found(str(version)), turn=away, **ends)
            told, now = self.until_settled(raw, given_, hand)
            self.claims_only_what_was_seen(told, given_)

    def until_settled(
        self, raw: Raw, given_: Inputs, hand: Callable[[Effect], Answer]
    ) -> tuple[Told, datetime]:
        """Go on while there is something left to do at once, which must not be for ever; tell when it ended."""
        told = play(given_, hand)
        for _ in range(4):
            # Three tests take less than a second.
            given_ = replace(
                given_,
                instance=IntegrationInstance.model_validate(after(raw, told)),
                now=given_.now + LATER,
                first_look=False,
            )
            if told.decision.due is None or told.decision.due > given_.now:
                return told, given_.now
            told = play(given_, hand)
        raise AssertionError("it is reconciled again and again")

    def claims_only_what_was_seen(self, told: Told, given_: Inputs) -> None:
        status, tested = told.status, told.status.tested
        if told.says(c.READY) != READY or not told.decision.write:
            return
        assert tested is not None
        assert given_.definition is not None
        assert (tested.generation, tested.definition_generation, tested.secret_resource_version) == (
            given_.instance.metadata.generation,
            given_.definition.generation,
            given_.secret_version,
        )
        assert [test.result for test in status.tests if test.name != "stock"] == ["Success", "Success"]
        assert status.identity == "ops@acme.example"
