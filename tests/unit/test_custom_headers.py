"""The type `custom` itself, and its scheme `headers`: what is sent, and what each refusal says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from integration_hub.auth.custom.method import SCHEMES
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.templates import render_settings, template_violations
from integration_hub.auth.tokens import TokenMethod
from integration_hub.model.http import HttpRequest
from support.auth import CONTEXT

CUSTOM = METHODS["custom"]
DOCS = (Path(__file__).parents[2] / "docs" / "auth-methods.md").read_text(encoding="utf-8")
ONE = {"name": "X-Key", "secretKey": "key"}


def headers(*entries: dict[str, str]) -> dict[str, Any]:
    return {"headers": {"headers": list(entries)}}


def sent(settings: dict[str, Any], config: dict[str, Any], **values: str) -> dict[str, str]:
    assert settings_violations("custom", settings) == []
    rendered = render_settings(CUSTOM, settings, config)
    request = HttpRequest("GET", "https://h.example/", {"x-client": "old", "Accept": "*/*"})
    (last,) = CUSTOM.flow(rendered, Credentials(values), request, CONTEXT)
    return dict(last.headers)


class TestScheme:
    def test_there_must_be_one(self) -> None:
        (violation,) = settings_violations("custom", {})
        assert violation.path == "settings"
        assert violation.message.startswith("must have one key that names the scheme: ")
        assert all(name in violation.message for name in SCHEMES)

    def test_there_must_be_no_second_one(self) -> None:
        both = headers(ONE) | {"awsSigV4": {"service": "s3"}}
        (violation,) = settings_violations("custom", both)
        assert violation.path == "settings.awsSigV4"
        assert "cannot stand next to 'headers'" in violation.message

    def test_one_that_is_not_known_is_told_with_the_one_that_was_meant(self) -> None:
        (violation,) = settings_violations("custom", {"awsSigv4": {"service": "s3"}})
        assert violation.path == "settings.awsSigv4"
        assert "did you mean 'awsSigV4'?" in violation.message

    def test_its_mistakes_have_its_name_in_their_path(self) -> None:
        (violation,) = settings_violations("custom", headers({"name": "Host", "secretKey": "key"}))
        assert violation.path == "settings.headers.headers[0].name"

    def test_its_places_for_configuration_are_its_own(self) -> None:
        settings = headers(ONE, {"name": "X-{{ config.client }}", "value": "{{ config.client }}"})
        (violation,) = template_violations(CUSTOM, settings, known=["client"], secret=[])
        assert violation.path == "settings.headers.headers[1].name"

    def test_one_without_tokens_says_so(self) -> None:
        assert isinstance(CUSTOM, TokenMethod)
        for settings in (headers(ONE), {"awsSigV4": {"service": "s3"}}):
            assert not CUSTOM.keeps_tokens(settings)
            with pytest.raises(TypeError, match="keeps no tokens"):
                CUSTOM.obtain(settings, Credentials({}), CONTEXT)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_documentation_of_a_scheme_names_every_setting(name: str) -> None:
    section = re.search(rf"^### `{name}`.*?(?=^##|\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert section, f"docs/auth-methods.md has no section with `{name}` in its heading"
    for setting in SCHEMES[name].settings_schema["properties"]:
        assert re.search(rf"`{setting}[`.\[:]", section.group()), f"{setting} is not documented"


def test_texts_configuration_and_keys_are_sent_together() -> None:
    settings = headers(
        {"name": "X-Client", "value": "acme-{{ config.client }}"},
        {"name": "X-Key", "secretKey": "key", "prefix": "Key "},
        {"name": "Authorization", "secretKey": "token", "prefix": "Bearer"},
    )
    assert sent(settings, {"client": "eu"}, key="k", token="t") == {
        "Accept": "*/*", "X-Client": "acme-eu", "X-Key": "Key k", "Authorization": "Bearer t",
    }  # fmt: skip


def test_a_text_that_is_empty_is_not_sent() -> None:
    settings = headers({"name": "X-Tenant", "value": "{{ config.tenant }}"}, ONE)
    assert sent(settings, {"tenant": ""}, key="k") == {"x-client": "old", "Accept": "*/*", "X-Key": "k"}


@pytest.mark.parametrize(
    ("entries", "path", "words"),
    [
        ([ONE, {"name": "X"}], "headers[1]", "must have one of 'value' (a text) and 'secretKey'"),
        ([ONE, {"name": "X", "value": "v", "secretKey": "k"}], "headers[1]", "must have one of"),
        ([ONE, {"name": "X", "value": "v", "prefix": "p"}], "headers[1].prefix", "put it into 'value' here"),
        ([{"name": "X", "value": "v"}], "headers", "nothing is secret"),
        ([ONE, {"name": "x-key", "value": "v"}], "headers[1].name", "an earlier entry names too"),
        ([{"name": "Content-Length", "secretKey": "k"}], "headers[0].name", "frames the message"),
        ([], "headers", "must not be empty"),
    ],
)
def test_settings_that_cannot_be_are_told(entries: list[dict[str, str]], path: str, words: str) -> None:
    (violation,) = settings_violations("custom", headers(*entries))
    assert violation.path == f"settings.headers.{path}"
    assert words in violation.message


def test_a_key_that_no_header_can_carry_is_told_without_its_value() -> None:
    problem = CUSTOM.credential_problem(headers(ONE), Credentials({"key": "sch\u00f6n"}))
    assert problem is not None
    assert "'key' contains characters that a header cannot carry" in problem
    assert "sch" not in problem


def test_a_prefix_that_was_stored_with_its_key_is_told() -> None:
    settings = headers({"name": "Authorization", "secretKey": "key", "prefix": "Bearer"})
    problem = CUSTOM.credential_problem(settings, Credentials({"key": "Bearer canary"}))
    assert problem is not None
    assert "'key' begins with the prefix that the definition writes before it" in problem
    assert "canary" not in problem


def test_each_key_is_asked_for_once_and_delivered_under_its_name() -> None:
    settings = headers(
        ONE, {"name": "X-Again", "secretKey": "key"}, {"name": "X-Other", "secretKey": "other"}
    )
    assert [key.name for key in CUSTOM.secret_keys(settings)] == ["key", "other"]
    assert CUSTOM.delivered(settings, Credentials({"key": "k", "other": "o"})) == {"key": "k", "other": "o"}
