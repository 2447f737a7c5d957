"""The pattern matcher: the same answers as `re` within the subset, in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.config.pattern import MAX_PATTERN, Pattern, PatternError, compiled

ATOMS = st.sampled_from(
    ["a", "b", "-", r"\.", r"\d", r"\w", r"\S", "[ab]", "[^a]", "[a-c1-3_]", r"[\d-]", ".", "^", "$"]
)
QUANTIFIED = st.tuples(ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])).map(
    lambda pair: pair[0] + (pair[1] if pair[0] not in {"^", "$"} else "")
)
PATTERNS = st.recursive(
    st.lists(QUANTIFIED, max_size=4).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}({pair[1]})*"),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})+"),
    ),
    max_leaves=4,
)


@given(PATTERNS, st.text("abc1.-_\n ", max_size=8))
def test_agrees_with_re(pattern: str, text: str) -> None:
    # `$` of `re` also matches before a last line break, which ECMA's does not.
    reference = re.compile(pattern.replace("$", r"\Z"), re.ASCII)
    assert Pattern(pattern).search(text) == (reference.search(text) is not None)


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(a*)*b", "(x+x+)+y", "^.*.*.*.*=$", "^([a-z]+-?)+$"]
)
def test_no_pattern_takes_exponential_time(pattern: str) -> None:
    text = "a" * 3000 + "!"
    begun = time.perf_counter()
    assert not Pattern(pattern).search(text)
    assert time.perf_counter() - begun < 2


MATCHES = [
    (r"^AC[0-9a-fA-F]{32}$", "AC" + "0f" * 16, True),
    (r"^AC[0-9a-fA-F]{32}$", "AC" + "0f" * 15, False),
    (r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "acme-eu", True),
    (r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "acme-", False),
    (r"^\d{10,19}$", "1234567890\n", False),
    (r"^\d+$", "١٢٣", False),
    (r"^https://", "https://example.com", True),
    (r"^[^@\s]+@[^@\s]+$", "jane@example.com", True),
    (r"^\u00e9\x41\t$", "éA\t", True),
    (r"^[\-\]\\]+$", "-]\\", True),
    ("", "anything", True),
    ("^(eu|us)?$", "", True),
    ("^a{0}$", "", True),
    ("é", "café", True),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), MATCHES)
def test_matches(pattern: str, text: str, expected: bool) -> None:
    assert compiled(pattern).search(text) is expected


REFUSALS = [
    ("(?=a)", "look-around"),
    ("(?P<n>a)", "named groups"),
    (r"(a)\1", "not supported"),
    (r"\bword", "not supported"),
    (r"\p{L}", "not supported"),
    (r"[\b]", "not supported"),
    ("a**", "directly after another"),
    ("*a", "nothing to act on"),
    ("^*", "anchor"),
    ("(a", "without ')'"),
    ("a)", "without '('"),
    ("[a", "ends too early"),
    ("a\\", "not supported"),
    ("[z-a]", "range"),
    (r"[\d-z]", "range"),
    ("a{,3}", "count"),
    ("a{3,2}", "below its start"),
    ("a{99999}", "count"),
    (r"\xZZ", "hexadecimal"),
    ("(a{100}){100}", "repeats too much"),
    ("((((){9999}){9999}){9999})", "repeats too much"),
    ("(" * 30 + ")" * 30, "too deeply"),
    ("a" * (MAX_PATTERN + 1), "longer than"),
]


@pytest.mark.parametrize(("pattern", "said"), REFUSALS)
def test_refuses_what_it_cannot_run_and_says_why(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=re.escape(said)):
        Pattern(pattern)


@given(st.text("ab()[]{}*+?|^$\\.,-0123456789dwxu", max_size=20))
def test_any_text_is_compiled_or_refused(pattern: str) -> None:
    try:
        Pattern(pattern).search("aab0")
    except PatternError:
        return
