"""Waiting for external systems: who does, for how long, and when it has become pointless.

A system that does not answer must cost others nothing. Who has waited for longer than most systems take gives its
place to the next key; and where news show that the test is about what no longer is, it is abandoned.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from integration_hub.shell.keys import Key

PATIENCE_SECONDS = 0.5
"""Healthy systems answer sooner. At 40 places this lets 80 keys of hanging systems pass in a second."""


class OvertakenError(Exception):
    """The test was abandoned: what it was about has changed meanwhile."""


class Outside:
    """The keys whose reconcile waits for an external system at this moment."""

    def __init__(self) -> None:
        """Nobody waits, and nobody is told."""
        self._limits: dict[Key, asyncio.Timeout] = {}
        self.on_long_wait: Callable[[Key], None] = lambda _: None
        """Called once for a key that waits for longer than the patience."""

    @asynccontextmanager
    async def waiting(self, key: Key, *, may_end: bool) -> AsyncIterator[None]:
        """Wrap the wait. OvertakenError where `abandon` ended it; what may be done only once must not end so."""
        told = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.on_long_wait, key)
        try:
            async with asyncio.timeout(None) as limit:
                if may_end:
                    self._limits[key] = limit
                yield
        except TimeoutError:
            if limit.expired():
                raise OvertakenError from None
            raise
        finally:
            told.cancel()
            self._limits.pop(key, None)

    def abandon(self, key: Key) -> bool:
        """End the key's wait, if there is one that may be ended. Tell whether there was."""
        limit = self._limits.pop(key, None)
        if limit is None:
            return False
        limit.reschedule(asyncio.get_running_loop().time())
        return True
