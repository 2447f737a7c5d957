"""What is wrong in a definition, by path."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.config.violation import Violation
from integration_hub.model import conditions as c
from integration_hub.model.definition import DefinitionStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.definition import MAX_NAMED, check_definition, definition_status, listed
from support.builders import definition

NOW, LATER = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
OUTSIDE = {"type": "object", "properties": {"region": {"type": "string"}}, "if": {}}
SECRET_FIELD = {
    "type": "object",
    "properties": {"region": {"type": "string"}, "pin": {"type": "string", "x-hub-secret": True}},
}


def one_test(**request: Any) -> list[dict[str, Any]]:
    return [{"name": "t", "default": True, "request": request}]


CLIENT_CREDENTIALS: dict[str, Any] = {
    "name": "client",
    "type": "oauth2",
    "settings": {"grant": "clientCredentials", "tokenURL": "https://login.example:8443/token"},
}


def method(**besides: Any) -> dict[str, Any]:
    """A definition's only method, with what it says besides its settings."""
    return {"authMethods": [{"name": "key", "type": "apiKey", **besides}]}


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"baseURL": None}, "spec.baseURL", "a required field is missing"),
    ({"tests": "none"}, "spec.tests", "a field has another type"),
    (
        {"tests": [{"name": "t", "default": True, "request": {"method": "FETCH"}}]},
        "spec.tests[0].request.method",
        "an unknown word",
    ),
    ({"configSchema": OUTSIDE}, "spec.configSchema.if", "outside of the profile"),
    (
        {"configSchema": {"type": "object", "properties": {"region": {"type": "text"}}}},
        "spec.configSchema.properties.region.type",
        "a field of no type",
    ),
    ({"baseURL": "https://{{ config.regoin }}.acme.example"}, "spec.baseURL", "a template names no field"),
    ({"baseURL": "https://{{ region }}.acme.example"}, "spec.baseURL", "a template that cannot be read"),
    ({"allowedHosts": ["a.example", "{{ config.x }}"]}, "spec.allowedHosts[1]", "in a list"),
    ({"trust": {"caBundle": "{{ config.x }}"}}, "spec.trust.caBundle", "in the trust"),
    ({"trust": {"caBundle": "/etc/ssl/ca.pem"}}, "spec.trust.caBundle", "a path in place of a certificate"),
    ({"tests": one_test(path="/{{ config.x }}")}, "spec.tests[0].request.path", "in a path"),
    ({"tests": one_test(query={"q": "{{ config.x }}"})}, "spec.tests[0].request.query.q", "in a query"),
    ({"tests": one_test(headers={"H": "{{ config.x }}"})}, "spec.tests[0].request.headers.H", "in a header"),
    (
        {"tests": one_test(body={"a": [1, {"b": "{{ config.x }}"}]})},
        "spec.tests[0].request.body.a[1].b",
        "deep in a body",
    ),
    (
        {"configSchema": SECRET_FIELD, "tests": one_test(path="/{{ config.pin }}")},
        "spec.tests[0].request.path",
        "a secret in a URL",
    ),
    ({"baseURL": "ftp://a.example"}, "spec.baseURL", "no scheme that is spoken here"),
    ({"baseURL": "https://{{ config.region }}.-acme.example"}, "spec.baseURL", "a host that no value mends"),
    ({"allowedHosts": ["1.2.3"]}, "spec.allowedHosts[0]", "an address that only some read"),
    ({"allowedHosts": ["a.example", "*.com"]}, "spec.allowedHosts[1]", "a rule that allows too much"),
    ({"allowedHosts": ["*.{{ config.region }}:0"]}, "spec.allowedHosts[0]", "a port that there is not"),
    ({"allowedHosts": ["https://a.example/path"]}, "spec.allowedHosts[0]", "a URL in place of a host"),
    ({"tests": one_test(path="/v1//x")}, "spec.tests[0].request.path", "an empty segment"),
    ({"tests": one_test(path="/v1/{{ config.region }}/../x")}, "spec.tests[0].request.path", "a way up"),
    ({"tests": one_test(path="/{{ config.region }}?a=b")}, "spec.tests[0].request.path", "a query in a path"),
    ({"tests": one_test(headers={"X Y": "1"})}, "spec.tests[0].request.headers.X Y", "no header's name"),
    ({"tests": one_test(headers={"X": "a\nb"})}, "spec.tests[0].request.headers.X", "a line break"),
    ({"authMethods": [{"name": "key", "type": "magic"}]}, "spec.authMethods[0].type", "an unknown type"),
    (
        {"authMethods": [{"name": "key", "type": "apiKey", "settings": {"in": "body"}}]},
        "spec.authMethods[0].settings.in",
        "a setting that the method does not know",
    ),
    (method(test="acount"), "spec.authMethods[0].test", "a test that there is not"),
    (
        method(baseURL="https://{{ config.nope }}.acme.example"),
        "spec.authMethods[0].baseURL",
        "no field, there too",
    ),
    (method(baseURL="ftp://a.example"), "spec.authMethods[0].baseURL", "no scheme that is spoken, there too"),
    (
        method(baseURL="https://{{ config.pin }}.acme.example") | {"configSchema": SECRET_FIELD},
        "spec.authMethods[0].baseURL",
        "a secret in a method's address",
    ),
    (method(headers={"X-A": "{{ config.x }}"}), "spec.authMethods[0].headers.X-A", "in a method's header"),
    (method(headers={"X-A": "a\nb"}), "spec.authMethods[0].headers.X-A", "a line break in a method's header"),
    (
        method(headers={"Authorization": "x"}),
        "spec.authMethods[0].headers.Authorization",
        "credentials in clear",
    ),
    (method(headers={"Host": "x"}), "spec.authMethods[0].headers.Host", "a header that frames the message"),
    (
        method(credentials=[{"key": "apiKey"}, {"key": "apikey"}]),
        "spec.authMethods[0].credentials[1].key",
        "a key that the method does not read",
    ),
    (
        {"authMethods": [CLIENT_CREDENTIALS], "allowedHosts": ["*.acme.example", "login.example"]},
        "spec.authMethods[0].settings.tokenURL",
        "a token URL at a port that is not allowed",
    ),
    (
        {
            "authMethods": [
                {**CLIENT_CREDENTIALS, "failures": [{"when": "response.(", "reason": "AccountLocked"}]}
            ],
            "allowedHosts": ["*.acme.example", "login.example:8443"],
        },
        "spec.authMethods[0].failures[0].when",
        "a rule about token requests that cannot be read",
    ),
    (
        {
            "authMethods": [
                {**CLIENT_CREDENTIALS, "failures": [{"when": "true", "reason": "IdentityMissing"}]}
            ],
            "allowedHosts": ["*.acme.example", "login.example:8443"],
        },
        "spec.authMethods[0].failures[0].reason",
        "a reason that no request for a token ends with",
    ),
    (
        method(failures=[{"when": "true", "reason": "AccountLocked"}]),
        "spec.authMethods[0].failures",
        "rules about token requests of a method that makes none",
    ),
    (
        {"tests": [{"name": "t", "default": True, "identity": "json.id"}]},
        "spec.tests[0].identity",
        "an identity that is no path",
    ),
    (
        {"wizard": {"steps": [{"title": "One", "fields": ["region", "nope"]}]}},
        "spec.wizard.steps[0].fields",
        "a page that asks for no field",
    ),
    (
        {
            "templates": [
                {"name": "ok", "config": {"region": "eu"}},
                {"name": "bad", "config": {"region": "mars"}},
            ]
        },
        "spec.templates[1].config.region",
        "a template presets what the schema refuses",
    ),
]


