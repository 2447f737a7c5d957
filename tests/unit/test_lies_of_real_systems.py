"""Answers of real systems whose status alone misleads, and what a definition must say of each: often nothing.

The answers are as the systems document them. What is tested is that a definition can express it all; each system's own
definition is tested where it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from integration_hub.auth.flow import Credentials
from integration_hub.model.http import HttpResponse, Outcome
from integration_hub.model.reasons import Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.reconcile.definition import check_definition
from support.builders import NOW, definition, plan

Raw = dict[str, Any]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Lie(NamedTuple):
    """An answer, and what it really means."""

    what: str
    reason: Reason
    status: int
    body: object = ""
    headers: Mapping[str, str] = NOTHING
    test: Mapping[str, Any] = NOTHING
    """What the definition's test must say for that; nothing where the answer is understood without."""


def when(rule: str, reason: Reason) -> Raw:
    return {"failures": [{"when": rule, "reason": str(reason)}]}


def asserts(rule: str) -> Raw:
    return {"expect": {"assertions": [{"rule": rule}]}}


R = Reason
CODE_OF_GOOGLE = "response.json.error.details.exists(d, has(d.reason) && d.reason == 'SERVICE_DISABLED')"
CODE_OF_LINEAR = "response.json.errors.exists(e, e.extensions.code == 'RATELIMITED')"
FAULT_OF_INTUIT = {"fault": {"error": [{"code": "3200"}], "type": "AUTHENTICATION"}}
HTML = {"content-type": "text/html; charset=utf-8"}

