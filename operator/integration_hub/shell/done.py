"""What a reconcile leads to: when to come again, and what is to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from integration_hub.model.instance import TestStatus


@dataclass(frozen=True, slots=True)
class Announcement:
    """That an object's Ready reason changed: what an Event says."""

    kind: str
    namespace: str
    name: str
    uid: str
    warning: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """What a reconcile leads to."""

    due: datetime | None = None
    announcement: Announcement | None = None
    reason: str = ""
    definition: str = ""
    made: tuple[TestStatus, ...] = ()
    tests: tuple[str, ...] = ()
    """Names of all tests of an instance."""
    postponed: bool = False
    wrote: bool = False
    notices: tuple[Announcement, ...] = ()
    """Events beside the announcement."""
    renewal: str | None = None
    """How renewing tokens went, as in Decision."""
    consent: str | None = None
    """What became of a person's consent: connected, refused, failed or expired; None where there was none."""
