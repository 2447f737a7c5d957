"""Tokens through their life: consent, renewal, refusal, and the operator's death at every step of the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from integration_hub.auth.flow import CredentialProblem
from integration_hub.credentials.record import Intent, to_fields
from integration_hub.model.base import AUTHORIZE_ANNOTATION, REQUEST_ANNOTATION
from integration_hub.model.http import FailureKind
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.consent import MOST_REFUSED
from integration_hub.reconcile.inputs import ConsentResult, Effect, Send, WriteRecord
from integration_hub.reconcile.pipeline import reconcile
from support.builders import NOW, found, instance
from support.token_world import CLIENT, UID, DiedError, Grants, Provider, World, oauth


def _tests(effect: Effect, whose: str) -> bool:
    """Tell whether an effect is a test with somebody's token."""
    return isinstance(effect, Send) and f"access-{whose}-" in effect.request.headers.get("Authorization", "")


def said(world: World) -> str:
    ready = world.status.condition("Ready")
    assert ready is not None
    return ready.message


class TestConsent:
    def test_without_tokens_a_person_is_asked_with_a_link(self) -> None:
        world = World()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert world.link().startswith("https://eu.acme.example/authorize?")
        assert world.provider.token_requests == 0
        said = [condition.message for condition in world.status.conditions]
        assert not [message for message in said if world.state() in message], (
            "messages become Events and logs"
        )

    def test_what_the_browser_brings_is_exchanged_stored_tested_and_used(self) -> None:
        world = World()
        world.connect()
        assert world.decision is not None
        assert world.decision.consent is ConsentResult.TAKEN
        assert world.status.authorization is None
        assert world.status.identity == "ops@acme.example"
        kinds = [type(effect).__name__ for effect in world.effects]
        # The state is used up before the code is; the tokens are stored before they are used, and again once proven.
        assert kinds[:7] == [
            "ReadSecret",
            "ReadRecord",
            "WriteRecord",
            "Send",
            "WriteRecord",
            "Send",
            "WriteRecord",
        ]

    def test_a_state_is_good_for_once(self) -> None:
        world = World()
        world.run()
        state = world.state()
        world.bring(code="good-code")
        decision = world.bring(code="other-code", state=state)
        assert decision.consent is ConsentResult.UNKNOWN
        assert world.ready == ("True", "Connected")

    def test_a_made_up_state_changes_nothing(self) -> None:
        world = World()
        world.run()
        link = world.link()
        decision = world.bring(code="x", state=f"{UID.replace('-', '')}.{'A' * 43}")
        assert decision.consent is ConsentResult.UNKNOWN
        assert world.link() == link
        assert world.provider.token_requests == 0

    def test_a_link_of_before_a_change_is_outdated_and_a_new_one_is_shown(self) -> None:
        world = World()
        world.run()
        state = world.state()
        world.change(description="Another one")
        decision = world.bring(code="good-code", state=state)
        assert decision.consent is ConsentResult.OUTDATED
        assert world.state() != state
        assert world.provider.token_requests == 0

    def test_a_link_is_renewed_and_the_one_before_still_works_for_a_while(self) -> None:
        world = World()
        world.run()
        first = world.state()
        world.pass_time(minutes=21)
        world.run()
        assert world.state() != first
        decision = world.bring(code="good-code", state=first)
        assert decision.consent is ConsentResult.TAKEN
        assert world.ready == ("True", "Connected")

    def test_the_decision_says_which_links_may_come_back(self) -> None:
        world = World()
        world.run()
        first = world.state()
        assert world.decision is not None
        assert world.decision.links == (first,)
        world.pass_time(minutes=21)
        assert world.run().links == (world.state(), first)
        world.started = False
        assert world.run().links == (world.state(), first), "another operator learns it at its first look"
        assert first not in repr(world.decision)
        assert world.bring(code="good-code").links == ()

    def test_a_record_that_cannot_be_read_says_nothing_of_links(self) -> None:
        world = World()
        world.run()
        world.unopened = CredentialProblem(Reason.KEYRING_UNAVAILABLE, "The keyring cannot be read.")
        assert world.bring(code="good-code").links is None

    def test_a_link_ends(self) -> None:
        world = World()
        world.run()
        first = world.state()
        world.pass_time(minutes=31)
        decision = world.bring(code="good-code", state=first)
        assert decision.consent is ConsentResult.OUTDATED

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            ("access_denied", "AuthorizationDenied"),
            ("invalid_scope", "AuthorizationFailed"),
            ("server_error", "AuthorizationFailed"),
        ],
    )
    def test_a_refusal_is_told_with_its_code_and_a_new_link(self, error: str, reason: str) -> None:
        world = World()
        world.run()
        before = world.state()
        world.bring(error=error)
        assert world.ready == ("Unknown", reason)
        condition = world.status.condition("Ready")
        assert condition is not None
        assert error in condition.message
        assert world.state() != before

    def test_a_refusal_is_forgotten_once_what_was_refused_has_changed(self) -> None:
        world = World()
        world.run()
        world.bring(error="invalid_scope")
        assert world.ready == ("Unknown", "AuthorizationFailed")
        world.change(description="with a scope that exists")
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        world.provider.refuses = "invalid_client"
        world.bring(code="good-code")
        assert world.ready == ("Unknown", "AuthorizationFailed")
        world.secret = found("8", **(CLIENT | {"clientSecret": "the-right-one"}))
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")

    def test_what_anybody_can_write_into_a_url_is_not_repeated(self) -> None:
        world = World()
        world.run()
        world.bring(error="<b>call 555-0100 now</b>")
        assert world.ready == ("Unknown", "AuthorizationFailed")
        assert "555" not in world.status.model_dump_json()

    def test_an_error_of_another_authorization_server_is_not_believed(self) -> None:
        world = World(of=oauth(issuer="https://eu.acme.example"))
        world.run()
        world.run(ConsentAnswer(world.state(), error="access_denied", iss="https://evil.example"))
        assert world.ready == ("Unknown", "AuthorizationFailed")
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "another authorization server" in condition.message

    def test_a_client_that_the_token_url_refuses_is_told(self) -> None:
        world = World()
        world.run()
        world.provider.refuses = "invalid_client"
        world.bring(code="good-code")
        assert world.ready == ("Unknown", "AuthorizationFailed")
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "client" in condition.message

    def test_other_scopes_ask_for_consent_again(self) -> None:
        world = World()
        world.connect()
        world.change(auth={"secretRef": {"name": "acme-key"}, "scopes": ["write"]})
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert "write" in world.link()

    def test_another_host_is_not_shown_a_token_that_was_consented_to_before(self) -> None:
        world = World()
        world.connect()
        world.change(config={"region": "us"})
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert not [effect for effect in world.effects if isinstance(effect, Send)]

    def test_another_client_secret_asks_for_nothing(self) -> None:
        world = World()
        world.connect()
        world.secret = found("8", **(CLIENT | {"clientSecret": "another-secret-77"}))
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_scope_that_was_not_granted_is_named(self) -> None:
        world = World(
            raw=instance(uid=UID, auth={"secretRef": {"name": "acme-key"}, "scopes": ["write"]}),
            provider=Provider(scope="read"),
        )
        world.run()
        world.bring(code="good-code")
        assert world.ready == ("False", "InsufficientScope")
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "'write'" in condition.message

    def test_without_a_callback_it_says_what_is_missing(self) -> None:
        world = World()
        story = reconcile(replace(world.given(), redirect_uri=""))
        with pytest.raises(StopIteration) as end:  # noqa: PT012 - it is told to its end
            effect = next(story)
            for _ in range(20):
                effect = story.send(world.perform(effect))
        ready = end.value.value.status.condition("Ready")
        assert (ready.status, ready.reason) == ("False", "AuthorizationUnavailable")
        assert "--callback-url" in ready.message


