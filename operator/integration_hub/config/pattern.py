r"""A matcher for `pattern` whose time grows only linearly with the text, whatever the pattern.

Definitions bring patterns and instances bring the text, so a backtracking engine would let a pattern
like `(a+)+$` stop the operator. Instead of guessing which patterns are dangerous, we take the subset
that JSON Schema recommends (draft 2020-12 Core, section 6.4: characters, classes, quantifiers, groups,
alternatives, anchors) and simulate its automaton, as RE2 does. What lies outside of the subset
(look-around, back-references, named groups) is refused when the definition is checked, with its
position.

SemanticsareECMA262'swiththe`u`flag:`$`isonlytheveryend,`\\d`and`\\w`areASCII,`.`excludeslineends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

MAX_PATTERN: Final = 500
"""Characters of a pattern."""
MAX_STATES: Final = 3000
"""Size of the automaton, to which '{1000}' unrolls its part a thousand times."""
MAX_BUILT: Final = 20_000
"""Steps of building the automaton."""

_TOO_LARGE: Final = "repeats too much; use smaller numbers in '{}', or minLength and maxLength"

Accepts = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern cannot be used; the message says what and where."""


@dataclass(slots=True)
class _State:
    """A state: `accepts` consumes a character, `anchor` needs the start or the end, else it forks."""

    accepts: Accepts | None = None
    anchor: str = ""
    out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Char:
    accepts: Accepts


@dataclass(frozen=True, slots=True)
class _Anchor:
    sign: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: list[_Node]


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: list[_Node]


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int | None
    """None: without bound."""


_Node: TypeAlias = "_Char | _Anchor | _Sequence | _Choice | _Repeat"


class Pattern:
    """A compiled pattern. `search` finds it anywhere, as JSON Schema's `pattern` does."""

    def __init__(self, pattern: str) -> None:
        """Raise PatternError when the pattern is outside of the subset or too large."""
        if len(pattern) > MAX_PATTERN:
            raise PatternError(f"is longer than {MAX_PATTERN} characters")
        self._states: list[_State] = []
        self._built = 0
        self._final = self._add(_State())
        self._start = self._build(_Parser(pattern).parsed(), self._final)

    def search(self, text: str) -> bool:
        """Return whether the pattern occurs in the text. Takes at most characters x states steps."""
        current: set[int] = set()
        for index in range(len(text) + 1):
            at_end = index == len(text)
            current = self._closure({*current, self._start}, at_start=index == 0, at_end=at_end)
            if self._final in current:
                return True
            if at_end:
                break
            char = text[index]
            current = {
                state.out[0]
                for state in map(self._states.__getitem__, current)
                if state.accepts is not None and state.accepts(char)
            }
        return False

    def _closure(self, states: set[int], *, at_start: bool, at_end: bool) -> set[int]:
        held = {"": True, "^": at_start, "$": at_end}
        seen: set[int] = set()
        todo = list(states)
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            state = self._states[number]
            if state.accepts is None and held[state.anchor]:
                todo.extend(state.out)
        return seen

    def _add(self, state: _State) -> int:
        if len(self._states) >= MAX_STATES:
            raise PatternError(_TOO_LARGE)
        self._states.append(state)
        return len(self._states) - 1

    def _build(self, node: _Node, then: int) -> int:
        """Return the state at which the node starts, given the one that follows it."""
        self._built += 1  # counts what adds no state, too: '(()' repeated a thousand times, a thousand times
        if self._built > MAX_BUILT:
            raise PatternError(_TOO_LARGE)
        match node:
            case _Char():
                return self._add(_State(accepts=node.accepts, out=(then,)))
            case _Anchor():
                return self._add(_State(anchor=node.sign, out=(then,)))
            case _Sequence():
                for part in reversed(node.parts):
                    then = self._build(part, then)
                return then
            case _Choice():
                return self._add(_State(out=tuple(self._build(part, then) for part in node.parts)))
            case _Repeat():
                return self._repeat(node.part, node.least, node.most, then)

    def _repeat(self, part: _Node, least: int, most: int | None, then: int) -> int:
        if most is None:
            loop = self._add(_State())
            self._states[loop].out = (self._build(part, loop), then)
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._add(_State(out=(self._build(part, then), end)))
        for _ in range(least):
            then = self._build(part, then)
        return then


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Pattern:
    """Return the compiled pattern, from a cache: the same definition validates many instances."""
    return Pattern(pattern)


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _space(char: str) -> bool:
    return (char.isspace() and char not in "\x1c\x1d\x1e\x1f\x85") or char == "\ufeff"


def _dot(char: str) -> bool:
    return char not in "\n\r\u2028\u2029"


def _not(accepts: Accepts) -> Accepts:
    return lambda char: not accepts(char)


_CLASSES: Final[dict[str, Accepts]] = {
    "d": _digit,
    "w": _word,
    "s": _space,
    "D": _not(_digit),
    "W": _not(_word),
    "S": _not(_space),
}
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_HEX_LENGTH: Final = {"x": 2, "u": 4}
_SYNTAX: Final = frozenset(r"^$\.*+?()[]{}|/-")
_QUANTIFIERS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_MAX_DEPTH: Final = 20