LIES: tuple[Lie, ...] = (
    Lie(
        "Salesforce: a session that has ended",
        R.CREDENTIALS_REJECTED,
        401,
        [{"errorCode": "INVALID_SESSION_ID"}],
    ),
    Lie("Salesforce: 403 is a quota", R.QUOTA_EXCEEDED, 403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]),
    Lie(
        "Salesforce: userinfo has 403 for a bad token, as text",
        R.CREDENTIALS_REJECTED,
        403,
        "Bad_OAuth_Token",
        test=when("response.status == 403 && response.text == 'Bad_OAuth_Token'", R.CREDENTIALS_REJECTED),
    ),
    Lie("Stripe: a restricted key", R.PERMISSION_DENIED, 403, {"error": {"type": "invalid_request_error"}}),
    Lie("Slack: 200 and a bad token", R.CREDENTIALS_REJECTED, 200, {"ok": False, "error": "invalid_auth"}),
    Lie(
        "Slack: 200 and a revoked token", R.CREDENTIALS_EXPIRED, 200, {"ok": False, "error": "token_revoked"}
    ),
    Lie(
        "Slack: 200 and a disabled account", R.ACCOUNT_LOCKED, 200, {"ok": False, "error": "account_inactive"}
    ),
    Lie(
        "Slack, GitHub: scopes are in a header",
        R.INSUFFICIENT_SCOPE,
        200,
        {"ok": True},
        {"x-oauth-scopes": "identify,chat:write, team:read"},
        when('!response.headers["x-oauth-scopes"].matches("(^|,) *users:read *(,|$)")', R.INSUFFICIENT_SCOPE),
    ),
    Lie(
        "GitHub: 403 is the rate limit",
        R.QUOTA_EXCEEDED,
        403,
        {"message": "API rate limit exceeded for user ID 1."},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"},
    ),
    Lie(
        "GitHub: the rate limit, when nobody says until when",
        R.QUOTA_EXCEEDED,
        403,
        {"message": "Forbidden"},
        {"x-ratelimit-remaining": "0"},
        when('response.headers["x-ratelimit-remaining"] == "0"', R.QUOTA_EXCEEDED),
    ),
    Lie(
        "GitHub: an organisation that wants SAML",
        R.PERMISSION_DENIED,
        403,
        {"message": "Resource protected by organization SAML enforcement."},
        {"x-github-sso": "required; url=https://github.com/orgs/acme/sso"},
        when('"x-github-sso" in response.headers', R.PERMISSION_DENIED),
    ),
    Lie("GitLab: a scope is missing", R.INSUFFICIENT_SCOPE, 403, {"error": "insufficient_scope"}),
    Lie(
        "GitLab: a proxy's page to sign in, with 200",
        R.LOGIN_PAGE,
        200,
        '<!doctype html><form><input type="password"></form>',
        HTML,
        {"identity": "response.json.username"},
    ),
    Lie(
        "HubSpot: a token that has ended",
        R.CREDENTIALS_EXPIRED,
        401,
        {"category": "EXPIRED_AUTHENTICATION"},
    ),
    Lie("HubSpot: a bad token", R.CREDENTIALS_REJECTED, 400, {"category": "INVALID_AUTHENTICATION"}),
    Lie(
        "HubSpot: a scope is missing",
        R.INSUFFICIENT_SCOPE,
        403,
        {"category": "MISSING_SCOPES"},
    ),
    Lie(
        "Zendesk: 200 and nobody",
        R.CREDENTIALS_REJECTED,
        200,
        {"user": {"id": None, "name": "Anonymous user"}},
        test=when("response.status == 200 && response.json.user.id == null", R.CREDENTIALS_REJECTED),
    ),
    Lie(
        "Jira: 200 and nobody",
        R.CREDENTIALS_REJECTED,
        200,
        [],
        {"x-seraph-loginreason": "AUTHENTICATED_FAILED"},
        when(
            'response.headers["x-seraph-loginreason"].contains("AUTHENTICATED_FAILED")',
            R.CREDENTIALS_REJECTED,
        ),
    ),
    Lie(
        "Google: the API is off in the project",
        R.PERMISSION_DENIED,
        403,
        {
            "error": {
                "status": "PERMISSION_DENIED",
                "details": [{"@type": "x"}, {"reason": "SERVICE_DISABLED"}],
            }
        },
        test=when(CODE_OF_GOOGLE, R.PERMISSION_DENIED),
    ),
    Lie(
        "Google: a scope was unticked",
        R.INSUFFICIENT_SCOPE,
        403,
        {
            "error": {
                "status": "PERMISSION_DENIED",
                "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}],
            }
        },
    ),
    Lie(
        "Microsoft Graph: a bad token",
        R.CREDENTIALS_REJECTED,
        401,
        {"error": {"code": "InvalidAuthenticationToken"}},
    ),
    Lie(
        "Shopify: GraphQL has 200 for everything",
        R.GRAPHQL_ERRORS,
        200,
        {"errors": [{"message": "Field 'shopp' doesn't exist"}]},
        test={"identity": "response.json.data.shop.name"},
    ),
    Lie("Shopify: a frozen shop", R.PAYMENT_REQUIRED, 402, {"errors": "Unavailable Shop"}),
    Lie("Shopify: a locked shop", R.ACCOUNT_LOCKED, 423, {"errors": "Locked"}),
    Lie(
        "Twilio: 200 and suspended",
        R.ACCOUNT_LOCKED,
        200,
        {"status": "suspended"},
        test=when("response.status == 200 && response.json.status != 'active'", R.ACCOUNT_LOCKED),
    ),
    Lie(
        "SendGrid: a key without the scope",
        R.INSUFFICIENT_SCOPE,
        200,
        {"scopes": ["alerts.read"]},
        test=when("response.status == 200 && !('mail.send' in response.json.scopes)", R.INSUFFICIENT_SCOPE),
    ),
    Lie(
        "Linear: the rate limit, with 400",
        R.QUOTA_EXCEEDED,
        400,
        {"errors": [{"extensions": {"code": "RATELIMITED"}}]},
    ),
    Lie(
        "Linear: the same, as the definition's own words",
        R.QUOTA_EXCEEDED,
        400,
        {"errors": [{"extensions": {"code": "RATELIMITED"}}]},
        test=when(CODE_OF_LINEAR, R.QUOTA_EXCEEDED),
    ),
    Lie(
        "Intercom: another region knows no such token",
        R.WRONG_REGION,
        401,
        {"errors": [{"code": "token_not_found"}]},
        test=when("response.json.errors[0].code == 'token_not_found'", R.WRONG_REGION),
    ),
    Lie("Zoom: a bad token", R.CREDENTIALS_REJECTED, 401, {"code": 124, "message": "Invalid access token."}),
    Lie(
        "Zoom: a scope is missing, with 400",
        R.INSUFFICIENT_SCOPE,
        400,
        {"code": 4711, "message": "Invalid access token, does not contain scopes."},
        test=when("response.json.code == 4711", R.INSUFFICIENT_SCOPE),
    ),
    Lie(
        "Dropbox: a token that has ended",
        R.CREDENTIALS_EXPIRED,
        401,
        {"error_summary": "expired_access_token/..", "error": {".tag": "expired_access_token"}},
    ),
    Lie(
        "Dropbox: 400 in plain text",
        R.REQUEST_INVALID,
        400,
        'Error in call to API function "users/get_current_account": request body: could not decode input as JSON',
        {"content-type": "text/plain; charset=utf-8"},
    ),
    Lie(
        "Box: an error in a header alone",
        R.CREDENTIALS_REJECTED,
        401,
        "",
        {"www-authenticate": 'Bearer realm="Service", error="invalid_token"'},
    ),
    Lie(
        "Box: the same, as the definition's own words",
        R.CREDENTIALS_EXPIRED,
        401,
        "",
        {
            "www-authenticate": 'Bearer error="invalid_token", error_description="The access token has expired"'
        },
        when(
            'response.headers["www-authenticate"].contains("error=\\"invalid_token\\"")',
            R.CREDENTIALS_EXPIRED,
        ),
    ),
    Lie("QuickBooks: a bad token", R.CREDENTIALS_REJECTED, 401, FAULT_OF_INTUIT),
    Lie(
        "QuickBooks: another company's",
        R.PERMISSION_DENIED,
        403,
        {"fault": {"error": [{"code": "3100"}]}},
        test=when("response.json.fault.error[0].code in ['3100', '003100']", R.PERMISSION_DENIED),
    ),
    Lie(
        "Xero: 200 and connected to nothing",
        R.OBJECT_NOT_FOUND,
        200,
        [],
        test=when("response.status == 200 && response.json.size() == 0", R.OBJECT_NOT_FOUND),
    ),
    Lie("Mailchimp: a bad key", R.CREDENTIALS_REJECTED, 401, {"title": "API Key Invalid", "status": 401}),
    Lie(
        "Snowflake: our address is not allowed",
        R.CLIENT_ADDRESS_BLOCKED,
        401,
        {"code": "390422", "message": "Incoming request with IP/Token 192.0.2.1 is not allowed."},
        test=when("response.json.code == '390422'", R.CLIENT_ADDRESS_BLOCKED),
    ),
    Lie(
        "ServiceNow: a sleeping instance, with 200",
        R.ANSWER_IS_HTML,
        200,
        "<html><body>Your instance is hibernating</body></html>",
        HTML,
        {"identity": "response.json.result[0].user_name"},
    ),
    Lie(
        "ServiceNow: a table that nobody may read",
        R.PERMISSION_DENIED,
        200,
        {"result": []},
        test=when("response.status == 200 && response.json.result.size() == 0", R.PERMISSION_DENIED),
    ),
    Lie(
        "Okta: a bad token",
        R.CREDENTIALS_REJECTED,
        401,
        {"errorCode": "E0000011", "errorSummary": "Invalid token provided"},
    ),
    Lie(
        "Okta: DPoP is wanted",
        R.AUTH_SCHEME_WRONG,
        400,
        {"error": "invalid_dpop_proof"},
        test=when("response.json.error in ['invalid_dpop_proof', 'use_dpop_nonce']", R.AUTH_SCHEME_WRONG),
    ),
    Lie("OpenAI: a bad key", R.CREDENTIALS_REJECTED, 401, {"error": {"code": "invalid_api_key"}}),
    Lie(
        "OpenAI: no credit",
        R.QUOTA_EXCEEDED,
        429,
        {"error": {"code": "insufficient_quota"}},
        test=when("response.json.error.code == 'insufficient_quota'", R.QUOTA_EXCEEDED),
    ),
    Lie(
        "S3: another secret", R.CREDENTIALS_REJECTED, 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"
    ),
    Lie("S3: temporary and over", R.CREDENTIALS_EXPIRED, 400, "<Error><Code>ExpiredToken</Code></Error>"),
    Lie("S3: no right", R.PERMISSION_DENIED, 403, "<Error><Code>AccessDenied</Code></Error>"),
    Lie("S3: our clock", R.CLOCK_SKEW, 403, "<Error><Code>RequestTimeTooSkewed</Code></Error>"),
    Lie(
        "S3: another region", R.WRONG_REGION, 400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>"
    ),
    Lie(
        "S3: a wrong host",
        R.WRONG_REGION,
        301,
        "<Error><Code>PermanentRedirect</Code></Error>",
        test=when("response.text.contains('<Code>PermanentRedirect</Code>')", R.WRONG_REGION),
    ),
)


