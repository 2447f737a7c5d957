"""What well-known systems want of `oauth2`, expressed as settings: none needs code of its own.

The facts are those of the catalogue's seed data. Each system's link and token request are compared as a whole, so that
a change of ours that any of them would notice is noticed here.
"""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from integration_hub.auth.oauth2.setup import authentication_of
from integration_hub.model.http import HttpRequest
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, Tokens
from support.auth import CONTEXT
from support.oauth2 import METHOD, RSA_KEY, accepted, answer, credentials_of, driven, query

CALLBACK = CONTEXT.redirect_uri
BASIC = "Basic aWQ6czNjcmV0LW9mLWNsaWVudA=="
POST = {"clientAuthentication": "client_secret_post"}
IN_BODY = {"client_id": "id", "client_secret": "s3cret-of-client"}


@dataclass(frozen=True)
class Consenting:
    """A system that a person consents at."""

    settings: dict[str, Any]
    authorize: str
    token: str
    link: dict[str, str] = field(default_factory=dict)
    """Parameters of the link beside response_type, client_id, redirect_uri, state and PKCE's."""
    request: dict[str, str] = field(default_factory=dict)
    """Parameters of the token request beside grant_type, code, redirect_uri, verifier and the client's proof."""
    pkce: bool = True
    config: dict[str, str] = field(default_factory=dict)
    header: tuple[str, str] = ("Authorization", "Bearer tok")
    answer: dict[str, Any] = field(default_factory=lambda: {"access_token": "tok"})


def urls(
    base: str, authorize: str = "/oauth/authorize", token: str = "/oauth/token", **more: Any
) -> dict[str, Any]:
    return {"authorizationURL": base + authorize, "tokenURL": base + token, **more}


