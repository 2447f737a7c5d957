"""The way in: news from watches and from lists go into the store, and what they wake goes into the queue.

A list is the truth. The one at the start fills the store before any worker begins; the periodic ones find what a
watch lost, since a watch may freeze, skip a deletion or end without a word (`relist_repairs` counts what they find).

A list is never older than what was known before it was asked for. One that is tells of an API server whose state was
put back from a backup: then it is believed against everything that we know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, SECRETS, KubeClient, Resource
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key, Priority, Wake
from integration_hub.shell.store import Store, definition_key

log = structlog.get_logger("integration_hub.feed")

WATCHED: tuple[Resource, ...] = (DEFINITIONS, SECRETS, INSTANCES)
"""In this order at the start: an instance whose definition is not yet known would be told that there is none."""


class Feed:
    """Takes news of the watched resources."""

    def __init__(
        self, store: Store, queue: WorkQueue, metrics: Metrics, *, forget: Callable[[Key], None]
    ) -> None:
        """`forget` is called with the key of an instance that no longer exists."""
        self._store = store
        self._queue = queue
        self._metrics = metrics
        self._forget = forget

    def take(self, resource: Resource, event: str, raw: Mapping[str, Any]) -> None:
        """Take in one event of a watch: ADDED, MODIFIED or DELETED."""
        if event == "DELETED":
            self._wake(self._remove(_key(resource, raw)))
        else:
            self._wake(self._put(resource, raw, _PRIORITIES[resource.plural]))

    async def relist(self, kube: KubeClient, resource: Resource, *, first: bool = False) -> str:
        """List a resource and make the store like it; return the resourceVersion to watch from.

        No watch of the same resource may be running: its news could be newer than the list. ApiError passes through.
        """
        known = self._store.versions(resource.plural)
        newest = max(known.values(), default=0)
        listed: set[Key] = set()
        repairs, token, as_of, restored = 0, "", "", False
        while True:
            items, token, version = await kube.list_page(resource, token)
            as_of = as_of or version
            if not restored and (_number(as_of, newest) < newest or _goes_back(resource, items, known)):
                restored = True
                log.warning(
                    "the API server's state is older than it was: taken as restored", kind=resource.kind
                )
            for raw in items:
                listed.add(_key(resource, raw))
                wakes = self._put(resource, raw, Priority.STARTUP, restored=restored)
                repairs += bool(wakes)
                self._wake(wakes)
            if not token:
                break
        for key in known.keys() - listed:
            repairs += 1
            self._wake(self._remove(key))
        if repairs and not first:
            self._metrics.relist_repairs.labels(resource.kind).inc(repairs)
            log.info("a list found what no watch had told", kind=resource.kind, objects=repairs)
        return as_of

    def _put(
        self, resource: Resource, raw: Mapping[str, Any], priority: Priority, *, restored: bool = False
    ) -> list[Wake]:
        put: dict[str, Callable[..., list[Wake]]] = {
            INSTANCES.plural: self._store.put_instance,
            DEFINITIONS.plural: self._store.put_definition,
            SECRETS.plural: self._store.put_secret,
        }
        return put[resource.plural](raw, priority, restored=restored)

    def _remove(self, key: Key) -> list[Wake]:
        if key.plural == INSTANCES.plural:
            self._forget(key)
            return self._store.remove_instance(key)
        if key.plural == DEFINITIONS.plural:
            self._forget(definition_key(key.name))
            return self._store.remove_definition(key.name)
        return self._store.remove_secret(key.namespace, key.name)

    def _wake(self, wakes: list[Wake]) -> None:
        for wake in wakes:
            self._queue.add(wake.key, wake.priority)


def _key(resource: Resource, raw: Mapping[str, Any]) -> Key:
    return Key(resource.plural, raw["metadata"].get("namespace", ""), raw["metadata"]["name"])


def _goes_back(resource: Resource, items: Iterable[Mapping[str, Any]], known: Mapping[Key, int]) -> bool:
    """Tell whether an object is listed as older than it was known to be before the list was asked for."""
    return any(int(raw["metadata"]["resourceVersion"]) < known.get(_key(resource, raw), 0) for raw in items)


def _number(version: str, default: int) -> int:
    return int(version) if version.isdigit() else default


_PRIORITIES = {
    INSTANCES.plural: Priority.USER,
    DEFINITIONS.plural: Priority.INPUT,
    SECRETS.plural: Priority.INPUT,
}
