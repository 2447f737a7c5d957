"""From the outcomes of a test to what they mean: the first row of the table that matches is told.

Messages say what was found and where; they name methods, paths and hosts of the definition, and never repeat a byte
that the other side sent, since that may be anything, credentials included. The identity and the external system's
error code are the two exceptions: of limited form, and with secrets masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from integration_hub.auth.flow import Credentials
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.http import HttpRequest, Outcome
from integration_hub.model.instance import Stage, TestResult
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.probe.credential_end import CredentialEnd
from integration_hub.probe.facts import Facts
from integration_hub.probe.finding import find
from integration_hub.probe.plan import ProbePlan
from integration_hub.probe.stages import fitted, stages

END_UNREADABLE: Final = "When the credential ends cannot be read"
"""How a success is told whose answer should say that and does not, or not so that it is understood."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a test's outcome means."""

    result: TestResult
    reason: Reason
    message: str
    hint: str | None
    """What to do next; None when there is nothing to do."""
    stages: tuple[Stage, ...]
    """From the first to the one where the test ended."""
    identity: str | None = None
    again_in: float | None = None
    """Seconds that must pass before another try, where the other side or its budget has said so."""
    credential_end: CredentialEnd | None = None
    """When the credential ends, where the test has succeeded and asks its answer for that."""
    by_rule: bool = False
    """Whether a failure rule of the definition says so, in its words where it has some."""

    @property
    def own_hint(self) -> str:
        """What to do, where that is more than the reason's own remedy; '' where it is not."""
        return self.hint if self.hint and self.hint != REASONS[self.reason].remedy else ""


def diagnose(  # noqa: PLR0913 - what was planned, what came of it, and when
    plan: ProbePlan,
    outcomes: Sequence[Outcome],
    *,
    now: datetime,
    credentials: Credentials = Credentials({}),  # noqa: B008 - holds nothing and never changes
    sent: HttpRequest | None = None,
    control: Outcome | None = None,
) -> Diagnosis:
    """Return what the outcomes of a planned test mean.

    Args:
        plan: what was to be asked.
        outcomes: in order. All but the last are answered requests of an auth flow; the last is the test's own, or the
            one of the flow (purpose 'token') at which it ended.
        now: when the last outcome came, to compare clocks.
        credentials: what was sent. Masked in what is taken from an answer, and looked at for mistakes that people
            make with Secrets when they are rejected.
        sent: the last request as it was sent, where that is known: it tells the form of the credentials, and the host
            of a token URL.
        control: how the same request ended without a credential, where that was tried: a success of both proves none.

    """
    facts = Facts(plan, outcomes, now=now, credentials=credentials, sent=sent, control=control)
    finding = find(facts)
    end = facts.credential_end if finding.result == "Success" else None
    note = f" {END_UNREADABLE}: {end.unreadable}." if end is not None and end.unreadable else ""
    return Diagnosis(
        result=finding.result,
        reason=finding.reason,
        message=fitted(finding.message + note),
        hint=fitted(finding.hint) if finding.hint else None,
        stages=stages(facts, finding),
        identity=facts.identity if finding.result == "Success" else None,
        again_in=facts.again_in,
        credential_end=end,
        by_rule=finding.row is None,
    )


def unknown(type_: str, message: str = "Not decided: see the Ready condition.") -> Condition:
    """Return a condition that could not be decided because an earlier one is not True."""
    return Condition(type=type_, status="Unknown", reason=Reason.NOT_YET_KNOWN, message=message)


_GOOD = (
    Condition(
        type=c.REACHABLE, status="True", reason=Reason.RESPONDED, message="The external system answered."
    ),
    Condition(
        type=c.AUTHENTICATED, status="True", reason=Reason.ACCEPTED, message="The credentials were accepted."
    ),
    Condition(type=c.HEALTHY, status="True", reason=Reason.PASSED, message="The answer is as expected."),
)

_SPEAKS_OF_CREDENTIALS = frozenset({Reason.IDENTITY_MISSING})
"""Of what stands at Healthy: an error answer says nothing of the credentials, since many systems answer 404 or 500
before they look at them, and some answer 200 to anybody, which an assertion tells."""


def spread(result: TestResult, reason: Reason, message: str) -> tuple[Condition, Condition, Condition]:
    """Return Reachable, Authenticated and Healthy for a verdict: those before it hold, those after it are unknown."""
    if result == "Success":
        reachable, authenticated, healthy = _GOOD
        return reachable, authenticated, healthy
    found = {condition.type: condition for condition in _GOOD}
    order = list(found)
    at = next((type_ for type_ in REASONS[reason].conditions if type_ in found), c.HEALTHY)
    for later in order[order.index(at) :]:
        found[later] = unknown(later)
    found[at] = Condition(
        type=at, status="False" if result == "Failure" else "Unknown", reason=reason, message=message
    )
    if at == c.HEALTHY and reason not in _SPEAKS_OF_CREDENTIALS:
        found[c.AUTHENTICATED] = unknown(c.AUTHENTICATED)
    return found[c.REACHABLE], found[c.AUTHENTICATED], found[c.HEALTHY]
