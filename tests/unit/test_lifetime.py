"""Ends of credentials: when they are renewed, whether they can be used, and when a person is warned, once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from integration_hub.credentials.lifetime import (
    WARNINGS,
    act_by,
    consent_end,
    end_words,
    is_alive,
    next_warning,
    renewal_time,
    still_warned,
    warning_due,
)
from integration_hub.model.tokens import Tokens

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

lives = st.integers(1, 400 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
shares = st.floats(0.5, 0.95)
phases = st.floats(0, 1, exclude_max=True)
moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
days = st.floats(-5, 400).map(lambda number: timedelta(days=number))


def tokens(life: timedelta | None, obtained_at: datetime = NOW, consent: timedelta | None = None) -> Tokens:
    """Tokens that live so long, of a consent that from then on lives so long."""
    return Tokens(
        access_token="at",
        obtained_at=obtained_at,
        grant="g",
        expires_at=None if life is None else obtained_at + life,
        refresh_token="rt",
        refresh_expires_at=None if consent is None else obtained_at + consent,
    )


def renewed(life: timedelta, share: float = 0.8, phase: float = 0.5) -> timedelta:
    """How long after they were obtained tokens are renewed."""
    moment = renewal_time(tokens(life), share, phase)
    assert moment is not None
    return moment - NOW


class TestRenewal:
    def test_comes_at_its_share_of_the_life_a_twentieth_sooner_or_later(self) -> None:
        assert renewed(HOUR) == timedelta(minutes=48)
        assert renewed(HOUR, phase=0) == timedelta(minutes=45)
        assert timedelta(minutes=50) < renewed(HOUR, phase=0.999) < timedelta(minutes=51)

    @given(moments, lives, shares, phases)
    def test_comes_within_the_life_and_while_the_token_can_still_be_used(
        self, obtained_at: datetime, life: timedelta, share: float, phase: float
    ) -> None:
        found = tokens(life, obtained_at)
        moment = renewal_time(found, share, phase)
        assert moment is not None
        assert obtained_at < moment < obtained_at + life
        assert is_alive(found, moment)

    @given(lives, shares, phases)
    def test_strays_from_its_share_by_no_more_than_a_twentieth_of_the_life(
        self, life: timedelta, share: float, phase: float
    ) -> None:
        assert abs(renewed(life, share, phase) - life * share) <= life * 0.0501 + timedelta(microseconds=1)

    @given(st.integers(1, 59), shares, phases)
    def test_of_a_very_short_life_comes_in_its_second_half(
        self, seconds: int, share: float, phase: float
    ) -> None:
        life = timedelta(seconds=seconds)
        assert renewed(life, share, phase) >= life / 2

    @given(lives, shares, phases, phases)
    def test_of_those_with_a_later_phase_comes_later(
        self, life: timedelta, share: float, one: float, other: float
    ) -> None:
        assume(one <= other)
        assert renewed(life, share, one) <= renewed(life, share, other)

    def test_is_spread_over_a_tenth_of_the_life(self) -> None:
        times = [renewed(10 * HOUR, phase=number / 1000) for number in range(1000)]
        assert max(times) - min(times) > timedelta(minutes=59)
        assert len(set(times)) == 1000

    def test_has_no_time_where_no_end_is_known(self) -> None:
        assert renewal_time(tokens(None), 0.8, 0.5) is None

    @pytest.mark.parametrize("life", [timedelta(0), -HOUR])
    def test_has_no_time_where_tokens_were_over_when_they_came(self, life: timedelta) -> None:
        assert renewal_time(tokens(life), 0.8, 0.5) is None
        assert not is_alive(tokens(life), NOW)


class TestUse:
    def test_ends_half_a_minute_before_the_end(self) -> None:
        found = tokens(HOUR)
        assert is_alive(found, NOW + HOUR - timedelta(seconds=31))
        assert not is_alive(found, NOW + HOUR - timedelta(seconds=30))

    def test_ends_by_a_leeway_that_may_be_asked_for(self) -> None:
        assert is_alive(tokens(HOUR), NOW + HOUR - timedelta(seconds=1), leeway=timedelta(0))
        assert not is_alive(tokens(HOUR), NOW + HOUR - timedelta(seconds=60), leeway=timedelta(minutes=1))

    def test_of_a_short_life_loses_little_of_it(self) -> None:
        found = tokens(timedelta(seconds=10))
        assert is_alive(found, NOW + timedelta(seconds=9.7))
        assert not is_alive(found, NOW + timedelta(seconds=9.9))

    @given(lives, st.floats(0, 2))
    def test_is_never_possible_after_the_end_and_always_in_the_first_nine_tenths(
        self, life: timedelta, share: float
    ) -> None:
        alive = is_alive(tokens(life), NOW + life * share)
        assert not alive or share < 1
        assert alive or share > 0.9

    @given(moments)
    def test_has_no_end_where_none_is_known(self, now: datetime) -> None:
        assert is_alive(tokens(None), now)


class TestConsent:
    """A person must consent again at an end that renewing does not put off."""

    @pytest.mark.parametrize("life", [timedelta(minutes=30), 10 * DAY, 180 * DAY])
    def test_that_each_renewal_prolongs_has_no_end(self, life: timedelta) -> None:
        before = tokens(5 * timedelta(minutes=1), consent=life)
        after = tokens(5 * timedelta(minutes=1), NOW + timedelta(minutes=4), consent=life)
        assert consent_end(after, before) is None

    @pytest.mark.parametrize("drift", [timedelta(0), timedelta(seconds=-2), timedelta(seconds=2)])
    def test_that_no_renewal_prolongs_has_its_end_however_it_is_rounded(self, drift: timedelta) -> None:
        before = tokens(HOUR, consent=10 * DAY)
        after = tokens(HOUR, NOW + HOUR, consent=10 * DAY - HOUR + drift)
        assert consent_end(after, before) == NOW + 10 * DAY + drift

    def test_whose_prolonging_comes_to_its_limit_has_an_end_from_then_on(self) -> None:
        # As with a session that ends half an hour after it was last used, but ten hours after it began at the latest.
        before = tokens(5 * timedelta(minutes=1), consent=timedelta(minutes=30))
        after = tokens(5 * timedelta(minutes=1), NOW + timedelta(minutes=4), consent=timedelta(minutes=26))
        assert consent_end(after, before) == NOW + timedelta(minutes=30)

    def test_that_was_never_renewed_is_taken_at_its_word_where_its_end_is_far(self) -> None:
        assert consent_end(tokens(HOUR, consent=60 * DAY)) == NOW + 60 * DAY
        assert consent_end(tokens(HOUR, consent=timedelta(minutes=30))) is None
        assert consent_end(tokens(HOUR, consent=60 * DAY), before=tokens(HOUR)) == NOW + 60 * DAY

    def test_whose_end_was_not_told_has_none(self) -> None:
        assert consent_end(tokens(HOUR)) is None
        assert consent_end(tokens(HOUR), before=tokens(HOUR, consent=DAY)) is None


class TestActing:
    SOON, LATER = NOW + DAY, NOW + 9 * DAY

    @pytest.mark.parametrize(
        ("expires_at", "renews_at", "consent", "expected"),
        [
            (SOON, None, None, SOON),
            (SOON, NOW, None, None),
            (SOON, NOW, LATER, LATER),
            (SOON, None, LATER, SOON),
            (LATER, None, SOON, SOON),
            (None, None, SOON, SOON),
            (None, None, None, None),
        ],
        ids=[
            "what nobody renews ends",
            "what the operator renews is its own concern",
            "consent ends while the operator renews",
            "the credential ends first",
            "consent ends first",
            "only the end of consent is known",
            "nothing is known",
        ],
    )
    def test_is_asked_of_a_person_by_the_earlier_end_that_the_operator_does_not_put_off(
        self,
        expires_at: datetime | None,
        renews_at: datetime | None,
        consent: datetime | None,
        expected: datetime | None,
    ) -> None:
        assert act_by(expires_at, renews_at, consent) == expected


class Watched:
    """A credential that is looked at now and then, as a reconcile does: what was warned of is remembered."""

    def __init__(self) -> None:
        self.warned: int | None = None
        self.ends_at: datetime | None = None
        self.told: list[int] = []

    def look(self, ends_at: datetime, now: datetime) -> None:
        known = still_warned(self.warned, self.ends_at, ends_at)
        due = warning_due(ends_at, now, known)
        if due is not None:
            self.told.append(due)
        self.warned, self.ends_at = due if due is not None else known, ends_at


class TestWarnings:
    END = NOW + 100 * DAY

    def look(self, *left: float) -> list[int]:
        """Which warnings are given where it is looked at so many days ahead of the end."""
        watched = Watched()
        for number in left:
            watched.look(self.END, self.END - timedelta(days=number))
        return watched.told

    def test_come_fourteen_and_three_days_ahead_once_each(self) -> None:
        assert self.look(100, 15, 14, 13.9, 10, 4, 3, 2.9, 1, 0.1, 0, -1) == [14, 3]

    def test_that_were_slept_through_are_given_once_and_the_nearer_one_only(self) -> None:
        assert self.look(100, 2, 1) == [3]
        assert self.look(100, 9, 1) == [14, 3]

    def test_of_what_is_seen_first_in_its_last_days_come_once(self) -> None:
        assert self.look(0.5, 0.4) == [3]

    def test_of_what_is_over_do_not_come(self) -> None:
        assert self.look(0, -1, -400) == []

    def test_come_anew_for_a_new_end(self) -> None:
        watched = Watched()
        for ends_at, now in (
            (NOW + 2 * DAY, NOW),
            (NOW + 10 * DAY, NOW + HOUR),
            (NOW + 10 * DAY, NOW + 8 * DAY),
            (NOW + 90 * DAY, NOW + 9 * DAY),
            (NOW + 90 * DAY, NOW + 77 * DAY),
        ):
            watched.look(ends_at, now)
        assert watched.told == [3, 14, 3, 14]

    def test_come_once_for_an_end_that_is_told_again_and_again_by_a_few_seconds_differently(self) -> None:
        watched = Watched()
        for number in range(100):
            drift = timedelta(seconds=number % 3)
            watched.look(NOW + 10 * DAY + drift, NOW + number * timedelta(minutes=10))
        assert watched.told == [14]

    def test_come_once_where_the_clock_is_put_back_a_little(self) -> None:
        assert self.look(14, 14.001, 13.999, 3, 3.001, 2.9) == [14, 3]

    def test_without_anything_remembered_of_the_end_come_again(self) -> None:
        assert still_warned(14, None, self.END) is None
        assert still_warned(14, self.END, None) is None
        assert still_warned(14, self.END, self.END) == 14

    def test_of_three_days_were_about_another_end_where_more_are_left(self) -> None:
        assert warning_due(NOW + 10 * DAY, NOW, 3) == 14

    @given(st.lists(days, max_size=30))
    def test_come_at_most_once_each_and_in_their_order_however_seldom_it_is_looked_at(
        self, left: list[timedelta]
    ) -> None:
        ahead = sorted(left, reverse=True)
        told = self.look(*(one / DAY for one in ahead))
        assert told in ([], [14], [3], [14, 3])
        assert (3 in told) == any(timedelta(0) < one <= 3 * DAY for one in ahead)
        assert (14 in told) == any(3 * DAY < one <= 14 * DAY for one in ahead)

    @given(days)
    def test_are_found_by_looking_again_at_the_time_of_the_next_one(self, left: timedelta) -> None:
        moments_, watched = [self.END - left], Watched()
        while (at := next_warning(self.END, moments_[-1])) is not None:
            moments_.append(at)
        assert all(one < other for one, other in pairwise(moments_))
        for moment in moments_:
            watched.look(self.END, moment)
        assert watched.told == (
            [] if left <= timedelta(0) else [3] if left <= 3 * DAY else [14, 3]
        )  # the same as for one who looks all the time

    def test_are_planned_one_after_the_other(self) -> None:
        assert next_warning(self.END, NOW) == self.END - 14 * DAY
        assert next_warning(self.END, self.END - 14 * DAY) == self.END - 3 * DAY
        assert next_warning(self.END, self.END - 3 * DAY) is None
        assert WARNINGS == (14, 3)


class TestWords:
    @given(days)
    def test_do_not_change_while_the_day_of_the_end_comes_nearer(self, left: timedelta) -> None:
        assert end_words(NOW + DAY) == end_words(NOW + DAY + timedelta(hours=11, minutes=59))
        assert str((NOW + left).date()) in end_words(NOW + left)

    def test_name_the_day_of_utc(self) -> None:
        there = datetime(2027, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=5)))
        assert end_words(there) == "on 2027-02-28 (UTC)"
