"""The work queue: a key waits once, is worked on by one worker at a time, and is never lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from integration_hub.runtime.queue import QueueClosed, WorkQueue
from integration_hub.shell.keys import Key, Priority
from support import virtual_time
from support.virtual_time import settle

KEYS = [Key("integrationinstances", "ns", name) for name in "abcde"]
A, B, C = KEYS[:3]


async def take(queue: WorkQueue) -> Key:
    """The next key, which must be there already."""
    async with asyncio.timeout(0):
        key, _ = await queue.get()
    return key


class QueueMachine(RuleBasedStateMachine):
    """The queue against a model: what waits, what is worked on, what waits for its worker."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.queue: WorkQueue = self.runner.run(self.made())
        self.waiting: dict[Key, Priority] = {}
        self.working: set[Key] = set()
        self.again: dict[Key, Priority] = {}

    @staticmethod
    async def made() -> WorkQueue:
        return WorkQueue()

    def teardown(self) -> None:
        self.runner.close()

    @rule(key=st.sampled_from(KEYS), priority=st.sampled_from(Priority))
    def add(self, key: Key, priority: Priority) -> None:
        self.queue.add(key, priority)
        table = self.again if key in self.working else self.waiting
        table[key] = min(priority, table.get(key, priority))

    @precondition(lambda self: bool(self.waiting))
    @rule()
    def get(self) -> None:
        key, priority = self.runner.run(self.queue.get())
        assert key not in self.working, "a key was handed out twice at once"
        assert priority == min(self.waiting.values()), "something more urgent waited"
        assert self.waiting.pop(key) == priority
        self.working.add(key)

    @precondition(lambda self: not self.waiting)
    @rule()
    def get_waits_where_nothing_is_ready(self) -> None:
        async def attempt() -> None:
            getter = asyncio.ensure_future(self.queue.get())
            await asyncio.sleep(0)
            assert not getter.done()
            getter.cancel()
            await asyncio.gather(getter, return_exceptions=True)

        self.runner.run(attempt())

    @precondition(lambda self: bool(self.working))
    @rule(data=st.data())
    def done(self, data: Any) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.remove(key)
        if key in self.again:
            self.waiting[key] = self.again.pop(key)

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.waiting) + len(self.again)
        assert self.queue.working == len(self.working)
        assert self.queue.idle == (not (self.waiting or self.again or self.working))


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_more_urgent_keys_go_first_and_equals_in_their_order() -> None:
    queue = WorkQueue()
    for key, priority in [(A, Priority.STARTUP), (B, Priority.PERIODIC), (C, Priority.USER)]:
        queue.add(key, priority)
    queue.add(KEYS[3], Priority.PERIODIC)
    assert [await take(queue) for _ in range(4)] == [C, B, KEYS[3], A]


async def test_a_waiting_key_moves_forward_and_never_back() -> None:
    queue = WorkQueue()
    queue.add(A, Priority.PERIODIC)
    queue.add(B, Priority.PERIODIC)
    queue.add(B, Priority.USER)
    queue.add(B, Priority.STARTUP)
    assert await queue.get() == (B, Priority.USER)
    assert await queue.get() == (A, Priority.PERIODIC)


async def test_news_during_the_work_are_worked_on_afterwards_by_whoever_is_free() -> None:
    queue = WorkQueue()
    queue.add(A, Priority.PERIODIC)
    await queue.get()
    queue.add(A, Priority.USER)
    other = asyncio.ensure_future(queue.get())
    await settle()
    assert not other.done()
    queue.done(A)
    assert await other == (A, Priority.USER)


async def test_a_worker_that_is_cancelled_while_it_waits_takes_nothing_with_it() -> None:
    queue = WorkQueue()
    waiting = asyncio.ensure_future(queue.get())
    await settle()
    waiting.cancel()
    queue.add(A, Priority.USER)
    await asyncio.gather(waiting, return_exceptions=True)
    assert await take(queue) == A


async def test_closed_it_ends_every_worker_and_hands_out_nothing_more() -> None:
    queue = WorkQueue()
    waiting = [asyncio.ensure_future(queue.get()) for _ in range(5)]
    await settle()
    queue.add(A, Priority.USER)
    queue.close()
    ends = await asyncio.gather(*waiting, queue.get(), return_exceptions=True)
    assert [type(end) for end in ends] == [QueueClosed] * 6


async def test_done_without_work_is_harmless() -> None:
    queue = WorkQueue()
    queue.done(A)
    assert queue.idle


def test_many_workers_share_the_work_without_ever_sharing_a_key() -> None:
    async def main() -> None:
        queue, at_work, finished = WorkQueue(), set[Key](), list[Key]()

        async def worker() -> None:
            while True:
                try:
                    key, _ = await queue.get()
                except QueueClosed:
                    return
                assert key not in at_work
                at_work.add(key)
                await asyncio.sleep(1)
                at_work.remove(key)
                finished.append(key)
                queue.done(key)

        workers = [asyncio.ensure_future(worker()) for _ in range(3)]
        for _ in range(4):
            for key in KEYS:
                queue.add(key, Priority.PERIODIC)
            await asyncio.sleep(0.7)
        await asyncio.sleep(60)
        assert queue.idle
        queue.close()
        await asyncio.gather(*workers)
        assert set(finished) == set(KEYS)
        # What was added while it waited collapsed into one.
        assert len(finished) < 4 * len(KEYS)

    virtual_time.run(main())


