"""What must hold of every status that the operator writes, after the checks that Flux makes of its own."""

from __future__ import annotations

import re
from collections.abc import Callable

from integration_hub.model import conditions as c
from integration_hub.model.conditions import MAX_MESSAGE
from integration_hub.model.instance import InstanceStatus
from integration_hub.model.reasons import REASONS, Course, Reason

ABNORMAL = (c.RECONCILING, c.STALLED)
KNOWN = {c.READY, *ABNORMAL, *c.DOMAIN_CONDITIONS}


def assert_keeps_the_rules(status: InstanceStatus, *, generation: int) -> None:
    """Say which rules a status breaks, all at once."""
    broken = [rule for rule, holds in RULES.items() if not holds(status, generation)]
    assert not broken, "\n".join(["", *broken, status.model_dump_json(indent=1)])


def _status(status: InstanceStatus, type_: str) -> str | None:
    condition = status.condition(type_)
    return condition.status if condition else None


def _course(status: InstanceStatus) -> Course:
    ready = status.condition(c.READY)
    return REASONS[Reason(ready.reason)].course if ready else Course.GOOD


def _first_not_true(status: InstanceStatus) -> str | None:
    told = [x for x in map(status.condition, c.DOMAIN_CONDITIONS) if x and x.reason != Reason.NOT_YET_KNOWN]
    return next((x.reason for x in told if x.status != "True"), None)


RULES: dict[str, Callable[[InstanceStatus, int], bool]] = {
    "1. Ready is always present": lambda s, _: s.condition(c.READY) is not None,
    "2. each type stands once, and is a known one": lambda s, _: (
        len({x.type for x in s.conditions}) == len(s.conditions) and {x.type for x in s.conditions} <= KNOWN
    ),
    "3. every domain condition is present": lambda s, _: all(s.condition(t) for t in c.DOMAIN_CONDITIONS),
    "4. Ready=True excludes Reconciling, Stalled, and any domain condition that is not True": lambda s, _: (
        _status(s, c.READY) != "True"
        or (
            not any(s.condition(t) for t in ABNORMAL)
            and all(_status(s, t) == "True" for t in c.DOMAIN_CONDITIONS)
        )
    ),
    "5. Reconciling and Stalled are never both there": lambda s, _: not all(s.condition(t) for t in ABNORMAL),
    "6. Reconciling and Stalled are there only while True": lambda s, _: all(
        _status(s, t) in {None, "True"} for t in ABNORMAL
    ),
    "7. observedGeneration is the object's, on the status and on every condition": lambda s, generation: (
        {s.observed_generation, *(x.observed_generation for x in s.conditions)} == {generation}
    ),
    "8. every reason is in the table, and of a domain condition for that condition": lambda s, _: all(
        x.reason in set(Reason)
        and (x.type not in c.DOMAIN_CONDITIONS or x.type in REASONS[Reason(x.reason)].conditions)
        for x in s.conditions
    ),
    "9. every message says something, in at most 1024 characters": lambda s, _: all(
        0 < len(x.message.strip()) <= MAX_MESSAGE for x in s.conditions
    ),
    "10. every condition has a transition time in RFC 3339, UTC": lambda s, _: all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", x.last_transition_time) for x in s.conditions
    ),
    "11. the phase is what the reason's course says": lambda s, _: (
        s.phase
        == {
            Course.GOOD: "Connected",
            Course.WAITING: "Pending",
            Course.PAUSED: "Pending",
            Course.RETRYING: "Error",
            Course.STALLED: "Error",
        }[_course(s)]
    ),
    "12. Stalled where a person must act, Reconciling where the operator goes on by itself": lambda s, _: (
        (s.condition(c.STALLED) is not None) == (_course(s) is Course.STALLED)
        and (s.condition(c.RECONCILING) is not None) == (_course(s) in {Course.WAITING, Course.RETRYING})
    ),
    "13. Ready repeats the reason of the domain condition that is not True": lambda s, _: (
        _course(s) is Course.PAUSED
        or _first_not_true(s) in {None, *(x.reason for x in s.conditions if x.type == c.READY)}
    ),
    "14. an identity is shown of a connection that works, and of no other": lambda s, _: (
        s.identity is None or _status(s, c.AUTHENTICATED) == "True"
    ),
    "15. Unknown after an undecided condition: nothing is claimed beyond what was found": lambda s, _: (
        not (
            _status(s, c.REACHABLE) != "True"
            and "True" in {_status(s, c.AUTHENTICATED), _status(s, c.HEALTHY)}
        )
    ),
}
