"""When a credential ends that says so itself, as a JSON Web Token does. What it says is read and verified by nobody."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

_MAX_LENGTH: Final = 16384
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")
_LATEST: Final = 253402300799
"""The last second of the year 9999, behind which Python knows no time."""


def jwt_end(value: str) -> datetime | None:
    """Return when a JSON Web Token ends (RFC 7519 section 4.1.4); None of any other text, and where it does not say."""
    found = _JWT.fullmatch(value) if len(value) <= _MAX_LENGTH else None
    if found is None:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(end, bool) or not isinstance(end, int | float) or not 0 < end <= _LATEST:
        return None
    return datetime.fromtimestamp(int(end), UTC)


def earliest_end(values: Iterable[str]) -> datetime | None:
    """Return when the first of these texts ends that says so."""
    return min((end for value in values if (end := jwt_end(value)) is not None), default=None)
