"""The story of a reconcile, told by hand: what it asks for, what it decides, what it writes.

`tell` checks the rules of tests/support/status_rules.py for every status that is to be written.
"""

# ruff: noqa: ARG002 - a method's signature is the protocol's; a fixture is asked for by its name

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth import methods
from integration_hub.auth.flow import AuthContext, Credentials, Flow, Place, SecretKey
from integration_hub.config.durations import parse_duration
from integration_hub.model import conditions as c
from integration_hub.model.http import FailureKind, HttpRequest, Outcome
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.probe.diagnose import diagnose
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    BindingAnswer,
    KeepBinding,
    ReadSecret,
    SecretAnswer,
    SecretState,
    Send,
    Timing,
)
from integration_hub.reconcile.pipeline import reconcile
from integration_hub.reconcile.schedule import Pace, phase_of
from integration_hub.reconcile.times import parse_timestamp, timestamp
from support.builders import (
    CANARY,
    LATER,
    NOW,
    Raw,
    Told,
    after,
    answered,
    connected,
    definition,
    failed,
    found,
    inputs,
    instance,
    plan,
    play,
    tell,
)
from unit.test_gates import FAILING, GateCase

TIMING = Timing()
REGIONS: list[Raw] = [{"region": region, "team": f"team-{n}"} for region in ("eu", "us") for n in range(5)]
EVERY_MINUTE = instance(monitor={"interval": "60s"})
PHASE = phase_of(IntegrationInstance.model_validate(instance()))


def regular(now: datetime = NOW, interval: timedelta = TIMING.interval) -> datetime:
    """When `instance()` is tested next that was tested at that time and works."""
    return Pace(now + timedelta(seconds=0.25), interval, PHASE, TIMING).regular()


def domain(told: Told) -> str:
    """The domain conditions in their order, one letter each."""
    found_ = [told.status.condition(type_) for type_ in c.DOMAIN_CONDITIONS]
    return "".join(condition.status[0] if condition else "-" for condition in found_)


class TestConnected:
    def test_reads_the_secret_sends_the_request_and_says_what_it_found(self) -> None:
        told = tell(inputs(), found(), answered())
        turn, read, sent = told.effects
        assert turn == AskTurn("https://eu.acme.example/v1/account", urgent=True)
        assert read == ReadSecret("acme-key")
        assert isinstance(sent, Send)
        assert sent.request.url == "https://eu.acme.example/v1/account"
        assert sent.request.headers["Authorization"] == f"Bearer {CANARY}"
        assert sent.allowed_hosts == ("*.acme.example",)
        assert sent.sensitive == (CANARY,)
        assert told.says(c.READY) == ("True", Reason.CONNECTED)
        assert domain(told) == "TTTTTT"
        status = told.status
        assert (status.phase, status.observed_generation, status.auth_type) == ("Connected", 1, "apiKey")
        assert (status.identity, status.last_test_result) == ("ops@acme.example", "Success")
        assert status.last_tested == status.updated_at == "2026-03-01T12:00:00Z"
        assert status.next_test_time == timestamp(regular())
        assert status.credential is not None
        assert (status.credential.id, status.credential.secret_resource_version) == ("s-1", "7")
        assert status.tested is not None
        assert status.tested.model_dump() == {
            "generation": 1,
            "definition_generation": 1,
            "definition_uid": "d-1",
            "secret_resource_version": "7",
        }
        (test,) = status.tests
        assert (test.name, test.result, test.duration_ms, test.hint) == ("account", "Success", 250, None)
        assert (test.since, test.streak, test.last_result) == (status.last_tested, 1, "Success")
        assert [(change.test, change.result, change.reason) for change in status.history] == [
            ("account", "Success", Reason.CONNECTED)
        ]

    def test_is_written_and_told_of_once(self) -> None:
        decision = tell(inputs(), found(), answered()).decision
        assert (decision.write, decision.reason_changed) == (True, True)
        assert [test.name for test in decision.made] == ["account"]
        assert decision.due == regular()

    def test_needs_no_secret_where_the_method_needs_none(self) -> None:
        method = {
            "name": "key",
            "type": "basicAuth",
            "settings": {"username": "any", "passwordRequired": False},
        }
        told = tell(inputs(instance(auth={}), definition(authMethods=[method])), answered())
        assert told.reads == 0
        assert told.says(c.READY) == ("True", Reason.CONNECTED)
        assert told.status.credential is None

    def test_the_version_is_of_the_secret_that_was_read_not_of_the_one_last_seen(self) -> None:
        # The watch may lag behind: what was tested is what was read.
        told = tell(inputs(secret_version="6"), found(version="7"), answered())
        assert told.status.tested is not None
        assert told.status.tested.secret_resource_version == "7"


