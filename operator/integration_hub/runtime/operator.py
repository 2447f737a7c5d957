"""The operator's life: start, run, stop. Puts the parts together in the order in which they depend on one another."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from integration_hub import __version__
from integration_hub.adapters.budget import Limits
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.kube import ApiError
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.model.tokens import ConsentAnswer
from integration_hub.reconcile.inputs import Timing
from integration_hub.runtime.callback import CallbackServer
from integration_hub.runtime.callback_url import default_url
from integration_hub.runtime.events import EventPoster
from integration_hub.runtime.feed import WATCHED, Feed
from integration_hub.runtime.health import HealthServer
from integration_hub.runtime.keys import KeyWatch
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.outage import hint
from integration_hub.runtime.queue import WorkQueue
from integration_hub.runtime.reflector import Reflector
from integration_hub.runtime.timetable import Timetable
from integration_hub.runtime.workers import Workers
from integration_hub.shell.audit import AuditSeal, audit_begins, audit_ends
from integration_hub.shell.consent import ConsentDesk, ConsentOutcome
from integration_hub.shell.keyring_source import KeyringUnavailableError
from integration_hub.shell.keys import Key, Priority
from integration_hub.wiring import Storage, build_engine

log = structlog.get_logger("integration_hub.operator")

ASIDE = 200
"""Reconciles that may wait for slow external systems beside those that have a place: each costs a connection and some
ten kilobytes. With the places they stay below what `adapters.http` sends at once."""

FAREWELL_SECONDS = 2.0
"""For the last pages to reach their browsers when the operator stops."""


class CannotStartError(Exception):
    """The operator cannot run like this; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """What the operator's flags say."""

    connection: KubeConnection
    policy: EgressPolicy = field(default_factory=EgressPolicy)
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    """Of each external host."""
    storage: Storage = field(default_factory=Storage)
    """Of keys and of what waits to be stored."""
    audit_seal: AuditSeal | None = None
    """What seals the audit log, to be told where the keys are."""
    workers: int = 40
    """Reconciles at once, beside those that wait for a slow external system."""
    listen: tuple[str, int] = ("127.0.0.1", 8080)
    """Address of health and metrics."""
    callback_listen: tuple[str, int] | None = None
    """Address to which browsers come back; None: nobody can consent."""
    callback_url: str | None = None
    """The same as browsers reach it; None: on this machine."""
    relist_seconds: float = 600.0
    grace_seconds: float = 20.0
    """How long reconciles that are under way may go on after a request to stop."""


