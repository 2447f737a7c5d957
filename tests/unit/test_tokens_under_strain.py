"""Tokens when things go wrong for long: outages, refusals, clocks that jump, two operators, Secrets that vanish."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integration_hub.model.http import FailureKind
from integration_hub.reconcile.inputs import SecretAnswer, SecretState
from support.token_world import Provider, World, oauth


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