def diagnosed(lie: Lie) -> Diagnosis:
    tests = [{"name": "t", "default": True, **lie.test}]
    assert check_definition(definition(tests=tests)).violations == ()
    body = lie.body.encode() if isinstance(lie.body, str) else json.dumps(lie.body).encode()
    outcome = Outcome(HttpResponse(lie.status, lie.headers, body), None, 0.1)
    return diagnose(plan(tests=tests), [outcome], now=NOW, credentials=Credentials({}))


@pytest.mark.parametrize("lie", LIES, ids=[lie.what for lie in LIES])
def test_is_told_by_its_reason(lie: Lie) -> None:
    assert diagnosed(lie).reason == lie.reason


@pytest.mark.parametrize(
    ("test", "status", "headers", "body"),
    [
        (lie.test, 200, {"x-oauth-scopes": "users:read", "content-type": "application/json"}, body)
        for lie in LIES
        if lie.test and lie.status == 200 and "identity" not in lie.test
        for body in [
            {"ok": True, "status": "active", "user": {"id": 1}, "scopes": ["mail.send"], "result": [1]}
        ]
    ],
)
def test_no_rule_makes_a_failure_of_a_good_answer(
    test: Raw, status: int, headers: Mapping[str, str], body: Raw
) -> None:
    assert diagnosed(Lie("good", R.CONNECTED, status, body, headers, test)).reason == R.CONNECTED