@pytest.mark.parametrize(
    ("spec", "path", "reason"), MISTAKES, ids=[f"{row[1]}: {row[2]}" for row in MISTAKES]
)
def test_a_mistake_is_named_by_its_path(spec: dict[str, Any], path: str, reason: str) -> None:
    checked = check_definition(definition(**spec))
    assert [violation.path for violation in checked.violations] == [path], reason


def test_a_definition_without_mistakes_is_prepared_for_its_instances() -> None:
    checked = check_definition(definition(generation=4))
    assert checked.violations == ()
    assert checked.spec is not None
    assert checked.validator is not None
    assert (checked.name, checked.uid, checked.generation) == ("acme", "d-1", 4)


@pytest.mark.parametrize(
    "spec",
    [
        {"baseURL": "{{ config.region }}"},
        {"baseURL": "https://h.example:{{ config.region }}/{{ config.team }}"},
        {"baseURL": "https://{{ config.region }}:{{ config.team }}"},
        {
            "allowedHosts": [
                "*.{{ config.region }}",
                "{{ config.team }}:{{ config.region }}",
                "https://a.example",
            ]
        },
        {
            "tests": one_test(
                path="/{{ config.region }}/{{ config.team }}", headers={"X-A": "{{ config.team }}é"}
            )
        },
        {"tests": one_test(path="")},
    ],
)
def test_what_some_configuration_makes_usable_is_no_mistake(spec: dict[str, Any]) -> None:
    assert check_definition(definition(**spec)).violations == ()


