"""What a violation of a JSON Schema says to somebody who never heard of JSON Schema.

One table row per keyword. A message says what is expected; it does not repeat the value, which may be a secret that
was pasted into the wrong field. The one exception are numbers and true/false in quotes, in fields whose name does not
sound like a secret: there the quotes are the mistake, and only the value shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from jsonschema.exceptions import ValidationError

from integration_hub.config.formats import FORMATS
from integration_hub.config.redaction import is_sensitive_name
from integration_hub.config.values import TYPE_WORDS, as_text, choices, did_you_mean, in_words, type_of
from integration_hub.config.violation import Violation, joined

PATTERN_MESSAGE: Final = "x-hub-pattern-message"


def translated(error: ValidationError, root: str) -> Iterator[Violation]:
    """Yield the violations that the error stands for. Several errors may yield the same one: the caller drops repeats."""
    path = joined(root, *error.absolute_path)
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield Violation(joined(path, name), "is required")
    elif error.validator == "additionalProperties":
        known = error.schema["properties"] if isinstance(error.schema, dict) else {}
        for name in error.instance:
            if name not in known:
                yield Violation(
                    joined(path, name), f"is not a known field{did_you_mean(name, known)}{_known(known)}"
                )
    else:
        say = _MESSAGES.get(str(error.validator))
        yield Violation(path, say(error) if say else f"does not satisfy '{error.validator}'")


def _known(known: dict[str, Any]) -> str:
    return f"; known: {choices(sorted(known))}" if known else "; there are no fields here"


def _type(error: ValidationError) -> str:
    expected = str(error.validator_value)
    said = f"must be {TYPE_WORDS[expected]}, not {in_words(error.instance)}"
    name = next((str(part) for part in reversed(error.absolute_path) if isinstance(part, str)), "")
    return said if is_sensitive_name(name) else said + _quotes_hint(expected, error.instance)


_LOOKS_LIKE: Final = {
    "integer": re.compile(r"-?[0-9]{1,18}"),
    "number": re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?"),
    "boolean": re.compile("true|false"),
}


def _quotes_hint(expected: str, value: object) -> str:
    if isinstance(value, str) and expected in _LOOKS_LIKE and _LOOKS_LIKE[expected].fullmatch(value):
        return f" ('{value}' in quotes is text)"
    if expected == "string" and type_of(value) in {"integer", "boolean"}:
        shown = as_text(value)
        return f" (write it in quotes: '{shown}')" if len(shown) <= _MAX_QUOTED else " (write it in quotes)"
    return ""


_MAX_QUOTED = 20


def _pattern(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    if PATTERN_MESSAGE in schema:
        return str(schema[PATTERN_MESSAGE])
    example = next(iter(schema.get("examples", [])), schema.get("default"))
    return f"must look like {error.validator_value}" + (
        f", for example {as_text(example)}" if example is not None else ""
    )


def _enum(error: ValidationError) -> str:
    return f"must be one of: {choices(error.validator_value)}{did_you_mean(error.instance, error.validator_value)}"


def _count(least: bool, unit: str) -> Callable[[ValidationError], str]:
    def say(error: ValidationError) -> str:
        bound = int(error.validator_value)
        units = unit if bound == 1 else "entries" if unit == "entry" else f"{unit}s"
        if least and bound == 1:
            return "must not be empty"
        return f"must have at {'least' if least else 'most'} {bound} {units} (it has {len(error.instance)})"

    return say


def _bound(words: str) -> Callable[[ValidationError], str]:
    return lambda error: f"must be {words} {as_text(error.validator_value)}"


def _format(error: ValidationError) -> str:
    return f"must be {FORMATS[str(error.validator_value)].expected}"


_MESSAGES: Final[dict[str, Callable[[ValidationError], str]]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda error: f"must be {as_text(error.validator_value)}",
    "pattern": _pattern,
    "format": _format,
    "minLength": _count(least=True, unit="character"),
    "maxLength": _count(least=False, unit="character"),
    "minItems": _count(least=True, unit="entry"),
    "maxItems": _count(least=False, unit="entry"),
    "uniqueItems": lambda _: "must not have the same entry twice",
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "exclusiveMaximum": _bound("less than"),
    "multipleOf": _bound("a multiple of"),
}
