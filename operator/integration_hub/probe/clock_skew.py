"""By how much the clock of the other side differs from ours, as its answers tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MAX_SKEW: Final = 300.0
"""Seconds by which clocks may differ; signatures and tokens usually allow for as much."""


def clock_skew(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds by which the other side's clock is ahead of ours; None where it does not tell its time.

    An answer out of a cache tells an old time.
    """
    if "age" in headers:
        return None
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
