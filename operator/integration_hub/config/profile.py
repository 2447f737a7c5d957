"""The profile of JSON Schema (draft 2020-12) in which a definition's configSchema is written.

The profile is what every form, on a terminal or in a browser, can ask for: text, numbers, choices,
lists of them, a group of fields one level deep, and a choice between groups. What lies outside is
refused with its path rather than ignored, because an ignored keyword is a check that its author
believes in and nobody makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from integration_hub.config.formats import FORMATS
from integration_hub.config.messages import PATTERN_MESSAGE
from integration_hub.config.pattern import PatternError, compiled
from integration_hub.config.validation import ConfigValidator, discriminator, schema_violations, secret_fields
from integration_hub.config.values import as_text, choices, did_you_mean, in_words, type_of
from integration_hub.config.violation import Violation, joined

__all__ = ["preset_violations", "profile_violations", "secret_fields"]

ROOT: Final = "configSchema"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_FIELDS: Final = 100
SCALARS: Final = ("string", "integer", "number", "boolean")


class _Keyword(NamedTuple):
    """What the value of a keyword must be."""

    holds: Callable[[Any], bool]
    expected: str


def _is(*types: str) -> Callable[[Any], bool]:
    return lambda value: type_of(value) in types


def _whole(value: Any) -> bool:
    return type_of(value) == "integer" and value >= 0


_TEXT: Final = _Keyword(_is("string"), "text")
_FLAG: Final = _Keyword(_is("boolean"), "true or false")
_LIST: Final = _Keyword(
    lambda value: type_of(value) == "array" and bool(value), "a list with at least one entry"
)
_COUNT: Final = _Keyword(_whole, "a whole number, 0 or more")
_NUMBER: Final = _Keyword(_is("integer", "number"), "a number")
_ANY: Final = _Keyword(lambda _: True, "")

_KEYWORDS: Final[dict[str, _Keyword]] = {
    "$schema": _Keyword(lambda value: str(value).rstrip("#") == DIALECT, f"'{DIALECT}' (or absent)"),
    "type": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "default": _ANY,
    "examples": _LIST,
    "x-hub-order": _Keyword(_is("integer"), "a whole number"),
    "x-hub-group": _TEXT,
    "x-hub-secret": _FLAG,
    "x-hub-multiline": _FLAG,
    PATTERN_MESSAGE: _TEXT,
    "enum": _LIST,
    "const": _Keyword(_is(*SCALARS), "text, a number, or true or false"),
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": _TEXT,
    "format": _Keyword(
        lambda value: isinstance(value, str) and value in FORMATS, f"one of: {choices(FORMATS)}"
    ),
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": _Keyword(lambda value: _NUMBER.holds(value) and value > 0, "a number above 0"),
    "items": _Keyword(_is("object"), "the schema of one entry"),
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": _FLAG,
    "properties": _Keyword(_is("object"), "a group of fields by name"),
    "required": _Keyword(
        lambda value: type_of(value) == "array" and all(isinstance(name, str) for name in value),
        "a list of field names",
    ),
    "additionalProperties": _Keyword(
        lambda value: value is False, "false (unknown fields are always refused)"
    ),
    "oneOf": _LIST,
}
"""What each keyword's value must be."""

_NOTES: Final = frozenset({"title", "description", "default", "examples", "x-hub-order", "x-hub-group"})
_SCALAR: Final = _NOTES | {"type", "enum", "const"}
_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_GROUP: Final = frozenset({"type", "properties", "required", "additionalProperties"})

ALLOWED: Final[dict[str, frozenset[str]]] = {
    "string": _SCALAR
    | {"minLength", "maxLength", "pattern", "format", "x-hub-secret", "x-hub-multiline", PATTERN_MESSAGE},
    "integer": _SCALAR | _BOUNDS,
    "number": _SCALAR | _BOUNDS,
    "boolean": _SCALAR,
    "array": _NOTES | {"type", "items", "minItems", "maxItems", "uniqueItems"},
    "object": _NOTES | _GROUP,
    "oneOf": _NOTES | {"type", "oneOf"},
}
"""Keywords by a field's type. A field with `oneOf` is of its own type here."""

_TOP: Final = _GROUP | {"$schema", "title", "description"}

_ORDERED: Final = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum"))


