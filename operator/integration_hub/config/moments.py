"""Moments as external systems write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
"""A number that an answer has as text."""

_MILLISECONDS: Final = 946_684_800_000
"""Milliseconds reach this number in the year 2000. As seconds, no calendar has it: the last of the year 9999, which
some write for 'never', is less."""
_ZONE: Final = re.compile(r" (?:(?P<utc>UTC|GMT)|(?P<offset>[+-][0-9]{4}))\Z", re.ASCII)
"""A zone behind a space, as GitHub writes it: '2026-12-31 12:00:00 UTC'."""
_LONGEST: Final = 64


def moment_of(told: Any) -> datetime | None:
    """Return a moment that is told as ISO 8601, or as seconds or milliseconds since 1970; None of anything else.

    What has no zone is in UTC; a date is its beginning.
    """
    if isinstance(told, str):
        text = told.strip()
        if not NUMBER.fullmatch(text):
            return _written(text)
        told = float(text)
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    try:
        return datetime.fromtimestamp(told / 1000 if told >= _MILLISECONDS else told, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _written(text: str) -> datetime | None:
    if len(text) > _LONGEST:
        return None
    text = _ZONE.sub(lambda zone: zone["offset"] or "+00:00", text)
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
