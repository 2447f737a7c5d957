"""What a browser is told of the consent that it has brought, from what the reconcile made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from integration_hub.auth.flow import CredentialProblem
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.inputs import ConsentResult, SecretState
from integration_hub.shell.announcing import consent_outcome
from integration_hub.shell.consent import ConsentOutcome
from integration_hub.shell.keys import Key
from support.builders import CANARY, definition, found
from support.token_world import Grants, World

KEY = Key("integrationinstances", "shop", "billing")


def told(world: World, state: str, code: str = "good-code") -> tuple[ConsentOutcome, str | None]:
    """Let a browser come back, and return what it is told, and as what that counts."""
    world.provider.codes.add(code)
    decision = world.run(ConsentAnswer(state, code=code))
    return consent_outcome(KEY, world.given(), decision, decision.status.condition("Ready"))


def waiting() -> tuple[World, str]:
    """A connection that waits for consent, and the state in its link."""
    world = World()
    world.run()
    return world, world.state()


def lose_the_keyring(world: World) -> None:
    world.unopened = CredentialProblem(Reason.KEYRING_UNAVAILABLE, "The keyring cannot be read.")


def forbid_the_secret(world: World) -> None:
    world.secret = replace(world.secret, state=SecretState.FORBIDDEN, data={})


def forbid_writes(world: World) -> None:
    world.refuses_writes = True


def remove_the_secret(world: World) -> None:
    world.secret = replace(world.secret, state=SecretState.NOT_FOUND, data={})


def suspend(world: World) -> None:
    world.raw["spec"]["suspend"] = True


@pytest.mark.parametrize("happens", [lose_the_keyring, forbid_the_secret, forbid_writes])
def test_what_could_not_be_looked_at_may_be_brought_again_a_moment_later(
    happens: Callable[[World], None],
) -> None:
    world, state = waiting()
    healthy = world.secret
    happens(world)
    outcome, counted = told(world, state)
    assert (outcome.result, counted) == ("busy", None)
    assert outcome.reason in {"KeyringUnavailable", "SecretForbidden", "CredentialNotStored"}
    assert outcome.message == REASONS[Reason(outcome.reason)].meaning, "nobody has shown to have a link yet"
    world.unopened, world.secret, world.refuses_writes = None, healthy, False
    outcome, counted = told(world, state)
    assert (outcome.result, counted) == ("connected", "connected")


@pytest.mark.parametrize(
    ("happens", "reason"), [(remove_the_secret, "SecretNotFound"), (suspend, "Suspended")]
)
def test_what_somebody_must_mend_first_is_told_by_its_reason_and_uses_nothing(
    happens: Callable[[World], None], reason: str
) -> None:
    world, state = waiting()
    healthy = world.secret
    happens(world)
    outcome, counted = told(world, state)
    assert (outcome.result, outcome.reason, counted) == ("not-taken", reason, None)
    assert "acme-key" not in outcome.message, "nobody has shown to have a link yet"
    world.secret, world.raw["spec"]["suspend"] = healthy, False
    assert told(world, state)[0].result == "connected"


@pytest.mark.parametrize("works", [True, False])
def test_a_link_of_a_method_that_asks_nobody_any_more_is_outdated(*, works: bool) -> None:
    world, state = waiting()
    world.provider.access |= {CANARY} if works else set()
    world.of, world.secret = definition(), found()
    outcome, counted = told(world, state)
    assert world.ready[0] == str(works)
    assert (outcome.result, counted) == ("outdated", "expired")


def test_a_consent_that_could_not_be_tested_yet_is_not_told_as_connected() -> None:
    provider = Grants()
    world = World(provider=provider)
    world.run()
    told(world, world.state(), "ann")
    world.annotate(AUTHORIZE_ANNOTATION, "again-1")
    world.run()
    provider.api_status = 429
    outcome, counted = told(world, world.state(), "bob")
    assert world.decision is not None
    assert world.decision.consent is ConsentResult.STORED
    assert (outcome.result, counted) == ("stored", None)
    assert outcome.identity == "", "it is of the account before"
    assert world.ready == ("True", "Connected")
    assert "A new consent is stored" in outcome.message
    provider.api_status = None
    world.sleep_until_due()
    world.run()
    ready = world.status.condition("Ready")
    assert ready is not None
    assert "new consent" not in ready.message
