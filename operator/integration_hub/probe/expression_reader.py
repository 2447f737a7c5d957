"""An expression read as a tree: whatever CEL can say about an answer, and a position for whatever is refused.

Nothing is evaluated here, and no library is used. What the tree does not know is not evaluated later either.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

from integration_hub.probe.expression_patterns import pattern_fault

MAX_LENGTH: Final = 1000
"""Characters of an expression."""
MAX_NESTING: Final = 20
"""Brackets within brackets."""

FIELDS: Final = ("status", "headers", "json", "text")
"""What `response` has."""
VARIABLES: Final = ("response", "config")
"""The answer, and the connection's configuration, whose fields the definition knows."""

Takes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Functions, with the numbers of arguments that they take."""

FUNCTIONS: Final[Takes] = dict.fromkeys(
    ("size", "int", "uint", "double", "string", "timestamp", "duration", "has"), (1,)
)
"""Functions that stand before their argument."""
METHODS: Final[Takes] = {
    "size": (0,),
    **dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), (1,)),
}
"""Functions that stand behind a value."""
MACROS: Final[Takes] = {**dict.fromkeys(("all", "exists", "exists_one", "filter"), (2,)), "map": (2, 3)}
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
    """`response`, `config`, or the name of an item within a macro."""

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
    """Values between operators of one kind: 'calculate', 'compare', 'and' or 'or'; or one behind a 'not'."""

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


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression's tree, and the names in it that an answer or a configuration may lack."""

    tree: Node
    fields: frozenset[str]
    headers: frozenset[str]
    config: Mapping[str, int]
    """The configuration's fields that it reads, each with where it stands first."""
    below_config: frozenset[str]
    """These and the names of what is read within them."""


