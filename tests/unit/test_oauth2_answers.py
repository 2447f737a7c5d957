"""What `oauth2` makes of answers: tokens in all the shapes that systems give them, refusals, and anything at all."""

# ruff: noqa: E501 - one case is one line

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.auth.oauth2.answer import BOUND, NO_ACCESS_TOKEN, UNSENDABLE
from integration_hub.auth.oauth2.lifetimes import LONGEST
from integration_hub.auth.tokens import DevicePending, TokenRefused
from integration_hub.model.http import HttpResponse
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from support.auth import CONTEXT
from support.oauth2 import METHOD, accepted, answer, credentials_of, driven

NOW = CONTEXT.now
CODE: dict[str, Any] = {
    "authorizationURL": "https://a.example/authorize",
    "tokenURL": "https://a.example/token",
}
BROUGHT = ConsentAnswer("s", code="the-code")
HELD = Tokens(
    "old-access",
    NOW - timedelta(hours=1),
    "grant",
    refresh_token="old-refresh",
    refresh_expires_at=NOW + timedelta(days=9),
    scopes=("kept",),
)


def first(
    document: Any, status: int = 200, *, content_type: str = "application/json", **settings: Any
) -> Tokens | TokenRefused:
    """Return what is made of an answer to a code, which stands for any first answer."""
    found = accepted({**CODE, **settings})
    credentials = credentials_of(found)
    grant = METHOD.token_rules(found, credentials, CONTEXT).grant
    attempt = ConsentAttempt("s", "https://u", "https://r", 1, grant, NOW, verifier="the-verifier")
    steps = METHOD.exchange(found, credentials, attempt, BROUGHT, CONTEXT)
    return driven(steps, [answer(document, status, content_type)])[1]


def renewed(
    document: Any, status: int = 200, *, content_type: str = "application/json", **settings: Any
) -> Tokens | TokenRefused:
    found = accepted({**CODE, **settings})
    steps = METHOD.refresh(found, credentials_of(found), HELD, CONTEXT)
    return driven(steps, [answer(document, status, content_type)])[1]


def tokens(document: Any, **settings: Any) -> Tokens:
    found = first(document, **settings)
    assert isinstance(found, Tokens), found
    return found


# -- Tokens ----------------------------------------------------------------------------------------


def test_an_answer_as_a_form_is_read() -> None:
    document = urlencode(
        {"access_token": "gho_16C7", "scope": "repo,gist", "token_type": "bearer", "expires_in": "28800"}
    )
    found = first(document, content_type="application/x-www-form-urlencoded; charset=utf-8")
    assert isinstance(found, Tokens)
    assert (found.access_token, found.scopes, found.token_type) == ("gho_16C7", ("repo", "gist"), "Bearer")
    assert found.expires_at == NOW + timedelta(hours=8)
    assert isinstance(first("access_token=t&expires=5", content_type="text/plain"), Tokens)
    assert first("access_token=t", content_type="text/html") == TokenRefused(message=NO_ACCESS_TOKEN)


SLACK = {
    "ok": True,
    "access_token": "xoxb-bot",
    "token_type": "bot",
    "scope": "chat:write,commands",
    "authed_user": {"id": "U1", "scope": "search:read", "access_token": "xoxp-user", "token_type": "user"},
}
OF_USER: dict[str, Any] = {
    "tokenAnswer": {
        name: f"authed_user.{path}"
        for name, path in (("accessToken", "access_token"), ("scope", "scope"), ("tokenType", "token_type"))
    }
}


def test_a_token_can_be_anywhere_in_the_answer() -> None:
    bot, user = tokens(SLACK), tokens(SLACK, **OF_USER)
    assert (bot.access_token, bot.scopes, bot.token_type) == ("xoxb-bot", ("chat:write", "commands"), "bot")
    assert (user.access_token, user.scopes, user.token_type) == ("xoxp-user", ("search:read",), "user")


def test_the_token_of_somebody_else_is_not_taken_in_its_place() -> None:
    without_user = {**SLACK, "authed_user": {"id": "U1"}}
    assert first(without_user, **OF_USER) == TokenRefused(message=NO_ACCESS_TOKEN)
    # Renewing asks with the user's own token, and has the answer in the usual place.
    found = renewed({"ok": True, "access_token": "xoxp-new", "refresh_token": "xoxe-1"}, **OF_USER)
    assert isinstance(found, Tokens)
    assert (found.access_token, found.refresh_token) == ("xoxp-new", "xoxe-1")


