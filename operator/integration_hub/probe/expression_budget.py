"""An expression read as a tree, and how many steps it can take at most on an answer.

An evaluation cannot be interrupted, so whether it ends soon is decided before it begins, as Kubernetes does with the
costs of its own CEL rules. The tree is ours: a position for everything that is refused, and a bound for everything
that is accepted. Nothing is evaluated here, and no library is used.

A step is about the time of copying a number. The evaluator copies what a path leads to, at each part of the path, and
what a list under construction holds, at each of its items; the bounds count that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Final, NoReturn, TypeAlias

MAX_LENGTH: Final = 1000
"""Characters of an expression."""
MAX_NESTING: Final = 20
"""Brackets within brackets."""
MAX_PATTERN: Final = 3000
"""Size of a pattern: its characters, those in repeated parts as often as they are repeated."""
MAX_STEPS: Final = 2_000_000
"""Steps of one evaluation, of at most 35 ns each: 70 ms on a machine that has nothing else to do."""

TEXT_A_STEP: Final = 16
"""Bytes of text that are copied, compared or searched in one step."""

FIELDS: Final = ("status", "headers", "json", "text")
"""What `response` has."""
METHODS: Final[Mapping[str, int]] = {"size": 0, "contains": 1, "startsWith": 1, "endsWith": 1, "matches": 1}
"""Functions that stand behind a value, with the number of their arguments."""
FUNCTIONS: Final = ("size", "int", "uint", "double", "string")
"""Functions of one argument."""
MACROS: Final[Mapping[str, tuple[int, ...]]] = {
    "all": (2,),
    "exists": (2,),
    "exists_one": (2,),
    "filter": (2,),
    "map": (2, 3),
}
"""What goes through a list: a name for the item, then what is asked or made of each."""


class ExpressionError(ValueError):
    """An expression cannot be used. The message says what is wrong and, where known, at which character."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"{message} (at character {at + 1})")


# The tree


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false or null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """`response`, or the name of an item within a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`.name` behind a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`[key]` behind a value."""

    key: Node


@dataclass(frozen=True, slots=True)
class Method:
    """`.function(...)` behind a value."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Macro:
    """`.macro(variable, ...)` behind a list or a map."""

    macro: str
    variable: str
    bodies: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A value with what stands behind it, from left to right."""

    base: Node
    suffixes: tuple[Suffix, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`function(argument)`, and `has(path)`."""

    function: str
    argument: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Values between operators of one kind: 'calculate', 'compare' or 'decide'."""

    kind: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? one : other`."""

    condition: Node
    one: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Collection:
    """A list, or a map with its keys and values in turn."""

    parts: tuple[Node, ...]


Suffix: TypeAlias = Field | Index | Method | Macro
Node: TypeAlias = Literal | Name | Member | Call | Operation | Choice | Collection


# Reading

_TOKEN: Final = re.compile(
    r"""
      (?P<space>  [\t\ \r\n\f]+ | //[^\n]* )
    | (?P<number> [0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+ | \.[0-9]+(?:[eE][+-]?[0-9]+)?
                | 0x[0-9a-fA-F]+[uU]? | [0-9]+[uU]? )
    | (?P<raw>    [rR](?: "[^"\n\r]*" | '[^'\n\r]*' ) )
    | (?P<string> "(?:[^"\\\n\r]|\\[^\n\r])*" | '(?:[^'\\\n\r]|\\[^\n\r])*' )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<sign>   == | != | <= | >= | && | \|\| | [-+*/%!<>?:.,()\[\]{}] )
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abfnrtv\\?`'\"]|(?P<unknown>.))"
)
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_CLOSING: Final = {"[": "]", "{": "}"}
_OPERATORS: Final = {
    "decide": ("||", "&&"),
    "compare": ("==", "!=", "<", "<=", ">", ">=", "in"),
    "calculate": ("+", "-", "*", "/", "%"),
}
_LOST: Final = {
    '"': "the text that begins here has no end",
    "'": "the text that begins here has no end",
    "=": "'=' compares nothing: write '=='",
    "&": "write '&&'",
    "|": "write '||'",
}
_HEADER_WITH_HYPHEN: Final = re.compile(r"response\.headers\.[\w-]*-\Z")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression's tree, and the names in it that an answer may lack."""

    tree: Node
    fields: frozenset[str]
    headers: frozenset[str]


