"""Kopf's part: it watches the three resources and hands every event to the feed. No handler here decides anything.

Kopf's change handlers, timers, daemons and indexes are not used: they write annotations and finalizers to users'
objects, or keep whole objects in memory (docs/decisions/0004-what-kopf-does.md). `on.event` does neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from integration_hub.adapters.kube import Resource, new_session
from integration_hub.adapters.kubeconfig import KubeConnection
from integration_hub.model.base import GROUP
from integration_hub.runtime.feed import WATCHED

Take = Callable[[Resource, str | None, Mapping[str, Any]], None]


class _NoDiffBase(kopf.DiffBaseStorage):
    """Sees no difference in anything. Kopf builds one for every event, also where no handler asks for it."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        raise NotImplementedError("no handler of ours keeps a diff base")


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress: `on.event` handlers are not retried, our queue is."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        raise NotImplementedError("no handler of ours keeps progress")

    def purge(self, **_: Any) -> None:
        return

    def touch(self, **_: Any) -> None:
        return

    def clear(self, *, essence: Any) -> Any:
        return essence


def configure(settings: kopf.OperatorSettings) -> None:
    """Set everything that matters; each value has its reason."""
    watching = settings.watching
    watching.server_timeout = 300  # a load balancer may freeze a watch silently; the server ends it after 5 minutes
    watching.client_timeout = 330  # and we do, should the server's end not arrive
    watching.inactivity_timeout = 180  # bookmarks of idle resources were seen 120 s apart; kopf's 70 s reconnects in vain
    watching.connect_timeout = 10
    watching.reconnect_backoff = 1.0  # an API server that is starting again needs no ten connections a second
    watching.chunk_size = 500  # bounds what is parsed at once
    watching.initial_streaming = False  # resumes a dropped stream from a version that skips objects
    settings.queueing.worker_limit = None  # its workers hold their slots while idle; our own queue bounds the work
    settings.queueing.idle_timeout = 1.0  # a task for each object ends soon after the object's last event
    settings.queueing.exit_timeout = 2.0
    networking = settings.networking
    networking.request_timeout = 30
    networking.connect_timeout = 5
    networking.error_backoffs = (1, 1, 2, 3, 5, 8, *(15,) * 240)  # an hour without an API server is survived
    networking.enforce_retry_after = True
    settings.posting.enabled = False  # Events are posted by us, bounded and deduplicated
    settings.scanning.disabled = True  # the CRDs are there before we start; saves watching all CRDs and namespaces
    settings.peering.standalone = True  # kopf's peering is no leader election
    settings.persistence.finalizer = f"{GROUP}/unused"  # never added, since no handler asks for one
    settings.persistence.progress_storage = _NoProgress()  # there is no progress of handlers to keep
    settings.persistence.diffbase_storage = _NoDiffBase()  # nobody asks what changed; saves a deep copy per event
    settings.process.ultimate_exiting_timeout = 40  # below the pod's grace period of 60 s
    settings.execution.max_workers = 1  # for synchronous handlers, of which there are none


def registry(connection: KubeConnection, take: Take, *, startup: Callable[[], Any], cleanup: Callable[[], Any]) -> Any:
    """Return kopf's registry with our few handlers. Ids are given, since kopf's own would collide for closures."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(id="login", registry=handlers, errors=kopf.ErrorsMode.TEMPORARY, backoff=5)
    async def login(**_: Any) -> kopf.AiohttpSession:
        # Our session: a bounded pool, tokens that are reread, and Secrets without their data.
        return kopf.AiohttpSession(
            aiohttp_session=new_session(connection), server=connection.server, default_namespace=connection.namespace
        )

    @kopf.on.startup(id="startup", registry=handlers)
    async def start(**_: Any) -> None:
        await startup()

    @kopf.on.cleanup(id="cleanup", registry=handlers)
    async def clean(**_: Any) -> None:
        await cleanup()

    def watch(resource: Resource) -> None:
        group, _, version = resource.api.rpartition("/")

        @kopf.on.event(group, version, resource.plural, id=f"watch-{resource.plural}", registry=handlers)
        async def seen(event: Any, **_: Any) -> None:
            take(resource, event["type"], event["object"])

    for resource in WATCHED:
        watch(resource)
    return handlers


def missing_watchers() -> str | None:
    """Return which watches have died; kopf keeps running without them, and its own health endpoint does not tell."""
    running = {task.get_name() for task in asyncio.all_tasks()}
    missing = [r.plural for r in WATCHED if not any(n.startswith("watcher for ") and r.plural in n for n in running)]
    return f"no watch is running for: {', '.join(missing)}" if missing else None
