"""What every authentication method must keep. A new method brings its settings here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integration_hub.auth.credentials import read_credentials, secret_values, sensitive_values
from integration_hub.auth.flow import AuthMethodType, CredentialProblem, Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.config.messages import _MESSAGES, _OF_MEMBERS
from integration_hub.model.http import HttpRequest
from integration_hub.model.reasons import Reason
from support.auth import CONTEXT
from support.certificates import Authority

DOCS = Path(__file__).parents[2] / "docs" / "auth-methods.md"

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "apiKey": [
        {},
        {"name": "X-API-Key"},
        {"prefix": "Bearer", "secretKey": "token"},
        {"prefix": "Token token="},
        {"in": "cookie", "name": "session"},
        {"in": "query", "name": "api_key", "allowInQuery": True},
        {
            "headers": [
                {"name": "DD-API-KEY", "secretKey": "a"},
                {"name": "DD-APPLICATION-KEY", "secretKey": "b"},
            ]
        },
    ],
    "basicAuth": [
        {},
        {"usernameSuffix": "/token", "passwordKey": "apiToken"},
        {"usernameKey": "apiKey", "password": ""},
        {"username": "anystring", "passwordKey": "apiKey"},
        {"passwordRequired": False},
    ],
    "custom": [
        {
            "headers": {
                "headers": [{"name": "X-Client", "value": "acme"}, {"name": "X-Key", "secretKey": "key"}]
            }
        },
        {"hmac": {"parts": ["{body}"], "headers": [{"name": "X-Signature", "value": "{signature}"}]}},
        {
            "hmac": {
                "algorithm": "sha512",
                "secretKey": "key",
                "parts": ["{timestamp}{method}{pathAndQuery}", "{nonce};{secret:passphrase}"],
                "headers": [
                    {"name": "Authorization", "value": "{keyId}:{signature}", "valueEncoding": "base64"},
                    {"name": "X-Time", "value": "{timestamp} {nonce}"},
                ],
            }
        },
        {"awsSigV4": {"service": "execute-api", "region": "eu-central-1"}},
        {"awsSigV4": {"service": "s3", "accessKeyIdKey": "AWS_ACCESS_KEY_ID"}},
        {"mtls": {}},
    ],
}
"""Valid settings of each type, one for each way to use it."""

PAIR = Authority("Test Authority").issue("hub", for_server=False)
REAL = {"tls.crt": PAIR.chain, "tls.key": PAIR.key}
"""Values of keys that not any text will do for. All others are canaries."""

CASES = [(METHODS[type_], settings) for type_, every in SETTINGS.items() for settings in every]
methods = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
cases = pytest.mark.parametrize(
    ("method", "settings"), CASES, ids=[f"{m.type}-{n}" for n, (m, _) in enumerate(CASES)]
)


def data_for(method: AuthMethodType, settings: dict[str, Any]) -> dict[str, bytes]:
    return {
        key.name: REAL.get(key.name, f"canary{number}-{key.name}").encode()
        for number, key in enumerate(method.secret_keys(settings))
    }


def credentials_for(method: AuthMethodType, settings: dict[str, Any]) -> Credentials:
    found = read_credentials(method.secret_keys(settings), data_for(method, settings), secret_name="sec")
    assert isinstance(found, Credentials)
    return found


def request() -> HttpRequest:
    return HttpRequest("GET", "https://api.example.com/v1/me", {"Accept": "application/json"}, (("q", "1"),))


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Return every schema of an object within the schema."""
    if isinstance(schema, list):
        return [found for entry in schema for found in objects_in(entry)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for entry in schema.values() for found in objects_in(entry)]


def test_every_method_has_settings_in_this_suite() -> None:
    assert set(SETTINGS) == set(METHODS)
    assert all(type_ == method.type for type_, method in METHODS.items())


@methods
def test_the_settings_schema_is_valid_closed_and_described(method: AuthMethodType) -> None:
    Draft202012Validator.check_schema(method.settings_schema)
    groups = objects_in(dict(method.settings_schema))
    assert groups
    for group in groups:
        assert group["additionalProperties"] is False
        for name, setting in group["properties"].items():
            assert len(setting["description"]) > 10, name


@methods
def test_every_mistake_against_the_settings_schema_has_a_message(method: AuthMethodType) -> None:
    mistakes: list[dict[str, Any]] = [
        {"unknown": 1},
        dict.fromkeys(method.settings_schema["properties"], 5),
        {name: [{}] for name in method.settings_schema["properties"]},
    ]
    for settings in mistakes:
        found = settings_violations(method.type, settings)
        assert found
        assert all(violation.path.startswith("settings") for violation in found)