CONSENTING: dict[str, Consenting] = {
    "salesforce": Consenting(
        urls("https://{{ config.hostname }}", "/services/oauth2/authorize", "/services/oauth2/token", **POST, scopes=["api", "refresh_token"], lifetime="2h"),
        "https://acme.my.salesforce.com/services/oauth2/authorize",
        "https://acme.my.salesforce.com/services/oauth2/token",
        {"scope": "api refresh_token"},
        config={"hostname": "acme.my.salesforce.com"},
    ),
    "stripe": Consenting(
        urls("https://connect.stripe.com", **POST, pkce="off", scopes=["read_write"]),
        "https://connect.stripe.com/oauth/authorize",
        "https://connect.stripe.com/oauth/token",
        {"scope": "read_write"},
        pkce=False,
    ),
    "slack, as the application": Consenting(
        urls("https://slack.com", "/oauth/v2/authorize", "/api/oauth.v2.access", pkce="off", scopeSeparator=",", scopes=["chat:write", "team:read"]),
        "https://slack.com/oauth/v2/authorize",
        "https://slack.com/api/oauth.v2.access",
        {"scope": "chat:write,team:read"},
        pkce=False,
        answer={"ok": True, "access_token": "tok", "token_type": "bot", "scope": "chat:write,team:read"},
    ),
    "slack, as the user": Consenting(
        urls(
            "https://slack.com", "/oauth/v2/authorize", "/api/oauth.v2.access", pkce="off", scopeSeparator=",", scopes=["search:read"], scopeParameter="user_scope",
            tokenAnswer={"accessToken": "authed_user.access_token", "refreshToken": "authed_user.refresh_token", "expiresIn": "authed_user.expires_in", "scope": "authed_user.scope"},
        ),
        "https://slack.com/oauth/v2/authorize",
        "https://slack.com/api/oauth.v2.access",
        {"user_scope": "search:read"},
        pkce=False,
        answer={"ok": True, "authed_user": {"access_token": "tok", "scope": "search:read"}},
    ),
    "github": Consenting(
        urls("https://github.com", "/login/oauth/authorize", "/login/oauth/access_token", **POST, scopes=["read:user"]),
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        {"scope": "read:user"},
    ),
    "gitlab": Consenting(
        urls("https://{{ config.hostname }}", **POST, scopes=["read_user"], refresh={"redirectURI": True}),
        "https://gitlab.com/oauth/authorize",
        "https://gitlab.com/oauth/token",
        {"scope": "read_user"},
        config={"hostname": "gitlab.com"},
    ),
    "hubspot": Consenting(
        {
            "authorizationURL": "https://app.hubspot.com/oauth/authorize",
            "tokenURL": "https://api.hubapi.com/oauth/2026-03/token",
            "revocationURL": "https://api.hubapi.com/oauth/2026-03/token/revoke",
            **POST,
            "scopes": ["oauth"],
            "authorizationParameters": {"optional_scope": "crm.objects.contacts.read"},
            "refresh": {"reuse": "reusable"},
        },
        "https://app.hubspot.com/oauth/authorize",
        "https://api.hubapi.com/oauth/2026-03/token",
        {"scope": "oauth", "optional_scope": "crm.objects.contacts.read"},
    ),
    "zendesk": Consenting(
        urls("https://{{ config.subdomain }}.zendesk.com", "/oauth/authorizations/new", "/oauth/tokens", **POST, scopes=["read"], tokenParameters={"expires_in": "3600", "refresh_token_expires_in": "7776000"}),
        "https://acme.zendesk.com/oauth/authorizations/new",
        "https://acme.zendesk.com/oauth/tokens",
        {"scope": "read"},
        {"expires_in": "3600", "refresh_token_expires_in": "7776000"},
        config={"subdomain": "acme"},
    ),
    "jira": Consenting(
        urls("https://auth.atlassian.com", "/authorize", **POST, scopes=["read:jira-user", "offline_access"], authorizationParameters={"audience": "api.atlassian.com", "prompt": "consent"}, tokenRequestEncoding="json"),
        "https://auth.atlassian.com/authorize",
        "https://auth.atlassian.com/oauth/token",
        {"scope": "read:jira-user offline_access", "audience": "api.atlassian.com", "prompt": "consent"},
    ),
    "google": Consenting(
        {
            "authorizationURL": "https://accounts.google.com/o/oauth2/v2/auth",
            "tokenURL": "https://oauth2.googleapis.com/token",
            "revocationURL": "https://oauth2.googleapis.com/revoke",
            **POST,
            "scopes": ["https://www.googleapis.com/auth/drive.file"],
            "authorizationParameters": {"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"},
            "refresh": {"reuse": "reusable"},
        },
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        {"scope": "https://www.googleapis.com/auth/drive.file", "access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"},
    ),
    "microsoft": Consenting(
        urls("https://login.microsoftonline.com/{{ config.tenant }}", "/oauth2/v2.0/authorize", "/oauth2/v2.0/token", **POST, scopes=["User.Read", "offline_access"]),
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        {"scope": "User.Read offline_access"},
        config={"tenant": "common"},
    ),
    "shopify": Consenting(
        urls("https://{{ config.shop }}.myshopify.com/admin", "/oauth/authorize", "/oauth/access_token", **POST, pkce="off", scopeSeparator=",", scopes=["read_products", "read_orders"], tokenParameters={"expiring": "1"}, tokenIn={"header": "X-Shopify-Access-Token"}),
        "https://acme.myshopify.com/admin/oauth/authorize",
        "https://acme.myshopify.com/admin/oauth/access_token",
        {"scope": "read_products,read_orders"},
        {"expiring": "1"},
        pkce=False,
        config={"shop": "acme"},
        header=("X-Shopify-Access-Token", "tok"),
    ),
    "notion": Consenting(
        urls("https://api.notion.com/v1", tokenRequestEncoding="json", pkce="off", authorizationParameters={"owner": "user"}),
        "https://api.notion.com/v1/oauth/authorize",
        "https://api.notion.com/v1/oauth/token",
        {"owner": "user"},
        pkce=False,
    ),
    "airtable": Consenting(
        urls("https://airtable.com/oauth2/v1", "/authorize", "/token", scopes=["data.records:read", "schema.bases:read"], refresh={"reuse": "strict"}),
        "https://airtable.com/oauth2/v1/authorize",
        "https://airtable.com/oauth2/v1/token",
        {"scope": "data.records:read schema.bases:read"},
    ),
    "asana": Consenting(
        urls("https://app.asana.com/-", "/oauth_authorize", "/oauth_token", revocationURL="https://app.asana.com/-/oauth_revoke", **POST, scopes=["default"]),
        "https://app.asana.com/-/oauth_authorize",
        "https://app.asana.com/-/oauth_token",
        {"scope": "default"},
    ),
    "linear": Consenting(
        {"authorizationURL": "https://linear.app/oauth/authorize", "tokenURL": "https://api.linear.app/oauth/token", "revocationURL": "https://api.linear.app/oauth/revoke", **POST, "scopeSeparator": ",", "scopes": ["read", "write"], "authorizationParameters": {"actor": "app"}},
        "https://linear.app/oauth/authorize",
        "https://api.linear.app/oauth/token",
        {"scope": "read,write", "actor": "app"},
    ),
    "intercom": Consenting(
        {"authorizationURL": "https://{{ config.appHost }}/oauth", "tokenURL": "https://{{ config.apiHost }}/auth/eagle/token", **POST, "pkce": "off"},
        "https://app.eu.intercom.com/oauth",
        "https://api.eu.intercom.io/auth/eagle/token",
        pkce=False,
        config={"appHost": "app.eu.intercom.com", "apiHost": "api.eu.intercom.io"},
    ),
    "zoom": Consenting(
        urls("https://zoom.us", revocationURL="https://zoom.us/oauth/revoke"),
        "https://zoom.us/oauth/authorize",
        "https://zoom.us/oauth/token",
    ),
    "dropbox": Consenting(
        {"authorizationURL": "https://www.dropbox.com/oauth2/authorize", "tokenURL": "https://api.dropboxapi.com/oauth2/token", "scopes": ["account_info.read"], "authorizationParameters": {"token_access_type": "offline"}},
        "https://www.dropbox.com/oauth2/authorize",
        "https://api.dropboxapi.com/oauth2/token",
        {"scope": "account_info.read", "token_access_type": "offline"},
    ),
    "box": Consenting(
        {"authorizationURL": "https://account.box.com/api/oauth2/authorize", "tokenURL": "https://api.box.com/oauth2/token", "revocationURL": "https://api.box.com/oauth2/revoke", **POST, "pkce": "supported", "refresh": {"reuse": "strict"}},
        "https://account.box.com/api/oauth2/authorize",
        "https://api.box.com/oauth2/token",
    ),
    "quickbooks": Consenting(
        {"authorizationURL": "https://appcenter.intuit.com/connect/oauth2", "tokenURL": "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer", "revocationURL": "https://developer.api.intuit.com/v2/oauth2/tokens/revoke", "pkce": "off", "scopes": ["com.intuit.quickbooks.accounting"]},
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        {"scope": "com.intuit.quickbooks.accounting"},
        pkce=False,
    ),
    "xero": Consenting(
        {"authorizationURL": "https://login.xero.com/identity/connect/authorize", "tokenURL": "https://identity.xero.com/connect/token", "scopes": ["openid", "offline_access"]},
        "https://login.xero.com/identity/connect/authorize",
        "https://identity.xero.com/connect/token",
        {"scope": "openid offline_access"},
    ),
    "mailchimp": Consenting(
        urls("https://login.mailchimp.com/oauth2", "/authorize", "/token", **POST, pkce="off", tokenIn={"prefix": "OAuth"}),
        "https://login.mailchimp.com/oauth2/authorize",
        "https://login.mailchimp.com/oauth2/token",
        pkce=False,
        header=("Authorization", "OAuth tok"),
        answer={"access_token": "tok", "expires_in": 0, "scope": None},
    ),
    "pagerduty": Consenting(
        urls("https://identity.pagerduty.com", **POST, scopes=["users.read", "openid"]),
        "https://identity.pagerduty.com/oauth/authorize",
        "https://identity.pagerduty.com/oauth/token",
        {"scope": "users.read openid"},
    ),
    "snowflake": Consenting(
        urls("https://{{ config.account }}.snowflakecomputing.com", "/oauth/authorize", "/oauth/token-request", scopes=["refresh_token", "session:role:{{ config.role }}"]),
        "https://myorg-myaccount.snowflakecomputing.com/oauth/authorize",
        "https://myorg-myaccount.snowflakecomputing.com/oauth/token-request",
        {"scope": "refresh_token session:role:READER"},
        config={"account": "myorg-myaccount", "role": "READER"},
    ),
    "servicenow": Consenting(
        urls("https://{{ config.instance }}.service-now.com", "/oauth_auth.do", "/oauth_token.do", **POST, pkce="off", scopes=["useraccount"]),
        "https://acme.service-now.com/oauth_auth.do",
        "https://acme.service-now.com/oauth_token.do",
        {"scope": "useraccount"},
        pkce=False,
        config={"instance": "acme"},
    ),
    "okta": Consenting(
        urls("https://{{ config.domain }}/oauth2/v1", "/authorize", "/token", revocationURL="https://{{ config.domain }}/oauth2/v1/revoke", scopes=["openid", "offline_access"]),
        "https://acme.okta.com/oauth2/v1/authorize",
        "https://acme.okta.com/oauth2/v1/token",
        {"scope": "openid offline_access"},
        config={"domain": "acme.okta.com"},
    ),
}  # fmt: skip


