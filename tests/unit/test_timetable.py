"""The one heap of what is due later, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given
from hypothesis import strategies as st

from integration_hub.runtime.timetable import Timetable
from integration_hub.shell.keys import Key, Priority
from support import virtual_time
from support.virtual_time import START, settle

KEYS = [Key("integrationinstances", "ns", name) for name in "abcd"]
A, B = KEYS[:2]


Handed = list[tuple[float, Key, Priority]]


def timetable_run(plan: Callable[[Timetable], Awaitable[None]], *, seconds: float = 100) -> Handed:
    """What is handed out within the time, when the plan runs beside."""

    async def main() -> Handed:
        loop = asyncio.get_running_loop()
        handed: Handed = []
        table = Timetable(lambda key, priority: handed.append((loop.time() - START, key, priority)))
        running = asyncio.ensure_future(table.run())
        await plan(table)
        await asyncio.sleep(START + seconds - loop.time())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return handed

    return virtual_time.run(main())


def test_keys_are_handed_out_at_their_times_and_in_their_order() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 20)
        table.set(B, START + 10, Priority.USER)
        assert len(table) == 2

    assert timetable_run(plan) == [(10, B, Priority.USER), (20, A, Priority.PERIODIC)]


def test_a_time_that_has_passed_is_now() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START - 5)

    assert timetable_run(plan) == [(0, A, Priority.PERIODIC)]


def test_a_new_time_replaces_the_old_one_earlier_or_later() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 50)
        table.set(B, START + 5)
        await asyncio.sleep(1)
        table.set(A, START + 10)
        table.set(B, START + 60)

    assert timetable_run(plan) == [(10, A, Priority.PERIODIC), (60, B, Priority.PERIODIC)]


def test_the_same_time_twice_is_one() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 5)
        table.set(A, START + 5, Priority.USER)

    assert timetable_run(plan) == [(5, A, Priority.USER)]


def test_a_dropped_key_is_not_handed_out() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 5)
        table.set(B, START + 6)
        table.drop(A)
        table.drop(KEYS[3])
        assert len(table) == 1

    assert timetable_run(plan) == [(6, B, Priority.PERIODIC)]


def test_a_dropped_key_can_come_back() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 5)
        table.drop(A)
        table.set(A, START + 7)

    assert timetable_run(plan) == [(7, A, Priority.PERIODIC)]


def test_what_is_handed_out_is_gone() -> None:
    async def plan(table: Timetable) -> None:
        table.set(A, START + 5)
        await asyncio.sleep(6)
        assert len(table) == 0

    timetable_run(plan)


def test_rescheduling_without_end_does_not_pile_up() -> None:
    async def plan(table: Timetable) -> None:
        for n in range(10_000):
            table.set(A, START + 10 + n / 10_000)
        assert len(table._heap) < 200

    assert len(timetable_run(plan)) == 1


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 99), st.booleans()), max_size=30))
def test_each_key_has_the_last_time_that_it_was_given(steps: list[tuple[Key, int, bool]]) -> None:
    expected: dict[Key, int] = {}

    async def plan(table: Timetable) -> None:
        for key, when, dropped in steps:
            if dropped:
                table.drop(key)
                expected.pop(key, None)
            else:
                table.set(key, START + when)
                expected[key] = when

    handed = timetable_run(plan)
    assert {key: when for when, key, _ in handed} == expected
    assert [when for when, _, _ in handed] == sorted(expected.values())


class TestLateness:
    def test_is_told_once_from_the_time_at_which_the_key_was_due(self) -> None:
        async def plan(table: Timetable) -> None:
            table.set(A, START + 5)
            await asyncio.sleep(8)
            assert table.lateness(A) == 3
            table.served(A)
            assert table.lateness(A) is None

        timetable_run(plan)

    def test_of_a_key_that_is_put_off_counts_from_its_first_time(self) -> None:
        async def plan(table: Timetable) -> None:
            table.set(A, START + 5)
            await asyncio.sleep(6)
            table.set(A, START + 20)  # its host allows no more at present
            await asyncio.sleep(15)
            assert table.lateness(A) == 16

        timetable_run(plan)

    def test_of_a_key_that_was_handed_out_in_time_is_nothing(self) -> None:
        async def plan(table: Timetable) -> None:
            table.set(A, START + 5)
            await asyncio.sleep(5)
            await settle()
            assert table.lateness(A) == 0

        timetable_run(plan)

    def test_is_not_known_of_what_is_not_due_yet_was_never_planned_or_was_dropped(self) -> None:
        async def plan(table: Timetable) -> None:
            table.set(A, START + 50)
            table.set(B, START + 1)
            await asyncio.sleep(2)
            table.drop(B)
            assert [table.lateness(key) for key in KEYS[:3]] == [None, None, None]

        timetable_run(plan)
