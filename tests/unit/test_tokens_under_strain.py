"""Tokens when things go wrong for long: outages, refusals, clocks that jump, two operators, Secrets that vanish."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from inspect import signature

import pytest

from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import URGENT_PATIENCE
from integration_hub.auth.flow import CredentialProblem
from integration_hub.credentials.record import Ending, to_fields
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.http import FailureKind, Outcome
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.inputs import (
    Answer,
    ConsentResult,
    Effect,
    RecordAnswer,
    SecretAnswer,
    SecretState,
    Send,
    WriteRecord,
)
from integration_hub.reconcile.keeper import LOST_PAUSE
from integration_hub.reconcile.pipeline import Story, reconcile
from integration_hub.shell.vault import ANNOUNCED_WITHIN
from support.builders import found, instance
from support.token_world import CLIENT, UID, DiedError, Provider, World, oauth

SENDS = 3
"""The number of the effect that sends a refresh token: Secret, record and intent go before it."""


def live(world: World, *, hours: float, most: int = 500) -> tuple[int, int]:
    """Let the operator come back whenever it wants to; return how often it did, and how many statuses it wrote."""
    assert world.decision is not None
    runs = writes = 0
    ends = world.now + timedelta(hours=hours)
    while world.decision.due is not None and world.decision.due < ends and runs < most:
        world.now = max(world.now, world.decision.due)
        writes += world.run().write
        runs += 1
        assert world.decision.due is None or world.decision.due > world.now, (
            "who comes back at once never rests"
        )
    return runs, writes


def begin(world: World) -> tuple[Story, Effect]:
    """Let one of two operators begin a reconcile; return it with the first thing that it asks for."""
    story = reconcile(world.given())
    return story, next(story)


def sent(world: World) -> tuple[Story, Effect]:
    """Let it come as far as to send a refresh token."""
    story, effect = begin(world)
    while not isinstance(effect, Send):
        effect = story.send(world.perform(effect))
    return story, effect


def go_on(world: World, story: Story, effect: Effect, answer: Answer = None) -> None:
    """Let it go on to the end. It learns of nothing that another has done meanwhile but from what it is answered."""
    with suppress(StopIteration):
        effect = story.send(answer if answer is not None else world.perform(effect))
        while True:
            effect = story.send(world.perform(effect))


class TestOutage:
    """The token URL is of no use for hours, and the access token has ended meanwhile."""

    @pytest.mark.parametrize("grant", ["authorizationCode", "clientCredentials"])
    def test_a_token_url_that_is_down_is_asked_as_seldom_as_any_other_system(self, grant: str) -> None:
        world = self._overdue(grant)
        world.provider.down = FailureKind.CONNECTION_REFUSED
        live(world, hours=0.5)
        asked = world.provider.token_requests
        _, writes = live(world, hours=2)
        assert world.provider.token_requests - asked <= 15
        assert writes <= 15
        world.provider.down = None
        live(world, hours=0.3)
        assert world.ready == ("True", "Connected")

    @pytest.mark.parametrize("grant", ["authorizationCode", "clientCredentials"])
    def test_a_client_that_is_refused_is_not_tried_again_and_again(self, grant: str) -> None:
        world = self._overdue(grant)
        world.provider.refuses = "invalid_client"
        live(world, hours=0.5)
        asked = world.provider.token_requests
        live(world, hours=20)
        assert world.provider.token_requests - asked <= 1
        assert world.ready == ("False", "TokenClientRejected")

    def test_a_token_that_ended_while_the_operator_was_away_is_renewed_before_a_test_is_due(self) -> None:
        world = World()
        world.connect()
        world.pass_time(minutes=61)
        world.started = False
        world.run()
        assert len(world.provider.shown) == 1
        assert world.ready == ("True", "Connected")

    def test_tokens_that_live_for_seconds_are_obtained_when_a_test_needs_them(self) -> None:
        world = World(of=oauth("clientCredentials"), provider=Provider(life=5))
        world.run()
        live(world, hours=1)
        assert world.ready == ("True", "Connected")
        assert world.provider.token_requests <= 8

    def test_tokens_that_live_for_years_are_kept(self) -> None:
        world = World(provider=Provider(life=10 * 365 * 86400))
        world.connect()
        live(world, hours=24)
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == []

    @staticmethod
    def _overdue(grant: str) -> World:
        world = World(of=oauth(grant))
        world.run()
        if grant == "authorizationCode":
            world.bring(code="good-code")
        world.pass_time(minutes=53)
        return world


class TestClock:
    """The clock was wrong, and was put right."""

    def test_tokens_of_a_clock_that_was_ahead_are_renewed_when_they_are_refused(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.now += timedelta(days=400)
        world.run()
        world.now -= timedelta(days=400)
        world.provider.access.clear()
        world.started = False
        world.raw["status"] = {}
        world.run()
        assert world.provider.token_requests == 2
        assert world.ready == ("True", "Connected")

    def test_a_lost_answer_of_a_clock_that_was_ahead_hinders_no_renewal(self) -> None:
        world = World(of=oauth(refresh={"reuse": "grace"}), provider=Provider(grace=True))
        world.connect()
        world.provider.lose_answers = 1
        world.now += timedelta(days=400)
        world.run()
        world.now -= timedelta(days=399)
        world.raw["status"] = {}
        for _ in range(5):
            world.pass_time(minutes=15)
            world.run()
        assert world.ready == ("True", "Connected")


class TestTwoOperators:
    """One is being replaced by another, and still waits for the answer to a renewal."""

    @pytest.mark.parametrize("reuse", ["grace", "strict"])
    def test_a_renewal_that_another_has_just_begun_is_left_to_it(self, reuse: str) -> None:
        world = World(of=oauth(refresh={"reuse": reuse}))
        world.connect()
        world.pass_time(minutes=53)
        with pytest.raises(DiedError):
            world.run(die_before=SENDS)
        assert world.record.intent is not None
        world.pass_time(seconds=5)
        world.run()
        assert world.provider.shown == []
        assert world.record.intent is not None, "the other one's answer still has its place"
        assert world.ready == ("True", "Connected")

    def test_a_refresh_token_of_the_secret_that_another_has_just_sent_is_left_to_it(self) -> None:
        world = World(
            of=oauth("refreshToken"),
            provider=Provider(current="given-refresh"),
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        with pytest.raises(DiedError):
            world.run(die_before=SENDS)
        assert world.record.intent is not None
        world.pass_time(seconds=5)
        world.run()
        assert world.provider.shown == []
        world.pass_time(seconds=60)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_who_has_taken_long_before_it_is_left_alone_as_long_as_any_other(self) -> None:
        world = self._due("strict")
        story, effect = begin(world)
        while not isinstance(effect, WriteRecord):
            world.pass_time(seconds=30)  # so slowly does the API server answer
            effect = story.send(world.perform(effect))
        effect = story.send(world.perform(effect))
        assert isinstance(effect, Send)
        world.pass_time(seconds=10)
        world.run()
        assert world.provider.shown == []
        assert world.record.intent is not None
        go_on(world, story, effect)
        assert world.ready == ("True", "Connected")
        assert "intent" not in world.fields

    def test_nobody_is_given_up_whose_answer_can_still_come(self) -> None:
        exchange = signature(HttpClient.__init__).parameters["total_timeout"].default
        assert ANNOUNCED_WITHIN + URGENT_PATIENCE + exchange < LOST_PAUSE.total_seconds() - 1

    def test_metadata_is_asked_for_before_the_wait_begins(self) -> None:
        world = World(of=oauth(issuer="https://eu.acme.example", refresh={"reuse": "strict"}))
        world.connect()
        world.pass_time(minutes=53)
        world.provider.down = FailureKind.RESPONSE_TIMEOUT
        before = world.version
        world.run()
        assert world.version == before, "nothing is announced that cannot be sent"
        world.provider.down = None
        world.pass_time(minutes=2)
        world.run()
        told = [
            effect.request.method if isinstance(effect, Send) else "intent"
            for effect in world.effects
            if isinstance(effect, Send) or (isinstance(effect, WriteRecord) and effect.record.intent)
        ]
        assert told[:3] == ["GET", "intent", "POST"]
        assert len(world.provider.shown) == 1

    def test_an_answer_that_comes_after_it_was_given_up_counts_all_the_same(self) -> None:
        world = self._due("strict")
        story, effect = sent(world)
        answer = world.perform(effect)
        world.pass_time(seconds=21)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        assert world.status.authorization is not None
        go_on(world, story, effect, answer)
        world.run()
        assert world.ready == ("True", "Connected")
        assert "authorization" not in world.raw["status"]
        assert world.record.ending is None
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("True", "Connected")
        assert len(world.provider.shown) == len(set(world.provider.shown)) == 2

    def test_an_answer_that_comes_after_somebody_has_consented_anew_does_not(self) -> None:
        world = self._due("strict")
        story, effect = sent(world)
        answer = world.perform(effect)
        world.pass_time(seconds=21)
        world.run()
        world.bring(code="second-code")
        assert world.ready == ("True", "Connected")
        tokens = world.record.tokens
        go_on(world, story, effect, answer)
        assert world.record.tokens == tokens

    def test_an_answer_that_comes_while_a_consent_is_untested_is_stored_beside_it(self) -> None:
        world = self._due("strict")
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.provider.down = FailureKind.CONNECTION_REFUSED
        world.run()
        world.provider.down = None
        world.pass_time(minutes=2)
        story, effect = sent(world)
        answer = world.perform(effect)
        world.provider.codes.add("second-code")
        with pytest.raises(DiedError):
            world.run(ConsentAnswer(world.state(), code="second-code"), die_after=4)
        candidate = world.record.candidate
        assert candidate is not None
        assert world.record.intent is not None
        go_on(world, story, effect, answer)
        assert world.record.candidate == candidate
        assert "intent" not in world.fields
        assert isinstance(answer, Outcome)
        assert answer.response is not None
        assert world.record.tokens is not None
        assert world.record.tokens.access_token == json.loads(answer.response.body)["access_token"]

    @staticmethod
    def _due(reuse: str) -> World:
        world = World(of=oauth(refresh={"reuse": reuse}))
        world.connect()
        world.pass_time(minutes=53)
        return world


class TestDoubt:
    def test_grace_sends_it_twice_in_all_whatever_comes_between(self) -> None:
        world = World(of=oauth(refresh={"reuse": "grace"}))
        world.connect()
        first = world.record.tokens
        assert first is not None
        world.pass_time(minutes=49)
        for number in range(12):
            world.pass_time(minutes=1)
            world.provider.lose_answers = 1
            world.provider.down = FailureKind.CONNECTION_REFUSED if number % 2 else None
            world.run()
        assert world.provider.shown.count(first.refresh_token or "") == 2

    def test_a_refusal_leaves_no_doubt_behind(self) -> None:
        world = World(
            of=oauth("refreshToken", refresh={"reuse": "reusable"}),
            provider=Provider(current="given-refresh", rotates=False),
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        assert world.ready == ("True", "Connected")
        world.provider.refuses = "invalid_grant"
        world.pass_time(minutes=70)
        world.run()
        assert world.ready == ("False", "TokenGrantRejected")
        assert "intent" not in world.fields
        asked = world.provider.token_requests
        live(world, hours=12)
        assert world.provider.token_requests - asked <= 1


class TestWishes:
    """Somebody has asked to authorise anew what works, and nothing can come of it."""

    def test_a_wish_for_which_no_link_can_be_made_is_answered(self) -> None:
        world = World()
        world.connect()
        world.redirect_uri = ""
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        self._answered(world, "AuthorizationUnavailable")

    def test_a_wish_for_which_no_code_is_given_out_is_answered(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "granted"
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("True", "Connected")
        world.provider.refuses = "unauthorized_client"
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        self._answered(world, "AuthorizationFailed")

    def test_a_wish_that_a_client_is_refused_for_is_answered(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        before = world.record.tokens
        world.provider.refuses = "invalid_client"
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        self._answered(world, "AuthorizationFailed")
        assert world.record.tokens == before

    def test_a_wish_does_not_send_a_refresh_token_that_was_used_up(self) -> None:
        world = World(
            of=oauth("refreshToken", refresh={"reuse": "strict"}),
            provider=Provider(current="given-refresh"),
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown.count("given-refresh") == 1
        assert world.status.last_authorize_result == "Completed"

    def test_a_wish_is_left_for_later_where_what_came_of_it_could_not_be_stored(self) -> None:
        world = World(
            of=oauth("refreshToken"),
            provider=Provider(current="given-refresh"),
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        perform = world.perform

        def refuse_once(effect: Effect) -> Answer:
            if isinstance(effect, WriteRecord) and effect.attempt:
                world.perform = perform  # type: ignore[method-assign]
                return RecordAnswer(problem=CredentialProblem(Reason.CREDENTIAL_NOT_STORED, "Not now."))
            return perform(effect)

        world.perform = refuse_once  # type: ignore[method-assign]
        world.run()
        assert [effect.attempt != "" for effect in world.effects if isinstance(effect, WriteRecord)] == [
            False,
            True,
        ], "the intent, then what came: it is held, and nothing is written over it"
        assert world.status.last_handled_authorize is None
        assert world.ready == ("True", "Connected")

    @staticmethod
    def _answered(world: World, reason: str) -> None:
        assert world.ready == ("True", "Connected")
        ready = world.status.condition("Ready")
        assert ready is not None
        assert reason in ready.message
        assert world.status.last_handled_authorize == "again-1"
        assert world.status.last_authorize_result == "Refused"
        asked = world.provider.token_requests
        world.run()
        assert world.provider.token_requests == asked, "a wish is answered once"


class TestStoring:
    """The API server takes no record."""

    def test_what_cannot_be_stored_is_not_sent_and_harms_nobody_while_the_token_lives(self) -> None:
        world = World()
        world.connect()
        world.refuses_writes = True
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == []
        world.pass_time(minutes=10)
        world.run()
        assert world.ready == ("False", "CredentialNotStored")
        assert world.provider.shown == []
        live(world, hours=1)
        world.refuses_writes = False
        world.pass_time(minutes=2)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_token_that_is_refused_when_nothing_can_be_stored_does_not_wear_the_system_out(self) -> None:
        world = World()
        world.connect()
        world.refuses_writes = True
        world.provider.access.clear()
        world.pass_time(minutes=12)
        world.run()
        assert world.ready == ("False", "CredentialNotStored")
        runs, _ = live(world, hours=1)
        assert runs <= 70


class TestWorkloads:
    """What workloads have while the operator cannot go on."""

    @pytest.mark.parametrize("reason", [Reason.KEYRING_UNAVAILABLE, Reason.CREDENTIAL_UNREADABLE])
    def test_a_record_that_cannot_be_opened_takes_no_live_token_from_workloads(self, reason: Reason) -> None:
        world = self._bound()
        world.connect()
        had = world.bindings["for-apps"]
        world.unopened = CredentialProblem(reason, "It cannot be opened.")
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("False", reason)
        assert world.bindings["for-apps"] == had
        live(world, hours=0.5)
        assert "accessToken" not in world.bindings["for-apps"], "it has ended by now"
        world.unopened = None
        world.pass_time(minutes=2)
        world.run()
        assert world.ready == ("True", "Connected")
        assert "accessToken" in world.bindings["for-apps"]

    def test_a_token_that_ends_while_it_cannot_be_renewed_is_taken_from_workloads(self) -> None:
        world = self._bound()
        world.connect()
        world.pass_time(minutes=53)
        world.provider.down = FailureKind.CONNECTION_REFUSED
        world.run()
        assert "accessToken" in world.bindings["for-apps"]
        live(world, hours=0.12)
        assert "accessToken" not in world.bindings["for-apps"]
        world.provider.down = None
        live(world, hours=0.3)
        assert "accessToken" in world.bindings["for-apps"]

    @pytest.mark.parametrize("why", ["suspended", "secret", "config"])
    def test_a_token_that_ends_while_nothing_is_tested_is_taken_from_workloads(self, why: str) -> None:
        world = self._bound()
        world.connect()
        kept = world.secret
        if why == "secret":
            world.secret = SecretAnswer(SecretState.NOT_FOUND)
        world.change(suspend=why == "suspended", config={"region": 1 if why == "config" else "eu"})
        world.run()
        assert world.ready[0] != "True"
        assert "accessToken" in world.bindings["for-apps"], "it still works"
        assert world.status.condition("Delivered") is not None
        live(world, hours=2)
        assert "accessToken" not in world.bindings["for-apps"]
        self._withdrawn(world)
        world.secret = kept
        world.change(suspend=False, config={"region": "eu"})
        world.run()
        assert world.ready == ("True", "Connected")
        assert "accessToken" in world.bindings["for-apps"]

    def test_status_says_that_nothing_is_delivered_once_a_grant_has_ended(self) -> None:
        world = self._bound()
        world.connect()
        world.provider.refuses = "invalid_grant"
        world.pass_time(minutes=53)
        world.run()
        assert "accessToken" not in world.bindings["for-apps"]
        self._withdrawn(world)

    @staticmethod
    def _withdrawn(world: World) -> None:
        told = world.status.condition("Delivered")
        assert told is not None
        assert (told.status, told.reason) == ("False", "BindingWithdrawn")

    def test_nothing_is_made_for_workloads_before_there_is_something(self) -> None:
        world = self._bound()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert world.bindings == {}
        world.bring(code="good-code")
        assert "accessToken" in world.bindings["for-apps"]

    def test_a_binding_that_is_not_wanted_any_more_goes_even_while_the_secret_is_missing(self) -> None:
        world = self._bound()
        world.connect()
        world.secret = SecretAnswer(SecretState.NOT_FOUND)
        world.change(binding=None)
        world.run()
        assert world.ready == ("False", "SecretNotFound")
        assert world.bindings == {}
        assert world.status.binding is None

    def test_another_name_while_the_secret_is_missing_is_delivered_to_once_it_is_there(self) -> None:
        world = self._bound()
        world.connect()
        kept, world.secret = world.secret, SecretAnswer(SecretState.NOT_FOUND)
        world.change(binding={"secretName": "other"})
        world.run()
        assert world.bindings == {}
        assert world.status.binding is None
        assert world.status.condition("Delivered") is None
        world.secret = kept
        world.run()
        assert set(world.bindings) == {"other"}

    @staticmethod
    def _bound() -> World:
        raw = instance(uid=UID, auth={"secretRef": {"name": "acme-key"}}, binding={"secretName": "for-apps"})
        return World(raw=raw)


class TestBrowsers:
    """What a browser brings comes at a bad moment."""

    def test_a_code_that_could_not_be_sent_yet_may_be_brought_again(self) -> None:
        world = World()
        world.run()
        state = world.state()
        world.provider.postpones = 1
        decision = world.bring(code="good-code")
        assert decision.consent is ConsentResult.BUSY
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert world.state() == state
        world.bring(code="good-code")
        assert world.ready == ("True", "Connected")

    def test_tokens_are_kept_although_somebody_else_has_stored_something_at_that_moment(self) -> None:
        world = World()
        world.connect()
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        before = world.record.tokens
        world.interferes = lambda record: replace(record, consent_ends_at=world.now)
        world.bring(code="second-code")
        assert world.ready == ("True", "Connected")
        assert world.record.tokens != before
        assert world.status.last_authorize_result == "Completed"

    def test_a_link_to_an_address_that_the_operator_has_no_more_gives_way_to_another(self) -> None:
        world = World()
        world.run()
        world.redirect_uri = "https://elsewhere.example.com/oauth/callback"
        world.started = False
        world.run()
        assert "elsewhere.example.com" in world.link()


class TestRecovery:
    def test_what_is_obtained_by_itself_is_obtained_anew_where_its_key_is_lost(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        world.unopened = CredentialProblem(Reason.CREDENTIAL_UNREADABLE, "Its key is lost.")
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.record.tokens is not None

    @pytest.mark.parametrize("grant", ["authorizationCode", "refreshToken"])
    def test_what_cannot_be_had_again_is_never_written_over(self, grant: str) -> None:
        world = World(
            of=oauth(grant),
            provider=Provider(current="given-refresh"),
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        if grant == "authorizationCode":
            world.bring(code="good-code")
        had = world.fields
        world.unopened = CredentialProblem(Reason.CREDENTIAL_UNREADABLE, "Its key is lost.")
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("False", "CredentialUnreadable")
        assert world.fields == had
        world.unopened = None
        world.run()
        assert world.ready == ("True", "Connected")


@pytest.mark.parametrize("part", ["ending", "refusal"])
def test_a_reason_of_another_version_of_the_operator_breaks_nothing(part: str) -> None:
    world = World()
    world.connect()
    tokens = (
        replace(world.record.tokens, access_token="", refresh_token=None) if world.record.tokens else None
    )
    told = Ending("ReasonOfTomorrow", "Something new.", world.now)
    record = replace(world.record, tokens=tokens, ending=told if part == "ending" else None)
    world.fields = to_fields(replace(record, refusal=told if part == "refusal" else None))
    world.pass_time(minutes=70)
    world.run()
    assert world.ready[1] == "ReauthenticationRequired"
    assert world.status.authorization is not None


def test_status_takes_no_more_scopes_than_the_api_server_does() -> None:
    scopes = " ".join(f"scope-{number}" for number in range(190))
    world = World(provider=Provider(scope=f"read {scopes}"))
    world.connect()
    assert world.status.credential is not None
    assert len(world.status.credential.scopes) == 100


class TestMissing:
    def test_a_secret_that_is_gone_when_tokens_fall_due_keeps_nobody_busy(self) -> None:
        world = World()
        world.connect()
        kept = world.secret
        world.secret = SecretAnswer(SecretState.NOT_FOUND)
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("False", "SecretNotFound")
        assert world.decision is not None
        assert world.decision.due is None or world.decision.due > world.now
        world.secret = kept
        world.run()
        assert world.ready == ("True", "Connected")
