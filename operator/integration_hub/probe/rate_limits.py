"""What an answer says about how soon the next request may come. Pure, and believes nobody beyond an hour.

The headers are the other side's words: what cannot be read is as if it were not there, and where several times are
told the longest counts, because nobody minds a request too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integration_hub.model.http import HttpResponse

LONGEST_PAUSE = 3600.0
"""Nobody can silence the tests of a host for longer by one answer, be it a mistake or meant so."""

WAITING_STATUSES = frozenset({403, 429, 503})
"""Where Retry-After asks for fewer requests; 403 is how GitHub says so. With a redirect it means something else."""

QUOTA_HEADERS = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset-after"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
)
"""Header names, never standardised: how many requests are left, and when there will be more."""

_FIRST_EPOCH = 1e9
_FIRST_EPOCH_IN_MILLISECONDS = 1e11
"""Seconds until a reset are fewer than those since 1970, and those fewer than the milliseconds."""

_LONGEST_VALUE = 1000
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_DATE = re.compile(r"[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_REMAINING = re.compile(r"(?:^|[;,\s])(?:r|remaining)\s*=\s*([0-9]+)(?![0-9.])", re.ASCII)
_RESET = re.compile(r"(?:^|[;,\s])(?:t|reset)\s*=\s*([0-9]+)(?![0-9.])", re.ASCII)


def asked_pause(response: HttpResponse, now: datetime, *, longest: float = LONGEST_PAUSE) -> float | None:
    """Return for how many seconds an answer asks to be left alone, at most `longest`; None where it does not.

    Times of day are compared with the answer's own Date where it has one, for the two clocks may differ.
    """
    headers = response.headers
    here = next(_dates(headers.get("date", "")), now)
    asked = [*_quota_pauses(headers, here)]
    if response.status in WAITING_STATUSES:
        asked += _times(headers.get("retry-after", ""), here)
    pause = max(asked, default=0.0)
    return min(pause, longest) if pause > 0 else None


def _quota_pauses(headers: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Yield the seconds until each quota that is used up is filled again."""
    for remaining, reset in QUOTA_HEADERS:
        if any(left == 0 for left in _numbers(headers.get(remaining, ""))):
            yield from _times(headers.get(reset, ""), now)
    yield from _combined(headers.get("ratelimit", ""))


def _combined(value: str) -> Iterator[float]:
    """Read the IETF's one header for all, in its newer form '"name";r=0;t=30' or older 'remaining=0, reset=30'."""
    plain = _QUOTED.sub("", value[:_LONGEST_VALUE])
    policies = plain.split(",") if ";" in plain else [plain]
    for policy in policies:
        remaining, reset = _REMAINING.search(policy), _RESET.search(policy)
        if remaining and reset and float(remaining[1]) == 0:
            yield float(reset[1])


def _times(value: str, now: datetime) -> Iterator[float]:
    """Yield the seconds that each time in a header is away, however it is written; less than 0 where it has passed."""
    for number in _numbers(value):
        if number < _FIRST_EPOCH:
            yield number
        elif number < _FIRST_EPOCH_IN_MILLISECONDS:
            yield number - now.timestamp()
        else:
            yield number / 1000 - now.timestamp()
    for date in _dates(value):
        yield (date - now).total_seconds()


def _numbers(value: str) -> Iterator[float]:
    """Yield the plain numbers among the values of a header, which may have stood in the answer several times."""
    for part in value[:_LONGEST_VALUE].split(","):
        if _NUMBER.fullmatch(part.strip()):
            yield float(part)


def _dates(value: str) -> Iterator[datetime]:
    """Yield the dates in a header, in the one form that RFC 9110 still lets servers write."""
    for text in _DATE.findall(value[:_LONGEST_VALUE]):
        try:
            yield parsedate_to_datetime(text).replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue  # like '31 Feb'
