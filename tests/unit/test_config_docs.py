"""The examples of docs/definition-format.md and docs/auth-methods.md do what the text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_hub.auth.methods import settings_violations
from integration_hub.config import templates
from integration_hub.config.formats import FORMATS
from integration_hub.config.profile import ALLOWED, profile_violations
from integration_hub.config.templates import TemplateError
from integration_hub.config.validation import ConfigValidator

DOCS = Path(__file__).parents[2] / "docs"
FORMAT = (DOCS / "definition-format.md").read_text(encoding="utf-8")
AUTH = (DOCS / "auth-methods.md").read_text(encoding="utf-8")

RENDER: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "part of a host": templates.render_base_url,
    "end of a host": templates.render_base_url,
    "whole host": templates.render_base_url,
    "port": templates.render_base_url,
    "path of an address": templates.render_base_url,
    "whole address": templates.render_base_url,
    "path": templates.render_path,
    "query": templates.render_query_value,
    "header": templates.render_header,
    "allowed host": templates.render_allowed_host,
    "text": templates.render_text,
}
ROWS = re.findall(r"^\| ([a-z ]+) \| `(.*\{\{.*)` \| `(.*)` \| (.*) \|$", FORMAT, re.MULTILINE)


def blocks(text: str) -> list[Any]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_the_example_schema_is_accepted_and_usable() -> None:
    (schema,) = blocks(FORMAT)
    assert profile_violations(schema) == []
    config = {"subdomain": "acme", "hosting": {"type": "server", "address": "https://h.example"}}
    validator = ConfigValidator(schema)
    assert validator.violations(validator.effective(config)) == []


@pytest.mark.parametrize(("place", "template", "value", "result"), ROWS)
def test_the_table_of_templates_is_true(place: str, template: str, value: str, result: str) -> None:
    if result == "refused":
        with pytest.raises(TemplateError):
            RENDER[place](template, {"x": value})
    else:
        assert RENDER[place](template, {"x": value}) == result.strip("`")


def test_the_table_of_templates_was_found() -> None:
    assert {row[0] for row in ROWS} == set(RENDER)


def test_every_keyword_and_format_is_documented() -> None:
    for name in {keyword for allowed in ALLOWED.values() for keyword in allowed} | set(FORMATS):
        assert f"`{name}`" in FORMAT or f"`{name}:" in FORMAT, name


def test_the_examples_of_auth_methods_are_accepted() -> None:
    examples = blocks(AUTH)
    assert len(examples) >= 6
    for example in examples:
        assert settings_violations(example["type"], example["settings"]) == []
