"""docs/catalog-authoring.md: its example does what it shows, and its tables have every key and every category."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from integration_hub.catalog import vendor as models
from integration_hub.catalog.lint.words import CATEGORIES
from integration_hub.catalog.vendor_rules import _FREE
from integration_hub.cli.main import main

PAGE = Path(__file__).parents[2].joinpath("docs", "catalog-authoring.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## A whole example")[2]


def keys() -> Iterator[tuple[str, str]]:
    for model in vars(models).values():
        if isinstance(model, type) and issubclass(model, models._Part) and model is not models._Part:
            for name, field in model.model_fields.items():
                yield model.__name__, field.alias or name


@pytest.mark.parametrize(("model", "key"), list(keys()))
def test_every_key_of_a_vendor_file_is_on_the_page(model: str, key: str) -> None:
    assert f"`{key}`" in PAGE or f"{{{key}:" in PAGE, f"{model}.{key}"


@pytest.mark.parametrize("name", sorted(_FREE))
def test_every_placeholder_is_on_the_page(name: str) -> None:
    assert f"`{{{{ {name} }}}}`" in PAGE


def test_the_page_lists_the_categories_of_the_lint() -> None:
    listed = re.search(r"^Categories: (.*?)\.$", PAGE, re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert re.findall(r"`([a-z-]+)`", listed[1]) == list(CATEGORIES)


def test_the_example_does_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definition, vendor = re.findall(r"```yaml\n(.*?)```", EXAMPLE, re.DOTALL)
    session = re.search(r"```console\n(.*?)```", EXAMPLE, re.DOTALL)
    assert session is not None
    monkeypatch.chdir(tmp_path)
    Path("acme.yaml").write_text(definition, encoding="utf-8")
    Path("acme-vendor.yaml").write_text(vendor, encoding="utf-8")
    said = ""
    for command in re.findall(r"^\$ hub (.*)$", session[1], re.MULTILINE):
        ran = CliRunner().invoke(main, command.split())
        assert ran.exit_code == 0, ran.output
        said += f"$ hub {command}\n{ran.output}"
    assert said == session[1]
