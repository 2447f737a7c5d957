"""The desk at which answers of consent change hands, in virtual time: who waits, who is told what, and what is kept."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from integration_hub.model.tokens import ConsentAnswer
from integration_hub.shell.consent import (
    KEPT_SECONDS,
    MOST_ANSWERS,
    MOST_FOR_ONE,
    MOST_SETTLED,
    PATIENCE_SECONDS,
    ConsentDesk,
    ConsentOutcome,
)
from integration_hub.shell.keys import Key
from support import virtual_time
from support.virtual_time import settle

UID = "0b9a5e1c-1111-4222-8333-944455556666"
SHOP = Key("integrationinstances", "shop", "billing")
CONNECTED = ConsentOutcome("connected", display_name="Billing", system="Acme")


def state(uid: str = UID, random: str = "r" * 43) -> str:
    return f"{uid.replace('-', '')}.{random}"


def answer(number: int = 0, uid: str = UID) -> ConsentAnswer:
    return ConsentAnswer(state(uid, f"{number:043}"), code=f"code-{number}")


class Rig:
    """A desk, the instances that there are, and who was woken."""

    def __init__(self) -> None:
        self.instances = {UID: SHOP}
        self.woken: list[Key] = []
        self.asked: list[str] = []
        self.links: dict[Key, str] = {}
        self.desk = ConsentDesk(self.find, self.woken.append, lambda key: self.links.get(key, ""))

    def find(self, uid: str) -> Key | None:
        self.asked.append(uid)
        return self.instances.get(uid)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_an_answer_is_taken_once_and_whoever_brought_it_is_told_what_came_of_it(rig: Rig) -> None:
    async def story() -> None:
        waiting = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        assert rig.woken == [SHOP]
        assert rig.desk.take(SHOP) == answer()
        assert rig.desk.take(SHOP) is None
        assert not waiting.done()
        rig.desk.settle(SHOP, CONNECTED)
        told = await waiting
        assert (told.result, told.display_name, told.system) == ("connected", "Billing", "Acme")
        assert (told.namespace, told.name) == ("shop", "billing"), (
            "names that are left out are the instance's"
        )

    virtual_time.run(story())


@pytest.mark.parametrize(
    "made_up",
    [
        "",
        "state",
        "." + "r" * 43,
        "0b9a5e1c.rrr",
        state(random=""),
        state(random="short"),
        state(random="r" * 200),
        state(random="r" * 42 + "/"),
        state(random="r" * 42 + "\n"),
        state().upper(),
        state() + "." + "r" * 43,
        UID + "." + "r" * 43,
        "٣" * 32 + "." + "r" * 43,
    ],
)
def test_a_state_in_another_form_is_looked_up_nowhere(rig: Rig, made_up: str) -> None:
    assert virtual_time.run(rig.desk.hand_in(ConsentAnswer(made_up, code="code"))) == ConsentOutcome(
        "unknown-link"
    )
    assert rig.asked == []
    assert rig.woken == []


def test_a_state_of_no_instance_costs_one_look_into_a_table_and_leaves_nothing(rig: Rig) -> None:
    async def story() -> None:
        for number in range(3 * MOST_ANSWERS):
            uid = f"{number:08x}-1111-4222-8333-944455556666"
            assert (await rig.desk.hand_in(answer(uid=uid))).result == "unknown-link"
        assert rig.asked[7] == "00000007-1111-4222-8333-944455556666", "asked for as metadata.uid writes it"
        assert rig.woken == []
        assert asyncio.get_running_loop().time() == virtual_time.START, "nobody waits for it"
        assert (rig.desk._cases, rig.desk._settled) == ({}, {})

    virtual_time.run(story())


def test_the_same_state_twice_at_once_is_used_once_and_both_are_told_the_same(rig: Rig) -> None:
    async def story() -> None:
        both = [asyncio.create_task(rig.desk.hand_in(answer())) for _ in range(2)]
        await settle()
        assert rig.desk.take(SHOP) == answer()
        assert rig.desk.take(SHOP) is None
        rig.desk.settle(SHOP, CONNECTED)
        first, second = await asyncio.gather(*both)
        assert first == second
        assert rig.woken == [SHOP]

    virtual_time.run(story())


def test_another_code_with_the_same_state_does_not_take_the_place_of_the_first(rig: Rig) -> None:
    async def story() -> None:
        first = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        second = asyncio.create_task(rig.desk.hand_in(ConsentAnswer(answer().state, code="another")))
        await settle()
        taken = rig.desk.take(SHOP)
        assert taken is not None
        assert taken.code == "code-0"
        rig.desk.settle(SHOP, CONNECTED)
        assert await first == await second

    virtual_time.run(story())


def test_a_page_that_is_loaded_again_shows_the_same_and_uses_nothing(rig: Rig) -> None:
    async def story() -> None:
        first = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.take(SHOP)
        rig.desk.settle(SHOP, CONNECTED)
        assert await rig.desk.hand_in(answer()) == await first
        assert rig.desk.take(SHOP) is None
        assert rig.woken == [SHOP]
        await asyncio.sleep(KEPT_SECONDS + 1)
        again = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        assert rig.desk.take(SHOP) == answer(), (
            "it is no longer remembered: the reconcile says that it was used"
        )
        again.cancel()

    virtual_time.run(story())


@pytest.mark.parametrize("result", ["busy", "not-taken"])
def test_an_answer_that_was_not_used_may_be_brought_again(
    rig: Rig, result: Literal["busy", "not-taken"]
) -> None:
    async def story() -> None:
        first = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.take(SHOP)
        rig.desk.settle(SHOP, ConsentOutcome(result))
        assert (await first).result == result
        again = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        assert rig.desk.take(SHOP) == answer()
        rig.desk.settle(SHOP, CONNECTED)
        assert (await again).result == "connected"

    virtual_time.run(story())


def test_a_made_up_state_of_an_instance_is_not_remembered(rig: Rig) -> None:
    async def story() -> None:
        for number in range(10):
            waiting = asyncio.create_task(rig.desk.hand_in(answer(number)))
            await settle()
            rig.desk.take(SHOP)
            rig.desk.settle(SHOP, ConsentOutcome("unknown-link"))
            assert await waiting == ConsentOutcome("unknown-link"), "who guesses learns no name"
        assert (rig.desk._cases, rig.desk._settled) == ({}, {})

    virtual_time.run(story())


def test_who_waits_for_long_is_told_that_the_work_goes_on_and_it_does(rig: Rig) -> None:
    async def story() -> None:
        assert await rig.desk.hand_in(answer()) == ConsentOutcome("pending", namespace="shop", name="billing")
        assert asyncio.get_running_loop().time() == virtual_time.START + PATIENCE_SECONDS
        assert rig.desk.take(SHOP) == answer(), "the answer is used all the same"
        again = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.settle(SHOP, CONNECTED)
        assert (await again).result == "connected", "who loads the page again joins in"
        assert rig.woken == [SHOP]

    virtual_time.run(story())


def test_closing_the_window_changes_nothing(rig: Rig) -> None:
    async def story() -> None:
        waiting = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        waiting.cancel()
        await settle()
        assert waiting.cancelled()
        assert rig.desk.take(SHOP) == answer()
        rig.desk.settle(SHOP, CONNECTED)
        assert (await rig.desk.hand_in(answer())).result == "connected"

    virtual_time.run(story())


def test_answers_of_one_instance_wait_for_one_another_and_each_is_told_its_own(rig: Rig) -> None:
    async def story() -> None:
        first = asyncio.create_task(rig.desk.hand_in(answer(1)))
        await settle()
        second = asyncio.create_task(rig.desk.hand_in(answer(2)))
        await settle()
        assert rig.woken == [SHOP, SHOP]
        assert rig.desk.take(SHOP) == answer(1)
        rig.desk.settle(SHOP, ConsentOutcome("unknown-link"))
        assert (await first).result == "unknown-link"
        assert rig.woken == [SHOP, SHOP, SHOP], "the next one's turn"
        assert rig.desk.take(SHOP) == answer(2)
        rig.desk.settle(SHOP, CONNECTED)
        assert (await second).result == "connected"
        assert len(rig.woken) == 3

    virtual_time.run(story())


def test_a_flood_for_one_instance_keeps_no_other_instance_out(rig: Rig) -> None:
    other = Key("integrationinstances", "shop", "orders")
    rig.instances["22222222-1111-4222-8333-944455556666"] = other

    async def story() -> None:
        flood = [asyncio.create_task(rig.desk.hand_in(answer(number))) for number in range(1000)]
        await settle()
        done = [task.result().result for task in flood if task.done()]
        assert done == ["busy"] * (1000 - MOST_FOR_ONE)
        assert len(rig.woken) == MOST_FOR_ONE
        waiting = asyncio.create_task(rig.desk.hand_in(answer(uid="22222222-1111-4222-8333-944455556666")))
        await settle()
        assert rig.desk.take(other) is not None
        rig.desk.settle(other, CONNECTED)
        assert (await waiting).result == "connected"

    virtual_time.run(story())


def test_made_up_states_of_an_instance_that_was_looked_at_cost_nothing_and_keep_nobody_out(rig: Rig) -> None:
    async def story() -> None:
        rig.desk.expect(SHOP, (answer().state, answer(1).state))
        for number in range(2, 500):
            assert await rig.desk.hand_in(answer(number)) == ConsentOutcome("unknown-link")
        assert rig.woken == []
        waiting = [asyncio.create_task(rig.desk.hand_in(answer(number))) for number in (0, 1)]
        await settle()
        assert rig.woken == [SHOP, SHOP], "the link of now, and the one before it"
        assert rig.desk.take(SHOP) == answer()
        for task in waiting:
            task.cancel()

    virtual_time.run(story())


def test_the_first_look_at_an_instance_turns_away_those_who_have_no_link_of_it(rig: Rig) -> None:
    async def story() -> None:
        crowd = [asyncio.create_task(rig.desk.hand_in(answer(number))) for number in range(3)]
        await settle()
        assert len(rig.woken) == 3, "nobody knows yet"
        assert rig.desk.take(SHOP) == answer(0)
        rig.desk.expect(SHOP, (answer(2).state,))
        rig.desk.settle(SHOP, ConsentOutcome("unknown-link"))
        assert [(await task).result for task in crowd[:2]] == ["unknown-link", "unknown-link"]
        assert rig.desk.take(SHOP) == answer(2)
        rig.desk.settle(SHOP, CONNECTED)
        assert (await crowd[2]).result == "connected"

    virtual_time.run(story())


def test_a_link_that_another_operator_shows_is_good_here(rig: Rig) -> None:
    async def story() -> None:
        rig.desk.expect(SHOP, ())
        rig.links[SHOP] = f"https://login.example.com/authorize?client_id=hub&state={answer().state}&x=y"
        waiting = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        assert rig.desk.take(SHOP) == answer()
        waiting.cancel()
        assert (await rig.desk.hand_in(answer(1))).result == "unknown-link"

    virtual_time.run(story())


def test_a_page_is_loaded_again_although_its_link_was_used_up(rig: Rig) -> None:
    async def story() -> None:
        rig.desk.expect(SHOP, (answer().state,))
        first = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.take(SHOP)
        rig.desk.expect(SHOP, ())
        second = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.settle(SHOP, CONNECTED)
        assert (await first).result == (await second).result == "connected"
        assert (await rig.desk.hand_in(answer())).result == "connected"

    virtual_time.run(story())


def test_what_is_known_of_a_deleted_instance_is_forgotten(rig: Rig) -> None:
    async def story() -> None:
        rig.desk.expect(SHOP, ())
        rig.desk.forget(SHOP)
        waiting = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        assert rig.desk.take(SHOP) == answer()
        waiting.cancel()

    virtual_time.run(story())


def test_what_was_turned_away_may_come_again_when_there_is_room(rig: Rig) -> None:
    async def story() -> None:
        waiting = [asyncio.create_task(rig.desk.hand_in(answer(number))) for number in range(MOST_FOR_ONE)]
        await settle()
        assert (await rig.desk.hand_in(answer(99))).result == "busy"
        rig.desk.take(SHOP)
        rig.desk.settle(SHOP, ConsentOutcome("unknown-link"))
        again = asyncio.create_task(rig.desk.hand_in(answer(99)))
        await settle()
        taken = [rig.desk.take(SHOP) for _ in range(MOST_FOR_ONE)]
        assert taken[-1] == answer(99)
        for task in (*waiting, again):
            task.cancel()

    virtual_time.run(story())


def test_nothing_grows_however_many_come(rig: Rig) -> None:
    keys = {
        f"{number:08x}-1111-4222-8333-944455556666": Key("integrationinstances", "shop", f"c{number}")
        for number in range(3 * MOST_ANSWERS)
    }
    rig.instances |= keys

    async def story() -> None:
        # Taken by reconciles that never come to an end, and given up by whoever waited.
        for uid, key in keys.items():
            waiting = asyncio.create_task(rig.desk.hand_in(answer(uid=uid)))
            await settle(2)
            assert rig.desk.take(key) is not None
            waiting.cancel()
            await settle(2)
        assert len(rig.desk._cases) <= MOST_ANSWERS
        assert len(rig.desk._taken) <= MOST_ANSWERS
        # And settled ones.
        for number, (uid, key) in enumerate(keys.items()):
            waiting = asyncio.create_task(rig.desk.hand_in(answer(number + 1, uid)))
            await settle(2)
            rig.desk.take(key)
            rig.desk.settle(key, CONNECTED)
            assert (await waiting).result == "connected"
        assert len(rig.desk._settled) <= MOST_SETTLED
        await asyncio.sleep(KEPT_SECONDS + 1)
        await rig.desk.hand_in(answer())
        assert (len(rig.desk._cases), len(rig.desk._settled), len(rig.desk._taken)) == (1, 0, 0)

    virtual_time.run(story())


def test_where_all_places_are_waited_for_the_next_is_asked_to_come_again(rig: Rig) -> None:
    keys = {
        f"{number:08x}-1111-4222-8333-944455556666": Key("integrationinstances", "shop", f"c{number}")
        for number in range(MOST_ANSWERS)
    }
    rig.instances |= keys

    async def story() -> None:
        waiting = [asyncio.create_task(rig.desk.hand_in(answer(uid=uid))) for uid in keys]
        await settle()
        assert await rig.desk.hand_in(answer()) == ConsentOutcome("busy", namespace="shop", name="billing")
        for task in waiting:
            task.cancel()

    virtual_time.run(story())


def test_whoever_waits_for_a_deleted_instance_is_told_that_the_link_is_of_no_use(rig: Rig) -> None:
    async def story() -> None:
        waiting = asyncio.create_task(rig.desk.hand_in(answer()))
        await settle()
        rig.desk.take(SHOP)
        rig.desk.forget(SHOP)
        assert (await waiting).result == "unknown-link"
        rig.desk.settle(SHOP, CONNECTED)  # by the reconcile that was under way
        assert rig.desk._settled == {}

    virtual_time.run(story())


def test_settling_what_was_never_taken_is_nothing(rig: Rig) -> None:
    rig.desk.settle(SHOP, CONNECTED)
    rig.desk.forget(SHOP)
    assert rig.desk.take(SHOP) is None


def test_a_reconcile_that_failed_and_comes_again_leaves_the_first_answer_unsettled(rig: Rig) -> None:
    async def story() -> None:
        first = asyncio.create_task(rig.desk.hand_in(answer(1)))
        second = asyncio.create_task(rig.desk.hand_in(answer(2)))
        await settle()
        assert rig.desk.take(SHOP) == answer(1)
        assert rig.desk.take(SHOP) == answer(2)
        rig.desk.settle(SHOP, CONNECTED)
        assert (await second).result == "connected"
        assert (await first).result == "pending", "nobody says what is not known"

    virtual_time.run(story())


def test_a_desk_that_closes_lets_everybody_go(rig: Rig) -> None:
    async def story() -> None:
        waiting = [asyncio.create_task(rig.desk.hand_in(answer(number))) for number in range(2)]
        await settle()
        rig.desk.close()
        assert [(await task).result for task in waiting] == ["pending", "pending"]
        assert (await rig.desk.hand_in(answer(3))).result == "pending"
        assert asyncio.get_running_loop().time() == virtual_time.START

    virtual_time.run(story())
