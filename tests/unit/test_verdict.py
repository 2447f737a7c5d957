"""From results to a verdict: what counts only after some in a row, and since when it counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model.conditions import MAX_MESSAGE
from integration_hub.model.instance import Stage, TestResult, TestStatus, VerdictChange
from integration_hub.model.reasons import (
    COULD_NOT_TELL,
    DEAD_CREDENTIALS,
    REASONS,
    SELECTABLE,
    Course,
    Reason,
)
from integration_hub.model.testing import TestRequest, TestSettings
from integration_hub.probe.diagnose import Diagnosis
from integration_hub.reconcile.inputs import Timing
from integration_hub.reconcile.schedule import Pace
from integration_hub.reconcile.suite import SuiteTest, Thresholds
from integration_hub.reconcile.times import parse_timestamp, timestamp
from integration_hub.reconcile.verdict import Result, changed, doubt, judge, next_time
from support.builders import NOW

INTERVAL = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
LASTING = sorted(r for r in SELECTABLE - COULD_NOT_TELL if REASONS[r].course is Course.STALLED)


class Ended(NamedTuple):
    """How one test ended."""

    result: TestResult
    reason: Reason


OK = Ended("Success", Reason.CONNECTED)
DOWN = Ended("Failure", Reason.CONNECTION_REFUSED)
"""A failure that may pass by itself."""
REJECTED = Ended("Failure", Reason.CREDENTIALS_REJECTED)
"""A failure that only a person can mend."""
UNSURE = Ended("Unknown", Reason.HOST_UNAVAILABLE)

ended = st.sampled_from([OK, DOWN, Ended("Failure", Reason.SERVER_ERROR), REJECTED, UNSURE])
thresholds = st.builds(
    Thresholds, failure=st.integers(1, 5), unknown=st.integers(1, 5), recovery=st.integers(1, 5)
)


def suite_test(limits: Thresholds = Thresholds()) -> SuiteTest:  # noqa: B008 - frozen
    return SuiteTest(
        name="account",
        settings=TestSettings(name="account"),
        request=TestRequest(),
        default=True,
        required=True,
        interval=INTERVAL,
        thresholds=limits,
    )


def result_of(end: Ended, at: datetime = NOW, message: str = "Found.") -> Result:
    stages = (Stage(name="config", result="Passed"), Stage(name="dns", result="Passed", duration_ms=3))
    return Result(Diagnosis(end.result, end.reason, message, "Do this.", stages), at, 0.25)


def verdicts(ends: Sequence[Ended], limits: Thresholds = Thresholds()) -> list[TestStatus]:  # noqa: B008
    """How the test stands after each of these ends, one a minute, about the same inputs all the time."""
    held: TestStatus | None = None
    every = []
    for number, end in enumerate(ends):
        held = judge(suite_test(limits), result_of(end, NOW + number * MINUTE), held=held, before=held)
        every.append(held)
    return every


def told(ends: Sequence[Ended], limits: Thresholds = Thresholds()) -> str:  # noqa: B008
    """The verdicts after each end, one letter each."""
    return "".join(status.result[0] for status in verdicts(ends, limits))


COURSES = [
    ([OK, DOWN], {}, "SF", "one failure is enough where nobody says otherwise"),
    ([OK, DOWN, DOWN, DOWN, DOWN], {"failure": 3}, "SSSFF", "three in a row"),
    ([OK, DOWN, DOWN, OK, DOWN, DOWN, OK], {"failure": 3}, "SSSSSSS", "a success between begins anew"),
    ([OK, REJECTED], {"failure": 5}, "SF", "what only a person can mend counts at once"),
    ([OK, DOWN, REJECTED], {"failure": 5}, "SSF", "also after passing ones"),
    ([OK, UNSURE, UNSURE, UNSURE], {}, "SSSU", "three that could not tell, and nobody knows"),
    ([OK, UNSURE, UNSURE, DOWN], {"failure": 2}, "SSSF", "those that could not tell are no successes"),
    ([OK, DOWN, UNSURE], {"failure": 3, "unknown": 3}, "SSS", "nor do they count faster than they are"),
    ([DOWN, UNSURE, UNSURE, UNSURE, UNSURE], {}, "FFFFF", "who could not tell takes no failure back"),
    ([UNSURE, DOWN], {"failure": 5}, "UF", "where nothing was known, a failure is known at once"),
    ([UNSURE, UNSURE], {}, "UU", "where nothing was known, nothing is"),
    ([UNSURE, OK], {}, "US", "a success ends doubt"),
    ([DOWN, OK], {}, "FS", "one success is enough where nobody says otherwise"),
    ([DOWN, OK, OK, OK], {"recovery": 3}, "FFFS", "three in a row"),
    ([DOWN, OK, OK, DOWN, OK, OK, OK], {"recovery": 3}, "FFFFFFS", "a failure between begins anew"),
    ([DOWN, OK, OK, UNSURE, OK, OK, OK], {"recovery": 3}, "FFFFFFS", "so does one that could not tell"),
    ([OK], {"recovery": 5}, "S", "the first result about new inputs decides"),
    ([DOWN], {"failure": 5}, "F", "whatever it is"),
]


class TestThresholds:
    @pytest.mark.parametrize(
        ("ends", "limits", "expected", "why"), COURSES, ids=[f"{row[2]}: {row[3]}" for row in COURSES]
    )
    def test_course(self, ends: list[Ended], limits: dict[str, int], expected: str, why: str) -> None:
        assert told(ends, Thresholds(**limits)) == expected, why

    @pytest.mark.parametrize("reason", LASTING)
    def test_what_only_a_person_can_mend_counts_at_once(self, reason: Reason) -> None:
        assert told([OK, Ended("Failure", reason)], Thresholds(failure=10)) == "SF"

    def test_a_dead_credential_is_among_those(self) -> None:
        # It is tried once a day, so that a threshold would hide it for days.
        assert set(LASTING) >= DEAD_CREDENTIALS

    @pytest.mark.parametrize("reason", sorted(COULD_NOT_TELL))
    def test_who_could_not_tell_never_decides_alone(self, reason: Reason) -> None:
        end = Ended("Unknown", reason)
        assert told([OK, end, end, OK], Thresholds(failure=1, unknown=3)) == "SSSS"

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_green_is_shown_only_after_as_many_successes_in_a_row_as_it_takes(
        self, ends: list[Ended], limits: Thresholds
    ) -> None:
        shown = told(ends, limits)
        for at, verdict in enumerate(shown):
            if verdict != "S":
                continue
            # Back to where it last was something else: there it must have turned green by right.
            turned = max((n + 1 for n in range(at) if shown[n] != "S"), default=0)
            run = 1 if turned == 0 else limits.recovery
            assert all(end is OK for end in ends[turned - run + 1 : turned + 1])

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_green_is_lost_only_to_what_outweighs_it(self, ends: list[Ended], limits: Thresholds) -> None:
        shown = told(ends, limits)
        for at in range(1, len(ends)):
            if shown[at - 1] != "S" or shown[at] == "S":
                continue
            streak = 0
            while streak <= at and ends[at - streak].result != "Success":
                streak += 1
            if ends[at].result == "Unknown":
                assert (shown[at], streak >= limits.unknown) == ("U", True)
            else:
                assert shown[at] == "F"
                assert ends[at] is REJECTED or streak >= limits.failure

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_red_is_lost_only_to_success(self, ends: list[Ended], limits: Thresholds) -> None:
        shown = told(ends, limits)
        assert "FU" not in shown

    @given(st.lists(ended, max_size=30), thresholds, st.integers(1, 5))
    def test_who_goes_on_succeeding_becomes_green_in_the_end(
        self, ends: list[Ended], limits: Thresholds, more: int
    ) -> None:
        assert told([*ends, *[OK] * (limits.recovery + more)], limits).endswith("S" * more)


class TestTruth:
    """Whatever the verdict, the last result stands beside it as it was."""

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_the_last_result_is_told(self, ends: list[Ended], limits: Thresholds) -> None:
        for number, (end, status) in enumerate(zip(ends, verdicts(ends, limits), strict=True)):
            assert (status.last_result, status.last_reason) == (end.result, end.reason)
            assert status.time == timestamp(NOW + number * MINUTE)
            assert [stage.name for stage in status.stages] == ["config", "dns"]
            assert status.duration_ms == 250

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_a_streak_counts_what_is_alike_success_or_not(
        self, ends: list[Ended], limits: Thresholds
    ) -> None:
        expected = 0
        for number, status in enumerate(verdicts(ends, limits)):
            alike = number > 0 and (ends[number] is OK) == (ends[number - 1] is OK)
            expected = expected + 1 if alike else 1
            assert status.streak == expected

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_a_verdict_is_explained_by_a_result_of_its_own_kind(
        self, ends: list[Ended], limits: Thresholds
    ) -> None:
        for number, status in enumerate(verdicts(ends, limits)):
            assert (status.result, status.reason) in ends[: number + 1]

    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_doubt_is_said_exactly_where_verdict_and_last_result_differ(
        self, ends: list[Ended], limits: Thresholds
    ) -> None:
        for status in verdicts(ends, limits):
            assert bool(doubt(status)) == (status.result != status.last_result)

    @pytest.mark.parametrize(
        ("ends", "limits", "words"),
        [
            ([OK, DOWN], {"failure": 2}, ["failed", "ConnectionRefused"]),
            ([OK, UNSURE], {}, ["could not tell", "HostUnavailable"]),
            ([DOWN, OK], {"recovery": 2}, ["succeeded", "mended"]),
            ([DOWN, UNSURE], {}, ["could not tell", "HostUnavailable"]),
        ],
        ids=["a failure", "no telling", "a success", "no telling of what failed"],
    )
    def test_doubt_says_what_came_last(
        self, ends: list[Ended], limits: dict[str, int], words: list[str]
    ) -> None:
        said = doubt(verdicts(ends, Thresholds(**limits))[-1])
        assert [word for word in words if word not in said] == []

    def test_of_a_status_by_an_earlier_operator_nothing_is_said(self) -> None:
        assert doubt(TestStatus(name="t", result="Success", reason="Connected", message="m", time="")) == ""

    def test_a_message_that_is_too_long_is_cut(self) -> None:
        status = judge(suite_test(), result_of(DOWN, message="x" * 5000), held=None, before=None)
        assert len(status.message) == MAX_MESSAGE


class TestChangedInputs:
    """Thresholds compare results about the same inputs. After a change the first decides."""

    @given(st.lists(ended, min_size=1, max_size=10), ended, thresholds)
    def test_the_first_result_decides(self, ends: list[Ended], end: Ended, limits: Thresholds) -> None:
        before = verdicts(ends, limits)[-1]
        status = judge(suite_test(limits), result_of(end), held=None, before=before)
        assert (status.result, status.reason, status.streak) == (end.result, end.reason, 1)
        assert doubt(status) == ""


class TestSince:
    @given(st.lists(ended, min_size=1, max_size=30), thresholds)
    def test_is_when_the_verdict_became_what_it_is(self, ends: list[Ended], limits: Thresholds) -> None:
        every = verdicts(ends, limits)
        since = NOW
        for number, status in enumerate(every):
            if number and status.result != every[number - 1].result:
                since = NOW + number * MINUTE
            assert status.since == timestamp(since)

    def test_goes_on_where_the_inputs_change_and_the_verdict_does_not(self) -> None:
        before = verdicts([OK])[-1]
        status = judge(suite_test(), result_of(OK, NOW + MINUTE), held=None, before=before)
        assert status.since == timestamp(NOW)

    def test_goes_on_where_only_the_reason_changes(self) -> None:
        broken, other = verdicts([DOWN, REJECTED])
        assert (broken.reason, other.reason) == (Reason.CONNECTION_REFUSED, Reason.CREDENTIALS_REJECTED)
        assert other.since == broken.since


class TestHistory:
    def test_the_first_verdict_is_a_change(self) -> None:
        (status,) = verdicts([DOWN])
        assert changed(None, status) == VerdictChange(
            time=timestamp(NOW), test="account", result="Failure", reason="ConnectionRefused"
        )

    @given(st.lists(ended, min_size=2, max_size=30), thresholds)
    def test_every_other_verdict_or_reason_is_one_and_nothing_else(
        self, ends: list[Ended], limits: Thresholds
    ) -> None:
        every = verdicts(ends, limits)
        for before, after in pairwise(every):
            change = changed(before, after)
            same = (before.result, before.reason) == (after.result, after.reason)
            assert (change is None) is same
            if change is not None:
                assert (change.result, change.reason, change.time) == (after.result, after.reason, after.time)


class TestNextTime:
    PACE = Pace(NOW, INTERVAL, 0.5, Timing())

    def next_after(self, ends: Sequence[Ended], again_in: float | None = None, **limits: int) -> datetime:
        return next_time(verdicts(ends, Thresholds(**limits))[-1], self.PACE, again_in)

    def test_of_what_works_is_regular(self) -> None:
        assert self.next_after([OK, OK]) == self.PACE.regular()

    def test_of_a_failure_that_does_not_count_yet_is_soon(self) -> None:
        # A threshold must not make a real failure take threshold times interval to be seen.
        assert self.next_after([OK, DOWN], failure=3) == self.PACE.soon(1)
        assert self.next_after([OK, DOWN, DOWN], failure=3) == self.PACE.soon(2)

    def test_of_a_success_that_does_not_count_yet_is_soon(self) -> None:
        assert self.next_after([DOWN, OK], recovery=3) == self.PACE.soon(1)
        assert self.next_after([DOWN, OK, OK], recovery=3) == self.PACE.soon(2)

    def test_after_recovery_is_regular(self) -> None:
        assert self.next_after([DOWN, OK, OK, OK], recovery=3) == self.PACE.regular()

    def test_of_who_could_not_tell_is_when_it_may_ask_again(self) -> None:
        assert self.next_after([OK, UNSURE], 90.0) >= NOW + timedelta(seconds=90)

    def test_goes_by_what_came_last_not_by_the_verdict(self) -> None:
        # Red by a rejected credential, then the host went down: that is what is waited for.
        assert self.next_after([REJECTED, UNSURE]) == self.PACE.soon(2)
        assert self.next_after([REJECTED]) >= NOW + timedelta(days=1)

    def test_is_in_the_future(self) -> None:
        for end in (OK, DOWN, REJECTED, UNSURE):
            assert self.next_after([end]) > NOW.astimezone(UTC)


def test_times_are_written_in_whole_seconds_that_can_be_read_back() -> None:
    (status,) = verdicts([OK])
    assert parse_timestamp(status.time) == NOW