class TestMethods:
    def test_what_is_not_there_is_named_with_what_is(self) -> None:
        (line,) = check_definition(definition(**method(test="acount"))).violations
        assert line.message == "there is no test 'acount' (did you mean 'account'?); spec.tests has 'account'"

    def test_a_key_that_is_not_read_is_told_with_those_that_are(self) -> None:
        help_ = [{"key": "token"}]
        (line,) = check_definition(
            definition(authMethods=[{"name": "m", "type": "basicAuth", "credentials": help_}])
        ).violations
        assert line.message == "the method does not read 'token'; it reads 'password', 'username'"

    @pytest.mark.parametrize(
        ("type_", "settings", "keys"),
        [
            ("apiKey", {"secretKey": "token"}, ["token"]),
            ("basicAuth", {"username": "any", "passwordKey": "apiKey"}, ["apiKey"]),
            ("oauth2", CLIENT_CREDENTIALS["settings"], ["clientId", "clientSecret"]),
            ("custom", {"awsSigV4": {"service": "s3"}}, ["accessKeyId", "secretAccessKey", "sessionToken"]),
            ("custom", {"mtls": {}}, ["tls.crt", "tls.key"]),
            (
                "oauth2",
                CLIENT_CREDENTIALS["settings"] | {"clientId": "{{ config.team }}"},
                ["clientSecret", "clientId"],
            ),
        ],
        ids=[
            "renamed",
            "the only one",
            "both",
            "an optional one",
            "of a pair",
            "where the configuration has none",
        ],
    )
    def test_keys_that_may_be_read_can_be_explained(
        self, type_: str, settings: dict[str, Any], keys: list[str]
    ) -> None:
        help_ = [
            {"key": key, "displayName": "Words", "description": "There.", "example": "ab…"} for key in keys
        ]
        method_ = {"name": "m", "type": type_, "settings": settings, "credentials": help_}
        checked = check_definition(
            definition(authMethods=[method_], allowedHosts=["*.acme.example", "login.example:8443"])
        )
        assert checked.violations == ()

    def test_faulty_settings_are_told_alone(self) -> None:
        broken = {"name": "m", "type": "apiKey", "settings": {"in": "body"}, "credentials": [{"key": "nope"}]}
        found = check_definition(definition(authMethods=[broken])).violations
        assert [violation.path for violation in found] == ["spec.authMethods[0].settings.in"]


def test_a_template_need_not_be_complete() -> None:
    # 'region' is required of an instance, not of a preset.
    assert (
        check_definition(definition(templates=[{"name": "blue", "config": {"team": "blue"}}])).violations
        == ()
    )


@pytest.mark.parametrize(
    "raw", [{}, {"spec": None}, {"metadata": None, "spec": {}}, {"metadata": {"name": "x"}}]
)
def test_whatever_the_object_is_the_check_ends_with_words(raw: dict[str, Any]) -> None:
    checked = check_definition(raw)
    assert checked.violations
    assert (checked.spec, checked.validator) == (None, None)


def test_of_many_mistakes_the_first_are_named_and_the_rest_counted() -> None:
    every = [Violation(f"spec.f{n}", "is wrong") for n in range(8)]
    assert listed(every[:1]) == "spec.f0: is wrong"
    assert listed(every[:MAX_NAMED]).count("is wrong") == MAX_NAMED
    assert "more" not in listed(every[:MAX_NAMED])
    assert listed(every).endswith("spec.f4: is wrong (and 3 more)")


class TestStatus:
    BROKEN = definition(authMethods=[{"name": "key", "type": "magic"}], generation=2)

    def test_a_usable_one_is_ready(self) -> None:
        status = definition_status(check_definition(definition()), DefinitionStatus(), NOW)
        assert status.observed_generation == 1
        assert [(x.type, x.status, x.reason, x.observed_generation) for x in status.conditions] == [
            (c.READY, "True", Reason.VALID, 1)
        ]

    def test_one_with_mistakes_is_stalled_and_says_where(self) -> None:
        status = definition_status(check_definition(self.BROKEN), DefinitionStatus(), NOW)
        assert [(x.type, x.status, x.reason) for x in status.conditions] == [
            (c.READY, "False", Reason.DEFINITION_INVALID),
            (c.STALLED, "True", Reason.DEFINITION_INVALID),
        ]
        assert all("spec.authMethods[0].type" in x.message for x in status.conditions)

    def test_the_same_again_is_equal_so_that_nothing_is_written(self) -> None:
        for raw in (definition(), self.BROKEN):
            once = definition_status(check_definition(raw), DefinitionStatus(), NOW)
            assert definition_status(check_definition(raw), once, LATER) == once

    def test_corrected_the_time_moves_and_stalled_goes(self) -> None:
        broken = definition_status(check_definition(self.BROKEN), DefinitionStatus(), NOW)
        (ready,) = definition_status(check_definition(definition(generation=3)), broken, LATER).conditions
        assert (ready.type, ready.status, ready.last_transition_time) == (c.READY, "True", LATER)
