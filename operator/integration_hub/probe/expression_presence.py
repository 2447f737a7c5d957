"""Which fields of the configuration an expression reads before it has asked, with has(), whether they have a value.

It follows what decides, from left to right: what stands behind `has(config.a) &&` is only looked at where `a` has a
value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from integration_hub.probe.expression_reader import (
    Call,
    Choice,
    Collection,
    Field,
    Index,
    Macro,
    Member,
    Method,
    Name,
    Node,
    Operation,
    Suffix,
    static_name,
)

Fields = frozenset[str]

_CONFIG: Final = Name("config")
_NONE: Final[Fields] = frozenset()


def read_unasked(node: Node, present: Fields = _NONE) -> Iterator[str]:
    """Yield the names of fields that are read where they may have no value; those in `present` have one."""
    match node:
        case Call("has", Member(base, (*before, _))):
            # What has() asks for may be missing; whatever leads there may not.
            yield from read_unasked(Member(base, tuple(before)), present)
        case Call(_, argument):
            yield from read_unasked(argument, present)
        case Member(base, suffixes):
            if base == _CONFIG and suffixes and (name := static_name(suffixes[0])) and name not in present:
                yield name
            yield from read_unasked(base, present)
            for suffix in suffixes:
                yield from _behind(suffix, present)
        case Choice(condition, one, other):
            yield from read_unasked(condition, present)
            yield from read_unasked(one, present | _asked(condition, outcome=True))
            yield from read_unasked(other, present | _asked(condition, outcome=False))
        case Operation("and" | "or" as kind, operands):
            yield from _in_turn(operands, present, outcome=kind == "and")
        case Operation(_, parts) | Collection(parts):
            for part in parts:
                yield from read_unasked(part, present)


def _behind(suffix: Suffix, present: Fields) -> Iterator[str]:
    match suffix:
        case Index(key):
            yield from read_unasked(key, present)
        case Method(_, arguments):
            for argument in arguments:
                yield from read_unasked(argument, present)
        case Macro(_, _, bodies):
            # A first of two bodies says of which items the second is made.
            yield from _in_turn(bodies, present, outcome=True)


def _in_turn(nodes: Iterable[Node], present: Fields, *, outcome: bool) -> Iterator[str]:
    """Yield what is read unasked by nodes of which each is looked at only where those before it had that outcome."""
    for node in nodes:
        yield from read_unasked(node, present)
        present |= _asked(node, outcome=outcome)


def _asked(node: Node, *, outcome: bool) -> Fields:
    """Return the fields that surely have a value where a condition has that outcome."""
    match node:
        case Call("has", Member(base, (Field(name),))) if outcome and base == _CONFIG:
            return frozenset({name})
        case Operation("not", (inner,)):
            return _asked(inner, outcome=not outcome)
        case Operation("and" | "or" as kind, operands):
            found = [_asked(operand, outcome=outcome) for operand in operands]
            # Each operand of an 'and' that holds has held; of one that does not, any may be the reason.
            every = outcome is (kind == "and")
            return found[0].union(*found) if every else found[0].intersection(*found)
    return _NONE