ENDS: list[tuple[dict[str, Any], dict[str, Any], timedelta | None]] = [
    ({"expires_in": 3600}, {}, timedelta(hours=1)),
    ({"expires_in": "3600"}, {}, timedelta(hours=1)),
    ({"expires_in": 3600.9}, {}, timedelta(seconds=3600.9)),
    ({}, {}, None),
    ({}, {"lifetime": "2h"}, timedelta(hours=2)),
    ({"expires_in": 0}, {"lifetime": "2h"}, timedelta(hours=2)),
    ({"expires_in": -5}, {}, None),
    ({"expires_in": "soon"}, {}, None),
    ({"expires_in": 60}, {"lifetime": "2h"}, timedelta(minutes=1)),
    ({"expires_in": 10**15}, {}, LONGEST),
    ({"data": {"ttl": 60}}, {"tokenAnswer": {"expiresIn": "data.ttl"}}, timedelta(minutes=1)),
]


@pytest.mark.parametrize(("fields", "settings", "lives"), ENDS)
def test_the_end_of_an_access_token(
    fields: dict[str, Any], settings: dict[str, Any], lives: timedelta | None
) -> None:
    assert tokens({"access_token": "t", **fields}, **settings).expires_at == (NOW + lives if lives else None)


@pytest.mark.parametrize(
    "name", ["refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"]
)
def test_the_end_of_a_refresh_token_has_several_names(name: str) -> None:
    found = tokens({"access_token": "t", "refresh_token": "r", name: 8726400})
    assert found.refresh_expires_at == NOW + timedelta(days=101)
    assert tokens({"access_token": "t", "refresh_token": "r", name: 0}).refresh_expires_at is None
    assert tokens({"access_token": "t", name: 60}).refresh_expires_at is None, "there is none that could end"


def test_what_renewing_does_not_tell_stays() -> None:
    found = renewed({"access_token": "new"})
    assert isinstance(found, Tokens)
    assert (found.access_token, found.refresh_token, found.scopes) == ("new", "old-refresh", ("kept",))
    assert found.refresh_expires_at == HELD.refresh_expires_at
    assert found.expires_at is None
    found = renewed({"access_token": "new", "refresh_token": "new-refresh", "scope": "a b"})
    assert isinstance(found, Tokens)
    assert (found.refresh_token, found.scopes, found.refresh_expires_at) == ("new-refresh", ("a", "b"), None)


SCOPES: list[tuple[Any, dict[str, Any], tuple[str, ...] | None]] = [
    ("a b", {}, ("a", "b")),
    ("a,b", {}, ("a", "b")),
    ("a, b", {"scopeSeparator": ","}, ("a", "b")),
    ("a|b", {"scopeSeparator": "|"}, ("a", "b")),
    ("a a  b", {}, ("a", "b")),
    (["a", "b", 5], {}, ("a", "b")),
    ("", {}, ()),
    (None, {}, None),
    (7, {}, None),
    (
        "https://www.googleapis.com/auth/drive.file session:role:X",
        {},
        ("https://www.googleapis.com/auth/drive.file", "session:role:X"),
    ),
    ("ok s3cret-of-client caf\u00e9", {}, ("ok",)),
    ("ok the-code the-token", {}, ("ok",)),
]


@pytest.mark.parametrize(("told", "settings", "scopes"), SCOPES)
def test_granted_scopes(told: Any, settings: dict[str, Any], scopes: tuple[str, ...] | None) -> None:
    assert tokens({"access_token": "the-token", "scope": told}, **settings).scopes == scopes


UNUSABLE: list[tuple[Any, str]] = [
    ({}, NO_ACCESS_TOKEN),
    ({"access_token": ""}, NO_ACCESS_TOKEN),
    ({"access_token": None}, NO_ACCESS_TOKEN),
    ({"access_token": 5}, NO_ACCESS_TOKEN),
    ({"token": "t"}, NO_ACCESS_TOKEN),
    ([], NO_ACCESS_TOKEN),
    ("null", NO_ACCESS_TOKEN),
    ("<html>Sign in</html>", NO_ACCESS_TOKEN),
    ("", NO_ACCESS_TOKEN),
    ("[" * 100_000, NO_ACCESS_TOKEN),
    ({"access_token": "a\r\nX: y"}, UNSENDABLE),
    ({"access_token": " a"}, UNSENDABLE),
    ({"access_token": "a "}, UNSENDABLE),
    ({"access_token": "caf\u00e9"}, UNSENDABLE),
    ({"access_token": "a\0b"}, UNSENDABLE),
    ({"access_token": "t", "token_type": "DPoP"}, BOUND),
    ({"access_token": "t", "token_type": "mac"}, BOUND),
]


@pytest.mark.parametrize(("document", "message"), UNUSABLE)
def test_a_success_without_a_token_that_can_be_sent_is_refused(document: Any, message: str) -> None:
    assert first(document) == TokenRefused(message=message)


