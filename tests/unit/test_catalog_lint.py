"""The lint of definitions: each rule finds what it is for, and says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from integration_hub.adapters import shipped
from integration_hub.catalog.lint.subject import Finding
from integration_hub.catalog.lint.unverified import stands
from integration_hub.catalog.loader import read_object
from integration_hub.shell.authoring import findings

Raw = dict[str, Any]
Edit = Callable[[Raw], object]


def good() -> Raw:
    text = shipped.definition_text("salesforce")
    assert text is not None
    return read_object(text)


def found_after(edit: Edit) -> list[Finding]:
    raw = deepcopy(good())
    edit(raw)
    return findings(raw)


def spec(edit: Callable[[Raw], object]) -> Edit:
    return lambda raw: edit(raw["spec"])


def annotate(name: str, value: str) -> Edit:
    return lambda raw: raw["metadata"]["annotations"].update({f"integrationhub.dev/{name}": value})


def prop(name: str, **keywords: Any) -> Edit:
    return lambda raw: raw["spec"]["configSchema"]["properties"][name].update(keywords)


def unprop(name: str, keyword: str) -> Edit:
    return lambda raw: raw["spec"]["configSchema"]["properties"][name].pop(keyword)


def hosts(*entries: str) -> Edit:
    return lambda raw: raw["spec"].update(allowedHosts=list(entries))


def token_rule(index: int, **fields: Any) -> Edit:
    return lambda raw: raw["spec"]["authMethods"][0]["failures"][index].update(fields)


ERRORS: list[tuple[str, Edit, str, str]] = [
    (
        "a rule about token requests that says nothing",
        spec(lambda s: s["authMethods"][0]["failures"][0].pop("message")),
        "spec.authMethods[client-credentials].failures[0].message",
        "say what the vendor's documentation knows",
    ),
    (
        "a rule about token requests that is never told",
        token_rule(1, when=" response.json.error  == 'inactive_org'"),
        "spec.authMethods[client-credentials].failures[2].when",
        "spec.authMethods[client-credentials].failures[1], which is told in its place",
    ),
    ("no vendor", spec(lambda s: s.pop("vendor")), "spec.vendor", "who makes the system"),
    ("no description", spec(lambda s: s.pop("description")), "spec.description", "in a sentence"),
    ("no page", spec(lambda s: s.pop("documentationURL")), "spec.documentationURL", "page about credentials"),
    ("no version", spec(lambda s: s.pop("version")), "spec.version", "like '1.0.0'"),
    ("a version of two numbers", spec(lambda s: s.update(version="1.0")), "spec.version", "semver"),
    ("a long icon", spec(lambda s: s.update(icon="Acme")), "spec.icon", "monogram"),
    (
        "an image as icon",
        spec(lambda s: s.update(icon="https://acme.example/a.png")),
        "spec.icon",
        "monogram",
    ),
    ("no category", spec(lambda s: s.update(categories=[])), "spec.categories", "is empty"),
    (
        "another category",
        spec(lambda s: s.update(categories=["crmm"])),
        "spec.categories[0]",
        "did you mean 'crm'",
    ),
    (
        "a field without title",
        unprop("username", "title"),
        "spec.configSchema.properties.username.title",
        "is missing",
    ),
    (
        "a field without description",
        unprop("username", "description"),
        "spec.configSchema.properties.username.description",
        "is missing",
    ),
    (
        "a required field that nobody asks for",
        spec(lambda s: s["wizard"]["steps"][0].update(fields=[])),
        "spec.wizard.steps",
        "do not ask for 'hostname', which is required",
    ),
    (
        "a field that is asked for twice",
        spec(lambda s: s["wizard"]["steps"][1]["fields"].append("hostname")),
        "spec.wizard.steps",
        "ask for 'hostname' 2 times",
    ),
    ("no wizard", spec(lambda s: s.pop("wizard")), "spec.wizard.steps", "do not ask for 'hostname'"),
    (
        "a placeholder without a value",
        spec(lambda s: s["configSchema"].update(required=[])),
        "spec.baseURL",
        "needs 'config.hostname', which may have no value",
    ),
    (
        "an assertion that reads a field without a value",
        spec(
            lambda s: s["tests"][0]["expect"].update(
                assertions=[{"rule": "response.text == config.username"}]
            )
        ),
        "spec.tests[identity].expect.assertions[0].rule",
        "reads 'config.username', which may have no value",
    ),
    (
        "an identity that reads a field without a value",
        spec(lambda s: s["tests"][0].update(identity="response.json.name + config.username")),
        "spec.tests[identity].identity",
        "reads 'config.username', which may have no value",
    ),
    (
        "an end that is reckoned with a field without a value",
        spec(lambda s: s["tests"][0].update(credentialExpiresAt="timestamp(config.username)")),
        "spec.tests[identity].credentialExpiresAt",
        "ask for it first, like '!has(config.username) || ...'",
    ),
    (
        "a method without a name",
        spec(lambda s: s["authMethods"][0].pop("displayName")),
        "displayName",
        "is missing",
    ),
    (
        "a method without words",
        spec(lambda s: s["authMethods"][0].pop("description")),
        "spec.authMethods[client-credentials].description",
        "where to click",
    ),
    (
        "a key without words",
        spec(lambda s: s["authMethods"][2]["credentials"].pop()),
        "spec.authMethods[jwt].credentials",
        "say nothing of the key 'privateKey'",
    ),
    (
        "a key without a name",
        spec(lambda s: s["authMethods"][2]["credentials"][0].pop("displayName")),
        "spec.authMethods[jwt].credentials[clientId].displayName",
        "is missing",
    ),
    (
        "no identity",
        spec(lambda s: s["tests"][0].pop("identity")),
        "spec.tests[identity].identity",
        "no-identity",
    ),
    (
        "a test that changes something",
        spec(lambda s: s["tests"][0]["request"].update(method="DELETE")),
        "spec.tests[identity].request.method",
        "changes something",
    ),
    (
        "a test without a name",
        spec(lambda s: s["tests"][1].pop("displayName")),
        "spec.tests[api].displayName",
        "is missing",
    ),
    (
        "a template without words",
        spec(lambda s: s["templates"][0].pop("description")),
        "spec.templates[production].description",
        "when to choose it",
    ),
    (
        "a line that is none",
        annotate("unverified", "the default test"),
        "metadata.annotations.integrationhub.dev/unverified",
        "line 1 must be written",
    ),
    (
        "a path that there is not",
        annotate("unverified", "spec.tests[identity].request: it\nspec.tests[whoami]: it"),
        "metadata.annotations.integrationhub.dev/unverified",
        "line 2 names 'spec.tests[whoami]', which there is not",
    ),
    ("a whole host", hosts("{{ config.username }}"), "spec.allowedHosts[0]", "choose any host"),
    ("the end of a host", hosts("api.{{ config.username }}"), "spec.allowedHosts[0]", "choose any host"),
    ("an end of one label", hosts("{{ config.username }}.com"), "spec.allowedHosts[0]", "choose any host"),
    *(
        (
            f"below {domain}",
            hosts(f"{{{{ config.username }}}}.{domain}"),
            "spec.allowedHosts[0]",
            f"choose any host below '{domain}', where anybody can have one",
        )
        for domain in (
            "co.uk",
            "com.au",
            "github.io",
            "herokuapp.com",
            "azurewebsites.net",
            "pages.dev",
            "vercel.app",
            "netlify.app",
            "cloudfront.net",
            "s3.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "execute-api.eu-west-1.amazonaws.com",
            "eu-west-1.elb.amazonaws.com",
            "amazonaws.com",
        )
    ),
    (
        "any host below such a domain",
        hosts("*.github.io"),
        "spec.allowedHosts[0]",
        "choose any host below 'github.io', where anybody can have one",
    ),
    (
        "a bucket beside a region",
        hosts("{{ config.username }}.s3.{{ config.hostname }}.amazonaws.com"),
        "spec.allowedHosts[0]",
        "choose any host below 'amazonaws.com', where anybody can have one",
    ),
    (
        "what may be more than a region",
        hosts("s3.{{ config.username }}.amazonaws.com"),
        "spec.allowedHosts[0]",
        "choose any host below 'amazonaws.com', where anybody can have one",
    ),
    (
        "a kind",
        lambda raw: raw.update(kind="IntegrationDefinitions"),
        "kind",
        "must be IntegrationDefinition",
    ),
    ("a name", lambda raw: raw["metadata"].pop("name"), "metadata.name", "is required"),
    (
        "what the API server refuses",
        spec(lambda s: s.update(baseURL="ftp://a.example")),
        "spec.baseURL",
        "https://",
    ),
    (
        "what the operator refuses",
        spec(lambda s: s["tests"][0].update(identity="json.name")),
        "spec.tests[0].identity",
        "must start with 'response.json'",
    ),
]

CLOSED: list[tuple[str, Edit]] = [
    ("a fixed host", hosts("api.example.com", "*.my.salesforce.com")),
    ("below a fixed domain", hosts("{{ config.username }}.example.com")),
    ("one of a list", hosts("*.my.salesforce.com", "{{ config.loginHost }}")),
    ("what a pattern ends with a domain", hosts("{{ config.hostname }}")),
    ("below one of a list", hosts("*.my.salesforce.com", "api.{{ config.loginHost }}")),
    ("below a domain that one owner has in another's", hosts("{{ config.username }}.acme.github.io")),
    ("below a domain of a country", hosts("{{ config.username }}.acme.co.uk")),
]


@pytest.mark.parametrize(
    ("edit", "path", "said"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_it_finds(edit: Edit, path: str, said: str) -> None:
    found = found_after(edit)
    assert any(
        finding.level == "error" and path in finding.path and said in finding.message for finding in found
    ), [str(finding) for finding in found]


@pytest.mark.parametrize("edit", [row[1] for row in CLOSED], ids=[row[0] for row in CLOSED])
def test_hosts_are_closed_that_are(edit: Edit) -> None:
    assert [finding for finding in found_after(edit) if "choose any host" in finding.message] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "my\\.salesforce\\.com$",
        "^.*$",
        "^.*\\.com$",
        "^.*my.salesforce.com$",
        "^.*|a\\.example\\.com$",
    ],
)
def test_a_pattern_closes_a_host_only_with_a_domain_at_its_end(pattern: str) -> None:
    def edit(raw: Raw) -> None:
        prop("hostname", pattern=pattern, examples=["acme.my.salesforce.com"])(raw)
        hosts("{{ config.hostname }}")(raw)

    assert any("choose any host" in finding.message for finding in found_after(edit))


@pytest.mark.parametrize("domain", ["github.io", "co.uk"])
def test_a_pattern_closes_no_host_with_a_domain_that_anybody_can_be_below(domain: str) -> None:
    def edit(raw: Raw) -> None:
        prop("hostname", pattern=rf"^[a-z]+\.{re.escape(domain)}$", examples=[f"acme.{domain}"])(raw)
        hosts("{{ config.hostname }}")(raw)

    assert any(f"choose any host below '{domain}'" in finding.message for finding in found_after(edit))


@pytest.mark.parametrize(
    "test",
    [
        {"expect": {"assertions": [{"rule": "!has(config.username) || response.text == config.username"}]}},
        {"expect": {"assertions": [{"rule": "response.text == config.hostname"}]}},
        {"failures": [{"when": "response.text == config.username", "reason": "AccountLocked"}]},
        {"identity": "has(config.username) ? config.username : response.json.preferred_username"},
    ],
    ids=["asked for", "required", "a failure that does not hold", "an identity that asks"],
)
def test_an_expression_may_read_what_has_a_value(test: Raw) -> None:
    assert found_after(lambda raw: raw["spec"]["tests"][0].update(test)) == []


@pytest.mark.parametrize(
    ("rule", "is_asked"),
    [
        ("has(config.username) && response.text == config.username", True),
        ("has( config . username ) && response.text == config.username", True),
        ("has(config.username) ? response.text == config.username : true", True),
        ("!has(config.username) ? true : response.text == config.username", True),
        ("!(has(config.username) && has(config.loginHost)) || response.text == config.username", True),
        ("has(config.username) && ['a'].exists(one, one == config.username)", True),
        ("['a'].map(one, has(config.username), config.username) == ['a']", True),
        ("!has(config.username) || has(config.username.first)", True),
        ("response.text != 'has(config.username)' && response.text == config.username", False),
        ("response.text == config.username // has(config.username)", False),
        ("has(config.loginHost) && response.text == config.username", False),
        ("has(response.json.username) && response.text == config.username", False),
        ("has(response.json[config.username].name)", False),
        ("has(config.username.first)", False),
        ("has(config.username) || response.text == config.username", False),
        ("!has(config.username) && response.text == config.username", False),
        ("(has(config.username) || has(config.loginHost)) && response.text == config.username", False),
        ("has(config.username) ? true : response.text == config.username", False),
        ("response.text == config.username || !has(config.username)", False),
        ("[has(config.username)] == [response.text == config.username]", False),
    ],
)
def test_a_field_is_asked_for_where_it_is_only_read_once_it_has_a_value(rule: str, *, is_asked: bool) -> None:
    found = found_after(lambda raw: raw["spec"]["tests"][0]["expect"].update(assertions=[{"rule": rule}]))
    assert ([finding.message for finding in found if "config.username" in finding.message] == []) is is_asked


def test_a_self_hosted_system_may_be_anywhere() -> None:
    def edit(raw: Raw) -> None:
        hosts("{{ config.hostname }}")(raw)
        prop("hostname", pattern="^.+$")(raw)
        annotate("self-hosted", "true")(raw)

    assert [finding for finding in found_after(edit) if finding.level == "error"] == []


EXTRA: Raw = {"type": "boolean", "title": "Extra", "description": "Something more."}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (annotate("self-hosted", "true"), "every entry of allowedHosts is closed"),
        (annotate("no-identity", "it does not tell"), "is not needed: there is an identity"),
        (unprop("username", "examples"), "people type what they see"),
        (unprop("hostname", "x-hub-pattern-message"), "say in words what the pattern wants"),
        (
            spec(lambda s: s["configSchema"]["properties"].update(extra=EXTRA)),
            "do not ask for 'extra', so it is asked for last, without a heading of its own: add it to a step's fields",
        ),
        (
            spec(lambda s: s["configSchema"]["properties"].update(extra=EXTRA | {"x-hub-group": "Network"})),
            "do not ask for 'extra', so it is asked for last, below 'Network': add it to a step's fields",
        ),
        (spec(lambda s: s["tests"][1].pop("failures")), "what only the vendor's documentation explains"),
    ],
)
def test_a_warning_is_no_error(edit: Edit, said: str) -> None:
    found = found_after(edit)
    assert [finding.level for finding in found] == ["warning"]
    assert said in found[0].message


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("spec.tests[identity].request.path", True),
        ("spec.tests[0].request", True),
        ("spec.authMethods[jwt].settings.jwt", True),
        ("spec.tests[nobody]", False),
        ("spec.tests[identity].request.paths", False),
        ("spec.version.major", False),
    ],
)
def test_a_path_stands_in_a_definition_or_not(path: str, *, is_there: bool) -> None:
    assert stands(good(), path) is is_there
