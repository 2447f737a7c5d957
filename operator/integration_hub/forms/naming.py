"""Names that a form proposes, and what is wrong with one that a person has chosen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from itertools import chain, count
from typing import Final

MAX_NAME: Final = 63
"""Characters of a proposed name; what is derived from it, such as the Secret's, must still fit."""
MAX_OBJECT_NAME: Final = 253
MAX_DISPLAY_NAME: Final = 100

_OBJECT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def object_name(words: str, *, otherwise: str = "connection") -> str:
    """Return words as the name of an object: 'Kubernetes - Production (EU)' is 'kubernetes-production-eu'."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode("ascii").lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_NAME].strip("-")
    return name or otherwise


def free_name(name: str, taken: Collection[str], *, separator: str = "-") -> str:
    """Return the name, with the first number behind it that makes it free; case does not make it another name."""
    lower = {other.lower() for other in taken}
    if name.lower() not in lower:
        return name
    return next(
        candidate
        for number in range(2, len(lower) + 3)
        if (candidate := f"{name}{separator}{number}").lower() not in lower
    )


def free_object_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, with the first number behind it that makes it free; of as few as possible is it asked."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(candidate for candidate in chain([name], numbered) if not is_taken(candidate))


def object_name_problem(name: str) -> str | None:
    """Return what keeps a text from being the name of an object, in the words of the API server's own refusal."""
    if not name:
        return "is required"
    if len(name) > MAX_OBJECT_NAME:
        return f"must have at most {MAX_OBJECT_NAME} characters (it has {len(name)})"
    if not _OBJECT_NAME.fullmatch(name):
        return "must be lower-case letters, digits, '-' and '.', like 'salesforce-production'"
    return None


def display_name_problem(name: str) -> str | None:
    """Return what keeps a text from being a display name."""
    if len(name) > MAX_DISPLAY_NAME:
        return f"must have at most {MAX_DISPLAY_NAME} characters (it has {len(name)})"
    if not name.isprintable():
        return "must be one line without control characters"
    return None