def read(text: str, is_pattern: Callable[[str], bool]) -> Reading:
    """Return what was read, or raise ExpressionError. `is_pattern` says whether matches() takes a pattern."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise ExpressionError("the expression is empty")
    return _Reader(text, is_pattern).read()


class _Reader:
    """A recursive descent over CEL, without what is not needed for an answer: types, messages, bytes, optionals."""

    def __init__(self, text: str, is_pattern: Callable[[str], bool]) -> None:
        self._text = text
        self._is_pattern = is_pattern
        self._tokens = list(self._split())
        self._next = 0
        self._nesting = 0
        self._names = ["response"]
        self._fields: set[str] = set()
        self._headers: set[str] = set()

    def read(self) -> Reading:
        node = self._expression()
        if self._token.kind != "end":
            self._fail_unexpected()
        return Reading(node, frozenset(self._fields), frozenset(self._headers))

    def _split(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise ExpressionError(_LOST.get(self._text[at], "this character does not belong here"), at)
            if found.lastgroup != "space":
                tokens.append(_Token(str(found.lastgroup), found[0], at))
            at = found.end()
        return [*tokens, _Token("end", "", at)]

    # The tokens

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, *signs: str) -> bool:
        return self._token.kind in {"sign", "name"} and self._token.text in signs

    def _takes(self, sign: str) -> bool:
        if self._is(sign):
            self._next += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._takes(sign):
            self._fail_unexpected(f"'{sign}'")

    def _fail_unexpected(self, wanted: str = "") -> NoReturn:
        token = self._token
        ends = token.kind == "end"
        what = "the expression ends too early" if ends else f"'{token.text[:20]}' does not belong here"
        raise ExpressionError(f"{what}; {wanted} is missing" if wanted else what, token.at)

    # From the operators that bind least to those that bind most

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ExpressionError(f"more than {MAX_NESTING} brackets within one another", self._token.at)
        node = self._operation("||")
        if self._takes("?"):
            one = self._operation("||")
            self._need(":")
            node = Choice(node, one, self._expression())
        self._nesting -= 1
        return node

    def _operation(self, sign: str) -> Node:
        operands = [self._operation("&&") if sign == "||" else self._comparison()]
        while self._takes(sign):
            operands.append(self._operation("&&") if sign == "||" else self._comparison())
        return operands[0] if len(operands) == 1 else Operation("decide", tuple(operands))

    def _comparison(self) -> Node:
        left = self._calculation()
        if not self._is(*_OPERATORS["compare"]):
            return left
        self._take()
        node = Operation("compare", (left, self._calculation()))
        if self._is(*_OPERATORS["compare"]):
            raise ExpressionError("two comparisons in a row need brackets or '&&'", self._token.at)
        return node

    def _calculation(self) -> Node:
        # One level for '+' and '*' alike: for a bound it does not matter what is calculated first.
        operands = [self._signed()]
        while self._is(*_OPERATORS["calculate"]):
            self._take()
            operands.append(self._signed())
        return operands[0] if len(operands) == 1 else Operation("calculate", tuple(operands))

    def _signed(self) -> Node:
        signs = 0
        while self._is("!", "-"):
            self._take()
            signs += 1
        node = self._member()
        return Operation("calculate", (node,)) if signs else node

    def _member(self) -> Node:
        base = self._primary()
        suffixes: list[Suffix] = []
        while self._is(".", "["):
            token = self._take()
            if token.text == "[":
                key_at = self._token.at
                suffix: Suffix = Index(self._expression())
                self._need("]")
            else:
                key_at = self._token.at
                suffix = self._behind_dot()
            suffixes.append(suffix)
            self._note(base, suffixes, key_at)
        return Member(base, tuple(suffixes)) if suffixes else base

    def _note(self, base: Node, suffixes: list[Suffix], at: int) -> None:
        """Keep the last field's name; refuse what no answer has, such as a header's name in capitals."""
        first, *rest = (_static(suffix) for suffix in suffixes)
        name = rest[-1] if rest else first
        if name is None:
            return
        self._fields.add(name)
        if base != Name("response"):
            return
        if not rest and name not in FIELDS:
            _fail_unknown("field of the response", name, list(FIELDS), at)
        if first == "headers" and len(rest) == 1:
            if name != name.lower():
                raise ExpressionError(f"names of headers are lower-case: write '{name.lower()[:40]}'", at)
            self._headers.add(name)

    def _behind_dot(self) -> Suffix:
        token = self._take()
        if token.kind != "name":
            self._next -= 1
            self._fail_unexpected("a field's name")
        if not self._takes("("):
            return Field(token.text)
        if token.text in MACROS:
            return self._macro(token)
        if token.text not in METHODS:
            _fail_unknown("function", token.text, [*METHODS, *MACROS], token.at)
        argument_at = self._token.at
        arguments = self._until(")")
        if len(arguments) != METHODS[token.text]:
            raise ExpressionError(f"{token.text}() takes {_count(METHODS[token.text])}", token.at)
        if token.text == "matches":
            self._check_pattern(arguments[0], argument_at)
        return Method(token.text, arguments)

    def _check_pattern(self, node: Node, at: int) -> None:
        if not isinstance(node, Literal) or not isinstance(node.value, str):
            raise ExpressionError("matches() takes a pattern that stands in the expression, as text", at)
        fault = _pattern_fault(node.value)
        if not fault and not self._is_pattern(node.value):
            fault = "this is no pattern (regular expression)"
        if fault:
            raise ExpressionError(fault, at)

    def _macro(self, macro: _Token) -> Macro:
        variable = self._take()
        if variable.kind != "name" or not self._is(","):
            example = f"{macro.text}(item, item > 0)"
            raise ExpressionError(
                f"{macro.text}() takes a name for the item and what is asked of it, like '{example}'",
                variable.at,
            )
        if variable.text in {*self._names, *_CONSTANTS, "in"}:
            raise ExpressionError(f"the name '{variable.text}' is taken", variable.at)
        self._take()
        self._names.append(variable.text)
        bodies = self._until(")")
        self._names.pop()
        if len(bodies) + 1 not in MACROS[macro.text]:
            raise ExpressionError(f"{macro.text}() takes {_count(*MACROS[macro.text])}", macro.at)
        return Macro(macro.text, variable.text, bodies)

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in {"number", "string", "raw"} or token.text in _CONSTANTS:
            return Literal(_constant(token))
        if token.kind == "name" and token.text != "in":
            return self._call(token) if self._takes("(") else self._name(token)
        if token.kind == "sign" and token.text in _CLOSING:
            return Collection(self._until(_CLOSING[token.text]))
        if token.kind == "sign" and token.text == "(":
            node = self._expression()
            self._need(")")
            return node
        self._next -= 1
        return self._fail_unexpected("a value")

    def _call(self, function: _Token) -> Node:
        if function.text not in {*FUNCTIONS, "has"}:
            if function.text in {*METHODS, *MACROS}:
                raise ExpressionError(
                    f"{function.text}() stands behind a value, like 'x.{function.text}(…)'", function.at
                )
            _fail_unknown("function", function.text, [*FUNCTIONS, "has", *METHODS, *MACROS], function.at)
        arguments = self._until(")")
        if len(arguments) != 1:
            raise ExpressionError(f"{function.text}() takes {_count(1)}", function.at)
        (argument,) = arguments
        if function.text == "has" and not (
            isinstance(argument, Member) and isinstance(argument.suffixes[-1], Field)
        ):
            raise ExpressionError("has() takes a field, like 'has(response.json.user)'", function.at)
        return Call(function.text, argument)

    def _name(self, name: _Token) -> Node:
        if name.text in self._names:
            return Name(name.text)
        if _HEADER_WITH_HYPHEN.search(self._text[: name.at]):
            raise ExpressionError(
                "a name with '-' needs quotes and brackets, like 'response.headers[\"content-type\"]'",
                name.at,
            )
        if name.text in FIELDS:
            raise ExpressionError(f"unknown name '{name.text}': write 'response.{name.text}'", name.at)
        return _fail_unknown("name", name.text, self._names, name.at)

    def _until(self, closing: str) -> tuple[Node, ...]:
        """Read values up to the closing bracket: in a map, keys and values in turn."""
        nodes: list[Node] = []
        while not self._takes(closing):
            nodes.append(self._expression())
            if closing == "}":
                self._need(":")
                nodes.append(self._expression())
            if not self._takes(",") and not self._is(closing):
                self._fail_unexpected(f"',' or '{closing}'")
        return tuple(nodes)


def _count(*numbers: int) -> str:
    words = {0: "no argument", 1: "one argument", 2: "two arguments", 3: "three arguments"}
    return " or ".join(words[number] for number in numbers)


def _fail_unknown(what: str, name: str, known: list[str], at: int) -> NoReturn:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(dict.fromkeys(known))}"
    raise ExpressionError(f"unknown {what} '{name[:40]}': {hint}", at)


def _static(suffix: Suffix) -> str | None:
    """Return the field's name, where it stands in the expression."""
    if isinstance(suffix, Field):
        return suffix.name
    if isinstance(suffix, Index) and isinstance(suffix.key, Literal) and isinstance(suffix.key.value, str):
        return suffix.key.value
    return None


