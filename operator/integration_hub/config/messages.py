"""What a violation of a JSON Schema says to somebody who never heard of JSON Schema.

One table row per keyword. A message says what is expected; it does not repeat the value, which may be a
secret that was pasted into the wrong field. The one exception are numbers and true/false in quotes, in fields
whose name does not sound like a secret: there the quotes are the mistake, and only the value shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from jsonschema.exceptions import ValidationError

from integration_hub.config.formats import FORMATS
from integration_hub.config.redaction import is_sensitive_name
from integration_hub.config.values import TYPE_WORDS, as_text, choices, did_you_mean, in_words, type_of
from integration_hub.config.violation import Violation, joined

PATTERN_MESSAGE: Final = "x-hub-pattern-message"


class _Fault(NamedTuple):
    """The part of jsonschema's error that messages need, free of its 'not set' type."""

    keyword: str
    expected: Any
    """The keyword's value in the schema."""
    value: Any
    schema: Any
    name: str
    """Name of the nearest field."""


def translated(error: ValidationError, root: str) -> Iterator[Violation]:
    """Yield the violations that the error stands for. Errors may share some: the caller drops repeats."""
    fields = [part for part in error.absolute_path if isinstance(part, str)]
    fault = _Fault(
        keyword=str(error.validator),
        expected=error.validator_value,
        value=error.instance,
        schema=error.schema,
        name=fields[-1] if fields else "",
    )
    path = joined(root, *error.absolute_path)
    if fault.keyword in _OF_MEMBERS:
        for name, message in _OF_MEMBERS[fault.keyword](fault):
            yield Violation(joined(path, name), message)
    else:
        yield Violation(path, _MESSAGES[fault.keyword](fault))


def _missing(fault: _Fault) -> Iterator[tuple[str, str]]:
    return ((name, "is required") for name in fault.expected if name not in fault.value)


def _unknown(fault: _Fault) -> Iterator[tuple[str, str]]:
    known = fault.schema.get("properties", {})
    listed = f"known: {choices(sorted(known))}" if known else "there are no fields here"
    for name in fault.value:
        if name not in known:
            yield str(name), f"is not a known field{did_you_mean(name, known)}; {listed}"


def _type(fault: _Fault) -> str:
    said = f"must be {TYPE_WORDS[fault.expected]}, not {in_words(fault.value)}"
    return said if is_sensitive_name(fault.name) else said + _quotes_hint(fault.expected, fault.value)


_LOOKS_LIKE: Final = {
    "integer": re.compile(r"-?[0-9]{1,18}"),
    "number": re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?"),
    "boolean": re.compile("true|false"),
}
_MAX_QUOTED: Final = 20


def _quotes_hint(expected: str, value: object) -> str:
    if isinstance(value, str) and expected in _LOOKS_LIKE and _LOOKS_LIKE[expected].fullmatch(value):
        return f" ('{value}' in quotes is text)"
    if (
        expected == "string"
        and type_of(value) in {"integer", "boolean"}
        and len(as_text(value)) <= _MAX_QUOTED
    ):
        return f" (write it in quotes: '{as_text(value)}')"
    return ""


_READ_AS: Final = {True: ("on", "yes"), False: ("off", "no")}
"""Words that YAML 1.1, which kubectl reads, takes for true and false where they stand without quotes."""


def _enum(fault: _Fault) -> str:
    said = f"must be one of: {choices(fault.expected)}{did_you_mean(fault.value, fault.expected)}"
    words = _READ_AS[fault.value] if isinstance(fault.value, bool) else ()
    meant = next((word for word in words if word in fault.expected), None)
    return said + (f' (write "{meant}" in quotes: without them YAML reads something else)' if meant else "")


def _pattern(fault: _Fault) -> str:
    if PATTERN_MESSAGE in fault.schema:
        return str(fault.schema[PATTERN_MESSAGE])
    example = next(iter(fault.schema.get("examples", [])), fault.schema.get("default"))
    return f"must look like {fault.expected}" + (
        f", for example {as_text(example)}" if example is not None else ""
    )


def _size(*, least: bool, one: str, several: str) -> Callable[[_Fault], str]:
    def say(fault: _Fault) -> str:
        if least and fault.expected == 1:
            return "must not be empty"
        unit = one if fault.expected == 1 else several
        return (
            f"must have at {'least' if least else 'most'} {fault.expected} {unit} (it has {len(fault.value)})"
        )

    return say


def _bound(words: str) -> Callable[[_Fault], str]:
    return lambda fault: f"must be {words} {as_text(fault.expected)}"


_OF_MEMBERS: Final[dict[str, Callable[[_Fault], Iterator[tuple[str, str]]]]] = {
    "required": _missing,
    "additionalProperties": _unknown,
}
"""Keywords of a group whose mistakes belong to its members: functions that yield (name, message)."""

_MESSAGES: Final[dict[str, Callable[[_Fault], str]]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda fault: f"must be {as_text(fault.expected)}",
    "pattern": _pattern,
    "format": lambda fault: f"must be {FORMATS[fault.expected].expected}",
    "minLength": _size(least=True, one="character", several="characters"),
    "maxLength": _size(least=False, one="character", several="characters"),
    "minItems": _size(least=True, one="entry", several="entries"),
    "maxItems": _size(least=False, one="entry", several="entries"),
    "uniqueItems": lambda _: "must not have the same entry twice",
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("more than"),
    "exclusiveMaximum": _bound("less than"),
    "multipleOf": _bound("a multiple of"),
}
"""Every keyword of the profile and of the auth methods' settings; a test keeps it complete."""
