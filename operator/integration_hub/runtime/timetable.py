"""The one heap of everything that is due later: periodic tests, retries. Each key has one time, the earliest given."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from integration_hub.shell.keys import Key, Priority


class Timetable:
    """Hands keys to the queue when their time comes. Times are the loop's, in seconds."""

    def __init__(self, enqueue: Callable[[Key, Priority], None]) -> None:
        """`enqueue` is called in the loop, at or just after a key's time."""
        self._enqueue = enqueue
        self._heap: list[tuple[float, Key]] = []
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._changed = asyncio.Event()
        self._since: dict[Key, float] = {}
        """Since when a key is due that was handed out, put off times included."""

    def __len__(self) -> int:
        """Return how many keys have a time."""
        return len(self._due)

    def set(self, key: Key, when: float, priority: Priority = Priority.PERIODIC) -> None:
        """Give the key this time instead of any that it had."""
        self._due[key] = (when, priority)
        heapq.heappush(self._heap, (when, key))
        self._compact()
        if self._heap[0] == (when, key):
            self._changed.set()

    def drop(self, key: Key) -> None:
        """Take the key's time away."""
        self._due.pop(key, None)
        self._since.pop(key, None)

    def lateness(self, key: Key) -> float | None:
        """Return for how many seconds a key that was handed out has been due; None where it was not."""
        since = self._since.get(key)
        return None if since is None else max(0.0, asyncio.get_running_loop().time() - since)

    def served(self, key: Key) -> None:
        """Take note that what the key was due for is done: it is late no more."""
        self._since.pop(key, None)

    async def run(self) -> None:
        """Hand out keys until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            wait = self._hand_out(loop.time())
            try:
                await asyncio.wait_for(self._changed.wait(), timeout=wait)
            except TimeoutError:
                continue

    def _hand_out(self, now: float) -> float | None:
        """Enqueue what is due; return the seconds until the next, None where nothing is left."""
        while self._heap:
            when, key = self._heap[0]
            known = self._due.get(key)
            if known is None or known[0] != when:
                heapq.heappop(self._heap)  # replaced or dropped since
            elif when <= now:
                heapq.heappop(self._heap)
                del self._due[key]
                self._since.setdefault(key, when)
                self._enqueue(key, known[1])
            else:
                return when - now
        return None

    def _compact(self) -> None:
        """Keep replaced entries from piling up where keys are rescheduled more often than they fall due."""
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [(when, key) for key, (when, _) in self._due.items()]
            heapq.heapify(self._heap)