def _constant(token: _Token) -> Any:
    if token.kind == "number":
        return 0  # which number it is matters to nothing here
    return _CONSTANTS[token.text] if token.kind == "name" else _unquoted(token)


def _unquoted(token: _Token) -> str:
    if token.kind == "raw":
        inner = token.text[2:-1]
        if '\\"' in inner or "\\'" in inner or inner.endswith("\\"):
            raise ExpressionError("in a text that begins with r, no quote may follow a backslash", token.at)
        return inner
    other = "'" if token.text[0] == '"' else '"'

    def plain(found: re.Match[str]) -> str:
        code = found[0][1:]
        if found["unknown"]:
            raise ExpressionError(
                f"unknown escape '\\{code}' in a text: a backslash is '\\\\', or begin the text with r, like r'\\d'",
                token.at + 1 + found.start(),
            )
        if code == other:
            raise ExpressionError("this quote needs no backslash here", token.at + 1 + found.start())
        if code[0] in "xuU":
            return _character(int(code[1:], 16), token.at)
        return chr(int(code, 8)) if code[0] in "0123" else _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, token.text[1:-1])


def _character(code: int, at: int) -> str:
    try:
        character = chr(code)
        character.encode()
    except (ValueError, OverflowError):
        raise ExpressionError("there is no such character", at) from None
    return character


