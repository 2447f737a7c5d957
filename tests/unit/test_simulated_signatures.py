"""The simulated vendor judges signatures of others: of AWS's own library, and tokens by another one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.jwk import RSAKey

from integration_hub.catalog.vendor import SignedRequest, SignedToken
from integration_hub.simulation.asked import Asked
from integration_hub.simulation.signing import aws_fault, fingerprint, generated, token_fault

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = generated("rsa-key")


def rules(service: str = "execute-api") -> SignedRequest:
    raw = {
        "service": service,
        "region": "eu-central-1",
        "accessKeyId": "AKIDEXAMPLE",
        "secretAccessKey": SECRET,
    }
    return SignedRequest.model_validate(raw)


def signed(url: str, service: str = "execute-api", *, key: str = SECRET, body: bytes = b"") -> Asked:
    request = AWSRequest("POST" if body else "GET", url, data=body, headers={"X-Extra": "  a   b "})
    auth: Any = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials("AKIDEXAMPLE", key), service, "eu-central-1").add_auth(request)
    parts = urlsplit(url)
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
    return Asked(request.method, parts.netloc, parts.path, parts.query, headers, body)


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("https://api.example.com/", "execute-api"),
        ("https://api.example.com/a/b?z=1&a=2&a=1", "execute-api"),
        ("https://api.example.com/a%20b/c?x=%2F%20y&empty=", "execute-api"),
        ("https://bucket.s3.eu-central-1.amazonaws.com/?list-type=2&max-keys=1", "s3"),
        ("https://s3.eu-central-1.amazonaws.com/a%20b/c%2Bd", "s3"),
    ],
)
def test_what_awss_own_library_signs_is_good(url: str, service: str) -> None:
    assert aws_fault(signed(url, service), rules(service), str, datetime.now(UTC)) is None


def test_a_body_is_signed_too() -> None:
    asked = signed("https://api.example.com/", body=b'{"a": 1}')
    assert aws_fault(asked, rules(), str, datetime.now(UTC)) is None
    other = Asked(asked.method, asked.host, asked.path, asked.query, asked.headers, b'{"a": 2}')
    assert aws_fault(other, rules(), str, datetime.now(UTC)) == "has a signature that does not match"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: signed("https://api.example.com/", key="another"), "a signature that does not match"),
        (lambda: signed("https://api.example.com/", "s3"), "another region or service"),
        (lambda: Asked("GET", "api.example.com", "/", "", {}, b""), "not signed by the access key"),
    ],
)
def test_what_is_signed_otherwise_is_not(make: Callable[[], Asked], said: str) -> None:
    assert said in str(aws_fault(make(), rules(), str, datetime.now(UTC)))


def test_a_signature_is_good_for_a_quarter_of_an_hour() -> None:
    asked = signed("https://api.example.com/")
    assert aws_fault(asked, rules(), str, datetime.now(UTC) + timedelta(minutes=14)) is None
    assert aws_fault(asked, rules(), str, datetime.now(UTC) + timedelta(minutes=16)) == "is of another time"


NOW = datetime(2026, 11, 28, tzinfo=UTC)
"""When every token is made and judged: those below are made while tests are collected, long before they are."""


def token(key: str = KEY, **claims: Any) -> str:
    now = int(NOW.timestamp())
    whole = {"iss": "the-client", "iat": now, "exp": now + 60, **claims}
    kept = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one"}, kept, RSAKey.import_key(key))


def judged(text: str, **parts: Any) -> str | None:
    wanted = SignedToken.model_validate({"claims": {"iss": "the-client"}, "headers": {"kid": "one"}, **parts})
    return token_fault(text, wanted, {"privateKey": KEY}, str, NOW)


def test_a_token_is_good_that_is_as_it_should_be() -> None:
    assert judged(token()) is None
    assert judged(token(scopes=["a", "b"]), claims={"scopes": '["a","b"]'}) is None


@pytest.mark.parametrize(
    ("text", "parts", "said"),
    [
        (token(generated("rsa-key", of_another=True)), {}, "is not signed with RS256"),
        ("no.token.atall", {}, "is not signed"),
        (token(iss="another"), {}, "has not the claim 'iss'"),
        (token(), {"headers": {"kid": "two"}}, "has not the header 'kid'"),
        (token(exp=None), {}, "has no time at which it ends"),
        (token(exp=1), {}, "has ended"),
        (token(iat=4_000_000_000, exp=4_000_000_060), {}, "is of a time to come"),
        (token(), {"longest": 30}, "lives longer than 30 seconds"),
    ],
)
def test_a_token_is_not_good_that_is_otherwise(text: str, parts: dict[str, Any], said: str) -> None:
    assert said in str(judged(text, **parts))


def test_a_fingerprint_is_of_the_public_half() -> None:
    assert len(fingerprint(KEY)) == 44
    assert fingerprint(KEY) == fingerprint(KEY)
    assert fingerprint("no key") == ""
