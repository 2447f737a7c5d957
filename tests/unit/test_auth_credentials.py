"""Reading a Secret: every fault that people make is named with its key, and no value is ever shown."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.credentials import read_credentials, secret_values, sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials, SecretKey
from integration_hub.config.redaction import redact_text
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import Tokens

KEYS = (SecretKey("username", "the user name"), SecretKey("password", "the password", required=False))


def read(**data: bytes) -> Credentials | CredentialProblem:
    return read_credentials(KEYS, data, secret_name="stripe")


def test_declared_keys_are_read_and_no_others() -> None:
    found = read(username="jäne".encode(), password=b"p w", other=b"\xff\n")
    assert isinstance(found, Credentials)
    assert dict(found) == {"username": "jäne", "password": "p w"}


def test_an_optional_key_may_be_absent_or_empty() -> None:
    for found in (read(username=b"u"), read(username=b"u", password=b"")):
        assert isinstance(found, Credentials)
        assert dict(found) == {"username": "u"}


def message(reason: Reason, **data: bytes) -> str:
    problem = read(**data)
    assert isinstance(problem, CredentialProblem)
    assert problem.reason is reason
    return problem.message


def test_a_missing_key_lists_what_is_there() -> None:
    said = message(Reason.SECRET_KEY_MISSING, user=b"canary", pass_=b"canary")
    assert said == "Secret 'stripe' has no key 'username' (the user name); it has 'pass_', 'user'."
    assert message(Reason.SECRET_KEY_MISSING).endswith("it has no keys at all.")
    many = message(Reason.SECRET_KEY_MISSING, **{f"key{number:02}": b"x" for number in range(15)})
    assert many.endswith("'key08', 'key09' and 5 more.")


def test_an_empty_key_is_not_a_missing_one() -> None:
    assert message(Reason.SECRET_KEY_EMPTY, username=b"") == (
        "Secret 'stripe': the key 'username' is empty; expected is the user name."
    )


FAULTS = [
    (b"canary\n", Reason.SECRET_LINE_BREAK, "ends with a line break"),
    (b"canary\r\n", Reason.SECRET_LINE_BREAK, "ends with a line break"),
    (b"\n", Reason.SECRET_LINE_BREAK, "ends with a line break"),
    (b"can\nary", Reason.SECRET_LINE_BREAK, "contains a line break"),
    ("\ufeffcanary".encode(), Reason.SECRET_VALUE_INVALID, "byte order mark"),
    (b"canary ", Reason.SECRET_WHITESPACE, "begins or ends with a space"),
    (b"\tcanary", Reason.SECRET_WHITESPACE, "begins or ends with a space"),
    ("canary\u00a0".encode(), Reason.SECRET_WHITESPACE, "begins or ends with a space"),
    (b"can\x00ary", Reason.SECRET_VALUE_INVALID, "control character"),
    (b"can\x1b[0mary", Reason.SECRET_VALUE_INVALID, "control character"),
    ("can\u2028ary".encode(), Reason.SECRET_VALUE_INVALID, "control character"),
    (b"canary\xff", Reason.SECRET_VALUE_INVALID, "not text in UTF-8"),
    ("canary".encode("utf-16"), Reason.SECRET_VALUE_INVALID, "not text in UTF-8"),
]


@pytest.mark.parametrize(("value", "reason", "said"), FAULTS)
def test_faults_are_named_and_values_are_not_shown(value: bytes, reason: Reason, said: str) -> None:
    found = message(reason, username=value)
    assert found.startswith("Secret 'stripe': the value of the key 'username' ")
    assert said in found
    assert "canary" not in found


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_any_bytes_are_read_or_reported(username: bytes, password: bytes) -> None:
    found = read(username=username, password=password)
    if isinstance(found, Credentials):
        for value in found.values():
            assert value == value.strip()
            assert value.isprintable() or not value.isascii()


MULTILINE = (SecretKey("tls.key", "the private key", multiline=True), SecretKey("name", "the name"))
PEM = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\nY2Fu\n-----END PRIVATE KEY-----"


def read_lines(value: bytes) -> Credentials | CredentialProblem:
    return read_credentials(MULTILINE, {"tls.key": value, "name": b"n"}, secret_name="sec")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("start", ["", "\n", "\r\n"])
def test_a_text_of_several_lines_is_read_as_it_is_however_its_lines_end(start: str, end: str) -> None:
    for text in (PEM, PEM.replace("\n", "\r\n")):
        found = read_lines((start + text + end).encode())
        assert isinstance(found, Credentials)
        assert found["tls.key"] == start + text + end


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        ("\ufeff" + PEM, Reason.SECRET_VALUE_INVALID, "byte order mark"),
        (" " + PEM, Reason.SECRET_WHITESPACE, "begins or ends with a space"),
        (PEM + "\t\n", Reason.SECRET_WHITESPACE, "begins or ends with a space"),
        (PEM.replace("\n", "\r"), Reason.SECRET_VALUE_INVALID, "carriage return"),
        (PEM + "\x00", Reason.SECRET_VALUE_INVALID, "control character"),
        (PEM.replace("Y2Fu\n", "Y2\x1bFu\n"), Reason.SECRET_VALUE_INVALID, "control character"),
        (PEM.replace("\n", "\u2028"), Reason.SECRET_VALUE_INVALID, "control character"),
        ("\n\r\n ", Reason.SECRET_KEY_EMPTY, "is empty"),
        ("", Reason.SECRET_KEY_EMPTY, "is empty"),
    ],
)
def test_each_fault_in_a_text_of_several_lines_has_its_reason(value: str, reason: Reason, said: str) -> None:
    problem = read_lines(value.encode())
    assert isinstance(problem, CredentialProblem)
    assert problem.reason is reason
    assert "'tls.key'" in problem.message
    assert said in problem.message
    assert "Y2Fu" not in problem.message


def test_a_key_of_one_line_stays_one_line_beside_one_of_several() -> None:
    problem = read_credentials(MULTILINE, {"tls.key": PEM.encode(), "name": b"n\n"}, secret_name="sec")
    assert isinstance(problem, CredentialProblem)
    assert problem.reason is Reason.SECRET_LINE_BREAK


@given(st.text(alphabet="aY2\r\n\t \x00\ufeff", max_size=12))
def test_any_text_of_several_lines_is_read_unchanged_or_reported(value: str) -> None:
    found = read_lines(value.encode())
    if isinstance(found, Credentials):
        assert found["tls.key"] == value


def test_a_line_of_a_private_key_is_as_secret_as_the_whole() -> None:
    found = read_lines(PEM.replace("\n", "\r\n").encode())
    assert isinstance(found, Credentials)
    assert "Y2FuYXJ5Y2FuYXJ5" in sensitive_values(found)
    assert "Y2FuYXJ5Y2FuYXJ5" in secret_values(found)
    log = redact_text("unable to load: 'Y2FuYXJ5Y2FuYXJ5' at line 2", sensitive_values(found))
    assert log == "unable to load: '***' at line 2"
    wrapped = redact_text(json.dumps({"key": PEM}), sensitive_values(found))
    assert "Y2FuYXJ5" not in wrapped


def test_the_words_that_frame_a_private_key_are_no_secret() -> None:
    found = read_lines(PEM.encode())
    assert isinstance(found, Credentials)
    assert not any(value.startswith("-----") and "\n" not in value for value in sensitive_values(found))


def test_words_of_one_line_are_no_lines() -> None:
    phrase = "correct horse battery staple integration"
    assert sensitive_values(Credentials({"password": phrase})) == (phrase,)


def test_what_is_public_is_masked_in_logs_only() -> None:
    credentials = Credentials({"username": "jane", "password": "canary"}, public=frozenset({"username"}))
    assert sensitive_values(credentials) == ("canary", "jane")
    assert secret_values(credentials) == ("canary",)


def test_tokens_that_were_obtained_with_credentials_are_as_secret_as_they() -> None:
    tokens = Tokens(
        "canary-access", datetime(2026, 1, 1, tzinfo=UTC), "grant", refresh_token="canary-refresh"
    )
    credentials = Credentials({"clientSecret": "canary"}).with_tokens(tokens)
    for values in (sensitive_values(credentials), secret_values(credentials)):
        assert values == ("canary-refresh", "canary-access", "canary")
    alone = Credentials({}).with_tokens(replace(tokens, refresh_token=None))
    assert secret_values(alone) == ("canary-access",)
    assert "canary" not in f"{credentials!r} {credentials} {tokens!r} {tokens}"


def test_sensitive_values_are_all_values_longest_first() -> None:
    assert sensitive_values(Credentials({"a": "short", "b": "much longer", "c": "short", "d": ""})) == (
        "much longer",
        "short",
    )


def test_credentials_show_keys_only() -> None:
    credentials = Credentials({"apiKey": "canary"})
    assert f"{credentials!r} {credentials}" == "Credentials(apiKey) Credentials(apiKey)"
    assert len(credentials) == 1