@pytest.mark.parametrize("priority", list(Priority))
async def test_every_priority_is_handed_out_as_it_was_given(priority: Priority) -> None:
    queue = WorkQueue()
    queue.add(A, priority)
    assert await queue.get() == (A, priority)


async def test_an_entry_that_was_overtaken_lends_its_urgency_to_nobody_later() -> None:
    # The heap still holds A as INPUT when A comes back with nobody waiting for it.
    queue = WorkQueue()
    queue.add(A, Priority.INPUT)
    queue.add(A, Priority.USER)
    await queue.get()
    queue.done(A)
    queue.add(B, Priority.PERIODIC)
    queue.add(A, Priority.STARTUP)
    assert await queue.get() == (B, Priority.PERIODIC)
    assert await queue.get() == (A, Priority.STARTUP)


class TestPlaces:
    """Few are worked on at once; who waits for somebody outside makes room."""

    async def test_bound_what_is_handed_out(self) -> None:
        queue = WorkQueue(places=1)
        queue.add(A, Priority.USER)
        queue.add(B, Priority.USER)
        assert await take(queue) == A
        waiting = asyncio.ensure_future(queue.get())
        await settle()
        assert not waiting.done()
        queue.done(A)
        assert await waiting == (B, Priority.USER)

    async def test_are_free_again_where_a_key_is_put_aside(self) -> None:
        queue = WorkQueue(places=1)
        queue.add(A, Priority.USER)
        queue.add(B, Priority.USER)
        assert await take(queue) == A
        waiting = asyncio.ensure_future(queue.get())
        await settle()
        queue.put_aside(A)
        assert await waiting == (B, Priority.USER)
        assert queue.working == 2

    async def test_aside_are_bounded_and_half_of_them_are_for_changes(self) -> None:
        queue = WorkQueue(places=1, aside=2)
        for key in KEYS:
            queue.add(key, Priority.PERIODIC)
        queue.put_aside(await take(queue))
        waiting = asyncio.ensure_future(queue.get())
        await settle()
        assert not waiting.done(), "what nobody waits for waits"
        queue.add(urgent := Key("integrationinstances", "ns", "urgent"), Priority.USER)
        assert await waiting == (urgent, Priority.USER)
        queue.put_aside(urgent)
        queue.add(second := urgent._replace(name="urgent-too"), Priority.USER)
        assert await take(queue) == second
        queue.put_aside(second)  # no room: it keeps its place
        queue.add(urgent._replace(name="last"), Priority.USER)
        waiting = asyncio.ensure_future(queue.get())
        await settle()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def test_half_of_them_still_serve_what_falls_due_while_slow_ones_fill_their_room(self) -> None:
        queue = WorkQueue(places=4, aside=4)
        slow = [Key("integrationinstances", "slow", str(number)) for number in range(4)]
        for key in slow:
            queue.add(key, Priority.PERIODIC)
        for _ in range(4):
            queue.put_aside(await take(queue))  # two have room aside, two keep their places
        queue.done(slow[3])
        for key in KEYS:
            queue.add(key, Priority.PERIODIC)
        for key in KEYS:
            assert await take(queue) == key, "others go on, one after the other"
            queue.done(key)

    async def test_half_of_them_are_for_changes_while_slow_ones_fill_their_room(self) -> None:
        queue = WorkQueue(places=4, aside=2)
        for key in KEYS:
            queue.add(key, Priority.PERIODIC)
        queue.put_aside(await take(queue))
        for _ in range(2):
            await take(queue)
        waiting = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await settle()
        assert not any(getter.done() for getter in waiting), "what nobody waits for has its half"
        changes = [Key("integrationinstances", "ns", name) for name in ("first", "second")]
        for key, priority in zip(changes, (Priority.USER, Priority.INPUT), strict=True):
            queue.add(key, priority)
        await settle()
        taken = [getter.result()[0] for getter in waiting if getter.done()]
        assert sorted(taken) == sorted(changes)
        queue.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def test_that_fell_due_together_and_hang_make_room_for_changes_all_the_same(self) -> None:
        queue = WorkQueue(places=4, aside=4)
        hanging = [Key("integrationinstances", "slow", str(number)) for number in range(5)]
        for key in hanging:
            queue.add(key, Priority.PERIODIC)
        queue.put_aside(await take(queue))
        for key in [await take(queue) for _ in range(4)]:
            queue.put_aside(key)
        for key in KEYS[:2]:
            queue.add(key, Priority.USER)
        assert [await take(queue), await take(queue)] == KEYS[:2]

    async def test_who_frees_room_for_many_lets_many_begin(self) -> None:
        queue = WorkQueue(places=3, aside=2)
        queue.add(A, Priority.PERIODIC)
        queue.put_aside(await take(queue))
        for key in KEYS[1:4]:
            queue.add(key, Priority.PERIODIC)
        waiting = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await settle()
        queue.done(A)
        assert {key for key, _ in await asyncio.gather(*waiting)} == set(KEYS[1:4])

    async def test_what_was_put_aside_too_late_is_harmless(self) -> None:
        queue = WorkQueue(places=1)
        queue.put_aside(A)
        queue.add(A, Priority.USER)
        assert await take(queue) == A
        queue.add(B, Priority.USER)
        waiting = asyncio.ensure_future(queue.get())
        await settle()
        assert not waiting.done()
        queue.done(A)
        await waiting
