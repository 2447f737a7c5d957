"""The profile of configSchema: what is accepted, and that everything else is refused with its path."""

# ruff: noqa: E501, RUF001 - one case is one line; digits of other scripts are what is tested

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from integration_hub.config.formats import FORMATS
from integration_hub.config.profile import _KEYWORDS, preset_violations, profile_violations, secret_fields
from integration_hub.config.validation import ConfigValidator


def schema_of(field: Any, **others: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": field, **others}}


def found(field: Any) -> list[str]:
    return [
        str(violation).removeprefix("configSchema.properties.x")
        for violation in profile_violations(schema_of(field))
    ]


ACCEPTED: list[dict[str, Any]] = [
    {"type": "string"},
    {
        "type": "string",
        "title": "T",
        "description": "D",
        "x-hub-order": 1,
        "x-hub-group": "g",
        "x-hub-multiline": True,
    },
    {
        "type": "string",
        "pattern": "^a+$",
        "x-hub-pattern-message": "a letter a",
        "examples": ["a"],
        "default": "aa",
    },
    {"type": "string", "enum": ["eu", "us"], "default": "eu"},
    {"type": "string", "x-hub-secret": True, "minLength": 10},
    {"type": "integer", "minimum": 1, "maximum": 2, "default": 1},
    {"type": "number", "multipleOf": 0.5, "default": 1, "enum": [1, 1.5]},
    {"type": "boolean", "default": False},
    {
        "type": "array",
        "items": {"type": "string", "format": "hostname"},
        "minItems": 1,
        "default": ["a.example"],
    },
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["h"],
        "properties": {"h": {"type": "string"}},
    },
    {
        "oneOf": [{"type": "object", "properties": {"k": {"type": "string", "const": c}}} for c in "ab"],
        "default": {"k": "a"},
    },
]


@pytest.mark.parametrize("field", ACCEPTED)
def test_accepted(field: dict[str, Any]) -> None:
    assert found(field) == []
    Draft202012Validator.check_schema(schema_of(field))


