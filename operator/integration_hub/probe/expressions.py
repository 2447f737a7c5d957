"""CEL expressions over an answer and a configuration: compiled once, evaluated within a bound.

No I/O. Messages of errors repeat what stands in the expression and nothing of the answer or the configuration.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from integration_hub.model.http import HttpResponse
from integration_hub.probe.expression_budget import MAX_STEPS, Seen, Shape, Weights, steps
from integration_hub.probe.expression_presence import read_unasked
from integration_hub.probe.expression_reader import ExpressionError, Reading, read

__all__ = [
    "Document",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "TooManyStepsError",
    "Value",
    "compile_expression",
    "holds",
]

MAX_TOGETHER: Final = 4 * MAX_STEPS
"""Steps of all expressions on one answer. A test may have fifty, and while they run nothing else does."""

MAX_DEPTH: Final = 64
"""Lists and objects within one another that a body may have."""

Value: TypeAlias = bool | int | float | str | datetime | None
"""What an expression may result in."""


class EvaluationError(Exception):
    """An expression has no value for this answer. The message repeats only names that stand in the expression."""


class TooManyStepsError(EvaluationError):
    """An expression was not evaluated, since that could take too long. Of its value nothing is known."""


@lru_cache(maxsize=1)
def library() -> Any:
    """Return the library's extension module, without its package: that imports a command line, 130 ms and 30 MB."""
    name = "cel.cel"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("cel")
    folders = (package.submodule_search_locations if package else None) or []
    files = (Path(folder) / f"cel{suffix}" for folder in folders for suffix in EXTENSION_SUFFIXES)
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise ImportError("the extension module of common-expression-language is not installed", name=name)
    spec = importlib.util.spec_from_file_location(name, file, loader=ExtensionFileLoader(name, str(file)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} cannot be loaded", name=name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # It can be initialised once in a process, so whoever imports the package later must find this one.
    sys.modules[name] = module
    return module


def _is_panic(error: BaseException) -> bool:
    """Return whether the library gave up: no Exception, since nobody is expected to go on after it. We do."""
    return type(error).__name__ == "PanicException"


# The answer


class Document:
    """An answer and a configuration made ready for expressions, once, for all of them."""

    def __init__(self, response: HttpResponse, config: Mapping[str, Any] = {}) -> None:
        """`config` is the configuration in effect, in which no secret stands."""
        self._response = response
        self._given = config
        self._steps_left = MAX_TOGETHER

    def spend(self, count: int) -> None:
        """Let an expression take so many steps, or raise EvaluationError where it must not."""
        if count > MAX_STEPS:
            raise TooManyStepsError("would take too many steps on an answer of this size")
        if count > self._steps_left:
            raise TooManyStepsError("would take too many steps, together with the expressions before it")
        self._steps_left -= count

    @cached_property
    def _parsed(self) -> tuple[bool, Any]:
        try:
            return True, _loaded(self._response.body)
        except (ValueError, RecursionError):
            return False, None

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is not JSON, or nested too deeply to be of use."""
        return self._parsed[1]

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self._parsed[0]

    @cached_property
    def _fields(self) -> dict[str, Any]:
        headers = {_text(name): _text(value) for name, value in self._response.headers.items()}
        text = self._response.body.decode("utf-8", "replace")
        return {"status": self._response.status, "headers": headers, "json": self.json, "text": text}

    @cached_property
    def context(self) -> Any:
        """The answer as the library's values."""
        return library().Context({"response": self._fields})

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The configuration as JSON has it, with numbers that the library can hold."""
        found: Mapping[str, Any] = _loaded(json.dumps(self._given))
        return found

    @cached_property
    def context_with_config(self) -> Any:
        """The same with the configuration, for those who ask for it: most do not."""
        self.context.add_variable("config", self.config)
        return self.context

    @cached_property
    def shape(self) -> Mapping[str, Shape]:
        """The answer as the budget sees it."""
        return {"response": Seen([self._fields], Weights(self._fields))}

    @cached_property
    def shape_with_config(self) -> Mapping[str, Shape]:
        """The same with the configuration."""
        return {**self.shape, "config": Seen([self.config], Weights(self.config))}


_EMPTY: Final = Document(HttpResponse(200, {}, b""))


def _loaded(text: bytes | str) -> Any:
    """Return what JSON says, as the library can hold it; raise ValueError or RecursionError where that cannot be."""
    return _readable(
        json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_refuse_constant)
    )


def _integer(digits: str) -> int | float | str:
    """Return a number that the library can hold: whole up to 64 bits, then as near as a float comes."""
    if len(digits) < 20 and -(2**63) <= (whole := int(digits)) < 2**63:  # noqa: PLR2004
        return whole
    return _number(digits)


def _number(digits: str) -> float | str:
    """Return the number, or its text where it is too large for a float: infinity is no JSON."""
    number = float(digits)
    return number if abs(number) != float("inf") else digits


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _text(text: str) -> str:
    """Return the text without half characters, which JSON can write and nothing else can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _readable(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    match value:
        case str():
            return _text(value)
        case list():
            return [_readable(item, depth + 1) for item in value]
        case dict():
            return {_text(name): _readable(inside, depth + 1) for name, inside in value.items()}
    return value


# The expression


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be evaluated. Made by `compile_expression`."""

    text: str
    _reading: Reading = field(repr=False, compare=False)
    _program: Any = field(repr=False, compare=False)

    def evaluate(self, document: Document) -> Value:
        """Return the expression's value for an answer, or raise EvaluationError."""
        shape = document.shape_with_config if self.config else document.shape
        document.spend(steps(self._reading.tree, shape))
        value, problem = self._tried(document)
        if problem:
            raise EvaluationError(problem)
        if value is None or isinstance(value, bool | int | float | str | datetime):
            return value
        raise EvaluationError(
            f"the result is {_KINDS.get(type(value), 'of another kind')}, not a single value"
        )

    @property
    def config(self) -> Mapping[str, int]:
        """The configuration's fields that it reads, each with the position at which it stands first."""
        return self._reading.config

    @property
    def unasked(self) -> frozenset[str]:
        """Those of them that it reads without having asked, with has(), whether they have a value."""
        return frozenset(read_unasked(self._reading.tree))

    @property
    def fields(self) -> frozenset[str]:
        """The names of fields in the answer that it reads."""
        return self._reading.fields

    def _tried(self, document: Document) -> tuple[Any, str]:
        """Return the value, or why there is none. The library's error ends here: it repeats values of the answer."""
        context = document.context_with_config if self.config else document.context
        try:
            return self._program.execute(context), ""
        except BaseException as error:
            if not isinstance(error, Exception) and not _is_panic(error):
                raise
            return None, self._explained(error, document)

    def _explained(self, error: BaseException, document: Document) -> str:
        if not document.is_json and "json" in self._reading.fields:
            return "the answer is not JSON, so there is no 'response.json' to look into"
        if isinstance(error, KeyError):
            return self._missing(error.args[0] if error.args else None, document)
        operation = re.match(r"Unsupported operation: (\w+ \S \w+)", str(error))
        if isinstance(error, TypeError) and operation:
            return f"there is no result of {operation[1]}"
        return next(
            (words for kind, words in _EXPLANATIONS if isinstance(error, kind)), "cannot be evaluated"
        )

    def _missing(self, name: object, document: Document) -> str:
        # A name that was made from the answer may be anything; those in the expression are no secret.
        if name in self._reading.below_config and (
            name not in self._reading.fields or (name in self.config and name not in document.config)
        ):
            return f"the configuration has no value for '{name}'"
        if name in self._reading.headers:
            return f"the answer has no header '{name}'"
        if name in self._reading.fields:
            return f"the answer has no field '{name}'"
        return "the answer has no field of the name that the expression asks for"


_EXPLANATIONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (IndexError, "the answer has a list that is shorter than the expression expects"),
    (ZeroDivisionError, "a number is divided by zero"),
    (OverflowError, "a number becomes too large"),
    (TypeError, "a value has another type than the expression expects"),
    # What remains of functions: 'size(1)', 'int("x")'.
    (Exception, "a function cannot work on the value that it gets"),
)
_KINDS: Final[dict[type, str]] = {list: "a list", dict: "a map", timedelta: "a duration"}


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """Return the expression, ready for any answer, or raise ExpressionError."""
    reading = read(text, _is_pattern)
    if steps(reading.tree, _EMPTY.shape_with_config) > MAX_STEPS:
        raise ExpressionError("the expression would take too many steps on any answer")
    cel = library()
    try:
        program = cel.compile(text)
    except BaseException as error:
        if not isinstance(error, Exception) and not _is_panic(error):
            raise
        # Rare: what the library does not take, such as a number of 30 digits, although it looks well.
        raise ExpressionError("the expression cannot be read", _position(text, str(error))) from None
    return Expression(text, reading, program)


def _position(text: str, error: str) -> int | None:
    found = re.search(r"<input>:(\d+):(\d+)", error)
    if found is None:
        return None
    lines = text.split("\n")[: int(found[1]) - 1]
    return sum(len(line) + 1 for line in lines) + int(found[2]) - 1


def _is_pattern(pattern: str) -> bool:
    try:
        _pattern_check().execute({"pattern": pattern})
    except Exception:  # noqa: BLE001  # whatever the library says of it
        return False
    return True


@lru_cache(maxsize=1)
def _pattern_check() -> Any:
    return library().compile("''.matches(pattern)")


def holds(expression: Expression, document: Document) -> bool:
    """Return whether a condition holds for an answer; raise EvaluationError where it has no value or is none."""
    value = expression.evaluate(document)
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"must be true or false, but the result is {_NAMES[type(value)]}")


_NAMES: Final[dict[type, str]] = {
    int: "a number",
    float: "a number",
    str: "a text",
    datetime: "a moment",
    type(None): "null",
}
