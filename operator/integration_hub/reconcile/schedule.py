"""When a test is due: now, or later. Pure arithmetic on times that are passed in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from integration_hub.model import conditions as c
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.inputs import Inputs, Timing

_DEAD_CREDENTIALS = frozenset({Reason.CREDENTIALS_REJECTED, Reason.PERMISSION_DENIED})
_UNITS = {"h": 3600, "m": 60, "s": 1}
_MAX_DOUBLINGS = 20
"""Keeps the power small; the interval caps the pause long before."""


def timestamp(moment: datetime) -> str:
    """Return a UTC moment as Kubernetes writes it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names, None where it names none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta:
    """Return a duration like '1h30m' as the CRD admits it; ValueError for anything else."""
    if not re.fullmatch(r"([0-9]{1,6}[hms])+", text):
        raise ValueError(f"'{text}' is no duration like '5m' or '1h30m'")
    return timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)([hms])", text)))


def interval_of(inputs: Inputs) -> timedelta:
    """Return how often this instance is tested while it works."""
    monitor = inputs.instance.spec.monitor
    return parse_duration(monitor.interval) if monitor and monitor.interval else inputs.timing.interval


def pause_after(
    reason: Reason, failures: int, *, interval: timedelta, jitter: float, timing: Timing
) -> timedelta:
    """Return how long to wait until the next test.

    `failures` counts tests in a row that did not succeed, this one included; `jitter` in 0..1 spreads the result over
    90 to 110 % of the pause. Growing pauses settle at the interval.
    """
    if reason in _DEAD_CREDENTIALS:
        pause = max(timing.slow_recheck, interval)
    elif REASONS[reason].course is Course.RETRYING:
        pause = min(interval, timing.retry_first * 2 ** min(max(failures - 1, 0), _MAX_DOUBLINGS))
    else:
        pause = interval
    return pause * (0.9 + 0.2 * jitter)


def verdict_is_current(inputs: Inputs) -> bool:
    """Tell whether the last verdict in status is about exactly the inputs of now, and stands there unspoilt."""
    status, generation = inputs.instance.status, inputs.instance.metadata.generation
    tested, ready = status.tested, status.condition(c.READY)
    if tested is None or ready is None or inputs.definition is None:
        return False
    same_inputs = (
        tested.generation == generation
        and tested.definition_generation == inputs.definition.generation
        and tested.definition_uid == inputs.definition.uid
        and tested.secret_resource_version == (inputs.secret_version or "")
    )
    # Somebody else may have written the status: what contradicts itself is no verdict.
    consistent = status.observed_generation == generation and (ready.status == "True") == (
        status.last_test_result == "Success"
    )
    return same_inputs and consistent


def is_requested(inputs: Inputs, annotation: str) -> bool:
    """Tell whether a person has asked for a test that was not yet made."""
    wanted = inputs.instance.metadata.annotations.get(annotation)
    return bool(wanted) and wanted != inputs.instance.status.last_handled_request


def next_test(inputs: Inputs) -> datetime | None:
    """Return when the next test falls due according to status."""
    return parse_timestamp(inputs.instance.status.next_test_time)
