"""Durations like '1h30m', as definitions, instances and flags write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"h": 3600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"([0-9]{1,6}[hms]){1,50}", re.ASCII)
_PART: Final = re.compile(r"([0-9]+)([hms])", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Return a duration like '1h30m' as the CRD admits it; ValueError for anything else."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"'{text}' is no duration like '5m' or '1h30m'")
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text)))
