"""`{{ name }}` in a vendor file: what stands there is known only once a case is played."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_.-]*)\s*\}\}")


def names_in(value: Any) -> Iterator[str]:
    """Yield the names of all placeholders in a text, or in the texts of a JSON value."""
    for text in _texts(value):
        for match in _PLACEHOLDER.finditer(text):
            yield match[1]


def filled(value: Any, look_up: Callable[[str], str]) -> Any:
    """Return a JSON value with each placeholder in its texts filled in, names of fields as they are.

    A text that is nothing but a placeholder whose value is a whole number stays text: what is a number is written
    as one.
    """
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda match: look_up(match[1]), value)
    if isinstance(value, Mapping):
        return {name: filled(below, look_up) for name, below in value.items()}
    if isinstance(value, list):
        return [filled(below, look_up) for below in value]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