class TestAMethodWithAWayOfItsOwn:
    """An application: no /me, and an address that people do not use."""

    APP: ClassVar[Raw] = {
        "name": "app",
        "type": "apiKey",
        "test": "projects",
        "baseURL": "https://api.acme.example/ex",
        "headers": {"X-Acting-As": "app"},
    }
    OF = definition(
        authMethods=[{"name": "key", "type": "apiKey"}, APP],
        tests=[
            {"name": "account", "default": True, "request": {"path": "/me"}},
            {"name": "projects", "request": {"path": "/projects"}},
        ],
    )
    USED = instance(
        auth={"method": "app", "secretRef": {"name": "acme-key"}},
        tests=[{"name": "account", "optional": True}],
        binding={"secretName": "acme-access"},
    )

    def test_is_proved_by_its_own_test_there_and_tells_workloads_where(self) -> None:
        told = tell(
            inputs(self.USED, self.OF), found(), answered(), answered(404), BindingAnswer(version="1")
        )
        first, second = told.sent
        assert first.request.url == "https://api.acme.example/ex/projects"
        assert second.request.url == "https://api.acme.example/ex/me"
        assert {sent.request.headers["X-Acting-As"] for sent in told.sent} == {"app"}
        # The definition's default test fails, and is optional here.
        assert told.says(c.READY) == ("True", Reason.CONNECTED)
        assert [test.name for test in told.status.tests] == ["projects", "account"]
        kept = told.effects[-1]
        assert isinstance(kept, KeepBinding)
        assert kept.data is not None
        assert (kept.data["uri"], kept.data["host"]) == ("https://api.acme.example/ex", "api.acme.example")

    def test_is_broken_where_its_own_test_fails_and_no_other_is_made(self) -> None:
        told = tell(inputs(self.USED, self.OF), found(), answered(401))
        assert told.says(c.READY) == ("False", Reason.CREDENTIALS_REJECTED)
        assert told.made == ["projects"]

    def test_another_method_is_tested_anew(self) -> None:
        raw = after(
            self.USED,
            tell(inputs(self.USED, self.OF), found(), answered(), answered(), BindingAnswer(version="1")),
            auth={"method": "key", "secretRef": {"name": "acme-key"}},
            generation=2,
            tests=None,
            binding=None,
        )
        answers: dict[type, Answer] = {ReadSecret: found(), Send: answered()}
        told = play(inputs(raw, self.OF), lambda effect: answers.get(type(effect)))
        assert [sent.request.url for sent in told.sent] == ["https://eu.acme.example/me"]
        assert [test.name for test in told.status.tests] == ["account"]


class TestGates:
    @pytest.mark.parametrize("case", FAILING, ids=[row[-1] for row in FAILING])
    def test_nothing_is_read_or_sent_and_the_reason_is_shown(self, case: GateCase) -> None:
        given_, type_, reason, _, _ = case
        told = tell(inputs(**given_))
        assert told.effects == []
        assert told.says(c.READY) == told.says(type_) == ("False", reason)
        assert told.decision.made == ()
        assert told.decision.due is None

    @pytest.mark.parametrize("case", FAILING, ids=[row[-1] for row in FAILING])
    def test_after_a_verdict_none_of_it_is_shown_as_current(self, case: GateCase) -> None:
        given_, _, reason, _, _ = case
        raw = connected() | {"spec": (given_.get("raw") or instance())["spec"]}
        raw["metadata"] = raw["metadata"] | {"generation": 2}
        told = tell(inputs(**{**given_, "raw": raw}))
        assert told.says(c.READY) == ("False", reason)
        assert domain(told)[3:] == "UUU"
        assert (told.status.identity, told.status.next_test_time) == (None, None)
        assert told.decision.reason_changed

    def test_the_same_again_is_not_written(self) -> None:
        first = tell(inputs(without_definition=True))
        again = tell(inputs(after(instance(), first), without_definition=True, now=NOW + timedelta(days=1)))
        assert not again.decision.write
        assert not again.decision.reason_changed

    def test_what_was_missing_appears(self) -> None:
        raw = after(instance(), tell(inputs(without_definition=True)))
        told = tell(inputs(raw, now=NOW + LATER), found(), answered())
        assert told.says(c.READY) == ("True", Reason.CONNECTED)

    def test_the_same_definition_made_valid_again_is_tested_again(self) -> None:
        broken = definition(authMethods=[{"name": "key", "type": "magic"}], generation=2)
        raw = after(connected(), tell(inputs(connected(), broken)))
        told = tell(inputs(raw, definition(generation=3)), found(), answered())
        assert told.decision.made

    def test_a_display_name_that_becomes_free_leads_to_a_test_though_nothing_else_changed(self) -> None:
        raw = after(connected(), tell(inputs(connected(), name_owner="older")))
        assert tell(inputs(raw, now=NOW + LATER), found(), answered()).decision.made


