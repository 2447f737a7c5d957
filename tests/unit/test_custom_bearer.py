"""The scheme `bearer`: what is asked for a token is what the definition declares, and no answer can do any harm."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.credentials import read_credentials
from integration_hub.auth.custom.bearer import Bearer
from integration_hub.auth.custom.exchange_answer import at
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.templates import render_settings
from integration_hub.auth.tokens import Acquisition, TokenRefused, token_method
from integration_hub.config.moments import moment_of
from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from support.auth import CONTEXT

METHOD = Bearer()
URL = "https://auth.example.com/token"
KEY = {"name": "key", "secretKey": "key"}
SIMPLE: dict[str, Any] = {"tokenURL": URL, "request": {"fields": [KEY]}}
HELD = Credentials({"key": "canary-key", "username": "jane", "password": "canary-password"})


def ask(settings: Mapping[str, Any], credentials: Credentials = HELD) -> HttpRequest:
    return next(METHOD.obtain(settings, credentials, CONTEXT))


def answer(
    status: int = 200,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] = SIMPLE,
) -> Tokens | TokenRefused:
    steps = METHOD.obtain(settings, HELD, CONTEXT)
    next(steps)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(StopIteration) as ended:
        steps.send(HttpResponse(status, headers or {}, raw))
    result = ended.value.value
    assert isinstance(result, Tokens | TokenRefused)
    return result


# -- Real systems ------------------------------------------------------------------------------------


class System(NamedTuple):
    """How a system gives out tokens, as its documentation shows it."""

    settings: dict[str, Any]
    config: dict[str, Any]
    secret: dict[str, str]
    asked: dict[str, Any]
    """Method, URL, query, headers and body as they must be."""
    answer: HttpResponse
    token: str
    lives: timedelta | None
    sent: tuple[str, str]


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def said(document: object, headers: dict[str, str] | None = None, status: int = 200) -> HttpResponse:
    return HttpResponse(status, headers or {}, json.dumps(document).encode())


SYSTEMS: dict[str, System] = {
    # Server-to-server OAuth: a grant that no standard knows
    "zoom": System(
        settings={
            "tokenURL": "https://zoom.us/oauth/token",
            "request": {
                "basic": {"usernameKey": "clientId", "passwordKey": "clientSecret"},
                "fields": [
                    {"name": "grant_type", "value": "account_credentials"},
                    {"name": "account_id", "value": "{{ config.account }}"},
                ],
            },
        },
        config={"account": "A-1 x"},
        secret={"clientId": "id", "clientSecret": "canary"},
        asked={
            "method": "POST",
            "url": "https://zoom.us/oauth/token",
            "headers": {
                "Authorization": basic("id:canary"),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            "form": [("grant_type", "account_credentials"), ("account_id", "A-1 x")],
        },
        answer=said({"access_token": "eyJ.z.oom", "token_type": "bearer", "expires_in": 3599}),
        token="eyJ.z.oom",
        lives=timedelta(seconds=3599),
        sent=("Authorization", "Bearer eyJ.z.oom"),
    ),
    "box, as an enterprise": System(
        settings={
            "tokenURL": "https://api.box.com/oauth2/token",
            "request": {
                "fields": [
                    {"name": "grant_type", "value": "client_credentials"},
                    {"name": "client_id", "secretKey": "clientId"},
                    {"name": "client_secret", "secretKey": "clientSecret"},
                    {"name": "box_subject_type", "value": "enterprise"},
                    {"name": "box_subject_id", "value": "{{ config.enterprise }}"},
                ]
            },
        },
        config={"enterprise": "4711"},
        secret={"clientId": "id", "clientSecret": "s&s=ü"},
        asked={
            "method": "POST",
            "url": "https://api.box.com/oauth2/token",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            "form": [
                ("grant_type", "client_credentials"),
                ("client_id", "id"),
                ("client_secret", "s&s=ü"),
                ("box_subject_type", "enterprise"),
                ("box_subject_id", "4711"),
            ],
        },
        answer=said({"access_token": "T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl", "expires_in": 3600}),
        token="T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl",
        lives=timedelta(hours=1),
        sent=("Authorization", "Bearer T9cE5asGnuyYCCqIZFoWjFHvNbvVqHjl"),
    ),
    # JSON with groups and a list; the token comes in a header
    "openstack keystone": System(
        settings={
            "tokenURL": "https://{{ config.host }}/v3/auth/tokens",
            "request": {
                "encoding": "json",
                "fields": [
                    {"name": "auth.identity.methods.0", "value": "password"},
                    {"name": "auth.identity.password.user.name", "secretKey": "username"},
                    {"name": "auth.identity.password.user.domain.id", "value": "default"},
                    {"name": "auth.identity.password.user.password", "secretKey": "password"},
                ],
            },
            "answer": {"header": "X-Subject-Token", "expiresAt": "token.expires_at"},
            "tokenIn": {"header": "X-Auth-Token"},
        },
        config={"host": "cloud.example.com"},
        secret={"username": "ops", "password": "canary"},
        asked={
            "method": "POST",
            "url": "https://cloud.example.com/v3/auth/tokens",
            "headers": {"Content-Type": "application/json"},
            "json": {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {"name": "ops", "domain": {"id": "default"}, "password": "canary"}
                        },
                    }
                }
            },
        },
        answer=said(
            {"token": {"expires_at": "2026-11-22T13:00:00.000000Z"}}, {"x-subject-token": "gAAAA"}, 201
        ),
        token="gAAAA",
        lives=timedelta(hours=1),
        sent=("X-Auth-Token", "gAAAA"),
    ),
    "vault, as an application": System(
        settings={
            "tokenURL": "https://vault.example.com/v1/auth/approle/login",
            "request": {
                "encoding": "json",
                "headers": [{"name": "X-Vault-Namespace", "value": "{{ config.namespace }}"}],
                "fields": [
                    {"name": "role_id", "secretKey": "roleId"},
                    {"name": "secret_id", "secretKey": "secretId"},
                ],
            },
            "answer": {"accessToken": "auth.client_token", "expiresIn": "auth.lease_duration"},
            "tokenIn": {"header": "X-Vault-Token"},
        },
        config={"namespace": "team/a"},
        secret={"roleId": "role", "secretId": "canary"},
        asked={
            "method": "POST",
            "url": "https://vault.example.com/v1/auth/approle/login",
            "headers": {"X-Vault-Namespace": "team/a", "Content-Type": "application/json"},
            "json": {"role_id": "role", "secret_id": "canary"},
        },
        answer=said({"auth": {"client_token": "hvs.1", "lease_duration": 1200, "renewable": True}}),
        token="hvs.1",
        lives=timedelta(minutes=20),
        sent=("X-Vault-Token", "hvs.1"),
    ),
    # No body, and an answer that is a text in quotes
    "vsphere": System(
        settings={
            "tokenURL": "https://vcenter.example.com/api/session",
            "request": {"basic": {}},
            "answer": {"text": True},
            "lifetime": "30m",
            "tokenIn": {"header": "vmware-api-session-id"},
        },
        config={},
        secret={"username": "ops@vsphere.local", "password": "canary"},
        asked={
            "method": "POST",
            "url": "https://vcenter.example.com/api/session",
            "headers": {"Authorization": basic("ops@vsphere.local:canary")},
        },
        answer=said("b00db39f948d13ea1e59b4d6fce56389", status=201),
        token="b00db39f948d13ea1e59b4d6fce56389",
        lives=timedelta(minutes=30),
        sent=("vmware-api-session-id", "b00db39f948d13ea1e59b4d6fce56389"),
    ),
    "a container registry": System(
        settings={
            "tokenURL": "https://auth.docker.io/token",
            "request": {
                "method": "GET",
                "basic": {},
                "encoding": "query",
                "fields": [
                    {"name": "service", "value": "registry.docker.io"},
                    {"name": "scope", "value": "repository:{{ config.image }}:pull"},
                ],
            },
            "answer": {"accessToken": "token"},
        },
        config={"image": "library/python"},
        secret={"username": "ops", "password": "canary"},
        asked={
            "method": "GET",
            "url": "https://auth.docker.io/token",
            "headers": {"Authorization": basic("ops:canary")},
            "query": [("service", "registry.docker.io"), ("scope", "repository:library/python:pull")],
        },
        answer=said({"token": "eyJ.d.k", "expires_in": 300, "issued_at": "2026-11-22T12:00:00Z"}),
        token="eyJ.d.k",
        lives=timedelta(minutes=5),
        sent=("Authorization", "Bearer eyJ.d.k"),
    ),
    "numbers and milliseconds": System(
        settings={
            "tokenURL": "https://api.example.com/login",
            "request": {
                "encoding": "json",
                "headers": [{"name": "X-Key", "secretKey": "key", "prefix": "Key"}],
                "fields": [
                    {"name": "tenant", "value": "{{ config.tenant }}", "type": "number"},
                    {"name": "remember", "value": "false", "type": "boolean"},
                    {"name": "note", "value": "{{ config.note }}"},
                ],
            },
            "answer": {"accessToken": "data.0.token", "expiresAt": "data.0.until"},
            "tokenIn": {"prefix": "Token token="},
        },
        config={"tenant": 42, "note": ""},
        secret={"key": "canary"},
        asked={
            "method": "POST",
            "url": "https://api.example.com/login",
            "headers": {"X-Key": "Key canary", "Content-Type": "application/json"},
            "json": {"tenant": 42, "remember": False},
        },
        answer=said({"data": [{"token": "t", "until": 1795352400000}]}),
        token="t",
        lives=timedelta(hours=1),
        sent=("Authorization", "Token token=t"),
    ),
}
systems = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


@systems
def test_systems_can_be_declared_and_are_asked_as_they_want_it(system: System) -> None:
    settings = {"bearer": system.settings}
    assert settings_violations("custom", settings) == []
    method = METHODS["custom"]
    rendered = render_settings(method, settings, system.config)
    data = {name: value.encode() for name, value in system.secret.items()}
    held = read_credentials(method.secret_keys(settings), data, secret_name="sec")
    assert isinstance(held, Credentials)
    assert set(held) == set(system.secret)
    assert method.credential_problem(rendered, held) is None
    keeper = token_method(method, rendered)
    assert keeper is not None

    steps = keeper.obtain(rendered, held, CONTEXT)
    asked = next(steps)
    assert (asked.method, asked.url, asked.purpose) == (system.asked["method"], system.asked["url"], "token")
    assert dict(asked.headers) == {"Accept": "application/json", **system.asked["headers"]}
    assert list(asked.query) == system.asked.get("query", [])
    if "json" in system.asked:
        assert json.loads(asked.body or b"") == system.asked["json"]
    elif "form" in system.asked:
        assert parse_qsl((asked.body or b"").decode(), keep_blank_values=True) == system.asked["form"]
    else:
        assert asked.body is None
    assert "canary" not in f"{asked.url} {asked.query} {asked!r}"

    with pytest.raises(StopIteration) as ended:
        steps.send(system.answer)
    tokens = ended.value.value
    assert isinstance(tokens, Tokens)
    assert tokens.access_token == system.token
    assert tokens.expires_at == (CONTEXT.now + system.lives if system.lives else None)
    rules = keeper.token_rules(rendered, held, CONTEXT)
    assert (rules.acquisition, rules.grant) == (Acquisition.BY_ITSELF, tokens.grant)

    test = HttpRequest("GET", "https://api.example.com/me")
    (sent,) = method.flow(rendered, held.with_tokens(tokens), test, CONTEXT)
    assert dict(sent.headers) == dict([system.sent])
    assert method.delivered(rendered, held.with_tokens(tokens)) == {
        "accessToken": system.token,
        "tokenType": "Bearer",
    }


# -- What cannot be declared -------------------------------------------------------------------------

MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"request": {"fields": [KEY]}}, "tokenURL", "is required"),
    (SIMPLE | {"tokenURL": "auth.example.com"}, "tokenURL", ""),
    (SIMPLE | {"tokenURL": "https://u:p@auth.example.com"}, "tokenURL", ""),
    ({"tokenURL": URL}, "request", "nothing is secret"),
    ({"tokenURL": URL, "request": {"fields": [{"name": "a", "value": "b"}]}}, "request", "nothing is secret"),
    (
        {"tokenURL": URL, "request": {"fields": [{**KEY, "value": "x"}]}},
        "request.fields[0]",
        "must have one of 'value' (a text) and 'secretKey'",
    ),
    (
        {"tokenURL": URL, "request": {"fields": [KEY], "headers": [{"name": "X-A"}]}},
        "request.headers[0]",
        "must have one of 'value' (a text) and 'secretKey'",
    ),
    (
        {"tokenURL": URL, "request": {"encoding": "query", "fields": [KEY]}},
        "request.fields[0].secretKey",
        "would put a secret into the URL",
    ),
    (
        {"tokenURL": URL, "request": {"method": "GET", "fields": [KEY]}},
        "request.encoding",
        "must be query with GET",
    ),
    ({"tokenURL": URL, "request": {"basic": {}, "encoding": "json"}}, "request.encoding", "only with fields"),
    (
        {"tokenURL": URL, "request": {"headers": [{"name": "Host", "secretKey": "k"}]}},
        "request.headers[0].name",
        "frames the message",
    ),
    (
        {"tokenURL": URL, "request": {"basic": {}, "headers": [{"name": "authorization", "secretKey": "k"}]}},
        "request.headers[0].name",
        "is the header that 'basic' is sent in",
    ),
    (
        {"tokenURL": URL, "request": {"basic": {"usernameKey": "password"}}},
        "request.basic.passwordKey",
        "is the key of the user name",
    ),
    (
        {"tokenURL": URL, "request": {"fields": [{**KEY, "type": "number"}]}},
        "request.fields[0].type",
        "only with 'encoding: json'",
    ),
    (
        {
            "tokenURL": URL,
            "request": {"encoding": "json", "fields": [KEY, {"name": "n", "value": "x", "type": "number"}]},
        },
        "request.fields[1].value",
        "must be a number",
    ),
    (
        {"tokenURL": URL, "request": {"encoding": "json", "fields": [KEY, {"name": "key.b", "value": "x"}]}},
        "request.fields",
        "are for the same place",
    ),
    (
        {"tokenURL": URL, "request": {"encoding": "json", "fields": [{**KEY, "name": "a..b"}]}},
        "request.fields",
        "has nothing before, after or between its dots",
    ),
    (SIMPLE | {"answer": {"header": "X-T", "accessToken": "a"}}, "answer.header", "cannot stand next to"),
    (SIMPLE | {"answer": {"expiresIn": "a", "expiresAt": "b"}}, "answer.expiresAt", "cannot stand next to"),
    (SIMPLE | {"answer": {"text": True, "expiresIn": "a"}}, "answer.expiresIn", "use lifetime"),
    (SIMPLE | {"lifetime": "1 hour"}, "lifetime", "must be a duration like"),
    (SIMPLE | {"tokenIn": {"header": "Host"}}, "tokenIn.header", "frames the message"),
    (SIMPLE | {"refresh": {"atPercent": 99}}, "refresh.atPercent", "must be at most 95"),
]


@pytest.mark.parametrize(("settings", "path", "said"), MISTAKES)
def test_a_mistake_is_named_with_its_path(settings: dict[str, Any], path: str, said: str) -> None:
    found = settings_violations("custom", {"bearer": settings})
    assert [violation.path for violation in found] == [f"settings.bearer.{path}"]
    assert said in found[0].message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"key": "can\u00e4ry"}, "'key' contains characters that a header cannot carry"),
        ({"username": "can:ary"}, "'username' is a user name, which cannot contain ':'"),
    ],
)
def test_what_can_never_be_sent_is_refused_before_it_is(values: dict[str, str], said: str) -> None:
    settings = {"tokenURL": URL, "request": {"basic": {}, "headers": [{"name": "X-Key", "secretKey": "key"}]}}
    held = Credentials({"key": "k", "username": "u", "password": "p"} | values)
    problem = METHOD.credential_problem(settings, held)
    assert problem is not None
    assert said in problem
    assert not any(value in problem for value in values.values())


@pytest.mark.parametrize(
    ("type_", "value"),
    [("number", "many"), ("number", "true"), ("number", ""), ("boolean", "yes"), ("number", "[1]")],
)
def test_a_value_of_the_configuration_that_is_of_another_type_is_named_and_nothing_is_sent(
    type_: str, value: str
) -> None:
    fields = [KEY, {"name": "size", "value": value, "type": type_}]
    settings = {"tokenURL": URL, "request": {"encoding": "json", "fields": fields}}
    with pytest.raises(StopIteration) as ended:
        next(METHOD.obtain(settings, HELD, CONTEXT))
    needed = {"number": "a number", "boolean": "'true' or 'false'"}[type_]
    assert ended.value.value == TokenRefused(
        message=f"The field 'size' of the token request must be {needed}."
    )


def test_a_key_that_is_used_twice_is_asked_for_once() -> None:
    settings = {"tokenURL": URL, "request": {"fields": [KEY, {"name": "again", "secretKey": "key"}]}}
    (key,) = METHOD.secret_keys(settings)
    assert (key.name, key.required, key.public) == ("key", True, False)
    assert key.description == "what the token request has in the field key"


def test_the_user_name_may_be_shown_and_the_password_not() -> None:
    keys = METHOD.secret_keys({"tokenURL": URL, "request": {"basic": {}}})
    assert [(key.name, key.public) for key in keys] == [("username", True), ("password", False)]


def test_a_header_of_the_definition_goes_before_our_own() -> None:
    settings = {
        "tokenURL": URL,
        "request": {"fields": [KEY], "headers": [{"name": "accept", "value": "application/vnd.acme+json"}]},
    }
    headers = ask(settings).headers
    assert headers["accept"] == "application/vnd.acme+json"
    assert "Accept" not in headers


# -- Answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (401, {"error": "invalid_client", "error_description": "canary"}, "invalid_client", ""),
        (401, {"error": {"code": "bad.key", "message": "canary"}}, "bad.key", ""),
        (400, {"code": 4711, "message": "canary"}, "4711", ""),
        (400, {"errorCode": "E-1"}, "E-1", ""),
        (400, {"error": "no such user: jane"}, "", ""),
        (400, {"error": "canary-key"}, "", ""),
        (400, {"error": "xcanary-passwordx"}, "", ""),
        (400, {"error": True}, "", ""),
        (403, b"<html>forbidden", "", ""),
        (302, b"", "", ""),
        (429, {"error": "slow_down"}, "", ""),
        (500, {"error": "server_error"}, "", ""),
        (503, b"", "", ""),
        (200, {"error": "bad_key"}, "bad_key", ""),
        (400, {"error": 10**200}, "", ""),
        (200, {}, "", "The token URL's answer has no access token at 'access_token'."),
        (200, {"access_token": ""}, "", "The token URL's answer has no access token at 'access_token'."),
        (200, {"access_token": 5}, "", "The token URL's answer has no access token at 'access_token'."),
        (200, [], "", "The token URL's answer has no access token at 'access_token'."),
        (200, b"\xff", "", "The token URL's answer has no access token at 'access_token'."),
    ],
)
def test_a_refusal_has_a_code_of_limited_form_and_no_words_of_others(
    status: int, body: object, code: str, message: str
) -> None:
    assert answer(status, body) == TokenRefused(code=code, ended=False, message=message)


def test_a_grant_that_is_over_is_over() -> None:
    assert answer(400, {"error": "invalid_grant"}) == TokenRefused(code="invalid_grant", ended=True)


@pytest.mark.parametrize("token", ["a\nb", "a\x00b", "tök", " a", "a ", "\u2028"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    found = answer(200, {"access_token": token})
    assert isinstance(found, TokenRefused)
    assert "no header can carry" in found.message
    assert token.strip() not in found.message or len(token.strip()) < 2


@pytest.mark.parametrize(
    ("settings", "body", "headers", "message"),
    [
        ({"header": "X-Token"}, {}, {"x-other": "t"}, "no access token in the header 'X-Token'."),
        ({"text": True}, b" \n", {}, "no access token in it."),
        ({"accessToken": "a.0.b"}, {"a": []}, {}, "no access token at 'a.0.b'."),
    ],
)
def test_where_the_token_should_be_is_told(
    settings: dict[str, Any], body: object, headers: dict[str, str], message: str
) -> None:
    found = answer(200, body, headers, SIMPLE | {"answer": settings})
    assert isinstance(found, TokenRefused)
    assert found.message.endswith(message)


def test_a_text_may_be_the_token_with_or_without_quotes() -> None:
    for body in (b'"abc"', b"abc", b" abc\r\n"):
        found = answer(200, body, settings=SIMPLE | {"answer": {"text": True}})
        assert isinstance(found, Tokens)
        assert found.access_token == "abc"


@pytest.mark.parametrize(
    ("settings", "told", "lives"),
    [
        ({}, {"expires_in": 60}, 60),
        ({}, {"expires_in": "60"}, 60),
        ({}, {"expires_in": 0}, None),
        ({}, {"expires_in": -5}, None),
        ({}, {"expires_in": "soon"}, None),
        ({}, {}, None),
        ({"lifetime": "2m"}, {}, 120),
        ({"lifetime": "2m"}, {"expires_in": 60}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": "2026-11-22T12:01:00Z"}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": "2026-11-22T13:01:00+01:00"}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": "2026-11-22 12:01:00"}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": 1795348860}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": "1795348860"}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": 1795348860000}, 60),
        ({"answer": {"expiresAt": "at"}}, {"at": "2020-01-01T00:00:00Z"}, None),
        ({"answer": {"expiresAt": "at"}, "lifetime": "2m"}, {"at": "2020-01-01T00:00:00Z"}, 120),
        ({"answer": {"expiresAt": "at"}}, {"at": "tomorrow", "expires_in": 60}, None),
    ],
)
def test_the_end_of_a_token_is_what_the_answer_tells_or_else_the_definition(
    settings: dict[str, Any], told: dict[str, Any], lives: int | None
) -> None:
    found = answer(200, {"access_token": "t"} | told, settings=SIMPLE | settings)
    assert isinstance(found, Tokens)
    assert found.expires_at == (None if lives is None else CONTEXT.now + timedelta(seconds=lives))


def test_for_ever_is_ten_years() -> None:
    for told in ({"expires_in": 10**15}, {"at": "9999-12-31T23:59:59Z"}):
        settings = SIMPLE | ({"answer": {"expiresAt": "at"}} if "at" in told else {})
        found = answer(200, {"access_token": "t"} | told, settings=settings)
        assert isinstance(found, Tokens)
        assert found.expires_at == CONTEXT.now + timedelta(days=3650)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(["access_token", "error", "a", "0"]), below)
    ),
    max_leaves=12,
)


@given(
    st.integers(100, 599),
    JSON | st.binary(max_size=40),
    st.sampled_from([{}, {"text": True}, {"accessToken": "a.0"}]),
)
def test_whatever_is_answered_ends_with_tokens_or_a_refusal_of_limited_form(
    status: int, body: object, where: dict[str, Any]
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = answer(status, raw, settings=SIMPLE | {"answer": where})
    if isinstance(found, TokenRefused):
        assert len(found.code) <= 64
        assert found.code.isascii()
    else:
        assert found.access_token.isprintable()
        assert 200 <= status < 300


@given(JSON)
def test_any_moment_is_read_or_not(told: object) -> None:
    moment = moment_of(told)
    assert moment is None or moment.tzinfo is UTC


def test_places_lead_through_groups_and_lists() -> None:
    document = {"a": [{"b": 1}], "c": None, "0": "x"}
    assert at(document, "a.0.b") == 1
    assert at(document, "0") == "x"
    for nowhere in ("a.1.b", "a.b", "c.d", "a.-1", "a.0.b.c", "a.99999999999999999999"):
        assert at(document, nowhere) is None


# -- Tokens of whom, and for how long ----------------------------------------------------------------


def grant(settings: Mapping[str, Any] = SIMPLE, **values: str) -> str:
    return METHOD.token_rules(settings, Credentials(dict(HELD) | values), CONTEXT).grant


def test_tokens_are_of_no_use_once_the_request_or_the_credentials_are_others() -> None:
    assert grant() == grant()
    others = [
        grant(key="another"),
        grant(SIMPLE | {"tokenURL": f"{URL}2"}),
        grant({"tokenURL": URL, "request": {"fields": [KEY, {"name": "tenant", "value": "b"}]}}),
        grant(SIMPLE | {"answer": {"accessToken": "token"}}),
    ]
    assert len({grant(), *others}) == 5
    assert grant(SIMPLE | {"refresh": {"atPercent": 50}}) == grant(), "when they are renewed changes nothing"
    assert "canary" not in grant()


def test_they_are_renewed_by_the_same_request() -> None:
    tokens = Tokens("old", CONTEXT.now, "grant")
    renewed = next(METHOD.refresh(SIMPLE, HELD, tokens, CONTEXT))
    assert renewed == ask(SIMPLE)
    rules = METHOD.token_rules(SIMPLE | {"refresh": {"atPercent": 50}, "lifetime": "1h"}, HELD, CONTEXT)
    assert (rules.refresh_share, rules.lifetime) == (0.5, timedelta(hours=1))
    assert METHOD.token_rules(SIMPLE, HELD, CONTEXT).refresh_share == 0.8


def test_nobody_is_asked_and_nothing_is_revoked() -> None:
    attempt = ConsentAttempt("s", "u", "r", 1, "g", CONTEXT.now)
    device = DeviceCode("d", "u", "v", CONTEXT.now, "g", "t")
    for call in (
        lambda: METHOD.authorization_link(SIMPLE, HELD, "state", CONTEXT),
        lambda: METHOD.exchange(SIMPLE, HELD, attempt, ConsentAnswer("s"), CONTEXT),
        lambda: METHOD.start_device(SIMPLE, HELD, CONTEXT),
        lambda: METHOD.poll_device(SIMPLE, HELD, device, CONTEXT),
    ):
        with pytest.raises(TypeError, match="by themselves"):
            call()
    assert list(METHOD.revoke(SIMPLE, HELD, Tokens("t", CONTEXT.now, "g"), CONTEXT)) == []


def test_a_request_without_a_token_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="obtained before"):
        next(METHOD.flow(SIMPLE, HELD, HttpRequest("GET", URL), CONTEXT))
    assert METHOD.delivered(SIMPLE, HELD) == {}


def test_the_credential_ends_when_a_key_says_so() -> None:
    claims = base64.urlsafe_b64encode(b'{"exp":1800000000}').decode().rstrip("=")
    held = Credentials({"key": f"eyJhbGciOiJub25lIn0.{claims}.s"})
    assert METHOD.ends_at(SIMPLE, held) == datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
