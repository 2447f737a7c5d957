"""Configuration against its schema: what is merged, and what a person reads about a mistake."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.config.messages import _MESSAGES, _OF_MEMBERS
from integration_hub.config.profile import profile_violations
from integration_hub.config.validation import MAX_VIOLATIONS, ConfigValidator

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["subdomain", "apiToken"],
    "properties": {
        "subdomain": {
            "type": "string",
            "minLength": 2,
            "maxLength": 10,
            "pattern": "^[a-z][a-z0-9-]*$",
            "examples": ["acme"],
        },
        "code": {"type": "string", "pattern": "^[A-Z]{3}$", "x-hub-pattern-message": "three capital letters, like 'ABC'"},
        "port": {"type": "integer", "default": 443, "minimum": 1, "maximum": 65535},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "even": {"type": "integer", "multipleOf": 2},
        "verify": {"type": "boolean", "default": True},
        "region": {"type": "string", "enum": ["eu", "us", "apac"]},
        "mail": {"type": "string", "format": "email"},
        "address": {"type": "string", "format": "uri"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "minItems": 1, "uniqueItems": True},
        "pin": {"type": "string"},
        "password": {"type": "integer"},
        "apiToken": {"type": "string", "x-hub-secret": True},
        "proxy": {
            "type": "object",
            "required": ["host"],
            "properties": {"host": {"type": "string"}, "port": {"type": "integer", "default": 3128}},
        },
        "hosting": {
            "oneOf": [
                {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"type": "string", "const": "cloud"}, "region": {"type": "string", "default": "eu"}},
                },
                {
                    "type": "object",
                    "required": ["type", "host"],
                    "properties": {"type": {"type": "string", "const": "server"}, "host": {"type": "string", "minLength": 1}},
                },
            ]
        },
    },
}  # fmt: skip
VALID = {"subdomain": "acme"}


def said(**config: Any) -> list[str]:
    return [str(violation) for violation in ConfigValidator(SCHEMA).violations({**VALID, **config})]


def test_the_schema_of_these_tests_is_in_the_profile() -> None:
    assert profile_violations(SCHEMA) == []


def test_valid_configuration_has_no_violation_and_needs_no_secret() -> None:
    assert said() == []
    assert (
        said(
            proxy={"host": "p"},
            hosting={"type": "cloud"},
            tags=["a"],
            mail="a@b.example",
            address="https://h/",
        )
        == []
    )


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"subdomain": None}, "subdomain: is required"),
    ({"subdomain": "a"}, "subdomain: must have at least 2 characters (it has 1)"),
    ({"subdomain": "a" * 11}, "subdomain: must have at most 10 characters (it has 11)"),
    ({"subdomain": "Acme"}, "subdomain: must look like ^[a-z][a-z0-9-]*$, for example acme"),
    ({"subdomain": 12}, "subdomain: must be text, not a whole number (write it in quotes: '12')"),
    ({"subdomain": True}, "subdomain: must be text, not true or false (write it in quotes: 'true')"),
    ({"subdomain": ["a"]}, "subdomain: must be text, not a list"),
    ({"code": "abc"}, "code: three capital letters, like 'ABC'"),
    ({"code": "ABC\n"}, "code: three capital letters, like 'ABC'"),
    ({"port": "8443"}, "port: must be a whole number, not text ('8443' in quotes is text)"),
    ({"port": "https"}, "port: must be a whole number, not text"),
    ({"port": 4.5}, "port: must be a whole number, not a number"),
    ({"port": True}, "port: must be a whole number, not true or false"),
    ({"port": 0}, "port: must be at least 1"),
    ({"port": 70_000}, "port: must be at most 65535"),
    ({"share": "0.5"}, "share: must be a number, not text ('0.5' in quotes is text)"),
    ({"share": 0}, "share: must be more than 0"),
    ({"share": 1}, "share: must be less than 1"),
    ({"even": 3}, "even: must be a multiple of 2"),
    ({"verify": "true"}, "verify: must be true or false, not text ('true' in quotes is text)"),
    ({"verify": {}}, "verify: must be true or false, not a group of fields"),
    ({"region": "EU"}, "region: must be one of: eu, us, apac (did you mean 'eu'?)"),
    ({"region": "mars"}, "region: must be one of: eu, us, apac"),
    ({"mail": "jane"}, "mail: must be an e-mail address, like 'jane@example.com'"),
    ({"address": "https://u:p@h"}, "address: must be a web address without spaces or user name, like 'https://api.example.com/v1'"),
    ({"tags": []}, "tags: must not be empty"),
    ({"tags": ["a", "b", "c"]}, "tags: must have at most 2 entries (it has 3)"),
    ({"tags": ["a", "a"]}, "tags: must not have the same entry twice"),
    ({"tags": ["a", 5]}, "tags[1]: must be text, not a whole number (write it in quotes: '5')"),
    ({"tags": "a"}, "tags: must be a list, not text"),
    ({"password": "1234"}, "password: must be a whole number, not text"),
    ({"subdomian": "x"}, "subdomian: is not a known field (did you mean 'subdomain'?)"),
    ({"proxy": {}}, "proxy.host: is required"),
    ({"proxy": {"host": "p", "user": "x"}}, "proxy.user: is not a known field; known: host, port"),
    ({"proxy": "p"}, "proxy: must be a group of fields, not text"),
    ({"hosting": {"type": "server"}}, "hosting.host: is required"),
    ({"hosting": {"type": "server", "host": ""}}, "hosting.host: must not be empty"),
    ({"hosting": {"type": "cloud", "host": "h"}}, "hosting.host: is not a known field; known: region, type"),
    ({"hosting": {"type": "clod"}}, "hosting.type: must be one of (did you mean 'cloud'?): cloud, server"),
    ({"hosting": {"host": "h"}}, "hosting.type: is required: one of: cloud, server"),
    ({"hosting": "cloud"}, "hosting: must be a group of fields, not text"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "expected"), MISTAKES)
def test_a_mistake_is_explained_once_in_plain_words(config: dict[str, Any], expected: str) -> None:
    (found,) = said(**config)
    assert found.startswith(f"spec.config.{expected}")


def test_a_secret_in_the_configuration_is_named_and_never_shown() -> None:
    (found,) = said(apiToken="hunter2-secret")
    assert found.startswith(
        "spec.config.apiToken: is a secret and must not stand here: put it into the Secret"
    )
    assert "under the key 'apiToken'" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("name", sorted(SCHEMA["properties"]))
def test_a_token_pasted_into_any_field_is_never_repeated(name: str) -> None:
    token = "xoxb-123456789-CanaryCanaryCanary"
    found = (
        said(**{name: token}) + said(**{name: {"type": token, "host": [token]}}) + said(**{name: [token, 5]})
    )
    assert not any("Canary" in text for text in found)


def test_violations_are_sorted_and_bounded() -> None:
    found = ConfigValidator(SCHEMA).violations({f"field{number}": 1 for number in range(50)})
    assert len(found) == MAX_VIOLATIONS
    assert found == sorted(found, key=lambda violation: violation.path)


def test_a_huge_value_is_refused_by_a_pattern_without_being_read() -> None:
    assert said(code="A" * 1_000_000) == ["spec.config.code: three capital letters, like 'ABC'"]


def test_an_empty_schema_knows_no_field() -> None:
    validator = ConfigValidator({})
    assert validator.violations({}) == []
    assert [str(v) for v in validator.violations({"a": 1})] == [
        "spec.config.a: is not a known field; there are no fields here"
    ]


def test_odd_field_names_cannot_mislead_a_path() -> None:
    assert [v.path for v in ConfigValidator({}).violations({"a.b\n": 1, "x" * 80: 1})] == [
        'spec.config["a.b?"]',
        f'spec.config["{"x" * 60}…"]',
    ]


def test_every_keyword_of_the_profile_has_a_message() -> None:
    from integration_hub.config.profile import _KEYWORDS  # noqa: PLC0415 - only this test looks inside

    silent = {
        "$schema", "title", "description", "default", "examples", "items", "properties", "oneOf",
        "x-hub-order", "x-hub-group", "x-hub-secret", "x-hub-multiline", "x-hub-pattern-message",
    }  # fmt: skip
    assert set(_KEYWORDS) - silent == set(_MESSAGES) | set(_OF_MEMBERS)


def test_effective_puts_config_over_preset_over_defaults() -> None:
    validator = ConfigValidator(SCHEMA)
    assert validator.effective({"subdomain": "acme"}, {"subdomain": "sandbox", "region": "eu"}) == {
        "subdomain": "acme",
        "region": "eu",
        "port": 443,
        "verify": True,
    }


def test_effective_merges_groups_one_level_deep_and_replaces_lists() -> None:
    validator = ConfigValidator(SCHEMA)
    merged = validator.effective(
        {"proxy": {"host": "mine"}, "tags": ["a"]}, {"proxy": {"host": "p", "port": 1}, "tags": ["b"]}
    )
    assert merged["proxy"] == {"host": "mine", "port": 1}
    assert merged["tags"] == ["a"]
    assert validator.effective({"proxy": {"host": "h"}})["proxy"] == {"host": "h", "port": 3128}
    assert "proxy" not in validator.effective({})


def test_effective_drops_the_preset_of_another_branch() -> None:
    validator = ConfigValidator(SCHEMA)
    preset = {"hosting": {"type": "cloud", "region": "us"}}
    assert validator.effective({"hosting": {"type": "server", "host": "h"}}, preset)["hosting"] == {
        "type": "server",
        "host": "h",
    }
    assert validator.effective({"hosting": {"region": "apac"}}, preset)["hosting"] == {
        "type": "cloud",
        "region": "apac",
    }
    assert validator.effective({"hosting": {"type": "cloud"}})["hosting"] == {"type": "cloud", "region": "eu"}


def test_effective_takes_null_for_absent() -> None:
    assert ConfigValidator(SCHEMA).effective({"port": None, "proxy": {"host": "h", "port": None}}) == {
        "port": 443,
        "verify": True,
        "proxy": {"host": "h", "port": 3128},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "host", "port", "x"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
CONFIGS = st.dictionaries(st.sampled_from([*sorted(SCHEMA["properties"]), "x"]), JSON, max_size=5)


@given(CONFIGS, CONFIGS)
def test_any_configuration_is_judged_without_an_exception_and_unchanged(config: Any, preset: Any) -> None:
    validator = ConfigValidator(SCHEMA)
    before = copy.deepcopy((config, preset))
    merged = validator.effective(config, preset)
    assert validator.effective(merged) == merged
    for violation in validator.violations(merged) + validator.violations(config):
        assert violation.path.startswith("spec.config")
    assert (config, preset) == before