class TestAgain:
    def test_the_old_tokens_stay_in_use_until_the_new_ones_are_proven(self) -> None:
        world = World()
        world.connect()
        old = world.record.tokens
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.status.authorization is not None
        assert world.record.tokens == old
        world.bring(code="second-code")
        assert world.ready == ("True", "Connected")
        assert "authorization" not in world.raw["status"]
        assert world.record.tokens != old
        assert world.status.last_handled_authorize == "again-1"
        assert world.status.last_authorize_result == "Completed"

    def test_new_tokens_that_do_not_work_are_dropped(self) -> None:
        world = World()
        world.connect()
        old = world.record.tokens
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        world.provider.api_status = 403
        decision = world.bring(code="second-code")
        assert [notice.reason for notice in decision.notices] == ["AuthorizationFailed"]
        assert world.record.tokens == old
        assert world.record.candidate is None
        assert world.status.last_handled_authorize == "again-1"
        assert world.status.last_authorize_result == "Refused"

    def test_a_refusal_leaves_the_old_tokens_in_use_and_is_told(self) -> None:
        world = World()
        world.connect()
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        world.bring(error="access_denied")
        assert world.ready == ("True", "Connected")
        assert world.status.authorization is None
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "access_denied" in condition.message


class TestWaiting:
    """New tokens that could not be tested yet: those before them stay in use, and are kept alive."""

    @staticmethod
    def asked(life: int | None = 300) -> tuple[World, Grants]:
        """Ann's tokens are in use, and somebody is asked once more."""
        raw = instance(uid=UID, auth={"secretRef": {"name": "acme-key"}}, binding={"secretName": "for-apps"})
        provider = Grants(life=life)
        world = World(raw=raw, provider=provider)
        world.run()
        world.bring(code="ann")
        assert world.ready == ("True", "Connected")
        world.pass_time(seconds=30)
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        return world, provider

    @staticmethod
    def until_tested(world: World, whose: str) -> None:
        """Let time pass until somebody's token is tested."""
        for _ in range(200):
            world.sleep_until_due()
            world.run()
            if [effect for effect in world.effects if _tests(effect, whose)]:
                return
        pytest.fail("it is never tested")

    def test_the_tokens_in_use_are_renewed_while_new_ones_wait_to_be_tested(self) -> None:
        world, provider = self.asked()
        provider.api_status = 429
        world.bring(code="bob")
        while not provider.shown:
            world.sleep_until_due()
            world.run()
            assert world.owner() == "ann"
        assert world.record.tokens is not None
        assert world.bindings["for-apps"]["accessToken"] == world.record.tokens.access_token
        assert world.record.candidate is not None
        provider.api_status = None
        self.until_tested(world, "bob")
        assert world.owner() == "bob"
        assert world.bindings["for-apps"]["accessToken"].startswith("access-bob-")
        assert world.status.last_authorize_result == "Completed"

    @pytest.mark.parametrize(
        "trouble",
        [
            {"api_status": 429},
            {"api_status": 500},
            {"api_status": 503},
            {"down_api": FailureKind.RESPONSE_TIMEOUT},
            {"down_api": FailureKind.CONNECTION_REFUSED},
            {"down_api": FailureKind.TLS_EXPIRED},
        ],
        ids=lambda trouble: "-".join(map(str, *trouble.items())),
    )
    def test_a_test_that_says_nothing_of_new_tokens_is_soon_made_again(self, trouble: dict[str, Any]) -> None:
        world, provider = self.asked(3600)
        for name, value in trouble.items():
            setattr(provider, name, value)
        world.bring(code="bob")
        assert world.owner() == "ann"
        assert "candidate" in world.fields
        assert world.status.last_authorize_result is None
        assert world.decision is not None
        assert world.decision.due is not None
        assert world.decision.due - world.now < timedelta(seconds=10)
        provider.api_status = provider.down_api = None
        world.sleep_until_due()
        world.run()
        assert world.owner() == "bob"
        assert world.ready == ("True", "Connected")

    def test_new_tokens_are_tested_more_and_more_seldom_and_as_late_as_the_system_asks(self) -> None:
        world, provider = self.asked(36000)
        provider.api_status = 503
        world.bring(code="bob")
        tested = []
        while world.now - NOW < timedelta(hours=5):
            world.sleep_until_due()
            world.run()
            tested += [world.now for effect in world.effects if _tests(effect, "bob")]
        assert 30 <= len(tested) <= 45, "every ten minutes in the end"
        assert tested[0] - NOW < timedelta(minutes=1)
        provider.patience = 1000
        self.until_tested(world, "bob")
        asked = world.now
        self.until_tested(world, "bob")
        assert world.now - asked >= timedelta(seconds=1000)

    def test_why_tokens_ended_is_told_although_new_ones_were_refused_before(self) -> None:
        world, provider = self.asked(3600)
        provider.unwelcome = "bob"
        world.bring(code="bob")
        assert world.ready == ("True", "Connected")
        ready = world.status.condition("Ready")
        assert ready is not None
        assert "came to nothing (AuthorizationFailed)" in ready.message
        del provider.chains["ann"]
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        ready = world.status.condition("Ready")
        assert ready is not None
        assert "invalid_grant" in ready.message
        assert world.status.authorization is not None
        world.bring(error="access_denied")
        assert world.ready == ("Unknown", "AuthorizationDenied"), "what came last is told"

    def test_a_refusal_that_an_operator_before_has_stored_with_the_reason_of_a_test_is_one_of_consent(
        self,
    ) -> None:
        world = World()
        world.run()
        world.bring(error="access_denied")
        refusal = world.record.refusal
        assert refusal is not None
        world.fields = to_fields(replace(world.record, refusal=replace(refusal, reason="ServiceUnavailable")))
        world.started = False
        world.run()
        assert world.ready == ("Unknown", "AuthorizationFailed")

    def test_who_asks_for_a_test_has_new_tokens_tested_at_once(self) -> None:
        world, provider = self.asked(3600)
        provider.patience = 1000
        world.bring(code="bob")
        provider.patience = None
        world.pass_time(seconds=1)
        world.run()
        assert world.owner() == "ann", "the system has asked for patience"
        world.annotate(REQUEST_ANNOTATION, "test-1")
        world.run()
        assert world.owner() == "bob"

    def test_tokens_that_end_untested_are_dropped_and_those_in_use_stay(self) -> None:
        world, provider = self.asked()
        provider.api_status = 429
        world.bring(code="bob")
        ends = world.now + timedelta(minutes=20)
        while world.now < ends:
            world.sleep_until_due()
            world.run()
            assert world.owner() == "ann"
            assert world.bindings["for-apps"]["accessToken"].startswith("access-ann-")
        assert world.record.candidate is None
        assert world.status.last_handled_authorize == "again-1"
        assert world.status.last_authorize_result == "Refused"
        provider.api_status = None
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")

    @pytest.mark.parametrize("waited", [{"seconds": 280}, {"minutes": 10}], ids=["alive", "ended"])
    def test_new_tokens_that_do_not_work_do_not_take_the_place_of_any_that_can_be_renewed(
        self, waited: dict[str, float]
    ) -> None:
        world, provider = self.asked()
        state = world.state()
        provider.codes.add("bob")
        with pytest.raises(DiedError):
            world.run(ConsentAnswer(state, code="bob"), die_after=4)
        assert "candidate" in world.fields
        provider.unwelcome = "bob"
        world.pass_time(**waited)
        world.run()
        assert world.owner() == "ann"
        assert world.record.candidate is None
        assert world.ready == ("True", "Connected")
        assert world.status.last_authorize_result == "Refused"

    def test_tokens_in_use_are_not_renewed_any_more_once_new_ones_have_succeeded(self) -> None:
        world, provider = self.asked(3600)
        world.pass_time(minutes=15)
        world.run()
        world.pass_time(minutes=15)
        world.run()
        world.pass_time(minutes=24)
        world.bring(code="bob")
        assert world.owner() == "bob"
        assert provider.shown == []

    def test_new_tokens_take_the_place_of_those_whose_renewal_is_refused(self) -> None:
        world, provider = self.asked()
        provider.api_status = 429
        world.bring(code="bob")
        del provider.chains["ann"]
        world.pass_time(seconds=255)
        world.run()
        assert world.owner() == "bob"
        assert world.record.candidate is None

    def test_the_first_tokens_that_ended_before_they_were_tested_are_renewed(self) -> None:
        world = World()
        world.run()
        state = world.state()
        world.provider.codes.add("ann")
        with pytest.raises(DiedError):
            world.run(ConsentAnswer(state, code="ann"), die_after=4)
        world.pass_time(hours=2)
        world.run()
        assert world.ready == ("True", "Connected")
        assert len(world.provider.shown) == 1


