"""The keyed priority queue, after client-go's workqueue: a key waits once, and is worked on by one worker at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from integration_hub.shell.keys import Key, Priority


class QueueClosed(Exception):  # noqa: N818 - a signal, not an error
    """The queue hands out nothing more."""


class WorkQueue:
    """Keys that wait for a worker, most urgent first; among equals, first come, first served."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[Priority, int, Key]] = []
        self._waiting: dict[Key, Priority] = {}
        self._working: set[Key] = set()
        self._again: dict[Key, Priority] = {}
        self._order = itertools.count()
        self._getters = asyncio.Semaphore(0)
        self._closed = False

    def __len__(self) -> int:
        """Return how many keys wait, those that wait for their own worker to finish included."""
        return len(self._waiting) + len(self._again)

    @property
    def working(self) -> int:
        """How many keys are being worked on."""
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
            return
        known = self._waiting.get(key)
        if known is not None and known <= priority:
            return
        self._waiting[key] = priority
        heapq.heappush(self._heap, (priority, next(self._order), key))
        if known is None:
            self._getters.release()

    def close(self) -> None:
        """Hand out nothing more: workers end when they ask for the next key."""
        self._closed = True
        self._getters.release()

    async def get(self) -> tuple[Key, Priority]:
        """Wait for the most urgent key and take it. The caller must call `done` with it. QueueClosed after `close`."""
        await self._getters.acquire()
        if self._closed:
            self._getters.release()  # wake the next worker, so that it ends too
            raise QueueClosed
        while True:
            priority, _, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == priority:  # else a less urgent entry that was since moved forward
                del self._waiting[key]
                self._working.add(key)
                return key, priority

    def done(self, key: Key) -> None:
        """Say that work on the key has ended, however it did."""
        self._working.discard(key)
        priority = self._again.pop(key, None)
        if priority is not None:
            self.add(key, priority)
