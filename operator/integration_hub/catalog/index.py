"""The catalog in short, and searching it: what is known of each definition without reading all of them.

The index is a file of one line for each definition, made by tools/generate_catalog.py: a search over a thousand of them
must not parse a thousand manifests. Nothing here needs pydantic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A definition in short."""

    name: str
    display_name: str
    vendor: str
    categories: tuple[str, ...]
    description: str
    version: str
    fields: tuple[str, ...]
    """Names and titles of its configuration."""
    methods: tuple[str, ...]
    """Names and words of its auth methods, and of the keys that they need."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A definition that was found, and how well it fits: 1 where everything is as it was typed."""

    entry: Entry
    score: float


_WEIGHTS: Final[Mapping[str, float]] = {
    "name": 1.0,
    "display_name": 1.0,
    "vendor": 0.9,
    "categories": 0.75,
    "methods": 0.55,
    "fields": 0.5,
    "description": 0.45,
}
"""How much a word counts that was found there."""
_PREFIX: Final = 0.9
_INSIDE: Final = 0.7
_TYPO: Final = 0.2
"""What each wrong letter takes away."""
_SHORTEST: Final = 3
"""Letters from which on a word may stand inside of another."""
_ONE_TYPO, _TWO_TYPOS = 4, 8
"""Letters from which on a word may have so many of them wrong."""
_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BY_WEIGHT: Final = sorted(_WEIGHTS.items(), key=lambda pair: pair[1])


def entry_of(raw: Raw) -> Entry:
    """Return a definition in short, as the catalog or a cluster has it; of one with mistakes, what is right.

    The API server lets anything stand in a configSchema, and an object may be older than its CRD: nothing is taken for
    what it should be before it was looked at.
    """
    name, spec = raw["metadata"]["name"], _fields_of(raw.get("spec"))
    properties = _fields_of(_fields_of(spec.get("configSchema")).get("properties"))
    fields = [text for key, field in properties.items() for text in (key, _fields_of(field).get("title"))]
    methods = [
        text
        for method in map(_fields_of, _items_of(spec.get("authMethods")))
        for text in (
            method.get("name"),
            method.get("displayName"),
            *(_fields_of(entry).get("displayName") for entry in _items_of(method.get("credentials"))),
        )
    ]
    return Entry(
        name,
        _text_of(spec.get("displayName")) or name,
        _text_of(spec.get("vendor")),
        _texts_of(_items_of(spec.get("categories"))),
        " ".join(_text_of(spec.get("description")).split()),
        _text_of(spec.get("version")),
        _texts_of(fields),
        _texts_of(methods),
    )


def _fields_of(value: object) -> Raw:
    return value if isinstance(value, Mapping) else {}


def _items_of(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts_of(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(filter(None, map(_text_of, values)))


def line_of(entry: Entry) -> str:
    """Return an entry as a line of the index."""
    return json.dumps(asdict(entry), ensure_ascii=False)


def read_index(text: str) -> list[Entry]:
    """Return the entries of an index, in its order."""
    entries = []
    for line in filter(None, text.split("\n")):  # a text may hold other signs that end a line
        values = json.loads(line)
        for name in ("categories", "fields", "methods"):
            values[name] = tuple(values[name])
        entries.append(Entry(**values))
    return entries


def has_words(text: str) -> bool:
    """Tell whether there is anything to search for: a letter or a digit."""
    return bool(_words_of(text))


def search(entries: Sequence[Entry], words: str) -> list[Hit]:
    """Return the definitions in which every word is found, the best first; none where there is no word.

    A word counts most in a name, less in what describes; whole more than its beginning, and that more than its inside.
    In a longer word a letter or two may be wrong, missing, too many or swapped.
    """
    wanted = _words_of(words)
    if not wanted:
        return []
    places = _places(entries)
    scores = [_scores(word, places) for word in wanted]
    hits = [
        Hit(entry, sum(score[number] for score in scores) / len(scores))
        for number, entry in enumerate(entries)
        if all(number in score for score in scores)
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.entry.display_name.lower(), hit.entry.name))


def _places(entries: Sequence[Entry]) -> dict[str, dict[int, float]]:
    """Return of each word in which entries it stands, with the weight of the best place."""
    places: dict[str, dict[int, float]] = {}
    for number, entry in enumerate(entries):
        weights: dict[str, float] = {}
        # From the least to the most, so that the weight of the best place stays.
        for part, weight in _BY_WEIGHT:
            value = getattr(entry, part)
            for text in (value,) if isinstance(value, str) else value:
                weights.update(dict.fromkeys(_words_of(text), weight))
        # People type a name of several words as one.
        weights["".join(_words_of(entry.display_name))] = _WEIGHTS["display_name"]
        for word, weight in weights.items():
            places.setdefault(word, {})[number] = weight
    return places


def _scores(word: str, places: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
    """Return how well a word fits each entry in which it is found."""
    found: dict[int, float] = {}
    for known, share in _alike(word, places):
        for number, weight in places[known].items():
            found[number] = max(found.get(number, 0.0), weight * share)
    return found


def _alike(word: str, known: Mapping[str, object]) -> list[tuple[str, float]]:
    """Return the known words that are meant, with how well they fit."""
    found = [(text, share) for text in known if (share := _share(word, text)) > 0]
    typos = 0 if len(word) < _ONE_TYPO else 1 if len(word) < _TWO_TYPOS else 2
    if typos and not any(text == word for text, _ in found):
        found += [(text, 1 - _TYPO * distance) for text, distance in _near(word, known, typos) if distance]
    return found


def _share(word: str, text: str) -> float:
    if text == word:
        return 1.0
    if text.startswith(word):
        return _PREFIX
    return _INSIDE if len(word) >= _SHORTEST and word in text else 0.0


def _near(word: str, known: Iterable[str], typos: int) -> list[tuple[str, int]]:
    """Return the known words with at most so many letters other, swapped neighbours being one."""
    from rapidfuzz.distance import OSA  # noqa: PLC0415 - most words are typed right
    from rapidfuzz.process import extract  # noqa: PLC0415

    distance: Callable[..., int] = OSA.distance
    # What somebody has begun to type may have a typo in it, too.
    beginnings = {text[: len(word)]: text for text in known if len(text) > len(word) + typos}
    whole = extract(word, list(known), scorer=distance, score_cutoff=typos, limit=None)
    begun = extract(word, list(beginnings), scorer=distance, score_cutoff=1, limit=None)
    return [
        *((text, int(count)) for text, count, _ in whole),
        *((beginnings[text], int(count) + 1) for text, count, _ in begun),
    ]


@lru_cache(maxsize=16384)
def _words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, each once; of camelCase and names with '-' their parts."""
    spaced = _HUMP.sub(" ", text) if text[:1].islower() else text
    return tuple(dict.fromkeys(_WORD.findall(spaced.lower())))
