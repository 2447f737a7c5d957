"""What is told of an instance: Events, and what a person's browser shows after a consent."""

from __future__ import annotations

from typing import Final

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES
from integration_hub.model.conditions import Condition
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.inputs import ConsentResult, Decision, Inputs, Notice
from integration_hub.shell.consent import ConsentOutcome
from integration_hub.shell.consent import ConsentResult as ConsentTold
from integration_hub.shell.done import Announcement
from integration_hub.shell.keys import Key


def announced_ready(key: Key, uid: str, ready: Condition) -> Announcement:
    """Return the Event that tells of Ready."""
    course = REASONS[Reason(ready.reason)].course
    return Announcement(
        kind=DEFINITIONS.kind if key.plural == DEFINITIONS.plural else INSTANCES.kind,
        namespace=key.namespace,
        name=key.name,
        uid=uid,
        warning=course in {Course.STALLED, Course.RETRYING},
        reason=ready.reason,
        message=ready.message,
    )


def announced_notice(key: Key, uid: str, notice: Notice) -> Announcement:
    """Return the Event that tells of something besides."""
    return Announcement(
        kind=INSTANCES.kind,
        namespace=key.namespace,
        name=key.name,
        uid=uid,
        warning=notice.warning,
        reason=notice.reason,
        message=notice.message,
    )


_FATES: Final[dict[ConsentResult, tuple[ConsentTold, str | None]]] = {
    ConsentResult.TAKEN: ("connected", "connected"),
    ConsentResult.REFUSED: ("refused", "refused"),
    ConsentResult.UNKNOWN: ("unknown-link", None),
    ConsentResult.OUTDATED: ("outdated", "expired"),
    ConsentResult.BUSY: ("busy", None),
}
"""What a browser is told of a consent, and as what it counts: not at all what anybody can send."""


def consent_outcome(
    key: Key, inputs: Inputs, decision: Decision, ready: Condition | None
) -> tuple[ConsentOutcome, str | None]:
    """Return what whoever waits in a browser is told, and the word for metrics; None where it does not count."""
    connected = ready is not None and ready.status == "True"
    result, counted = _FATES[decision.consent] if decision.consent is not None else ("outdated", "expired")
    if decision.consent is ConsentResult.TAKEN and not connected:
        result, counted = "not-connected", "failed"
    spec = inputs.definition.spec if inputs.definition is not None else None
    outcome = ConsentOutcome(
        result,
        reason=ready.reason if ready is not None else "",
        message=ready.message if ready is not None else "",
        namespace=key.namespace,
        name=key.name,
        display_name=inputs.instance.display_name,
        system=spec.display_name if spec is not None else "",
        identity=decision.status.identity or "",
    )
    return outcome, counted
