"""When a test is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.inputs import Timing
from integration_hub.reconcile.schedule import (
    interval_of,
    is_requested,
    next_test,
    parse_duration,
    parse_timestamp,
    pause_after,
    timestamp,
    verdict_is_current,
)
from support.builders import connected, definition, found, inputs, instance

MIDDLE = 0.5
TIMING = Timing()
RETRYING = sorted(reason for reason in Reason if REASONS[reason].course is Course.RETRYING)
DEAD = [Reason.CREDENTIALS_REJECTED, Reason.PERMISSION_DENIED]
intervals = st.integers(10, 168 * 3600).map(lambda seconds: timedelta(seconds=seconds))
jitters = st.floats(0, 1)


def pause(
    reason: Reason, failures: int, interval: timedelta = TIMING.interval, jitter: float = MIDDLE
) -> timedelta:
    return pause_after(reason, failures, interval=interval, jitter=jitter, timing=TIMING)


class TestPause:
    @given(st.sampled_from(sorted(Reason)), st.integers(0, 10**6), intervals, jitters)
    def test_is_never_shorter_than_the_first_retry_nor_longer_than_the_longest(
        self, reason: Reason, failures: int, interval: timedelta, jitter: float
    ) -> None:
        result = pause(reason, failures, interval, jitter)
        assert 0.9 * min(TIMING.retry_first, interval) <= result <= 1.1 * max(TIMING.slow_recheck, interval)

    @given(st.sampled_from(RETRYING), st.integers(1, 100), intervals)
    def test_after_a_passing_failure_grows_with_each_failure_up_to_the_interval(
        self, reason: Reason, failures: int, interval: timedelta
    ) -> None:
        assert pause(reason, failures, interval) <= pause(reason, failures + 1, interval) <= interval

    def test_after_a_passing_failure_doubles(self) -> None:
        pauses = [pause(Reason.CONNECTION_REFUSED, failures).total_seconds() for failures in range(1, 10)]
        assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600]

    @given(st.sampled_from(RETRYING), intervals)
    def test_settles_at_the_interval(self, reason: Reason, interval: timedelta) -> None:
        assert pause(reason, 1000, interval) == interval

    @pytest.mark.parametrize("reason", DEAD)
    @given(failures=st.integers(1, 50), interval=intervals)
    def test_with_a_dead_credential_is_long_however_short_the_interval(
        self, reason: Reason, failures: int, interval: timedelta
    ) -> None:
        # Asking often with a wrong password locks accounts.
        assert pause(reason, failures, interval) == max(TIMING.slow_recheck, interval)

    @pytest.mark.parametrize(
        "reason", sorted(r for r in Reason if REASONS[r].course is not Course.RETRYING and r not in DEAD)
    )
    @given(failures=st.integers(0, 50), interval=intervals)
    def test_is_the_interval_else(self, reason: Reason, failures: int, interval: timedelta) -> None:
        assert pause(reason, failures, interval) == interval

    @given(st.sampled_from(sorted(Reason)), st.integers(0, 50), intervals, jitters)
    def test_jitter_spreads_by_a_tenth_to_both_sides(
        self, reason: Reason, failures: int, interval: timedelta, jitter: float
    ) -> None:
        middle = pause(reason, failures, interval)
        spread = pause(reason, failures, interval, jitter)
        assert abs(spread - middle) <= 0.1 * middle + timedelta(microseconds=2)
        assert abs(pause(reason, failures, interval, 0.0) - 0.9 * middle) <= timedelta(microseconds=2)
        assert abs(pause(reason, failures, interval, 1.0) - 1.1 * middle) <= timedelta(microseconds=2)


class TestDurations:
    @given(st.integers(0, 999_999), st.integers(0, 999_999), st.integers(0, 999_999))
    def test_what_is_written_in_parts_is_their_sum(self, hours: int, minutes: int, seconds: int) -> None:
        expected = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        assert parse_duration(f"{hours}h{minutes}m{seconds}s") == expected
        assert parse_duration(f"{seconds}s{hours}h{minutes}m") == expected

    @pytest.mark.parametrize("text", ["", "5", "m", "5m ", "-5m", "1.5h", "5d", "5M", "1h 30m", "٣m", "5m\n"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no duration like"):
            parse_duration(text)

    def test_more_than_can_be_counted_is_refused(self) -> None:
        # Not an OverflowError, which the command line would show as a traceback.
        with pytest.raises(ValueError, match="is no duration like"):
            parse_duration("999999999999999h")


class TestTimestamps:
    @given(st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)), st.integers(-12, 14))  # noqa: DTZ001
    def test_round_trip_to_the_second_from_any_zone(self, moment: datetime, hours: int) -> None:
        aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
        assert parse_timestamp(timestamp(aware)) == aware.replace(microsecond=0)

    @pytest.mark.parametrize(
        ("text", "expected", "reason"),
        [
            ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC), "as Kubernetes writes it"),
            ("2026-03-01T13:00:00+01:00", datetime(2026, 3, 1, 12, tzinfo=UTC), "of another zone"),
            (
                "2026-03-01T12:00:00.123456Z",
                datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC),
                "with microseconds",
            ),
            (
                "2026-03-01T12:00:00",
                datetime(2026, 3, 1, 12, tzinfo=UTC),
                "without a zone it is UTC, so it can be compared",
            ),
            ("tomorrow", None, "what somebody wrote by hand is no time"),
            ("", None, "nothing is no time"),
            (None, None, "nothing is no time"),
        ],
    )
    def test_reading(self, text: str | None, expected: datetime | None, reason: str) -> None:
        assert parse_timestamp(text) == expected, reason


class TestVerdict:
    def test_is_current_while_nothing_that_it_is_about_has_changed(self) -> None:
        assert verdict_is_current(inputs(connected()))

    def test_of_an_instance_without_a_secret_is_current_too(self) -> None:
        raw = connected(instance())
        raw["status"]["tested"]["secretResourceVersion"] = ""
        assert verdict_is_current(inputs(raw, secret_version=None))

    def test_is_not_current_where_there_is_none(self) -> None:
        assert not verdict_is_current(inputs(instance()))

    def test_is_not_current_without_the_definition(self) -> None:
        assert not verdict_is_current(inputs(connected(), without_definition=True))

    @pytest.mark.parametrize(
        "changed",
        [
            {"of": definition(generation=2)},
            {"of": definition(uid="d-2")},
            {"secret_version": "8"},
            {"secret_version": None},
        ],
        ids=[
            "definition's generation",
            "another definition of the same name",
            "Secret's version",
            "Secret gone",
        ],
    )
    def test_is_not_current_after_a_change_of(self, changed: dict[str, object]) -> None:
        assert not verdict_is_current(inputs(connected(), **changed))  # type: ignore[arg-type]

    def test_is_not_current_after_a_change_of_the_instance(self) -> None:
        raw = connected()
        raw["metadata"]["generation"] = 2
        assert not verdict_is_current(inputs(raw))


class TestRequest:
    @pytest.mark.parametrize(
        ("asked", "handled", "expected", "reason"),
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
        self, *, asked: str | None, handled: str | None, expected: bool, reason: str
    ) -> None:
        status = {"lastHandledRequest": handled} if handled else {}
        raw = instance(request=asked, status=status)
        assert is_requested(inputs(raw), REQUEST_ANNOTATION) is expected, reason


class TestInterval:
    def test_is_the_instances_own(self) -> None:
        assert interval_of(inputs(instance(monitor={"interval": "1h30m"}))) == timedelta(minutes=90)

    @pytest.mark.parametrize("monitor", [None, {}])
    def test_is_the_operators_else(self, monitor: object) -> None:
        given = replace(inputs(instance(monitor=monitor)), timing=Timing(interval=timedelta(minutes=3)))
        assert interval_of(given) == timedelta(minutes=3)

    def test_the_next_test_is_the_one_in_status(self) -> None:
        raw = instance(status={"nextTestTime": "2026-03-01T12:10:00Z"})
        assert next_test(inputs(raw)) == datetime(2026, 3, 1, 12, 10, tzinfo=UTC)


def test_the_helper_reads_the_version_that_the_inputs_know() -> None:
    assert found().version == inputs().secret_version
