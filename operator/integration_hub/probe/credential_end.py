"""When the credential in use ends, as an answer tells. Of the answer nothing is shown but a moment that was read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from integration_hub.config.moments import moment_of
from integration_hub.probe.expressions import (
    Document,
    EvaluationError,
    ExpressionError,
    Value,
    compile_expression,
)

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it no credential ended that is in use: systems write 1970 or the year 1 where they mean nothing."""
_NEVER: Final = 9999
"""The year that means 'never'."""


class CredentialEnd(NamedTuple):
    """What an answer tells of the credential's end."""

    ends_at: datetime | None
    """When it ends; None where it has no end."""
    unreadable: str = ""
    """Why nobody can tell, where that is so."""


def credential_end(expression: str, document: Document) -> CredentialEnd:
    """Return what an answer tells of the credential's end."""
    try:
        value = compile_expression(expression).evaluate(document)
    except (ExpressionError, EvaluationError) as error:
        return CredentialEnd(None, str(error))
    return _understood(value)


def _understood(value: Value) -> CredentialEnd:
    if value is None or _is_never(value):
        return CredentialEnd(None)
    moment = value if isinstance(value, datetime) else moment_of(value)
    if moment is None:
        return CredentialEnd(None, "what stands there is no moment")
    if moment < _EARLIEST:
        return CredentialEnd(None, "the moment there is before the year 2000")
    return CredentialEnd(None if _is_never(moment) else moment)


def _is_never(value: Value) -> bool:
    """Tell whether it means 'never': nothing, 0 or -1, or the year 9999 in any zone; ours may have no such year."""
    if isinstance(value, datetime):
        return value.year == _NEVER
    if isinstance(value, str):
        return value.strip() in {"", "0", "-1"} or value.strip().startswith(f"{_NEVER}-")
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0
