"""`-o`: what is taken, what is refused with which words, and what templates make of objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.cli.jsonpath import Template, TemplateError, translate
from integration_hub.cli.main import main
from integration_hub.cli.output import as_json, as_yaml

OBJECT = {
    "metadata": {"name": "billing", "labels": {"app.kubernetes.io/name": "shop", "a-b": "c"}},
    "count": 3,
    "on": True,
    "conditions": [
        {"type": "Healthy", "status": "True"},
        {"type": "Ready", "status": "False", "note": 'say "no"'},
    ],
    "stages": [{"name": "dns", "ms": 3}, {"name": "tls", "ms": 40}, {"name": "request", "ms": 7}],
}
RENDERED = [
    ("{.metadata.name}", "billing"),
    ("{$.metadata.name}", "billing"),
    ("{@.metadata.name}", "billing"),
    ("{['metadata'].name}", "billing"),
    ("{['metadata.name']}", "billing"),
    (r"{.metadata.labels.app\.kubernetes\.io/name}", "shop"),
    (r"{.metadata.labels['app\.kubernetes\.io/name']}", "shop"),
    ("{.metadata.labels.a-b}", "c"),
    ("{.metadata.labels}", '{"a-b":"c","app.kubernetes.io/name":"shop"}'),
    ("{.count}{.on}", "3true"),
    ("{.missing}", ""),
    ("{.stages[0].name}", "dns"),
    ("{.stages[-1].name}", "request"),
    ("{.stages[0:2].name}", "dns tls"),
    ("{.stages[0,2].name}", "dns request"),
    ("{.stages[*].name}", "dns tls request"),
    ("{.stages[*]['name','ms']}", "dns 3 tls 40 request 7"),
    ("{..ms}", "3 40 7"),
    ('{.conditions[?(@.type=="Ready")].status}', "False"),
    ("{.conditions[?(@.type=='Ready')].note}", 'say "no"'),
    ("{.conditions[?(@.note)].type}", "Ready"),
    ("{.stages[?(@.ms>5)].name}", "tls request"),
    ('name: {.metadata.name}{"\\n"}', "name: billing\n"),
    ("{range .stages[*]}{.name}={.ms};{end}.", "dns=3;tls=40;request=7;."),
    ('{range .stages[*]}{range .missing[*]}x{end}{"{"}{.name}{"}"}{end}', "{dns}{tls}{request}"),
]
REFUSED = [
    ("metadata.name", "write it as '{.metadata.name}'"),
    ("{metadata.name}", "write it as '{.metadata.name}'"),
    ("{.metadata", "a '{' without its partner, at character 1"),
    ("{.a[0}", "a '[' without its ']'"),
    ("{.a[?(@.b=~'c')]}", "filters with '=~'"),
    ("{.a[?@.b]}", "needs parentheses"),
    ("{range .a[*]}{.b}", "without an '{end}'"),
    ("{.b}{end}", "without a '{range ...}'"),
    ("{.a .b}", "write each in braces of its own"),
    ("{}", "names no path"),
    ("{['a.b','c']}", "write each in braces"),
    ("{.a[b]}", "no index, no slice, no name in quotes and no filter"),
    ("{.a.}", "ends in the middle"),
]


@pytest.mark.parametrize(("template", "text"), RENDERED)
def test_a_template_makes_what_kubectl_makes(template: str, text: str) -> None:
    assert Template(template).render(OBJECT) == text


@pytest.mark.parametrize(("template", "words"), REFUSED)
def test_a_template_that_cannot_be_read_is_refused_with_what_to_write(template: str, words: str) -> None:
    with pytest.raises(TemplateError) as refusal:
        Template(template)
    assert words in str(refusal.value)


@given(st.text(alphabet="{}[]().*?@$'\"\\=:,- ab0\n", max_size=30))
def test_whatever_is_typed_is_a_template_or_is_refused(text: str) -> None:
    try:
        template = Template(text)
    except TemplateError:
        return
    template.render(OBJECT)


def test_paths_are_those_of_the_standard() -> None:
    assert (
        translate(r".a.b\.c[*]..d[?(@.x.y=='z.w')]") == """$["a"]["b.c"][*]..["d"][?(@["x"]["y"]=='z.w')]"""
    )


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("csv", "'csv' is no form to print here; there are 'wide', 'json', 'yaml', 'name', 'jsonpath'."),
        ("custom-columns=A:.b", "'kubectl get' has it"),
        ("json=x", "is no form"),
        ("jsonpath", "needs a template, like -o jsonpath='{.metadata.name}'"),
        ("jsonpath={", "without its partner"),
    ],
)
def test_a_form_that_there_is_not_is_refused_with_those_there_are(form: str, words: str) -> None:
    result = CliRunner().invoke(main, ["get", "-o", form])
    assert result.exit_code == 2
    assert words in result.stderr


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(values)
def test_what_is_written_reads_as_what_it_was(data: Any) -> None:
    assert json.loads(as_json(data)) == data
    assert yaml.safe_load(as_yaml(data)) == data


@pytest.mark.parametrize(
    ("words", "template", "first"),
    [
        (("explain",), "{.items[0].reason}", "Resolved"),
        (("catalog", "list"), "{.items[0].name}", "airtable"),
        (("catalog", "search", "stripe"), "{.items[0].name}", "stripe"),
        (("definition", "lint", "stripe"), "{.items[0].definition}", "stripe"),
    ],
)
def test_several_are_items_whatever_they_are(words: Sequence[str], template: str, first: str) -> None:
    ran = CliRunner().invoke(main, [*words, "-o", f"jsonpath={template}"])
    assert (ran.exit_code, ran.stdout) == (0, first)
    assert list(json.loads(CliRunner().invoke(main, [*words, "-o", "json"]).stdout)) == ["items"]
