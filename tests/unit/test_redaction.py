"""The masker: nothing secret gets through, what people need to read stays, and twice is once."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.config.redaction import (
    MASK,
    is_sensitive_name,
    redact_headers,
    redact_text,
    redact_value,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"

MASKED_BY_SHAPE = [
    ("Authorization: Bearer abc.def123", "Authorization: ***"),
    ("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nhost: h", "authorization: ***\r\nhost: h"),
    ("{'Authorization': 'Token token=abc def', 'a': 'b'}", "{'Authorization': '***', 'a': 'b'}"),
    ("sent Bearer abc123def to h", "sent Bearer *** to h"),
    ("sent Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== to h", "sent Basic *** to h"),
    ("Cookie: session=abc; other=def", "Cookie: ***"),
    ("Set-Cookie: id=1; HttpOnly", "Set-Cookie: ***"),
    (f"got {JWT}!", "got ***!"),
    ("password=hunter2", "password=***"),
    ("password = hunter2, user = jane", "password = ***, user = jane"),
    ("password: hunter2", "password: ***"),
    ("apiKey: 'a b c' # x", "apiKey: '***' # x"),
    ("X-Auth-Token: abc123", "X-Auth-Token: ***"),
    ("x-api-key: abc", "x-api-key: ***"),
    ("clientSecret=a&b=c", "clientSecret=***&b=c"),
    ('{"access_token":"abc\\"d","token_type":"bearer"}', '{"access_token":"***","token_type":"bearer"}'),
    (r'"{\"password\":\"hunter2\"}"', r'"{\"password\":\"***\"}"'),
    ("{'password': b'hunter2'}", "{'password': b'***'}"),
    ("password='unterminated and more", "password='***"),
    ("https://user:p@ss@h.example/x", "https://***@h.example/x"),
    ("https://h/x?access_token=abc&y=1", "https://h/x?access_token=***&y=1"),
    ("https://h/x?key=AIzaABC&y=1", "https://h/x?key=***&y=1"),
    ("https://h/cb?code=4/abc&state=s", "https://h/cb?code=***&state=s"),
    (f"key:\n{KEY}\nend", "key:\n***\nend"),
    (KEY[:50], "***"),
    ("token ghp_abcdefghijklmnopqrst1234 leaked", "token *** leaked"),
    ("AWS key is AKIAIOSFODNN7EXAMPLE here", "AWS key is *** here"),
    ("xoxb-1234567890-abcdefghij", "***"),
    ("secret=a8f7sd8f", "secret=***"),
]


@pytest.mark.parametrize(("text", "expected"), MASKED_BY_SHAPE)
def test_masked_by_shape(text: str, expected: str) -> None:
    assert redact_text(text) == expected


LEFT_ALONE = [
    "",
    "Reconciled team-a/salesforce-production in 12 ms",
    "Secret 'salesforce-token' was not found",
    "secret=salesforce-token reason=SecretNotFound",
    "secret=team-a/salesforce-token",
    "secret_name=salesforce-token secretRef: salesforce-token",
    "Secret 'stripe-api-key' has no key 'apiKey', which needs the API key; it has token, url.",
    "Secret salesforce-token: key apiKey is missing",
    "salesforce-token: SecretNotFound",
    "spec.config.apiToken: is a secret and must not stand here",
    "spec.config.token: must be text, not a whole number",
    "configSchema.properties.password: unknown",
    "settings.headers[0].secretKey: is required",
    "Basic authentication failed",
    "Bearer token is missing",
    "token_type=bearer expires_in=3600 token_url=https://h/token",
    "https://user.example.com/tokens?page=2",
    "at 12:30:05 https://h.example:8443/x",
    "authorization: is missing",
    "key=value",
    "jane@example.com",
    "tokenExpiresAt=2026-11-30",
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_people_need_to_read_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


SENSITIVE = ["password", "Password2", "clientSecret", "client_secret", "X-API-Key", "apiKey", "API_KEY", "accessToken",
             "refresh-token", "Authorization", "privateKey", "passphrase", "aws_secret_access_key", "tokenValue", "AUTH_TOKEN",
             "spec.config.token", "cookies", "sessionId"]  # fmt: skip
NAMES = ["secretRef", "secret_name", "secretName", "tokenURL", "token_url", "token_type", "tokenExpiresAt", "passwordKey",
         "usernameKey", "secretResourceVersion", "user", "key", "id", "keyboard", "monkey", "author", "", "passwordRequired",
         "x-hub-secret-fields"]  # fmt: skip


def test_a_name_is_sensitive_by_its_last_word() -> None:
    assert [name for name in SENSITIVE if not is_sensitive_name(name)] == []
    assert [name for name in NAMES if is_sensitive_name(name)] == []


SECRETS = st.text(min_size=4, max_size=24)


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
def test_a_known_secret_is_masked_wherever_it_stands(secret: str, before: str, after: str) -> None:
    if not secret.strip("*"):
        return
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]):
        masked = redact_text(f"{before}{form}{after}", [secret])
        assert (
            form not in masked or form in MASK or form in before + after or form in f"{before}{MASK}{after}"
        )


@given(st.text(min_size=8, max_size=24), st.text("abcdefghij:", max_size=9), st.text(max_size=5))
def test_a_known_secret_is_masked_inside_base64(secret: str, before: str, after: str) -> None:
    """Whatever stands around it, decoding what is left never gives the secret."""
    encoded = base64.b64encode(f"{before}{secret}{after}".encode()).decode()
    masked = redact_text(f"x {encoded} y", [secret])
    assert MASK in masked
    assert encoded not in masked


@given(st.text(max_size=60), st.lists(st.text(max_size=8), max_size=3))
def test_twice_is_once(text: str, secrets: list[str]) -> None:
    once = redact_text(text, secrets)
    assert redact_text(once, secrets) == once


PIECES = st.sampled_from(
    ["password", "token", "secret", "=", ": ", ":", '"', "'", "\\", "***", "*", "Bearer ", "Basic ", "://", "@", "abc1", "&", "?",
     "key", "code", "\n", " ", ";", "Cookie", "eyJabcdef.", "-----BEGIN PRIVATE KEY-----", "authorization", "not", "b'", "{", "x-"]
)  # fmt: skip


@given(
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(st.lists(PIECES, max_size=3).map("".join), max_size=2),
)
def test_twice_is_once_for_text_made_of_what_the_rules_look_for(text: str, secrets: list[str]) -> None:
    once = redact_text(text, secrets)
    assert redact_text(once, secrets) == once
    assert redact_value({"a": text}, secrets) == redact_value(redact_value({"a": text}, secrets), secrets)


def test_values_too_short_to_be_told_from_words_are_not_looked_for() -> None:
    assert redact_text("on and on", ["on", ""]) == "on and on"


def test_overlapping_secrets_are_masked_longest_first() -> None:
    assert redact_text("a abcdefgh b", ["abcd", "abcdefgh"]) == "a *** b"


def test_headers_are_masked_by_name_and_by_value() -> None:
    headers = {
        "Authorization": "x", "Cookie": "x", "X-Api-Key": "x", "PRIVATE-TOKEN": "x", "X-Shopify-Access-Token": "x", "apikey": "x",
        "Content-Type": "application/json", "X-Trace": "has hunter22 in it", "Location": "https://u:p@h/",
    }  # fmt: skip
    assert redact_headers(headers, ["hunter22"]) == {
        "Authorization": MASK, "Cookie": MASK, "X-Api-Key": MASK, "PRIVATE-TOKEN": MASK, "X-Shopify-Access-Token": MASK, "apikey": MASK,
        "Content-Type": "application/json", "X-Trace": "has *** in it", "Location": "https://***@h/",
    }  # fmt: skip


def test_data_is_masked_by_name_at_any_depth() -> None:
    data = {
        "password": "x",
        "pin": 1234,
        "accessToken": 1234,
        "secretRef": {"name": "salesforce-token"},
        "secret": "salesforce-token",
        "credential": {"id": "uid", "value": "x", "nested": {"a": ["x"]}},
        "tokens": ["a", ("b", None, True)],
        "list": [{"apiKey": "x"}, b"token=abc", {1: "password=x"}],
        "error": ValueError("password=abc"),
        "none": None,
        "ratio": 0.5,
    }
    assert redact_value(data) == {
        "password": MASK,
        "pin": 1234,
        "accessToken": MASK,
        "secretRef": {"name": "salesforce-token"},
        "secret": "salesforce-token",
        "credential": {"id": "uid", "value": MASK, "nested": {"a": [MASK]}},
        "tokens": [MASK, (MASK, None, True)],
        "list": [{"apiKey": MASK}, b"token=***", {1: "password=***"}],
        "error": "ValueError: password=***",
        "none": None,
        "ratio": 0.5,
    }
    assert data["password"] == "x"


def test_a_kubernetes_secret_is_masked_whole() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "stripe"},
        "data": {"url": "aHR0cHM="},
        "stringData": {"a": "b"},
    }
    assert redact_value(secret) == {
        "kind": "Secret",
        "metadata": {"name": "stripe"},
        "data": {"url": MASK},
        "stringData": {"a": MASK},
    }


def test_numbers_and_names_that_are_secrets_are_masked() -> None:
    assert redact_value({"hunter22": 12345678, "n": 5}, ["12345678", "hunter22"]) == {MASK: MASK, "n": 5}


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_never_raises() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert redact_value(loop)
    assert (
        redact_value([Unprintable(), object, b"\xff\xfe", "\ud800"], ["\ud800abc"])[0]
        == "<Unprintable that cannot be shown>"
    )
    assert redact_text("\ud800 password=\udfff", ["\udfff\udfff\udfff\udfff"]) == "\ud800 password=***"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_any_data_is_redacted_without_an_exception(data: Any) -> None:
    redact_value(data, ["abcd"])


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "://",
        "=",
        "eyJ",
        "eyJaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "token:",
        "\\",
        "Bearer ",
        '"',
        "x-",
        "a=b",
        "token.",
        "https://a",
    ],
)
def test_long_hostile_text_takes_linear_time(piece: str) -> None:
    begun = time.perf_counter()
    redact_text(piece * (100_000 // len(piece)), ["s3cr3t-value"])
    assert time.perf_counter() - begun < 3


def test_short_plain_text_is_cheap() -> None:
    begun = time.perf_counter()
    for _ in range(2000):
        redact_text("Reconciled team-a/salesforce-production in 12 ms")
    assert time.perf_counter() - begun < 0.5
