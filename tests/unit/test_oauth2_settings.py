"""The settings of `oauth2`: what is refused and why, what the Secret must hold, and what of it can never be used."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from integration_hub.auth.flow import Credentials
from integration_hub.auth.methods import settings_violations
from integration_hub.auth.oauth2.lifetimes import LONGEST, lifetime
from integration_hub.auth.tokens import Acquisition, Reuse
from integration_hub.config.templates import TemplateError
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAttempt, Tokens, token_hash
from support.auth import CONTEXT
from support.certificates import Authority
from support.oauth2 import EC_PEM, METHOD, RSA_KEY, RSA_PEM, SECRET, accepted, answer, credentials_of, driven

A, T, D = "https://a.example/authorize", "https://a.example/token", "https://a.example/device"
CODE: dict[str, Any] = {"authorizationURL": A, "tokenURL": T}
CC: dict[str, Any] = {"grant": "clientCredentials", "tokenURL": T}
JWT: dict[str, Any] = {"grant": "jwtBearer", "tokenURL": T}
GIVEN: dict[str, Any] = {"grant": "refreshToken", "tokenURL": T}
SIGNED: dict[str, Any] = {"grant": "signedJWT"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "settings.authorizationURL: is required for the grant authorizationCode, unless 'issuer' is set"),
    ({"authorizationURL": A}, "settings.tokenURL: is required for the grant authorizationCode"),
    ({"grant": "clientCredentials"}, "settings.tokenURL: is required for the grant clientCredentials"),
    (
        {"grant": "deviceCode", "tokenURL": T},
        "settings.deviceAuthorizationURL: is required for the grant deviceCode",
    ),
    ({"grant": "password"}, "settings.grant: must be one of: authorizationCode"),
    ({**CODE, "tokenURL": "a.example/token"}, "settings.tokenURL: must start with https://"),
    ({**CODE, "tokenURL": "ftp://a.example"}, "settings.tokenURL: must start with https://"),
    ({**CODE, "tokenURL": "https://u:p@a.example"}, "settings.tokenURL: "),
    ({**CODE, "tokenURL": "https://a.example/t#x"}, "settings.tokenURL: a path cannot have '?' or '#'"),
    (
        {**CODE, "authorizationURL": f"{A}?prompt=consent"},
        "settings.authorizationURL: cannot have '?'; put what is behind it into 'authorizationParameters'",
    ),
    (
        {**CODE, "tokenURL": f"{T}?tenant=a"},
        "settings.tokenURL: cannot have '?'; put what is behind it into 'tokenParameters'",
    ),
    ({**CODE, "tokenURL": f"{T} "}, "settings.tokenURL: begins or ends with a space or line break"),
    (
        {**CODE, "authorizationURL": "http://a.example/authorize"},
        "settings.authorizationURL: must start with https://, as tokenURL does: people sign in there",
    ),
    (
        {"issuer": "https://a.example/.well-known/openid-configuration"},
        "settings.issuer: is the address of the metadata; name the issuer alone, like 'https://a.example'",
    ),
    ({"issuer": "https://"}, "settings.issuer: "),
    ({**CODE, "lifetime": "2 hours"}, "settings.lifetime: must be a duration like '2h' or '1h30m'"),
    ({**CODE, "lifetime": "0h0m"}, "settings.lifetime: must be a duration like '2h' or '1h30m'"),
    (
        {**CODE, "tokenAnswer": {"accessToken": "$.data.token"}},
        "settings.tokenAnswer.accessToken: must be names with '.' between them, like 'data.0.token', without '$'",
    ),
    ({**CODE, "refresh": {"atPercent": 96}}, "settings.refresh.atPercent: must be at most 95"),
    ({**CODE, "refresh": {"atPercent": 49}}, "settings.refresh.atPercent: must be at least 50"),
    (
        {**CODE, "refresh": {"reuse": "maybe"}},
        "settings.refresh.reuse: must be one of: grace, strict, reusable",
    ),
    (
        {**CC, "refresh": {"reuse": "grace"}},
        "settings.refresh.reuse: has an effect only with grants that renew",
    ),
    (
        {**CC, "refresh": {"redirectURI": True}},
        "settings.refresh.redirectURI: has an effect only with the grant authorizationCode",
    ),
    ({**CC, "refreshParameters": {"a": "b"}}, "settings.refreshParameters: has an effect only"),
    ({**CC, "pkce": "off"}, "settings.pkce: has an effect only with the grant authorizationCode; remove it"),
    (
        {**CC, "authorizationURL": A},
        "settings.authorizationURL: has an effect only with the grant authorizationCode",
    ),
    (
        {**CC, "deviceAuthorizationURL": D},
        "settings.deviceAuthorizationURL: has an effect only with the grant deviceCode",
    ),
    ({**CC, "authorizationParameters": {"a": "b"}}, "settings.authorizationParameters: has an effect only"),
    ({**CC, "discovery": "oauth"}, "settings.discovery: has an effect only next to 'issuer'"),
    (
        {**CC, "jwt": {}},
        "settings.jwt: has an effect only with the grants jwtBearer and signedJWT, and with private_key_jwt",
    ),
    (
        {**CC, "clientAuthentication": "private_key_jwt", "jwt": {"subject": "x"}},
        "settings.jwt.subject: has an effect only with the grants jwtBearer and signedJWT",
    ),
    ({**SIGNED, "tokenURL": T}, "settings.tokenURL: has an effect only with a grant that asks for tokens"),
    (
        {**SIGNED, "clientAuthentication": "none"},
        "settings.clientAuthentication: has an effect only with a grant that asks",
    ),
    ({**CODE, "clientId": "x", "clientIdKey": "y"}, "settings.clientIdKey: has no use next to 'clientId'"),
    (
        {**CODE, "clientAuthentication": "none", "clientSecretKey": "y"},
        "settings.clientSecretKey: has no use with the grant authorizationCode and the client authentication none",
    ),
    ({**CODE, "privateKeyKey": "y"}, "settings.privateKeyKey: has no use"),
    ({**CODE, "refreshTokenKey": "y"}, "settings.refreshTokenKey: has no use"),
    (
        {**CODE, "clientSecretKey": "clientId"},
        "settings.clientSecretKey: is the key of the client id of the application, too",
    ),
    ({**CODE, "clientSecretKey": "a/b"}, "settings.clientSecretKey: must be the name of a key in the Secret"),
    ({**CODE, "clientId": "a\nb"}, "settings.clientId: must be one line, of 1000 characters at most"),
    (
        {**CODE, "authorizationParameters": {"state": "x"}},
        "settings.authorizationParameters.state: is what the operator fills in itself",
    ),
    (
        {**CODE, "authorizationParameters": {"code_challenge": "x"}},
        "settings.authorizationParameters.code_challenge: is what",
    ),
    (
        {**CODE, "authorizationParameters": {"scope": "x"}},
        "settings.authorizationParameters.scope: would go before the scopes; use 'scopes'",
    ),
    (
        {**CODE, "authorizationParameters": {"a b": "x"}},
        "settings.authorizationParameters: has a name that no parameter has",
    ),
    (
        {**CODE, "authorizationParameters": {"a": 5}},
        "settings.authorizationParameters.a: must be text, not a whole number",
    ),
    (
        {**CODE, "audience": "x", "authorizationParameters": {"audience": "y"}},
        "settings.authorizationParameters.audience: stands in 'audience', too",
    ),
    (
        {**CODE, "tokenParameters": {"client_secret": "x"}},
        "settings.tokenParameters.client_secret: is what the operator",
    ),
    (
        {**CODE, "tokenParameters": {"redirect_uri": "x"}},
        "settings.tokenParameters.redirect_uri: is what the operator",
    ),
    (
        {**CODE, "tokenParameters": {"grant_type": "x"}},
        "settings.tokenParameters.grant_type: can be of the system's own only with the grant clientCredentials",
    ),
    ({**CODE, "refreshParameters": {"grant_type": "x"}}, "settings.refreshParameters.grant_type: is what"),
    (
        {**CODE, "refreshParameters": {"refresh_token": "x"}},
        "settings.refreshParameters.refresh_token: is what",
    ),
    (
        {**CODE, "authorizationParameters": {"response_mode": "fragment"}},
        "settings.authorizationParameters.response_mode: must be one of query and form_post",
    ),
    ({**CODE, "scopeParameter": "state"}, "settings.scopeParameter: is what the operator fills in itself"),
    (
        {**CODE, "pkce": False},
        'settings.pkce: must be one of: required, supported, off (write "off" in quotes',
    ),
    (
        {**CC, "clientAuthentication": "none"},
        "settings.clientAuthentication: proves nothing with the grant clientCredentials",
    ),
    (
        {**SIGNED, "lifetime": "1h"},
        "settings.lifetime: has an effect only with a grant that asks for tokens; signedJWT",
    ),
    (
        {**SIGNED, "requiredScopes": ["a"]},
        "settings.requiredScopes: has an effect only with a grant that asks",
    ),
    ({**CODE, "scopeSeparator": "x"}, "settings.scopeSeparator: must be a space, ',' or the like"),
    ({**CODE, "scopes": ["a", "a"]}, "settings.scopes: must not have the same entry twice"),
    ({**CODE, "resource": []}, "settings.resource: must not be empty"),
    (
        {**CODE, "tokenAnswer": {"accessToken": "a b"}},
        "settings.tokenAnswer.accessToken: must be names with '.' between them",
    ),
    (
        {**CODE, "tokenAnswer": {"acessToken": "a"}},
        "settings.tokenAnswer.acessToken: is not a known field (did you mean 'accessToken'?)",
    ),
    ({**CODE, "tokenIn": {"header": "Host"}}, "settings.tokenIn.header: is a header that frames the message"),
    ({**CODE, "tokenIn": {"header": "Cookie"}}, "settings.tokenIn.header: is the header of cookies"),
    ({**CODE, "tokenIn": {"header": "X Y"}}, "settings.tokenIn.header: must be one name without spaces"),
    ({**JWT, "jwt": {"algorithm": "HS256"}}, "settings.jwt.algorithm: must be one of: RS256"),
    ({**JWT, "jwt": {"algorithm": "none"}}, "settings.jwt.algorithm: must be one of: RS256"),
    ({**JWT, "jwt": {"claims": {"sub": "x"}}}, "settings.jwt.claims.sub: is set by 'jwt.subject'"),
    ({**JWT, "jwt": {"claims": {"exp": "1"}}}, "settings.jwt.claims.exp: is set by 'jwt.lifetime'"),
    ({**JWT, "jwt": {"scopeClaim": "aud"}}, "settings.jwt.scopeClaim: is a claim that is set otherwise"),
]


@pytest.mark.parametrize(("settings", "expected"), REFUSED, ids=[expected for _, expected in REFUSED])
def test_a_mistake_is_told_with_its_path(settings: dict[str, Any], expected: str) -> None:
    found = [str(violation) for violation in settings_violations("oauth2", settings)]
    assert any(one.startswith(expected) for one in found), found


SLASHES = [
    ("{{ config.a }}", "https://a.example/", "https://a.example/"),
    ("{{ config.a }}", "https://a.example", "https://a.example"),
    ("{{ config.a }}/", "https://a.example/", "https://a.example/"),
    ("https://a.example/{{ config.a }}", "x/", "https://a.example/x%2F"),
    ("https://{{ config.a }}/", "a.example", "https://a.example/"),
]


@pytest.mark.parametrize(("template", "value", "expected"), SLASHES)
def test_an_issuer_keeps_the_slash_at_its_end_which_is_a_part_of_its_name(
    template: str, value: str, expected: str
) -> None:
    assert accepted({"issuer": template}, {"a": value})["issuer"] == expected


def test_an_address_of_the_configuration_is_told_when_the_configuration_is_known() -> None:
    settings = {"authorizationURL": "{{ config.a }}/authorize", "tokenURL": T}
    assert settings_violations("oauth2", settings) == []


KEYS: list[tuple[dict[str, Any], list[str]]] = [
    (CODE, ["clientId", "clientSecret"]),
    ({**CODE, "clientId": "fixed"}, ["clientSecret"]),
    ({**CODE, "clientIdKey": "app", "clientSecretKey": "pass"}, ["app", "pass"]),
    ({**CODE, "clientAuthentication": "client_secret_post"}, ["clientId", "clientSecret"]),
    ({**CODE, "clientAuthentication": "none"}, ["clientId"]),
    ({**CODE, "clientAuthentication": "private_key_jwt"}, ["clientId", "privateKey"]),
    ({"grant": "refreshToken", "tokenURL": T}, ["clientId", "clientSecret", "refreshToken"]),
    (JWT, ["clientId", "privateKey"]),
    ({**JWT, "jwt": {"issuer": "me"}}, ["privateKey"]),
    (
        {**JWT, "jwt": {"issuer": "me"}, "clientAuthentication": "client_secret_post"},
        ["clientId", "clientSecret", "privateKey"],
    ),
    (SIGNED, ["clientId", "privateKey"]),
    ({**SIGNED, "jwt": {"issuer": "me"}}, ["privateKey"]),
]


@pytest.mark.parametrize(("settings", "expected"), KEYS)
def test_the_secret_needs_what_the_grant_needs(settings: dict[str, Any], expected: list[str]) -> None:
    assert settings_violations("oauth2", settings) == []
    keys = {key.name: key for key in METHOD.secret_keys(settings)}
    assert list(keys) == expected
    assert all(key.required and key.description for key in keys.values())
    assert [name for name, key in keys.items() if key.public] == [
        n for n in expected if n in {"clientId", "app"}
    ]
    assert [name for name, key in keys.items() if key.multiline] == [n for n in expected if n == "privateKey"]


OTHER_PAIR = Authority("x").issue("y")


def _keys() -> list[tuple[str, str, str]]:
    small = rsa.generate_private_key(65537, 1024)
    p384 = ec.generate_private_key(ec.SECP384R1())
    ed = ed25519.Ed25519PrivateKey.generate()

    def text(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, lock: Any = None) -> str:
        return str(key.private_bytes(Encoding.PEM, form, lock or NoEncryption()).decode())

    lock = BestAvailableEncryption(b"x")
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    lines = RSA_PEM.splitlines()
    return [
        ("RS256", "canary", "is no private key as PEM"),
        ("RS256", RSA_PEM.replace("\n", r"\n"), r"has its line breaks written as '\n'"),
        ("RS256", RSA_PEM.replace("\n", " "), "has lost its line breaks"),
        ("RS256", base64.b64encode(RSA_PEM.encode()).decode(), "is encoded in base64 once more"),
        (
            "RS256",
            '{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----"}',
            "is JSON, not PEM",
        ),
        ("RS256", text(RSA_KEY, lock=lock), "is locked with a password"),
        ("RS256", text(RSA_KEY, PrivateFormat.TraditionalOpenSSL, lock), "is locked with a password"),
        ("RS256", text(RSA_KEY, PrivateFormat.OpenSSH), "is a private key in the form of OpenSSH"),
        ("RS256", public, "is a public key"),
        ("RS256", OTHER_PAIR.chain, "is a certificate"),
        ("RS256", "\n".join([*lines[:3], *lines[5:]]), "is a private key that is garbled"),
        ("RS256", text(small), "is an RSA key of 1024 bits; RS256 needs 2048 at least"),
        ("RS256", EC_PEM, "is no RSA key, which RS256 signs with"),
        ("PS512", EC_PEM, "is no RSA key, which PS512 signs with"),
        ("ES256", RSA_PEM, "is no key on the curve secp256r1, which ES256 signs with"),
        ("ES256", text(p384), "is no key on the curve secp256r1, which ES256 signs with"),
        ("ES384", EC_PEM, "is no key on the curve secp384r1, which ES384 signs with"),
        ("ES256", text(ed), "is no key on the curve secp256r1"),
    ]


@pytest.mark.parametrize(("algorithm", "key", "expected"), _keys())
def test_a_private_key_that_cannot_sign_is_told_by_its_fault(algorithm: str, key: str, expected: str) -> None:
    settings = accepted({**JWT, "privateKeyKey": "key", "jwt": {"algorithm": algorithm}})
    problem = METHOD.credential_problem(settings, Credentials({"clientId": "id", "key": key}))
    assert problem is not None
    assert problem.startswith("The value of the key 'key' ")
    assert expected.removeprefix("is ") in problem
    assert "canary" not in problem


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_may_have_any_usual_form(form: PrivateFormat) -> None:
    key = RSA_KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode().replace("\n", "\r\n")
    assert METHOD.credential_problem(JWT, Credentials({"clientId": "id", "privateKey": key})) is None


@pytest.mark.parametrize(
    ("key", "settings"), [("clientId", CODE), ("refreshToken", {"grant": "refreshToken", "tokenURL": T})]
)
@pytest.mark.parametrize("value", ["caf\u00e9", "a\u200bb", "a\x7f"])
def test_what_no_client_id_or_refresh_token_has_is_refused(
    key: str, settings: dict[str, Any], value: str
) -> None:
    problem = METHOD.credential_problem(settings, Credentials({**SECRET, key: value}))
    assert problem is not None
    assert f"'{key}'" in problem
    assert value not in problem


def test_rules_follow_from_settings() -> None:
    rules = METHOD.token_rules(accepted(CODE), credentials_of(CODE), CONTEXT)
    assert (rules.acquisition, rules.refresh_share, rules.lifetime, rules.reuse) == (
        Acquisition.LINK,
        0.8,
        None,
        Reuse.GRACE,
    )
    assert rules.consumes == ""
    assert not rules.revocable
    settings = accepted(
        {
            "grant": "refreshToken",
            "issuer": "https://a.example",
            "lifetime": "1h30m",
            "refresh": {"atPercent": 55, "reuse": "strict"},
            "requiredScopes": ["read"],
        }
    )
    context = replace(CONTEXT, scopes=("write", "offline_access", "read"))
    rules = METHOD.token_rules(settings, credentials_of(settings), context)
    assert rules.acquisition is Acquisition.BY_ITSELF
    assert rules.refresh_share == pytest.approx(0.55)
    assert rules.lifetime == timedelta(minutes=90)
    assert rules.reuse is Reuse.STRICT
    assert rules.consumes == token_hash(SECRET["refreshToken"])
    assert rules.revocable
    assert rules.required_scopes == ("read", "write")


def test_a_scope_that_is_granted_by_another_name_is_looked_for_by_that_name() -> None:
    full = "https://www.googleapis.com/auth/userinfo.email"
    settings = accepted(
        {**CODE, "requiredScopes": ["openid"], "scopeAliases": {"email": full, "unused": "x"}}
    )
    context = replace(CONTEXT, scopes=("email",))
    rules = METHOD.token_rules(settings, credentials_of(settings), context)
    assert rules.required_scopes == ("openid", full)
    _, attempt = driven(METHOD.authorization_link(settings, credentials_of(settings), "s", context))
    assert isinstance(attempt, ConsentAttempt)
    assert parse_qs(urlsplit(attempt.url).query)["scope"] == ["email"]


def test_a_refresh_token_that_is_never_rotated_is_not_used_up() -> None:
    settings = accepted({"grant": "refreshToken", "tokenURL": T, "refresh": {"reuse": "reusable"}})
    assert not METHOD.token_rules(settings, credentials_of(settings), CONTEXT).consumes


CHANGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (CODE, {"tokenURL": "https://b.example/token"}, True),
    (CODE, {"authorizationURL": "https://b.example/authorize"}, True),
    (CODE, {"clientId": "other"}, True),
    (CODE, {"scopes": ["a"]}, True),
    (CODE, {"audience": "a"}, True),
    (CODE, {"resource": ["https://r"]}, True),
    (CODE, {"authorizationParameters": {"prompt": "consent"}}, True),
    (CODE, {"scopeParameter": "user_scope", "scopes": []}, True),
    # How tokens are asked for and kept is nothing that a person has consented to.
    (CODE, {"tokenParameters": {"expiring": "1"}}, False),
    (CODE, {"refresh": {"atPercent": 50}}, False),
    (CODE, {"clientAuthentication": "client_secret_post"}, False),
    (CODE, {"requiredScopes": ["a"]}, False),
    (CODE, {"tokenIn": {"header": "X-Token"}}, False),
    (CC, {"tokenParameters": {"account_id": "1"}}, True),
    # Nor has what is asked for with a refresh token of the Secret been consented to here.
    (GIVEN, {"tokenParameters": {"account_id": "1"}}, False),
    (GIVEN, {"scopes": ["a"], "audience": "a"}, False),
    (GIVEN, {"issuer": "https://a.example"}, False),
    (GIVEN, {"refresh": {"reuse": "reusable"}}, False),
    (GIVEN, {"tokenURL": "https://b.example/token"}, True),
    (GIVEN, {"clientId": "other"}, True),
    (JWT, {"jwt": {"subject": "somebody"}}, True),
]


@pytest.mark.parametrize(("settings", "change", "asks_again"), CHANGES)
def test_what_changes_the_fingerprint(
    settings: dict[str, Any], change: dict[str, Any], asks_again: bool
) -> None:
    credentials = Credentials(SECRET)
    before = METHOD.token_rules(accepted(settings), credentials, CONTEXT).grant
    after = METHOD.token_rules(accepted({**settings, **change}), credentials, CONTEXT).grant
    assert (before != after) is asks_again


def test_the_order_of_scopes_changes_nothing_and_another_secret_only_what_is_obtained_with_it() -> None:
    def grant(settings: dict[str, Any], **secret: str) -> str:
        return METHOD.token_rules(accepted(settings), Credentials({**SECRET, **secret}), CONTEXT).grant

    assert grant({**CODE, "scopes": ["a", "b"]}) == grant({**CODE, "scopes": ["b", "a"]})
    assert grant(CODE) == grant(CODE, clientSecret="other")
    assert grant(CODE) != grant(CODE, clientId="other")
    assert grant(CC) != grant(CC, clientSecret="other")
    assert grant(GIVEN) == grant(GIVEN, clientSecret="other")
    assert grant(GIVEN) != grant(GIVEN, refreshToken="other")


def test_scopes_of_the_instance_are_asked_for_after_those_of_the_definition() -> None:
    settings = accepted({**CC, "scopes": ["{{ config.scopes }}", "b"]}, {"scopes": "a  c"})
    context = replace(CONTEXT, scopes=("b", "d"))
    (request,), _ = driven(
        METHOD.obtain(settings, credentials_of(settings), context), [answer({"access_token": "t"})]
    )
    assert b"scope=a+c+b+d" in (request.body or b"")


def test_templates_are_filled_in_where_they_land() -> None:
    settings = accepted(
        {
            "authorizationURL": "https://{{ config.tenant }}.a.example/authorize",
            "tokenURL": "https://login.a.example/{{ config.tenant }}/token",
            "tokenParameters": {"account": "{{ config.account }}", "region": "{{ config.region }}"},
            "resource": ["https://{{ config.tenant }}.api"],
        },
        {"tenant": "acme", "account": "a&b"},
    )
    assert settings["authorizationURL"] == "https://acme.a.example/authorize"
    assert settings["tokenURL"] == "https://login.a.example/acme/token"
    assert settings["tokenParameters"] == {"account": "a&b"}
    with pytest.raises(TemplateError):
        accepted({**CODE, "tokenURL": "https://{{ config.tenant }}.a.example"}, {"tenant": "evil.example/x"})


PLACES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"Authorization": "Bearer tok"}),
    ({"header": "X-Shopify-Access-Token"}, {"X-Shopify-Access-Token": "tok"}),
    ({"prefix": "OAuth"}, {"Authorization": "OAuth tok"}),
    ({"header": "authorization"}, {"authorization": "Bearer tok"}),
    ({"header": "X-Token", "prefix": "Token token="}, {"X-Token": "Token token=tok"}),
]


@pytest.mark.parametrize(("place", "headers"), PLACES)
def test_the_access_token_goes_where_the_definition_says(
    place: dict[str, Any], headers: dict[str, str]
) -> None:
    settings = accepted({**CODE, "tokenIn": place})
    credentials = credentials_of(settings).with_tokens(Tokens("tok", CONTEXT.now, "g", refresh_token="ref"))
    asked = HttpRequest("GET", "https://h/x", {"AUTHORIZATION": "old"} if "Authorization" in headers else {})
    (sent,) = METHOD.flow(settings, credentials, asked, CONTEXT)
    assert sent.headers == headers
    assert sent.url == "https://h/x"
    assert METHOD.delivered(settings, credentials) == {"accessToken": "tok", "tokenType": "Bearer"}


def test_without_tokens_nothing_is_sent_and_nothing_delivered() -> None:
    with pytest.raises(ValueError, match="tokens are obtained before"):
        next(METHOD.flow(CODE, credentials_of(CODE), HttpRequest("GET", "https://h/x"), CONTEXT))
    assert METHOD.delivered(CODE, credentials_of(CODE)) == {}
    assert METHOD.ends_at(CODE, credentials_of(CODE)) is None


LIFETIMES: list[tuple[Any, float | None]] = [
    (3600, 3600), ("3600", 3600), (" 3600 ", 3600), (3599.5, 3599.5), ("3599.5", 3599.5), (1, 1),
    (0, None), ("0", None), (-1, None), ("-1", None), (None, None), (True, None), ("soon", None), ("", None),
    ([3600], None), ({}, None), (float("inf"), None), (float("nan"), None), ("1e9", None), ("\u0663", None),
    (10**30, LONGEST.total_seconds()), ("9" * 15, LONGEST.total_seconds()),
]  # fmt: skip


@pytest.mark.parametrize(("told", "seconds"), LIFETIMES)
def test_a_lifetime_is_understood_or_taken_for_not_told(told: Any, seconds: float | None) -> None:
    found = lifetime(told)
    assert (found.total_seconds() if found else None) == seconds


DOCS = Path(__file__).parents[2] / "docs" / "auth-methods.md"


def _documented() -> list[dict[str, Any]]:
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(r"^## [^\n]*`oauth2`.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section
    found = []
    for block in re.findall(r"```yaml\n(.*?)```", section.group(), re.DOTALL):
        for document in yaml.safe_load_all(block):
            if document.get("kind") == "IntegrationDefinition":
                found += document["spec"]["authMethods"]
            elif "settings" in document:
                found.append(document)
    return found


def test_every_documented_manifest_is_accepted_and_every_grant_has_one() -> None:
    documented = _documented()
    for method in documented:
        assert settings_violations(method["type"], method["settings"]) == []
    grants = {method["settings"].get("grant", "authorizationCode") for method in documented}
    assert grants == set(METHOD.settings_schema["properties"]["grant"]["enum"])
