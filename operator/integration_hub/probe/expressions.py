"""CEL expressions over an answer: compiled once, evaluated within a bound.

No I/O. Messages of errors repeat what stands in the expression and nothing of the answer.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any, Final, TypeAlias

from integration_hub.model.http import HttpResponse

MAX_LENGTH: Final = 1000
"""Characters of an expression."""

Value: TypeAlias = bool | int | float | str | None
"""What an expression may result in."""


class ExpressionError(ValueError):
    """An expression cannot be used. The message says what is wrong and, where known, at which character."""


class EvaluationError(Exception):
    """An expression has no value for this answer. The message repeats only names that stand in the expression."""


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return the extension module alone: its package imports a command line, which takes 130 ms and 30 MB."""
    name = "cel.cel"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("cel")
    folders = (package.submodule_search_locations if package else None) or []
    files = (Path(folder) / f"cel{suffix}" for folder in folders for suffix in EXTENSION_SUFFIXES)
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise ImportError("the extension module of common-expression-language is not installed", name=name)
    loader = ExtensionFileLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None  # noqa: S101  # a loader was given
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    # It can be initialised once in a process, so who imports the package later must find this one.
    sys.modules[name] = module
    return module


class Document:
    """An answer made ready for expressions, once, for all of them."""

    def __init__(self, response: HttpResponse) -> None:
        self._response = response

    @cached_property
    def _parsed(self) -> tuple[bool, Any]:
        try:
            return True, json.loads(self._response.body)
        except (ValueError, RecursionError):
            return False, None

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is not JSON."""
        return self._parsed[1]

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self._parsed[0]

    @cached_property
    def context(self) -> Any:
        """The answer as the library's values."""
        response = {
            "status": self._response.status,
            "headers": dict(self._response.headers),
            "json": self.json,
            "text": self._response.body.decode("utf-8", "replace"),
        }
        return _library().Context({"response": response})


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that can be evaluated. Made by `compile_expression`."""

    text: str
    _program: Any = field(repr=False, compare=False)

    def evaluate(self, document: Document) -> Value:
        """Return the expression's value for an answer, or raise EvaluationError."""
        try:
            value = self._program.execute(document.context)
        except Exception as error:
            raise EvaluationError("the expression cannot be evaluated on this answer") from error
        if value is not None and not isinstance(value, bool | int | float | str):
            raise EvaluationError("the result is a list, a map or something else that cannot be shown")
        return value


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """Return the expression, or raise ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
    try:
        return Expression(text, _library().compile(text))
    except ValueError as error:
        raise ExpressionError("is no CEL expression") from error


def holds(expression: Expression, document: Document) -> bool:
    """Return whether an expression that is a condition holds for an answer."""
    value = expression.evaluate(document)
    if isinstance(value, bool):
        return value
    raise EvaluationError(f"must be true or false, but is {type(value).__name__}")
