"""Texts that settings of several methods have: what each may be, and what is said of anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]


def text(pattern: str, expected: str) -> Schema:
    """Return the schema of a text; `expected` is what a person reads where the pattern does not match."""
    return {"type": "string", "pattern": pattern, "x-hub-pattern-message": f"must be {expected}"}


def one_line(most: int, *, least: int = 0) -> Schema:
    """Return the schema of a text without line breaks and other control characters."""
    return text(f"^[^\\x00-\\x1f\\x7f]{{{least},{most}}}$", _size("one line", least, most))


def ascii_line(most: int, *, least: int = 1) -> Schema:
    """Return the schema of a text that a header can carry."""
    return text(f"^[ -~]{{{least},{most}}}$", _size("one line of plain ASCII", least, most))


def _size(what: str, least: int, most: int) -> str:
    return f"{what}, of {least} to {most} characters" if least else f"{what}, of {most} characters at most"


KEY_NAME: Final = text(
    "^[-._a-zA-Z0-9]{1,253}$", "the name of a key in the Secret: letters, digits, '-', '_' and '.'"
)
"""What Kubernetes allows as a key of a Secret."""

DURATION: Final = text(
    "^(0{1,6}[hms]){0,2}[1-9][0-9]{0,5}[hms]([0-9]{1,6}[hms]){0,2}$", "a duration like '2h' or '1h30m'"
)
"""Longer than none: what ends at once would be asked for again without end."""

PLACE: Final = text(
    r"^[^$/\x00-\x20\x7f\[\]][^/\x00-\x20\x7f\[\]]{0,99}$",
    "names with '.' between them, like 'data.0.token', without '$', '/' or '['",
)
"""A place in a JSON document. What JSONPath or a JSON pointer would say is no name that any system has."""
