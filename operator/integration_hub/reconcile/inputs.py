"""What a reconcile is decided from, what it may ask for on the way, and what it decides. All of it data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from integration_hub.model.http import HttpRequest, Outcome
from integration_hub.model.instance import InstanceStatus, IntegrationInstance
from integration_hub.reconcile.definition import CheckedDefinition


@dataclass(frozen=True, slots=True)
class Timing:
    """How often connections are tested and statuses rewritten."""

    interval: timedelta = timedelta(minutes=10)
    """Between tests of a connection whose instance does not say otherwise."""
    retry_first: timedelta = timedelta(seconds=5)
    """Before the first test again after a failure that may pass by itself; doubles from there to the interval."""
    slow_recheck: timedelta = timedelta(hours=24)
    """Between tests with a credential that was rejected: asking more often can lock an account."""
    status_refresh: timedelta = timedelta(minutes=5)
    """A result that says nothing new is written at most this often."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known when a reconcile of an instance starts."""

    instance: IntegrationInstance
    definition: CheckedDefinition | None
    """None where no definition has the name."""
    secret_version: str | None
    """resourceVersion of the credential Secret as last seen, None where it is not known to exist."""
    name_owner: str | None
    """Name of an older instance in the namespace that has the same display name."""
    now: datetime
    """In UTC."""
    failures: int = 0
    """Tests in a row that did not succeed, up to now."""
    jitter: float = 0.5
    """A random number from 0 to 1 that spreads what would otherwise fall due together."""
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class ReadSecret:
    """An effect: read a Secret in the instance's namespace now. The answer is a SecretAnswer."""

    name: str


class SecretState(StrEnum):
    """How reading a Secret ended."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True, repr=False)
class SecretAnswer:
    """A Secret's data, decoded. It lives as long as one reconcile, and its repr shows none of it."""

    state: SecretState
    uid: str = ""
    version: str = ""
    data: Mapping[str, bytes] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Leave out the data."""
        return f"SecretAnswer({self.state}, version={self.version!r})"


@dataclass(frozen=True, slots=True)
class Send:
    """An effect: send a request where the definition allows. The answer is an Outcome."""

    request: HttpRequest
    allowed_hosts: tuple[str, ...]
    ca_bundle: str | None
    sensitive: tuple[str, ...] = field(repr=False, default=())
    """Values that must not appear in any log while this request is under way."""


Effect = ReadSecret | Send
Answer = SecretAnswer | Outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reconcile decided."""

    status: InstanceStatus
    write: bool
    """Whether the status says something that the one on the API server does not."""
    due: datetime | None
    """When to reconcile again by itself, None where only a change can help."""
    tested: bool
    """Whether a test was made."""
    failures: int
    """Tests in a row that did not succeed, now."""
    reason_changed: bool
    """Whether the Ready condition's status or reason is another than before: worth an Event."""
