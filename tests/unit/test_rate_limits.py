"""What an answer says about how soon the next request may come: read where it is meant, and never believed too far."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model.http import HttpResponse
from integration_hub.probe.rate_limits import LONGEST_PAUSE, asked_pause

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def pause(status: int = 200, now: datetime = NOW, /, **headers: str) -> float | None:
    """The pause for an answer with these headers, '_' standing for '-'."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asked_pause(HttpResponse(status, named, b""), now)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_is_read_where_it_asks_for_fewer_requests(status: int) -> None:
    assert pause(status, retry_after="120") == 120


@pytest.mark.parametrize("status", [200, 202, 301, 404, 500, 502])
def test_retry_after_means_something_else_with_other_answers(status: int) -> None:
    assert pause(status, retry_after="120") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sun, 01 Mar 2026 11:59:00 GMT", None),  # has passed
        ("Sun, 31 Feb 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 XYZ", None),
        ("Sun, 01 Mar 2026 12:00:10 GMT, Sun, 01 Mar 2026 12:00:20 GMT", 20),
        ("Sun, 01 Mar 9999 12:00:00 GMT", LONGEST_PAUSE),
        ("Sun, 01 Mar 0000 12:00:00 GMT", None),
        ("10, 30", 30),
        ("10, 30, Sun, 01 Mar 2026 12:00:20 GMT", 30),
        ("1.5", 1.5),
        ("  7 ", 7),
        ("0", None),
        ("-5", None),
        ("-0", None),
        ("+5", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("0x10", None),
        ("٣", None),
        ("3_0", None),
        ("soon", None),
        ("", None),
        (", ,", None),
        ("99999999", LONGEST_PAUSE),
        ("9" * 400, LONGEST_PAUSE),
        ("9" * 100_000, LONGEST_PAUSE),
    ],
)
def test_retry_after_is_read_in_every_form_and_bounded(value: str, expected: float | None) -> None:
    assert pause(429, retry_after=value) == expected


@pytest.mark.parametrize("prefix", ["x_ratelimit", "ratelimit", "x_rate_limit"])
@pytest.mark.parametrize("reset", ["40", str(EPOCH + 40), str((EPOCH + 40) * 1000), f"{EPOCH}, {EPOCH + 40}"])
def test_a_quota_that_is_used_up_says_when_there_will_be_more(prefix: str, reset: str) -> None:
    used_up = {f"{prefix}_remaining": "0", f"{prefix}_reset": reset}
    assert pause(200, **used_up) == 40
    assert pause(403, **used_up) == 40
    assert pause(200, **used_up | {f"{prefix}_remaining": "1"}) is None
    assert pause(200, **{f"{prefix}_reset": reset}) is None
    assert pause(200, **{f"{prefix}_remaining": "0"}) is None


def test_a_quota_can_be_told_in_seconds_from_now_by_another_header() -> None:
    assert pause(429, x_ratelimit_remaining="0", x_ratelimit_reset_after="1.25") == 1.25


def test_a_reset_that_has_passed_asks_for_nothing() -> None:
    assert pause(x_ratelimit_remaining="0", x_ratelimit_reset=str(EPOCH - 1)) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"default";r=0;t=30', 30),
        ('"default"; r=0; t=30', 30),
        ('"default";r=5;t=30', None),
        ('"default";r=0', None),
        ('"default";t=30', None),
        ('"minute";r=3;t=10, "day";r=0;t=600', 600),
        ('"minute";r=0;t=10, "day";r=7;t=600', 10),
        ('"a;r=0;t=99, b";r=4;t=10', None),
        ("limit=10, remaining=0, reset=30", 30),
        ("limit=10, remaining=4, reset=30", None),
        ("limit=10;remaining=0;reset=30", 30),
        ('"default";r=0;t=-30', None),
        ('"default";r=-0;t=30', None),
        ('"default";r=0.5;t=30', None),
        ('"default";r=0;t=' + "9" * 500, LONGEST_PAUSE),
        ('"' * 5000, None),
        ("r=0" * 3000, None),
    ],
)
def test_the_one_header_for_all_is_read_in_both_of_its_forms(value: str, expected: float | None) -> None:
    assert pause(200, ratelimit=value) == expected


def test_the_longest_of_several_wishes_counts() -> None:
    assert pause(429, retry_after="5", x_ratelimit_remaining="0", x_ratelimit_reset="60") == 60


def test_times_of_day_are_compared_with_the_hosts_own_clock() -> None:
    behind = datetime(2026, 3, 1, 11, 0, 0, tzinfo=UTC)
    headers = {"date": format_datetime(NOW, usegmt=True), "retry_after": "Sun, 01 Mar 2026 12:01:30 GMT"}
    assert pause(429, behind, **headers) == 90
    assert pause(429, behind, **headers | {"date": "yesterday"}) == LONGEST_PAUSE


def test_a_shorter_bound_can_be_given() -> None:
    assert asked_pause(HttpResponse(429, {"retry-after": "600"}, b""), NOW, longest=60) == 60


VALUES = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"[-+]?[0-9.e]{0,30}(, [0-9]{1,5})?", fullmatch=True),
    st.from_regex(r'("[a-z]*"; ?)?(r|remaining)=[0-9]{1,30}[;,] ?(t|reset)=[0-9]{1,30}', fullmatch=True),
    st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", fullmatch=True
    ),
)
NAMES = st.sampled_from(
    ["date", "ratelimit", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-reset"]
)


@given(st.sampled_from([200, 403, 429, 503]), st.dictionaries(NAMES, VALUES))
def test_whatever_stands_there_the_pause_is_sane(status: int, headers: dict[str, str]) -> None:
    found = asked_pause(HttpResponse(status, headers, b""), NOW)
    assert found is None or (math.isfinite(found) and 0 < found <= LONGEST_PAUSE)