@methods
def test_only_keywords_that_have_messages_are_used(method: AuthMethodType) -> None:
    used = {
        keyword
        for group in objects_in(dict(method.settings_schema))
        for s in group["properties"].values()
        for keyword in s
    }
    assert used - {"description", "items", "properties"} <= set(_MESSAGES) | set(_OF_MEMBERS)


@cases
def test_the_settings_are_accepted(method: AuthMethodType, settings: dict[str, Any]) -> None:
    assert settings_violations(method.type, settings) == []


@cases
def test_it_asks_for_a_secret_with_words_for_each_key(
    method: AuthMethodType, settings: dict[str, Any]
) -> None:
    keys = method.secret_keys(settings)
    assert keys
    assert len({key.name for key in keys}) == len(keys)
    assert all(key.description for key in keys)


@cases
def test_the_flow_ends_with_the_request_authenticated(
    method: AuthMethodType, settings: dict[str, Any]
) -> None:
    asked, before = request(), request()
    credentials = credentials_for(method, settings)
    assert method.credential_problem(settings, credentials) is None
    yielded = list(method.flow(settings, credentials, asked, CONTEXT))
    assert asked == before, "the request that came in was changed"
    last = yielded[-1]
    assert (last.method, last.url, last.purpose) == (asked.method, asked.url, "test")
    assert last.headers["Accept"] == "application/json"
    assert ("q", "1") in last.query
    assert (last.headers, last.query, last.client_certificate) != (asked.headers, asked.query, None)
    assert all(one.purpose != "test" for one in yielded[:-1])


@cases
def test_no_secret_gets_into_the_url_unless_the_definition_says_so(
    method: AuthMethodType, settings: dict[str, Any]
) -> None:
    credentials = credentials_for(method, settings)
    for sent in method.flow(settings, credentials, request(), CONTEXT):
        where = [sent.url] if settings.get("allowInQuery") else [sent.url, str(sent.query)]
        assert not any(secret in str(where) for secret in ("canary", *secret_values(credentials)))


@cases
def test_no_repr_shows_a_secret(method: AuthMethodType, settings: dict[str, Any]) -> None:
    credentials = credentials_for(method, settings)
    for shown in (credentials, *method.flow(settings, credentials, request(), CONTEXT), method):
        text = f"{shown!r} {shown}"
        assert not any(secret in text for secret in ("canary", *secret_values(credentials)))


@cases
def test_every_required_key_that_is_missing_empty_or_faulty_is_named(
    method: AuthMethodType, settings: dict[str, Any]
) -> None:
    keys = method.secret_keys(settings)
    data = data_for(method, settings)
    for key in keys:
        faults: list[tuple[dict[str, bytes], Reason, str]] = [
            ({**data, key.name: b"\xff\xfe"}, Reason.SECRET_VALUE_INVALID, "UTF-8"),
            ({**data, key.name: data[key.name] + b"\0"}, Reason.SECRET_VALUE_INVALID, "control character"),
        ]
        if not key.multiline:
            broken = {**data, key.name: data[key.name] + b"\n"}
            faults.append((broken, Reason.SECRET_LINE_BREAK, "line break"))
        if key.required:
            rest = {name: value for name, value in data.items() if name != key.name}
            faults.append((rest, Reason.SECRET_KEY_MISSING, "no key"))
            faults.append(({**data, key.name: b""}, Reason.SECRET_KEY_EMPTY, "empty"))
        for faulty, reason, words in faults:
            problem = read_credentials(keys, faulty, secret_name="sec")
            assert isinstance(problem, CredentialProblem)
            assert problem.reason is reason
            assert f"'{key.name}'" in problem.message
            assert words in problem.message
            assert "canary" not in problem.message


@cases
def test_what_is_sent_can_be_masked(method: AuthMethodType, settings: dict[str, Any]) -> None:
    credentials = credentials_for(method, settings)
    assert set(sensitive_values(credentials)) >= set(credentials.values())


@methods
def test_the_documentation_has_a_section_with_every_setting(method: AuthMethodType) -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^## [^\n]*`{method.type}`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/auth-methods.md has no section with `{method.type}` in its heading"
    for name in method.settings_schema["properties"]:
        assert f"`{name}`" in section.group(), f"{name} is not documented"