def profile_violations(schema: Mapping[str, Any]) -> list[Violation]:
    """Return what keeps the schema from being usable, sorted by path. {} is usable: it asks for nothing."""
    if not schema:
        return []
    return sorted(
        set(_group(schema, ROOT, _TOP, depth=0)), key=lambda violation: (violation.path, violation.message)
    )


def preset_violations(schema: Mapping[str, Any], preset: Mapping[str, Any], path: str) -> list[Violation]:
    """Return what is wrong with a template's preset, a part of a configuration: what is absent is no mistake.

    `path` is where the preset stands, like 'templates[0].config'. The schema must satisfy the profile.
    """
    partial = {key: value for key, value in schema.items() if key != "required"}
    partial["properties"] = {
        name: {key: value for key, value in field.items() if key != "required"}
        for name, field in schema.get("properties", {}).items()
    }
    found = ConfigValidator(partial).violations(preset)
    return [
        Violation(path + violation.path.removeprefix("spec.config"), violation.message) for violation in found
    ]


def _group(
    schema: Mapping[str, Any], path: str, allowed: frozenset[str], *, depth: int
) -> Iterator[Violation]:
    """Check an object: the schema itself (depth 0), or a group or branch in it (depth 1)."""
    if schema.get("type") != "object":
        yield Violation(joined(path, "type"), "must be 'object'")
    yield from _keywords(schema, path, allowed, "a group of fields")
    fields = schema.get("properties", {})
    if not isinstance(fields, Mapping):
        return
    if len(fields) > MAX_FIELDS:
        yield Violation(joined(path, "properties"), f"has more than {MAX_FIELDS} fields")
    for name, field in fields.items():
        yield from _field_name(name, joined(path, "properties"))
        yield from _field(field, joined(path, "properties", str(name)), depth=depth)
    required = schema.get("required", [])
    for index, name in enumerate(required if isinstance(required, list) else []):
        if isinstance(name, str) and name not in fields:
            yield Violation(
                joined(path, "required", index),
                f"names a field that does not exist{did_you_mean(name, fields)}",
            )


def _field_name(name: Any, path: str) -> Iterator[Violation]:
    if not (
        isinstance(name, str) and name.isascii() and name.replace("_", "a").isalnum() and name[0].isalpha()
    ):
        yield Violation(
            joined(path, str(name)), "is not a field name: letters, digits and '_', starting with a letter"
        )


def _field(field: Any, path: str, *, depth: int) -> Iterator[Violation]:
    if not isinstance(field, Mapping):
        yield Violation(path, f"must be a schema, not {in_words(field)}")
        return
    kind = "oneOf" if "oneOf" in field else field.get("type")
    if not isinstance(kind, str) or kind not in ALLOWED:
        yield from _no_type(field, path)
        return
    nested = {"object": _nested_group, "oneOf": _one_of, "array": _array}.get(kind, _scalar)
    found = list(nested(field, path, depth))
    yield from found
    if not found:
        yield from _own_values(field, path)


def _no_type(field: Mapping[str, Any], path: str) -> Iterator[Violation]:
    foreign = [keyword for keyword in field if keyword not in _KEYWORDS]
    for keyword in foreign:
        yield Violation(joined(path, keyword), "is not in the profile of configSchema")
    if "type" in field or not foreign:
        said = "is required" if "type" not in field else "must be one type"
        yield Violation(
            joined(path, "type"), f"{said}: {choices(kind for kind in ALLOWED if kind != 'oneOf')}"
        )


def _keywords(
    schema: Mapping[str, Any], path: str, allowed: frozenset[str], what: str
) -> Iterator[Violation]:
    for keyword, value in schema.items():
        if keyword not in allowed:
            yield Violation(joined(path, str(keyword)), _not_allowed(str(keyword), allowed, what))
        elif not _KEYWORDS[keyword].holds(value):
            yield Violation(joined(path, keyword), f"must be {_KEYWORDS[keyword].expected}")
    for least, most in _ORDERED:
        low, high = schema.get(least), schema.get(most)
        if _NUMBER.holds(low) and _NUMBER.holds(high) and low > high:  # type: ignore[operator]
            yield Violation(joined(path, least), f"is above {most}")


def _not_allowed(keyword: str, allowed: frozenset[str], what: str) -> str:
    if keyword in _KEYWORDS:
        return f"does not apply to {what}"
    return f"is not in the profile of configSchema{did_you_mean(keyword, allowed)}"


