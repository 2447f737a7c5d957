"""How much a pattern (regular expression) can cost: its size, and what is refused because it would have none.

Nothing here knows expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

MAX_PATTERN: Final = 3000
"""Size of a pattern: its characters, those in repeated parts as often as they are repeated."""

_CLASS_SIZES: Final = (
    (re.compile(r"\\[wWbB]|\[.*\\[wW].*", re.DOTALL), 120),
    (re.compile(r"\\[dDsS]|\.|\[\^.*|\[.*\\[dDsS].*", re.DOTALL), 20),
)
"""How many characters a class counts for: there are letters in all alphabets."""

_TOKEN: Final = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?(?:[^\]\[\\]|\\.)+\])|(?P<times>\{[^}]*\}?)|(?P<other>.)", re.DOTALL
)
_FAULTS: Final[tuple[tuple[Callable[[str], object], str], ...]] = (
    (re.compile(r"\\[pP]").search, r"'\p' is not supported in a pattern"),
    (
        re.compile(r"\(\?(?!:|[ims]+[:)])").search,
        "in a pattern, '(?' is only followed by ':', or by i, m, s for its flags",
    ),
    (
        lambda pattern: any(found["other"] == "[" for found in _TOKEN.finditer(pattern)),
        "in a pattern, a '[' or a first ']' within '[...]' needs a backslash",
    ),
    (
        lambda pattern: pattern_size(pattern) > MAX_PATTERN,
        "the pattern repeats too much; use smaller numbers in '{}'",
    ),
)
"""What keeps a pattern from being bounded."""


def pattern_fault(pattern: str) -> str:
    """Return what keeps a pattern from being bounded, empty where nothing does; it may be no pattern at all."""
    return next((fault for has_fault, fault in _FAULTS if has_fault(pattern)), "")


def pattern_size(pattern: str) -> int:
    """Return how large the pattern is at most once its '{3}' are written out."""
    sizes, last = [0], 0
    for found in _TOKEN.finditer(pattern):
        part = found[0]
        if part == "(":
            sizes.append(1)
            continue
        if part == ")" and len(sizes) > 1:
            last = sizes.pop()
        elif found["times"]:
            # White space is allowed within the digits of a number.
            counts = [int("".join(re.findall("[0-9]", number)) or 0) for number in part.split(",")]
            last *= max(counts) + 1
        else:
            last = next((size for form, size in _CLASS_SIZES if form.fullmatch(part)), 1)
        sizes[-1] += last
    return sum(sizes)