class TestSuspended:
    SUSPENDED = instance(suspend=True, generation=2)

    def test_nothing_is_sent(self) -> None:
        told = tell(inputs(self.SUSPENDED))
        assert told.effects == []
        assert told.says(c.READY) == ("Unknown", Reason.SUSPENDED)
        assert (told.status.phase, told.decision.due) == ("Pending", None)
        assert domain(told) == "TTUUUU"

    def test_even_on_request(self) -> None:
        told = tell(inputs(instance(suspend=True, request="now")))
        assert told.effects == []
        # Echoed, else the tool that asks would wait forever.
        assert told.status.last_handled_request == "now"

    def test_with_a_missing_definition_it_is_still_suspended(self) -> None:
        told = tell(inputs(self.SUSPENDED, without_definition=True))
        assert told.says(c.READY) == ("Unknown", Reason.SUSPENDED)

    def test_the_last_verdict_stays_as_history_and_is_not_shown_as_current(self) -> None:
        told = tell(
            inputs(after(connected(), tell(inputs(connected(), now=NOW)), suspend=True, generation=2))
        )
        assert (told.status.last_test_result, told.status.last_tested) == ("Success", "2026-03-01T12:00:00Z")
        assert domain(told)[3:] == "UUU"
        # Who we would be connected as with the configuration of now is not known.
        assert told.status.identity is None
        assert told.status.next_test_time is None

    def test_the_same_again_is_not_written(self) -> None:
        raw = after(self.SUSPENDED, tell(inputs(self.SUSPENDED)))
        assert not tell(inputs(raw, now=NOW + timedelta(days=1))).decision.write

    def test_resumed_it_is_tested_at_once(self) -> None:
        suspended = after(connected(), tell(inputs(connected())), suspend=True, generation=2)
        suspended = after(suspended, tell(inputs(suspended)))
        resumed = after(suspended, tell(inputs(suspended)), suspend=False, generation=3)
        told = tell(inputs(resumed, now=NOW + LATER), found(), answered())
        assert told.says(c.READY) == ("True", Reason.CONNECTED)


SECRETS: list[tuple[SecretAnswer, Reason, list[str], str]] = [
    (
        SecretAnswer(SecretState.NOT_FOUND),
        Reason.SECRET_NOT_FOUND,
        ["'acme-key'", "'team-a'"],
        "the message says which, and where it was looked for",
    ),
    (SecretAnswer(SecretState.FORBIDDEN), Reason.SECRET_FORBIDDEN, ["'acme-key'", "'team-a'"], "likewise"),
    (
        found(other="x"),
        Reason.SECRET_KEY_MISSING,
        ["'apiKey'", "other"],
        "the key is named, and those there are",
    ),
    (found(apiKey=""), Reason.SECRET_KEY_EMPTY, ["'apiKey'"], "an empty value is none"),
    (found(apiKey=f"{CANARY}\n"), Reason.SECRET_LINE_BREAK, ["'apiKey'", "line break"], "echo without -n"),
    (found(apiKey=f" {CANARY}"), Reason.SECRET_WHITESPACE, ["'apiKey'", "space"], "copied from a web page"),
    (found(apiKey=f"{CANARY}é"), Reason.SECRET_VALUE_INVALID, ["'apiKey'"], "a header cannot carry it"),
]


