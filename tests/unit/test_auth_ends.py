"""When a credential ends that says so itself. What is read there was verified by nobody, so it may be anything."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.ends import earliest_end, jwt_end
from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(claims: Any) -> str:
    return f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims)}.c2lnbmF0dXJl"


END = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("exp", [1800000000, 1800000000.0, 1800000000.9])
def test_a_token_ends_when_it_says(exp: float) -> None:
    assert jwt_end(jwt({"sub": "hub", "exp": exp})) == END


def test_the_example_of_the_rfc_has_ended_in_2011() -> None:
    # RFC 7519 section 3.1
    example = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert jwt_end(example) == datetime(2011, 3, 22, 18, 43, tzinfo=UTC)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": None},
        {"exp": "1800000000"},
        {"exp": True},
        {"exp": 0},
        {"exp": -1},
        {"exp": 10**12},
        {"exp": 10**400},
        {"exp": float("nan")},
        {"exp": float("inf")},
        ["exp"],
        "exp",
        None,
    ],
)
def test_a_token_that_tells_no_time_has_no_end(claims: Any) -> None:
    assert jwt_end(jwt(claims)) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sk_live_123",
        "a.b.c",
        "eyJh.eyJh",
        "eyJh.e.s",
        "eyJhbGci.!!!.s",
        f"x{jwt({'exp': 1})}",
        "eyJ.eyJ.",
    ],
)
def test_other_keys_have_no_end(value: str) -> None:
    assert jwt_end(value) is None


@given(st.binary(max_size=60))
def test_whatever_stands_in_the_middle_is_no_reason_to_fail(payload: bytes) -> None:
    middle = base64.urlsafe_b64encode(payload).decode().rstrip("=")
    assert jwt_end(f"eyJh.{middle}.c2ln") is None or b"exp" in payload


def test_depth_and_length_are_no_reason_to_fail() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    assert jwt_end(f"eyJh.{deep}.s") is None
    assert jwt_end(jwt({"exp": 1800000000, "x": "y" * 20000})) is None


def test_of_several_keys_the_first_end_counts() -> None:
    later, sooner = jwt({"exp": 1900000000}), jwt({"exp": 1800000000})
    assert earliest_end(["no token", later, sooner]) == END
    assert earliest_end(["no token"]) is None
    settings = {"headers": [{"name": "X-A", "secretKey": "a"}, {"name": "X-B", "secretKey": "b"}]}
    credentials = Credentials({"a": later, "b": sooner})
    assert METHODS["apiKey"].ends_at(settings, credentials) == END


def test_a_user_name_and_password_say_nothing_of_an_end() -> None:
    credentials = Credentials({"username": "u", "password": jwt({"exp": 1800000000})})
    assert METHODS["basicAuth"].ends_at({}, credentials) is None
