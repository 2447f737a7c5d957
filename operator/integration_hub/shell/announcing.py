"""What is told of an instance: Events, and what a person's browser shows after a consent."""

from __future__ import annotations

from typing import Final

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES
from integration_hub.model import conditions as c
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
    ConsentResult.STORED: ("stored", None),
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
    result, counted = _FATES[decision.consent] if decision.consent is not None else _not_looked_at(ready)
    if decision.consent is ConsentResult.TAKEN and not connected:
        result, counted = "not-connected", "failed"
    spec = inputs.definition.spec if inputs.definition is not None else None
    message = ready.message if ready is not None else ""
    if decision.consent is None and ready is not None:
        # Nobody knows whether the state is one of ours: what is said names nothing that a stranger does not know.
        message = REASONS[Reason(ready.reason)].meaning
    outcome = ConsentOutcome(
        result,
        reason=ready.reason if ready is not None else "",
        message=message,
        namespace=key.namespace,
        name=key.name,
        display_name=inputs.instance.display_name,
        system=spec.display_name if spec is not None else "",
        identity=(decision.status.identity or "") if result == "connected" else "",
    )
    return outcome, counted


_IN_THE_WAY: Final = frozenset({c.DEFINITION_RESOLVED, c.CONFIG_VALID, c.CREDENTIALS_AVAILABLE})
"""Conditions whose reasons keep a reconcile from looking at a consent."""


def _not_looked_at(ready: Condition | None) -> tuple[ConsentTold, str | None]:
    """Return what is told of a consent that was not looked at: it was not used, and may be brought again.

    Where nothing was in the way, the connection has changed to one for which nobody is asked.
    """
    reason = Reason(ready.reason) if ready is not None and ready.reason in set(Reason) else None
    is_held = reason is Reason.SUSPENDED or (
        reason is not None and not _IN_THE_WAY.isdisjoint(REASONS[reason].conditions)
    )
    if reason is None or not is_held:
        return "outdated", "expired"
    passes = REASONS[reason].course is Course.RETRYING or reason is Reason.SECRET_FORBIDDEN
    return ("busy" if passes else "not-taken"), None
