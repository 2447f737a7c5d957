"""How long tokens live, as token URLs say it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from integration_hub.config.moments import NUMBER

LONGEST: Final = timedelta(days=3650)
"""What lives longer may as well live so long: some systems mean 'for ever' by a number no calendar has."""


def lifetime(told: Any) -> timedelta | None:
    """Return the lifetime that an answer tells in seconds, also as text; None of nonsense, and of none (0)."""
    if isinstance(told, str) and NUMBER.fullmatch(told.strip()):
        told = float(told)
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    if not math.isfinite(told) or told <= 0:
        return None
    return timedelta(seconds=min(told, LONGEST.total_seconds()))


def end(now: datetime, told: Any) -> datetime | None:
    """Return when that is over which an answer gives so many seconds."""
    lives = lifetime(told)
    return now + lives if lives else None
