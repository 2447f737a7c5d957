"""The operator's life: start, run, stop. Puts the parts together in the order in which they depend on one another."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import kopf
import structlog

from integration_hub import __version__
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.kube import ApiError
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.reconcile.inputs import Timing
from integration_hub.runtime import watching
from integration_hub.runtime.events import EventPoster
from integration_hub.runtime.feed import Feed
from integration_hub.runtime.health import HealthServer
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.runtime.timetable import Timetable
from integration_hub.runtime.workers import Workers
from integration_hub.wiring import build_engine

log = structlog.get_logger("integration_hub.operator")


@dataclass(frozen=True)
class Options:
    """What the operator's flags say."""

    connection: KubeConnection
    policy: EgressPolicy = field(default_factory=EgressPolicy)
    timing: Timing = field(default_factory=Timing)
    workers: int = 40
    """Reconciles at once: enough that slow external systems do not hold up the quick ones."""
    listen: tuple[str, int] = ("127.0.0.1", 8080)
    """Address of health and metrics."""
    relist_seconds: float = 600.0
    grace_seconds: float = 20.0
    """How long reconciles that are under way may go on after a request to stop."""


class Operator:
    """One running operator."""

    def __init__(self, options: Options) -> None:
        """Build the parts; nothing runs and no socket is open before `run`."""
        self._options = options
        self._engine = build_engine(options.connection, options.policy, options.timing)
        self._store, self._kube = self._engine.store, self._engine.kube
        self._queue = WorkQueue()
        self._metrics = Metrics()
        self._metrics.watch(self._store, self._queue, self._kube.calls)
        self._timetable = Timetable(self._queue.add)
        self._poster = EventPoster(self._kube, self._metrics)
        self._workers = Workers(
            self._queue, self._timetable, self._engine.reconciler, self._metrics, self._poster.announce
        )
        self._feed = Feed(self._store, self._queue, self._metrics, forget=self._workers.forget)
        self._health = HealthServer(self._metrics.registry, alive=[self._dead_task], ready=[self._unsynced])
        self._tasks: list[asyncio.Task[None]] = []
        self._synced = False
        self._watching_since: float | None = None

    async def run(self) -> None:
        """Run until SIGINT or SIGTERM, which kopf handles, or until cancelled. Raise what kopf raises where it cannot go on: a supervisor then starts us anew."""
        settings = kopf.OperatorSettings()
        watching.configure(settings)
        await kopf.operator(
            registry=watching.registry(
                self._options.connection, self._feed.take, startup=self._start, cleanup=self._stop
            ),
            settings=settings,
            standalone=True,
            clusterwide=True,
        )

    async def _start(self) -> None:
        host, port = self._options.listen
        port = await self._health.start(host, port)
        log.info("operator starting", version=__version__, server=self._options.connection.server, health=f"http://{host}:{port}")
        await self._sync()
        self._spawn("timetable", self._timetable.run())
        self._spawn("events", self._poster.run())
        self._spawn("relist", self._relist_forever())
        for number in range(self._options.workers):
            self._spawn(f"worker-{number}", self._workers.run())
        self._watching_since = asyncio.get_running_loop().time()

    async def _sync(self) -> None:
        """Fill the store before the first worker starts; wait for as long as the API server or the CRDs are not there."""
        pause = 1.0
        while not self._synced:
            try:
                await self._feed.relist(self._kube, first=True)
                self._synced = True
            except ApiError as error:
                hint = "install the CRDs with 'kubectl apply -f crds/'" if error.gone else "is the API server up?"
                log.warning("cannot list yet; will try again", error=str(error), pause=pause, hint=hint)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15.0)
        log.info("synced", instances=len(self._store.instances), definitions=len(self._store.definitions))

    async def _relist_forever(self) -> None:
        while True:
            await asyncio.sleep(self._options.relist_seconds)
            try:
                await self._feed.relist(self._kube)
            except ApiError as error:
                log.warning("relist failed; the next one is as usual", error=str(error))

    async def _stop(self) -> None:
        """Let running reconciles end within the grace period, then end everything. Called once, by kopf's cleanup."""
        workers = [task for task in self._tasks if task.get_name().startswith("hub-worker")]
        self._queue.close()
        if workers:
            await asyncio.wait(workers, timeout=self._options.grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._health.stop()
        await self._engine.close()
        log.info("operator stopped")

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"hub-{name}"))

    # Health

    def _dead_task(self) -> str | None:
        """Say which of our own tasks or of kopf's watches has ended: only a restart brings them back."""
        dead = [task.get_name() for task in self._tasks if task.done()]
        if dead:
            return f"ended: {', '.join(dead)}"
        # Kopf starts its watches after our startup; give it a moment before their absence counts.
        started = self._watching_since
        if started is None or asyncio.get_running_loop().time() - started < STARTUP_SECONDS:
            return None
        return watching.missing_watchers()

    def _unsynced(self) -> str | None:
        return None if self._synced else "not yet synced with the API server"


STARTUP_SECONDS = 30.0
"""Within this time after the first list kopf must have started its watches."""