class TestSecret:
    @pytest.mark.parametrize(
        ("answer", "reason", "words", "why"), SECRETS, ids=[str(row[1]) + row[3] for row in SECRETS]
    )
    def test_without_usable_credentials_nothing_is_sent(
        self, answer: SecretAnswer, reason: Reason, words: list[str], why: str
    ) -> None:
        told = tell(inputs(), answer)
        assert told.says(c.READY) == told.says(c.CREDENTIALS_AVAILABLE) == ("False", reason), why
        assert domain(told) == "TTFUUU"
        ready = told.status.condition(c.READY)
        assert ready is not None
        assert [word for word in words if word not in ready.message] == []
        assert CANARY not in repr(told)
        assert told.status.auth_type == "apiKey"

    def test_without_a_reference_the_keys_are_named(self) -> None:
        told = tell(inputs(instance(auth={})))
        assert told.says(c.READY) == ("False", Reason.SECRET_REF_MISSING)
        ready = told.status.condition(c.READY)
        assert ready is not None
        assert "'apiKey'" in ready.message

    @pytest.mark.parametrize("reason", sorted({row[1] for row in SECRETS} - {Reason.SECRET_FORBIDDEN}))
    def test_what_a_watch_will_tell_is_not_asked_for_again(self, reason: Reason) -> None:
        answer = next(row[0] for row in SECRETS if row[1] is reason)
        assert tell(inputs(), answer).decision.due is None

    def test_a_permission_is_asked_for_again_since_no_watch_tells_when_it_is_given(self) -> None:
        forbidden = SecretAnswer(SecretState.FORBIDDEN)
        first = tell(inputs(), forbidden)
        assert first.decision.due is not None
        # Whose permission is missing is seldom alone: they come back spread out.
        assert abs(first.decision.due - NOW - TIMING.interval) <= 0.1 * TIMING.interval
        raw = after(instance(), first)
        assert tell(inputs(raw, now=first.decision.due), found(), answered()).decision.made
        again = tell(inputs(raw, now=first.decision.due), forbidden)
        assert not again.decision.write
        assert again.decision.due is not None
        assert again.decision.due > first.decision.due

    def test_deleted_after_a_verdict(self) -> None:
        told = tell(inputs(connected(), secret_version=None), SecretAnswer(SecretState.NOT_FOUND))
        assert told.says(c.READY) == ("False", Reason.SECRET_NOT_FOUND)
        assert domain(told) == "TTFUUU"
        assert told.status.identity is None

    def test_created_it_is_tested(self) -> None:
        raw = after(instance(), tell(inputs(secret_version=None), SecretAnswer(SecretState.NOT_FOUND)))
        told = tell(inputs(raw, secret_version="9"), found("9"), answered())
        assert told.says(c.READY) == ("True", Reason.CONNECTED)

    def test_a_deleted_and_restored_one_is_tested_though_its_version_is_the_same(self) -> None:
        raw = after(
            connected(), tell(inputs(connected(), secret_version=None), SecretAnswer(SecretState.NOT_FOUND))
        )
        assert tell(inputs(raw), found(), answered()).decision.made


STATUSES = [
    (200, Reason.CONNECTED, "what the test expects"),
    (204, Reason.UNEXPECTED_STATUS, "success, but not the one that the test expects"),
    (301, Reason.REDIRECTED, "never followed"),
    (400, Reason.REQUEST_INVALID, "says nothing of credentials"),
    (401, Reason.CREDENTIALS_REJECTED, "not accepted"),
    (403, Reason.PERMISSION_DENIED, "accepted, not allowed"),
    (404, Reason.OBJECT_NOT_FOUND, "the API answers, and has nothing there"),
    (429, Reason.TOO_MANY_REQUESTS, "fewer requests, please"),
    (500, Reason.SERVER_ERROR, "their fault"),
    (503, Reason.SERVICE_UNAVAILABLE, "their fault, for a while"),
    (599, Reason.SERVER_ERROR, "a status that no RFC knows"),
]