def sent_parameters(request: HttpRequest) -> dict[str, Any]:
    body = (request.body or b"").decode()
    if request.headers["Content-Type"] == "application/json":
        document: dict[str, Any] = json.loads(body)
        return document
    return dict(parse_qsl(body, strict_parsing=True))


@pytest.mark.parametrize("name", CONSENTING)
def test_a_system_that_a_person_consents_at(name: str) -> None:
    system = CONSENTING[name]
    settings = accepted(system.settings, system.config)
    credentials = credentials_of(settings)
    _, attempt = driven(METHOD.authorization_link(settings, credentials, "xyz", CONTEXT))
    assert isinstance(attempt, ConsentAttempt)
    address, _, _ = attempt.url.partition("?")
    parameters = query(attempt.url)
    challenge = (parameters.pop("code_challenge", None), parameters.pop("code_challenge_method", None))
    assert address == system.authorize
    assert parameters == {
        "response_type": "code",
        "client_id": "id",
        "redirect_uri": CALLBACK,
        "state": "xyz",
        **system.link,
    }
    assert (challenge[0] is not None, challenge[1]) == (system.pkce, "S256" if system.pkce else None)

    steps = METHOD.exchange(settings, credentials, attempt, ConsentAnswer("xyz", code="c0de"), CONTEXT)
    (request,), tokens = driven(steps, [answer(system.answer)])
    in_body = authentication_of(settings) == "client_secret_post"
    assert request.url == system.token
    assert request.headers.get("Authorization") == (None if in_body else BASIC)
    assert sent_parameters(request) == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": CALLBACK,
        **({"code_verifier": attempt.verifier} if system.pkce else {}),
        **(IN_BODY if in_body else {}),
        **system.request,
    }
    assert isinstance(tokens, Tokens)
    asked = HttpRequest("GET", "https://api.example.com/me")
    (test,) = METHOD.flow(settings, credentials.with_tokens(tokens), asked, CONTEXT)
    assert test.headers == dict([system.header])


