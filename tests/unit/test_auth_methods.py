"""API key and basic authentication: published vectors, what each setting does, and what each refusal says."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import base64
from typing import Any

import pytest

from integration_hub.auth.basic_auth import basic_value
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.model.http import HttpRequest
from support.auth import CONTEXT


def sent(
    type_: str, settings: dict[str, Any], secret: dict[str, str], asked: HttpRequest | None = None
) -> HttpRequest:
    assert settings_violations(type_, settings) == []
    credentials = Credentials(secret)
    assert METHODS[type_].credential_problem(settings, credentials) is None
    return list(
        METHODS[type_].flow(settings, credentials, asked or HttpRequest("GET", "https://h/x"), CONTEXT)
    )[-1]


RFC_7617 = [
    # Section 2: the user "Aladdin" with the password "open sesame".
    ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    # Section 2.1: the user "test" with the password "123£", in UTF-8.
    ("test", "123£", "Basic dGVzdDoxMjPCow=="),
]


@pytest.mark.parametrize(("username", "password", "expected"), RFC_7617)
def test_the_vectors_of_rfc_7617(username: str, password: str, expected: str) -> None:
    assert basic_value(username, password) == expected
    assert (
        sent("basicAuth", {}, {"username": username, "password": password}).headers["Authorization"]
        == expected
    )


BASIC = [
    ({}, {"username": "jane", "password": "pw:with:colons"}, "jane:pw:with:colons"),
    (
        {"usernameSuffix": "/token", "passwordKey": "apiToken"},
        {"username": "jane@example.com", "apiToken": "t"},
        "jane@example.com/token:t",
    ),
    ({"usernameKey": "apiKey", "password": ""}, {"apiKey": "sk_test"}, "sk_test:"),
    ({"username": "anystring", "passwordKey": "apiKey"}, {"apiKey": "k-us6"}, "anystring:k-us6"),
    ({"username": "", "passwordKey": "pat"}, {"pat": "p"}, ":p"),
    ({"passwordRequired": False}, {"username": "jane"}, "jane:"),
]


@pytest.mark.parametrize(("settings", "secret", "expected"), BASIC)
def test_basic_sends(settings: dict[str, Any], secret: dict[str, str], expected: str) -> None:
    header = sent("basicAuth", settings, secret).headers["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == expected


API_KEY: list[tuple[dict[str, Any], dict[str, str], dict[str, str], tuple[tuple[str, str], ...]]] = [
    ({}, {"apiKey": "k"}, {"Authorization": "k"}, ()),
    ({"prefix": "Bearer"}, {"apiKey": "k"}, {"Authorization": "Bearer k"}, ()),
    ({"prefix": "Bearer "}, {"apiKey": "k"}, {"Authorization": "Bearer k"}, ()),
    ({"prefix": "Token token="}, {"apiKey": "k"}, {"Authorization": "Token token=k"}, ()),
    ({"name": "X-API-Key", "secretKey": "token"}, {"token": "k"}, {"X-API-Key": "k"}, ()),
    ({"in": "cookie", "name": "sid"}, {"apiKey": "k"}, {"Cookie": "sid=k"}, ()),
    ({"in": "query", "name": "api_key", "allowInQuery": True}, {"apiKey": "ü&="}, {}, (("api_key", "ü&="),)),
    (
        {
            "headers": [
                {"name": "DD-API-KEY", "secretKey": "a"},
                {"name": "X-B", "secretKey": "b", "prefix": "Bearer"},
            ]
        },
        {"a": "1", "b": "2"},
        {"DD-API-KEY": "1", "X-B": "Bearer 2"},
        (),
    ),
]


@pytest.mark.parametrize(("settings", "secret", "headers", "query"), API_KEY)
def test_api_key_sends(
    settings: dict[str, Any],
    secret: dict[str, str],
    headers: dict[str, str],
    query: tuple[tuple[str, str], ...],
) -> None:
    request = sent("apiKey", settings, secret)
    assert dict(request.headers) == headers
    assert request.query == query
    assert request.url == "https://h/x"


def test_what_was_there_under_the_same_name_is_replaced_whatever_its_case() -> None:
    asked = HttpRequest(
        "GET", "https://h/x", {"authorization": "old", "COOKIE": "a=b", "X": "y"}, (("k", "old"), ("z", "1"))
    )
    assert sent("apiKey", {}, {"apiKey": "k"}, asked).headers == {
        "COOKIE": "a=b",
        "X": "y",
        "Authorization": "k",
    }
    assert (
        sent("apiKey", {"in": "cookie", "name": "s"}, {"apiKey": "k"}, asked).headers["Cookie"] == "a=b; s=k"
    )
    query = {"in": "query", "name": "k", "allowInQuery": True}
    assert sent("apiKey", query, {"apiKey": "new"}, asked).query == (("z", "1"), ("k", "new"))
    assert (
        sent("basicAuth", {}, {"username": "u", "password": "p"}, asked).headers["Authorization"]
        == "Basic dTpw"
    )


REFUSED = [
    ("oauth", {}, "type: is not a known type (did you mean 'oauth2'?); known: apiKey, basicAuth, custom, oauth2"),
    ("apiKye", {}, "type: is not a known type (did you mean 'apiKey'?); known: apiKey, basicAuth"),
    ("apiKey", {"nam": "x"}, "settings.nam: is not a known field (did you mean 'name'?)"),
    ("apiKey", {"in": "body"}, "settings.in: must be one of: header, query, cookie"),
    ("apiKey", {"in": "query", "name": "k"}, "settings.in: puts a secret into the URL"),
    ("apiKey", {"in": "query", "name": "k", "allowInQuery": False}, "settings.in: puts a secret into the URL"),
    ("apiKey", {"allowInQuery": True}, "settings.allowInQuery: has a meaning only with 'in: query'"),
    ("apiKey", {"in": "cookie"}, "settings.name: is required with 'in: cookie'"),
    ("apiKey", {"in": "cookie", "name": "s", "prefix": "x"}, "settings.prefix: has a meaning only in a header"),
    ("apiKey", {"in": "cookie", "name": "s=t"}, "settings.name: must be letters, digits"),
    ("apiKey", {"in": "query", "name": "a&b", "allowInQuery": True}, "settings.name: cannot contain"),
    ("apiKey", {"name": "X Y"}, "settings.name: must be one name without spaces, like 'X-API-Key'"),
    ("apiKey", {"name": "X:Y"}, "settings.name: must be letters, digits"),
    ("apiKey", {"name": "X\nEvil"}, "settings.name: must be one name without spaces, like 'X-API-Key'"),
    ("apiKey", {"name": "Host\n"}, "settings.name: "),
    ("apiKey", {"name": "Cookie"}, "settings.name: is the header of cookies"),
    ("apiKey", {"name": "HOST"}, "settings.name: is a header that frames the message"),
    ("apiKey", {"name": "content-length"}, "settings.name: is a header that frames the message"),
    ("apiKey", {"name": "Transfer-Encoding"}, "settings.name: is a header that frames the message"),
    ("apiKey", {"prefix": "a\r\nb"}, "settings.prefix: must be one line of plain ASCII, of 50 characters at most"),
    ("apiKey", {"secretKey": "a\n"}, "settings.secretKey: must be the name of a key in the Secret"),
    ("apiKey", {"secretKey": "a/b"}, "settings.secretKey: must be the name of a key in the Secret"),
    ("apiKey", {"headers": []}, "settings.headers: must not be empty"),
    ("apiKey", {"headers": [{"name": "A"}]}, "settings.headers[0].secretKey: is required"),
    ("apiKey", {"headers": [{"name": "A", "secretKey": "a"}], "name": "B"}, "settings.name: cannot stand next to 'headers'"),
    ("apiKey", {"headers": [{"name": "Host", "secretKey": "a"}]}, "settings.headers[0].name: is a header that frames"),
    ("apiKey", {"headers": [{"name": "A", "secretKey": "a"}, {"name": "a", "secretKey": "b"}]}, "settings.headers[1].name: names a header that an earlier"),
    ("basicAuth", {"username": "a", "password": "b"}, "settings.password: and username are both fixed"),
    ("basicAuth", {"username": "a:b"}, "settings.username: cannot contain ':'"),
    ("basicAuth", {"usernameSuffix": ":x"}, "settings.usernameSuffix: cannot contain ':'"),
    ("basicAuth", {"username": "a", "usernameKey": "b"}, "settings.usernameKey: has no use next to 'username'"),
    ("basicAuth", {"username": "a", "usernameSuffix": "b"}, "settings.usernameSuffix: has no use next to 'username'"),
    ("basicAuth", {"password": "a", "passwordKey": "b"}, "settings.passwordKey: has no use next to 'password'"),
    ("basicAuth", {"password": "", "passwordRequired": True}, "settings.passwordRequired: has no use next to 'password'"),
    ("basicAuth", {"password": "a\nb"}, "settings.password: must be one line, of 200 characters at most"),
    ("basicAuth", {"passwordRequired": "yes"}, "settings.passwordRequired: must be true or false, not text"),
    ("basicAuth", {"usernameKey": "k", "passwordKey": "k"}, "settings.passwordKey: is the key of the user name"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "settings", "said"), REFUSED)
def test_refused_settings(type_: str, settings: dict[str, Any], said: str) -> None:
    found = [str(violation) for violation in settings_violations(type_, settings)]
    assert len(found) == 1
    assert found[0].startswith(said)


UNUSABLE = [
    ("apiKey", {}, {"apiKey": "canary-£"}, "header cannot carry"),
    ("apiKey", {}, {"apiKey": "canary\r\nEvil: 1"}, "header cannot carry"),
    ("apiKey", {"in": "cookie", "name": "s"}, {"apiKey": "canary;x"}, "cookie cannot carry"),
    ("apiKey", {"in": "cookie", "name": "s"}, {"apiKey": "canary x"}, "cookie cannot carry"),
    (
        "apiKey",
        {"prefix": "Bearer"},
        {"apiKey": "bearer canary"},
        "begins with the prefix that the definition writes before it; store it without",
    ),
    ("basicAuth", {}, {"username": "canary:x", "password": "p"}, "cannot contain ':'"),
]


@pytest.mark.parametrize(("type_", "settings", "secret", "said"), UNUSABLE)
def test_credentials_that_can_never_be_sent(
    type_: str, settings: dict[str, Any], secret: dict[str, str], said: str
) -> None:
    problem = METHODS[type_].credential_problem(settings, Credentials(secret))
    assert problem is not None
    assert said in problem
    assert "canary" not in problem


def test_a_key_may_begin_like_a_prefix_that_is_no_word_of_its_own() -> None:
    settings = {"prefix": "key="}
    assert sent("apiKey", settings, {"apiKey": "key=1"}).headers == {"Authorization": "key=key=1"}
    assert sent("apiKey", {}, {"apiKey": "Bearer 1"}).headers == {"Authorization": "Bearer 1"}


def test_one_secret_key_may_serve_two_headers() -> None:
    settings = {"headers": [{"name": "A", "secretKey": "k"}, {"name": "B", "secretKey": "k"}]}
    assert [key.name for key in METHODS["apiKey"].secret_keys(settings)] == ["k"]
    assert sent("apiKey", settings, {"k": "1"}).headers == {"A": "1", "B": "1"}