class TestOutcomes:
    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_every_failure(self, kind: FailureKind) -> None:
        outcome = failed(kind, "evidence")
        self.check(tell(inputs(), found(), outcome), diagnose(plan(), [outcome], now=NOW).reason)

    @pytest.mark.parametrize(("status", "reason", "why"), STATUSES)
    def test_every_status(self, status: int, reason: Reason, why: str) -> None:
        self.check(tell(inputs(), found(), answered(status)), reason)

    def check(self, told: Told, reason: Reason) -> None:
        ready = told.status.condition(c.READY)
        assert ready is not None
        expected = {"Success": "True", "Failure": "False", "Unknown": "Unknown"}[
            str(told.status.last_test_result)
        ]
        assert (ready.status, ready.reason) == (expected, reason)
        (test,) = told.status.tests
        assert told.decision.made == (test,)
        assert (test.reason, test.last_reason) == (reason, reason)
        assert ready.message.startswith(test.message)
        assert ready.message.endswith(test.hint or test.message)
        assert test.stages
        assert told.decision.due is not None
        assert test.next_time == told.status.next_test_time == timestamp(told.decision.due)

    @given(st.integers(100, 599), st.sampled_from(REGIONS), st.sampled_from(["10s", "10m", "100h"]))
    def test_the_next_test_is_never_further_than_a_day_or_nearer_than_a_retry(
        self, status: int, config: Raw, interval: str
    ) -> None:
        # Another region is another phase.
        raw = instance(config=config, monitor={"interval": interval})
        due = tell(inputs(raw), found(), answered(status)).decision.due
        assert due is not None
        longest = max(TIMING.slow_recheck, parse_duration(interval) * 1.5)
        assert timedelta(seconds=4) <= due - NOW <= 1.1 * longest

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_rejected_credential_is_tried_again_only_after_a_day(self, status: int) -> None:
        # Asking often with a wrong password locks accounts.
        told = tell(inputs(instance(monitor={"interval": "30s"})), found(), answered(status))
        assert told.decision.due is not None
        assert TIMING.slow_recheck <= told.decision.due - NOW <= 1.1 * TIMING.slow_recheck + LATER
        raw = after(instance(monitor={"interval": "30s"}), told)
        assert tell(inputs(raw, now=NOW + timedelta(hours=23))).effects == []

    @pytest.mark.parametrize("first_look", [False, True])
    def test_nor_is_it_by_an_operator_that_restarts(self, *, first_look: bool) -> None:
        raw = after(instance(), tell(inputs(), found(), answered(401)))
        told = tell(inputs(raw, now=NOW + timedelta(hours=12), first_look=first_look))
        assert told.effects == []
        assert told.decision.due is not None
        assert told.decision.due >= NOW + TIMING.slow_recheck

    def test_a_rejected_credential_that_is_replaced_is_tested_at_once(self) -> None:
        raw = after(instance(), tell(inputs(), found(), answered(401)))
        told = tell(inputs(raw, secret_version="8", now=NOW + LATER), found("8"), answered())
        assert told.says(c.READY) == ("True", Reason.CONNECTED)

    def test_the_pause_grows_with_every_failure_in_a_row_and_ends_with_a_success(self) -> None:
        raw, now, pauses = instance(), NOW, []
        for _ in range(10):
            told = tell(inputs(raw, now=now), found(), failed(FailureKind.CONNECTION_REFUSED))
            assert told.decision.due is not None
            pauses.append((told.decision.due - now).total_seconds())
            raw, now = after(raw, told), told.decision.due
        # A quarter of a second is the test's own; a tenth is the spread.
        doubling = [5, 10, 20, 40, 80, 160]
        assert [round(pause / (0.9 + 0.2 * PHASE), 1) for pause in pauses[:6]] == pytest.approx(
            doubling, abs=0.4
        )
        assert pauses[-2:] == [600, 600]
        told = tell(inputs(raw, now=now), found(), answered())
        assert told.decision.due == regular(now)
        assert told.status.tests[0].streak == 1

    @pytest.mark.parametrize("kind", [FailureKind.HOST_UNAVAILABLE, FailureKind.HOST_PAUSED])
    def test_who_was_told_when_to_come_back_comes_then(self, kind: FailureKind) -> None:
        told = tell(inputs(), found(), failed(kind, again_in=90))
        assert told.decision.due is not None
        assert timedelta(seconds=90) <= told.decision.due - NOW <= timedelta(seconds=181)

    def test_who_asks_for_a_pause_gets_it(self) -> None:
        told = tell(inputs(), found(), answered(429, headers={"retry-after": "300"}))
        assert told.says(c.READY) == ("Unknown", Reason.RATE_LIMITED)
        assert told.decision.due is not None
        assert timedelta(seconds=300) <= told.decision.due - NOW <= timedelta(seconds=601)


