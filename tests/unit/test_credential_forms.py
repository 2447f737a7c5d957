"""Forms of a credential that are almost never meant."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.flow import Credentials
from integration_hub.model.http import HttpRequest
from integration_hub.probe.credential_forms import Form, suspicion

SENT = HttpRequest("GET", "https://api.example.com/")

LOOKS_WRONG = [
    ("changeme", Form.PLACEHOLDER),
    ("CHANGE-ME", Form.PLACEHOLDER),
    ("<token>", Form.PLACEHOLDER),
    ("${TOKEN}", Form.PLACEHOLDER),
    ("{{ .Values.token }}", Form.PLACEHOLDER),
    ("your-api-key-here", Form.PLACEHOLDER),
    ("xxxxxxxx", Form.PLACEHOLDER),
    ("***", Form.PLACEHOLDER),
    ("null", Form.PLACEHOLDER),
    ('"s3cr3t"', Form.QUOTED),
    ("'s3cr3t'", Form.QUOTED),
    ("\u201cs3cr3t\u201d", Form.QUOTED),
    ("Bearer s3cr3t", Form.PREFIXED),
    ("basic dXNlcjpwYXNz", Form.PREFIXED),
    ("Authorization: Bearer s3cr3t", Form.PREFIXED),
    ('{"apiKey": "s3cr3t"}', Form.STRUCTURED),
    ('{"apiKey": "s3cr3t",', Form.STRUCTURED),
    ("api_key: s3cr3t", Form.STRUCTURED),
    ("export API_KEY=s3cr3t", Form.STRUCTURED),
    (base64.b64encode(b"sk_live_4711abcdef").decode(), Form.ENCODED_TWICE),
    (base64.b64encode(b"sk_live_4711abcdef\n").decode(), Form.ENCODED_TWICE),
]

LOOKS_RIGHT = [
    "s3cr3t",
    "sk_live_4711abcdef",
    "correct horse battery staple",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.4pcPyMD09olPSyXnrXCjTwXyr4BsezdI1AVTmud2fU4",
    "9f86d081884c7d659a2feaa0c55ad015",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    base64.b64encode(bytes(range(128, 160))).decode(),
    base64.b64encode(b"key-id:key-secret").decode(),
    '"',
    "{",
    "a=b",
    "name=",
    "tokens",
    "my-password",
]


@pytest.mark.parametrize(("value", "form"), LOOKS_WRONG)
def test_a_value_that_is_hardly_meant_is_recognised(value: str, form: Form) -> None:
    assert suspicion(Credentials({"user": "ops", "apiKey": value})) == ("apiKey", form)


@pytest.mark.parametrize("value", LOOKS_RIGHT)
def test_a_value_that_may_be_right_is_not_suspected(value: str) -> None:
    assert suspicion(Credentials({"apiKey": value})) is None


def test_a_value_that_is_sent_as_it_is_may_have_its_prefix() -> None:
    whole = Credentials({"header": "Bearer s3cr3t"})
    assert suspicion(whole, replace(SENT, headers={"Authorization": "Bearer s3cr3t"})) is None
    doubled = replace(SENT, headers={"Authorization": "Bearer Bearer s3cr3t"})
    assert suspicion(whole, doubled) == ("header", Form.PREFIXED)


@given(st.text(max_size=200))
def test_any_value_is_looked_at(value: str) -> None:
    suspicion(Credentials({"apiKey": value}))


@given(st.binary(min_size=24, max_size=64))
def test_random_keys_in_base64_are_not_suspected(key: bytes) -> None:
    encoded = base64.b64encode(
        bytes((byte | 0x80) if number == 0 else byte for number, byte in enumerate(key))
    )
    assert suspicion(Credentials({"apiKey": encoded.decode()})) is None