@pytest.mark.parametrize(
    "told", ["bearer", "BEARER", "Bearer", None, 5, "", "two words", "x" * 40, "s3cret-of-client"]
)
def test_a_type_is_bearer_unless_it_is_another_word(told: Any) -> None:
    assert tokens({"access_token": "t", "token_type": told}).token_type == "Bearer"


# -- Refusals --------------------------------------------------------------------------------------

REFUSALS: list[tuple[Any, int, TokenRefused]] = [
    # RFC 6749 section 5.2
    ({"error": "invalid_grant", "error_description": "x"}, 400, TokenRefused("invalid_grant", ended=True)),
    ({"error": "invalid_client"}, 401, TokenRefused("invalid_client")),
    ({"error": "unauthorized_client"}, 400, TokenRefused("unauthorized_client")),
    ({"error": "unsupported_grant_type"}, 400, TokenRefused("unsupported_grant_type")),
    ({"error": "invalid_scope"}, 400, TokenRefused("invalid_scope")),
    ({"error": "invalid_request"}, 400, TokenRefused("invalid_request")),
    # In their own words, and with success
    ({"error": "bad_verification_code"}, 200, TokenRefused("bad_verification_code", ended=True)),
    ({"error": "bad_refresh_token"}, 200, TokenRefused("bad_refresh_token", ended=True)),
    ({"error": "incorrect_client_credentials"}, 200, TokenRefused("incorrect_client_credentials")),
    ({"ok": False, "error": "invalid_refresh_token"}, 200, TokenRefused("invalid_refresh_token", ended=True)),
    ({"ok": False, "error": "token_revoked"}, 200, TokenRefused("token_revoked", ended=True)),
    ({"error": "interaction_required"}, 400, TokenRefused("interaction_required", ended=True)),
    ({"error": "InvalidGrant"}, 400, TokenRefused("InvalidGrant", ended=True)),
    ({"error": {"code": "invalid_grant", "message": "x"}}, 400, TokenRefused("invalid_grant", ended=True)),
    ({"error": {"code": 5, "type": "invalid_client"}}, 400, TokenRefused("invalid_client")),
    ({"error": {"message": "x"}}, 400, TokenRefused()),
    ({"error": "x", "access_token": "t"}, 200, TokenRefused("x")),
    # No codes
    ({}, 400, TokenRefused()),
    ("", 401, TokenRefused()),
    ("<html>", 403, TokenRefused()),
    ("", 302, TokenRefused()),
    ({"error": "two words"}, 400, TokenRefused()),
    ({"error": "<b>"}, 400, TokenRefused()),
    ({"error": "x" * 65}, 400, TokenRefused()),
    ({"error": 5}, 400, TokenRefused()),
    ({"error": ["invalid_grant"]}, 400, TokenRefused()),
    # Nobody's fault here
    ({"error": "invalid_grant"}, 500, TokenRefused("invalid_grant")),
    ({"error": "temporarily_unavailable"}, 503, TokenRefused("temporarily_unavailable")),
    ("", 503, TokenRefused()),
    ("<html>", 504, TokenRefused()),
    ({"error": "s3cret-of-client"}, 500, TokenRefused()),
    ({"error": "slow_down"}, 429, TokenRefused("slow_down")),
    # What was sent comes back
    ({"error": "s3cret-of-client"}, 400, TokenRefused()),
    ({"error": "not_s3cret-of-client_"}, 400, TokenRefused()),
    ({"error": "s3cret-o"}, 400, TokenRefused()),
]  # fmt: skip


@pytest.mark.parametrize(("document", "status", "expected"), REFUSALS)
def test_a_refusal_has_a_code_and_nothing_else(document: Any, status: int, expected: TokenRefused) -> None:
    assert first(document, status) == expected
    assert renewed(document, status) == expected


@pytest.mark.parametrize("echoed", ["old-refresh", "xx-old-refresh"])
def test_a_refresh_token_that_comes_back_as_a_code_is_not_told(echoed: str) -> None:
    assert renewed({"error": echoed}, 400) == TokenRefused()


@pytest.mark.parametrize("echoed", ["the-code", "the-verifier"])
def test_a_code_that_comes_back_as_a_code_is_not_told(echoed: str) -> None:
    assert first({"error": echoed}, 400) == TokenRefused()


def test_a_definition_can_say_where_errors_are_and_which_of_them_end_a_grant() -> None:
    answered: dict[str, Any] = {"tokenAnswer": {"error": "status", "endedCodes": ["GONE_FOR_GOOD"]}}
    assert first({"status": "GONE_FOR_GOOD"}, 400, **answered) == TokenRefused("GONE_FOR_GOOD", ended=True)
    assert first({"status": "BAD_REFRESH_TOKEN"}, 400, **answered) == TokenRefused(
        "BAD_REFRESH_TOKEN", ended=True
    )
    assert first({"error": "invalid_client"}, 400, **answered) == TokenRefused("invalid_client")


