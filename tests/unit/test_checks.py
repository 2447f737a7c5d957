"""What is wrong in a test, by path: the same rules for a definition's test and for a saved one."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.model.reasons import SELECTABLE, Reason
from integration_hub.model.testing import ConnectionTest
from integration_hub.reconcile.checks import check_test
from integration_hub.reconcile.definition import check_definition
from support.builders import definition


def mistakes(**test: Any) -> list[tuple[str, str]]:
    """Path below the test, and message, of everything that is wrong in it."""
    parsed = ConnectionTest.model_validate({"name": "t", **test})
    found = check_test("t", parsed, parsed.request, known={"region", "apiKey"}, secret={"apiKey"})
    return [(violation.path, violation.message) for violation in found]


def test_there_is_nothing_wrong_in_a_test_that_uses_everything() -> None:
    assert (
        mistakes(
            request={
                "method": "POST",
                "path": "/{{ config.region }}/search",
                "query": {"in": "{{ config.region }}"},
                "headers": {"X-Region": "{{ config.region }}"},
                "body": {"where": ["{{ config.region }}", 1, None, True, {"deep": "{{ config.region }}"}]},
            },
            identity="response.headers['x-user']".replace("'", '"'),
            errorCode="response.json.errors[0].code",
            expect={
                "status": [200, 201],
                "assertions": [{"rule": "response.json.ok == true && response.json.at == config.region"}],
            },
            failures=[{"when": "response.json.error == 'invalid_auth'", "reason": "CredentialsRejected"}],
        )
        == []
    )


@pytest.mark.parametrize(
    ("where", "request_"),
    [
        ("path", {"path": "/{TEMPLATE}"}),
        ("query.q", {"query": {"q": "{TEMPLATE}"}}),
        ("headers.X-A", {"headers": {"X-A": "{TEMPLATE}"}}),
        ("body", {"body": "{TEMPLATE}"}),
        ("body.a.b[1].c", {"body": {"a": {"b": [0, {"c": "{TEMPLATE}"}]}}}),
    ],
)
@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ config.nope }}", "is not a field of configSchema"),
        ("{{ config.apiKey }}", "is a secret field"),
        ("{{ config.region", ""),
    ],
    ids=["an unknown field", "a secret", "no end"],
)
def test_wherever_a_template_stands_it_is_checked(
    where: str, request_: dict[str, Any], template: str, says: str
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(below) for name, below in value.items()}
        if isinstance(value, list):
            return [filled(below) for below in value]
        return value.replace("{TEMPLATE}", template) if isinstance(value, str) else value

    ((path, message),) = mistakes(request=filled(request_))
    assert path == f"t.request.{where}"
    assert says in message


@pytest.mark.parametrize("field", ["identity", "errorCode"])
@pytest.mark.parametrize("expression", ["", "json.id", "response", "response.text.x", "response.json.a b"])
def test_a_path_into_the_answer_must_be_one(field: str, expression: str) -> None:
    ((path, message),) = mistakes(**{field: expression})
    assert path == f"t.{field}"
    assert "response" in message or "character" in message


@pytest.mark.parametrize(
    ("test", "path"),
    [
        (
            {"expect": {"assertions": [{"rule": "true"}, {"rule": "response.json.ok =="}]}},
            "expect.assertions[1].rule",
        ),
        ({"failures": [{"when": "response.(", "reason": "AccountLocked"}]}, "failures[0].when"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_with_its_place(test: dict[str, Any], path: str) -> None:
    ((found, message),) = mistakes(**test)
    assert found == f"t.{path}"
    assert any(character.isdigit() for character in message), "the message says at which character"


@pytest.mark.parametrize(
    ("field", "test"),
    [
        ("expect.assertions[0].rule", {"expect": {"assertions": [{"rule": "response.json.r == EXPR"}]}}),
        ("failures[0].when", {"failures": [{"when": "response.json.r == EXPR", "reason": "AccountLocked"}]}),
        ("identity", {"identity": "response.json.r + EXPR"}),
    ],
)
@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("config.regoin", "'config.regoin' is not a field of configSchema (did you mean 'region'?)"),
        ('config["regoin"]', "'config.regoin' is not a field of configSchema (did you mean 'region'?)"),
        ("config.apiKey", "'config.apiKey' is a secret field (x-hub-secret): expressions read no secrets"),
    ],
)
def test_an_expression_reads_only_fields_that_there_are_and_no_secret(
    field: str, test: dict[str, Any], expression: str, says: str
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(below) for name, below in value.items()}
        if isinstance(value, list):
            return [filled(below) for below in value]
        return value.replace("EXPR", expression)

    ((path, message),) = mistakes(**filled(test))
    assert path == f"t.{field}"
    assert message.startswith(says)


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        ("response.json.filter(t, t.id == config.region)[0].name", ""),
        ("string(config.region)", "must read 'response.json' or"),
        ("string(response.json.id", "')' is missing"),
        ("response.json.user + ' (' + config.region + ')'", ""),
    ],
)
def test_an_identity_may_be_an_expression(identity: str, says: str) -> None:
    found = mistakes(identity=identity)
    assert [path for path, _ in found] == (["t.identity"] if says else [])
    assert all(says in message for _, message in found)


def test_an_error_code_is_read_of_the_answer_alone() -> None:
    ((path, message),) = mistakes(errorCode="config.region")
    assert path == "t.errorCode"
    assert "must start with 'response.json'" in message


class TestReasons:
    @pytest.mark.parametrize("reason", sorted(SELECTABLE))
    def test_that_a_test_can_end_with_may_be_named(self, reason: Reason) -> None:
        assert mistakes(failures=[{"when": "true", "reason": reason}]) == []

    @pytest.mark.parametrize("reason", sorted(set(Reason) - SELECTABLE))
    def test_of_something_else_may_not(self, reason: Reason) -> None:
        ((path, message),) = mistakes(failures=[{"when": "true", "reason": reason}])
        assert path == "t.failures[0].reason"
        assert "no reason that a test can end with" in message

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("CredentialRejected", "CredentialsRejected"),
            ("RateLimit", "RateLimited"),
            ("Acountlocked", "AccountLocked"),
        ],
    )
    def test_that_are_misspelt_are_told_the_right_one(self, written: str, meant: str) -> None:
        ((_, message),) = mistakes(failures=[{"when": "true", "reason": written}])
        assert f"did you mean '{meant}'?" in message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Authorization", "they never stand here"),
        ("cookie", "the auth method takes from the Secret"),
        ("Proxy-Authorization", "they never stand here"),
        ("Host", "frames the message"),
        ("Transfer-Encoding", "frames the message"),
        ("content-length", "frames the message"),
        ("X A", "is not the name of a header"),
    ],
)
def test_headers_that_are_not_a_tests_to_give_are_refused(name: str, says: str) -> None:
    ((path, message),) = mistakes(request={"headers": {name: "x", "Content-Type": "text/csv"}})
    assert path == f"t.request.headers.{name}"
    assert says in message


def test_every_mistake_is_found_at_once() -> None:
    found = mistakes(
        request={"path": "/{{ config.nope }}", "body": "{{ config.apiKey }}"},
        identity="id",
        errorCode="code",
        expect={"assertions": [{"rule": "("}, {"rule": ")"}]},
        failures=[{"when": "(", "reason": "Nope"}],
    )
    assert [path for path, _ in found] == [
        "t.request.path",
        "t.request.body",
        "t.identity",
        "t.errorCode",
        "t.expect.assertions[0].rule",
        "t.expect.assertions[1].rule",
        "t.failures[0].when",
        "t.failures[0].reason",
    ]


def test_a_definitions_tests_are_checked_by_the_same_rules() -> None:
    broken = {"name": "t", "default": True, "failures": [{"when": "(", "reason": "Nope"}], "identity": "id"}
    checked = check_definition(definition(tests=[broken]))
    assert [violation.path for violation in checked.violations] == [
        "spec.tests[0].identity",
        "spec.tests[0].failures[0].when",
        "spec.tests[0].failures[0].reason",
    ]