class TestRenewal:
    def test_tokens_are_renewed_before_they_end_and_only_then(self) -> None:
        world = World()
        world.connect()
        before = world.record.tokens
        world.pass_time(minutes=40)
        world.run()
        assert world.record.tokens == before
        world.pass_time(minutes=13)
        decision = world.run()
        assert decision.renewal == "renewed"
        assert world.record.tokens != before
        assert len(world.provider.shown) == 1
        assert world.ready == ("True", "Connected")

    def test_the_intent_is_stored_before_and_the_answer_before_it_is_used(self) -> None:
        world = World()
        world.connect()
        world.pass_time(minutes=53)
        world.run()
        told = [
            "intent" if effect.record.intent else "tokens"
            for effect in world.effects
            if isinstance(effect, WriteRecord)
        ]
        sent = [effect.request.purpose for effect in world.effects if isinstance(effect, Send)]
        assert told == ["intent", "tokens"]
        assert sent[0] == "token"

    def test_the_decision_comes_back_in_time_to_renew(self) -> None:
        world = World()
        world.connect()
        assert world.decision is not None
        assert world.decision.due is not None
        for _ in range(200):
            world.now = max(world.now, world.decision.due)
            world.run()
            assert world.ready == ("True", "Connected")
            assert world.decision.due is not None
            assert world.decision.due > world.now
        assert len(world.provider.shown) == len(set(world.provider.shown))
        assert len(world.provider.shown) > 5

    @pytest.mark.parametrize("down", [FailureKind.CONNECTION_REFUSED, FailureKind.HOST_NOT_FOUND])
    def test_a_token_url_that_is_down_costs_nothing_while_the_access_token_lives(
        self, down: FailureKind
    ) -> None:
        world = World()
        world.connect()
        world.pass_time(minutes=53)
        world.provider.down = down
        world.run()
        assert world.ready == ("True", "Connected")
        world.pass_time(minutes=10)
        world.run()
        assert world.ready[1] in {"ConnectionRefused", "HostNotFound"}
        world.provider.down = None
        world.pass_time(minutes=10)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == list(dict.fromkeys(world.provider.shown))

    @pytest.mark.parametrize("code", ["invalid_grant", "expired_token"])
    def test_a_refresh_token_that_is_refused_asks_for_consent_with_the_code(self, code: str) -> None:
        world = World()
        world.connect()
        world.pass_time(minutes=53)
        world.provider.refuses = code
        world.run()
        assert world.ready[1] == "ReauthenticationRequired"
        condition = world.status.condition("Ready")
        assert condition is not None
        assert code in condition.message
        assert world.status.authorization is not None
        world.provider.refuses = None
        world.run()
        assert len(world.provider.shown) == 0
        world.bring(code="second-code")
        assert world.ready == ("True", "Connected")

    def test_an_access_token_that_is_refused_before_its_time_is_renewed_at_once(self) -> None:
        world = World()
        world.connect()
        world.provider.access.clear()
        world.pass_time(minutes=12)
        world.run()
        assert world.ready == ("True", "Connected")
        assert len(world.provider.shown) == 1

    def test_a_new_token_that_is_refused_is_not_renewed(self) -> None:
        world = World()
        world.run()
        world.provider.api_status = 401
        world.bring(code="good-code")
        assert world.ready == ("False", "CredentialsRejected")
        assert world.provider.shown == []
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "The operator obtained this token itself" in condition.message

    def test_a_new_token_that_is_refused_has_the_hint_of_the_definition_where_it_has_one(self) -> None:
        raw = oauth()
        refusal = {
            "when": "response.status == 401",
            "reason": "CredentialsRejected",
            "hint": "Install the app again.",
        }
        raw["spec"]["tests"][0]["failures"] = [refusal]
        world = World(of=raw)
        world.run()
        world.provider.api_status = 401
        world.bring(code="good-code")
        condition = world.status.condition("Ready")
        assert condition is not None
        assert condition.reason == "CredentialsRejected"
        assert condition.message.endswith("Install the app again.")

    def test_a_refresh_token_that_somebody_else_has_renewed_is_adopted(self) -> None:
        world = World()
        world.connect()
        mine = world.record.tokens
        other = World(of=world.of, raw=world.raw, provider=world.provider, now=world.now)
        other.fields, other.version = world.fields, world.version
        world.pass_time(minutes=53)
        story_effects = 0

        def somebody_else() -> None:
            other.now = world.now
            other.run()

        perform = world.perform

        def perform_late(effect: Any) -> Any:
            nonlocal story_effects
            if isinstance(effect, WriteRecord) and story_effects == 0:
                story_effects = 1
                somebody_else()
                world.fields, world.version = other.fields, other.version
            return perform(effect)

        world.perform = perform_late  # type: ignore[method-assign]
        world.run()
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.record.tokens != mine
        assert len(world.provider.shown) == 1


