"""Conditions and their merge. The only place where `lastTransitionTime` and `observedGeneration` are stamped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from integration_hub.model.base import Model
from integration_hub.model.names import (
    AUTHENTICATED,
    CONFIG_VALID,
    CREDENTIALS_AVAILABLE,
    DEFINITION_RESOLVED,
    DELIVERED,
    DOMAIN_CONDITIONS,
    HEALTHY,
    REACHABLE,
    READY,
    RECONCILING,
    STALLED,
)

__all__ = [
    "AUTHENTICATED",
    "CONFIG_VALID",
    "CREDENTIALS_AVAILABLE",
    "DEFINITION_RESOLVED",
    "DELIVERED",
    "DOMAIN_CONDITIONS",
    "HEALTHY",
    "MAX_MESSAGE",
    "REACHABLE",
    "READY",
    "RECONCILING",
    "STALLED",
    "Condition",
    "ConditionStatus",
    "merge_conditions",
    "truncated",
]

ConditionStatus = Literal["True", "False", "Unknown"]

MAX_MESSAGE = 1024
"""Characters of a message that are kept: an Event holds no more, and a status must stay readable."""


class Condition(Model):
    """One aspect of the state, as in Kubernetes' metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Aspect, like 'Ready'."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=1024)]
    """One CamelCase word of the list in the documentation."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """What was found and what to do next."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = ""
    """When `status` last changed."""
    observed_generation: int | None = None
    """The metadata.generation that this condition is about."""


def merge_conditions(
    previous: Sequence[Condition], current: Sequence[Condition], *, generation: int, now: str
) -> list[Condition]:
    """Return `current`, stamped.

    `lastTransitionTime` is kept from the previous condition of the same type while its status is the same
    (Kubernetes API conventions, "Typical status properties"); `now` is RFC 3339. A type that is in `previous` only
    is dropped: Reconciling and Stalled exist only while they are True. When one type stands twice in `current`,
    the later one wins.
    """
    known = {condition.type: condition for condition in previous}
    merged: dict[str, Condition] = {}
    for condition in current:
        before = known.get(condition.type)
        kept = before is not None and before.status == condition.status and before.last_transition_time
        merged[condition.type] = condition.model_copy(
            update={
                "message": truncated(condition.message),
                "last_transition_time": before.last_transition_time if before and kept else now,
                "observed_generation": generation,
            }
        )
    return list(merged.values())


def truncated(message: str, limit: int = MAX_MESSAGE) -> str:
    """Return the message cut to `limit` characters, with an ellipsis where it was cut."""
    return message if len(message) <= limit else message[: limit - 1] + "…"
