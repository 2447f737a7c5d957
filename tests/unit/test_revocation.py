"""When tokens are given back, to whom, and when there is no point in trying again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.auth.methods import METHODS
from integration_hub.auth.tokens import token_method
from integration_hub.credentials.record import CredentialRecord
from integration_hub.model.http import FailureKind, Outcome
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import Tokens
from integration_hub.reconcile.gates import pass_gates
from integration_hub.reconcile.inputs import (
    Answer,
    Effect,
    Inputs,
    Postponed,
    ReadRecord,
    ReadSecret,
    RecordAnswer,
    SecretAnswer,
    SecretState,
    Send,
)
from integration_hub.shell.revocation import Attempt, give_back, wants_finalizer
from support.builders import NOW, answered, definition, failed, found, inputs, instance

URL = "https://login.acme.example/revoke"
SETTINGS: dict[str, Any] = {
    "grant": "authorizationCode",
    "authorizationURL": "https://login.acme.example/authorize",
    "tokenURL": "https://login.acme.example/token",
    "revocationURL": URL,
}
SECRET = found(clientId="the-client", clientSecret="canary-of-a-client")
DONE = answered(200, "")


def oauth2(**settings: Any) -> dict[str, Any]:
    return {"name": "oauth", "type": "oauth2", "settings": SETTINGS | settings}


def given(
    *methods: dict[str, Any],
    status: dict[str, Any] | None = None,
    without_definition: bool = False,
    **spec: Any,
) -> Inputs:
    """An instance with `deletionPolicy: Revoke`; of a definition with OAuth 2.0 where none is given."""
    raw = instance(status=status, **({"deletionPolicy": "Revoke"} | spec))
    of = definition(authMethods=list(methods) or [oauth2()], allowedHosts=["*.acme.example"])
    return inputs(raw, of, without_definition=without_definition)


def tokens(about: Inputs, name: str = "a", **changes: Any) -> Tokens:
    """Tokens of the grant of now."""
    assert about.definition is not None
    assert about.definition.spec is not None
    settings = about.definition.spec.auth_methods[0].settings
    method = token_method(METHODS["oauth2"], settings)
    assert method is not None
    read = Credentials({key: value.decode() for key, value in SECRET.data.items()})
    passed = pass_gates(about).passed
    assert passed is not None
    rules = method.token_rules(settings, read, passed.context)
    whole: dict[str, Any] = {
        "access_token": f"access-{name}",
        "refresh_token": f"refresh-{name}",
        "obtained_at": NOW,
        "grant": rules.grant,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Tokens(**(whole | changes))


def stored(**fields: Any) -> RecordAnswer:
    return RecordAnswer(CredentialRecord(**fields), uid="r-1", version="5")


class Hands:
    """Answers what a story asks for, and remembers what was sent."""

    def __init__(self, record: RecordAnswer, *answers: Answer, secret: SecretAnswer = SECRET) -> None:
        self.sent: list[Send] = []
        self._record = record
        self._secret = secret
        self._answers = iter(answers)

    def do(self, effect: Effect) -> Answer:
        match effect:
            case ReadRecord():
                return self._record
            case ReadSecret():
                return self._secret
            case Send():
                self.sent.append(effect)
                answer = next(self._answers, None)
                assert answer is not None, "nothing more was expected to be sent"
                return answer
            case _:
                raise AssertionError(effect)

    def tell(self, about: Inputs) -> Attempt:
        story = give_back(about)
        try:
            effect = next(story)
            while True:
                effect = story.send(self.do(effect))
        except StopIteration as end:
            attempt: Attempt = end.value
            assert next(self._answers, None) is None, "more was expected to be sent"
            return attempt

    @property
    def given_back(self) -> list[str]:
        return [parse_qs((effect.request.body or b"").decode())["token"][0] for effect in self.sent]


# The finalizer


@pytest.mark.parametrize(
    ("about", "wanted", "because"),
    [
        (given(), True, "tokens are kept, and are to be given back"),
        (given(deletionPolicy=None), False, "nobody asks for it"),
        (given(deletionPolicy="Delete"), False, "nobody asks for it"),
        (given(deletionPolicy="Delete", suspend=True), False, "nobody asks for it"),
        (given(suspend=True), True, "a pause of tests changes nothing about tokens"),
        (given(without_definition=True), None, "it is not known if tokens are kept"),
        (given({"name": "x", "type": "nonsense"}), None, "it is not known if tokens are kept"),
        (given({"name": "key", "type": "apiKey"}), None, "tokens of another method may be there"),
        (given(oauth2(), {"name": "key", "type": "apiKey"}), None, "no method is chosen"),
        (given(oauth2(), {"name": "key", "type": "apiKey"}, auth={"method": "oauth"}), True, "it is chosen"),
        (given(auth={"method": "other"}), None, "there is no such method"),
        (given(without_definition=True, deletionPolicy=None), False, "nobody asks for it"),
    ],
)
def test_only_an_instance_with_tokens_to_give_back_is_held_back(
    about: Inputs, wanted: bool | None, because: str
) -> None:
    assert wants_finalizer(about) is wanted, because


# What is given back


def test_the_refresh_token_is_given_back_with_which_the_access_token_goes() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about)), DONE)
    assert hands.tell(about) == Attempt(revoked=1)
    assert hands.given_back == ["refresh-a"]
    request = hands.sent[0].request
    assert (request.method, request.url, request.purpose) == ("POST", URL, "token")


def test_what_was_not_yet_tested_is_given_back_too() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about), candidate=tokens(about, "b")), DONE, DONE)
    assert hands.tell(about) == Attempt(revoked=2)
    assert hands.given_back == ["refresh-b", "refresh-a"]


def test_one_token_is_given_back_once() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about), candidate=tokens(about)), DONE)
    assert hands.tell(about) == Attempt(revoked=1)


def test_without_a_refresh_token_the_access_token_is_given_back_while_it_lives() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about, refresh_token=None)), DONE)
    assert hands.tell(about) == Attempt(revoked=1)
    assert hands.given_back == ["access-a"]

    ended = tokens(about, refresh_token=None, obtained_at=NOW - timedelta(hours=2), expires_at=NOW)
    assert Hands(stored(tokens=ended)).tell(about) == Attempt()


@pytest.mark.parametrize("record", [CredentialRecord(), CredentialRecord(tokens=Tokens("", NOW, "g"))])
def test_where_there_are_no_tokens_nothing_is_asked(record: CredentialRecord) -> None:
    about = given(without_definition=True)
    assert Hands(RecordAnswer(record, uid="r-1", version="5")).tell(about) == Attempt()
    assert Hands(RecordAnswer()).tell(about) == Attempt(), "nothing was ever obtained"


def test_what_must_not_be_logged_is_told_with_each_request() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about)), DONE)
    hands.tell(about)
    assert {"access-a", "refresh-a", "canary-of-a-client"} <= set(hands.sent[0].sensitive)
    assert hands.sent[0].allowed_hosts == ("*.acme.example",)


# When it cannot work


def test_tokens_of_another_grant_are_shown_to_nobody() -> None:
    # The address may be another party's by now.
    about = given()
    hands = Hands(stored(tokens=tokens(about, grant="of-before")))
    attempt = hands.tell(about)
    assert (attempt.revoked, attempt.lasting) == (0, True)
    assert "before the client, its scopes or an address have changed" in attempt.problem


def test_what_can_be_given_back_is_although_the_rest_cannot() -> None:
    about = given()
    hands = Hands(
        stored(tokens=tokens(about, "old", grant="of-before"), candidate=tokens(about, "new")), DONE
    )
    attempt = hands.tell(about)
    assert hands.given_back == ["refresh-new"]
    assert (attempt.revoked, attempt.lasting, bool(attempt.problem)) == (1, True, True)


def test_what_may_yet_succeed_is_worth_another_try_whatever_cannot() -> None:
    about = given()
    hands = Hands(stored(tokens=tokens(about, "old", grant="x"), candidate=tokens(about)), answered(503))
    assert not hands.tell(about).lasting


CANNOT_WORK: dict[str, tuple[Inputs, str]] = {
    "no definition": (given(without_definition=True), "There is no IntegrationDefinition 'acme'."),
    "a broken definition": (given(oauth2(grant="nonsense")), "has mistakes"),
    "a broken configuration": (given(config={"region": "mars"}), "spec.config.region"),
    "another method": (given({"name": "key", "type": "apiKey"}), "not of auth method 'key'"),
}


@pytest.mark.parametrize("case", CANNOT_WORK)
def test_what_can_never_work_is_not_tried_again(case: str) -> None:
    about, words = CANNOT_WORK[case]
    secret = found() if case == "another method" else SECRET
    attempt = Hands(stored(tokens=tokens(given())), secret=secret).tell(about)
    assert attempt.lasting
    assert words in attempt.problem


def test_a_definition_without_a_url_for_it_says_so() -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != "revocationURL"}
    about = given({"name": "oauth", "type": "oauth2", "settings": settings})
    attempt = Hands(stored(tokens=tokens(about))).tell(about)
    assert attempt == Attempt(
        problem="The definition names no URL at which tokens can be given back.", lasting=True
    )


@pytest.mark.parametrize(
    ("secret", "lasting"),
    [
        (SecretAnswer(SecretState.NOT_FOUND), True),
        (found(clientId="x"), True),
        (SecretAnswer(SecretState.FORBIDDEN), False),
    ],
)
def test_credentials_that_are_gone_do_not_come_back_and_rights_may(
    secret: SecretAnswer, lasting: bool
) -> None:
    about = given()
    attempt = Hands(stored(tokens=tokens(about)), secret=secret).tell(about)
    assert attempt.problem
    assert attempt.lasting is lasting


@pytest.mark.parametrize(
    ("reason", "lasting"),
    [
        (Reason.CREDENTIAL_UNREADABLE, True),
        (Reason.KEYRING_UNAVAILABLE, False),
        (Reason.CREDENTIAL_NOT_STORED, False),
    ],
)
def test_a_record_that_cannot_be_opened_is_waited_for_only_where_that_may_pass(
    reason: Reason, lasting: bool
) -> None:
    answer = RecordAnswer(problem=CredentialProblem(reason, "Why."))
    assert Hands(answer).tell(given()) == Attempt(problem="Why.", lasting=lasting)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (None, False),
        ({"credential": {"id": "r-1", "expiresAt": "2026-03-01T13:00:00Z"}}, True),
        ({"credential": {"id": "r-1"}}, True),
        (
            {"credential": {"id": "r-1"}, "authorization": {"url": "u", "expiresAt": "2026-03-01T13:00:00Z"}},
            False,
        ),
    ],
)
def test_a_record_that_is_gone_is_missed_where_there_were_tokens(
    status: dict[str, Any] | None, problem: bool
) -> None:
    attempt = Hands(RecordAnswer()).tell(given(status=status))
    assert bool(attempt.problem) is attempt.lasting is problem
    if problem:
        assert "Secret 'hub-credential-i-1', which held them, is gone." in attempt.problem


def test_a_record_that_was_never_there_is_not_missed() -> None:
    about = given({"name": "key", "type": "apiKey"}, status={"credential": {"id": "s-1"}})
    assert Hands(RecordAnswer()).tell(about) == Attempt()


# Answers


@pytest.mark.parametrize(
    ("answer", "lasting"),
    [
        (answered(503), False),
        (answered(500, {"error": "server_error"}), False),
        (answered(429), False),
        (answered(400, {"error": "unsupported_token_type"}), True),
        (answered(401, {"error": "invalid_client"}), True),
        (answered(404), True),
        (answered(302), True),
        (failed(FailureKind.CONNECTION_REFUSED), False),
        (failed(FailureKind.RESPONSE_TIMEOUT), False),
        (failed(FailureKind.HOST_UNAVAILABLE), False),
        (failed(FailureKind.HOST_NOT_ALLOWED), True),
        (failed(FailureKind.ADDRESS_NOT_ALLOWED, "10.0.0.1 is a private address"), True),
    ],
)
def test_what_may_pass_is_tried_again_and_what_is_refused_is_not(answer: Outcome, lasting: bool) -> None:
    about = given()
    attempt = Hands(stored(tokens=tokens(about)), answer).tell(about)
    assert attempt.problem
    assert attempt.revoked == 0
    assert attempt.lasting is lasting


def test_a_refusal_is_told_by_its_code_and_shows_no_token() -> None:
    about = given()
    body = {"error": "invalid_client", "error_description": "refresh-a is of another client"}
    attempt = Hands(stored(tokens=tokens(about)), answered(401, body)).tell(about)
    assert "HTTP status 401, code 'invalid_client'" in attempt.problem
    assert "refresh-a" not in attempt.problem


def test_a_token_that_is_of_no_use_any_more_counts_as_given_back() -> None:
    # RFC 7009 section 2.2 asks for 200; some answer otherwise.
    about = given()
    answer = answered(400, {"error": "invalid_grant"})
    assert Hands(stored(tokens=tokens(about)), answer).tell(about) == Attempt(revoked=1)


def test_whose_turn_it_is_not_comes_back_no_sooner_than_told() -> None:
    about = given()
    attempt = Hands(stored(tokens=tokens(about)), Postponed(17.0)).tell(about)
    assert (attempt.lasting, attempt.pause) == (False, 17.0)
