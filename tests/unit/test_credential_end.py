"""When a credential ends, as an answer tells: what is understood, what is told of the rest, and what is made of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_hub.model.http import FailureKind, HttpResponse
from integration_hub.probe.credential_end import CredentialEnd, credential_end
from integration_hub.probe.expressions import Document
from integration_hub.reconcile.summary import says_the_same
from integration_hub.reconcile.times import parse_timestamp, timestamp
from support.builders import (
    CANARY,
    NOW,
    Raw,
    Told,
    after,
    answered,
    definition,
    failed,
    found,
    inputs,
    instance,
    jwt,
    tell,
)
from support.token_world import Provider, World, oauth

DAY = timedelta(days=1)
END = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)


def read(value: Any, expression: str = "response.json.end", **config: Any) -> CredentialEnd:
    return credential_end(
        expression, Document(HttpResponse(200, {}, json.dumps({"end": value}).encode()), config)
    )


@pytest.mark.parametrize(
    "value",
    [
        "2026-12-31T12:00:00Z",
        "2026-12-31T12:00:00.000Z",
        "2026-12-31T13:00:00+01:00",
        "2026-12-31T13:00:00.000+0100",
        "2026-12-31T12:00:00",
        "2026-12-31 12:00:00 UTC",
        "2026-12-31 05:00:00 -0700",
        " 2026-12-31T12:00:00Z ",
        1798718400,
        1798718400.25,
        1798718400000,
        "1798718400",
    ],
)
def test_a_moment_is_read_however_it_is_written(value: Any) -> None:
    end = read(value)
    assert end.unreadable == ""
    assert end.ends_at is not None
    assert timestamp(end.ends_at) == timestamp(END)


def test_a_date_is_its_beginning_in_utc() -> None:
    assert read("2026-12-31") == CredentialEnd(datetime(2026, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("timestamp(response.json.end)", "2026-12-31T12:00:00Z"),
        ("timestamp(response.json.end)", "2026-12-31T13:00:00+01:00"),
        ("timestamp(response.json.end) + duration('24h')", "2026-12-30T12:00:00Z"),
        ("response.json.end + 'T12:00:00Z'", "2026-12-31"),
        ("timestamp(response.json.end) + duration(config.life)", "2026-12-30T12:00:00Z"),
    ],
)
def test_it_may_be_reckoned(expression: str, value: str) -> None:
    end = read(value, expression, life="24h")
    assert end.ends_at is not None
    assert timestamp(end.ends_at) == timestamp(END)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-05:00",
        "9999-12-31",
        253402300799000,
        253402300799,
        0,
        -1,
        "0",
        "-1",
        "",
    ],
)
def test_never_is_no_end(value: Any) -> None:
    assert read(value) == CredentialEnd(None)


def test_never_may_come_as_a_timestamp_of_cel() -> None:
    assert read("9999-12-31T23:59:59-05:00", "timestamp(response.json.end)") == CredentialEnd(None)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (True, "is no moment"),
        ("soon", "is no moment"),
        ("2026-13-45", "is no moment"),
        ("1" * 400, "is no moment"),
        (10**30, "is no moment"),
        (1e308, "is no moment"),
        (3600, "before the year 2000"),
        ("1970-01-01T00:00:00Z", "before the year 2000"),
        ("0001-01-01T00:00:00Z", "before the year 2000"),
        ({"at": 1}, "the result is a map"),
        ([1], "the result is a list"),
    ],
)
def test_of_anything_else_is_said_why_it_cannot_be_read(value: Any, says: str) -> None:
    end = read(value)
    assert end.ends_at is None
    assert says in end.unreadable


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "0001-01-01T00:00:00Z"])
def test_the_first_year_as_a_timestamp_of_cel_is_no_end_either(text: str) -> None:
    assert "before the year 2000" in read(text, "timestamp(response.json.end)").unreadable


def test_what_is_missing_is_named() -> None:
    assert read(1, "response.json.ends_at").unreadable == "the answer has no field 'ends_at'"
    assert read(1, "config.life").unreadable == "the configuration has no value for 'life'"


@given(
    st.one_of(st.text(max_size=70), st.integers(), st.floats(), st.dates().map(str), st.datetimes().map(str))
)
def test_whatever_comes_is_understood_or_explained_in_words_of_ours(value: Any) -> None:
    body = json.dumps({"end": value}).encode()
    for expression in ("response.json.end", "timestamp(response.json.end)"):
        end = credential_end(expression, Document(HttpResponse(200, {}, body)))
        assert end.ends_at is None or (end.ends_at.year >= 2000 and not end.unreadable)
        if end.ends_at is not None:
            assert re.fullmatch(r"[2-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", timestamp(end.ends_at))


# What is made of it


def telling(*, second: bool = False, **spec: Any) -> Raw:
    """A definition whose default test tells when the key ends; with a second one, that one tells, too."""
    tests = [
        {
            "name": name,
            "default": name == "account",
            "request": {"path": f"/v1/{name}"},
            "identity": "response.json.email",
            "credentialExpiresAt": "response.json.ends",
        }
        for name in ("account", *(["key"] if second else []))
    ]
    return definition(tests=tests, **spec)


def ends(value: Any) -> Any:
    return answered(body={"email": "ops@acme", "ends": value})


def expires(told: Told) -> str | None:
    assert told.status.credential is not None
    return told.status.credential.expires_at


class TestStatus:
    def test_it_stands_in_status_and_is_warned_of(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-03-21"))
        assert first.says("Ready") == ("True", "Connected")
        assert expires(first) == "2026-03-21T00:00:00Z"
        assert first.decision.notices == ()
        assert first.decision.due is not None
        late = datetime(2026, 3, 21, tzinfo=UTC) - 13 * DAY
        later = tell(inputs(after(raw, first), of=telling(), now=late), secret, ends("2026-03-21"))
        (notice,) = later.decision.notices
        assert "2026-03-21" in notice.message
        again = tell(inputs(after(raw, later), of=telling(), now=late + DAY), secret, ends("2026-03-21"))
        assert again.decision.notices == ()

    def test_the_same_end_is_no_news(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-06-01T00:00:00Z"))
        soon = NOW + timedelta(minutes=3)
        raw = after(raw, first, request="again")
        for same in ("2026-06-01T00:00:00Z", "2026-06-01T00:00:02Z", "2026-05-31T23:59:58Z"):
            told = tell(inputs(raw, of=telling(), now=soon), secret, ends(same))
            assert expires(told) == "2026-06-01T00:00:00Z"
            assert says_the_same(told.status.model_copy(update={"last_handled_request": None}), first.status)

    def test_another_end_is_written(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-06-01"))
        told = tell(inputs(after(raw, first), of=telling(), now=NOW + DAY), secret, ends("2026-09-01"))
        assert told.decision.write
        assert expires(told) == "2026-09-01T00:00:00Z"

    def test_a_credential_that_has_no_end_any_more_has_none(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-06-01"))
        told = tell(inputs(after(raw, first), of=telling(), now=NOW + DAY), secret, ends(None))
        assert expires(told) is None

    def test_what_cannot_be_read_is_said_and_breaks_nothing(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-06-01"))
        odd = f"the {CANARY} of June"
        told = tell(inputs(after(raw, first), of=telling(), now=NOW + DAY), secret, ends(odd))
        assert told.says("Ready") == ("True", "Connected")
        assert (
            "When the credential ends cannot be read: what stands there is no moment."
            in told.test("account").message
        )
        assert CANARY not in repr(told.decision)
        assert expires(told) == "2026-06-01T00:00:00Z", "what was read before counts on"
        again = tell(inputs(after(raw, told), of=telling(), now=NOW + 2 * DAY), secret, ends(odd))
        assert says_the_same(again.status, told.status)

    def test_a_failure_takes_nothing_back(self) -> None:
        raw, secret = instance(), found(apiKey="k")
        first = tell(inputs(raw, of=telling()), secret, ends("2026-06-01"))
        for outcome in (failed(FailureKind.CONNECTION_REFUSED), answered(500), answered(401)):
            told = tell(inputs(after(raw, first), of=telling(), now=NOW + DAY), secret, outcome)
            assert told.test("account").last_result != "Success"
            assert expires(told) == "2026-06-01T00:00:00Z"

    def test_another_secret_is_another_credential(self) -> None:
        raw = instance()
        first = tell(inputs(raw, of=telling()), found(apiKey="k"), ends("2026-06-01"))
        told = tell(
            inputs(after(raw, first), of=telling(), secret_version="8"),
            found("8", apiKey="other"),
            answered(401),
        )
        assert expires(told) is None

    def test_of_several_tests_the_earliest_counts_whichever_is_made(self) -> None:
        raw = instance(tests=[{"name": "key", "monitor": {"interval": "48h"}}])
        secret, of = found(apiKey="k"), telling(second=True)
        first = tell(inputs(raw, of=of), secret, ends("2026-09-01"), ends("2026-06-01"))
        assert first.made == ["account", "key"]
        assert expires(first) == "2026-06-01T00:00:00Z"
        told = tell(inputs(after(raw, first), of=of, now=NOW + DAY), secret, ends("2026-08-01"))
        assert told.made == ["account"]
        assert expires(told) == "2026-06-01T00:00:00Z"

    def test_of_the_answer_and_the_credential_itself_the_earlier_counts(self) -> None:
        raw, near, far = instance(), NOW + 30 * DAY, NOW + 60 * DAY
        for own, said in ((near, far), (far, near)):
            told = tell(inputs(raw, of=telling()), found(apiKey=jwt(own)), ends(timestamp(said)))
            assert expires(told) == timestamp(near)

    def test_tokens_that_the_operator_obtained_keep_their_own(self) -> None:
        of = oauth()
        of["spec"]["tests"][0]["credentialExpiresAt"] = "'2026-03-02'"
        world = World(of=of, provider=Provider(life=3600))
        world.connect()
        assert world.ready == ("True", "Connected")
        assert world.status.credential is not None
        end = parse_timestamp(world.status.credential.expires_at)
        assert end is not None
        assert end < NOW + DAY
        assert all(test.credential_expires_at is None for test in world.status.tests)


def test_an_end_that_every_test_puts_off_is_warned_of_once() -> None:
    raw, secret, warnings = instance(), found(apiKey="k"), 0
    status = None
    for hours in range(0, 48, 2):
        now = NOW + timedelta(hours=hours)
        told = tell(
            inputs(after(raw, status) if status else raw, of=telling(), now=now),
            secret,
            ends((now + timedelta(days=7)).isoformat()),
        )
        warnings += sum(notice.reason == "CredentialExpiresSoon" for notice in told.decision.notices)
        status = told
    assert warnings == 1


def test_what_is_made_of_a_secret_that_an_answer_repeats_is_not_shown() -> None:
    key = "1893456000"
    told = tell(inputs(instance(), of=telling()), found(apiKey=key), ends(int(key)))
    assert told.says("Ready") == ("True", "Connected")
    assert expires(told) is None
