"""Finding a definition by what people remember of it: a part of its name, its maker, what it is for, misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be chosen: a definition in a few words."""

    name: str
    title: str
    vendor: str = ""
    categories: tuple[str, ...] = ()
    description: str = ""


def entry_of(raw: Mapping[str, Any]) -> Entry:
    """Return an IntegrationDefinition, as the API server sends it, as an entry."""
    spec = raw.get("spec") or {}
    name = str(raw["metadata"]["name"])
    return Entry(
        name,
        str(spec.get("displayName") or name),
        str(spec.get("vendor") or ""),
        tuple(str(category) for category in spec.get("categories") or ()),
        str(spec.get("description") or ""),
    )


_EXACT: Final = 100
_BEGINS: Final = 60
_INSIDE: Final = 40
_MAKER: Final = 30
_TOLD: Final = 10
_MISSPELT: Final = 20
_LIKENESS: Final = 0.75


def found(entries: Iterable[Entry], words: str) -> list[Entry]:
    """Return the entries that have something of every word, the best first; all by their titles without words."""
    wanted = words.lower().split()
    scored = (
        (sum(scores), entry) for entry in entries if all(scores := [_score(entry, word) for word in wanted])
    )
    return [entry for _, entry in sorted(scored, key=lambda pair: (-pair[0], pair[1].title.lower()))]


def _score(entry: Entry, word: str) -> int:
    names = {entry.name.lower(), entry.title.lower()}
    parts = {part for name in names for part in name.replace("-", " ").split()}
    if word in names:
        return _EXACT
    if any(part.startswith(word) for part in parts | names):
        return _BEGINS
    if any(word in name for name in names):
        return _INSIDE
    if word in entry.vendor.lower() or any(category.startswith(word) for category in entry.categories):
        return _MAKER
    if difflib.get_close_matches(word, parts | names, n=1, cutoff=_LIKENESS):
        return _MISSPELT
    return _TOLD if word in entry.description.lower() else 0