class Operator:
    """One running operator."""

    def __init__(self, options: Options) -> None:
        """Build the parts; nothing runs and no socket is open before `run`."""
        self._options = options
        self._engine = build_engine(
            options.connection, options.policy, options.timing, options.limits, options.storage
        )
        self._store, self._kube = self._engine.store, self._engine.kube
        self._queue = WorkQueue(places=options.workers, aside=ASIDE)
        self._metrics = Metrics()
        self._metrics.watch(self._store, self._queue, self._kube.calls)
        self._metrics.watch_traffic(self._engine.traffic)
        self._timetable = Timetable(self._queue.add)
        self._poster = EventPoster(self._kube, self._metrics)
        self._workers = Workers(
            self._queue, self._timetable, self._engine.reconciler, self._metrics, self._poster.announce
        )
        self._feed = Feed(self._store, self._queue, self._metrics, forget=self._forget)
        self._reflectors = [
            Reflector(resource, self._kube, self._feed, self._metrics, relist_seconds=options.relist_seconds)
            for resource in WATCHED
        ]
        self._health = HealthServer(
            self._metrics.page,
            alive=[self._dead_task],
            ready=[self._unsynced, *(reflector.problem for reflector in self._reflectors)],
        )
        self._keys = KeyWatch(self._engine.keyring, self._kube, self._wake_locked_out)
        self._desk = self._engine.reconciler.desk = ConsentDesk(
            self._store.key_of_uid,
            lambda key: self._queue.add(key, Priority.USER),
            self._store.link_of,
        )
        self._callback: CallbackServer | None = None
        self.callback_url: str | None = None
        """Where browsers come back to, once that is known; None where they cannot."""
        self._tasks: list[asyncio.Task[None]] = []
        self._synced = False
        self._audited = False
        """Whether the audit log has begun."""
        self._stopping = False

    async def start(self) -> None:
        """Serve health at once, fill the store, then begin to work. Returns when all is running.

        Raises:
            CannotStartError: the address of health and metrics, or that of the callback, cannot be had.

        """
        asyncio.get_running_loop().set_exception_handler(pass_over_goodbyes)
        host, port = self._options.listen
        try:
            port = await self._health.start(host, port)
        except OSError as error:
            what = "/healthz, /readyz and /metrics"
            raise CannotStartError(_cannot_listen(host, port, error, "--listen", what)) from error
        await self._await_browsers()
        log.info(
            "operator starting",
            version=__version__,
            server=self._options.connection.server,
            health=f"http://{host}:{port}",
            callback=self.callback_url,
        )
        await self._sync()
        await self._begin_audit()
        for reflector in self._reflectors:
            self._spawn(f"reflector-{reflector.resource.plural}", reflector.run())
        self._spawn("timetable", self._timetable.run())
        self._spawn("events", self._poster.run())
        self._spawn("keys", self._keys.run())
        for number in range(self._options.workers + ASIDE):
            self._spawn(f"worker-{number}", self._workers.run())

    async def stop(self) -> None:
        """Let running reconciles end within the grace period, then end everything."""
        self._stopping = True
        self._queue.close()
        if self._callback is not None:
            self._callback.close()
        workers = [task for task in self._tasks if task.get_name().startswith("hub-worker")]
        if workers:
            await asyncio.wait(workers, timeout=self._options.grace_seconds)
        self._desk.close()
        if self._callback is not None:
            await self._callback.stop(FAREWELL_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._health.stop()
        await self._engine.close()
        if self._audited:
            audit_ends()
        log.info("operator stopped")

    async def _await_browsers(self) -> None:
        """Begin to listen for browsers that bring a person's consent, unless that is switched off."""
        if self._options.callback_listen is None:
            return
        host, port = self._options.callback_listen
        self._callback = CallbackServer(self._hand_in, self._options.callback_url)
        try:
            port = await self._callback.start(host, port)
        except OSError as error:
            what = "browsers that come back from a sign-in ('off' does without)"
            raise CannotStartError(_cannot_listen(host, port, error, "--callback-listen", what)) from error
        self.callback_url = self._options.callback_url or default_url(host, port)
        self._engine.reconciler.redirect_uri = self.callback_url or ""

    async def _hand_in(self, answer: ConsentAnswer) -> ConsentOutcome:
        """Hand in what a browser has brought; before the store is filled nobody can tell whose it is."""
        return await self._desk.hand_in(answer) if self._synced else ConsentOutcome("busy")

    def _wake_locked_out(self) -> None:
        """Have those looked at again that wait for a key, and nobody else: a test under way would be made twice."""
        for key in self._store.locked_out():
            self._queue.add(key, Priority.INPUT)

    async def _sync(self) -> None:
        """Fill the store before the first worker starts; wait as long as the API server or the CRDs are missing."""
        pause = 1.0
        while not self._synced:
            try:
                for reflector in self._reflectors:
                    await reflector.list(first=True)
                self._synced = True
            except ApiError as error:
                wait = max(pause, error.retry_after or 0.0)
                log.warning("cannot list yet; will try again", error=str(error), pause=wait, hint=hint(error))
                await asyncio.sleep(wait)
                pause = min(pause * 2, 15.0)
        await self._engine.vault.forget_all_but(self._store.uids())
        log.info("synced", instances=len(self._store.instances), definitions=len(self._store.definitions))

    async def _begin_audit(self) -> None:
        """Begin the audit log, with the keys to seal it if they can be had; the watch of the keyring says why not."""
        if self._options.audit_seal is not None:
            self._options.audit_seal.keyring = self._engine.keyring
            with suppress(KeyringUnavailableError):
                await self._engine.keyring.refresh()
        audit_begins(__version__)
        self._audited = True

    def _forget(self, key: Key) -> None:
        """Drop all that is planned, remembered or about to be told of a deleted object."""
        self._workers.forget(key)
        self._desk.forget(key)
        self._poster.forget(key)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"hub-{name}"))

    # Health

    def _dead_task(self) -> str | None:
        """Say which task has ended that never should: a watch, a worker, the timetable. Only a restart helps."""
        dead = [task.get_name() for task in self._tasks if task.done() and not self._stopping]
        return f"ended: {', '.join(dead)}" if dead else None

    def _unsynced(self) -> str | None:
        return None if self._synced else "not yet synced with the API server"


def pass_over_goodbyes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the loop reports, but for goodbyes that come too late to be answered.

    Where the other side's TLS goodbye arrives at a connection that is closed already, uvloop reports a fatal error.
    """
    error = context.get("exception")
    if isinstance(error, RuntimeError) and "handler is closed" in str(error):
        log.debug("a connection was closed before the other side said goodbye")
        return
    loop.default_exception_handler(context)


def _cannot_listen(host: str, port: int, error: OSError, flag: str, what: str) -> str:
    """Say why an address cannot be had, and what to do."""
    match error:
        case OSError(errno=errno.EADDRINUSE):
            why = f"another program uses the port; stop it, or choose another with {flag} (port 0 takes a free one)"
        case OSError(errno=errno.EACCES):
            why = f"this port needs more rights; choose one above 1023 with {flag}"
        case _:
            why = f"this machine has no such address; choose one of its own with {flag}, like 127.0.0.1 or 0.0.0.0"
    return f"Cannot listen on {host}:{port} for {what}: {why}."
