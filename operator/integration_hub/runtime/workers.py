"""The workers: take a key, reconcile it, plan what comes next. The only place where a failed reconcile is retried."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, ApiError
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import QueueClosed, WorkQueue
from integration_hub.runtime.timetable import Timetable
from integration_hub.shell import sensitive
from integration_hub.shell.done import Announcement, Done
from integration_hub.shell.keys import Key, Priority
from integration_hub.shell.outside import OvertakenError
from integration_hub.shell.reconciler import Reconciler

log = structlog.get_logger("integration_hub.workers")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
AWAY_PAUSE_SECONDS = 10.0
"""The longest pause while the API server does not answer at all: work goes on soon after it is back."""
MOST_ABANDONED = 3
"""Tests in a row that news may interrupt."""


class Workers:
    """A bounded number of tasks that empty the queue."""

    def __init__(
        self,
        queue: WorkQueue,
        timetable: Timetable,
        reconciler: Reconciler,
        metrics: Metrics,
        announce: Callable[[Announcement], None],
    ) -> None:
        """`announce` must not block."""
        self._queue = queue
        self._timetable = timetable
        self._reconciler = reconciler
        self._metrics = metrics
        self._announce = announce
        self._failed: dict[Key, int] = {}
        self._abandoned: dict[Key, int] = {}
        """Tests in a row that were abandoned."""
        reconciler.outside.on_long_wait = queue.put_aside
        queue.on_overtaken = self._overtake

    def forget(self, key: Key) -> None:
        """Drop what is planned and remembered for a deleted object."""
        self._failed.pop(key, None)
        self._abandoned.pop(key, None)
        self._timetable.drop(key)
        self._reconciler.forget(key)
        if key.plural == DEFINITIONS.plural:
            self._metrics.forget_definition(key.name)
        elif key.plural == INSTANCES.plural:
            self._metrics.forget(key.namespace, key.name)

    async def run(self) -> None:
        """Work until the queue closes; a reconcile that is cancelled midway leaves the object as it was."""
        while True:
            try:
                key, priority = await self._queue.get()
            except QueueClosed:
                return
            try:
                await self._work(key, priority)
            finally:
                # Only now: what `_work` logs of a failure is masked with them.
                sensitive.in_use.set(())
                self._queue.done(key)

    async def _work(self, key: Key, priority: Priority) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        late = self._timetable.lateness(key)
        result = "unchanged"
        try:
            done = await self._reconciler.reconcile(key)
        except OvertakenError:
            result = "overtaken"  # the news that overtook it wait in the queue
            log.info("test abandoned: what it was about has changed", object=str(key))
        except ApiError as error:
            result = "api-error"
            longest = AWAY_PAUSE_SECONDS if error.status == 0 else LONGEST_PAUSE_SECONDS
            pause = max(self._retry(key, longest), error.retry_after or 0.0)
            log.warning("will try again", object=str(key), pause=round(pause, 1), error=str(error))
            self._timetable.set(key, loop.time() + pause, priority)
        except Exception:
            # A mistake of ours must not end the worker, nor be repeated at full speed.
            result = "internal-error"
            pause = self._retry(key, LONGEST_PAUSE_SECONDS)
            log.exception("a mistake in the operator; will try again", object=str(key), pause=round(pause, 1))
            self._timetable.set(key, loop.time() + pause, priority)
            await self._admit_mistake(key)
        else:
            result = "written" if done.wrote else result
            self._finish(key, done)
            if late is not None and done.made and priority is Priority.PERIODIC:
                self._metrics.late(late)
            if not done.postponed:  # who waits for a host's turn goes on being late
                self._timetable.served(key)
        self._metrics.reconciles.labels(key.plural, result).inc()
        self._metrics.seconds.labels(key.plural).observe(loop.time() - started)

    def _overtake(self, key: Key) -> None:
        """Abandon a test that is under way; not for ever, since a Secret that never rests must get a verdict too."""
        if self._abandoned.get(key, 0) < MOST_ABANDONED and self._reconciler.outside.abandon(key):
            self._abandoned[key] = self._abandoned.get(key, 0) + 1

    def _finish(self, key: Key, done: Done) -> None:
        self._failed.pop(key, None)
        self._abandoned.pop(key, None)
        for made in done.made:
            self._metrics.tested(
                key.namespace,
                key.name,
                done.definition,
                made.name,
                made.last_reason or made.reason,
                made.duration_ms / 1000,
                time.time(),
            )
        if done.made:
            self._metrics.keep_tests(key.namespace, key.name, done.tests)
        for announcement in (done.announcement, *done.notices):
            if announcement is not None:
                self._announce(announcement)
        if done.renewal is not None:
            self._metrics.count_renewal(done.definition, done.renewal)
        if done.consent is not None:
            self._metrics.count_consent(done.definition, done.consent)
        if done.due is None:
            self._timetable.drop(key)
        else:
            seconds = (done.due - datetime.now(UTC)).total_seconds()
            self._timetable.set(key, asyncio.get_running_loop().time() + max(seconds, 0.0))

    async def _admit_mistake(self, key: Key) -> None:
        """Let the status say that it cannot be trusted; where even that fails, the log has said enough."""
        try:
            await self._reconciler.admit_mistake(key)
        except Exception:  # noqa: BLE001 - the mistake itself is logged and retried
            log.warning("the status does not tell of the mistake", object=str(key))

    def _retry(self, key: Key, longest: float) -> float:
        """Return the pause before the next try, in seconds: growing, bounded, spread over half of itself."""
        failed = self._failed[key] = self._failed.get(key, 0) + 1
        pause = min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(failed - 1, 10))
        return pause * (0.75 + 0.5 * random.random())  # noqa: S311 - spreads load, guards nothing
