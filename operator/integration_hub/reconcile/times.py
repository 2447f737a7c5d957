"""Times and durations as Kubernetes writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"h": 3600, "m": 60, "s": 1}


def timestamp(moment: datetime) -> str:
    """Return a UTC moment as Kubernetes writes it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names, None where it names none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta:
    """Return a duration like '1h30m' as the CRD admits it; ValueError for anything else."""
    if not re.fullmatch(r"([0-9]{1,6}[hms])+", text):
        raise ValueError(f"'{text}' is no duration like '5m' or '1h30m'")
    return timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)([hms])", text)))
