"""From the outcomes of a test to what they mean. That each row is told of a real exchange: tests/integration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.flow import Credentials
from integration_hub.model import conditions as c
from integration_hub.model.http import (
    Certificate,
    ClientCertificate,
    Failure,
    FailureKind,
    HttpRequest,
    HttpResponse,
    Outcome,
    Transport,
)
from integration_hub.model.instance import Stage, TestResult, TestStatus
from integration_hub.model.reasons import COULD_NOT_TELL, REASONS, SELECTABLE, TOKEN_SELECTABLE, Reason
from integration_hub.model.testing import FailureRule
from integration_hub.probe.diagnose import Diagnosis, diagnose, spread, unknown
from integration_hub.probe.diagnosis_table import TABLE
from integration_hub.probe.plan import ProbePlan
from support.builders import CANARY, NOW, answered, failed, plan
from support.certificates import Authority

PLAN = plan()
HOST = "eu.acme.example"

FAILURES = {
    FailureKind.HOST_NOT_ALLOWED: (Reason.HOST_NOT_ALLOWED, "config"),
    FailureKind.SCHEME_NOT_ALLOWED: (Reason.PLAIN_HTTP_NOT_ALLOWED, "config"),
    FailureKind.ADDRESS_NOT_ALLOWED: (Reason.ADDRESS_NOT_ALLOWED, "dns"),
    FailureKind.TRUST_INVALID: (Reason.TRUST_INVALID, "config"),
    FailureKind.HOST_UNAVAILABLE: (Reason.HOST_UNAVAILABLE, "connect"),
    FailureKind.HOST_PAUSED: (Reason.WAITING_FOR_QUOTA, "connect"),
    FailureKind.HOST_NOT_FOUND: (Reason.HOST_NOT_FOUND, "dns"),
    FailureKind.DNS_TIMEOUT: (Reason.DNS_TIMEOUT, "dns"),
    FailureKind.DNS_FAILED: (Reason.DNS_FAILED, "dns"),
    FailureKind.CONNECTION_REFUSED: (Reason.CONNECTION_REFUSED, "connect"),
    FailureKind.UNREACHABLE: (Reason.HOST_UNREACHABLE, "connect"),
    FailureKind.CONNECT_TIMEOUT: (Reason.CONNECT_TIMEOUT, "connect"),
    FailureKind.TLS_UNTRUSTED: (Reason.TLS_UNTRUSTED, "tls"),
    FailureKind.TLS_INCOMPLETE_CHAIN: (Reason.TLS_INCOMPLETE_CHAIN, "tls"),
    FailureKind.TLS_SELF_SIGNED: (Reason.TLS_SELF_SIGNED, "tls"),
    FailureKind.TLS_HOST_MISMATCH: (Reason.TLS_HOST_MISMATCH, "tls"),
    FailureKind.TLS_EXPIRED: (Reason.TLS_EXPIRED, "tls"),
    FailureKind.TLS_NOT_YET_VALID: (Reason.TLS_NOT_YET_VALID, "tls"),
    FailureKind.TLS_TOO_OLD: (Reason.TLS_TOO_OLD, "tls"),
    FailureKind.TLS_CLIENT_CERTIFICATE: (Reason.CLIENT_CERTIFICATE_REQUIRED, "tls"),
    FailureKind.TLS_NOT_SPOKEN: (Reason.TLS_NOT_SPOKEN, "tls"),
    FailureKind.TLS_TIMEOUT: (Reason.TLS_TIMEOUT, "tls"),
    FailureKind.TLS_FAILED: (Reason.TLS_FAILED, "tls"),
    FailureKind.RESPONSE_TIMEOUT: (Reason.RESPONSE_TIMEOUT, "request"),
    FailureKind.CONNECTION_LOST: (Reason.CONNECTION_LOST, "request"),
    FailureKind.NOT_HTTP: (Reason.NOT_HTTP, "request"),
    FailureKind.RESPONSE_TRUNCATED: (Reason.RESPONSE_TRUNCATED, "request"),
    FailureKind.RESPONSE_TOO_LARGE: (Reason.RESPONSE_TOO_LARGE, "request"),
    FailureKind.ENCODING_INVALID: (Reason.ENCODING_INVALID, "request"),
    FailureKind.DECOMPRESSION_BOMB: (Reason.DECOMPRESSION_BOMB, "request"),
}

STATUSES = [
    (200, Reason.CONNECTED, "what the test expects"),
    (204, Reason.UNEXPECTED_STATUS, "success, but not the one that the test expects"),
    (301, Reason.REDIRECTED, "never followed"),
    (304, Reason.REDIRECTED, "any 3xx"),
    (400, Reason.REQUEST_INVALID, "says nothing of credentials"),
    (401, Reason.CREDENTIALS_REJECTED, "not accepted"),
    (402, Reason.PAYMENT_REQUIRED, "a bill is open"),
    (403, Reason.PERMISSION_DENIED, "accepted, not allowed"),
    (404, Reason.OBJECT_NOT_FOUND, "an API says so in JSON"),
    (405, Reason.METHOD_NOT_ALLOWED, "wrong method"),
    (406, Reason.MEDIA_TYPE_NOT_SUPPORTED, "wrong Accept"),
    (407, Reason.PROXY_AUTHENTICATION_REQUIRED, "a proxy speaks"),
    (408, Reason.REQUEST_TIMEOUT, "too slow for them"),
    (409, Reason.CONFLICT, "their state"),
    (410, Reason.ENDPOINT_RETIRED, "for good"),
    (413, Reason.REQUEST_TOO_LARGE, "body"),
    (414, Reason.REQUEST_TOO_LARGE, "URL"),
    (415, Reason.MEDIA_TYPE_NOT_SUPPORTED, "wrong Content-Type"),
    (418, Reason.UNEXPECTED_STATUS, "any other 4xx"),
    (421, Reason.WRONG_REGION, "another host's"),
    (422, Reason.REQUEST_INVALID, "a value of ours"),
    (423, Reason.ACCOUNT_LOCKED, "locked"),
    (426, Reason.UPGRADE_REQUIRED, "another protocol"),
    (429, Reason.TOO_MANY_REQUESTS, "fewer requests, please"),
    (431, Reason.REQUEST_TOO_LARGE, "headers"),
    (451, Reason.LEGALLY_BLOCKED, "the law"),
    (500, Reason.SERVER_ERROR, "their fault"),
    (502, Reason.GATEWAY_ERROR, "their gateway"),
    (503, Reason.SERVICE_UNAVAILABLE, "down"),
    (504, Reason.GATEWAY_ERROR, "their gateway"),
    (511, Reason.CAPTIVE_PAGE, "the network speaks"),
    (599, Reason.SERVER_ERROR, "a status that no RFC knows"),
    (103, Reason.UNEXPECTED_STATUS, "an answer that is none"),
]


def tell(
    *outcomes: Outcome,
    of: ProbePlan = PLAN,
    credentials: Credentials | None = None,
    sent: HttpRequest | None = None,
) -> Diagnosis:
    return diagnose(of, outcomes, now=NOW, credentials=credentials or Credentials({}), sent=sent)


def planned(**test: Any) -> ProbePlan:
    return plan(tests=[{"name": "t", "default": True} | test])


def raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Outcome:
    return Outcome(HttpResponse(status, headers or {}, body), None, seconds=0.25)


def token(outcome: Outcome) -> Outcome:
    return replace(outcome, purpose="token")


def letters(diagnosis: Diagnosis) -> tuple[str, ...]:
    """The status of Reachable, Authenticated and Healthy, in one letter each."""
    found = spread(diagnosis.result, diagnosis.reason, diagnosis.message)
    assert [x.type for x in found] == [c.REACHABLE, c.AUTHENTICATED, c.HEALTHY]
    return tuple(x.status[0] for x in found)


def ended_at(diagnosis: Diagnosis) -> Stage:
    return diagnosis.stages[-1]


class TestWithoutAnAnswer:
    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_every_failure_has_its_reason_and_stage(self, kind: FailureKind) -> None:
        diagnosis = tell(failed(kind, "some evidence"))
        reason, stage = FAILURES[kind]
        assert (diagnosis.reason, ended_at(diagnosis).name) == (reason, stage)
        assert diagnosis.result == ("Unknown" if reason in COULD_NOT_TELL else "Failure")
        assert ended_at(diagnosis).result == ("Unknown" if reason in COULD_NOT_TELL else "Failed")
        assert f"{HOST}:443" in diagnosis.message
        assert ended_at(diagnosis).evidence["fault"] == "some evidence"
        assert diagnosis.identity is None

    @pytest.mark.parametrize("kind", list(FailureKind))
    def test_without_detail_it_still_reads_as_a_sentence(self, kind: FailureKind) -> None:
        message = tell(failed(kind)).message
        assert message.endswith(".")
        assert ": ." not in message
        assert "{" not in message

    def test_at_a_token_url_it_says_so(self) -> None:
        diagnosis = tell(token(failed(FailureKind.CONNECTION_REFUSED)))
        assert diagnosis.message == f"{HOST}:443 refused the connection (while asking for a token)."
        assert ended_at(diagnosis).name == "token"
        assert ended_at(diagnosis).evidence["host"] == f"{HOST}:443"

    def test_one_that_was_not_tried_says_when_it_may_be(self) -> None:
        failure = Failure(FailureKind.HOST_PAUSED, "h:443", "for 30 seconds", again_in=30.0)
        assert tell(Outcome(None, failure, 0.0)).again_in == 30.0

    def test_the_table_covers_what_there_is(self) -> None:
        assert set(FAILURES) == set(FailureKind)


def shown_by_us() -> HttpRequest:
    pair = Authority("Test Authority").issue("hub", end=timedelta(days=1), for_server=False)
    return replace(PLAN.request, client_certificate=ClientCertificate(pair.chain, pair.key))


class TestWithACertificateOfOurs:
    REFUSED = failed(FailureKind.TLS_CLIENT_CERTIFICATE, "the host says that it was revoked")

    def test_a_refusal_is_one_of_ours(self) -> None:
        diagnosis = tell(self.REFUSED, sent=shown_by_us())
        assert diagnosis.reason is Reason.CREDENTIALS_REJECTED
        assert diagnosis.message == (
            f"The client certificate cannot be used with {HOST}:443: the host says that it was revoked."
        )
        assert letters(diagnosis) == ("T", "F", "U")
        assert ended_at(diagnosis).name == "tls"

    def test_without_one_it_is_the_wish_for_one(self) -> None:
        assert tell(self.REFUSED, sent=PLAN.request).reason is Reason.CLIENT_CERTIFICATE_REQUIRED

    def test_one_that_has_ended_is_named_so_whatever_the_host_says(self) -> None:
        later = datetime.now(UTC) + timedelta(days=2)
        diagnosis = diagnose(PLAN, (self.REFUSED,), now=later, sent=shown_by_us())
        assert diagnosis.reason is Reason.CREDENTIALS_EXPIRED
        assert diagnosis.message == f"{HOST}:443 refuses the client certificate, which has expired."

    @pytest.mark.parametrize(
        ("way", "doubted"),
        [
            (Transport(tls_version="TLSv1.3"), True),
            (Transport(tls_version="TLSv1.3", reused=True), False),
            (Transport(tls_version="TLSv1.2"), False),
            (Transport(), False),
        ],
    )
    def test_hanging_up_may_be_a_refusal_where_that_comes_after_the_handshake(
        self, way: Transport, doubted: bool
    ) -> None:
        lost = replace(failed(FailureKind.CONNECTION_LOST), transport=way)
        diagnosis = tell(lost, sent=shown_by_us())
        assert diagnosis.reason is Reason.CONNECTION_LOST
        assert ("refuse a client certificate" in diagnosis.message) == doubted
        assert "certificate" not in tell(lost, sent=PLAN.request).message

    @pytest.mark.parametrize(
        ("title", "reason"),
        [
            ("400 The SSL certificate error", Reason.CREDENTIALS_REJECTED),
            ("400 No required SSL certificate was sent", Reason.CLIENT_CERTIFICATE_REQUIRED),
            ("400 Bad Request", Reason.REQUEST_INVALID),
        ],
    )
    def test_what_nginx_says_of_it_is_read(self, title: str, reason: Reason) -> None:
        # As ngx_http_special_response.c has it
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1>"
        assert tell(raw(page.encode(), 400, {"content-type": "text/html"})).reason is reason


class TestStatuses:
    @pytest.mark.parametrize(("status", "expected", "reason"), STATUSES)
    def test_every_status_has_its_reason(self, status: int, expected: Reason, reason: str) -> None:
        assert tell(answered(status)).reason is expected, reason

    @given(st.integers(100, 599))
    def test_a_message_names_host_request_and_status(self, status: int) -> None:
        message = tell(answered(status)).message
        assert HOST in message
        if status != 200:
            assert f"GET /v1/account with {status}" in message

    @given(st.integers(100, 599), st.lists(st.integers(100, 599), min_size=1, max_size=4))
    def test_what_the_definition_expects_is_success_whatever_it_is(
        self, status: int, expected: list[int]
    ) -> None:
        diagnosis = tell(answered(status), of=planned(expect={"status": expected}))
        assert (diagnosis.result == "Success") == (status in expected)

    def test_an_expected_status_is_listed_with_the_others(self) -> None:
        message = tell(answered(202), of=planned(expect={"status": [200, 201]})).message
        assert "the test expects 200 or 201" in message

    def test_braces_of_a_path_are_no_placeholders(self) -> None:
        asked = planned(request={"path": "/{host}/{}"})
        assert "GET /%7Bhost%7D/%7B%7D with 404" in tell(answered(404), of=asked).message

    def test_the_path_that_was_really_asked_is_named(self) -> None:
        asked = plan(
            baseURL="https://eu.acme.example/base",
            tests=[{"name": "t", "default": True, "request": {"path": "/a b"}}],
        )
        assert "GET /base/a%20b with 404" in tell(answered(404), of=asked).message

    @pytest.mark.parametrize(
        ("location", "reason"),
        [
            ("/login?next=/v1", Reason.REDIRECTED_TO_LOGIN),
            ("https://login.acme.example/", Reason.REDIRECTED_TO_LOGIN),
            ("https://idp.example/oauth2/authorize?x=1", Reason.REDIRECTED_TO_LOGIN),
            ("https://us.acme.example/v1/account", Reason.WRONG_REGION),
            ("//us.acme.example/", Reason.WRONG_REGION),
            ("https://acme.example/", Reason.WRONG_REGION),
            ("https://www.eu.acme.example/", Reason.REDIRECTED),
            ("https://other.example/v1/account", Reason.REDIRECTED),
            ("/v2/account", Reason.REDIRECTED),
            ("/v1/catalogin", Reason.REDIRECTED),
            ("https://[::1/", Reason.REDIRECTED),
            ("", Reason.REDIRECTED),
        ],
    )
    def test_a_redirect_is_told_by_where_it_points(self, location: str, reason: Reason) -> None:
        assert tell(answered(302, headers={"location": location})).reason is reason

    def test_names_below_a_shared_suffix_are_no_siblings(self) -> None:
        asked = plan(baseURL="https://acme.co.uk", allowedHosts=["acme.co.uk"])
        there = answered(302, headers={"location": "https://other.co.uk/"})
        assert tell(there, of=asked).reason is Reason.REDIRECTED

    @pytest.mark.parametrize(("status", "known"), [(429, Reason.RATE_LIMITED), (503, Reason.MAINTENANCE)])
    def test_a_time_to_wait_is_evidence_and_kept(self, status: int, known: Reason) -> None:
        diagnosis = tell(answered(status, headers={"retry-after": "90"}))
        assert (diagnosis.reason, diagnosis.result, diagnosis.again_in) == (known, "Unknown", 90.0)
        assert ended_at(diagnosis).evidence["retryAfterSeconds"] == "90"

    @pytest.mark.parametrize("status", [429, 503])
    def test_another_time_to_wait_is_no_news(self, status: int) -> None:
        one, other = (tell(answered(status, headers={"retry-after": wait})) for wait in ("90", "2700"))
        assert one.message == other.message


class TestCredentials:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"error": {"code": "token_expired"}}, Reason.CREDENTIALS_EXPIRED),
            ({"message": "The token has been revoked"}, Reason.CREDENTIALS_EXPIRED),
            ({"message": "Invalid or expired token"}, Reason.CREDENTIALS_REJECTED),
            ([{"errorCode": "INVALID_SESSION_ID", "message": "expired or invalid"}], Reason.CREDENTIALS_REJECTED),
            ({"error": "account_inactive"}, Reason.ACCOUNT_LOCKED),
            ({"error": {"errors": [{"reason": "insufficientPermissions"}]}}, Reason.INSUFFICIENT_SCOPE),
        ],
    )  # fmt: skip
    def test_401_is_told_apart_by_what_it_says(self, body: object, reason: Reason) -> None:
        assert tell(answered(401, body)).reason is reason

    @pytest.mark.parametrize(
        ("body", "headers", "reason"),
        [
            ({"error": "missing_scope"}, {}, Reason.INSUFFICIENT_SCOPE),
            ({}, {"www-authenticate": 'Bearer error="insufficient_scope"'}, Reason.INSUFFICIENT_SCOPE),
            ({"message": "Your IP 10.1.2.3 is not on the allow-list"}, {}, Reason.CLIENT_ADDRESS_BLOCKED),
            ({"code": "ip_not_allowed"}, {}, Reason.CLIENT_ADDRESS_BLOCKED),
            (
                {},
                {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"},
                Reason.QUOTA_EXCEEDED,
            ),
            ({"message": "API rate limit exceeded"}, {}, Reason.QUOTA_EXCEEDED),
            ([{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], {}, Reason.QUOTA_EXCEEDED),
            ({"error": {"code": 403, "status": "UNAUTHENTICATED"}}, {}, Reason.CREDENTIALS_REJECTED),
            ({"message": "no"}, {}, Reason.PERMISSION_DENIED),
        ],
    )
    def test_403_is_told_apart_by_what_it_says(
        self, body: object, headers: Mapping[str, str], reason: Reason
    ) -> None:
        assert tell(answered(403, body, headers=headers)).reason is reason

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"ok": False, "error": "invalid_auth"}, Reason.CREDENTIALS_REJECTED),
            ({"ok": False, "error": "token_expired"}, Reason.CREDENTIALS_EXPIRED),
            ({"ok": False, "error": "missing_scope"}, Reason.INSUFFICIENT_SCOPE),
            ({"ok": False, "error": "ratelimited"}, Reason.QUOTA_EXCEEDED),
            ({"ok": False, "error": "channel_not_found"}, Reason.ANSWER_NOT_OK),
            ({"success": False}, Reason.ANSWER_NOT_OK),
            ({"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}, Reason.CREDENTIALS_REJECTED),
            ({"data": None, "errors": [{"extensions": {"code": "FORBIDDEN"}}]}, Reason.PERMISSION_DENIED),
            ({"errors": [{"message": "no"}]}, Reason.GRAPHQL_ERRORS),
            ({"data": {"me": None}, "errors": [{"message": "no"}]}, Reason.GRAPHQL_ERRORS),
            ({"data": {"a": 1, "b": None}, "errors": [{"message": "partly"}]}, Reason.CONNECTED),
            ({"errors": [{"message": "one skipped"}], "results": [1]}, Reason.CONNECTED),
            ({"error": "invalid_auth"}, Reason.CONNECTED),
        ],
    )
    def test_a_200_that_says_no_is_no_success(self, body: object, reason: Reason) -> None:
        assert tell(answered(200, body), of=planned()).reason is reason

    @pytest.mark.parametrize(
        ("offered", "reason"),
        [
            ('Basic realm="x"', Reason.AUTH_SCHEME_WRONG),
            ('Digest realm="a, Bearer b", nonce="c", Negotiate', Reason.AUTH_SCHEME_WRONG),
            ('Basic realm="x", Bearer', Reason.CREDENTIALS_REJECTED),
            ('OAuth realm="x"', Reason.CREDENTIALS_REJECTED),
            ("", Reason.CREDENTIALS_REJECTED),
        ],
    )
    def test_the_wrong_form_of_credentials_is_told_by_the_challenge(
        self, offered: str, reason: Reason
    ) -> None:
        sent = replace(PLAN.request, headers={"Authorization": f"Bearer {CANARY}"})
        diagnosis = tell(answered(401, headers={"www-authenticate": offered}), sent=sent)
        assert diagnosis.reason is reason

    @pytest.mark.parametrize(
        ("seconds", "reason"),
        [
            (-301, Reason.CLOCK_SKEW),
            (3600, Reason.CLOCK_SKEW),
            (299, Reason.CREDENTIALS_REJECTED),
        ],
    )
    def test_clocks_that_differ_are_told_when_credentials_are_rejected(
        self, seconds: int, reason: Reason
    ) -> None:
        date = {"date": format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)}
        assert tell(answered(401, headers=date)).reason is reason
        assert tell(answered(200, headers=date)).reason is Reason.CONNECTED
        assert tell(answered(401, headers=date | {"age": "7"})).reason is Reason.CREDENTIALS_REJECTED

    @given(st.text(max_size=40))
    def test_any_date_is_read_or_ignored(self, date: str) -> None:
        tell(answered(401, headers={"date": date}))

    def test_a_value_that_looks_wrong_is_named_by_its_key_and_not_shown(self) -> None:
        credentials = Credentials({"apiKey": f'"{CANARY}"'})
        diagnosis = tell(answered(401), credentials=credentials)
        assert diagnosis.reason is Reason.SECRET_QUOTED
        assert "'apiKey'" in diagnosis.message
        assert CANARY not in repr(diagnosis)
        assert tell(answered(200), credentials=credentials).reason is Reason.CONNECTED

    def test_what_the_system_knows_goes_before_what_looks_wrong(self) -> None:
        credentials = Credentials({"apiKey": "Y2FuYXJ5LTdmM2E5MWMyZDQ="})
        assert tell(answered(403), credentials=credentials).reason is Reason.SECRET_ENCODED_TWICE
        known = answered(403, {"error": "missing_scope"})
        assert tell(known, credentials=credentials).reason is Reason.INSUFFICIENT_SCOPE

    @pytest.mark.parametrize(
        ("says", "value", "date", "reason"),
        [
            (Reason.CREDENTIALS_REJECTED, f'"{CANARY}"', NOW, Reason.SECRET_QUOTED),
            (Reason.CREDENTIALS_REJECTED, CANARY, NOW + timedelta(hours=1), Reason.CLOCK_SKEW),
            (Reason.CREDENTIALS_REJECTED, CANARY, NOW, Reason.CREDENTIALS_REJECTED),
            (Reason.CREDENTIALS_EXPIRED, f'"{CANARY}"', NOW, Reason.CREDENTIALS_EXPIRED),
            (Reason.INSUFFICIENT_SCOPE, f'"{CANARY}"', NOW, Reason.INSUFFICIENT_SCOPE),
        ],
    )
    def test_why_credentials_are_rejected_goes_before_a_rule_that_only_says_that_they_are(
        self, says: Reason, value: str, date: datetime, reason: Reason
    ) -> None:
        of = planned(failures=[{"when": "response.status == 401", "reason": says}])
        refused = answered(401, headers={"date": format_datetime(date, usegmt=True)})
        assert tell(refused, of=of, credentials=Credentials({"apiKey": value})).reason is reason


class TestTokens:
    SENT = HttpRequest("POST", "https://id.acme.example/token", purpose="token")

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (401, {"error": "invalid_client"}, Reason.TOKEN_CLIENT_REJECTED),
            (400, {"error": "invalid_client"}, Reason.TOKEN_CLIENT_REJECTED),
            (200, {"error": "incorrect_client_credentials"}, Reason.TOKEN_CLIENT_REJECTED),
            (400, {"error": "invalid_grant"}, Reason.TOKEN_GRANT_REJECTED),
            (400, {"error": "invalid_scope"}, Reason.TOKEN_SCOPE_REJECTED),
            (400, {"error": "unauthorized_client"}, Reason.TOKEN_REQUEST_REJECTED),
            (403, {}, Reason.TOKEN_REQUEST_REJECTED),
            (200, {"error": "bad_verification_code"}, Reason.TOKEN_REQUEST_REJECTED),
            (401, {}, Reason.TOKEN_CLIENT_REJECTED),
            (401, {"error": "server_error"}, Reason.TOKEN_CLIENT_REJECTED),
            (400, {"error": "server_error"}, Reason.TOKEN_ENDPOINT_UNAVAILABLE),
            (302, {}, Reason.TOKEN_ENDPOINT_NOT_FOUND),
            (404, {}, Reason.TOKEN_ENDPOINT_NOT_FOUND),
            (429, {}, Reason.TOKEN_ENDPOINT_BUSY),
            (502, {}, Reason.TOKEN_ENDPOINT_UNAVAILABLE),
            (400, {"error": "temporarily_unavailable"}, Reason.TOKEN_ENDPOINT_UNAVAILABLE),
            (200, {"token_type": "bearer"}, Reason.TOKEN_ANSWER_INVALID),
        ],
    )
    def test_an_answer_of_a_token_url_is_told_apart_from_the_apis(
        self, status: int, body: object, reason: Reason
    ) -> None:
        diagnosis = tell(token(answered(status, body)), sent=self.SENT)
        assert diagnosis.reason is reason
        assert diagnosis.message.startswith("The token URL at id.acme.example answered with ")
        assert [stage.name for stage in diagnosis.stages] == ["config", "token"]
        assert letters(diagnosis) == ("T", "U" if reason in COULD_NOT_TELL else "F", "U")

    def test_a_secret_that_looks_wrong_is_told_there_too(self) -> None:
        rejected = token(answered(401, {"error": "invalid_client"}))
        diagnosis = tell(rejected, credentials=Credentials({"clientSecret": "<secret>"}), sent=self.SENT)
        assert diagnosis.reason is Reason.SECRET_PLACEHOLDER
        assert ended_at(diagnosis).name == "token"

    def test_a_token_that_was_got_is_a_stage_before_the_test(self) -> None:
        diagnosis = tell(token(answered(200, {})), answered(500))
        assert [stage.name for stage in diagnosis.stages] == [
            "config", "token", "dns", "connect", "tls", "request",
        ]  # fmt: skip
        assert diagnosis.stages[1].result == "Passed"
        assert diagnosis.stages[1].duration_ms == 250


class TestBodies:
    READS = planned(identity="response.json.email")

    @pytest.mark.parametrize(
        ("body", "media_type", "reason"),
        [
            (b"", "application/json", Reason.ANSWER_EMPTY),
            (b" \r\n", "", Reason.ANSWER_EMPTY),
            (b'{"email": "a@b.example"', "application/json", Reason.JSON_TRUNCATED),
            (b'{"email": "a@b', "", Reason.JSON_TRUNCATED),
            (b'[{"email": "a\\"}]', "", Reason.JSON_TRUNCATED),
            (b'{"email": "a"]', "", Reason.ANSWER_NOT_JSON),
            (b"email: a", "text/yaml", Reason.ANSWER_NOT_JSON),
            (b"<!DOCTYPE html><p>Hi", "text/html", Reason.ANSWER_IS_HTML),
            (b"<html>", "", Reason.ANSWER_IS_HTML),
            (b"<html><INPUT name=a TYPE='password'>", "text/html", Reason.LOGIN_PAGE),
            (b'{"email": 7}', "text/html", Reason.CONNECTED),
            (b"[]", "", Reason.IDENTITY_MISSING),
        ],
    )
    def test_what_came_in_place_of_json_is_told(self, body: bytes, media_type: str, reason: Reason) -> None:
        outcome = raw(body, headers={"content-type": media_type})
        assert tell(outcome, of=self.READS).reason is reason

    def test_a_failure_that_is_too_much_work_to_be_recognised_is_not_taken_for_none(self) -> None:
        of = planned(
            failures=[{"when": "response.json.filter(i, i == 1).size() > 1", "reason": "AccountLocked"}]
        )
        diagnosis = tell(answered(200, list(range(9000))), of=of)
        assert diagnosis.reason is Reason.ASSERTION_UNDECIDABLE
        assert "too many steps" in diagnosis.message
        assert ended_at(diagnosis).name == "assertions"
        assert tell(answered(200, [1]), of=of).reason is Reason.CONNECTED

    def test_a_page_is_no_success_of_a_test_that_asks_for_none(self) -> None:
        assert tell(raw(b"<html>Hi"), of=planned()).reason is Reason.ANSWER_IS_HTML
        for accepted in ("text/html", "application/json, */*;q=0.1"):
            wanted = planned(request={"headers": {"Accept": accepted}})
            assert tell(raw(b"<html>Hi"), of=wanted).reason is Reason.CONNECTED

    def test_a_word_that_calls_itself_a_page_is_none(self) -> None:
        pong = raw(b"pong", headers={"content-type": "text/html"})
        assert tell(pong, of=planned()).reason is Reason.CONNECTED

    def test_a_rule_about_a_media_type_reads_no_json(self) -> None:
        rule = {"rule": "response.headers['content-type'] == 'text/json-like'"}
        page = raw(b"text", headers={"content-type": "text/json-like"})
        assert tell(page, of=planned(expect={"assertions": [rule]})).reason is Reason.CONNECTED

    def test_but_none_where_somebody_is_to_sign_in(self) -> None:
        page = raw(b'<html><input type="password">', headers={"content-type": "text/html"})
        assert tell(page, of=planned()).reason is Reason.LOGIN_PAGE
        wanted = planned(request={"headers": {"Accept": "text/html"}})
        assert tell(page, of=wanted).reason is Reason.CONNECTED

    @pytest.mark.parametrize("body", [b"<html>", b"Not Found", b""])
    def test_404_without_json_is_no_api(self, body: bytes) -> None:
        assert tell(raw(body, 404)).reason is Reason.ENDPOINT_NOT_FOUND


class TestRules:
    RULES = (
        {"when": "response.json.code == 1", "reason": "CredentialsRejected"},
        {
            "when": "response.status == 402",
            "reason": "RateLimited",
            "message": "Slow down,\nplease.",
            "hint": "Wait.",
        },
        {"when": "response.json.code >= 2", "reason": "ServerError"},
    )

    def told(self, outcome: Outcome) -> Diagnosis:
        return tell(outcome, of=planned(failures=list(self.RULES)))

    def test_a_rule_goes_before_all_that_is_told_of_an_answer(self) -> None:
        diagnosis = self.told(answered(200, {"code": 1}))
        assert (diagnosis.reason, diagnosis.result) == (Reason.CREDENTIALS_REJECTED, "Failure")
        assert diagnosis.hint == REASONS[Reason.CREDENTIALS_REJECTED].remedy
        assert "200 OK" in diagnosis.message

    def test_the_meaning_of_its_reason_is_said_without_a_status_that_was_not_answered(self) -> None:
        message = self.told(answered(200, {"code": 3})).message
        assert message == (
            f"{HOST} answered GET / with 200 OK. The external system reports a fault of its own. Its error code is 3."
        )

    def test_its_own_words_are_said(self) -> None:
        diagnosis = self.told(answered(402, {}))
        assert diagnosis.message == f"{HOST}: Slow down, please."
        assert diagnosis.hint == "Wait."

    @pytest.mark.parametrize("words", ["the key was deleted", "The key was deleted.", "Was the key deleted?"])
    def test_its_words_end_as_a_sentence_since_the_hint_comes_right_behind(self, words: str) -> None:
        rule = {"when": "true", "reason": "CredentialsRejected", "message": words}
        said = tell(answered(401), of=planned(failures=[rule])).message
        assert said == f"{HOST}: {words}{'' if words.endswith(('.', '?')) else '.'}"

    def test_its_hint_is_told_to_its_end(self) -> None:
        hint = f"{'Do one thing after the other. ' * 16}And that last."
        rule = {"when": "true", "reason": "CredentialsRejected", "hint": hint}
        assert 490 < len(hint) <= 500, "as long as a definition may have it"
        assert tell(answered(401), of=planned(failures=[rule])).hint == hint

    def test_what_the_reason_says_of_the_connection_holds_for_it_too(self) -> None:
        assert self.told(answered(402, {})).result == "Unknown"

    def test_one_that_cannot_be_evaluated_does_not_hold(self) -> None:
        assert self.told(answered(200, {"code": "text"})).reason is Reason.CONNECTED
        assert self.told(answered(200, {"code": 3})).reason is Reason.SERVER_ERROR

    def test_a_reason_that_no_test_ends_with_is_a_failure_all_the_same(self) -> None:
        of = planned(failures=[{"when": "true", "reason": "Connected"}])
        assert tell(answered(200), of=of).result == "Failure"

    def test_rules_are_of_the_tests_answer_and_not_of_a_token_urls(self) -> None:
        of = planned(failures=[{"when": "true", "reason": "ServerError"}])
        assert tell(token(answered(404)), of=of).reason is Reason.TOKEN_ENDPOINT_NOT_FOUND


class TestTokenRules:
    """Rules of an auth method about the answers of its token URL."""

    SENT = HttpRequest("POST", "https://id.acme.example/token", purpose="token")

    def told(
        self, outcome: Outcome, *rules: dict[str, str], value: str = "correct-horse-battery"
    ) -> Diagnosis:
        of = replace(PLAN, token_failures=tuple(map(FailureRule.model_validate, rules)))
        credentials = Credentials({"clientSecret": value})
        return tell(token(outcome), of=of, credentials=credentials, sent=self.SENT)

    def test_go_before_what_the_table_says(self) -> None:
        rule = {
            "when": "7000222 in response.json.error_codes",
            "reason": "CredentialsExpired",
            "message": "The secret is over",
        }
        answer = {"error": "invalid_client", "error_codes": [7000222]}
        diagnosis = self.told(answered(401, answer), rule)
        assert (diagnosis.reason, diagnosis.result) == (Reason.CREDENTIALS_EXPIRED, "Failure")
        assert diagnosis.message == "The token URL at id.acme.example: The secret is over."
        assert diagnosis.by_rule
        assert ended_at(diagnosis).name == "token"
        other = self.told(answered(401, answer | {"error_codes": [7000215]}), rule)
        assert other.reason is Reason.TOKEN_CLIENT_REJECTED
        assert not other.by_rule

    @pytest.mark.parametrize("reason", sorted(TOKEN_SELECTABLE))
    def test_every_reason_that_they_may_name_ends_at_the_token(self, reason: Reason) -> None:
        diagnosis = self.told(answered(400, {}), {"when": "true", "reason": reason})
        assert diagnosis.reason is reason
        assert [stage.name for stage in diagnosis.stages] == ["config", "token"]
        assert diagnosis.message.startswith(
            "The token URL at id.acme.example answered with 400 Bad Request. "
        )
        assert diagnosis.hint == REASONS[reason].remedy
        assert letters(diagnosis)[1] != "T", "no credential was accepted that no token was given for"

    @pytest.mark.parametrize(
        ("says", "reason"),
        [
            ("CredentialsRejected", Reason.SECRET_PLACEHOLDER),
            ("TokenClientRejected", Reason.SECRET_PLACEHOLDER),
            ("CredentialsExpired", Reason.CREDENTIALS_EXPIRED),
            ("TokenGrantRejected", Reason.TOKEN_GRANT_REJECTED),
        ],
    )
    def test_that_only_say_rejected_give_way_to_what_explains_it(self, says: str, reason: Reason) -> None:
        refused = answered(401, {"error": "invalid_client"})
        assert self.told(refused, {"when": "true", "reason": says}, value="<secret>").reason is reason

    def test_read_a_page_and_a_form_as_text(self) -> None:
        rule = {"when": "response.text.contains('shop_not_permitted')", "reason": "PermissionDenied"}
        page = raw(b"<html>Oauth error shop_not_permitted: ...", 400, {"content-type": "text/html"})
        assert self.told(page, rule).reason is Reason.PERMISSION_DENIED

    def test_are_not_of_an_issuers_metadata(self) -> None:
        asked = HttpRequest(
            "GET", "https://id.acme.example/.well-known/openid-configuration", purpose="token"
        )
        rule = FailureRule.model_validate({"when": "response.status == 404", "reason": "AccountLocked"})
        of = replace(PLAN, token_failures=(rule,))
        assert tell(token(answered(404)), of=of, sent=asked).reason is Reason.TOKEN_ENDPOINT_NOT_FOUND
        assert tell(token(answered(404)), of=of, sent=self.SENT).reason is Reason.ACCOUNT_LOCKED

    def test_that_would_take_too_long_do_not_hold(self) -> None:
        rule = {
            "when": "response.json.filter(i, i == 1).size() > 1",
            "reason": "AccountLocked",
        }
        assert self.told(answered(400, list(range(9000))), rule).reason is Reason.TOKEN_REQUEST_REJECTED

    def test_are_not_of_a_tests_answer(self) -> None:
        rule = FailureRule.model_validate({"when": "true", "reason": "AccountLocked"})
        assert (
            tell(answered(401), of=replace(PLAN, token_failures=(rule,))).reason
            is Reason.CREDENTIALS_REJECTED
        )

    def test_a_reason_that_no_token_request_ends_with_is_a_failure_all_the_same(self) -> None:
        told = self.told(answered(400, {}), {"when": "true", "reason": "IdentityMissing"})
        assert told.reason is Reason.TOKEN_REQUEST_REJECTED


class TestAssertions:
    def told(self, *rules: Mapping[str, str], body: object = None) -> Diagnosis:
        return tell(answered(200, body or {"plan": "free"}), of=planned(expect={"assertions": list(rules)}))

    def test_all_that_hold_are_a_success(self) -> None:
        diagnosis = self.told({"rule": "response.json.plan == 'free'"}, {"rule": "response.status < 300"})
        assert diagnosis.result == "Success"
        assert ended_at(diagnosis).name == "assertions"

    def test_the_first_that_does_not_hold_is_told_by_number(self) -> None:
        diagnosis = self.told({"rule": "true"}, {"rule": "response.json.plan == 'paid'"}, {"rule": "false"})
        assert diagnosis.reason is Reason.ASSERTION_FAILED
        assert "rule 2 does not hold: response.json.plan == 'paid'." in diagnosis.message
        assert ended_at(diagnosis).evidence == {"assertion": "2"}

    def test_its_message_is_said_in_its_place(self) -> None:
        diagnosis = self.told({"rule": "false", "message": "The account is frozen."})
        assert diagnosis.message.endswith("but rule 1 does not hold: The account is frozen.")

    def test_one_that_cannot_be_decided_says_why_and_nothing_of_the_answer(self) -> None:
        diagnosis = self.told({"rule": "response.json.count > 3"}, body={"plan": CANARY})
        assert diagnosis.reason is Reason.ASSERTION_UNDECIDABLE
        assert CANARY not in repr(diagnosis)

    def test_it_says_nothing_of_the_credentials(self) -> None:
        assert letters(self.told({"rule": "false"})) == ("T", "U", "F")


class TestIdentity:
    def test_is_named(self) -> None:
        diagnosis = tell(answered(200))
        assert diagnosis.message == "Connected to eu.acme.example as ops@acme.example."
        assert diagnosis.identity == "ops@acme.example"
        assert diagnosis.hint is None

    def test_without_a_path_nobody_is_named(self) -> None:
        diagnosis = tell(answered(200), of=planned())
        assert (diagnosis.message, diagnosis.identity) == ("Connected to eu.acme.example.", None)

    def test_an_answer_without_it_is_no_success(self) -> None:
        # A proxy's friendly page also answers 200.
        diagnosis = tell(answered(200, {"hello": "there"}))
        assert diagnosis.reason is Reason.IDENTITY_MISSING
        assert letters(diagnosis) == ("T", "T", "F")
        assert "response.json.email" in diagnosis.message


class TestErrorCode:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"error": {"code": "resource_missing", "type": "invalid_request"}}, "resource_missing"),
            ({"error": {"code": 404, "status": "NOT_FOUND"}}, "NOT_FOUND"),
            ({"code": 10035}, "10035"),
            ({"error": "nothing here"}, None),
            ({"error": "x" * 65}, None),
            ({"error": True}, None),
            ({"error": f"code-{CANARY}"}, None),
            ({"error": CANARY[:12]}, None),
            ({"error": CANARY[4:].upper()}, None),
            ({"error": "<script>"}, None),
            ("text", None),
        ],
    )
    def test_of_the_external_system_is_shown_if_it_is_one(self, body: object, code: str | None) -> None:
        diagnosis = tell(answered(404, body), credentials=Credentials({"apiKey": CANARY}))
        assert ended_at(diagnosis).evidence.get("errorCode") == code
        assert diagnosis.message.endswith(f"Its error code is {code}.") == (code is not None)

    def test_is_never_a_token_that_a_flow_has_got(self) -> None:
        sent = replace(PLAN.request, headers={"Authorization": f"Bearer {CANARY}"})
        assert CANARY not in repr(tell(answered(404, {"error": CANARY}), sent=sent))
        assert CANARY not in repr(tell(answered(200, {"email": f"me {CANARY}"}), sent=sent))

    @pytest.mark.parametrize("place", ["response.json.info.", "nowhere", "response.text"])
    def test_at_a_place_that_cannot_be_read_is_none(self, place: str) -> None:
        assert tell(answered(500, {}), of=planned(errorCode=place)).reason is Reason.SERVER_ERROR
        assert tell(answered(200, {}), of=planned(identity=place)).reason is Reason.IDENTITY_MISSING

    def test_is_taken_from_where_the_test_says(self) -> None:
        of = planned(errorCode="response.json.info.no")
        body = {"info": {"no": "E-77"}, "error": {"code": "other"}}
        assert ended_at(tell(answered(500, body), of=of)).evidence["errorCode"] == "E-77"

    def test_is_not_told_of_a_success(self) -> None:
        diagnosis = tell(answered(200, {"code": "0", "email": "a"}))
        assert "errorCode" not in repr(diagnosis.stages)


class TestStages:
    CERTIFICATE = Certificate("CN=a", "CN=b", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ("a", "*.a"))
    TRANSPORT = Transport(
        addresses=("192.0.2.1", "192.0.2.2"), address="192.0.2.1", dns=0.001, connect=0.01, tls=0.02,
        request=0.1, tls_version="TLSv1.3", certificate=CERTIFICATE, received=28,
    )  # fmt: skip

    def test_each_has_its_time_and_evidence(self) -> None:
        outcome = replace(answered(200), transport=self.TRANSPORT)
        dns, connect, tls, request = tell(outcome).stages[1:5]
        assert (dns.duration_ms, dns.evidence) == (1, {"addresses": "192.0.2.1, 192.0.2.2"})
        assert (connect.duration_ms, connect.evidence) == (10, {"address": "192.0.2.1"})
        assert tls.duration_ms == 20
        assert tls.evidence == {
            "tlsVersion": "TLSv1.3", "subject": "CN=a", "issuer": "CN=b", "notBefore": "2026-01-01T00:00:00Z",
            "notAfter": "2027-01-01T00:00:00Z", "names": "a, *.a",
        }  # fmt: skip
        assert request.duration_ms == 100
        assert request.evidence == {"status": "200", "bytes": "29"}

    def test_of_a_success_are_all_passed(self) -> None:
        stages = tell(replace(answered(200), transport=self.TRANSPORT)).stages
        assert [stage.name for stage in stages] == ["config", "dns", "connect", "tls", "request", "identity"]
        assert {stage.result for stage in stages} == {"Passed"}

    def test_a_connection_that_is_used_again_skips_what_was_done_before(self) -> None:
        transport = replace(self.TRANSPORT, reused=True, dns=None, connect=None, tls=None)
        stages = tell(replace(answered(200), transport=transport)).stages
        assert [stage.result for stage in stages[1:4]] == ["Skipped"] * 3
        assert all(stage.evidence["reused"] == "true" for stage in stages[1:4])
        assert stages[3].evidence["notAfter"] == "2027-01-01T00:00:00Z"

    def test_a_failure_ends_them(self) -> None:
        outcome = replace(failed(FailureKind.TLS_EXPIRED, "certificate expired"), transport=self.TRANSPORT)
        stages = tell(outcome).stages
        assert [(stage.name, stage.result) for stage in stages] == [
            ("config", "Passed"), ("dns", "Passed"), ("connect", "Passed"), ("tls", "Failed"),
        ]  # fmt: skip
        assert stages[-1].evidence["fault"] == "certificate expired"
        assert stages[-1].evidence["notAfter"] == "2027-01-01T00:00:00Z"

    def test_without_tls_that_stage_is_skipped(self) -> None:
        of = plan(baseURL="http://127.0.0.1:1", allowedHosts=["http://127.0.0.1:1"])
        outcome = replace(answered(500), transport=Transport(address="127.0.0.1", connect=0.1))
        stages = {stage.name: stage for stage in tell(outcome, of=of).stages}
        assert stages["tls"] == Stage(name="tls", result="Skipped")
        assert stages["dns"].result == "Skipped"


TEXTS = st.text(max_size=300) | st.sampled_from(["<" * 300, "\u2028" * 300, "\U0001f600" * 300, CANARY])
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "date",
            "location",
            "retry-after",
            "www-authenticate",
            "x-ratelimit-remaining",
            "age",
        ]
    ),
    TEXTS,
)
CERTIFICATES = st.builds(Certificate, TEXTS, TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=10).map(tuple))
TRANSPORTS = st.builds(
    Transport,
    addresses=st.lists(st.ip_addresses(v=6).map(str), max_size=10).map(tuple),
    address=st.ip_addresses(v=6).map(str),
    reused=st.booleans(),
    tls_version=TEXTS,
    certificate=st.none() | CERTIFICATES,
)
BODIES = st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "code", "message", "ok", "data", "email", "extensions"]),
            below,
        )
    ),
    max_leaves=8,
).map(lambda document: json.dumps(document).encode())


class TestWhatIsShown:
    @pytest.mark.parametrize("status", [401, 404, 500])
    def test_a_credential_that_was_pasted_into_the_configuration_is_masked_in_the_path(
        self, status: int
    ) -> None:
        pasted = planned(request={"path": f"/v1/{CANARY}/account"})
        diagnosis = tell(answered(status), of=pasted, credentials=Credentials({"apiKey": CANARY}))
        assert "/v1/***/account" in diagnosis.message
        assert CANARY not in str(diagnosis)

    LONG = planned(
        name="n" * 63,
        expect={"status": [200], "assertions": [{"rule": "response.json.x == 1", "message": "\U0001f600" * 300}]},
        failures=[{"when": "response.status == 999", "reason": "ServerError", "hint": "h" * 500}],
        identity="response.json.email",
    )  # fmt: skip

    @given(
        status=st.integers(100, 599), headers=HEADERS, body=BODIES, transport=TRANSPORTS,
        purposes=st.sampled_from([["test"], ["token"], ["token", "test"]]),
        reason=st.sampled_from([None, *sorted(TOKEN_SELECTABLE)]),
    )  # fmt: skip
    def test_of_a_test_takes_less_than_4_kib_and_has_no_secret_whatever_is_sent_to_us(
        self,
        status: int,
        headers: dict[str, str],
        body: bytes,
        transport: Transport,
        purposes: list[str],
        *,
        reason: Reason | None,
    ) -> None:
        rules = (FailureRule(when="true", reason=reason, hint="h" * 500),) if reason else ()
        outcomes = [
            Outcome(HttpResponse(status, headers, body), None, 99.0, purpose, transport)
            for purpose in purposes
        ]
        of = replace(self.LONG, token_failures=rules)
        self.check(tell(*outcomes, of=of, credentials=Credentials({"apiKey": CANARY})))

    @given(kind=st.sampled_from(FailureKind), transport=TRANSPORTS, detail=TEXTS)
    def test_of_a_failure_too(self, kind: FailureKind, transport: Transport, detail: str) -> None:
        failure = Failure(kind, "h" * 253 + ":65535", detail, again_in=1e9)
        outcome = Outcome(None, failure, 99.0, transport=transport)
        self.check(tell(outcome, of=self.LONG, credentials=Credentials({"apiKey": CANARY})))

    @pytest.mark.parametrize("text", ["\U0001f600", "<", "\u2028", '"', "\\", "\x7f", "a"])
    def test_of_the_worst_takes_less_than_4_kib(self, text: str) -> None:
        long = text * 2000
        transport = Transport(
            addresses=("2001:db8:1111:2222:3333:4444:5555:6666",) * 10,
            address="2001:db8:1111:2222:3333:4444:5555:6666",
            reused=True, tls_version=long, certificate=Certificate(long, long, long, long, (long,) * 10),
        )  # fmt: skip
        headers = {
            "content-type": f"a{'b' * 40}/a{'c' * 60}", "location": f"https://{'d' * 63}.{'e' * 33}.example/",
            "retry-after": "3600", "date": "Mon, 01 Jan 1990 00:00:00 GMT",
        }  # fmt: skip
        body = json.dumps({"email": long, "error": {"code": "e" * 64}, "ok": False}).encode()
        rule = {
            "when": "true",
            "reason": "ClientCertificateRequired",
            "message": text * 300,
            "hint": text * 500,
        }
        for status in (200, 307, 429, 404):
            for rules in ([], [rule]):
                of = planned(
                    request={"path": f"/{'p' * 1999}"}, failures=rules, identity="response.json.email",
                    expect={"assertions": [{"rule": "true"}, {"rule": "false", "message": text * 300}]},
                )  # fmt: skip
                outcome = Outcome(HttpResponse(status, headers, body), None, 1e6, transport=transport)
                self.check(tell(replace(outcome, purpose="token"), outcome, of=of))

    def check(self, diagnosis: Diagnosis) -> None:
        status = TestStatus(
            name="n" * 63,
            result=diagnosis.result,
            reason=diagnosis.reason,
            message=diagnosis.message,
            hint=diagnosis.hint,
            since="2026-03-01T12:00:00Z",
            last_result=diagnosis.result,
            last_reason=diagnosis.reason,
            streak=10**9,
            time="2026-03-01T12:00:00Z",
            next_time="2026-03-01T12:00:00Z",
            duration_ms=10**9,
            stages=list(diagnosis.stages),
        )
        size = len(json.dumps(status.to_wire(), ensure_ascii=False).encode("utf-8", "surrogatepass"))
        assert size < 4096
        assert CANARY not in json.dumps(status.to_wire())
        assert diagnosis.identity is None or CANARY not in diagnosis.identity

    @given(st.integers(100, 599))
    def test_nothing_that_the_other_side_sent_is_repeated(self, status: int) -> None:
        sentence = "A sentence of theirs"
        body = {"error": sentence, "message": sentence, "errors": [{"message": sentence}]}
        headers = {
            "x-echo": sentence,
            "location": f"/{sentence}",
            "www-authenticate": f'Basic realm="{sentence}"',
        }
        diagnosis = tell(answered(status, body, headers=headers), of=planned())
        assert sentence not in repr(diagnosis)

    def test_reprs_show_no_answer(self) -> None:
        outcome = Outcome(HttpResponse(200, {"x": CANARY}, CANARY.encode()), None, 0.1)
        assert CANARY not in repr(outcome)


class TestSpread:
    @pytest.mark.parametrize(
        ("status", "expected", "reason"),
        [
            (200, ("T", "T", "T"), "all is well"),
            (401, ("T", "F", "U"), "reached, refused"),
            (403, ("T", "F", "U"), "reached, refused"),
            (404, ("T", "U", "F"), "many systems answer 404 before they look at credentials"),
            (302, ("T", "U", "F"), "a redirect to a login page is no acceptance"),
            (407, ("F", "U", "U"), "a proxy answered, not the system"),
            (429, ("T", "U", "U"), "how it would have ended is not known"),
            (500, ("T", "U", "F"), "many systems fail before they look at credentials"),
            (400, ("T", "U", "F"), "so do they here"),
        ],
    )
    def test_conditions_before_the_finding_hold_and_those_after_it_are_unknown(
        self, status: int, expected: tuple[str, str, str], reason: str
    ) -> None:
        assert letters(tell(answered(status))) == expected, reason

    @pytest.mark.parametrize("reason", sorted(SELECTABLE))
    @pytest.mark.parametrize("result", ["Failure", "Unknown"])
    def test_every_reason_is_shown_at_its_condition(self, reason: Reason, result: TestResult) -> None:
        found = {condition.type: condition for condition in spread(result, reason, "What was found.")}
        (at,) = REASONS[reason].conditions
        assert (found[at].reason, found[at].message) == (reason, "What was found.")
        assert found[at].status == ("False" if result == "Failure" else "Unknown")
        assert [condition.reason for condition in found.values()].count(reason) == 1

    def test_what_is_not_decided_says_where_to_look(self) -> None:
        condition = unknown(c.HEALTHY)
        assert (condition.status, condition.reason) == ("Unknown", Reason.NOT_YET_KNOWN)
        assert "Ready" in condition.message


class TestTable:
    def test_every_reason_of_a_test_stands_in_it(self) -> None:
        assert {row.reason for row in TABLE} == {*SELECTABLE, Reason.CONNECTED}

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.when)
    def test_every_row_says_how_we_know(self, row: Any) -> None:
        assert row.when == row.when.strip()
        assert not row.when.endswith(".")
        assert row.message.endswith(".")

    def test_a_failures_hint_is_the_reasons_remedy(self) -> None:
        assert tell(answered(401)).hint == REASONS[Reason.CREDENTIALS_REJECTED].remedy

    @pytest.mark.parametrize("outcomes", [(), (Outcome(None, None, 0.0),)])
    def test_an_outcome_with_neither_answer_nor_failure_is_a_mistake_of_ours(
        self, outcomes: tuple[Outcome, ...]
    ) -> None:
        with pytest.raises(ValueError, match="either a response or a failure"):
            diagnose(PLAN, outcomes, now=datetime(2026, 1, 1, tzinfo=UTC))
