"""From a definition's test and a configuration to the request that will be sent, without credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_hub.config.templates import TemplateError
from integration_hub.model.definition import AuthMethod, DefinitionSpec
from integration_hub.probe.plan import ProbePlan, plan_probe
from support.builders import definition

EU = {"region": "eu"}


def planned(
    request: dict[str, Any],
    config: dict[str, Any] | None = None,
    method: dict[str, Any] | None = None,
    **spec: Any,
) -> ProbePlan:
    """The plan of a definition's only test, made with an auth method that says this besides."""
    raw = definition(tests=[{"name": "t", "default": True, "request": request}], **spec)
    parsed = DefinitionSpec.model_validate(raw["spec"])
    test, uses = (
        parsed.default_test,
        AuthMethod.model_validate({"name": "m", "type": "apiKey"} | (method or {})),
    )
    return plan_probe(parsed, test, test.request, EU if config is None else config, uses)


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
        {"headers": {"X": "in {{ config.region }}"}},
        {"headers": {"X": "{{ config.team }}{{ config.region }}"}},
        {"query": {"x": "{{ config.region }}!"}},
        {"body": {"x": "{{ config.region }}"}},
    ],
)
def test_a_value_that_is_missing_names_its_field(request_: dict[str, Any]) -> None:
    with pytest.raises(TemplateError) as refused:
        planned(request_, {"team": "red"}, baseURL="https://acme.example")
    assert refused.value.field == "region"


@pytest.mark.parametrize("unset", [{}, {"team": None}, {"team": ""}], ids=["absent", "null", "empty"])
def test_a_header_or_parameter_of_nothing_but_fields_without_a_value_is_left_out(
    unset: dict[str, Any],
) -> None:
    texts = {
        "A": "{{ config.team }}",
        "B": " {{ config.team }}{{config.team}} ",
        "C": "{{ config.region }}",
        "D": "",
    }
    request = planned({"headers": texts, "query": texts}, EU | unset).request
    assert request.headers == {"C": "eu", "D": "", "Accept": "application/json"}
    assert dict(request.query) == {"C": "eu", "D": ""}


def test_zero_and_false_are_values() -> None:
    request = planned(
        {"query": {"a": "{{ config.n }}", "b": "{{ config.f }}"}}, EU | {"n": 0, "f": False}
    ).request
    assert request.query == (("a", "0"), ("b", "false"))


class TestWhatAMethodSays:
    def test_requests_go_below_its_own_address(self) -> None:
        method = {"baseURL": "https://api.acme.example/ex/{{ config.team }}/"}
        plan = planned({"path": "/me"}, EU | {"team": "red"}, method)
        assert plan.request.url == "https://api.acme.example/ex/red/me"

    def test_the_other_address_needs_no_value_then(self) -> None:
        plan = planned({"path": "/me"}, {}, {"baseURL": "https://api.acme.example"})
        assert plan.request.url == "https://api.acme.example/me"

    def test_its_headers_are_sent_and_a_tests_own_of_that_name_wins(self) -> None:
        method = {
            "headers": {"X-Region": "{{ config.region }}", "X-Kind": "oauth", "X-Team": "{{ config.team }}"}
        }
        plan = planned({"headers": {"x-kind": "own"}}, method=method)
        assert plan.request.headers == {"X-Region": "eu", "x-kind": "own", "Accept": "application/json"}

    def test_its_type_of_content_is_the_bodys(self) -> None:
        plan = planned(
            {"method": "POST", "body": {}}, method={"headers": {"Content-Type": "application/vnd.acme"}}
        )
        assert plan.request.headers == {"Content-Type": "application/vnd.acme", "Accept": "application/json"}


class TestAllowedHosts:
    HOSTS = ("api.acme.example", "{{ config.team }}.acme.example")

    def test_an_entry_whose_field_has_no_value_allows_nothing(self) -> None:
        assert planned({}, EU, allowedHosts=self.HOSTS).allowed_hosts == ("api.acme.example",)
        assert planned({}, EU | {"team": "red"}, allowedHosts=self.HOSTS).allowed_hosts == (
            "api.acme.example",
            "red.acme.example",
        )

    def test_where_no_entry_has_one_the_field_is_named(self) -> None:
        with pytest.raises(TemplateError) as refused:
            planned({}, EU, allowedHosts=self.HOSTS[1:])
        assert refused.value.field == "team"


def test_expressions_get_the_configuration_and_nothing_of_a_secret() -> None:
    # The gates let no such configuration through; should one come all the same, it ends here.
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string"},
            "apiKey": {"type": "string", "x-hub-secret": True},
        },
    }
    plan = planned({}, {"region": "eu", "apiKey": "s3cr3t"}, configSchema=schema)
    assert plan.config == {"region": "eu"}
