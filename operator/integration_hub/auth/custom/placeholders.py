"""Places in a text where what a signature is made of is filled in: '{method}', '{header:Content-Type}'.

Filled in once and never again in what was filled in, so a value that looks like a place stays what it is. '{' and '}'
that make no such word, as in JSON, are plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

_PLACE: Final = re.compile(r"\{([A-Za-z]+)(?::([-!#$%&'*+.^_`|~0-9A-Za-z]+))?\}")
_TEMPLATE: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class Placeholder(NamedTuple):
    """One place: '{name}', or '{name:argument}'."""

    name: str
    argument: str

    def __str__(self) -> str:
        return f"{{{self.name}:{self.argument}}}" if self.argument else f"{{{self.name}}}"


def placeholders_in(text: str) -> list[Placeholder]:
    """Return the places in a text whose '{{ config.x }}' may or may not be filled in yet."""
    return [Placeholder(name, argument) for name, argument in _PLACE.findall(_TEMPLATE.sub("", text))]


def makes_places(template: str, rendered: str) -> bool:
    """Tell whether what was filled in for '{{ config.x }}' has made a place: all of them are the template's."""
    return [Placeholder(name, argument) for name, argument in _PLACE.findall(rendered)] != placeholders_in(
        template
    )


def filled(text: str, value: Callable[[Placeholder], bytes | None]) -> bytes:
    """Return the text, in UTF-8, with every place filled in; one for which there is no value stays as it is."""
    parts: list[bytes] = []
    at = 0
    for match in _PLACE.finditer(text):
        found = value(Placeholder(match[1], match[2] or ""))
        if found is not None:
            parts += [text[at : match.start()].encode(), found]
            at = match.end()
    return b"".join([*parts, text[at:].encode()])
