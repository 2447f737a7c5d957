"""Ends that a person must act on: told in status, and warned of once each, 14 and 3 days ahead."""

from __future__ import annotations

from datetime import timedelta

from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Notice
from integration_hub.reconcile.times import timestamp
from support.builders import NOW, after, answered, found, inputs, instance, jwt, tell
from support.token_world import Provider, World, oauth

DAY = timedelta(days=1)
ENDS = NOW + 20 * DAY


def notices_of(world: World) -> list[Reason]:
    assert world.decision is not None
    return [notice.reason for notice in world.decision.notices]


class TestTokensThatNobodyRenews:
    def test_each_warning_is_given_once(self) -> None:
        world = World(
            of=oauth(), provider=Provider(life=int(timedelta(days=20).total_seconds()), refresh=False)
        )
        world.connect()
        given: dict[int, list[Reason]] = {}
        for hours in range(0, 19 * 24, 6):
            world.now = NOW + timedelta(hours=hours)
            world.run()
            if notices_of(world):
                given[hours // 24] = notices_of(world)
        assert given == {6: [Reason.CREDENTIAL_EXPIRES_SOON], 17: [Reason.CREDENTIAL_EXPIRES_SOON]}
        assert world.ready == ("True", "Connected")
        assert world.status.credential is not None
        assert world.status.credential.warned_days == 3
        assert world.status.credential.renews_at is None

    def test_a_new_consent_ends_the_warning(self) -> None:
        life = int(timedelta(days=20).total_seconds())
        world = World(of=oauth(), provider=Provider(life=life, refresh=False))
        world.connect()
        world.pass_time(days=18)
        world.run()
        assert notices_of(world)
        assert world.decision is not None
        assert "--again'." in world.decision.notices[0].message
        assert "Secret" not in world.decision.notices[0].message
        world.annotate("integrationhub.dev/authorize", "again")
        world.run()
        world.bring(code="second-code")
        assert not notices_of(world)
        assert world.status.credential is not None
        assert world.status.credential.warned_days is None

    def test_what_the_operator_renews_is_nobodys_concern(self) -> None:
        world = World(of=oauth(), provider=Provider(life=int(timedelta(days=2).total_seconds())))
        world.connect()
        assert not notices_of(world)
        assert world.status.credential is not None
        assert world.status.credential.renews_at is not None


class TestCredentialsOfAPerson:
    def test_an_api_key_that_says_when_it_ends_is_told_and_warned_of(self) -> None:
        raw, secret = instance(), found(apiKey=jwt(ENDS))
        first = tell(inputs(raw), secret, answered())
        assert first.status.credential is not None
        assert first.status.credential.expires_at == timestamp(ENDS)
        assert first.decision.notices == ()
        later = tell(inputs(after(raw, first), now=ENDS - 13 * DAY), secret, answered())
        assert [type(notice) for notice in later.decision.notices] == [Notice]
        assert later.decision.notices[0].warning
        assert f"{ENDS:%Y-%m-%d}" in later.decision.notices[0].message
        assert "2026-03-21" in later.decision.notices[0].message
        assert later.decision.notices[0].message.endswith("Before then, store a new one in the Secret.")
        again = tell(inputs(after(raw, later), now=ENDS - 12 * DAY), secret, answered())
        assert again.decision.notices == ()

    def test_it_comes_back_when_the_warning_falls_due(self) -> None:
        raw, secret = instance(monitor={"interval": "168h"}), found(apiKey=jwt(NOW + 15 * DAY))
        told = tell(inputs(raw), secret, answered())
        assert told.decision.due is not None
        assert told.decision.due <= NOW + DAY

    def test_no_key_of_it_is_in_the_message(self) -> None:
        key = jwt(NOW + DAY)
        told = tell(inputs(), found(apiKey=key), answered())
        assert told.decision.notices
        assert key.split(".")[1] not in repr(told.decision)
