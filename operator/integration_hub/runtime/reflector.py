"""Keeps the store like the API server's list of one resource: list, then watch from there, and list again in time.

After client-go's Reflector. Kopf's own watching was measured first and replaced (docs/decisions/0004): it cost as
much CPU as all of the rest, kept whole Secrets and a record of every object in memory, and could end without a word.
"""

from __future__ import annotations

import asyncio
import random

import structlog

from integration_hub.adapters.kube import ApiError, KubeClient, Resource
from integration_hub.runtime.feed import Feed
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.outage import WORKS_AFTER_SECONDS, Outage

log = structlog.get_logger("integration_hub.reflector")

WATCH_SECONDS = 300
"""After this long the server ends a watch, and we start the next: what a load balancer forgot is found so."""
SILENCE_SECONDS = 180.0
"""Bookmarks of an idle resource were seen 120 s apart; a connection that is silent for longer is given up."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
"""Between attempts to reach an API server that is away; soon enough to be back within seconds of its return."""
LONGEST_ASKED_SECONDS = 120.0
"""Of a server that asks for more with Retry-After, no more is granted: something in between may ask for a day."""
LIST_AGAIN = frozenset({400, 410, 503, 504})
"""Answers to a watch that the same watch would get again: its version is unreadable to the server, older than what it
remembers, or newer than all that it knows. And 503: a server that is shutting down may come back with an older state,
put back from a backup, of which a watch would not tell."""
GONE = 410
"""The version is older than what the server remembers, as after it was away for long: what was missed must not wait for
as long again."""


class Reflector:
    """Reflects one resource into the store. One `run` at a time."""

    def __init__(
        self, resource: Resource, kube: KubeClient, feed: Feed, metrics: Metrics, *, relist_seconds: float
    ) -> None:
        """`relist_seconds` is the longest time without a list, which finds what a watch lost."""
        self.resource = resource
        self._kube = kube
        self._feed = feed
        self._metrics = metrics
        self._relist_seconds = relist_seconds
        self._relist_at = 0.0
        self._outage = Outage(resource.plural)
        self._opened = False
        """Whether the server has agreed to the last watch."""
        self._version = ""
        """Where to watch from; empty when only a list can tell."""

    async def list(self, *, first: bool = False) -> None:
        """Make the store like the API server's list. ApiError passes through."""
        self._version = await self._feed.relist(self._kube, self.resource, first=first)
        self._relist_at = asyncio.get_running_loop().time() + self._relist_seconds

    def problem(self) -> str | None:
        """Say that the resource cannot be watched, since when, why and what to do; None where it can."""
        return self._outage.problem(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Follow the resource until cancelled. Survives whatever the API server does; a mistake of ours ends it."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            error: ApiError | None = None
            started = loop.time()
            try:
                if not self._version or started >= self._relist_at:
                    await self.list()
                started = loop.time()
                await self._watch(loop)
            except ApiError as failure:
                error = failure
                self._after(failure, failures)
            if error is None and loop.time() - started >= WORKS_AFTER_SECONDS:
                failures = 0
                self._works()
                continue
            if error is None:
                # A server that is shutting down ends watches so. In the pause that follows it may come back with an
                # older state, put back from a backup, of which a watch would not tell.
                self._version = ""
            failures = 1 if error is not None and error.status == GONE else failures + 1
            self._metrics.watch_failures.labels(self.resource.kind).inc()
            if self._outage.failed(error, loop.time()):
                log.warning("cannot watch; will go on trying", problem=self.problem())
            await asyncio.sleep(pause_before(failures, error.retry_after if error else None, random.random()))  # noqa: S311 - spreads load, guards nothing

    def _after(self, error: ApiError, failures: int) -> None:
        """Decide from where the next watch begins, after one that failed and as many failures before it."""
        say = log.debug if failures else log.info
        say("watch ended", resource=self.resource.plural, error=str(error), failures=failures)
        # A server that could not be reached may come back with an older state, too; a watch that broke off was reached.
        away = error.status == 0 and (failures > 0 or not self._opened)
        if away or error.status in LIST_AGAIN:
            self._version = ""

    def _was_opened(self, now: float) -> None:
        self._opened = True
        self._outage.answered(now)

    def _works(self) -> None:
        if self._outage.over():
            log.info("watched again", resource=self.resource.plural)

    async def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._opened = False
        until_relist = max(1, round(self._relist_at - loop.time()))
        seconds = min(WATCH_SECONDS, until_relist)
        async for event in self._kube.watch(
            self.resource,
            self._version,
            seconds=seconds,
            silence=SILENCE_SECONDS,
            opened=lambda: self._was_opened(loop.time()),
        ):
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._feed.take(self.resource, event["type"], event["object"])


def pause_before(failures: int, asked: float | None, jitter: float) -> float:
    """Return the seconds before the next attempt. `asked` is the server's Retry-After, `jitter` from 0 to 1."""
    own = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10)) * (
        0.75 + 0.5 * jitter
    )
    return max(own, min(asked or 0.0, LONGEST_ASKED_SECONDS))
