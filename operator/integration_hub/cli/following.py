"""Following what there is for as long as a person likes: as it is now, then every change, whatever breaks off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from integration_hub.adapters.kube_api import ApiError, Resource
from integration_hub.cli.cluster import Cluster
from integration_hub.cli.errors import HubError, NotFoundError
from integration_hub.cli.output import Raw
from integration_hub.cli.terminal import Screen

T = TypeVar("T")

_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 3.0
"""Between two looks at what no single watch tells of."""
_TOO_OLD = 410
_LOST = frozenset({0, 429, 500, 502, 503, 504})
"""Statuses of an API server that is not there at the moment, and will be."""
_AWAY = "The API server does not answer at the moment; the wait goes on."


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


def looked_at(look: Callable[[], T], *, gone: str, screen: Screen) -> Iterator[T]:
    """Yield what is found, and again whenever it differs. HubError where it is not found at first.

    For what is put together from many resources, or may be read and not watched. `gone` is said where it is no longer
    there; it may come again.
    """
    first = look()
    yield first
    last: T | None = first
    is_lost = False
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            found = look()
        except NotFoundError:
            if last is not None:
                screen.note(gone)
            last, is_lost = None, False
        except HubError as error:
            if not _is_away(error.__cause__):
                raise
            if not is_lost:
                screen.note(_AWAY)
            is_lost = True
        else:
            is_lost = False
            if found != last:
                yield found
            last = found


def _is_away(error: BaseException | None) -> bool:
    return isinstance(error, ApiError) and error.status in _LOST


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
        self._has_begun = False
        """Whether anything was seen: an API server that goes away later is waited for."""
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
        version = ""
        for page in pages:
            yield News(self._seen.unseen(page, resource))
            version = page["metadata"]["resourceVersion"]
            self._has_begun = True
        # A watch from here on tells nothing of a page that did not come.
        self._version = version

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
        if not _is_away(error) or not self._has_begun:
            deed = self._cluster.reading(self._resource, "list", "watch")
            raise self._cluster.explained(error, f"the list of {self._resource.plural}", deed) from error
        if not self._is_lost:
            self._screen.note(_AWAY)
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
