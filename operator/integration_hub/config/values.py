"""Helpers for JSON values that several checks share: their plain-word type, and choices in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from types import NoneType
from typing import Any, Final

TYPE_WORDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of fields",
    "null": "empty",
}
"""JSON Schema's type names, in the words of people who fill in a form."""

_MAX_CHOICES = 12


def type_of(value: object) -> str:
    """Return JSON Schema's name of the value's type; a whole number is an 'integer' however it is written."""
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return next(name for kind, name in _TYPES if isinstance(value, kind))


_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (NoneType, "null"),
    (bool, "boolean"),  # before int, of which Python makes it a kind
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (Mapping, "object"),
    (object, "array"),
)


def in_words(value: object) -> str:
    """Return the value's type in plain words."""
    return TYPE_WORDS[type_of(value)]


def choices(values: Iterable[Any]) -> str:
    """Return the values as a list for a sentence, cut where it would grow too long to read."""
    shown = [as_text(value) for value in values]
    more = len(shown) - _MAX_CHOICES
    return ", ".join(shown[:_MAX_CHOICES]) + (f" and {more} more" if more > 0 else "")


def as_text(value: object) -> str:
    """Return a scalar as YAML would show it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_CLOSE: Final = 0.65
"""From which share of letters in common on a name may be meant: 'crn' is 'crm', and 'nope' is not 'openai'."""


def did_you_mean(name: object, known: Collection[Any]) -> str:
    """Return ' (did you mean ...?)' when a known name is close, else nothing."""
    by_text = {as_text(value).lower(): as_text(value) for value in known}
    close = difflib.get_close_matches(str(name)[:100].lower(), by_text, n=1, cutoff=_CLOSE)
    return f" (did you mean '{by_text[close[0]]}'?)" if close else ""


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does, all the way down: to Python, true is 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
