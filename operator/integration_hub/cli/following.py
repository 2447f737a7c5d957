"""Following a resource for as long as a person likes: what there is, then every change, whatever breaks off."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from integration_hub.adapters.kube_api import ApiError, Resource
from integration_hub.cli.cluster import Cluster
from integration_hub.cli.output import Raw
from integration_hub.cli.terminal import Screen

_PAUSE_SECONDS = 1.0
_TOO_OLD = 410
_LOST = frozenset({0, 429, 500, 502, 503, 504})
"""Statuses of an API server that is not there at the moment, and will be."""


class News(NamedTuple):
    """Objects in the form that was asked for: tables or single objects."""

    objects: list[Raw]
    deleted: bool = False


def follow(
    cluster: Cluster, resource: Resource, *, query: Mapping[str, str], accept: str, screen: Screen
) -> Iterator[News]:
    """Yield what there is, then every change, until the caller has enough. HubError where that is not permitted.

    `query` may hold selectors.
    """
    return _Follower(cluster, resource, query, accept, screen).news()


class _Follower:
    """How far a resource was followed."""

    def __init__(
        self, cluster: Cluster, resource: Resource, query: Mapping[str, str], accept: str, screen: Screen
    ) -> None:
        self._cluster, self._resource, self._screen = cluster, resource, screen
        self._query, self._accept = query, accept
        self._seen = _Seen()
        self._version = ""
        """From which the next watch goes on; empty where a list is needed first."""
        self._is_lost = False

    def news(self) -> Iterator[News]:
        while True:
            try:
                if not self._version:
                    yield from self._listed()
                yield from self._watched()
            except ApiError as error:
                self._recover(error)

    def _listed(self) -> Iterator[News]:
        cluster, resource = self._cluster, self._resource
        pages = cluster.kube.pages(resource, cluster.within(resource), query=self._query, accept=self._accept)
        for page in pages:
            yield News(self._seen.unseen(page, resource))
            self._version = page["metadata"]["resourceVersion"]

    def _watched(self) -> Iterator[News]:
        cluster, resource = self._cluster, self._resource
        path = resource.path(cluster.within(resource))
        for event in cluster.kube.watch(path, self._query, version=self._version, accept=self._accept):
            self._is_lost = False
            self._version = _version_of(event["object"]) or self._version
            if event["type"] != "BOOKMARK":
                yield News(self._seen.unseen(event["object"], resource), deleted=event["type"] == "DELETED")

    def _recover(self, error: ApiError) -> None:
        """Make the next round do what helps; HubError where nothing does."""
        if error.status == _TOO_OLD:
            self._version = ""
            return
        if error.status not in _LOST or not self._version:
            raise self._cluster.explained(error, f"the list of {self._resource.plural}") from error
        if not self._is_lost:
            self._screen.note("The API server does not answer at the moment; the wait goes on.")
        self._is_lost = True
        time.sleep(_PAUSE_SECONDS)


class _Seen:
    """Which state of which object was seen: a list that is made again brings most of them again."""

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}

    def unseen(self, page: Raw, resource: Resource) -> list[Raw]:
        """Return the objects, or the table with those rows, that are news."""
        if page.get("kind") == "Table":
            rows = [row for row in page.get("rows") or [] if self._is_news(row["object"])]
            return [{**page, "rows": rows}]
        api = {"apiVersion": resource.api, "kind": resource.kind}
        objects = page.get("items", [page])
        return [api | obj for obj in objects if self._is_news(obj)]

    def _is_news(self, obj: Raw) -> bool:
        metadata = obj["metadata"]
        is_news = self._versions.get(metadata["uid"], "") != str(metadata["resourceVersion"])
        self._versions[metadata["uid"]] = metadata["resourceVersion"]
        return is_news


def _version_of(obj: Raw) -> str:
    own = (obj.get("metadata") or {}).get("resourceVersion") or ""
    rows = obj.get("rows") or []
    return own or (rows[-1]["object"]["metadata"]["resourceVersion"] if rows else "")
