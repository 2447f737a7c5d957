"""How many steps a tree takes at most on an answer of a known shape, and how heavy what comes out of it is at most.

An evaluation cannot be interrupted, so whether it ends soon is decided before it begins, as Kubernetes does with the
costs of its own CEL rules. A step is about the time of copying a number. The evaluator copies what a path leads to, at
each part of the path, and what a list under construction holds, at each of its items; the bounds count that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import Any, Final, TypeAlias

from integration_hub.probe.expression_patterns import MAX_PATTERN, pattern_size
from integration_hub.probe.expression_reader import (
    Call,
    Choice,
    Collection,
    Field,
    Index,
    Literal,
    Macro,
    Member,
    Method,
    Name,
    Node,
    Operation,
    Suffix,
    static_name,
)

MAX_STEPS: Final = 2_000_000
"""Steps of one evaluation, of at most 35 ns each: 70 ms on a machine that has nothing else to do."""

TEXT_A_STEP: Final = 16
"""Bytes of text that are copied, compared or searched in one step."""
CALL: Final = 6
"""Steps of calling a function."""
WRITTEN: Final = 24
"""Weight of a number as text: 1e-300 is written with all its zeros."""
ROUND: Final = 8
"""Steps of going once through a macro, besides what it does there."""
KEY: Final = 4
"""Steps of looking up or storing one key."""
COMPILED: Final = 40
"""Steps of compiling one character of a pattern, which is done anew each time."""


# What is known of a value before it is there


class Shape:
    """A bound of a value: no value that may stand here is heavier or longer. Everything inside is bounded alike."""

    def __init__(self, weight: int) -> None:
        self.weight = weight
        """Steps that copying it takes: 1 for a number, more for a text, all that is inside for a list or a map."""
        self.text = TEXT_A_STEP * (weight - 1)
        """Bytes, if it is a text."""
        self.length = weight - 1
        """Items, if it is a list or a map."""

    def field(self, name: str) -> Shape:  # noqa: ARG002  # all fields are alike here
        """Return what the field of this name can be."""
        return self.item()

    def item(self) -> Shape:
        """Return what an item or the value of any field can be."""
        return self

    def each(self) -> Shape:
        """Return what a macro goes through: the items of a list, the keys of a map."""
        return self


class Made(Shape):
    """A list, map or text that an expression makes: so many items, each bounded alike."""

    def __init__(self, weight: int, length: int, item: Shape, text: int = 0) -> None:
        super().__init__(weight)
        self.text = text
        self.length = length
        self._item = item

    def item(self) -> Shape:
        """Return what every item is bounded by."""
        return self._item

    def each(self) -> Shape:
        """Return the same: keys are counted among the items."""
        return self._item


NUMBER: Final = Shape(1)


def _made_text(weight: int) -> Shape:
    """Return a text of this weight, through which no macro can go."""
    return Made(weight, 0, NUMBER, TEXT_A_STEP * (weight - 1))


class Weights:
    """The weight of everything in a JSON value, measured once."""

    def __init__(self, value: Any) -> None:
        """`value` is nested no deeper than Python can go."""
        self._containers: dict[int, int] = {}
        self._measure(value)

    def of(self, value: Any) -> int:
        """Return the weight of the value or of one that is inside of it."""
        if isinstance(value, list | dict):
            return self._containers[id(value)]
        return 1 + _bytes(value) // TEXT_A_STEP + 1 if isinstance(value, str) else 1

    def _measure(self, value: Any) -> int:
        if isinstance(value, list):
            weight = 2 + sum(map(self._measure, value))
        elif isinstance(value, dict):
            weight = 4 + sum(self.of(key) + 2 + self._measure(inside) for key, inside in value.items())
        else:
            return self.of(value)
        self._containers[id(value)] = weight
        return weight


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


class Seen(Shape):
    """One of these JSON values, which stand at like places of an answer."""

    def __init__(self, values: list[Any], weights: Weights) -> None:
        super().__init__(max(map(weights.of, values), default=1))
        self.text = max((_bytes(value) for value in values if isinstance(value, str)), default=0)
        self.length = max((len(value) for value in values if isinstance(value, list | dict)), default=0)
        self._values = values
        self._weights = weights

    def field(self, name: str) -> Shape:
        """Return what the fields of this name are; where there is none, the evaluation ends."""
        return self._fields.get(name, NUMBER)

    def item(self) -> Shape:
        """Return what the items of lists and the values of maps are."""
        return self._item

    def each(self) -> Shape:
        """Return what the items of lists and the keys of maps are."""
        return self._each

    # Whatever is inside is looked at once, however often it is asked for.

    @cached_property
    def _maps(self) -> list[dict[str, Any]]:
        return [value for value in self._values if isinstance(value, dict)]

    @cached_property
    def _items(self) -> list[Any]:
        return list(chain.from_iterable(value for value in self._values if isinstance(value, list)))

    @cached_property
    def _fields(self) -> dict[str, Seen]:
        found: dict[str, list[Any]] = {}
        for value in self._maps:
            for name, inside in value.items():
                found.setdefault(name, []).append(inside)
        return {name: Seen(values, self._weights) for name, values in found.items()}

    @cached_property
    def _item(self) -> Seen:
        return Seen([*self._items, *chain.from_iterable(map(dict.values, self._maps))], self._weights)

    @cached_property
    def _each(self) -> Seen:
        return Seen([*self._items, *chain.from_iterable(self._maps)], self._weights)


# The bound

Bound: TypeAlias = tuple[int, Shape]
"""Steps, and what comes out."""


def steps(node: Node, variables: Mapping[str, Shape]) -> int:
    """Return how many steps the expression takes at most, given what the answer and the configuration can be."""
    count, result = _bound(node, variables)
    return count + 2 * result.weight


def _bound(node: Node, scope: Mapping[str, Shape]) -> Bound:
    match node:
        case Literal():
            weight = 2 + _bytes(node.value) // TEXT_A_STEP if isinstance(node.value, str) else 1
            return weight, _made_text(weight)
        case Name():
            return 1, scope[node.name]
        case Member():
            count, value = _bound(node.base, scope)
            for suffix in node.suffixes:
                more, value = _suffix(suffix, value, scope)
                count += more
            return count, value
        case Choice():
            condition, _ = _bound(node.condition, scope)
            one, other = _bound(node.one, scope), _bound(node.other, scope)
            return condition + 2 + max(one[0], other[0]), Shape(max(one[1].weight, other[1].weight))
        case Call():
            count, value = _bound(node.argument, scope)
            made = _made_text(value.weight + WRITTEN) if node.function == "string" else NUMBER
            return count + CALL + 2 * value.weight + made.weight, made
        case Operation() | Collection():
            return _parts(node, scope)


def _parts(node: Operation | Collection, scope: Mapping[str, Shape]) -> Bound:
    parts = node.operands if isinstance(node, Operation) else node.parts
    bounds = [_bound(part, scope) for part in parts]
    count = sum(part for part, _ in bounds) + KEY * len(bounds)
    values = [value for _, value in bounds]
    weight = sum(value.weight for value in values)
    if isinstance(node, Collection):
        heaviest = Shape(max((value.weight for value in values), default=1))
        return count + weight, Made(weight + 4 + KEY * len(values), len(values), heaviest)
    if node.kind == "calculate":  # a sum is copied for each of its operands, whichever comes first
        heaviest = Shape(max(value.item().weight for value in values))
        length, text = sum(value.length for value in values), sum(value.text for value in values)
        return count + weight * len(values), Made(weight, length, heaviest, text)
    return count + weight, NUMBER


def _suffix(suffix: Suffix, value: Shape, scope: Mapping[str, Shape]) -> Bound:
    match suffix:
        case Field():
            inside = value.field(suffix.name)
            return KEY + inside.weight, inside
        case Index():
            key_steps, key = _bound(suffix.key, scope)
            name = static_name(suffix)
            inside = value.item() if name is None else value.field(name)
            # Taking an item out of a list moves those behind it.
            return KEY + key_steps + key.weight + inside.weight + value.length // 8, inside
        case Method():
            bounds = [_bound(argument, scope) for argument in suffix.arguments]
            count = CALL + 2 * value.weight + sum(part + 2 * argument.weight for part, argument in bounds)
            return count + (_matching(suffix, value) if suffix.function == "matches" else 0), NUMBER
        case Macro():
            return _macro(suffix, value, scope)


def _matching(matches: Method, value: Shape) -> int:
    (pattern,) = matches.arguments
    size = pattern_size(pattern.value) if isinstance(pattern, Literal) else MAX_PATTERN
    return COMPILED * size + value.text * size // 8


def _macro(macro: Macro, value: Shape, scope: Mapping[str, Shape]) -> Bound:
    item = value.each()
    bounds = [_bound(body, {**scope, macro.variable: item}) for body in macro.bodies]
    each = ROUND + item.weight + sum(part + 2 * body.weight for part, body in bounds)
    result: Shape = NUMBER
    if macro.macro == "filter":
        # The items that are kept weigh no more than where they come from.
        result = Made(min(4 + value.length * item.weight, value.weight + 4), value.length, item)
    elif macro.macro == "map":
        made = bounds[-1][1]
        result = Made(4 + value.length * made.weight, value.length, made)
    # The list that is made is copied twice with each item that comes to it, and is half as long on average.
    copied = result.weight if macro.macro in {"filter", "map"} else 0
    return value.weight + value.length * (each + copied) + 2 * result.weight, result
