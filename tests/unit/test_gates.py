"""What must hold before a test makes sense."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.model import conditions as c
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.gates import Considered, GateResult, pass_gates, undecided
from support.builders import definition, inputs, instance

TWO_METHODS = [{"name": "key", "type": "apiKey"}, {"name": "basic", "type": "basicAuth"}]
MANY_MISTAKES = {
    f"f{n}": {"type": "array", "items": {"type": "string"}, "uniqueItems": "yes"} for n in range(7)
}
PRESETS = [{"name": "sandbox", "config": {"region": "us", "team": "blue"}}, {"name": "live"}]

GateCase = tuple[dict[str, Any], str, Reason, list[str], str]

FAILING: list[GateCase] = [
    (
        {"without_definition": True},
        c.DEFINITION_RESOLVED,
        Reason.DEFINITION_NOT_FOUND,
        ["There is no IntegrationDefinition 'acme'"],
        "the definition is missing",
    ),
    (
        {"without_definition": True, "similar_definitions": ("acme-eu", "acne")},
        c.DEFINITION_RESOLVED,
        Reason.DEFINITION_NOT_FOUND,
        ["'acme'", "Did you mean 'acme-eu' or 'acne'?"],
        "the definition is missing and others have much the same name",
    ),
    (
        {"of": definition(authMethods=[{"name": "key", "type": "magic"}])},
        c.DEFINITION_RESOLVED,
        Reason.DEFINITION_INVALID,
        ["'acme' has mistakes", "spec.authMethods[0].type"],
        "the definition has a mistake, which is named by path",
    ),
    (
        {"of": definition(configSchema={"type": "object", "properties": MANY_MISTAKES})},
        c.DEFINITION_RESOLVED,
        Reason.DEFINITION_INVALID,
        ["more)"],
        "of many mistakes the first are named and the rest counted",
    ),
    (
        {"of": definition(baseURL=None)},
        c.DEFINITION_RESOLVED,
        Reason.DEFINITION_INVALID,
        ["spec.baseURL"],
        "the definition cannot even be read",
    ),
    (
        {"name_owner": "older"},
        c.CONFIG_VALID,
        Reason.DISPLAY_NAME_TAKEN,
        ["'prod'", "'older'"],
        "an older instance has the name; both are named",
    ),
    (
        {"raw": instance(template="nope"), "of": definition(templates=PRESETS)},
        c.CONFIG_VALID,
        Reason.TEMPLATE_NOT_FOUND,
        ["'nope'", "'sandbox', 'live'"],
        "the template is missing; those there are are listed",
    ),
    (
        {"raw": instance(template="nope")},
        c.CONFIG_VALID,
        Reason.TEMPLATE_NOT_FOUND,
        ["it has none"],
        "the definition has no templates at all",
    ),
    (
        {"raw": instance(config={})},
        c.CONFIG_VALID,
        Reason.CONFIG_INVALID,
        ["spec.config.region", "required"],
        "a required field is missing",
    ),
    (
        {"raw": instance(config={"region": "mars", "extra": 1})},
        c.CONFIG_VALID,
        Reason.CONFIG_INVALID,
        ["spec.config.region", "spec.config.extra"],
        "two mistakes are both named",
    ),
    (
        {
            "raw": instance(config={"region": "eu", "team": "a/b"}),
            "of": definition(baseURL="https://{{ config.team }}.acme.example"),
        },
        c.CONFIG_VALID,
        Reason.CONFIG_INVALID,
        ["spec.config.team"],
        "a value that satisfies the schema cannot stand in a host",
    ),
    (
        {
            "raw": instance(
                tests=[{"name": "nope"}, {"name": "own", "request": {"path": "/{{ config.nope }}"}}]
            )
        },
        c.CONFIG_VALID,
        Reason.TESTS_INVALID,
        ["spec.tests[0].name", "'account'", "spec.tests[1].request.path"],
        "mistakes in saved tests are named by path",
    ),
    (
        {
            "raw": instance(
                config={"region": "eu", "team": "a\nb"},
                tests=[{"name": "own", "request": {"headers": {"X-Team": "{{ config.team }}"}}}],
            )
        },
        c.CONFIG_VALID,
        Reason.CONFIG_INVALID,
        ["spec.config.team"],
        "a value cannot stand where a saved test puts it",
    ),
    (
        {"of": definition(authMethods=TWO_METHODS)},
        c.CREDENTIALS_AVAILABLE,
        Reason.AUTH_METHOD_NOT_FOUND,
        ["several auth methods", "'key', 'basic'"],
        "of several methods one must be chosen",
    ),
    (
        {"raw": instance(auth={"method": "oauth"}), "of": definition(authMethods=TWO_METHODS)},
        c.CREDENTIALS_AVAILABLE,
        Reason.AUTH_METHOD_NOT_FOUND,
        ["no auth method 'oauth'", "'key', 'basic'"],
        "the chosen method is not there",
    ),
    (
        {"raw": instance(auth={"method": "oauth"})},
        c.CREDENTIALS_AVAILABLE,
        Reason.AUTH_METHOD_NOT_FOUND,
        ["no auth method 'oauth'", "'key'"],
        "the only method is not taken in place of the one that was named",
    ),
]


@pytest.mark.parametrize(
    ("given", "type_", "expected", "words", "reason"), FAILING, ids=[row[-1] for row in FAILING]
)
def test_the_first_gate_that_does_not_hold_decides(
    given: dict[str, Any], type_: str, expected: Reason, words: list[str], reason: str
) -> None:
    result = pass_gates(inputs(**given))
    assert result.passed is None, reason
    *held, last = result.conditions
    assert all(condition.status == "True" for condition in held)
    assert (last.type, last.status, last.reason) == (type_, "False", expected)
    assert [word for word in words if word not in last.message] == []


def test_every_gates_failure_is_covered() -> None:
    assert {row[2] for row in FAILING} == {
        Reason.DEFINITION_NOT_FOUND,
        Reason.DEFINITION_INVALID,
        Reason.DISPLAY_NAME_TAKEN,
        Reason.TEMPLATE_NOT_FOUND,
        Reason.CONFIG_INVALID,
        Reason.TESTS_INVALID,
        Reason.AUTH_METHOD_NOT_FOUND,
    }


def test_what_passes_has_a_plan_and_a_method() -> None:
    result = pass_gates(inputs())
    assert [(x.type, x.status, x.reason) for x in result.conditions] == [
        (c.DEFINITION_RESOLVED, "True", Reason.RESOLVED),
        (c.CONFIG_VALID, "True", Reason.VALID),
    ]
    assert result.passed is not None
    (planned,) = result.passed.tests
    assert planned.test.default
    assert planned.plan.request.url == "https://eu.acme.example/v1/account"
    assert (result.passed.method.name, result.passed.method_type.type) == ("key", "apiKey")


def test_saved_tests_are_planned_with_the_same_configuration_and_the_same_hosts() -> None:
    mine = {"name": "orders", "request": {"path": "/{{ config.region }}/orders"}}
    passed = pass_gates(inputs(instance(tests=[mine]))).passed
    assert passed is not None
    account, orders = passed.tests
    assert (account.test.name, orders.test.name) == ("account", "orders")
    assert orders.plan.request.url == "https://eu.acme.example/eu/orders"
    assert orders.plan.allowed_hosts == account.plan.allowed_hosts == ("*.acme.example",)


class TestWhatAMethodSays:
    """Two ways into one system, at two addresses: each needs a field that the other does not."""

    OF = definition(
        configSchema={
            "type": "object",
            "properties": {"site": {"type": "string"}, "cloud": {"type": "string"}},
        },
        baseURL="https://{{ config.site }}.acme.example",
        allowedHosts=["{{ config.site }}.acme.example", "api.acme.example"],
        authMethods=[
            {"name": "key", "type": "apiKey"},
            {
                "name": "app",
                "type": "apiKey",
                "test": "projects",
                "baseURL": "https://api.acme.example/ex/{{ config.cloud }}",
                "headers": {"X-Acting-As": "app"},
            },
        ],
        tests=[
            {"name": "myself", "default": True, "request": {"path": "/me"}},
            {"name": "projects", "request": {"path": "/projects"}},
        ],
    )

    def passed(self, method: str, config: dict[str, Any], **spec: Any) -> GateResult:
        return pass_gates(inputs(instance(auth={"method": method}, config=config, **spec), self.OF))

    def test_it_decides_about_test_address_and_headers(self) -> None:
        ready = self.passed("app", {"cloud": "c-1"}).passed
        assert ready is not None
        (planned,) = ready.tests
        assert (planned.test.name, planned.test.default) == ("projects", True)
        assert planned.plan.request.url == "https://api.acme.example/ex/c-1/projects"
        assert planned.plan.request.headers["X-Acting-As"] == "app"
        assert planned.plan.allowed_hosts == ("api.acme.example",)
        # What tokens are bound to, and what workloads are told.
        assert (ready.context.api, ready.base_url) == (
            "https://api.acme.example",
            "https://api.acme.example/ex/c-1",
        )

    def test_another_method_goes_its_own_way(self) -> None:
        ready = self.passed("key", {"site": "red"}).passed
        assert ready is not None
        (planned,) = ready.tests
        assert planned.plan.request.url == "https://red.acme.example/me"
        assert "X-Acting-As" not in planned.plan.request.headers
        assert ready.context.api == "https://red.acme.example"

    @pytest.mark.parametrize(
        ("method", "config", "field"), [("app", {"site": "red"}, "cloud"), ("key", {"cloud": "c-1"}, "site")]
    )
    def test_the_field_that_its_address_needs_is_named(
        self, method: str, config: dict[str, Any], field: str
    ) -> None:
        *_, last = self.passed(method, config).conditions
        assert (last.reason, last.message.partition(": ")[0]) == (
            Reason.CONFIG_INVALID,
            f"spec.config.{field}",
        )

    def test_before_one_is_chosen_no_field_is_missed(self) -> None:
        *_, last = pass_gates(inputs(instance(config={}), self.OF)).conditions
        assert last.reason == Reason.AUTH_METHOD_NOT_FOUND

    def test_its_test_cannot_be_optional(self) -> None:
        optional = [{"name": "projects", "optional": True}]
        *_, last = self.passed("app", {"cloud": "c-1"}, tests=optional).conditions
        assert last.reason == Reason.TESTS_INVALID
        assert self.passed("key", {"site": "red"}, tests=optional).passed is not None


def test_a_required_field_is_missed_also_where_it_would_only_be_left_out() -> None:
    test = {"name": "t", "default": True, "request": {"headers": {"X-Region": "{{ config.region }}"}}}
    of = definition(tests=[test], baseURL="https://api.acme.example")
    *_, last = pass_gates(inputs(instance(config={}), of)).conditions
    assert (last.reason, "spec.config.region" in last.message) == (Reason.CONFIG_INVALID, True)


def test_a_named_method_is_taken_among_several() -> None:
    result = pass_gates(inputs(instance(auth={"method": "basic"}), definition(authMethods=TWO_METHODS)))
    assert result.passed is not None
    assert result.passed.method_type.type == "basicAuth"


@pytest.mark.parametrize(
    ("config", "template", "expected", "reason"),
    [
        ({}, None, {"team": "red"}, "defaults of the schema"),
        ({}, "sandbox", {"region": "us", "team": "blue"}, "the template's over the defaults"),
        (
            {"region": "eu"},
            "sandbox",
            {"region": "eu", "team": "blue"},
            "the instance's own over the template's",
        ),
        ({"region": "eu"}, "live", {"region": "eu", "team": "red"}, "a template that presets nothing"),
    ],
)
def test_layers_of_the_configuration(
    config: object, template: str | None, expected: object, reason: str
) -> None:
    schema = {
        "type": "object",
        "properties": {"region": {"type": "string"}, "team": {"type": "string", "default": "red"}},
    }
    of = definition(configSchema=schema, templates=PRESETS)
    assert Considered(inputs(instance(config=config, template=template), of)).config == expected, reason


def test_conditions_that_no_gate_decided_are_unknown_in_their_order() -> None:
    decided = pass_gates(inputs()).conditions
    assert [(x.type, x.status) for x in undecided(decided)] == [
        (type_, "Unknown") for type_ in c.DOMAIN_CONDITIONS[2:]
    ]
    assert [x.type for x in undecided(())] == list(c.DOMAIN_CONDITIONS)
