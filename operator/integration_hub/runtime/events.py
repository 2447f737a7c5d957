"""Kubernetes Events: told when a reason changes, never in the way of a status.

Announcements go into a short line of their own and are posted one at a time, at a bounded rate, when the token bucket
allows. What does not fit is dropped and counted: the status holds the truth, an Event is only its echo.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.model.base import API_VERSION, GROUP
from integration_hub.model.conditions import truncated
from integration_hub.runtime.metrics import Metrics
from integration_hub.shell.done import Announcement
from integration_hub.shell.keys import Key

log = structlog.get_logger("integration_hub.events")

BURST = 50
"""Events that may follow each other without a pause; a person who applies a handful of manifests sees them all."""
PER_SECOND = 2.0
WAITING = 200
"""Announcements that may wait for their turn."""


class EventPoster:
    """Posts announcements as Events, in order, at a bounded rate."""

    def __init__(self, kube: KubeClient, metrics: Metrics) -> None:
        """Nothing is posted before `run`."""
        self._kube = kube
        self._metrics = metrics
        self._line: deque[Announcement] = deque()
        self._news = asyncio.Event()
        self._tokens = float(BURST)

    def announce(self, announcement: Announcement) -> None:
        """Let the announcement wait for its turn, or drop it where too many wait. Warnings push others out."""
        if len(self._line) >= WAITING:
            self._metrics.events_dropped.inc()
            harmless = next((known for known in self._line if not known.warning), None)
            if not announcement.warning or harmless is None:
                return
            self._line.remove(harmless)
        self._line.append(announcement)
        self._news.set()

    def forget(self, key: Key) -> None:
        """Let go of what waits to be told of a deleted object: it would keep others waiting for nothing."""
        about = (key.namespace, key.name)
        if any((known.namespace, known.name) == about for known in self._line):
            kept = [known for known in self._line if (known.namespace, known.name) != about]
            self._line = deque(kept)

    async def run(self) -> None:
        """Post until cancelled."""
        loop = asyncio.get_running_loop()
        filled = loop.time()
        while True:
            while not self._line:
                self._news.clear()
                await self._news.wait()
            self._tokens = min(float(BURST), self._tokens + (loop.time() - filled) * PER_SECOND)
            filled = loop.time()
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / PER_SECOND)
                continue
            self._tokens -= 1
            await self._post(self._line.popleft())

    async def _post(self, announcement: Announcement) -> None:
        # Events of cluster-scoped objects live in the namespace 'default', as Kubernetes' own do.
        namespace = announcement.namespace or "default"
        try:
            await self._kube.create_event(namespace, event_object(announcement, namespace, datetime.now(UTC)))
        except ApiError as error:
            self._metrics.events_dropped.inc()
            log.debug("event not posted", status=error.status, reason=error.reason)
        else:
            self._metrics.events_posted.inc()


def event_object(announcement: Announcement, namespace: str, now: datetime) -> dict[str, Any]:
    """Return the Event (events.k8s.io/v1) that tells of an announcement."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": _event_name(announcement), "namespace": namespace},
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": f"{GROUP}/operator",
        "reportingInstance": socket.gethostname()[:128],
        "action": "Reconcile",
        "reason": announcement.reason,
        "type": "Warning" if announcement.warning else "Normal",
        "note": truncated(announcement.message),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": announcement.kind,
            "name": announcement.name,
            "namespace": announcement.namespace,
            "uid": announcement.uid,
        },
    }


def _event_name(announcement: Announcement) -> str:
    """Return a name of its own. What is left of a long name must still end in a letter or digit."""
    return f"{announcement.name[:220].rstrip('-.')}.{uuid4().hex[:16]}"
