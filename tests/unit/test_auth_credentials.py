"""Reading a Secret: every fault that people make is named with its key, and no value is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.credentials import read_credentials, sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials, SecretKey
from integration_hub.model.reasons import Reason

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


def test_sensitive_values_are_all_values_longest_first() -> None:
    assert sensitive_values(Credentials({"a": "short", "b": "much longer", "c": "short", "d": ""})) == (
        "much longer",
        "short",
    )


def test_credentials_show_keys_only() -> None:
    credentials = Credentials({"apiKey": "canary"})
    assert f"{credentials!r} {credentials}" == "Credentials(apiKey) Credentials(apiKey)"
    assert len(credentials) == 1