def static_name(suffix: Suffix) -> str | None:
    """Return the name of a field, where it stands in the expression."""
    match suffix:
        case Field(name) | Index(Literal(str(name))):
            return name
    return None


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
    | (?P<lost>   [\s\S] )
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abfnrtv\\?`'\"]|(?P<unknown>.))"
)
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_CLOSING: Final = {"[": "]", "{": "}"}
_LEVELS: Final = (
    ("or", ("||",)),
    ("and", ("&&",)),
    ("compare", ("==", "!=", "<", "<=", ">", ">=", "in")),
    # One level for '+' and '*' alike: for a bound it does not matter what is calculated first.
    ("calculate", ("+", "-", "*", "/", "%")),
)
"""Operators between two values, from those that bind least to those that bind most."""
_LOST: Final = {
    '"': "the text that begins here has no end",
    "'": "the text that begins here has no end",
    "=": "'=' compares nothing: write '=='",
    "&": "write '&&'",
    "|": "write '||'",
}
_COUNTS: Final = ("no argument", "one argument", "two arguments", "three arguments")
_HEADER_WITH_HYPHEN: Final = re.compile(r"response\.headers\.[\w-]*-\Z")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def read(text: str, is_pattern: Callable[[str], bool]) -> Reading:
    """Return what was read, or raise ExpressionError. `is_pattern` says whether matches() takes a pattern."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    if not text.strip():
        raise ExpressionError("the expression is empty")
    return _Reader(text, is_pattern).read()


def _split(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup == "lost":
            raise ExpressionError(_LOST.get(found[0], "this character does not belong here"), found.start())
        if found.lastgroup != "space":
            yield _Token(str(found.lastgroup), found[0], found.start())
    yield _Token("end", "", len(text))


class _Reader:
    """A recursive descent over CEL, without what is not needed for an answer: types, messages, bytes, optionals."""

    def __init__(self, text: str, is_pattern: Callable[[str], bool]) -> None:
        self._text = text
        self._is_pattern = is_pattern
        self._tokens = list(_split(text))
        self._next = 0
        self._nesting = 0
        self._names = [*VARIABLES]
        self._fields: set[str] = set()
        self._headers: set[str] = set()
        self._config: dict[str, int] = {}
        self._below_config: set[str] = set()

    def read(self) -> Reading:
        node = self._expression()
        if self._token.kind != "end":
            self._fail_unexpected()
        return Reading(
            node,
            frozenset(self._fields),
            frozenset(self._headers),
            self._config,
            frozenset(self._below_config),
        )

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

    def _takes(self, *signs: str) -> bool:
        taken = self._is(*signs)
        self._next += taken
        return taken

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
        node = self._operation()
        if self._takes("?"):
            one = self._operation()
            self._need(":")
            node = Choice(node, one, self._expression())
        self._nesting -= 1
        return node

    def _operation(self, level: int = 0) -> Node:
        if level == len(_LEVELS):
            return self._signed()
        kind, signs = _LEVELS[level]
        operands = [self._operation(level + 1)]
        while self._is(*signs):
            if kind == "compare" and len(operands) > 1:
                raise ExpressionError("two comparisons in a row need brackets or '&&'", self._token.at)
            self._take()
            operands.append(self._operation(level + 1))
        return Operation(kind, tuple(operands)) if len(operands) > 1 else operands[0]

    def _signed(self) -> Node:
        signs = ""
        while self._is("!", "-"):
            signs += self._take().text
        node = self._member()
        if not signs:
            return node
        # More than one says nothing that is worth to follow, and one node keeps the tree from growing with them.
        return Operation("not" if signs == "!" else "calculate", (node,))

    def _member(self) -> Node:
        start = self._token.at
        base = self._primary()
        suffixes: list[Suffix] = []
        while self._is(".", "["):
            is_index = self._take().text == "["
            at = self._token.at
            if is_index:
                suffixes.append(Index(self._expression()))
                self._need("]")
            else:
                suffixes.append(self._behind_dot())
            self._note(base, suffixes, at)
        if base == Name("config") and not (suffixes and static_name(suffixes[0])):
            # Which field it reads must be known before there is an answer, so that a definition can be checked.
            raise ExpressionError("name a field of the configuration, like 'config.region'", start)
        return Member(base, tuple(suffixes)) if suffixes else base

    def _note(self, base: Node, suffixes: list[Suffix], at: int) -> None:
        """Keep the last field's name; refuse what no answer has, such as a header's name in capitals."""
        name = static_name(suffixes[-1])
        if name is None:
            return
        if base == Name("config"):
            self._below_config.add(name)
            if len(suffixes) == 1:
                self._config.setdefault(name, at)
            return
        self._fields.add(name)
        if base != Name("response"):
            return
        if len(suffixes) == 1 and name not in FIELDS:
            _fail_unknown("field of the response", name, FIELDS, at)
        if len(suffixes) == 2 and static_name(suffixes[0]) == "headers":  # noqa: PLR2004  # 'headers' and its field
            if name != name.lower():
                raise ExpressionError(f"names of headers are lower-case: write '{name.lower()[:40]}'", at)
            self._headers.add(name)

    def _behind_dot(self) -> Suffix:
        if self._token.kind != "name":
            self._fail_unexpected("a field's name")
        name = self._take()
        if not self._takes("("):
            return Field(name.text)
        if name.text in MACROS:
            return self._macro(name)
        if name.text not in METHODS:
            _fail_unknown("function", name.text, (*METHODS, *MACROS), name.at)
        at = self._token.at
        arguments = self._arguments(name, METHODS)
        if name.text == "matches":
            self._check_pattern(arguments[0], at)
        return Method(name.text, arguments)

    def _check_pattern(self, node: Node, at: int) -> None:
        if not isinstance(node, Literal) or not isinstance(node.value, str):
            raise ExpressionError("matches() takes a pattern that stands in the expression, as text", at)
        fault = pattern_fault(node.value)
        if not fault and not self._is_pattern(node.value):
            fault = "this is no pattern (regular expression)"
        if fault:
            raise ExpressionError(fault, at)

    def _macro(self, macro: _Token) -> Macro:
        variable = self._take()
        if variable.kind != "name" or not self._takes(","):
            raise ExpressionError(
                f"{macro.text}() takes a name for the item and what is asked of it,"
                f" like '{macro.text}(item, item > 0)'",
                variable.at,
            )
        if variable.text in {*self._names, *_CONSTANTS, "in"}:
            raise ExpressionError(f"the name '{variable.text}' is taken", variable.at)
        self._names.append(variable.text)
        bodies = self._arguments(macro, MACROS, taken=1)
        self._names.pop()
        return Macro(macro.text, variable.text, bodies)

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in {"number", "string", "raw"} or token.text in _CONSTANTS:
            return Literal(_constant(token))
        if token.kind == "name" and token.text != "in":
            return self._call(token) if self._takes("(") else self._name(token)
        if token.text in _CLOSING:
            return Collection(self._until(_CLOSING[token.text]))
        if token.text == "(":
            node = self._expression()
            self._need(")")
            return node
        self._next -= 1
        return self._fail_unexpected("a value")

    def _call(self, function: _Token) -> Node:
        if function.text not in FUNCTIONS:
            if function.text in {*METHODS, *MACROS}:
                raise ExpressionError(
                    f"{function.text}() stands behind a value, like 'x.{function.text}(…)'", function.at
                )
            _fail_unknown("function", function.text, (*FUNCTIONS, *METHODS, *MACROS), function.at)
        (argument,) = self._arguments(function, FUNCTIONS)
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

    def _arguments(self, function: _Token, known: Takes, *, taken: int = 0) -> tuple[Node, ...]:
        """Read what is left of a function's arguments, once `taken` of them are read."""
        arguments = self._until(")")
        counts = known[function.text]
        if taken + len(arguments) not in counts:
            words = " or ".join(_COUNTS[count] for count in counts)
            raise ExpressionError(f"{function.text}() takes {words}", function.at)
        return arguments

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


def _fail_unknown(what: str, name: str, known: Sequence[str], at: int) -> NoReturn:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(dict.fromkeys(known))}"
    raise ExpressionError(f"unknown {what} '{name[:40]}': {hint}", at)


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