class TestRefusedToken:
    """The API refuses a token before its time: the token's end, or the mood of whatever stands in front of the API."""

    @staticmethod
    def pair(*, refresh: bool, interval: str = "10m", optional: bool = True) -> World:
        """A connection with a second test, at '/admin', and a Secret for workloads."""
        of = oauth()
        of["spec"]["tests"] = [
            {"name": "whoami", "default": True, "request": {"path": "/me"}},
            {"name": "admin", "request": {"path": "/admin"}},
        ]
        raw = instance(
            uid=UID,
            auth={"secretRef": {"name": "acme-key"}},
            binding={"secretName": "for-apps"},
            tests=[{"name": "admin", "optional": optional, "monitor": {"interval": interval}}],
        )
        world = World(of=of, raw=raw, provider=Provider(life=None, refresh=refresh))
        world.connect()
        return world

    def test_one_refusal_alone_neither_ends_a_consent_nor_takes_the_token_from_workloads(self) -> None:
        world = self.pair(refresh=False)
        before = world.bindings["for-apps"]["accessToken"]
        world.provider.api_status = 401
        world.pass_time(minutes=16)
        world.run()
        assert world.ready == ("False", "CredentialsRejected")
        assert world.bindings["for-apps"]["accessToken"] == before
        assert world.decision is not None
        assert world.decision.due is not None
        assert world.decision.due - world.now <= timedelta(minutes=2)
        world.provider.api_status = None
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")
        assert [test.result for test in world.status.tests] == ["Success", "Success"]
        assert world.bindings["for-apps"]["accessToken"] == before

    def test_a_token_that_nobody_can_renew_and_that_is_refused_again_after_a_while_asks_for_consent(
        self,
    ) -> None:
        world = self.pair(refresh=False)
        world.provider.access.clear()
        world.pass_time(minutes=16)
        world.run()
        world.annotate(REQUEST_ANNOTATION, "at-once")
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("False", "CredentialsRejected"), "that is too soon to tell more"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        assert world.status.authorization is not None
        assert "accessToken" not in world.bindings["for-apps"]

    def test_refusals_count_only_one_after_the_other(self) -> None:
        world = self.pair(refresh=False)
        told = []
        for status in (401, 503, 401, 401):
            world.provider.api_status = status
            world.pass_time(minutes=16)
            world.run()
            told.append(world.ready[1])
        assert told == [
            "CredentialsRejected",
            "ServiceUnavailable",
            "CredentialsRejected",
            "ReauthenticationRequired",
        ]

    @pytest.mark.parametrize("refresh", [True, False])
    def test_a_test_that_refuses_what_the_default_test_accepts_is_no_reason_to_renew_or_to_ask_anew(
        self, *, refresh: bool
    ) -> None:
        world = self.pair(refresh=refresh)
        world.provider.closed = "/admin"
        asked = world.provider.token_requests
        for number in range(6):
            world.pass_time(hours=9)
            if number % 2:
                world.annotate(REQUEST_ANNOTATION, f"test-{number}")
            world.run()
            assert world.ready == ("True", "Connected")
        assert {test.name: test.reason for test in world.status.tests}["admin"] == "CredentialsRejected"
        assert world.provider.token_requests == asked

    def test_where_another_test_meets_the_refusal_first_the_default_test_is_asked_and_the_token_renewed(
        self,
    ) -> None:
        world = self.pair(refresh=True, interval="1m", optional=False)
        world.pass_time(seconds=90)
        world.run()
        before = world.status.tests[0].time
        world.provider.access.clear()
        world.sleep_until_due()
        world.run()
        assert world.status.tests[0].time != before, "the default test was made ahead of its time"
        assert len(world.provider.shown) == 1
        assert world.ready == ("True", "Connected")
        assert [test.result for test in world.status.tests] == ["Success", "Success"]

    def test_where_another_test_meets_the_refusal_of_a_token_that_nobody_can_renew_it_waits_too(self) -> None:
        world = self.pair(refresh=False, interval="1m", optional=False)
        world.pass_time(seconds=90)
        world.run()
        world.provider.api_status = 401
        world.sleep_until_due()
        world.run()
        assert world.ready == ("False", "CredentialsRejected")
        world.provider.api_status = None
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")
        assert [test.result for test in world.status.tests] == ["Success", "Success"]


class TestLostAnswers:
    def test_grace_sends_it_once_more_and_no_third_time(self) -> None:
        world = World(of=oauth(refresh={"reuse": "grace"}), provider=Provider(grace=False, rotates=False))
        world.connect()
        world.provider.lose_answers = 10
        world.pass_time(minutes=53)
        for _ in range(30):
            world.run()
            world.pass_time(minutes=2)
        assert len(world.provider.shown) == 2
        assert world.ready[1] == "ReauthenticationRequired"

    def test_strict_does_not_send_it_again(self) -> None:
        world = World(of=oauth(refresh={"reuse": "strict"}))
        world.connect()
        world.provider.lose_answers = 1
        world.pass_time(minutes=53)
        for _ in range(5):
            world.run()
            world.pass_time(minutes=2)
        assert len(world.provider.shown) == 1
        assert world.ready[1] == "ReauthenticationRequired"

    def test_reusable_goes_on_until_an_answer_comes(self) -> None:
        world = World(of=oauth(refresh={"reuse": "reusable"}), provider=Provider(rotates=False))
        world.connect()
        world.provider.lose_answers = 5
        world.pass_time(minutes=53)
        for _ in range(30):
            world.run()
            world.pass_time(minutes=2)
        assert world.ready == ("True", "Connected")

    @pytest.mark.parametrize("status", [500, 502, 504, 520])
    @pytest.mark.parametrize(("reuse", "times"), [("strict", 1), ("grace", 2)])
    def test_an_answer_that_a_gateway_has_lost_is_as_lost(self, reuse: str, times: int, status: int) -> None:
        world = World(of=oauth(refresh={"reuse": reuse}))
        world.connect()
        world.provider.gateway, world.provider.lose_answers = status, 10
        world.pass_time(minutes=53)
        for _ in range(10):
            world.run()
            world.pass_time(minutes=1)
        assert len(world.provider.shown) == times
        assert world.ready[1] == "ReauthenticationRequired"

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (503, None),
            (429, None),
            (500, "server_error"),
            (502, "temporarily_unavailable"),
            (500, "invalid_grant"),
        ],
    )
    def test_what_says_that_nothing_was_done_leaves_no_doubt(self, status: int, code: str | None) -> None:
        world = World(of=oauth(refresh={"reuse": "strict"}))
        world.connect()
        before = world.record
        # Neither reaches the part that would use the refresh token up.
        world.provider.refuses, world.provider.status = code or "of no form", status
        world.pass_time(minutes=53)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.record == before
        world.provider.refuses = None
        world.pass_time(minutes=5)
        world.run()
        assert world.record.tokens != before.tokens
        assert len(world.provider.shown) == 1


POLICIES = {
    "grace": Provider(grace=True),
    "strict": Provider(grace=False),
    "reusable": Provider(rotates=False),
}


