"""What `oauth2` asks: the examples of the RFCs, discovery, consent, device codes, assertions, revocation."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from integration_hub.auth.flow import AuthContext, Credentials
from integration_hub.auth.oauth2 import link
from integration_hub.auth.oauth2.answer import UNSENDABLE
from integration_hub.auth.oauth2.device import UNUSABLE
from integration_hub.auth.oauth2.discovery import NO_METADATA, well_known
from integration_hub.auth.tokens import DevicePending, TokenRefused
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from support.auth import CONTEXT
from support.oauth2 import (
    EC_KEY,
    EC_PEM,
    METHOD,
    RSA_KEY,
    SECRET,
    accepted,
    answer,
    credentials_of,
    driven,
    form,
    query,
)

SERVER = "https://server.example.com"
A, T, D, R = (f"{SERVER}/{name}" for name in ("authorize", "token", "device_authorization", "revoke"))
CODE: dict[str, Any] = {"authorizationURL": A, "tokenURL": T}
CC: dict[str, Any] = {"grant": "clientCredentials", "tokenURL": T}
DEVICE: dict[str, Any] = {
    "grant": "deviceCode",
    "deviceAuthorizationURL": D,
    "tokenURL": T,
    "clientAuthentication": "none",
}
RFC_CLIENT = {"clientId": "s6BhdRkqt3", "clientSecret": "gX1fBat3bV"}
RFC_BASIC = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
GOOD = answer({"access_token": "tok", "expires_in": 3600})


def made(
    settings: dict[str, Any], *answers: Any, context: AuthContext = CONTEXT, values: dict[str, str] = SECRET
) -> ConsentAttempt:
    found = accepted(settings)
    steps = METHOD.authorization_link(found, credentials_of(found, values), "xyz", context)
    _, attempt = driven(steps, answers)
    assert isinstance(attempt, ConsentAttempt), attempt
    return attempt


def exchanged(
    settings: dict[str, Any],
    attempt: ConsentAttempt,
    brought: ConsentAnswer,
    *answers: Any,
    values: dict[str, str] = SECRET,
) -> tuple[list[HttpRequest], Tokens | TokenRefused]:
    found = accepted(settings)
    return driven(METHOD.exchange(found, credentials_of(found, values), attempt, brought, CONTEXT), answers)


def obtained(
    settings: dict[str, Any], *answers: Any, values: dict[str, str] = SECRET, context: AuthContext = CONTEXT
) -> tuple[list[HttpRequest], Tokens | TokenRefused]:
    found = accepted(settings)
    return driven(METHOD.obtain(found, credentials_of(found, values), context), answers)


# -- The examples of the RFCs ----------------------------------------------------------------------


def test_the_example_of_pkce() -> None:
    # RFC 7636 appendix B
    octets = bytes(
        [
            116,
            24,
            223,
            180,
            151,
            153,
            224,
            37,
            79,
            250,
            96,
            125,
            216,
            173,
            187,
            186,
            22,
            212,
            37,
            77,
            105,
            214,
            191,
            240,
            91,
            88,
            5,
            88,
            83,
            132,
            141,
            121,
        ]
    )
    attempt = made(CODE, context=replace(CONTEXT, random=lambda size: octets[:size]))
    assert attempt.verifier == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    sent = query(attempt.url)
    assert sent["code_challenge"] == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert sent["code_challenge_method"] == "S256"


def test_the_example_of_authorization_code() -> None:
    # RFC 6749 sections 4.1.1 to 4.1.4
    context = replace(CONTEXT, redirect_uri="https://client.example.com/cb")
    settings = {**CODE, "pkce": "off"}
    attempt = made(settings, context=context, values=RFC_CLIENT)
    assert attempt.url.startswith(f"{A}?")
    assert query(attempt.url) == {
        "response_type": "code",
        "client_id": "s6BhdRkqt3",
        "state": "xyz",
        "redirect_uri": "https://client.example.com/cb",
    }
    assert (attempt.state, attempt.verifier, attempt.issuer) == ("xyz", None, None)
    (request,), tokens = exchanged(
        settings,
        attempt,
        ConsentAnswer("xyz", code="SplxlOBeZQQYbYS6WxSbIA"),
        answer(
            {
                "access_token": "2YotnFZFEjr1zCsicMWpAA",
                "token_type": "example",
                "expires_in": 3600,
                "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
                "example_parameter": "example_value",
            }
        ),
        values=RFC_CLIENT,
    )
    assert (request.method, request.url, request.purpose, request.query) == ("POST", T, "token", ())
    assert request.headers["Authorization"] == RFC_BASIC
    assert request.headers["Accept"] == "application/json"
    assert form(request) == {
        "grant_type": "authorization_code",
        "code": "SplxlOBeZQQYbYS6WxSbIA",
        "redirect_uri": "https://client.example.com/cb",
    }
    assert isinstance(tokens, Tokens)
    assert tokens.access_token == "2YotnFZFEjr1zCsicMWpAA"
    assert tokens.token_type == "example"
    assert tokens.expires_at == CONTEXT.now + timedelta(hours=1)
    assert tokens.refresh_token == "tGzv3JOkF0XG5Qx2TlKWIA"
    assert tokens.scopes is None


def test_the_examples_of_client_credentials_and_of_a_client_in_the_body() -> None:
    # RFC 6749 sections 4.4.2 and 2.3.1
    (request,), _ = obtained(CC, GOOD, values=RFC_CLIENT)
    assert request.headers["Authorization"] == RFC_BASIC
    assert request.body == b"grant_type=client_credentials"
    values = {"clientId": "s6BhdRkqt3", "clientSecret": "7Fjfp0ZBr1KtDRbnfVdmIw"}
    (request,), _ = obtained({**CC, "clientAuthentication": "client_secret_post"}, GOOD, values=values)
    assert "Authorization" not in request.headers
    assert (
        request.body
        == b"grant_type=client_credentials&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
    )


def test_the_example_of_refreshing() -> None:
    # RFC 6749 section 6
    held = Tokens("old", CONTEXT.now, "g", refresh_token="tGzv3JOkF0XG5Qx2TlKWIA")
    settings = accepted(CODE)
    (request,), tokens = driven(
        METHOD.refresh(settings, credentials_of(settings, RFC_CLIENT), held, CONTEXT), [GOOD]
    )
    assert request.headers["Authorization"] == RFC_BASIC
    assert request.body == b"grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"
    assert isinstance(tokens, Tokens)
    assert tokens.refresh_token == "tGzv3JOkF0XG5Qx2TlKWIA", "one that is not in the answer is kept"


def test_the_example_of_a_device() -> None:
    # RFC 8628 sections 3.1 to 3.4
    settings = accepted({**DEVICE, "scopes": ["example_scope"]})
    credentials = credentials_of(settings, {"clientId": "1406020730"})
    document = {
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://example.com/device",
        "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
        "expires_in": 1800,
        "interval": 5,
    }
    (request,), device = driven(METHOD.start_device(settings, credentials, CONTEXT), [answer(document)])
    assert (request.url, form(request)) == (D, {"client_id": "1406020730", "scope": "example_scope"})
    assert isinstance(device, DeviceCode)
    assert device.user_code == "WDJB-MJHT"
    assert device.verification_uri_complete == "https://example.com/device?user_code=WDJB-MJHT"
    assert device.expires_at == CONTEXT.now + timedelta(minutes=30)
    assert device.next_poll == CONTEXT.now + timedelta(seconds=5)
    (request,), tokens = driven(METHOD.poll_device(settings, credentials, device, CONTEXT), [GOOD])
    assert request.url == T
    assert form(request) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "client_id": "1406020730",
    }
    assert isinstance(tokens, Tokens)
    assert tokens.grant == device.grant


def test_the_example_of_revocation() -> None:
    # RFC 7009 section 2.1
    settings = accepted({**CODE, "revocationURL": R})
    held = Tokens("acc", CONTEXT.now, "g", refresh_token="45ghiukldjahdnhzdauz")
    (request,), result = driven(
        METHOD.revoke(settings, credentials_of(settings, RFC_CLIENT), held, CONTEXT), [answer("")]
    )
    assert request.url == R
    assert request.headers["Authorization"] == RFC_BASIC
    assert request.body == b"token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token"
    assert result is None


def test_the_examples_of_discovery() -> None:
    # RFC 8414 section 3.1, OpenID Connect Discovery section 4.1
    assert (
        well_known("https://example.com", "oauth")
        == "https://example.com/.well-known/oauth-authorization-server"
    )
    inserted = "https://example.com/.well-known/oauth-authorization-server/issuer1"
    assert well_known("https://example.com/issuer1", "oauth") == inserted
    assert well_known("https://example.com/issuer1/", "oauth") == inserted
    assert (
        well_known("https://example.com/issuer1", "openid")
        == "https://example.com/issuer1/.well-known/openid-configuration"
    )
    assert (
        well_known("https://example.com/", "openid") == "https://example.com/.well-known/openid-configuration"
    )


# -- Proof of the client ---------------------------------------------------------------------------


def test_id_and_secret_are_form_encoded_before_they_are_joined() -> None:
    # RFC 6749 section 2.3.1 with appendix B: ' ' is '+', '%', '&' and '+' are encoded, and so is ':'.
    values = {"clientId": "a:b c", "clientSecret": "p%&+\u00a3\u20ac"}
    (request,), _ = obtained(CC, GOOD, values=values)
    said = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert said == "a%3Ab+c:p%25%26%2B%C2%A3%E2%82%AC"


def test_a_public_client_only_names_itself() -> None:
    attempt = made({**CODE, "clientAuthentication": "none"})
    (request,), _ = exchanged(
        {**CODE, "clientAuthentication": "none"}, attempt, ConsentAnswer("xyz", code="c0de"), GOOD
    )
    assert "Authorization" not in request.headers
    assert form(request)["client_id"] == "id"
    assert form(request)["code_verifier"] == attempt.verifier


def claims_of(token: str, key: Any, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    decoded = jwt.decode(token, key, algorithms=[algorithm])
    return dict(decoded.header), dict(decoded.claims)


RSA = RSAKey.import_key(RSA_KEY.public_key())
EC = ECKey.import_key(EC_KEY.public_key())
NOW = int(CONTEXT.now.timestamp())


@pytest.mark.parametrize(
    ("settings", "audience"),
    [
        (CC, T),
        ({**CC, "issuer": SERVER}, SERVER),
        ({**CC, "jwt": {"audience": "https://other.example"}}, "https://other.example"),
    ],
)
def test_a_client_proves_itself_with_a_signed_token(settings: dict[str, Any], audience: str) -> None:
    # RFC 7523 sections 2.2 and 3
    (request,), _ = obtained({**settings, "clientAuthentication": "private_key_jwt"}, GOOD)
    sent = form(request)
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert sent["client_id"] == "id"
    header, claims = claims_of(sent["client_assertion"], RSA, "RS256")
    assert header == {"alg": "RS256", "typ": "JWT"}
    assert len(claims.pop("jti")) == 22
    assert claims == {"iss": "id", "sub": "id", "aud": audience, "iat": NOW, "exp": NOW + 60}


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_an_rsa_key_signs_with_each_of_its_algorithms(algorithm: str) -> None:
    settings = {
        "clientAuthentication": "private_key_jwt",
        "jwt": {"algorithm": algorithm, "keyId": "k1", "certificateThumbprint": "abc", "lifetime": "2m"},
    }
    (request,), _ = obtained({**CC, **settings}, GOOD)
    header, claims = claims_of(form(request)["client_assertion"], RSA, algorithm)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": "k1", "x5t#S256": "abc"}
    assert claims["exp"] - claims["iat"] == 120


def test_a_signed_token_is_exchanged() -> None:
    # RFC 7523 section 2.1
    settings = {
        "grant": "jwtBearer",
        "tokenURL": T,
        "scopes": ["read"],
        "jwt": {
            "algorithm": "ES256",
            "issuer": "https://jwt-idp.example.com",
            "subject": "mike@example.com",
            "claims": {"box_sub_type": "enterprise"},
        },
    }
    (request,), tokens = obtained(settings, GOOD, values={"privateKey": EC_PEM})
    sent = form(request)
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert sent["scope"] == "read"
    assert set(sent) == {"grant_type", "scope", "assertion"}
    assert "Authorization" not in request.headers
    _, claims = claims_of(sent["assertion"], EC, "ES256")
    assert {name: claims[name] for name in ("iss", "sub", "aud", "exp", "box_sub_type")} == {
        "iss": "https://jwt-idp.example.com",
        "sub": "mike@example.com",
        "aud": T,
        "exp": NOW + 60,
        "box_sub_type": "enterprise",
    }
    assert isinstance(tokens, Tokens)


def test_scopes_can_go_into_the_signed_token_and_the_subject_can_be_left_out() -> None:
    settings = {
        "grant": "jwtBearer",
        "tokenURL": T,
        "scopes": ["a", "b"],
        "jwt": {"issuer": "me", "subject": "", "scopeClaim": "scope", "lifetime": "1h"},
    }
    (request,), _ = obtained(settings, GOOD)
    assert "scope" not in form(request)
    _, claims = claims_of(form(request)["assertion"], RSA, "RS256")
    assert claims["scope"] == "a b"
    assert "sub" not in claims
    assert claims["exp"] == NOW + 3600


def test_two_tokens_are_never_the_same() -> None:
    counter = iter(range(100))
    context = replace(CONTEXT, random=lambda size: next(counter).to_bytes(size, "big"))
    settings = {**CC, "clientAuthentication": "private_key_jwt"}
    sent = {form(obtained(settings, GOOD, context=context)[0][0])["client_assertion"] for _ in range(3)}
    assert len(sent) == 3


def test_a_signed_token_can_be_the_access_token() -> None:
    settings = {
        "grant": "signedJWT",
        "jwt": {"issuer": "ACCOUNT.USER.SHA256:x", "subject": "ACCOUNT.USER", "lifetime": "59m"},
    }
    requests, tokens = obtained(settings)
    assert requests == []
    assert isinstance(tokens, Tokens)
    assert tokens.expires_at == CONTEXT.now + timedelta(minutes=59)
    assert tokens.refresh_token is None
    _, claims = claims_of(tokens.access_token, RSA, "RS256")
    assert claims["iss"] == "ACCOUNT.USER.SHA256:x"
    assert claims["sub"] == "ACCOUNT.USER"
    assert "aud" not in claims
    assert claims["exp"] == NOW + 59 * 60


# -- Requests in their own way ---------------------------------------------------------------------


def test_parameters_of_the_definition_are_sent_with_every_token_request_and_those_of_refreshing_with_that() -> (
    None
):
    settings = {
        **CODE,
        "tokenParameters": {"expires_in": "3600"},
        "refreshParameters": {"expires_in": "7200", "scope": "narrow"},
        "refresh": {"redirectURI": True},
        "audience": "api",
        "resource": ["https://r1", "https://r2"],
        "authorizationParameters": {"prompt": "consent"},
    }
    attempt = made(settings)
    assert query(attempt.url)["audience"] == "api"
    assert query(attempt.url)["prompt"] == "consent"
    assert attempt.url.count("&resource=") == 2
    (request,), tokens = exchanged(
        settings,
        attempt,
        ConsentAnswer("xyz", code="c0de"),
        answer({"access_token": "t", "refresh_token": "r2"}),
    )
    assert form(request)["expires_in"] == "3600"
    assert form(request)["audience"] == "api"
    assert (request.body or b"").count(b"&resource=") == 2
    assert isinstance(tokens, Tokens)
    found = accepted(settings)
    (request,), _ = driven(METHOD.refresh(found, credentials_of(found), tokens, CONTEXT), [GOOD])
    assert form(request)["expires_in"] == "7200"
    assert form(request)["scope"] == "narrow"
    assert form(request)["redirect_uri"] == CONTEXT.redirect_uri


def test_a_token_request_can_be_json() -> None:
    settings = {
        **CC,
        "tokenRequestEncoding": "json",
        "resource": ["https://r1", "https://r2"],
        "clientAuthentication": "client_secret_post",
    }
    (request,), _ = obtained(settings, GOOD)
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {
        "grant_type": "client_credentials",
        "resource": ["https://r1", "https://r2"],
        "client_id": "id",
        "client_secret": "s3cret-of-client",
    }


def test_the_refresh_token_of_the_secret_is_the_first_and_what_takes_its_place_is_kept() -> None:
    settings = {"grant": "refreshToken", "tokenURL": T, "scopes": ["a"]}
    (request,), tokens = obtained(settings, GOOD)
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "r-of-secret", "scope": "a"}
    assert isinstance(tokens, Tokens)
    assert tokens.refresh_token == "r-of-secret"
    _, tokens = obtained(settings, answer({"access_token": "t", "refresh_token": "rotated"}))
    assert isinstance(tokens, Tokens)
    assert tokens.refresh_token == "rotated"


def test_what_is_obtained_by_itself_keeps_no_refresh_token_and_is_renewed_in_the_same_way() -> None:
    _, tokens = obtained(CC, answer({"access_token": "t", "refresh_token": "r", "refresh_expires_in": 60}))
    assert isinstance(tokens, Tokens)
    assert (tokens.refresh_token, tokens.refresh_expires_at) == (None, None)
    settings = accepted(CC)
    (request,), _ = driven(METHOD.refresh(settings, credentials_of(settings), tokens, CONTEXT), [GOOD])
    assert form(request) == {"grant_type": "client_credentials"}


def test_without_a_refresh_token_consent_is_not_renewed() -> None:
    settings = accepted(CODE)
    requests, result = driven(
        METHOD.refresh(settings, credentials_of(settings), Tokens("t", CONTEXT.now, "g"), CONTEXT)
    )
    assert requests == []
    assert isinstance(result, TokenRefused)
    assert not result.ended


# -- Discovery -------------------------------------------------------------------------------------

METADATA: dict[str, Any] = {
    "issuer": SERVER,
    "authorization_endpoint": A,
    "token_endpoint": T,
    "device_authorization_endpoint": D,
    "revocation_endpoint": R,
    "code_challenge_methods_supported": ["plain", "S256"],
}
BY_ISSUER: dict[str, Any] = {"issuer": SERVER}


def test_addresses_come_from_the_issuer_unless_they_are_set() -> None:
    (discovery, request), _ = obtained({**BY_ISSUER, "grant": "clientCredentials"}, answer(METADATA), GOOD)
    assert (discovery.method, discovery.url, discovery.purpose) == (
        "GET",
        f"{SERVER}/.well-known/openid-configuration",
        "token",
    )
    assert discovery.body is None
    assert "Authorization" not in discovery.headers
    assert request.url == T
    (request,), _ = obtained({**BY_ISSUER, **CC, "tokenURL": "https://own.example/t"}, GOOD)
    assert request.url == "https://own.example/t"
    settings = accepted({**BY_ISSUER, "discovery": "oauth"})
    requests, _ = driven(
        METHOD.revoke(settings, credentials_of(settings), Tokens("t", CONTEXT.now, "g"), CONTEXT),
        [answer(METADATA), answer("")],
    )
    assert [one.url for one in requests] == [f"{SERVER}/.well-known/oauth-authorization-server", R]
    assert form(requests[1]) == {"token": "t", "token_type_hint": "access_token"}


NO_DISCOVERY: list[tuple[Any, int, str]] = [
    (METADATA, 404, ""),
    (METADATA, 302, ""),
    ("<html>", 200, NO_METADATA),
    ([], 200, NO_METADATA),
    ({**METADATA, "issuer": None}, 200, NO_METADATA),
    ({**METADATA, "issuer": "https://evil.example"}, 200, f"The metadata at the issuer's address names another issuer than the definition, which has '{SERVER}'."),
    ({**METADATA, "issuer": f"{SERVER}/"}, 200, f"The metadata at the issuer's address names another issuer than the definition, which has '{SERVER}'. They differ in the '/' at the end alone."),
    *(
        ({**METADATA, "token_endpoint": url}, 200, "The issuer's metadata has no usable token_endpoint; set 'tokenURL' if there is one.")
        for url in (None, "", 5, "token", "http://server.example.com/token", "https://u@server.example.com/t", "https://[::1/t", f"{T}#x", f"{T}\n", "https:///t")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "status", "message"), NO_DISCOVERY)
def test_metadata_that_cannot_be_trusted_is_refused(document: Any, status: int, message: str) -> None:
    _, result = obtained({**BY_ISSUER, "grant": "clientCredentials"}, answer(document, status))
    assert result == TokenRefused(message=message)


def test_plain_http_is_taken_from_metadata_only_where_the_issuer_is_plain_itself() -> None:
    plain = "http://127.0.0.1:8080"
    metadata = {**METADATA, "issuer": plain, "token_endpoint": f"{plain}/token"}
    (_, request), _ = obtained({"issuer": plain, "grant": "clientCredentials"}, answer(metadata), GOOD)
    assert request.url == f"{plain}/token"


def test_an_address_that_a_template_leaves_empty_is_told() -> None:
    settings = {name: value for name, value in CC.items() if name != "tokenURL"}
    _, result = driven(METHOD.obtain(settings, Credentials(SECRET), CONTEXT))
    assert result == TokenRefused(message="The settings have neither 'tokenURL' nor 'issuer'.")


# -- Consent ---------------------------------------------------------------------------------------

PKCE: list[tuple[str, Any, bool | None]] = [
    ("required", ["S256"], True),
    ("required", ["plain"], None),
    ("required", [], None),
    ("required", None, True),
    ("supported", ["plain"], True),
    ("supported", None, True),
    ("off", ["S256"], False),
    ("off", ["plain"], False),
]


@pytest.mark.parametrize(("pkce", "methods", "sent"), PKCE)
def test_pkce_is_as_the_definition_says(pkce: str, methods: Any, sent: bool | None) -> None:
    settings = accepted({**BY_ISSUER, "pkce": pkce})
    metadata = {**METADATA, "code_challenge_methods_supported": methods}
    _, attempt = driven(
        METHOD.authorization_link(settings, credentials_of(settings), "xyz", CONTEXT), [answer(metadata)]
    )
    if sent is None:
        assert attempt == TokenRefused(message=link.NO_S256)
        return
    assert isinstance(attempt, ConsentAttempt)
    assert ("code_challenge" in query(attempt.url)) is sent
    assert (attempt.verifier is not None) is sent
    assert attempt.issuer == SERVER


def test_without_a_callback_there_is_no_link() -> None:
    settings = accepted(CODE)
    steps = METHOD.authorization_link(
        settings, credentials_of(settings), "xyz", replace(CONTEXT, redirect_uri="")
    )
    assert driven(steps)[1] == TokenRefused(message=link.NO_CALLBACK)


IN_CLEAR = [
    ("http://a.example/authorize", "https://a.example/token", False),
    ("HTTP://a.example/authorize", "HTTPS://a.example/token", False),
    ("http://a.example/authorize", "http://a.example/token", True),
    ("https://a.example/authorize", "http://a.example/token", True),
]


@pytest.mark.parametrize(("authorization_url", "token_url", "is_shown"), IN_CLEAR)
def test_nobody_is_sent_in_clear_to_sign_in_where_tokens_are_not_given_out_in_clear(
    authorization_url: str, token_url: str, is_shown: bool
) -> None:
    config = {"a": authorization_url, "t": token_url}
    settings = accepted({"authorizationURL": "{{ config.a }}", "tokenURL": "{{ config.t }}"}, config)
    _, found = driven(METHOD.authorization_link(settings, credentials_of(settings), "xyz", CONTEXT))
    assert isinstance(found, ConsentAttempt) if is_shown else found == TokenRefused(message=link.IN_CLEAR)


def test_a_verifier_and_a_state_are_not_in_the_same_place() -> None:
    attempt = made(CODE)
    assert attempt.verifier is not None
    assert attempt.verifier not in attempt.url
    assert "s3cret-of-client" not in attempt.url


HONEST, OTHER = SERVER, "https://attacker.example"
ISS: list[tuple[dict[str, Any], bool | None, str | None, str]] = [
    # RFC 9207 section 2.4: (settings, promised in metadata, iss in the callback, what is said)
    (BY_ISSUER, True, HONEST, ""),
    (BY_ISSUER, True, None, link.NO_ISSUER),
    (BY_ISSUER, True, OTHER, link.OTHER_ISSUER),
    (BY_ISSUER, True, f"{HONEST}/", link.OTHER_ISSUER),
    (BY_ISSUER, False, HONEST, ""),
    (BY_ISSUER, False, None, ""),
    (BY_ISSUER, False, OTHER, link.OTHER_ISSUER),
    (BY_ISSUER, None, None, ""),
    ({**BY_ISSUER, "tokenURL": T}, True, None, link.NO_ISSUER),
    ({**BY_ISSUER, **CODE}, None, OTHER, link.OTHER_ISSUER),
    ({**BY_ISSUER, **CODE}, None, HONEST, ""),
    # Nobody has said who the issuer is.
    (CODE, None, OTHER, ""),
]


@pytest.mark.parametrize(("settings", "promised", "iss", "message"), ISS)
def test_an_answer_of_another_server_is_refused(
    settings: dict[str, Any], promised: bool | None, iss: str | None, message: str
) -> None:
    metadata = (
        []
        if CODE.items() <= settings.items()
        else [answer({**METADATA, "authorization_response_iss_parameter_supported": promised})]
    )
    attempt = made(settings, *metadata)
    asks = [] if message == link.OTHER_ISSUER else metadata
    asks = asks if message else [*asks, GOOD]
    requests, result = exchanged(settings, attempt, ConsentAnswer("xyz", code="c0de", iss=iss), *asks)
    if message:
        assert result == TokenRefused(message=message)
        assert not any(b"c0de" in (request.body or b"") for request in requests)
    else:
        assert isinstance(result, Tokens)


CONSENT_ERRORS: list[tuple[ConsentAnswer, TokenRefused]] = [
    (ConsentAnswer("xyz", error="access_denied"), TokenRefused("access_denied", ended=True)),
    (ConsentAnswer("xyz", error="invalid_scope"), TokenRefused("invalid_scope")),
    (ConsentAnswer("xyz", error="temporarily_unavailable"), TokenRefused("temporarily_unavailable")),
    (ConsentAnswer("xyz", error="<script>"), TokenRefused("")),
    (ConsentAnswer("xyz", error="a" * 65), TokenRefused("")),
    (ConsentAnswer("xyz", error="s3cret-of-client"), TokenRefused("")),
    (ConsentAnswer("xyz", error="access_denied", iss=OTHER), TokenRefused(message=link.OTHER_ISSUER)),
    (ConsentAnswer("xyz"), TokenRefused(message=link.NO_CODE)),
    (ConsentAnswer("xyz", code=""), TokenRefused(message=link.NO_CODE)),
]


@pytest.mark.parametrize(("brought", "expected"), CONSENT_ERRORS)
def test_a_browser_that_brings_no_code_is_understood(brought: ConsentAnswer, expected: TokenRefused) -> None:
    attempt = replace(made(CODE), issuer=SERVER)
    requests, result = exchanged(CODE, attempt, brought)
    assert requests == []
    assert result == expected


def test_a_code_is_not_sent_for_what_was_not_asked_for() -> None:
    attempt = made({**CODE, "scopes": ["read"]})
    requests, result = exchanged({**CODE, "scopes": ["write"]}, attempt, ConsentAnswer("xyz", code="c0de"))
    assert requests == []
    assert result == TokenRefused(message=link.OTHER_GRANT)


def test_the_exchange_repeats_the_redirect_uri_of_the_link() -> None:
    attempt = made(CODE, context=replace(CONTEXT, redirect_uri="https://before.example/cb"))
    (request,), tokens = exchanged(CODE, attempt, ConsentAnswer("xyz", code="c0de"), GOOD)
    assert form(request)["redirect_uri"] == "https://before.example/cb"
    assert isinstance(tokens, Tokens)
    assert tokens.grant == attempt.grant


# -- Devices ---------------------------------------------------------------------------------------

LATER = CONTEXT.now + timedelta(minutes=5)


def device_code(settings: dict[str, Any], **fields: Any) -> DeviceCode:
    grant = METHOD.token_rules(settings, Credentials(SECRET), CONTEXT).grant
    known = {"expires_at": LATER, "grant": grant, "token_url": "https://a.example/t"}
    return DeviceCode("dev-code", "ABCD", "https://a/b", **{**known, **fields})


POLLS: list[tuple[Any, int, Any]] = [
    ({"error": "authorization_pending"}, 400, DevicePending(5.0)),
    ({"error": "authorization_pending"}, 428, DevicePending(5.0)),
    ({"error": "authorization_pending", "interval": 5}, 200, DevicePending(5.0)),
    ({"error": "slow_down"}, 400, DevicePending(10.0)),
    ({"error": "slow_down", "interval": 30}, 200, DevicePending(30.0)),
    ({"error": "slow_down", "interval": 1}, 200, DevicePending(10.0)),
    ("busy", 503, DevicePending(10.0)),
    ({"error": "slow_down"}, 429, DevicePending(10.0)),
    ({"error": "expired_token"}, 400, TokenRefused("expired_token", ended=True)),
    ({"error": "access_denied"}, 400, TokenRefused("access_denied", ended=True)),
    ({"error": "access_denied"}, 403, TokenRefused("access_denied", ended=True)),
    ({"error": "access_denied"}, 401, TokenRefused("access_denied")),
    ({"error": "incorrect_device_code"}, 200, TokenRefused("incorrect_device_code", ended=True)),
    ({"error": "invalid_client"}, 401, TokenRefused("invalid_client")),
    ({"error": "dev-code"}, 400, TokenRefused("")),
    ({"access_token": "a\nb"}, 200, TokenRefused(message=UNSENDABLE)),
]


@pytest.mark.parametrize(("document", "status", "expected"), POLLS)
def test_polling_is_answered(document: Any, status: int, expected: Any) -> None:
    settings = accepted(DEVICE)
    steps = METHOD.poll_device(settings, credentials_of(settings), device_code(settings), CONTEXT)
    assert driven(steps, [answer(document, status)])[1] == expected


def test_a_device_code_that_is_over_or_for_something_else_is_not_sent() -> None:
    settings = accepted(DEVICE)
    for device, expected in (
        (device_code(settings, expires_at=CONTEXT.now), TokenRefused("expired_token", ended=True)),
        (device_code(settings, grant="other"), TokenRefused(message=link.OTHER_GRANT)),
    ):
        assert driven(METHOD.poll_device(settings, credentials_of(settings), device, CONTEXT)) == (
            [],
            expected,
        )


START: dict[str, Any] = {"device_code": "dev-code", "user_code": "AB", "verification_uri": "https://a/b"}
STARTS: list[tuple[Any, Callable[[Any], bool]]] = [
    (START, lambda found: found.expires_at == CONTEXT.now + timedelta(minutes=15) and found.interval == 5),
    ({**START, "expires_in": "1800", "interval": "7"}, lambda found: found.interval == 7),
    ({**START, "interval": 0}, lambda found: found.interval == 5),
    ({**START, "interval": 0.1}, lambda found: found.interval == 1),
    ({**START, "interval": 10**9}, lambda found: found.interval == 300),
    ({**START, "expires_in": 10**9}, lambda found: found.expires_at == CONTEXT.now + timedelta(days=1)),
    ({"device_code": "x", "user_code": "AB", "verification_url": "https://g/d"}, lambda found: found.verification_uri == "https://g/d"),
    ({**START, "verification_uri_complete": "https://a/b?c=dev-code"}, lambda found: found.verification_uri_complete is None),
    ({**START, "verification_uri_complete": "javascript:alert(1)"}, lambda found: found.verification_uri_complete is None),
    ({**START, "verification_uri_complete": "http://a/b?c"}, lambda found: found.verification_uri_complete is None),
    *(
        ({**START, **fault}, lambda found: found == TokenRefused(message=UNUSABLE))
        for fault in (
            {"device_code": ""}, {"device_code": None}, {"user_code": "a\nb"}, {"user_code": "a" * 65}, {"user_code": 5},
            {"verification_uri": "javascript:alert(1)"}, {"verification_uri": "https://u:p@a"}, {"verification_uri": None},
            {"verification_uri": "https://a/dev-code"}, {"verification_uri": "https://[a"},
            {"verification_uri": "http://a/b"},
        )
    ),
    ({"error": "unauthorized_client"}, lambda found: found == TokenRefused("unauthorized_client")),
    ([], lambda found: found == TokenRefused(message=UNUSABLE)),
]  # fmt: skip


@pytest.mark.parametrize(("document", "holds"), STARTS)
def test_a_device_answer_is_read_or_refused(document: Any, holds: Callable[[Any], bool]) -> None:
    settings = accepted(DEVICE)
    _, found = driven(METHOD.start_device(settings, credentials_of(settings), CONTEXT), [answer(document)])
    assert holds(found), found


# -- Giving back -----------------------------------------------------------------------------------

REVOCATIONS: list[tuple[Any, int, Any]] = [
    ("", 200, None),
    ("", 204, None),
    ({"error": "invalid_token"}, 400, None),
    ({"error": "invalid_grant"}, 400, None),
    ({"error": "unsupported_token_type"}, 400, TokenRefused("unsupported_token_type")),
    ({"error": "invalid_client"}, 401, TokenRefused("invalid_client")),
    ("", 404, TokenRefused()),
    ("", 503, TokenRefused()),
]


@pytest.mark.parametrize(("document", "status", "expected"), REVOCATIONS)
def test_giving_back_is_answered(document: Any, status: int, expected: Any) -> None:
    settings = accepted({**CODE, "revocationURL": R})
    steps = METHOD.revoke(settings, credentials_of(settings), Tokens("t", CONTEXT.now, "g"), CONTEXT)
    assert driven(steps, [answer(document, status)])[1] == expected


def test_a_server_without_a_revocation_url_says_so() -> None:
    settings = accepted(BY_ISSUER)
    metadata = {name: value for name, value in METADATA.items() if name != "revocation_endpoint"}
    steps = METHOD.revoke(settings, credentials_of(settings), Tokens("t", CONTEXT.now, "g"), CONTEXT)
    result = driven(steps, [answer(metadata)])[1]
    assert isinstance(result, TokenRefused)
    assert "no usable revocation_endpoint" in result.message