# Patterns

_CLASS_SIZES: Final = (
    (re.compile(r"\\[wWbB]|\[.*\\[wW].*", re.DOTALL), 120),
    (re.compile(r"\\[dDsS]|\.|\[\^.*|\[.*\\[dDsS].*", re.DOTALL), 20),
)
"""How many characters a class counts for: there are letters in all alphabets."""

_PATTERN_TOKEN: Final = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?(?:[^\]\[\\]|\\.)+\])|(?P<times>\{[^}]*\}?)|(?P<other>.)", re.DOTALL
)
_GROUP_FLAGS: Final = re.compile(r"\(\?(?!:|[ims]+[:)])")


def _pattern_fault(pattern: str) -> str:
    """Return what keeps the pattern from being bounded, empty for nothing."""
    if re.search(r"\\[pP]", pattern):
        return r"'\p' is not supported in a pattern"
    if _GROUP_FLAGS.search(pattern):
        return "in a pattern, '(?' is only followed by ':', or by i, m, s for its flags"
    if any(found["other"] == "[" for found in _PATTERN_TOKEN.finditer(pattern)):
        return "in a pattern, a '[' or a first ']' within '[...]' needs a backslash"
    if _pattern_size(pattern) > MAX_PATTERN:
        return "the pattern repeats too much; use smaller numbers in '{}'"
    return ""


def _pattern_size(pattern: str) -> int:
    """Return how large the pattern is at most once its '{3}' are written out."""
    sizes, last = [0], 0
    for found in _PATTERN_TOKEN.finditer(pattern):
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


def steps(node: Node, response: Shape) -> int:
    """Return how many steps the expression takes at most, given what the answer can be."""
    count, result = _bound(node, {"response": response})
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


CALL: Final = 6
"""Steps of calling a function."""
WRITTEN: Final = 24
"""Weight of a number as text: 1e-300 is written with all its zeros."""
ROUND: Final = 8
"""Steps of going once through a macro, besides what it does there."""
KEY: Final = 4
"""Steps of looking up or storing one key."""


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
            name = _static(suffix)
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
    size = _pattern_size(pattern.value) if isinstance(pattern, Literal) else MAX_PATTERN
    return COMPILED * size + value.text * size // 8


COMPILED: Final = 40
"""Steps of compiling one character of a pattern, which is done anew each time."""


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
