"""The scheme `bearer` with a token request that is proven by a signed token, as GitHub wants it of applications."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import METHODS, settings_violations
from integration_hub.auth.templates import render_settings
from integration_hub.auth.tokens import TokenMethod, token_method
from integration_hub.model.http import HttpRequest, HttpResponse
from integration_hub.model.tokens import Tokens
from support.auth import CONTEXT
from support.oauth2 import EC_KEY, EC_PEM, RSA_KEY, RSA_PEM, driven, pem

CUSTOM = METHODS["custom"]
NOW = int(CONTEXT.now.timestamp())
GITHUB: dict[str, Any] = {
    "tokenURL": "https://api.github.com/app/installations/{{ config.installationId }}/access_tokens",
    "request": {"jwt": {"issuer": "{{ config.clientId }}", "lifetime": "9m", "clockDrift": "60s"}},
    "answer": {"accessToken": "token", "expiresAt": "expires_at"},
}
CONFIG = {"installationId": 4711, "clientId": "Iv23li"}


def asking(told: Mapping[str, Any], **request: Any) -> dict[str, Any]:
    """Settings whose token request has this `jwt`."""
    return {"bearer": {"tokenURL": "https://auth.example.com/token", "request": {"jwt": told, **request}}}


def asked(
    settings: Mapping[str, Any], key: str, config: Mapping[str, Any] = CONFIG
) -> tuple[HttpRequest, TokenMethod, Mapping[str, Any], Credentials]:
    """Return the token request, and what it was made of."""
    assert settings_violations("custom", settings) == []
    rendered = render_settings(CUSTOM, settings, config)
    (name,) = (secret_key.name for secret_key in CUSTOM.secret_keys(rendered))
    held = Credentials({name: key})
    assert CUSTOM.credential_problem(rendered, held) is None
    method = token_method(CUSTOM, rendered)
    assert method is not None
    return next(method.obtain(rendered, held, CONTEXT)), method, rendered, held


def read(
    token: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, algorithm: str = "RS256"
) -> jwt.Token:
    """Return a token that the public half of this key has verified."""
    public: Any = key.public_key()
    family = RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey
    return jwt.decode(token, family.import_key(public), algorithms=[algorithm])


class TestAnInstallationOfAGitHubApp:
    def test_is_asked_for_with_a_token_that_the_application_signs(self) -> None:
        request, *_ = asked({"bearer": GITHUB}, RSA_PEM)
        assert (request.method, request.purpose, request.body) == ("POST", "token", None)
        assert request.url == "https://api.github.com/app/installations/4711/access_tokens"
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        found = read(token, RSA_KEY)
        assert found.header == {"alg": "RS256", "typ": "JWT"}
        jti = found.claims.pop("jti")
        assert jti
        # Ten minutes are the most that GitHub takes, and its clock may be behind.
        assert found.claims == {"iss": "Iv23li", "iat": NOW - 60, "exp": NOW + 540}
        assert RSA_PEM not in repr(request)
        assert token not in repr(request)

    def test_answers_with_a_token_and_when_it_ends(self) -> None:
        _, method, rendered, held = asked({"bearer": GITHUB}, RSA_PEM)
        told = {
            "token": "ghs_canary",
            "expires_at": "2026-11-22T13:00:00Z",
            "permissions": {"issues": "read"},
        }
        answer = HttpResponse(201, {}, json.dumps(told).encode())
        _, tokens = driven(method.obtain(rendered, held, CONTEXT), [answer])
        assert isinstance(tokens, Tokens)
        assert tokens.access_token == "ghs_canary"
        assert tokens.expires_at == CONTEXT.now + timedelta(hours=1)
        (sent,) = CUSTOM.flow(
            rendered, held.with_tokens(tokens), HttpRequest("GET", "https://api.github.com/"), CONTEXT
        )
        assert sent.headers["Authorization"] == "Bearer ghs_canary"
        assert CUSTOM.delivered(rendered, held.with_tokens(tokens))["accessToken"] == "ghs_canary"


@pytest.mark.parametrize(
    ("algorithm", "key", "text"),
    [
        ("RS256", RSA_KEY, RSA_PEM),
        ("PS256", RSA_KEY, RSA_PEM),
        ("ES256", EC_KEY, EC_PEM),
    ],
)
def test_each_family_of_signatures_is_verified_by_the_public_key(
    algorithm: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, text: str
) -> None:
    request, *_ = asked(asking({"algorithm": algorithm}), text)
    token = request.headers["Authorization"].removeprefix("Bearer ")
    assert read(token, key, algorithm).header["alg"] == algorithm


def test_everything_that_can_be_said_stands_in_the_token_and_goes_where_it_should() -> None:
    told = {
        "privateKeyKey": "app.pem",
        "issuer": "{{ config.clientId }}",
        "subject": "sub",
        "audience": "https://api.example.com/{{ config.installationId }}",
        "keyId": "k-1",
        "claims": {"scope": "{{ config.clientId }}/read", "none": "{{ config.absent }}"},
        "header": "X-Assertion",
        "prefix": "JWT",
    }
    request, *_ = asked(asking(told), RSA_PEM)
    assert "Authorization" not in request.headers
    token = request.headers["X-Assertion"].removeprefix("JWT ")
    found = read(token, RSA_KEY)
    assert found.header["kid"] == "k-1"
    assert found.claims | {"jti": ""} == {
        "iss": "Iv23li",
        "sub": "sub",
        "aud": "https://api.example.com/4711",
        "scope": "Iv23li/read",
        "iat": NOW,
        "exp": NOW + 60,
        "jti": "",
    }


def test_in_another_header_nothing_stands_before_it() -> None:
    request, *_ = asked(asking({"header": "X-Assertion"}), RSA_PEM)
    assert read(request.headers["X-Assertion"], RSA_KEY)


def test_what_else_the_request_has_is_sent_besides() -> None:
    fields = [{"name": "grant", "value": "app"}]
    request, *_ = asked(
        asking({}, fields=fields, headers=[{"name": "Accept", "value": "text/plain"}]), RSA_PEM
    )
    assert request.body == b"grant=app"
    assert (request.headers["Accept"], request.headers["Authorization"][:7]) == ("text/plain", "Bearer ")


@pytest.mark.parametrize(
    ("told", "request_", "path", "words", "reason"),
    [
        ({"claims": {"exp": "1"}}, {}, "jwt.claims.exp", "is set by 'jwt.lifetime'", "a claim of ours"),
        ({"claims": {"iss": "x"}}, {}, "jwt.claims.iss", "is set by 'jwt.issuer'", "a claim with a setting"),
        ({"header": "Host"}, {}, "jwt.header", "frames the message", "no place for a token"),
        ({}, {"basic": {}}, "jwt.header", "'basic' has, too", "two for one header"),
        (
            {"header": "x-a"},
            {"headers": [{"name": "X-A", "value": "1"}]},
            "jwt.header",
            "'headers' has, too",
            "two for one header, in another spelling",
        ),
        (
            {},
            {"fields": [{"name": "a", "secretKey": "privateKey"}]},
            "jwt.privateKeyKey",
            "a key of its own",
            "the private key would be sent",
        ),
        ({"algorithm": "HS256"}, {}, "jwt.algorithm", "must be one of", "a shared secret is no private key"),
        ({"lifetime": "0s"}, {}, "jwt.lifetime", "must be a duration", "dead when it is born"),
    ],
)
def test_what_cannot_be_is_told_by_its_path(
    told: dict[str, Any], request_: dict[str, Any], path: str, words: str, reason: str
) -> None:
    (violation,) = settings_violations("custom", asking(told, **request_))
    assert violation.path == f"settings.bearer.request.{path}", reason
    assert words in violation.message, reason


@pytest.mark.parametrize(
    ("text", "algorithm", "words"),
    [
        ("canary", "RS256", "is no private key as PEM"),
        (EC_PEM, "RS256", "is no RSA key"),
        (RSA_PEM, "ES256", "is no key on the curve"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "ES256", "is no key on the curve"),
    ],
    ids=["no key", "of another kind", "of another kind still", "on another curve"],
)
def test_a_value_that_cannot_sign_is_told_and_not_shown(text: str, algorithm: str, words: str) -> None:
    settings = asking({"algorithm": algorithm})
    problem = CUSTOM.credential_problem(settings, Credentials({"privateKey": text}))
    assert problem is not None
    assert problem.startswith("The value of the key 'privateKey' ")
    assert words in problem
    assert not any(line in problem for line in text.splitlines())
