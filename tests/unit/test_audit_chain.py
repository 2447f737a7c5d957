"""The audit log's chain: whatever is done to its lines between the first and the last is found, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.credentials.audit_chain import FIELD, Link, Report, check_lines, link_of, linked
from integration_hub.credentials.keyring import Keyring, with_new_key

RING = Keyring({1: bytes(range(32))})
CHAIN = "0123456789abcdef"

Line = dict[str, Any]


def written(count: int, *, ring: Keyring = RING, chain: str = CHAIN, ends: bool = True) -> list[Line]:
    """Return lines as they are read from a log: through JSON."""
    lines, before = [], None
    for number in range(1, count + 1):
        line = {
            "event": "connection tested",
            "instance": f"team/c-{number}",
            "secret_uid": None,
            "pause": 0.5,
        }
        before = linked(line, ring, chain=chain, before=before, last=ends and number == count)
        lines.append(json.loads(json.dumps({**line, FIELD: before.to_wire()})))
    return lines


def checked(lines: list[Line], ring: Keyring = RING) -> Report:
    return check_lines(((f"line {number}", line) for number, line in enumerate(lines, start=1)), ring)


def said(lines: list[Line], ring: Keyring = RING) -> list[str]:
    return [str(fault) for fault in checked(lines, ring).faults]


def test_a_log_as_it_was_written_is_sound_and_says_that_it_is_whole() -> None:
    report = checked(written(5))
    assert report.is_sound
    (chain,) = report.chains.values()
    assert (chain.first, chain.seen, chain.lines, chain.ended) == (1, 5, 5, True)


def test_a_log_without_audit_lines_is_not_sound() -> None:
    assert not checked([]).is_sound


def test_what_is_missing_at_the_end_shows_in_that_the_chain_does_not_end() -> None:
    report = checked(written(5)[:-1])
    assert report.is_sound
    assert [chain.ended for chain in report.chains.values()] == [False]


def test_a_log_whose_beginning_was_rotated_away_is_sound() -> None:
    report = checked(written(5)[2:])
    assert report.is_sound
    assert [chain.first for chain in report.chains.values()] == [3]


def test_runs_that_are_mixed_are_told_apart() -> None:
    one, other = written(3), written(3, chain="f" * 16)
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]
    assert checked(mixed).is_sound
    assert set(checked(mixed).chains) == {CHAIN, "f" * 16}


def test_a_key_that_took_over_in_the_middle_breaks_nothing() -> None:
    rotated = with_new_key(RING, lambda size: bytes(reversed(range(size))))
    first, *_ = written(2, ends=False)
    link = link_of(first)
    second: Line = {"event": "connection tested"}
    second[FIELD] = linked(second, rotated, chain=CHAIN, before=link).to_wire()
    assert checked([first, second], rotated).is_sound
    assert said([first, second]) == [
        f"line 2: is sealed with key-2 ({rotated.check(2)}), which the keyring does not have"
    ]


TAMPERED: dict[str, tuple[Callable[[list[Line]], list[Line]], list[str]]] = {
    "a value changed": (
        lambda lines: [lines[0], {**lines[1], "instance": "team/other"}, *lines[2:]],
        ["line 2: was changed, or was not written by the operator: its seal does not fit"],
    ),
    "a field added": (
        lambda lines: [*lines[:3], {**lines[3], "note": "by hand"}],
        ["line 4: was changed, or was not written by the operator: its seal does not fit"],
    ),
    "a line taken out": (
        lambda lines: [lines[0], lines[2], lines[3]],
        ["line 2: is number 3 of its chain; number 2 is before it missing"],
    ),
    "two lines taken out": (
        lambda lines: [lines[0], lines[3]],
        ["line 2: is number 4 of its chain; numbers 2 to 3 are before it missing"],
    ),
    "two lines exchanged": (
        lambda lines: [lines[0], lines[2], lines[1], lines[3]],
        [
            "line 2: is number 3 of its chain; number 2 is before it missing",
            "line 3: is number 2 of its chain and comes after number 3: moved, or there twice",
        ],
    ),
    "a line there twice": (
        lambda lines: [lines[0], lines[1], lines[1], *lines[2:]],
        ["line 3: is number 2 of its chain and comes after number 2: moved, or there twice"],
    ),
    "a seal taken off": (
        lambda lines: [lines[0], {"event": "connection tested"}, *lines[2:]],
        [
            "line 2: is not sealed, or its seal was damaged",
            "line 3: is number 3 of its chain; number 2 is before it missing",
        ],
    ),
    "a line that says that it was the last": (
        lambda lines: [lines[0], {**lines[1], FIELD: {**lines[1][FIELD], "last": True}}, *lines[2:]],
        [
            "line 2: was changed, or was not written by the operator: its seal does not fit",
            "line 3: comes after the line that ends its chain",
        ],
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_done_to_the_log_is_named(name: str) -> None:
    tamper, expected = TAMPERED[name]
    assert said(tamper(written(4))) == expected


def test_a_line_of_another_run_with_a_good_seal_of_its_own_does_not_fit_in() -> None:
    one, other = written(3), written(3)
    changed: Line = {"event": "connection tested", "instance": "elsewhere"}
    changed[FIELD] = linked(changed, RING, chain=CHAIN, before=link_of(other[0])).to_wire()
    assert said([one[0], changed, one[2]]) == [
        "line 3: does not follow the line before it, which is number 2: one of the two is another one"
    ]


@pytest.mark.parametrize(
    "wire",
    [
        None, 1, "x", [], {}, {"chain": "zz"},
        {"chain": CHAIN, "seq": 0, "key": 1, "check": "a" * 8, "after": "", "seal": "a" * 64},
        {"chain": CHAIN, "seq": True, "key": 1, "check": "a" * 8, "after": "", "seal": "a" * 64},
        {"chain": CHAIN, "seq": 1, "key": 1, "check": "a" * 8, "after": None, "seal": "a" * 64},
        {"chain": CHAIN, "seq": 1, "key": 1, "check": "a" * 8, "after": "", "seal": "A" * 64},
        {"chain": CHAIN, "seq": 1, "key": 1, "check": "a" * 8, "after": "", "seal": "a" * 64, "last": False},
    ],
)  # fmt: skip
def test_what_is_no_link_is_taken_for_none(wire: object) -> None:
    assert link_of({"event": "x", FIELD: wire}) is None


def changes(line: Line) -> Iterator[Line]:
    """Yield the line with each of its values another one."""
    for name, value in line.items():
        if name != FIELD:
            yield {**line, name: f"{value}x"}
            yield {other: kept for other, kept in line.items() if other != name}


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=10).filter(lambda name: name != FIELD),
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_the_lines_say_they_are_sound_and_no_change_to_any_goes_unnoticed(
    contents: list[Line],
) -> None:
    lines, before = list[Line](), None
    for content in contents:
        link: Link = linked(content, RING, chain=CHAIN, before=before)
        lines.append(json.loads(json.dumps({**content, FIELD: link.to_wire()})))
        before = link
    assert checked(lines).is_sound
    for index, line in enumerate(lines):
        for changed in changes(line):
            assert not checked([*lines[:index], changed, *lines[index + 1 :]]).is_sound
