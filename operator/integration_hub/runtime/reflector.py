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

log = structlog.get_logger("integration_hub.reflector")

WATCH_SECONDS = 300
"""After this long the server ends a watch, and we start the next: what a load balancer forgot is found so."""
SILENCE_SECONDS = 180.0
"""Bookmarks of an idle resource were seen 120 s apart; a connection that is silent for longer is given up."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
"""Between attempts to reach an API server that is away; soon enough to be back within seconds of its return."""
TOO_SHORT_SECONDS = 1.0
"""A watch that ends sooner than this did not work, whatever it answered."""


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
        self._version = ""
        """Where to watch from; empty when only a list can tell."""

    async def list(self, *, first: bool = False) -> None:
        """Make the store like the API server's list. ApiError passes through."""
        self._version = await self._feed.relist(self._kube, self.resource, first=first)
        self._relist_at = asyncio.get_running_loop().time() + self._relist_seconds

    async def run(self) -> None:
        """Follow the resource until cancelled. Survives whatever the API server does; a mistake of ours ends it."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                if not self._version or started >= self._relist_at:
                    await self.list()
                await self._watch(loop)
                worked = loop.time() - started >= TOO_SHORT_SECONDS
            except ApiError as error:
                worked = False
                log.info("watch ended", resource=self.resource.plural, error=str(error), failures=failures)
                if error.status == 410:  # noqa: PLR2004 - Gone: the version is older than what the server remembers
                    self._version = ""
                    failures = 0  # it is there again: what we missed must not wait for as long as it was away
            if worked:
                failures = 0
                continue
            failures += 1
            self._metrics.watch_failures.labels(self.resource.kind).inc()
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
            await asyncio.sleep(pause * (0.75 + 0.5 * random.random()))  # noqa: S311 - spreads load, guards nothing

    async def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        until_relist = max(1, round(self._relist_at - loop.time()))
        seconds = min(WATCH_SECONDS, until_relist)
        async for event in self._kube.watch(
            self.resource, self._version, seconds=seconds, silence=SILENCE_SECONDS
        ):
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._feed.take(self.resource, event["type"], event["object"])