@dataclass(frozen=True)
class ByItself:
    """A system that gives out tokens without a person."""

    settings: dict[str, Any]
    token: str
    request: dict[str, str]
    """All parameters, save an assertion."""
    config: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] | None = None
    """Of the assertion, save its times and id."""


CC: dict[str, Any] = {"grant": "clientCredentials"}
ASSERTED = "urn:ietf:params:oauth:grant-type:jwt-bearer"

BY_ITSELF: dict[str, ByItself] = {
    "salesforce, client credentials": ByItself(
        {**CC, **POST, "tokenURL": "https://{{ config.hostname }}/services/oauth2/token", "lifetime": "2h"},
        "https://acme.my.salesforce.com/services/oauth2/token",
        {"grant_type": "client_credentials", **IN_BODY},
        {"hostname": "acme.my.salesforce.com"},
    ),
    "salesforce, signed": ByItself(
        {"grant": "jwtBearer", "tokenURL": "https://{{ config.hostname }}/services/oauth2/token", "jwt": {"subject": "{{ config.user }}", "audience": "https://login.salesforce.com", "lifetime": "3m"}, "lifetime": "2h"},
        "https://acme.my.salesforce.com/services/oauth2/token",
        {"grant_type": ASSERTED},
        {"hostname": "acme.my.salesforce.com", "user": "jane@acme.example"},
        {"iss": "id", "sub": "jane@acme.example", "aud": "https://login.salesforce.com"},
    ),
    "google, a service account": ByItself(
        {"grant": "jwtBearer", "tokenURL": "https://oauth2.googleapis.com/token", "scopes": ["https://www.googleapis.com/auth/drive.readonly"], "jwt": {"issuer": "{{ config.clientEmail }}", "subject": "{{ config.user }}", "scopeClaim": "scope", "lifetime": "1h", "keyId": "{{ config.keyId }}"}},
        "https://oauth2.googleapis.com/token",
        {"grant_type": ASSERTED},
        {"clientEmail": "bot@project.iam.gserviceaccount.com", "user": "jane@acme.example", "keyId": "k1"},
        {"iss": "bot@project.iam.gserviceaccount.com", "sub": "jane@acme.example", "aud": "https://oauth2.googleapis.com/token", "scope": "https://www.googleapis.com/auth/drive.readonly"},
    ),
    "zendesk": ByItself(
        {**CC, **POST, "tokenURL": "https://{{ config.subdomain }}.zendesk.com/oauth/tokens", "scopes": ["read"], "tokenParameters": {"expires_in": "3600"}},
        "https://acme.zendesk.com/oauth/tokens",
        {"grant_type": "client_credentials", "scope": "read", "expires_in": "3600", **IN_BODY},
        {"subdomain": "acme"},
    ),
    "microsoft, a secret": ByItself(
        {**CC, **POST, "tokenURL": "https://login.microsoftonline.com/{{ config.tenant }}/oauth2/v2.0/token", "scopes": ["https://graph.microsoft.com/.default"]},
        "https://login.microsoftonline.com/t1/oauth2/v2.0/token",
        {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", **IN_BODY},
        {"tenant": "t1"},
    ),
    "microsoft, a certificate": ByItself(
        {**CC, "clientAuthentication": "private_key_jwt", "tokenURL": "https://login.microsoftonline.com/{{ config.tenant }}/oauth2/v2.0/token", "scopes": ["https://graph.microsoft.com/.default"], "jwt": {"algorithm": "PS256", "certificateThumbprint": "{{ config.thumbprint }}"}},
        "https://login.microsoftonline.com/t1/oauth2/v2.0/token",
        {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default", "client_id": "id", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
        {"tenant": "t1", "thumbprint": "A" * 43},
        {"iss": "id", "sub": "id", "aud": "https://login.microsoftonline.com/t1/oauth2/v2.0/token"},
    ),
    "shopify": ByItself(
        {**CC, **POST, "tokenURL": "https://{{ config.shop }}.myshopify.com/admin/oauth/access_token", "tokenIn": {"header": "X-Shopify-Access-Token"}},
        "https://acme.myshopify.com/admin/oauth/access_token",
        {"grant_type": "client_credentials", **IN_BODY},
        {"shop": "acme"},
    ),
    "linear": ByItself(
        {**CC, "tokenURL": "https://api.linear.app/oauth/token", "scopeSeparator": ",", "scopes": ["read", "write"]},
        "https://api.linear.app/oauth/token",
        {"grant_type": "client_credentials", "scope": "read,write"},
    ),
    "zoom, server to server": ByItself(
        {**CC, "tokenURL": "https://zoom.us/oauth/token", "tokenParameters": {"grant_type": "account_credentials", "account_id": "{{ config.accountId }}"}},
        "https://zoom.us/oauth/token",
        {"grant_type": "account_credentials", "account_id": "acc1"},
        {"accountId": "acc1"},
    ),
    "box, client credentials": ByItself(
        {**CC, **POST, "tokenURL": "https://api.box.com/oauth2/token", "tokenParameters": {"box_subject_type": "enterprise", "box_subject_id": "{{ config.enterprise }}"}},
        "https://api.box.com/oauth2/token",
        {"grant_type": "client_credentials", "box_subject_type": "enterprise", "box_subject_id": "42", **IN_BODY},
        {"enterprise": "42"},
    ),
    "box, signed": ByItself(
        {"grant": "jwtBearer", **POST, "tokenURL": "https://api.box.com/oauth2/token", "jwt": {"algorithm": "RS512", "subject": "{{ config.enterprise }}", "claims": {"box_sub_type": "enterprise"}, "keyId": "k1", "lifetime": "45s"}},
        "https://api.box.com/oauth2/token",
        {"grant_type": ASSERTED, **IN_BODY},
        {"enterprise": "42"},
        {"iss": "id", "sub": "42", "aud": "https://api.box.com/oauth2/token", "box_sub_type": "enterprise"},
    ),
    "xero": ByItself(
        {**CC, "tokenURL": "https://identity.xero.com/connect/token", "scopes": ["accounting.settings.read"]},
        "https://identity.xero.com/connect/token",
        {"grant_type": "client_credentials", "scope": "accounting.settings.read"},
    ),
    "pagerduty": ByItself(
        {**CC, **POST, "tokenURL": "https://identity.pagerduty.com/oauth/token", "scopes": ["as_account-{{ config.region }}.{{ config.subdomain }}", "users.read"]},
        "https://identity.pagerduty.com/oauth/token",
        {"grant_type": "client_credentials", "scope": "as_account-eu.acme users.read", **IN_BODY},
        {"region": "eu", "subdomain": "acme"},
    ),
    "servicenow, client credentials": ByItself(
        {**CC, **POST, "tokenURL": "https://{{ config.instance }}.service-now.com/oauth_token.do"},
        "https://acme.service-now.com/oauth_token.do",
        {"grant_type": "client_credentials", **IN_BODY},
        {"instance": "acme"},
    ),
    "servicenow, signed": ByItself(
        {"grant": "jwtBearer", **POST, "tokenURL": "https://{{ config.instance }}.service-now.com/oauth_token.do", "jwt": {"subject": "{{ config.user }}", "audience": "id-of-the-provider", "keyId": "k1"}},
        "https://acme.service-now.com/oauth_token.do",
        {"grant_type": ASSERTED, **IN_BODY},
        {"instance": "acme", "user": "jane"},
        {"iss": "id", "sub": "jane", "aud": "id-of-the-provider"},
    ),
    "okta": ByItself(
        {**CC, "clientAuthentication": "private_key_jwt", "tokenURL": "https://{{ config.domain }}/oauth2/v1/token", "scopes": ["okta.users.read"], "jwt": {"keyId": "k1"}},
        "https://acme.okta.com/oauth2/v1/token",
        {"grant_type": "client_credentials", "scope": "okta.users.read", "client_id": "id", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
        {"domain": "acme.okta.com"},
        {"iss": "id", "sub": "id", "aud": "https://acme.okta.com/oauth2/v1/token"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_ITSELF)
def test_a_system_that_asks_nobody(name: str) -> None:
    system = BY_ITSELF[name]
    settings = accepted(system.settings, system.config)
    (request,), tokens = driven(
        METHOD.obtain(settings, credentials_of(settings), CONTEXT), [answer({"access_token": "tok"})]
    )
    assert isinstance(tokens, Tokens)
    assert request.url == system.token
    parameters = sent_parameters(request)
    signed = parameters.pop("assertion", None) or parameters.pop("client_assertion", None)
    assert parameters == system.request
    expects_basic = authentication_of(settings) == "client_secret_basic"
    assert request.headers.get("Authorization") == (BASIC if expects_basic else None)
    assert (signed is not None) is (system.claims is not None)
    if signed is not None:
        algorithm = settings["jwt"].get("algorithm", "RS256")
        decoded = jwt.decode(signed, RSAKey.import_key(RSA_KEY.public_key()), algorithms=[algorithm])
        claims = {name: value for name, value in decoded.claims.items() if name not in {"iat", "exp", "jti"}}
        assert claims == system.claims
        assert decoded.header.get("kid") == ("k1" if "keyId" in settings["jwt"] else None)


def test_snowflake_takes_the_signed_token_itself() -> None:
    settings = accepted(
        {
            "grant": "signedJWT",
            "jwt": {
                "issuer": "{{ config.account }}.{{ config.user }}.SHA256:{{ config.fingerprint }}",
                "subject": "{{ config.account }}.{{ config.user }}",
                "lifetime": "59m",
            },
        },
        {"account": "MYORG-MYACCOUNT", "user": "JANE", "fingerprint": "abc="},
    )
    requests, tokens = driven(METHOD.obtain(settings, credentials_of(settings), CONTEXT))
    assert requests == []
    assert isinstance(tokens, Tokens)
    claims = jwt.decode(
        tokens.access_token, RSAKey.import_key(RSA_KEY.public_key()), algorithms=["RS256"]
    ).claims
    assert claims["iss"] == "MYORG-MYACCOUNT.JANE.SHA256:abc="
    assert claims["sub"] == "MYORG-MYACCOUNT.JANE"


def test_gitlab_is_asked_with_the_redirect_uri_again_and_slack_where_it_was_asked_first() -> None:
    held = Tokens("t", CONTEXT.now, "g", refresh_token="r")
    for name, more in (("gitlab", {"redirect_uri": CALLBACK, **IN_BODY}), ("slack, as the user", {})):
        settings = accepted(CONSENTING[name].settings, CONSENTING[name].config)
        (request,), _ = driven(
            METHOD.refresh(settings, credentials_of(settings), held, CONTEXT), [answer({"access_token": "t"})]
        )
        assert request.url == CONSENTING[name].token
        assert sent_parameters(request) == {"grant_type": "refresh_token", "refresh_token": "r", **more}
