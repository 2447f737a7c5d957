"""From what was found to a decision: the status, whether it is worth a write, and when to come again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from integration_hub.model import conditions as c
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import InstanceStatus
from integration_hub.reconcile.authentication import next_poll
from integration_hub.reconcile.ends import attention, earliest
from integration_hub.reconcile.inputs import Decision, Inputs
from integration_hub.reconcile.run import Run
from integration_hub.reconcile.summary import says_the_same, summarise
from integration_hub.reconcile.times import parse_timestamp, timestamp


def decide(
    inputs: Inputs, ready: Condition, domain: tuple[Condition, ...], *, handled: bool = True, **fields: Any
) -> Decision:
    """Make the status and see whether it is worth a write. `handled` says that a person's request was acted upon."""
    previous = inputs.instance.status
    asked = inputs.instance.metadata.annotations.get(REQUEST_ANNOTATION) if handled else None
    status = summarise(
        previous,
        ready,
        domain,
        generation=inputs.instance.metadata.generation,
        now=timestamp(inputs.now),
        **fields,
        last_handled_request=asked or previous.last_handled_request,
    )
    write = not says_the_same(previous, status) or ("tested" in fields and not _is_fresh(inputs, previous))
    before = previous.condition(c.READY)
    return Decision(
        # Not written: keep the time of the last write, from which the next refresh is counted.
        status=status if write else status.model_copy(update={"updated_at": previous.updated_at}),
        write=write,
        due=parse_timestamp(status.next_test_time),
        made=(),
        reason_changed=before is None or (before.status, before.reason) != (ready.status, ready.reason),
    )


def _is_fresh(inputs: Inputs, status: InstanceStatus) -> bool:
    """Tell whether the status was written so lately that times alone are not worth another write."""
    updated = parse_timestamp(status.updated_at)
    return updated is not None and inputs.now - updated < inputs.timing.status_refresh


def with_kept(run: Run, decision: Decision) -> Decision:
    """Add what has happened to tokens."""
    awaited = awaited_at(run) if run.keeper is not None else run.inputs.awaited_at
    return replace(
        decision,
        due=earliest((decision.due, attention(decision.status, run.inputs.now), awaited)),
        awaited_at=awaited,
        links=_links(run),
        consent=run.consent.result if run.consent is not None else None,
        renewal=run.keeper.result if run.keeper is not None else None,
        notices=tuple(run.notices),
    )


def _links(run: Run) -> tuple[str, ...] | None:
    if run.keeper is None or run.keeper.stored.problem is not None:
        return None
    return tuple(attempt.state for attempt in run.keeper.record.attempts)


def awaited_at(run: Run) -> datetime | None:
    """Return when to look again at a consent that is under way: whether a code was typed, whether new tokens work."""
    polled_at = next_poll(run.keeper, run.kept.authorization) if run.keeper is not None else None
    return earliest((polled_at, run.candidate_at))