class _Parser:
    """A recursive descent over the pattern: alternatives of sequences of repeated atoms."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def parsed(self) -> _Node:
        node = self._alternatives()
        if self._at < len(self._text):
            raise self._error("')' without '('")
        return node

    def _error(self, what: str) -> PatternError:
        return PatternError(f"{what} (at character {self._at + 1} of the pattern)")

    def _peek(self, length: int = 1) -> str:
        return self._text[self._at : self._at + length]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise self._error("the pattern ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> _Node:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return _Choice(parts) if len(parts) > 1 else parts[0]

    def _sequence(self) -> _Node:
        return _Sequence(list(self._repeated_atoms()))

    def _repeated_atoms(self) -> Iterator[_Node]:
        while self._peek() not in {"", "|", ")"}:
            atom = self._atom()
            bounds = self._quantifier()
            if bounds is None:
                yield atom
                continue
            if isinstance(atom, _Anchor):
                raise self._error("an anchor cannot be repeated")
            yield _Repeat(atom, *bounds)
            if self._quantifier() is not None:
                raise self._error("one quantifier directly after another")

    def _quantifier(self) -> tuple[int, int | None] | None:
        char = self._peek()
        if char in _QUANTIFIERS and char:
            self._at += 1
            bounds = _QUANTIFIERS[char]
        elif char == "{":
            bounds = self._counted()
        else:
            return None
        if self._peek() == "?":  # lazy: finds the same texts
            self._at += 1
        return bounds

    def _counted(self) -> tuple[int, int | None]:
        end = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : end if end > 0 else self._at + 1].partition(",")
        if not _number(least) or (most and not _number(most)):
            raise self._error(
                "'{' must open a count like '{2}', '{2,}' or '{2,5}'; write '\\{' for the character"
            )
        bounds = (int(least), int(most) if most else None if comma else int(least))
        if bounds[1] is not None and bounds[1] < bounds[0]:
            raise self._error("the count's end is below its start")
        self._at = end + 1
        return bounds

    def _atom(self) -> _Node:
        char = self._take()
        match char:
            case "^" | "$":
                return _Anchor(char)
            case ".":
                return _Char(_dot)
            case "(":
                return self._group()
            case "[":
                return _Char(self._class())
            case "\\":
                return _Char(self._escape(in_class=False))
            case "*" | "+" | "?" | "{" | "}" | "]":
                self._at -= 1
                raise self._error(f"'{char}' has nothing to act on; write '\\{char}' for the character")
            case _:
                return _Char(char.__eq__)

    def _group(self) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("groups are nested too deeply")
        if self._peek(2) == "?:":
            self._at += 2
        elif self._peek() == "?":
            raise self._error("look-around, named groups and flags are not supported")
        node = self._alternatives()
        if self._peek() != ")":
            raise self._error("'(' without ')'")
        self._at += 1
        self._depth -= 1
        return node

    def _class(self) -> Accepts:
        negated = self._peek() == "^"
        self._at += negated
        singles: set[str] = set()
        ranges: list[tuple[str, str]] = []
        named: list[Accepts] = []
        while self._peek() != "]":
            low = self._class_item()
            if self._peek() == "-" and self._peek(2) not in {"-]", "-"}:
                self._at += 1
                high = self._class_item()
                if not (isinstance(low, str) and isinstance(high, str)) or low > high:
                    raise self._error("the range in '[]' has no valid start and end")
                ranges.append((low, high))
            elif isinstance(low, str):
                singles.add(low)
            else:
                named.append(low)
        self._at += 1

        def accepts(char: str) -> bool:
            return (
                char in singles
                or any(low <= char <= high for low, high in ranges)
                or any(one(char) for one in named)
            )

        return _not(accepts) if negated else accepts

    def _class_item(self) -> str | Accepts:
        char = self._take()
        if char != "\\":
            return char
        if self._peek() == "b":
            raise self._error("'\\b' is not supported")
        return self._literal_escape() or self._escape(in_class=True)

    def _literal_escape(self) -> str | None:
        r"""Return the one character that the escape stands for, or None when it is a class like \d."""
        char = self._peek()
        if char in _CLASSES:
            return None
        self._at += 1
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in _HEX_LENGTH:
            return self._hex(_HEX_LENGTH[char])
        if char in _SYNTAX and char:
            return char
        self._at -= 1
        raise self._error(f"the escape '\\{char}' is not supported")

    def _hex(self, length: int) -> str:
        digits = self._peek(length)
        if len(digits) < length or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise self._error("a hexadecimal escape needs two digits after \\x and four after \\u")
        self._at += length
        return chr(int(digits, 16))

    def _escape(self, *, in_class: bool) -> Accepts:
        literal = None if in_class else self._literal_escape()
        return _CLASSES[self._take()] if literal is None else literal.__eq__


def _number(text: str) -> bool:
    return 0 < len(text) <= len("9999") and text.isascii() and text.isdigit()
