"""The way in: news from watches and from lists go into the store, and what they wake goes into the queue.

A list is the truth. The one at the start fills the store before any worker begins; the periodic ones find what a
watch lost, since a watch may freeze, skip a deletion or end without a word (`relist_repairs` counts what they find).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        listed: set[Key] = set()
        repairs, token, as_of = 0, "", ""
        while True:
            items, token, version = await kube.list_page(resource, token)
            as_of = as_of or version
            for raw in items:
                listed.add(_key(resource, raw))
                wakes = self._put(resource, raw, Priority.STARTUP)
                repairs += bool(wakes)
                self._wake(wakes)
            if not token:
                break
        for key in self._store.versions(resource.plural).keys() - listed:
            repairs += 1
            self._wake(self._remove(key))
        if repairs and not first:
            self._metrics.relist_repairs.labels(resource.kind).inc(repairs)
            log.info("a list found what no watch had told", kind=resource.kind, objects=repairs)
        return as_of

    def _put(self, resource: Resource, raw: Mapping[str, Any], priority: Priority) -> list[Wake]:
        put: dict[str, Callable[[Mapping[str, Any], Priority], list[Wake]]] = {
            INSTANCES.plural: self._store.put_instance,
            DEFINITIONS.plural: self._store.put_definition,
            SECRETS.plural: self._store.put_secret,
        }
        return put[resource.plural](raw, priority)

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


_PRIORITIES = {
    INSTANCES.plural: Priority.USER,
    DEFINITIONS.plural: Priority.INPUT,
    SECRETS.plural: Priority.INPUT,
}
