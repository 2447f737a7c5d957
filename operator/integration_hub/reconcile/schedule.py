"""When a test is made next. Pure arithmetic on times that are passed in.

Each test has a grid of its own: points one interval apart, shifted by a phase that follows from what is tested. So
tests spread over the whole interval however they started, a restart of the operator changes nothing, and two
instances with the same system, configuration and credential fall due together, where one request serves both.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Course, Reason
from integration_hub.probe.rate_limits import LONGEST_PAUSE
from integration_hub.reconcile.inputs import Timing

_MAX_DOUBLINGS = 20
"""Keeps the power small; the interval caps the pause long before."""
_CATCH_UP = timedelta(seconds=30)
"""After a restart, tests of what does not work are spread over no more than this."""
_CATCH_UP_WORKING = timedelta(hours=1)
"""The same for tests of what works and that are long overdue."""


def phase_of(instance: IntegrationInstance) -> float:
    """Return from 0 to 1 where on the grid an instance's tests stand; the same for all that would ask the same."""
    spec = instance.spec
    asked = (
        instance.metadata.namespace,
        spec.definition_ref.name,
        spec.template,
        spec.config,
        spec.auth.method,
        spec.auth.secret_ref.name if spec.auth.secret_ref else None,
    )
    digest = hashlib.blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True, slots=True)
class Pace:
    """How a test is repeated, seen from now."""

    now: datetime
    interval: timedelta
    phase: float
    timing: Timing

    def regular(self) -> datetime:
        """Return when a test that was made now is made again: on its grid, half to one and a half intervals later."""
        return on_grid(self.now + self.interval / 2, self.interval, self.phase)

    def soon(self, streak: int) -> datetime:
        """Return when to try again after so many results in a row: pauses double until they reach the interval."""
        doublings = min(max(streak - 1, 0), _MAX_DOUBLINGS)
        pause = self.timing.retry_first * float(2**doublings) * (0.9 + 0.2 * self.phase)
        return min(self.regular(), self.now + pause)

    def after_failure(self, reason: Reason, streak: int, again_in: float | None = None) -> datetime:
        """Return when a test that did not succeed is made again.

        `streak` counts such results in a row, this one included. `again_in` are seconds that somebody asked us to
        wait at least.
        """
        if reason in DEAD_CREDENTIALS:
            return self.now + max(self.timing.slow_recheck, self.interval) * (1 + 0.1 * self.phase)
        moment = self.soon(streak) if REASONS[reason].course is Course.RETRYING else self.regular()
        if again_in is not None:
            # Who was told to come back at the same time comes back spread out.
            pause = timedelta(seconds=again_in)
            moment = max(moment, self.now + pause + min(pause, self.interval) * self.phase)
        return moment

    def catch_up(self, last: datetime | None, *, works: bool) -> datetime:
        """Return when a test that fell due while the operator was away is made: not all of them at once.

        `last` is when it was made. What works waits for its place on the grid, but not for ever where the operator is
        restarted each day and the interval is a day.
        """
        if not works:
            return self.now + min(self.interval, _CATCH_UP) * self.phase
        if last is None or self.now - last > 1.5 * self.interval:
            return self.now + min(self.interval, _CATCH_UP_WORKING) * self.phase
        return on_grid(self.now, self.interval, self.phase)


def longest_wait(interval: timedelta, timing: Timing) -> timedelta:
    """Return how far ahead a test's next time can lie, whatever it has found."""
    return max(
        interval * 1.5,
        max(timing.slow_recheck, interval) * 1.1,
        2 * timedelta(seconds=LONGEST_PAUSE),
    )


def on_grid(after: datetime, interval: timedelta, phase: float) -> datetime:
    """Return the first point of a test's grid that is not before `after`."""
    seconds = interval.total_seconds()
    step = math.ceil(after.timestamp() / seconds - phase)
    return datetime.fromtimestamp((step + phase) * seconds, UTC)