def test_no_schema_and_an_empty_one_are_accepted() -> None:
    assert profile_violations({}) == []
    assert profile_violations({"type": "object"}) == []
    assert (
        profile_violations({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"})
        == []
    )


NOT_IN_PROFILE = "is not in the profile of configSchema"
TYPES = "string, integer, number, boolean, array, object"
REFUSED: list[tuple[Any, list[str]]] = [
    ({"$ref": "#/x"}, [f".$ref: {NOT_IN_PROFILE}"]),
    ({"type": "string", "$ref": "https://example.com/s"}, [f".$ref: {NOT_IN_PROFILE}"]),
    ({"allOf": []}, [f".allOf: {NOT_IN_PROFILE}"]),
    ({"type": "string", "anyOf": []}, [f".anyOf: {NOT_IN_PROFILE}"]),
    ({"type": "string", "not": {}}, [f".not: {NOT_IN_PROFILE}"]),
    ({"type": "string", "if": {}}, [f".if: {NOT_IN_PROFILE}"]),
    ({"type": "object", "patternProperties": {}}, [f".patternProperties: {NOT_IN_PROFILE} (did you mean 'properties'?)"]),
    ({"type": "string", "minLenght": 1}, [f".minLenght: {NOT_IN_PROFILE} (did you mean 'minLength'?)"]),
    ({"type": "string", "minimum": 1}, [".minimum: does not apply to type string"]),
    ({"type": "integer", "pattern": "a"}, [".pattern: does not apply to type integer"]),
    ({"type": "integer", "x-hub-secret": True}, [".x-hub-secret: does not apply to type integer"]),
    ("string", [": must be a schema, not text"]),
    (True, [": must be a schema, not true or false"]),
    ({}, [f".type: is required: {TYPES}"]),
    ({"type": "null"}, [f".type: must be one type: {TYPES}"]),
    ({"type": ["string", "null"]}, [f".type: must be one type: {TYPES}"]),
    ({"type": "string", "minLength": -1}, [".minLength: must be a whole number, 0 or more"]),
    ({"type": "string", "minLength": 3, "maxLength": 2}, [".minLength: is above maxLength"]),
    ({"type": "string", "format": "regex"}, [f".format: must be one of: {', '.join(FORMATS)}"]),
    ({"type": "string", "format": ["uri"]}, [f".format: must be one of: {', '.join(FORMATS)}"]),
    ({"type": "string", "pattern": "(?=a)"}, [".pattern: look-around, named groups and flags are not supported (at character 2 of the pattern)"]),
    ({"type": "string", "x-hub-pattern-message": "m"}, [".x-hub-pattern-message: has no pattern to explain"]),
    ({"type": "string", "enum": []}, [".enum: must be a list with at least one entry"]),
    ({"type": "string", "enum": ["a", 1]}, [".enum[1]: is a whole number, but the field's type is string"]),
    ({"type": "string", "enum": ["a", "a"]}, [".enum: has the same choice twice"]),
    ({"type": "integer", "const": "a"}, [".const: is text, but the field's type is integer"]),
    ({"type": "integer", "default": "8443"}, [".default: must be a whole number, not text ('8443' in quotes is text)"]),
    ({"type": "string", "pattern": "^a$", "examples": ["a", "b"]}, [".examples[1]: must look like ^a$, for example a"]),
    ({"type": "string", "enum": ["a"], "default": "b"}, [".default: must be one of: a"]),
    ({"type": "array"}, [".items: is required: the schema of one entry"]),
    ({"type": "array", "items": {"type": "array"}}, [".items.type: must be one of: string, integer, number, boolean (lists hold single values)"]),
    ({"type": "array", "items": {"type": "string"}, "default": "a"}, [".default: must be a list, not text"]),
    ({"type": "array", "items": {"type": "string", "x-hub-secret": True}}, [".items.x-hub-secret: can only mark a field of configSchema itself, not one in a group"]),
    ({"type": "object", "additionalProperties": True}, [".additionalProperties: must be false (unknown fields are always refused)"]),
    ({"type": "object", "properties": {"y": {"type": "object"}}}, [".properties.y: is a group within a group; groups can be one level deep"]),
    ({"type": "object", "properties": {"y": {"oneOf": []}}}, [".properties.y.oneOf: cannot stand within a group; groups can be one level deep"]),
    ({"type": "object", "required": ["yy"], "properties": {"y1": {"type": "string"}}}, [".required[0]: names a field that does not exist"]),
    ({"type": "object", "properties": {"y": {"type": "string", "x-hub-secret": True}}}, [".properties.y.x-hub-secret: can only mark a field of configSchema itself, not one in a group"]),
    ({"type": "string", "x-hub-secret": True, "default": "a"}, [".default: cannot stand at a secret field: its values come from the Secret only"]),
    ({"oneOf": []}, [".oneOf: must be a list with at least one entry"]),
    ({"oneOf": [{"type": "object"}]}, [".oneOf: needs a property that every branch has with its own const, like 'type: {type: string, const: cloud}'"]),
    ({"type": "string", "oneOf": [{"type": "object", "properties": {"k": {"type": "string", "const": "a"}}}]}, [".type: must be 'object' (or absent) next to oneOf"]),
    ({"oneOf": [{"type": "object", "properties": {"k": {"type": "string", "const": "a"}}}], "default": {"k": "b"}}, [".default.k: must be one of: a"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "expected"), REFUSED)
def test_refused_with_its_path(field: Any, expected: list[str]) -> None:
    assert found(field) == expected


def test_the_top_is_an_object_without_more() -> None:
    assert [
        str(v)
        for v in profile_violations({"type": "array", "oneOf": [], "properties": {"a-b": {"type": "string"}}})
    ] == [
        "configSchema.oneOf: does not apply to a group of fields",
        "configSchema.properties.a-b: is not a field name: letters, digits and '_', starting with a letter",
        "configSchema.type: must be 'object'",
    ]
    assert [
        str(v)
        for v in profile_violations({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"})
    ] == ["configSchema.$schema: must be 'https://json-schema.org/draft/2020-12/schema' (or absent)"]


def test_two_branches_with_one_const_are_refused() -> None:
    branch = {"type": "object", "properties": {"k": {"type": "string", "const": "a"}}}
    assert "its own const" in found({"oneOf": [branch, branch]})[0]


def test_secret_fields_are_those_marked() -> None:
    secret = {"type": "string", "x-hub-secret": True}
    assert secret_fields(schema_of(secret, y={"type": "string", "x-hub-secret": False}, z=secret)) == (
        "x",
        "z",
    )
    assert secret_fields({}) == ()


def test_a_preset_may_be_partial_but_not_wrong() -> None:
    group = {
        "type": "object",
        "required": ["h"],
        "properties": {"h": {"type": "string"}, "p": {"type": "integer"}},
    }
    schema = {**schema_of(group, y={"type": "string"}), "required": ["y"]}
    assert preset_violations(schema, {"x": {"p": 1}}, "templates[0].config") == []
    assert [str(v) for v in preset_violations(schema, {"x": {"p": "1"}}, "templates[0].config")] == [
        "templates[0].config.x.p: must be a whole number, not text ('1' in quotes is text)"
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False) | st.text(max_size=4)
    | st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "uri", "^a", "x", "("]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from([*_KEYWORDS, "x", "$ref", "allOf"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*_KEYWORDS, "x"]), ANY, max_size=4), ANY)
def test_any_schema_is_judged_and_an_accepted_one_can_be_used(schema: dict[str, Any], field: Any) -> None:
    for candidate in (schema, schema_of(field)):
        if not profile_violations(candidate):
            Draft202012Validator.check_schema(candidate)
            validator = ConfigValidator(candidate)
            validator.violations(validator.effective({"x": "a"}))


FORMAT_CASES = {
    "uri": (["https://h/x?y", "http://10.0.0.1:80", "https://[::1]/"], ["h", "ftp://h", "https://", "https://u@h", "https://h:0", "https://h/ x", "https://h:x", "https://[", "https://é"]),
    "hostname": (["a.example", "Localhost", "xn--bcher-kva.example"], ["", "https://a", "10.0.0.1", "a..b", "a/b", "a:80", "::1", "é.example"]),
    "email": (["jane@example.com", "a+b@x.y"], ["jane", "@x", "a@", "a@b@c", "a b@c", "a@-x"]),
    "ipv4": (["192.0.2.1"], ["1.2.3", "256.1.1.1", "01.2.3.4", "::1", "１.2.3.4"]),
    "ipv6": (["2001:db8::1", "::"], ["1.2.3.4", "fe80::1%eth0", "[::1]"]),
    "uuid": (["3f2b8c1e-9d4a-4f6b-8a7c-0123456789ab"], ["3f2b8c1e", "3f2b8c1e9d4a4f6b8a7c0123456789ab"]),
    "date": (["2024-02-29"], ["2023-02-29", "20240229", "2024-W01-1", "２024-02-29"]),
    "date-time": (["2026-11-30T09:00:00Z", "2026-11-30t09:00:00.5+01:00"], ["2026-11-30", "2026-11-30T09:00:00", "2026-11-30T25:00:00Z"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_formats_are_really_checked(name: str) -> None:
    good, bad = FORMAT_CASES[name]
    assert [text for text in good if not FORMATS[name].holds(text)] == []
    assert [text for text in bad if FORMATS[name].holds(text)] == []


@given(st.text(max_size=30))
def test_no_format_raises(text: str) -> None:
    for known in FORMATS.values():
        known.holds(text)