class TestWriting:
    """One write where there is something to say, none where there is not."""

    def test_before_the_next_test_is_due_nothing_happens(self) -> None:
        told = tell(inputs(connected(), now=regular() - LATER))
        assert told.effects == []
        decision = told.decision
        assert (decision.write, decision.made, decision.reason_changed) == (False, (), False)
        # Status has whole seconds.
        assert decision.due == regular().replace(microsecond=0)

    def test_an_operator_that_restarts_writes_nothing(self) -> None:
        # It knows nothing but what the API server tells it.
        raw = connected()
        assert not tell(inputs(raw, now=NOW + timedelta(minutes=5))).decision.write
        failing = after(instance(), tell(inputs(), found(), answered(401)))
        assert not tell(inputs(failing, now=NOW + timedelta(hours=1))).decision.write

    def test_at_the_moment_when_it_is_due_it_is_tested(self) -> None:
        assert tell(inputs(connected(), now=regular()), found(), answered()).decision.made

    def test_the_same_result_is_not_written_before_the_refresh(self) -> None:
        raw = connected(EVERY_MINUTE)
        now = regular(interval=timedelta(seconds=60))
        told = tell(inputs(raw, now=now), found(), answered())
        assert told.decision.made
        assert not told.decision.write
        assert told.decision.due == now + timedelta(seconds=60)
        # The time of the last write stays, so that the refresh comes when it should.
        assert told.status.updated_at == "2026-03-01T12:00:00Z"

    def test_the_same_result_is_written_after_the_refresh_and_only_clocks_move(self) -> None:
        raw, writes = connected(EVERY_MINUTE), []
        before = raw["status"]
        first = regular(interval=timedelta(seconds=60))
        for minute in range(11):
            told = tell(inputs(raw, now=first + timedelta(minutes=minute)), found(), answered())
            writes += [minute] if told.decision.write else []
            raw = after(raw, told)
        # The first test of the grid came 49 s after the first write.
        assert writes == [5, 10]
        changed = {name for name in before if before[name] != raw["status"][name]}
        assert changed == {"lastTested", "nextTestTime", "updatedAt", "tests"}
        assert raw["status"]["conditions"] == before["conditions"]

    def test_another_result_is_written_at_once(self) -> None:
        raw = connected(EVERY_MINUTE)
        told = tell(inputs(raw, now=NOW + timedelta(minutes=2)), found(), answered(500))
        assert told.decision.write
        assert told.decision.reason_changed

    def test_another_message_for_the_same_reason_is_written_and_not_told_of(self) -> None:
        raw = after(instance(), tell(inputs(), found(), answered(500)))
        told = tell(inputs(raw, now=NOW + timedelta(minutes=1)), found(), answered(501))
        assert told.decision.write
        assert not told.decision.reason_changed

    def test_a_host_that_is_asked_too_often_is_news_once(self) -> None:
        raw, now, news = EVERY_MINUTE, NOW, []
        for number in range(6):
            limited = answered(429, headers={"retry-after": str(5 + number)})
            outcome = failed(FailureKind.HOST_PAUSED, again_in=5) if number % 2 else limited
            told = tell(inputs(raw, now=now), found(), outcome)
            assert told.decision.made
            assert told.says(c.READY) == ("Unknown", Reason.RATE_LIMITED)
            news += [number] if told.decision.write else []
            assert told.decision.due is not None
            raw, now = after(raw, told), told.decision.due + LATER
        assert news == [0]
        assert len(raw["status"]["history"]) == 1

    def test_another_identity_is_written(self) -> None:
        raw = connected(EVERY_MINUTE)
        told = tell(
            inputs(raw, now=NOW + timedelta(minutes=2)), found(), answered(body={"email": "eve@acme.example"})
        )
        assert told.decision.write
        assert told.status.identity == "eve@acme.example"

    def test_a_status_with_an_unreadable_time_is_tested_anew_and_written(self) -> None:
        raw = connected()
        raw["status"] |= {"nextTestTime": "soon", "updatedAt": "recently"}
        raw["status"]["tests"][0]["nextTime"] = "later"
        assert tell(inputs(raw, now=NOW + LATER), found(), answered()).decision.write

    def test_the_transition_time_stays_while_the_status_does(self) -> None:
        raw = after(instance(), tell(inputs(), found(), answered(500)))
        now = NOW + timedelta(minutes=1)
        told = tell(inputs(raw, now=now), found(), answered(404))
        ready, healthy = told.status.condition(c.READY), told.status.condition(c.HEALTHY)
        stalled = told.status.condition(c.STALLED)
        assert ready is not None
        assert healthy is not None
        assert stalled is not None
        assert ready.last_transition_time == healthy.last_transition_time == "2026-03-01T12:00:00Z"
        assert stalled.last_transition_time == "2026-03-01T12:01:00Z"


