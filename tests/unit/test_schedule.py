"""When a test is made next: on a grid of its own, sooner after a failure, much later where asking does harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.config.durations import parse_duration
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Course, Reason
from integration_hub.reconcile.inputs import Timing
from integration_hub.reconcile.schedule import Pace, on_grid, phase_of
from integration_hub.reconcile.times import parse_timestamp, timestamp
from support.builders import NOW, found, inputs, instance

TIMING = Timing()
LITTLE = timedelta(milliseconds=1)
"""Grids are counted in floating point from 1970 on, which leaves microseconds open."""
TEN_MINUTES = timedelta(minutes=10)
MANY = 10_000
PASSING = sorted(reason for reason in Reason if REASONS[reason].course is Course.RETRYING)
LASTING = sorted(
    reason for reason in Reason if REASONS[reason].course is Course.STALLED and reason not in DEAD_CREDENTIALS
)

intervals = st.integers(10, 168 * 3600).map(lambda seconds: timedelta(seconds=seconds))
phases = st.floats(0, 1, exclude_max=True)
moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
streaks = st.integers(1, 10**6)
waits = st.floats(0, 86_400)
paces = st.builds(Pace, now=moments, interval=intervals, phase=phases, timing=st.just(TIMING))


def pace(phase: float = 0.5, interval: timedelta = TEN_MINUTES, now: datetime = NOW) -> Pace:
    return Pace(now, interval, phase, TIMING)


def phase(**changes: Any) -> float:
    """Where on the grid `instance()` stands, with these arguments."""
    return phase_of(IntegrationInstance.model_validate(instance(**changes)))


def tenths(phases_: list[float]) -> list[float]:
    """Which part of the phases stands in each tenth of the interval."""
    counted = [0] * 10
    for one in phases_:
        counted[int(one * 10)] += 1
    return [count / len(phases_) for count in counted]


class TestPhase:
    def test_those_of_ten_thousand_instances_spread_over_the_whole_interval(self) -> None:
        found_ = [
            phase(
                name=f"crm-{n}",
                namespace=f"team-{n % 97}",
                auth={"secretRef": {"name": f"crm-{n // 97}-key"}},
            )
            for n in range(MANY)
        ]
        assert all(0 <= one < 1 for one in found_)
        assert all(0.08 <= share <= 0.12 for share in tenths(found_)), tenths(found_)
        assert len(set(found_)) == MANY

    def test_is_a_matter_of_what_is_asked_so_that_a_restart_changes_nothing(self) -> None:
        # The number is written down here: a process of tomorrow must come to the same.
        assert phase() == phase() == pytest.approx(0.828098780342, abs=1e-11)

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "other", "uid": "i-2"},
            {"displayName": "Acme in production"},
            {"generation": 7, "version": 99, "created": "2026-02-02T00:00:00Z"},
            {"request": "now"},
            {"status": {"nextTestTime": "2026-03-01T12:00:00Z"}},
            {"monitor": {"interval": "1m"}},
            {"tests": [{"name": "own", "request": {}}]},
        ],
        ids=str,
    )
    def test_those_that_ask_the_same_with_the_same_secret_fall_due_together(
        self, changes: dict[str, Any]
    ) -> None:
        # One request then serves them all.
        assert phase(**changes) == phase()

    @pytest.mark.parametrize(
        "changes",
        [
            {"namespace": "team-b"},
            {"definitionRef": {"name": "other"}},
            {"config": {"region": "us"}},
            {"config": {"region": "eu", "team": "blue"}},
            {"template": "sandbox"},
            {"auth": {"secretRef": {"name": "other-key"}}},
            {"auth": {"method": "key", "secretRef": {"name": "acme-key"}}},
            {"auth": {}},
        ],
        ids=str,
    )
    def test_those_that_ask_something_else_do_not(self, changes: dict[str, Any]) -> None:
        assert phase(**changes) != phase()

    def test_is_the_same_in_whichever_order_the_configuration_stands(self) -> None:
        one, other = {"region": "eu", "team": "blue"}, {"team": "blue", "region": "eu"}
        assert phase(config=one) == phase(config=other)


class TestGrid:
    @given(moments, intervals, phases)
    def test_its_next_point_is_within_an_interval(
        self, now: datetime, interval: timedelta, phase_: float
    ) -> None:
        point = on_grid(now, interval, phase_)
        assert now - LITTLE <= point <= now + interval + LITTLE

    @given(moments, intervals, phases, st.integers(1, 50))
    def test_its_points_are_one_interval_apart_whenever_one_looks(
        self, now: datetime, interval: timedelta, phase_: float, later: int
    ) -> None:
        first, other = on_grid(now, interval, phase_), on_grid(now + later * interval, interval, phase_)
        assert abs(other - first - later * interval) <= LITTLE

    @given(paces)
    def test_a_regular_test_comes_half_to_one_and_a_half_intervals_later(self, given_: Pace) -> None:
        pause = given_.regular() - given_.now
        assert given_.interval / 2 - LITTLE <= pause <= given_.interval * 1.5 + LITTLE

    @given(paces, st.lists(st.floats(-0.3, 0.49), max_size=20))
    def test_from_then_on_every_interval_however_long_each_test_takes(
        self, given_: Pace, delays: list[float]
    ) -> None:
        first = due = given_.regular()
        for number, delay in enumerate(delays, start=1):
            ended = due + given_.interval * delay
            due = Pace(ended, given_.interval, given_.phase, TIMING).regular()
            assert abs(due - first - number * given_.interval) <= LITTLE


class TestSoon:
    def test_pauses_double_until_they_are_as_long_as_the_interval(self) -> None:
        pauses = [
            (pace(0.5, timedelta(hours=1)).soon(streak) - NOW).total_seconds() for streak in range(1, 10)
        ]
        assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280]

    @given(paces, streaks)
    def test_never_shrink_and_never_pass_the_next_regular_test(self, given_: Pace, streak: int) -> None:
        assert given_.now < given_.soon(streak) <= given_.soon(streak + 1) <= given_.regular()

    @given(intervals, phases)
    def test_settle_on_the_grid(self, interval: timedelta, phase_: float) -> None:
        now, pauses = NOW, []
        for streak in range(1, 25):
            due = Pace(now, interval, phase_, TIMING).soon(streak)
            pauses.append(due - now)
            now = due
        assert abs(on_grid(now - LITTLE, interval, phase_) - now) <= LITTLE
        assert all(abs(pause - interval) <= LITTLE for pause in pauses[-3:])

    @given(phases)
    def test_are_spread_by_a_tenth_to_both_sides(self, phase_: float) -> None:
        # All connections to a host fail at once; they must not all come back at once.
        pause = pace(phase_).soon(1) - NOW
        assert abs(pause - TIMING.retry_first) <= TIMING.retry_first * 0.1 + LITTLE
        assert pace(0).soon(1) < pace(0.99).soon(1)


class TestAfterFailure:
    @given(paces, st.sampled_from(PASSING), streaks)
    def test_one_that_may_pass_is_tried_again_soon(self, given_: Pace, reason: Reason, streak: int) -> None:
        assert given_.after_failure(reason, streak) == given_.soon(streak)

    @given(paces, st.sampled_from(LASTING), streaks)
    def test_one_that_a_person_must_mend_is_tried_at_the_interval(
        self, given_: Pace, reason: Reason, streak: int
    ) -> None:
        assert given_.after_failure(reason, streak) == given_.regular()

    @given(paces, st.sampled_from(sorted(DEAD_CREDENTIALS)), streaks, st.none() | waits)
    def test_a_dead_credential_waits_a_day_however_short_the_interval(
        self, given_: Pace, reason: Reason, streak: int, again_in: float | None
    ) -> None:
        # Asking often with a wrong password locks accounts.
        pause, least = (
            given_.after_failure(reason, streak, again_in) - given_.now,
            max(timedelta(days=1), given_.interval),
        )
        assert least <= pause <= 1.1 * least + LITTLE

    def test_dead_credentials_do_not_come_back_all_at_once(self) -> None:
        ends = [pace(n / 10).after_failure(Reason.CREDENTIALS_REJECTED, 1) - NOW for n in range(10)]
        assert len(set(ends)) == 10
        assert max(ends) - min(ends) >= timedelta(hours=2)

    @given(paces, st.sampled_from(PASSING + LASTING), streaks, waits)
    def test_nobody_comes_back_before_the_time_that_the_other_side_asked_for(
        self, given_: Pace, reason: Reason, streak: int, again_in: float
    ) -> None:
        due, unasked = given_.after_failure(reason, streak, again_in), given_.after_failure(reason, streak)
        least = given_.now + timedelta(seconds=again_in)
        assert due >= max(least - LITTLE, unasked)
        # Nor much later: the time that it asked for once more, and no more than an interval.
        assert due <= max(least + min(timedelta(seconds=again_in), given_.interval) + LITTLE, unasked)

    def test_those_who_were_told_the_same_time_come_back_spread_out(self) -> None:
        paces_ = [pace(n / 100) for n in range(100)]
        ends = [one.after_failure(Reason.RATE_LIMITED, 1, 120.0) - NOW for one in paces_]
        assert min(ends) == timedelta(seconds=120)
        assert max(ends) - min(ends) > timedelta(seconds=110)
        assert len(set(ends)) == 100

    def test_who_was_told_nothing_special_is_not_held_up_by_nothing(self) -> None:
        assert pace().after_failure(Reason.SERVER_ERROR, 1, 0.0) == pace().soon(1)


class TestCatchUp:
    """After a restart everything that fell due meanwhile is due at once."""

    def test_what_works_is_spread_over_the_interval(self) -> None:
        pauses = [pace(n / MANY).catch_up(NOW - TEN_MINUTES, works=True) - NOW for n in range(MANY)]
        assert all(timedelta() <= pause <= TEN_MINUTES for pause in pauses)
        shares = tenths([min(pause / TEN_MINUTES, 0.9999) for pause in pauses])
        assert all(0.08 <= share <= 0.12 for share in shares), shares

    @given(paces)
    def test_what_works_goes_on_on_its_own_grid(self, given_: Pace) -> None:
        due = given_.catch_up(given_.now - given_.interval, works=True)
        after_it = Pace(due, given_.interval, given_.phase, TIMING).regular()
        assert abs(after_it - due - given_.interval) <= LITTLE

    def test_what_does_not_work_is_looked_at_within_half_a_minute_but_not_all_at_once(self) -> None:
        pauses = [pace(n / 1000).catch_up(NOW, works=False) - NOW for n in range(1000)]
        assert all(timedelta() <= pause <= timedelta(seconds=30) for pause in pauses)
        shares = tenths([pause / timedelta(seconds=30) for pause in pauses])
        assert all(0.08 <= share <= 0.12 for share in shares), shares

    @given(paces)
    def test_is_never_later_than_an_interval(self, given_: Pace) -> None:
        for works, last in ((True, given_.now), (True, None), (False, given_.now)):
            moment = given_.catch_up(last, works=works)
            assert given_.now - LITTLE <= moment <= given_.now + given_.interval + LITTLE

    def test_what_restarts_have_put_off_for_long_is_made_within_the_hour(self) -> None:
        day = timedelta(days=1)
        for phase in (0.1, 0.5, 0.9):
            moment = Pace(NOW, day, phase, TIMING).catch_up(NOW - 2 * day, works=True)
            assert NOW <= moment <= NOW + timedelta(hours=1)


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


def test_the_helper_reads_the_version_that_the_inputs_know() -> None:
    assert found().version == inputs().secret_version
