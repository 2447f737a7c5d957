"""The examples of docs/definition-format.md and docs/auth-methods.md do what the text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from integration_hub.auth.methods import settings_violations
from integration_hub.config import templates
from integration_hub.config.formats import FORMATS
from integration_hub.config.profile import ALLOWED, profile_violations
from integration_hub.config.templates import TemplateError
from integration_hub.config.validation import ConfigValidator
from integration_hub.model.instance import InstanceSpec
from integration_hub.model.testing import SavedTest, TestSettings
from integration_hub.reconcile.definition import check_definition
from integration_hub.reconcile.inputs import Timing
from integration_hub.reconcile.suite import suite_of, suite_violations
from support.builders import definition

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
    """Return every document of every block."""
    found = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return [document for block in found for document in yaml.safe_load_all(block)]


def test_the_example_schema_is_accepted_and_usable() -> None:
    schema, *_ = blocks(FORMAT)
    assert profile_violations(schema) == []
    config = {"subdomain": "acme", "hosting": {"type": "server", "address": "https://h.example"}}
    validator = ConfigValidator(schema)
    assert validator.violations(validator.effective(config)) == []


def test_the_example_tests_of_a_definition_and_an_instance_are_accepted() -> None:
    schema, of_definition, methods, of_instance = blocks(FORMAT)
    methods["allowedHosts"] = ["*.acme.example", "login.example.com"]
    checked = check_definition(definition(configSchema=schema, tests=of_definition, **methods))
    assert checked.violations == ()
    saved = [SavedTest.model_validate(test) for test in of_instance]
    spec = InstanceSpec.model_validate({"definitionRef": {"name": "acme"}, "tests": of_instance})
    assert checked.spec is not None
    assert list(suite_violations(spec, checked.spec, known=("subdomain",), secret=())) == []
    suite = suite_of(spec, checked.spec, Timing())
    assert [test.name for test in suite] == ["whoami", *(test.name for test in saved)]


@pytest.mark.parametrize("name", [*TestSettings.model_fields, "request", "optional", "default"])
def test_every_field_of_a_test_is_documented(name: str) -> None:
    assert re.search(
        rf"`{to_camel(name)}[`.:]|^ *-? ?{to_camel(name)}:", FORMAT.partition("## Tests")[2], re.MULTILINE
    )


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
        match example.get("kind"):
            case None:
                assert settings_violations(example["type"], example["settings"]) == []
            case "IntegrationDefinition":
                assert check_definition(example).violations == ()
            case "IntegrationInstance":
                InstanceSpec.model_validate(example["spec"])
            case kind:
                assert kind == "Secret"