def test_a_form_says_errors_too() -> None:
    document = urlencode({"error": "bad_verification_code", "error_description": "The code is incorrect"})
    found = first(document, content_type="application/x-www-form-urlencoded")
    assert found == TokenRefused("bad_verification_code", ended=True)
    assert first("&".join(["a=b"] * 1000), content_type="text/plain") == TokenRefused(message=NO_ACCESS_TOKEN)


# -- Anything --------------------------------------------------------------------------------------

SECRETS = ("s3cret-of-client", "the-code", "the-verifier", "old-refresh")
texts = st.one_of(
    st.text(max_size=30), st.sampled_from([*SECRETS, "invalid_grant", "Bearer", "a b", "https://a/b"])
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "access_token", "refresh_token", "expires_in", "refresh_expires_in", "scope", "token_type", "error", "authed_user",
        "device_code", "user_code", "verification_uri", "verification_uri_complete", "interval", "issuer",
        "token_endpoint", "authorization_endpoint", "device_authorization_endpoint",
    ]
)  # fmt: skip
documents = st.dictionaries(names, values, max_size=8)
bodies = st.one_of(
    documents.map(lambda document: json.dumps(document).encode()),
    values.map(lambda value: json.dumps(value).encode()),
    documents.map(lambda document: urlencode(document, doseq=False, errors="replace").encode()),
    st.binary(max_size=60),
)
answers = st.builds(
    HttpResponse,
    st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]),
    st.sampled_from(
        [
            {},
            *(
                {"content-type": kind}
                for kind in (
                    "application/json",
                    "application/x-www-form-urlencoded",
                    "text/plain",
                    "text/html",
                )
            ),
        ]
    ),
    bodies,
)
BY_ISSUER: dict[str, Any] = {"issuer": "https://a.example"}
DEVICE = {
    "grant": "deviceCode",
    "tokenURL": "https://a.example/t",
    "deviceAuthorizationURL": "https://a.example/d",
}
SETTINGS = [CODE, {**CODE, **OF_USER}, DEVICE, BY_ISSUER]


@given(response=answers, settings=st.sampled_from(SETTINGS))
def test_whatever_is_answered_nothing_raises_and_nothing_leaks(
    response: HttpResponse, settings: dict[str, Any]
) -> None:
    found = accepted(settings)
    credentials = credentials_of(found)
    grant = METHOD.token_rules(found, credentials, CONTEXT).grant
    attempt = ConsentAttempt("s", "https://u", "https://r", 1, grant, NOW, verifier="the-verifier")
    device = DeviceCode("the-code", "AB", "https://a/b", NOW + timedelta(hours=1), grant, "https://a/t")
    # With what each shows the other side, and so may get back.
    for steps, shown in (
        (METHOD.exchange(found, credentials, attempt, BROUGHT, CONTEXT), {"the-code", "the-verifier"}),
        (METHOD.refresh(found, credentials, HELD, CONTEXT), {"old-refresh"}),
        (METHOD.start_device({**found, **DEVICE}, credentials, CONTEXT), set()),
        (METHOD.poll_device(found, credentials, device, CONTEXT), {"the-code"}),
        (
            METHOD.revoke({**found, "revocationURL": "https://a.example/r"}, credentials, HELD, CONTEXT),
            {"old-refresh"},
        ),
        (METHOD.authorization_link(found, credentials, "s", CONTEXT), set()),
    ):
        try:
            next(steps)
            steps.send(response)
        except StopIteration as end:
            _check(end.value, {"s3cret-of-client", *shown})
        else:
            steps.close()  # metadata that can be used


def _check(result: Any, secrets: set[str]) -> None:
    shown = f"{result!r}"
    match result:
        case TokenRefused(code, _, message):
            shown += code + message
            assert len(code) <= 64
            assert not code or code.isascii()
        case Tokens():
            shown += " ".join(result.scopes or ()) + result.token_type
            assert result.access_token.isprintable()
            assert result.access_token.isascii()
            assert result.expires_at is None or NOW < result.expires_at <= NOW + LONGEST
            assert result.refresh_token != ""
        case DeviceCode():
            shown += result.user_code + result.verification_uri + (result.verification_uri_complete or "")
            assert 1 <= result.interval <= 300
            assert result.device_code not in shown or len(result.device_code) < 8
        case ConsentAttempt():
            shown += result.url
        case DevicePending() | None:
            pass
        case _:
            raise AssertionError(shown)
    assert not any(secret in shown for secret in secrets)