def _scalar(field: Mapping[str, Any], path: str, depth: int) -> Iterator[Violation]:
    kind = str(field["type"])
    yield from _keywords(field, path, ALLOWED[kind], f"type {kind}")
    for keyword in ("enum", "const"):
        entries = (
            field.get(keyword, []) if keyword == "enum" else [field["const"]] if "const" in field else []
        )
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if not _matches_type(entry, kind):
                place = joined(path, keyword, index) if keyword == "enum" else joined(path, keyword)
                yield Violation(place, f"is {in_words(entry)}, but the field's type is {kind}")
    if isinstance(field.get("pattern"), str):
        try:
            compiled(field["pattern"])
        except PatternError as error:
            yield Violation(joined(path, "pattern"), str(error))
    if PATTERN_MESSAGE in field and "pattern" not in field:
        yield Violation(joined(path, PATTERN_MESSAGE), "has no pattern to explain")
    if field.get("x-hub-secret"):
        yield from _secret(field, path, depth)


def _secret(field: Mapping[str, Any], path: str, depth: int) -> Iterator[Violation]:
    if depth > 0:
        yield Violation(
            joined(path, "x-hub-secret"), "can only mark a field of configSchema itself, not one in a group"
        )
    for keyword in ("default", "examples", "enum", "const"):
        if keyword in field:
            yield Violation(
                joined(path, keyword), "cannot stand at a secret field: its values come from the Secret only"
            )


def _matches_type(value: Any, kind: str) -> bool:
    return type_of(value) == kind or (kind == "number" and type_of(value) == "integer")


def _array(field: Mapping[str, Any], path: str, depth: int) -> Iterator[Violation]:
    yield from _keywords(field, path, ALLOWED["array"], "type array")
    items = field.get("items")
    if items is None:
        yield Violation(joined(path, "items"), "is required: the schema of one entry")
    elif isinstance(items, Mapping) and items.get("type") not in SCALARS:
        yield Violation(
            joined(path, "items", "type"), f"must be one of: {choices(SCALARS)} (lists hold single values)"
        )
    elif isinstance(items, Mapping):
        yield from _field(items, joined(path, "items"), depth=depth + 1)


def _nested_group(field: Mapping[str, Any], path: str, depth: int) -> Iterator[Violation]:
    if depth > 0:
        yield Violation(path, "is a group within a group; groups can be one level deep")
        return
    yield from _group(field, path, ALLOWED["object"], depth=1)


def _one_of(field: Mapping[str, Any], path: str, depth: int) -> Iterator[Violation]:
    if depth > 0:
        yield Violation(joined(path, "oneOf"), "cannot stand within a group; groups can be one level deep")
        return
    if field.get("type", "object") != "object":
        yield Violation(joined(path, "type"), "must be 'object' (or absent) next to oneOf")
    yield from _keywords(field, path, ALLOWED["oneOf"], "a field with oneOf")
    branches = field["oneOf"]
    if not isinstance(branches, list) or not branches:
        return
    for index, branch in enumerate(branches):
        place = joined(path, "oneOf", index)
        if isinstance(branch, Mapping):
            yield from _group(branch, place, ALLOWED["object"], depth=1)
        else:
            yield Violation(place, f"must be a schema, not {in_words(branch)}")
    key = discriminator(branches)
    if key is None:
        yield Violation(
            joined(path, "oneOf"),
            "needs a property that every branch has with its own const, like"
            " 'type: {type: string, const: cloud}'",
        )


def _own_values(field: Mapping[str, Any], path: str) -> Iterator[Violation]:
    """Check default and examples against the field, of a oneOf as a configuration would be."""
    samples = [(joined(path, "default"), field["default"])] if "default" in field else []
    samples += [
        (joined(path, "examples", index), value) for index, value in enumerate(field.get("examples", []))
    ]
    for place, value in samples:
        if "oneOf" in field:
            for violation in preset_violations({"properties": {"x": field}}, {"x": value}, ""):
                yield Violation(place + violation.path.removeprefix(".x"), violation.message)
        else:
            yield from schema_violations(field, value, place)
    if "enum" in field and len({(type_of(e), as_text(e)) for e in field["enum"]}) < len(field["enum"]):
        yield Violation(joined(path, "enum"), "has the same choice twice")
