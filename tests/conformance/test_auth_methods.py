"""What every authentication method must keep. A new method brings its settings here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from integration_hub.auth.credentials import read_credentials, secret_values, sensitive_values
from integration_hub.auth.flow import AuthMethodType, CredentialProblem, Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.tokens import Acquisition, Steps, TokenMethod, TokenRefused, token_method
from integration_hub.config.messages import _MESSAGES, _OF_MEMBERS, PATTERN_MESSAGE
from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from support.auth import CONTEXT
from support.certificates import Authority

DOCS = Path(__file__).parents[2] / "docs" / "auth-methods.md"

NOTHING: dict[str, Any] = {"anonymous": {}}
"""Of the one method that adds nothing to a request."""

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
        NOTHING,
        {"mtls": {}},
        {
            "bearer": {
                "tokenURL": "https://auth.example.com/token",
                "request": {
                    "basic": {},
                    "fields": [{"name": "grant_type", "value": "account_credentials"}],
                },
            }
        },
        {
            "bearer": {
                "tokenURL": "https://{{ config.host }}/login",
                "request": {
                    "encoding": "json",
                    "headers": [{"name": "X-Client", "secretKey": "client"}],
                    "fields": [{"name": "auth.key", "secretKey": "key"}],
                },
                "answer": {"accessToken": "data.token", "expiresAt": "data.until"},
                "tokenIn": {"header": "X-Session"},
            }
        },
        {
            "bearer": {
                "tokenURL": "https://auth.example.com/app/{{ config.installation }}/access_tokens",
                "request": {"jwt": {"algorithm": "ES256", "issuer": "{{ config.app }}", "clockDrift": "60s"}},
                "answer": {"accessToken": "token", "expiresAt": "expires_at"},
            }
        },
    ],
    "oauth2": [
        {
            "authorizationURL": "https://auth.example.com/authorize",
            "tokenURL": "https://auth.example.com/token",
        },
        {
            "issuer": "https://auth.example.com/realms/{{ config.realm }}",
            "clientAuthentication": "client_secret_post",
            "scopes": ["openid"],
            "tokenIn": {"header": "X-Access-Token"},
        },
        {"grant": "clientCredentials", "tokenURL": "https://auth.example.com/token", "audience": "api"},
        {
            "grant": "clientCredentials",
            "tokenURL": "https://auth.example.com/token",
            "clientAuthentication": "private_key_jwt",
            "jwt": {"algorithm": "ES256", "keyId": "1"},
        },
        {
            "grant": "refreshToken",
            "tokenURL": "https://auth.example.com/token",
            "refresh": {"reuse": "strict"},
        },
        {
            "grant": "deviceCode",
            "deviceAuthorizationURL": "https://auth.example.com/device",
            "tokenURL": "https://auth.example.com/token",
        },
        {
            "grant": "jwtBearer",
            "tokenURL": "https://auth.example.com/token",
            "jwt": {"algorithm": "ES256", "issuer": "me", "subject": "{{ config.user }}"},
        },
        {"grant": "signedJWT", "clientIdKey": "account", "jwt": {"algorithm": "ES256", "lifetime": "30m"}},
    ],
}
"""Valid settings of each type, one for each way to use it."""

PAIR = Authority("Test Authority").issue("hub", for_server=False)
REAL = {"tls.crt": PAIR.chain, "tls.key": PAIR.key, "privateKey": PAIR.key}
"""Values of keys that not any text will do for. All others are canaries."""

TOKENS = Tokens("canary-access", CONTEXT.now, "grant", refresh_token="canary-refresh")

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
    return found.with_tokens(TOKENS) if token_method(method, settings) else found


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


def schemas_in(schema: Any) -> list[Mapping[str, Any]]:
    """Return every group within the schema, and the schema itself."""
    below = schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ()
    own = [schema] if isinstance(schema, Mapping) else []
    return own + [found for entry in below for found in schemas_in(entry)]


def test_every_method_has_settings_in_this_suite() -> None:
    assert set(SETTINGS) == set(METHODS)
    assert all(type_ == method.type for type_, method in METHODS.items())


@methods
def test_the_settings_schema_is_valid_closed_and_described(method: AuthMethodType) -> None:
    Draft202012Validator.check_schema(method.settings_schema)
    groups = objects_in(dict(method.settings_schema))
    assert groups
    for group in groups:
        if isinstance(group["additionalProperties"], dict):
            continue  # texts by names that are the definition's own
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
        for s in group.get("properties", {}).values()
        for keyword in s
    }
    assert used - {"description", "items", "properties", PATTERN_MESSAGE} <= set(_MESSAGES) | set(_OF_MEMBERS)


@methods
def test_every_pattern_is_told_in_words(method: AuthMethodType) -> None:
    assert [
        schema
        for schema in schemas_in(method.settings_schema)
        if "pattern" in schema and PATTERN_MESSAGE not in schema
    ] == []


@cases
def test_the_settings_are_accepted(method: AuthMethodType, settings: dict[str, Any]) -> None:
    assert settings_violations(method.type, settings) == []


@cases
def test_it_asks_for_a_secret_with_words_for_each_key(
    method: AuthMethodType, settings: dict[str, Any]
) -> None:
    keys = method.secret_keys(settings)
    assert bool(keys) == (settings != NOTHING)
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
    is_as_asked = (last.headers, last.query, last.client_certificate) == (asked.headers, asked.query, None)
    assert is_as_asked == (settings == NOTHING)
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


# -- Tokens ----------------------------------------------------------------------------------------

TOKEN_CASES = [(m, s, found) for m, s in CASES if (found := token_method(m, s)) is not None]
token_cases = pytest.mark.parametrize(
    ("method", "settings", "tokens"),
    TOKEN_CASES,
    ids=[f"{m.type}-{n}" for n, (m, _, _) in enumerate(TOKEN_CASES)],
)


def steps_of(
    method: AuthMethodType, settings: dict[str, Any], tokens: TokenMethod
) -> dict[str, Steps[object]]:
    """Return everything that may be asked of the method with these settings, by name."""
    credentials = credentials_for(method, settings)
    rules = tokens.token_rules(settings, credentials, CONTEXT)
    later = CONTEXT.now + timedelta(minutes=10)
    attempt = ConsentAttempt(
        "state", "https://a/b", CONTEXT.redirect_uri, 1, rules.grant, later, "canary-verifier"
    )
    device = DeviceCode("canary-device", "ABCD", "https://a/b", later, rules.grant, "https://a/t")
    consent = ConsentAnswer("state", code="canary-code")
    found: dict[str, Steps[object]] = {"refresh": tokens.refresh(settings, credentials, TOKENS, CONTEXT)}
    match rules.acquisition:
        case Acquisition.BY_ITSELF:
            found["obtain"] = tokens.obtain(settings, credentials, CONTEXT)
        case Acquisition.LINK:
            found["link"] = tokens.authorization_link(settings, credentials, "state", CONTEXT)
            found["exchange"] = tokens.exchange(settings, credentials, attempt, consent, CONTEXT)
        case Acquisition.DEVICE:
            found["start"] = tokens.start_device(settings, credentials, CONTEXT)
            found["poll"] = tokens.poll_device(settings, credentials, device, CONTEXT)
    if rules.revocable:
        found["revoke"] = tokens.revoke(settings, credentials, TOKENS, CONTEXT)
    return found


ISSUER = "https://auth.example.com/realms/{{ config.realm }}"
METADATA = {
    "issuer": ISSUER,
    **{
        f"{name}_endpoint": f"https://auth.example.com/{name}"
        for name in ("authorization", "token", "device_authorization", "revocation")
    },
}


def driven(steps: Steps[object], answer: HttpResponse) -> tuple[list[HttpRequest], object]:
    """Answer every request alike, save one for metadata; return the requests and what came of them."""
    sent: list[HttpRequest] = []
    try:
        sent.append(next(steps))
        while True:
            is_metadata = "/.well-known/" in sent[-1].url
            sent.append(
                steps.send(HttpResponse(200, {}, json.dumps(METADATA).encode()) if is_metadata else answer)
            )
    except StopIteration as end:
        return sent, end.value


GOOD = {
    "access_token": "canary-new",
    "refresh_token": "canary-newer",
    "device_code": "canary-code",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://auth.example.com/device",
    "expires_in": 3600,
}
ANSWERS = {
    "good": (200, json.dumps(GOOD)),
    "refused": (400, '{"error": "invalid_grant", "error_description": "canary-access is no good"}'),
    "refused with a secret": (400, '{"error": "canary-refresh"}'),
    "failed": (503, "canary-access"),
    "page": (200, "<html>canary-access</html>"),
    "empty": (200, ""),
}


@token_cases
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_step_with_tokens_lets_a_secret_out(
    method: AuthMethodType, settings: dict[str, Any], tokens: TokenMethod, answer: str
) -> None:
    status, body = ANSWERS[answer]
    for name, steps in steps_of(method, settings, tokens).items():
        sent, result = driven(steps, HttpResponse(status, {}, body.encode()))
        for one in sent:
            assert one.purpose == "token", name
            assert "canary" not in f"{one.url} {one.query} {one!r}", name
        assert "canary" not in f"{result!r} {result}", name
        if isinstance(result, TokenRefused):
            assert "canary" not in result.code + result.message, name
            assert result.ended is (answer == "refused"), name


@token_cases
def test_the_fingerprint_is_of_what_is_asked_for_and_of_nothing_else(
    method: AuthMethodType, settings: dict[str, Any], tokens: TokenMethod
) -> None:
    credentials = credentials_for(method, settings)
    rules = tokens.token_rules(settings, credentials, CONTEXT)
    later = replace(CONTEXT, now=CONTEXT.now + timedelta(days=1), random=lambda size: b"r" * size)
    assert tokens.token_rules(settings, credentials, later).grant == rules.grant
    assert tokens.token_rules(settings, Credentials(credentials), CONTEXT).grant == rules.grant, "tokens"
    others = Credentials({name: value + "0" for name, value in credentials.items()})
    assert tokens.token_rules(settings, others, CONTEXT).grant != rules.grant
    assert not any(value in rules.grant for value in credentials.values())


@token_cases
def test_tokens_that_are_obtained_bear_the_fingerprint(
    method: AuthMethodType, settings: dict[str, Any], tokens: TokenMethod
) -> None:
    rules = tokens.token_rules(settings, credentials_for(method, settings), CONTEXT)
    for name, steps in steps_of(method, settings, tokens).items():
        _, result = driven(steps, HttpResponse(200, {}, json.dumps(GOOD).encode()))
        if isinstance(result, Tokens | ConsentAttempt | DeviceCode):
            assert result.grant == rules.grant, name


@methods
def test_the_documentation_has_a_section_with_every_setting(method: AuthMethodType) -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^## [^\n]*`{method.type}`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/auth-methods.md has no section with `{method.type}` in its heading"
    for name in method.settings_schema["properties"]:
        assert f"`{name}`" in section.group(), f"{name} is not documented"