class TestDeath:
    """The operator dies before or after each effect of a renewal, and another one takes over."""

    @pytest.mark.parametrize("moment", ["die_before", "die_after"])
    @pytest.mark.parametrize("settings", [{}, {"issuer": "https://eu.acme.example"}], ids=["url", "metadata"])
    @pytest.mark.parametrize("policy", POLICIES)
    def test_no_refresh_token_is_lost_that_the_provider_lets_recover(
        self, policy: str, settings: dict[str, Any], moment: str
    ) -> None:
        ends = set()
        for number in range(20):
            world = self._world(policy, **settings)
            world.pass_time(minutes=53)
            try:
                world.run(**{moment: number})  # type: ignore[arg-type]
            except DiedError:
                pass
            else:
                break  # all effects of the story have been tried
            for _ in range(10):
                world.run()
                world.pass_time(minutes=1)
            ends.add(world.ready)
            most = {"grace": 2, "strict": 1, "reusable": 9}[policy]
            assert (
                max((world.provider.shown.count(token) for token in world.provider.shown), default=0) <= most
            )
            assert len(world.provider.shown) <= 3, "no endless loop"
            if policy != "strict":
                assert world.ready == ("True", "Connected"), number
            else:
                assert world.ready in {("True", "Connected"), ("False", "ReauthenticationRequired")} or (
                    world.ready[1] == "ReauthenticationRequired"
                )
        else:
            pytest.fail("the story never ends")
        assert ("True", "Connected") in ends

    @pytest.mark.parametrize("moment", ["die_before", "die_after"])
    def test_a_death_in_the_middle_of_consent_leaves_a_way_to_consent(self, moment: str) -> None:
        for number in range(20):
            world = World()
            world.run()
            state = world.state()
            world.provider.codes.add("good-code")
            try:
                world.run(ConsentAnswer(state, code="good-code"), **{moment: number})
            except DiedError:
                pass
            else:
                return
            world.run()
            if world.ready != ("True", "Connected"):
                assert world.ready[1] == "AuthorizationRequired", number
                world.bring(code="second-code")
            assert world.ready == ("True", "Connected"), number
        pytest.fail("the story never ends")

    @pytest.mark.parametrize("welcome", [True, False])
    @pytest.mark.parametrize("moment", ["die_before", "die_after"])
    def test_a_death_while_new_tokens_wait_loses_neither_them_nor_those_in_use(
        self, moment: str, *, welcome: bool
    ) -> None:
        for number in range(20):
            world, provider = TestWaiting.asked(life=3600)
            world.pass_time(minutes=40)
            world.run()
            world.pass_time(minutes=13)  # Ann's tokens are to be renewed in the same reconcile
            provider.grace, provider.api_status = True, 429
            provider.codes.add("bob")
            try:
                world.run(ConsentAnswer(world.state(), code="bob"), **{moment: number})
            except DiedError:
                pass
            else:
                assert number > 7
                return
            stored = world.record.candidate is not None
            provider.api_status, provider.unwelcome = None, "" if welcome else "bob"
            for _ in range(6):
                world.run()
                world.pass_time(minutes=1)
            assert world.ready == ("True", "Connected"), number
            assert world.owner() == ("bob" if welcome and stored else "ann"), number
            assert world.record.candidate is None
            assert max(map(provider.shown.count, provider.shown), default=0) <= 2
        pytest.fail("the story never ends")

    @staticmethod
    def _world(policy: str, **settings: Any) -> World:
        of = oauth(refresh={"reuse": policy}, **settings)
        world = World(of=of, provider=replace(POLICIES[policy]))
        world.provider.codes, world.provider.access, world.provider.shown = set(), set(), []
        world.connect()
        return world


class TestByItself:
    def test_client_credentials_need_nobody(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.status.authorization is None
        assert world.status.credential is not None
        assert world.status.credential.renews_at is not None

    def test_they_survive_a_restart_without_asking_again(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        world.started = False
        world.pass_time(minutes=11)
        world.run()
        world.pass_time(minutes=11)
        world.run()
        assert world.provider.token_requests == 1

    def test_another_client_secret_is_proven_at_once(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        world.secret = found("8", **(CLIENT | {"clientSecret": "another-secret-77"}))
        world.provider.refuses = "invalid_client"
        world.run()
        assert world.ready == ("False", "TokenClientRejected")
        asked = world.provider.token_requests
        world.run()
        assert world.provider.token_requests == asked, "a refused client is not tried again and again"

    def test_a_record_that_somebody_deleted_is_made_anew(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.run()
        world.fields, world.version = {}, 0
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.token_requests == 2

    def test_a_refresh_token_of_the_secret_is_used_once(self) -> None:
        provider = Provider(current="given-refresh")
        world = World(
            of=oauth("refreshToken", refresh={"reuse": "strict"}),
            provider=provider,
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        assert world.ready == ("True", "Connected")
        world.pass_time(minutes=53)
        world.run()
        world.pass_time(minutes=53)
        world.run()
        assert len(provider.shown) == len(set(provider.shown)) == 3
        assert world.ready == ("True", "Connected")

    def test_a_refresh_token_of_the_secret_that_is_refused_is_not_tried_again_until_it_is_another(
        self,
    ) -> None:
        provider = Provider(current="the-right-one")
        world = World(
            of=oauth("refreshToken"), provider=provider, secret=found(**CLIENT, refreshToken="a-wrong-one")
        )
        for _ in range(5):
            world.run()
            world.pass_time(minutes=15)
        assert world.ready == ("False", "ReauthenticationRequired")
        assert provider.shown == ["a-wrong-one"]
        provider.dead = False
        world.secret = found("8", **CLIENT, refreshToken="the-right-one")
        world.run()
        assert world.ready == ("True", "Connected")

    def test_other_scopes_do_not_send_a_refresh_token_of_the_secret_again(self) -> None:
        provider = Provider(current="given-refresh")
        world = World(
            of=oauth("refreshToken", refresh={"reuse": "strict"}),
            provider=provider,
            secret=found(**CLIENT, refreshToken="given-refresh"),
        )
        world.run()
        world.change(auth={"secretRef": {"name": "acme-key"}, "scopes": ["write"]})
        world.run()
        assert provider.shown == ["given-refresh"]
        assert world.ready == ("True", "Connected")


GIVEN = "given-refresh"


class TestGivenToken:
    """A refresh token that the Secret has, and that the provider rotates: good for once."""

    @staticmethod
    def _connected(provider: Provider | None = None, **settings: Any) -> World:
        world = World(
            of=oauth("refreshToken", **settings),
            provider=provider or Provider(current=GIVEN),
            secret=found(**CLIENT, refreshToken=GIVEN),
        )
        world.run()
        assert world.ready == ("True", "Connected")
        return world

    @staticmethod
    def _renew(world: World) -> None:
        """Let the tokens end, and see that they are renewed."""
        asked = len(world.provider.shown)
        world.pass_time(minutes=61)
        world.run()
        assert world.ready == ("True", "Connected")
        assert len(world.provider.shown) == asked + 1

    def test_another_client_secret_does_not_send_it_again(self) -> None:
        world = self._connected()
        world.secret = found("8", **(CLIENT | {"clientSecret": "rotated-secret-77"}), refreshToken=GIVEN)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN]
        self._renew(world)
        assert not world.provider.dead

    @pytest.mark.parametrize(
        "edit",
        [
            {"tokenParameters": {"tenant": "1"}},
            {"refreshParameters": {"tenant": "1"}},
            {"clientAuthentication": "client_secret_post"},
            {"audience": "https://eu.acme.example"},
            {"refresh": {"reuse": "strict"}},
            {"issuer": "https://eu.acme.example", "tokenURL": "https://eu.acme.example/token"},
        ],
        ids=lambda edit: next(iter(edit)),
    )
    @pytest.mark.parametrize("reuse", ["grace", "reusable"])
    def test_an_edit_of_the_definition_does_not_send_it_again(self, reuse: str, edit: dict[str, Any]) -> None:
        settings: dict[str, Any] = {"refresh": {"reuse": reuse}}
        world = self._connected(**settings)
        world.publish(oauth("refreshToken", **(settings | edit)))
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN]
        self._renew(world)
        assert not world.provider.dead

    def test_another_address_asks_for_another_one_and_going_back_needs_none(self) -> None:
        world = self._connected()
        world.publish(oauth("refreshToken", tokenURL="https://eu.acme.example/v2/token"))
        for _ in range(5):
            world.pass_time(minutes=1)
            world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        condition = world.status.condition("Ready")
        assert condition is not None
        assert "was used before" in condition.message
        assert world.provider.shown == [GIVEN]
        world.publish(oauth("refreshToken"))
        world.run()
        assert world.ready == ("True", "Connected")
        self._renew(world)
        assert not world.provider.dead

    def test_one_that_is_put_back_into_the_secret_is_not_sent_again(self) -> None:
        world = self._connected()
        world.provider.current = "second-refresh"
        world.secret = found("8", **CLIENT, refreshToken="second-refresh")
        world.run()
        assert world.ready == ("True", "Connected")
        world.secret = found("9", **CLIENT, refreshToken=GIVEN)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        world.secret = found("10", **CLIENT, refreshToken="second-refresh")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN, "second-refresh"]
        self._renew(world)

    def test_one_that_is_refused_after_another_is_sent_once_and_takes_nothing_from_the_other(self) -> None:
        world = self._connected()
        world.provider.refuses = "invalid_grant"
        world.secret = found("8", **CLIENT, refreshToken="a-wrong-one")
        asked = world.provider.token_requests
        for _ in range(5):
            world.run()
            assert world.ready == ("False", "ReauthenticationRequired")
            world.pass_time(minutes=3)
        assert world.provider.token_requests == asked + 1
        world.provider.refuses = None
        world.secret = found("9", **CLIENT, refreshToken=GIVEN)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN]

    @pytest.mark.parametrize("reuse", ["grace", "strict"])
    def test_going_back_to_one_whose_grant_is_over_sends_nothing(self, reuse: str) -> None:
        world = self._connected(refresh={"reuse": reuse})
        world.provider.lose_answers = 9
        for _ in range(5):
            world.pass_time(minutes=61)
            world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        world.provider.lose_answers = 0
        world.secret = found("8", **CLIENT, refreshToken="a-wrong-one")
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        sent = list(world.provider.shown)
        assert sent[-1] == "a-wrong-one"
        world.secret = found("9", **CLIENT, refreshToken=GIVEN)
        for _ in range(3):
            world.run()
            world.pass_time(minutes=1)
        assert world.ready == ("False", "ReauthenticationRequired")
        assert world.provider.shown == sent

    def test_one_that_was_refused_is_not_sent_again_for_another_client_secret(self) -> None:
        world = self._connected()
        world.provider.refuses = "invalid_grant"
        world.pass_time(minutes=61)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        asked = world.provider.token_requests
        world.secret = found("8", **(CLIENT | {"clientSecret": "rotated-secret-77"}), refreshToken=GIVEN)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        assert world.provider.token_requests == asked

    def test_one_that_is_refused_with_another_client_is_sent_with_the_right_one(self) -> None:
        world = World(
            of=oauth("refreshToken"),
            provider=Provider(current=GIVEN, refuses="invalid_grant"),
            secret=found(**(CLIENT | {"clientId": "mistyped"}), refreshToken=GIVEN),
        )
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired")
        world.provider.refuses = None
        world.secret = found("8", **CLIENT, refreshToken=GIVEN)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_person_may_have_it_sent_again(self) -> None:
        world = self._connected()
        world.publish(oauth("refreshToken", tokenURL="https://eu.acme.example/v2/token"))
        world.provider.current = GIVEN
        world.annotate(AUTHORIZE_ANNOTATION, "again-1")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN, GIVEN]

    def test_where_the_system_gives_out_no_other_it_is_not_used_up(self) -> None:
        world = self._connected(Provider(current=GIVEN, rotates=False))
        world.publish(oauth("refreshToken", tokenURL="https://eu.acme.example/v2/token"))
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [GIVEN, GIVEN]

    def test_where_nothing_was_sent_it_is_not_used_up(self) -> None:
        world = World(
            of=oauth("refreshToken"),
            provider=Provider(current=GIVEN, down=FailureKind.CONNECTION_REFUSED),
            secret=found(**CLIENT, refreshToken=GIVEN),
        )
        world.run()
        assert world.ready == ("False", "ConnectionRefused")
        world.publish(oauth("refreshToken", tokenURL="https://eu.acme.example/v2/token"))
        world.provider.down = None
        world.run()
        assert world.ready == ("True", "Connected")

    @pytest.mark.parametrize("moment", ["die_before", "die_after"])
    @pytest.mark.parametrize("policy", ["grace", "strict"])
    def test_no_death_has_it_sent_more_often_than_its_policy_permits(self, policy: str, moment: str) -> None:
        ends = set()
        for number in range(20):
            settings: dict[str, Any] = {"refresh": {"reuse": policy}}
            world = World(
                of=oauth("refreshToken", **settings),
                provider=Provider(current=GIVEN, grace=policy == "grace"),
                secret=found(**CLIENT, refreshToken=GIVEN),
            )
            try:
                world.run(**{moment: number})  # type: ignore[arg-type]
            except DiedError:
                pass
            else:
                break
            # While nobody was there, the definition was changed.
            world.publish(oauth("refreshToken", tokenURL="https://eu.acme.example/v2/token", **settings))
            for _ in range(10):
                world.run()
                world.pass_time(minutes=1)
            ends.add(world.ready)
            assert len(world.provider.shown) <= {"grace": 2, "strict": 1}[policy], number
            assert not world.provider.dead, number
        else:
            pytest.fail("the story never ends")
        assert ends == {("True", "Connected"), ("False", "ReauthenticationRequired")}


