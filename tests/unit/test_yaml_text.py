"""YAML that people write: read as Kubernetes does, and nothing that a few bytes stand for takes the process down."""

from __future__ import annotations

import pytest
import yaml

from integration_hub.config import yaml_text
from integration_hub.config.yaml_text import NoYamlError, read_documents

MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10)
)
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))


@pytest.fixture(params=range(len(yaml_text._LOADERS)), autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either parser, by itself."""
    monkeypatch.setattr(yaml_text, "_LOADERS", [yaml_text._LOADERS[request.param]])


def test_a_date_is_text_and_what_is_merged_is_there() -> None:
    text = "a: 2026-01-02\nb: &b {c: 1}\nd: {<<: *b, e: yes}\n---\n---\n[]\n"
    first = {"a": "2026-01-02", "b": {"c": 1}, "d": {"c": 1, "e": True}}
    assert read_documents(text) == [first, None, []]
    assert read_documents("") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "is nested too deep"),
        ("{a: " * 100_000, "is nested too deep"),
        ("- " * 100_000, "is nested too deep"),
        ("&a {<<: *a}", "is "),
        (MERGES, "holds more than 1000000 values"),
        (ALIASES, "holds more than 1000000 values"),
        ("a: &a [*a]", "holds more than 1000000 values"),
        ("a: 1\na: 2", "a field stands there twice"),
        ("a: [", "look at the indentation"),
        ("\x00", "is not valid YAML"),
        ("!!bool canary", "is not valid YAML"),
        ("!!int ''", "is not valid YAML"),
        ("!!timestamp canary", "is not valid YAML"),
        ("!!python/object:os.system canary", "is not valid YAML"),
        ("*canary", "is not valid YAML"),
    ],
)
def test_what_is_none_or_too_much_is_said_without_what_stands_there(text: str, words: str) -> None:
    with pytest.raises(NoYamlError) as refused:
        read_documents(text)
    assert words in str(refused.value)
    assert "canary" not in str(refused.value)


def test_the_line_is_that_of_an_editor() -> None:
    with pytest.raises(NoYamlError) as refused:
        read_documents("a: 1\nb: 2\nb: 3\n")
    assert refused.value.at("f.yaml") == "f.yaml, line 3: is not valid YAML: a field stands there twice"


def test_what_is_read_is_what_the_library_reads() -> None:
    text = "a: [1, 2.5, true, null, 'x']\nb: |\n  d\n  e\n"
    assert read_documents(text) == list(yaml.safe_load_all(text))