class TestChanges:
    """Whatever a verdict is about, a change of it leads to a test at once."""

    @pytest.mark.parametrize(
        ("changes", "of", "version"),
        [
            ({"generation": 2, "config": {"region": "us"}}, None, "7"),
            ({}, definition(generation=2), "7"),
            ({}, definition(uid="d-2"), "7"),
            ({}, None, "8"),
            ({"request": "1"}, None, "7"),
        ],
        ids=[
            "the instance",
            "the definition",
            "another definition of the name",
            "the Secret",
            "somebody asked",
        ],
    )
    def test_of(self, changes: dict[str, Any], of: dict[str, Any] | None, version: str) -> None:
        raw = connected()
        raw = after(raw, tell(inputs(raw)), **changes)
        told = tell(inputs(raw, of, secret_version=version, now=NOW + LATER), found(version), answered())
        assert told.decision.made

    def test_a_request_is_echoed_and_handled_once(self) -> None:
        raw = after(connected(), tell(inputs(connected())), request="2026-03-01")
        told = tell(inputs(raw, now=NOW + LATER), found(), answered())
        assert told.status.last_handled_request == "2026-03-01"
        # Whoever asked waits for the echo, so it is written though nothing else is new.
        assert told.decision.write
        assert tell(inputs(after(raw, told), now=NOW + 2 * LATER)).effects == []

    @pytest.mark.parametrize("case", FAILING, ids=[row[-1] for row in FAILING])
    def test_a_request_is_echoed_where_a_gate_does_not_hold(self, case: GateCase) -> None:
        given_ = dict(case[0])
        given_["raw"] = raw = dict(given_.get("raw") or instance())
        raw["metadata"] = instance(request="x")["metadata"]
        told = tell(inputs(**given_))
        assert told.status.last_handled_request == "x"

    def test_the_echo_stays_when_the_annotation_goes(self) -> None:
        raw = instance(request="1")
        done = after(raw, tell(inputs(raw), found(), answered()), request=None)
        told = tell(inputs(done, now=regular()), found(), answered())
        assert told.status.last_handled_request == "1"

    def test_what_failed_before_the_change_is_not_shown_after_it(self) -> None:
        raw = after(instance(), tell(inputs(), found(), answered(401)), generation=2)
        told = tell(inputs(raw, now=NOW + LATER), found(), failed(FailureKind.CONNECTION_REFUSED))
        assert domain(told) == "TTTFUU"
        assert told.status.condition(c.STALLED) is None

    def test_an_identity_is_not_shown_where_the_new_configuration_fails(self) -> None:
        raw = after(connected(), tell(inputs(connected())), generation=2)
        told = tell(inputs(raw, now=NOW + LATER), found(), answered(401))
        assert told.status.identity is None