class TestDevice:
    def test_a_code_is_shown_polled_and_taken(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        shown = world.status.authorization
        assert shown is not None
        assert (shown.url, shown.user_code) == ("https://eu.acme.example/activate", "ABCD-EFGH")
        for _ in range(3):
            world.pass_time(seconds=5)
            world.run()
            assert world.ready == ("Unknown", "AuthorizationRequired")
        assert world.decision is not None
        assert not world.decision.write, "waiting costs no writes"
        world.provider.device = "granted"
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_it_is_not_polled_more_often_than_allowed(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        asked = world.provider.token_requests
        world.run()
        assert world.provider.token_requests == asked

    def test_it_is_not_polled_more_often_whatever_else_happens(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.sleep_until_due()
        world.run()
        asked = world.provider.token_requests
        for number in range(5):
            world.pass_time(milliseconds=200)
            world.annotate(REQUEST_ANNOTATION, f"test-{number}")
            world.run()
        assert world.provider.token_requests == asked
        world.sleep_until_due()
        world.run()
        assert world.provider.token_requests == asked + 1

    def test_another_operator_may_ask_once_ahead_of_time(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.sleep_until_due()
        world.run()
        asked = world.provider.token_requests
        world.started = False
        for _ in range(3):
            world.pass_time(milliseconds=200)
            world.run()
        assert world.provider.token_requests == asked + 1

    def test_slow_down_is_heeded(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "slow_down"
        world.pass_time(seconds=5)
        world.run()
        asked = world.provider.token_requests
        world.provider.device = "granted"
        world.pass_time(seconds=6)
        world.run()
        assert world.provider.token_requests == asked
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_code_that_nobody_attends_to_costs_ever_fewer_polls(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        asked = []
        for _ in range(6):  # codes live for ten minutes, so this is one after the other
            before, end = world.provider.token_requests, world.now + timedelta(minutes=10)
            while world.now < end:
                world.sleep_until_due()
                world.run()
                assert world.ready == ("Unknown", "AuthorizationRequired")
            asked.append(world.provider.token_requests - before)
        assert asked == sorted(asked, reverse=True)
        assert asked[-1] <= 13, "one each minute, and the new code"
        world.provider.device = "granted"
        begun = world.now
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.now - begun <= timedelta(seconds=60)

    def test_patience_begins_anew_with_another_grant(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.pass_time(minutes=60)
        world.run()
        world.change(auth={"secretRef": {"name": "acme-key"}, "scopes": ["write"]})
        world.run()
        world.provider.device = "granted"
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_denial_is_told_and_a_new_code_shown(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "access_denied"
        world.pass_time(seconds=5)
        world.run()
        assert world.ready == ("Unknown", "AuthorizationDenied")
        assert world.status.authorization is not None

    def test_a_code_that_ended_is_replaced(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.pass_time(minutes=11)
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert world.provider.token_requests == 2

    @pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_scope"])
    def test_a_client_that_polls_are_refused_for_is_told_and_its_code_given_up(self, code: str) -> None:
        # Google and Microsoft give out codes to anybody, and look at the client secret only when they are polled.
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = code
        world.sleep_until_due()
        world.run()
        reason = {
            "invalid_client": "TokenClientRejected",
            "unauthorized_client": "TokenRequestRejected",
            "invalid_scope": "TokenScopeRejected",
        }
        assert world.ready == ("False", reason[code])
        assert f"Its error code is {code}." in said(world)
        assert world.status.authorization is None, "nobody is sent to a page in vain"
        assert world.record.device is None

    def test_a_rejected_client_is_asked_for_as_seldom_as_any_rejected_credential(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "invalid_client"
        world.sleep_until_due()
        decision = world.run()
        asked = world.provider.token_requests
        assert decision.due is not None
        assert decision.due - world.now > timedelta(hours=20)
        world.pass_time(minutes=30)
        world.run()
        assert world.provider.token_requests == asked

    def test_who_is_refused_again_was_not_asked_for_consent_in_between(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "unauthorized_client"
        world.sleep_until_due()
        world.run()
        for _ in range(3):
            world.sleep_until_due()
            asked = world.provider.token_requests
            world.run()
            assert world.provider.token_requests == asked + 2, "for a code, and about it"
            assert world.ready == ("False", "TokenRequestRejected")
            assert world.status.authorization is None
        world.provider.device = "authorization_pending"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert "refuses" not in said(world), "what was refused before is over"
        assert world.link()
        world.provider.device = "granted"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_corrected_secret_brings_a_new_code_at_once(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "invalid_client"
        world.sleep_until_due()
        world.run()
        world.provider.device = "authorization_pending"
        world.secret = replace(found(**CLIENT | {"clientSecret": "corrected-0b1c"}), version="2")
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        assert "client" not in said(world), "what was refused before is over"
        assert world.status.authorization is not None
        world.provider.device = "granted"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")

    def test_tokens_in_use_stay_where_a_new_code_is_refused_for_its_client(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = "granted"
        world.sleep_until_due()
        world.run()
        world.annotate(AUTHORIZE_ANNOTATION, "again")
        world.run()
        assert world.link()
        world.provider.device = "invalid_client"
        world.pass_time(seconds=6)
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.status.authorization is None
        assert world.status.last_handled_authorize == "again", "else codes were asked for without an end"
        assert world.record.refusal is not None
        assert "it does not accept the client" in world.record.refusal.message

    @pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable"])
    def test_a_poll_that_is_refused_for_what_passes_is_made_again(self, code: str) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = code
        world.sleep_until_due()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        world.provider.device = "granted"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")

    def test_a_refusal_without_a_code_counts_once_it_has_come_several_times(self) -> None:
        world = World(of=oauth("deviceCode"))
        world.run()
        world.provider.device = ""
        for _ in range(MOST_REFUSED - 1):
            world.sleep_until_due()
            world.run()
            assert world.ready == ("Unknown", "AuthorizationRequired"), "it may be a gateway's mood"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("False", "TokenRequestRejected")
        assert world.status.authorization is None


class TestATokenURLThatGivesNone:
    """Where no token is to be had, no test of the suite can be made, however that is told."""

    @pytest.mark.parametrize("kind", [FailureKind.RESPONSE_TOO_LARGE, FailureKind.CONNECTION_REFUSED])
    def test_it_is_asked_no_more_often_where_there_are_more_tests(self, kind: FailureKind) -> None:
        requests = []
        for names in ([], ["more"]):
            of = oauth("clientCredentials")
            of["spec"]["tests"].append({"name": "more", "request": {"path": "/v1/more"}})
            world = World(of=of)
            world.raw["spec"]["tests"] = [{"name": name} for name in names]
            world.run()
            assert world.ready == ("True", "Connected")
            world.provider.down = kind
            begun, passes = world.now, 0
            while world.now - begun < timedelta(hours=6):
                world.sleep_until_due()
                world.run()
                passes += 1
                assert passes < 200, "it never rests"
            requests.append(world.provider.token_requests)
        alone, with_another = requests
        assert with_another == alone, "each is a request with the client's secret"


class TestARefusedClient:
    """A client that the token URL does not accept is spared until its credentials are others."""

    def test_another_version_of_the_same_secret_is_no_reason_to_ask_again(self) -> None:
        world = World(of=oauth("clientCredentials"))
        world.provider.refuses = "invalid_client"
        world.run()
        assert world.ready == ("False", "TokenClientRejected")
        before = world.provider.token_requests
        for version in ("8", "9"):
            world.secret = replace(world.secret, version=version)
            world.run()
        assert world.provider.token_requests == before
        world.secret = found(version="10", **CLIENT | {"clientSecret": "another"})
        world.run()
        assert world.provider.token_requests == before + 1


class TestWordsOfTheDefinition:
    """What `authMethods[].failures[]` say of refused requests for tokens; codes alone decide what has ended."""

    RULES = (
        {
            "when": "response.json.error == 'invalid_grant'",
            "reason": "PermissionDenied",
            "message": "an administrator has withdrawn the app's approval",
            "hint": "Ask for the app's approval at Apps > Review.",
        },
        {
            "when": "response.json.error == 'invalid_client'",
            "reason": "CredentialsExpired",
            "message": "The client secret has expired.",
            "hint": "Make another one at Apps > Secrets.",
        },
        {"when": "response.json.error == 'custom_busy'", "reason": "TokenEndpointBusy"},
        {"when": "response.json.error == 'bare_code'", "reason": "AccountLocked"},
    )

    def world(self, grant: str = "authorizationCode", **settings: Any) -> World:
        of = oauth(grant, **settings)
        of["spec"]["authMethods"][0]["failures"] = list(self.RULES)
        return World(of=of)

    def test_what_the_secret_has_was_refused(self) -> None:
        world = self.world("clientCredentials")
        world.provider.refuses, world.provider.status = "invalid_client", 401
        world.run()
        assert world.ready == ("False", "CredentialsExpired")
        assert said(world).startswith("The token URL at eu.acme.example: The client secret has expired.")
        assert world.status.tests[0].hint == "Make another one at Apps > Secrets."
        assert world.decision is not None
        assert world.decision.due is not None
        assert world.decision.due - world.now > timedelta(hours=20), "as after any dead credential"

    def test_an_expired_client_while_tokens_were_in_use_is_blamed_on_the_secret(self) -> None:
        world = self.world("clientCredentials")
        world.run()
        assert world.ready == ("True", "Connected")
        without_hint = [{name: rule[name] for name in ("when", "reason")} for rule in self.RULES]
        world.of["spec"]["authMethods"][0]["failures"] = without_hint
        world.provider.refuses = "invalid_client"
        world.pass_time(hours=2)
        world.run()
        assert world.ready == ("False", "CredentialsExpired")
        assert world.status.tests[0].hint == REASONS[Reason.CREDENTIALS_EXPIRED].remedy

    def test_a_refresh_token_that_is_over_asks_for_consent_and_says_why(self) -> None:
        world = self.world()
        world.connect()
        world.provider.refuses = "invalid_grant"
        world.pass_time(hours=2)
        world.run()
        assert world.ready == ("False", "ReauthenticationRequired"), "whatever reason the rule names"
        assert world.link()
        words = said(world)
        assert "does not renew the authorization any more (invalid_grant)" in words
        assert "an administrator has withdrawn the app's approval." in words
        assert "Ask for the app's approval at Apps > Review." in words
        assert "hub authorize" in words, "what brings the tokens back is said, too"

    def test_a_refresh_token_of_the_secret_that_is_over_says_why(self) -> None:
        world = self.world("refreshToken")
        world.secret = found(refreshToken="refresh-of-the-secret", **CLIENT)
        world.provider.refuses = "invalid_grant"
        world.run()
        assert world.ready[1] == "ReauthenticationRequired"
        assert "an administrator has withdrawn the app's approval." in said(world)

    def test_a_rule_ends_no_refresh_token_that_the_code_does_not_end(self) -> None:
        world = self.world()
        world.connect()
        kept = world.provider.current
        world.provider.refuses = "invalid_client"
        world.pass_time(hours=2)
        world.run()
        assert world.ready == ("False", "CredentialsExpired")
        world.provider.refuses = None
        world.secret = replace(found(**CLIENT | {"clientSecret": "another-9e2b"}), version="2")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [kept], "the same one, once the client is right"

    def test_a_client_that_is_refused_as_if_access_was_denied_ends_no_refresh_token(self) -> None:
        # Auth0, and so Atlassian, answers so where the client secret is wrong (RFC 6749 has invalid_client for it).
        world = World()
        world.connect()
        kept = world.provider.current
        world.provider.refuses, world.provider.status = "access_denied", 401
        world.pass_time(hours=2)
        world.run()
        assert world.ready == ("False", "TokenClientRejected")
        world.provider.refuses = None
        world.secret = replace(found(**CLIENT | {"clientSecret": "another-9e2b"}), version="2")
        world.run()
        assert world.ready == ("True", "Connected")
        assert world.provider.shown == [kept]

    def test_a_code_that_a_browser_brought_is_refused(self) -> None:
        world = self.world()
        world.run()
        world.provider.refuses = "invalid_client"
        world.bring(code="good-code")
        assert world.ready == ("Unknown", "AuthorizationFailed")
        assert "The client secret has expired. Make another one at Apps > Secrets." in said(world)

    def test_a_poll_is_refused(self) -> None:
        world = self.world("deviceCode")
        world.run()
        world.provider.device = "invalid_client"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("False", "CredentialsExpired")
        assert "The client secret has expired." in said(world)

    def test_a_poll_is_refused_for_good(self) -> None:
        world = self.world("deviceCode")
        world.run()
        world.provider.device = "invalid_grant"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationFailed")
        assert world.link(), "of another code, which a person may try"
        assert "an administrator has withdrawn the app's approval." in said(world)

    def test_a_poll_is_made_again_where_a_rule_says_that_it_passes(self) -> None:
        world = self.world("deviceCode")
        world.run()
        world.provider.device = "custom_busy"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("Unknown", "AuthorizationRequired")
        world.provider.device = "granted"
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")

    def test_an_error_with_success_that_has_no_standard_form_is_recognised(self) -> None:
        world = self.world("clientCredentials")
        rule = {"when": "response.status == 200", "reason": "AccountLocked", "message": "The shop is frozen"}
        world.of["spec"]["authMethods"][0]["failures"] = [rule]
        world.of["spec"]["authMethods"][0]["settings"]["tokenAnswer"] = {"accessToken": "nowhere"}
        world.run()
        assert world.ready == ("False", "AccountLocked")
        assert "The shop is frozen." in said(world)

    def test_without_words_of_its_own_the_reasons_are_said_with_the_masked_code(self) -> None:
        world = self.world("clientCredentials")
        world.provider.refuses = "bare_code"
        world.run()
        assert world.ready == ("False", "AccountLocked")
        assert said(world).startswith(
            "The token URL at eu.acme.example answered with 400 Bad Request. The account that the credentials belong"
            " to is locked, suspended or switched off at the external system. Its error code is bare_code."
        )
        world = self.world("clientCredentials")
        world.secret = found(clientId="hub", clientSecret="bare_code-of-ours")
        world.provider.refuses = "bare_code"
        world.run()
        assert world.ready == ("False", "AccountLocked")
        assert "bare_code" not in said(world), "it may be a part of the secret"


class TestDelivery:
    def bound(self, **provider: Any) -> World:
        return World(
            raw=instance(
                uid=UID, auth={"secretRef": {"name": "acme-key"}}, binding={"secretName": "for-apps"}
            ),
            provider=Provider(**provider),
        )

    def test_workloads_get_the_token_that_was_proven_and_no_refresh_token(self) -> None:
        world = self.bound()
        world.connect()
        tokens = world.record.tokens
        assert tokens is not None
        assert world.bindings["for-apps"]["accessToken"] == tokens.access_token
        assert tokens.refresh_token not in world.bindings["for-apps"].values()
        assert "client-secret-5d1f" not in world.bindings["for-apps"].values()
        assert world.status.binding is not None
        assert world.status.binding.name == "for-apps"

    def test_a_renewed_token_is_delivered(self) -> None:
        world = self.bound()
        world.connect()
        world.pass_time(minutes=53)
        world.run()
        assert world.record.tokens is not None
        assert world.bindings["for-apps"]["accessToken"] == world.record.tokens.access_token

    def test_a_dead_token_is_taken_back(self) -> None:
        world = self.bound()
        world.connect()
        world.pass_time(minutes=53)
        world.provider.refuses = "invalid_grant"
        world.run()
        assert "accessToken" not in world.bindings["for-apps"]

    def test_a_token_that_was_never_proven_is_not_delivered_when_it_is_renewed(self) -> None:
        world = self.bound(life=300)
        world.connect()
        world.pass_time(seconds=290)
        world.provider.refuses = "invalid_grant"
        world.run()
        assert "accessToken" not in world.bindings["for-apps"]
        world.provider.refuses, world.provider.api_status = None, 429
        world.bring(code="second-code")
        while len(world.provider.shown) < 2:
            world.sleep_until_due()
            world.run()
            assert "accessToken" not in world.bindings["for-apps"]
        world.provider.api_status = None
        world.sleep_until_due()
        world.run()
        assert world.ready == ("True", "Connected")
        assert "accessToken" in world.bindings["for-apps"]

    @pytest.mark.parametrize("works", [True, False])
    def test_a_token_that_needs_nobody_is_delivered_when_it_is_renewed_if_the_one_before_was_proven(
        self, *, works: bool
    ) -> None:
        world = self.bound()
        world.of = oauth("clientCredentials")
        world.run()
        first = world.bindings["for-apps"]["accessToken"]
        if not works:
            world.provider.api_status = 500
            world.secret = found("8", **(CLIENT | {"clientSecret": "another-secret-77"}))
            world.run()
        world.provider.api_status = 500
        world.pass_time(minutes=53)
        world.run()
        assert world.record.tokens is not None
        assert world.record.tokens.access_token != first
        assert (world.bindings["for-apps"]["accessToken"] == world.record.tokens.access_token) == works

    def test_another_name_takes_the_former_secret_away(self) -> None:
        world = self.bound()
        world.connect()
        world.change(binding={"secretName": "other"})
        world.run()
        assert set(world.bindings) == {"other"}


def test_an_intent_shows_no_token() -> None:
    world = World()
    world.connect()
    world.pass_time(minutes=53)
    world.provider.lose_answers = 1
    world.run()
    intent = world.record.intent
    assert isinstance(intent, Intent)
    assert world.provider.shown[0] not in repr(intent)
    assert world.provider.shown[0] not in repr(world.record)
