"""From a definition's test and a configuration to the request that will be sent, without credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_hub.config.templates import TemplateError
from integration_hub.model.definition import DefinitionSpec
from integration_hub.probe.plan import ProbePlan, plan_probe
from support.builders import definition

EU = {"region": "eu"}


def planned(request: dict[str, Any], config: dict[str, Any] | None = None, **spec: Any) -> ProbePlan:
    raw = definition(tests=[{"name": "t", "default": True, "request": request}], **spec)
    parsed = DefinitionSpec.model_validate(raw["spec"])
    test = parsed.default_test
    return plan_probe(parsed, test, test.request, EU if config is None else config)


def test_the_path_is_put_below_the_base_url() -> None:
    plan = planned({"path": "/v1/{{ config.region }}/me"}, baseURL="https://api.acme.example/base/")
    assert plan.request.url == "https://api.acme.example/base/v1/eu/me"
    assert (plan.request.method, plan.request.purpose) == ("GET", "test")


def test_where_it_may_go_is_rendered_too() -> None:
    assert planned({}, allowedHosts=["{{ config.region }}.acme.example", "*.acme.test"]).allowed_hosts == (
        "eu.acme.example",
        "*.acme.test",
    )


def test_query_values_are_handed_over_unencoded() -> None:
    # The HTTP layer encodes, so that it is encoded exactly once.
    plan = planned({"query": {"q": "a b&{{ config.region }}"}})
    assert plan.request.query == (("q", "a b&eu"),)


def test_an_empty_path_asks_for_the_base_url_itself() -> None:
    assert planned({}).request.url == "https://eu.acme.example"


@pytest.mark.parametrize(
    ("request_", "expected", "reason"),
    [
        ({}, {"Accept": "application/json"}, "JSON is asked for"),
        (
            {"headers": {"accept": "text/csv"}},
            {"accept": "text/csv"},
            "unless the definition asks for something else",
        ),
        (
            {"headers": {"X-R": "{{ config.region }}"}},
            {"X-R": "eu", "Accept": "application/json"},
            "headers are rendered",
        ),
        (
            {"method": "POST", "body": {}},
            {"Content-Type": "application/json", "Accept": "application/json"},
            "a body has its type, even an empty object",
        ),
        (
            {"method": "POST", "body": {}, "headers": {"content-TYPE": "application/vnd.acme+json"}},
            {"content-TYPE": "application/vnd.acme+json", "Accept": "application/json"},
            "of which the definition may choose another",
        ),
    ],
)
def test_headers(request_: dict[str, Any], expected: dict[str, str], reason: str) -> None:
    assert planned(request_).request.headers == expected, reason


def test_texts_in_the_body_are_rendered() -> None:
    body = {"where": ["{{ config.region }}", 1, {"deep": "in {{ config.region }}"}], "flag": True}
    sent = planned({"method": "POST", "body": body}).request.body
    assert sent is not None
    assert json.loads(sent) == {"where": ["eu", 1, {"deep": "in eu"}], "flag": True}


def test_without_a_body_there_is_none() -> None:
    assert planned({}).request.body is None


@pytest.mark.parametrize(
    ("spec", "config", "expected", "reason"),
    [
        ({}, {}, None, "no trust at all: the system's"),
        ({"trust": {}}, {}, None, "no bundle: the system's"),
        ({"trust": {"caBundle": "PEM"}}, {}, "PEM", "the definition's own"),
        ({"trust": {"caBundle": "{{ config.team }}"}}, {"team": "PEM"}, "PEM", "the instance's"),
        ({"trust": {"caBundle": "{{ config.team }}"}}, {}, None, "the instance gives none: the system's"),
    ],
)
def test_trust(spec: dict[str, Any], config: dict[str, Any], expected: str | None, reason: str) -> None:
    assert planned({}, EU | config, **spec).ca_bundle == expected, reason


@pytest.mark.parametrize(
    "request_",
    [
        {"path": "/{{ config.region }}"},
        {"headers": {"X": "{{ config.region }}"}},
        {"query": {"x": "{{ config.region }}"}},
    ],
)
def test_a_value_that_is_missing_names_its_field(request_: dict[str, Any]) -> None:
    with pytest.raises(TemplateError) as refused:
        planned(request_, {}, baseURL="https://acme.example")
    assert refused.value.field == "region"