class TwoSteps:
    """A method that gets a token first, as OAuth 2.0 does."""

    type = "twoSteps"
    title = "Two steps"
    settings_schema: Mapping[str, Any] = {"type": "object"}
    templates: Mapping[str, Place] = {}

    def __init__(self) -> None:
        self.closed = False

    def problems(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        return []

    def secret_keys(self, settings: Mapping[str, Any]) -> tuple[SecretKey, ...]:
        return (SecretKey("clientSecret", "the client secret"), SecretKey("extra", "more", required=False))

    def credential_problem(self, settings: Mapping[str, Any], credentials: Credentials) -> str | None:
        return None

    def secret_type(self, settings: Mapping[str, Any]) -> str | None:
        return None

    def delivered(self, settings: Mapping[str, Any], credentials: Credentials) -> Mapping[str, str]:
        return {}

    def ends_at(self, settings: Mapping[str, Any], credentials: Credentials) -> datetime | None:
        return None

    def flow(
        self,
        settings: Mapping[str, Any],
        credentials: Credentials,
        request: HttpRequest,
        context: AuthContext,
    ) -> Flow:
        try:
            body = credentials["clientSecret"].encode()
            response = yield HttpRequest("POST", "https://eu.acme.example/token", body=body, purpose="token")
            yield replace(request, headers={"Authorization": response.body.decode()})
        finally:
            self.closed = True


class TestMultiStepFlow:
    @pytest.fixture
    def method(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoSteps]:
        method = TwoSteps()
        monkeypatch.setitem(methods.METHODS, "twoSteps", method)
        yield method
        assert method.closed

    OF = definition(authMethods=[{"name": "two", "type": "twoSteps"}])
    SECRET = found(clientSecret=CANARY)

    def test_each_answer_goes_into_the_next_request_and_the_last_is_diagnosed(self, method: TwoSteps) -> None:
        told = tell(inputs(of=self.OF), self.SECRET, answered(body="granted"), answered(404))
        _, _, token, test = told.effects
        assert isinstance(token, Send)
        assert isinstance(test, Send)
        assert (token.request.purpose, token.request.body) == ("token", CANARY.encode())
        assert (test.request.purpose, test.request.headers) == ("test", {"Authorization": '"granted"'})
        assert token.allowed_hosts == test.allowed_hosts == ("*.acme.example",)
        assert token.sensitive == test.sensitive == (CANARY,)
        assert told.says(c.READY) == ("False", Reason.OBJECT_NOT_FOUND)
        assert told.status.auth_type == "twoSteps"

    def test_it_stops_at_the_first_request_that_gets_no_answer(self, method: TwoSteps) -> None:
        told = tell(inputs(of=self.OF), self.SECRET, failed(FailureKind.CONNECT_TIMEOUT))
        assert told.sends == 1
        assert told.says(c.READY) == ("False", Reason.CONNECT_TIMEOUT)

    def test_a_story_that_is_given_up_closes_the_flow(self, method: TwoSteps) -> None:
        story = reconcile(inputs(of=self.OF))
        next(story)
        story.send(None)
        story.send(self.SECRET)
        story.close()
        assert method.closed


class TestHands:
    """A hand that answers what was not asked for is a mistake of ours, and not taken for an answer."""

    def test_a_secret_is_no_turn(self) -> None:
        story = reconcile(inputs())
        next(story)
        with pytest.raises(TypeError, match="a turn was asked for"):
            story.send(found())

    def test_an_outcome_is_no_secret(self) -> None:
        story = reconcile(inputs())
        next(story)
        story.send(None)
        with pytest.raises(TypeError, match="a Secret was asked for"):
            story.send(answered())

    def test_a_secret_is_no_outcome(self) -> None:
        story = reconcile(inputs())
        next(story)
        story.send(None)
        story.send(found())
        with pytest.raises(TypeError, match="an outcome was asked for"):
            story.send(found())


class TestSecretsStaySecret:
    """The types that carry credentials show none of them."""

    def test_in_no_repr_along_the_way(self) -> None:
        given_ = inputs()
        story = reconcile(given_)
        shown = [repr(given_), repr(next(story)), repr(story.send(None)), repr(story.send(found()))]
        effect = reconcile(given_)
        next(effect)
        effect.send(None)
        sent = effect.send(found())
        assert isinstance(sent, Send)
        shown += [repr(sent.request), str(sent.request), f"{sent}", repr(found()), str(found())]
        assert CANARY not in "".join(shown)

    @pytest.mark.parametrize("form", [repr, str, "{}".format, "%s".__mod__])
    def test_in_no_form_of_credentials(self, form: Any) -> None:
        shown = form(Credentials({"apiKey": CANARY}))
        assert CANARY not in shown
        assert "apiKey" in shown

    @pytest.mark.parametrize(
        "outcome", [answered(), answered(401), answered(500), failed(FailureKind.TLS_FAILED)]
    )
    def test_in_no_status(self, outcome: Outcome) -> None:
        told = tell(inputs(), found(), outcome)
        assert CANARY not in told.status.model_dump_json()
        assert CANARY not in repr(told)

    def test_in_no_url_of_a_request_that_carries_it_in_the_query(self) -> None:
        request = HttpRequest(
            "GET", f"https://h.example/{CANARY}?k={CANARY}", query=(("key", CANARY),), body=CANARY.encode()
        )
        assert CANARY not in repr(request)


def test_every_course_was_seen_here() -> None:
    # The tables above and in test_gates reach every course that a Ready condition can have.
    reasons = {row[2] for row in FAILING} | {row[1] for row in SECRETS} | {row[1] for row in STATUSES}
    reasons |= {Reason.SUSPENDED}
    assert {REASONS[reason].course for reason in reasons} == set(Course)
    assert parse_timestamp("2026-03-01T12:00:00Z") == NOW
