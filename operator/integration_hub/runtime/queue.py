"""The keyed priority queue, after client-go's workqueue: a key waits once, and is worked on by one worker at a time.

Work takes a place, of which there are few, so that urgent keys overtake others here and not somewhere further on. A
key whose work waits for somebody outside is put aside: its place is free for the next. Half of the places and half of
the room aside are kept for changes, whatever hangs: what nobody waits for can wait.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable

from integration_hub.shell.keys import Key, Priority


class QueueClosed(Exception):  # noqa: N818 - a signal, not an error
    """The queue hands out nothing more."""


class WorkQueue:
    """Keys that wait for a worker, most urgent first; among equals, first come, first served."""

    def __init__(self, *, places: float = math.inf, aside: float = math.inf) -> None:
        """Start empty. `places` keys are worked on at once, and beside them up to `aside` that were put aside."""
        self._places = places
        self._most_aside = aside
        self._heap: list[tuple[Priority, int, Key]] = []
        self._waiting: dict[Key, Priority] = {}
        self._working: dict[Key, Priority] = {}
        self._aside: set[Key] = set()
        self._again: dict[Key, Priority] = {}
        self._order = itertools.count()
        self._getters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.on_overtaken: Callable[[Key], None] = lambda _: None
        """Called where somebody's change makes the work that a key is at out of date."""

    def __len__(self) -> int:
        """Return how many keys wait, those that wait for their own worker to finish included."""
        return len(self._waiting) + len(self._again)

    @property
    def working(self) -> int:
        """How many keys are being worked on, those put aside included."""
        return len(self._working)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is worked on."""
        return not (self._waiting or self._again or self._working)

    def add(self, key: Key, priority: Priority) -> None:
        """Let the key wait, or move it forward where it already waits and this is more urgent.

        A key that is being worked on waits until that ends, and is then worked on again: what its worker read may be
        older than this news.
        """
        if key in self._working:
            self._again[key] = min(priority, self._again.get(key, priority))
            if priority <= Priority.INPUT:
                self.on_overtaken(key)
            return
        known = self._waiting.get(key)
        if known is not None and known <= priority:
            return
        self._waiting[key] = priority
        heapq.heappush(self._heap, (priority, next(self._order), key))
        self._wake_one()

    def put_aside(self, key: Key) -> None:
        """Free the key's place while its work waits for somebody outside, unless too many do so already."""
        if key in self._working and self._has_room_aside(self._working[key]):
            self._aside.add(key)
            self._wake_one()

    def close(self) -> None:
        """Hand out nothing more: workers end when they ask for the next key."""
        self._closed = True
        while self._getters:
            self._wake_one()

    async def get(self) -> tuple[Key, Priority]:
        """Wait for a place and the most urgent key. The caller must call `done` with it. QueueClosed after `close`."""
        while not self._closed:
            taken = self._take()
            if taken is not None:
                self._wake_one()  # what freed a place for one may have freed more
                return taken
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                getter.cancel()
                self._wake_one()  # it may have been woken for a key that now waits for another
                raise
        raise QueueClosed

    def done(self, key: Key) -> None:
        """Say that work on the key has ended, however it did."""
        self._working.pop(key, None)
        self._aside.discard(key)
        priority = self._again.pop(key, None)
        if priority is not None:
            self.add(key, priority)
        self._wake_one()

    def _take(self) -> tuple[Key, Priority] | None:
        """Take the most urgent key; None where none waits, or none that waits may have a place."""
        if len(self._working) - len(self._aside) >= self._places:
            return None
        while self._heap:
            priority, _, key = self._heap[0]
            if self._waiting.get(key) != priority:
                heapq.heappop(self._heap)  # a less urgent entry that was since moved forward
                continue
            if not self._may_begin(priority):
                return None
            heapq.heappop(self._heap)
            del self._waiting[key]
            self._working[key] = priority
            return key, priority
        return None

    def _may_begin(self, priority: Priority) -> bool:
        """Tell whether such a key may have one of the free places.

        What nobody waits for may have all of them while it can be put aside if it hangs, and then half of them.
        """
        if priority <= Priority.INPUT or len(self._aside) < self._most_aside / 2:
            return True
        return self._unhurried_in_places() + 1 <= self._places / 2

    def _has_room_aside(self, priority: Priority) -> bool:
        """Tell whether such a key may be put aside.

        What nobody waits for may take half of the room, and more only where it would hold the places of changes: many
        may have begun while there was room, and hang together.
        """
        if len(self._aside) >= self._most_aside:
            return False
        if priority <= Priority.INPUT or len(self._aside) < self._most_aside / 2:
            return True
        return self._unhurried_in_places() > self._places / 2

    def _unhurried_in_places(self) -> int:
        """Return how many places are held by keys that nobody waits for."""
        return sum(
            priority > Priority.INPUT and key not in self._aside for key, priority in self._working.items()
        )

    def _wake_one(self) -> None:
        """Let one worker look whether there is something for it."""
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
