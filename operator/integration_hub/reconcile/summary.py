"""The one place that makes an instance's status: Ready, Reconciling, Stalled, phase and the stamps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition, merge_conditions
from integration_hub.model.instance import InstanceStatus, Phase, TestStatus
from integration_hub.model.reasons import REASONS, Course, Reason

_PHASES: dict[Course, Phase] = {
    Course.GOOD: "Connected",
    Course.WAITING: "Pending",
    Course.PAUSED: "Pending",
    Course.RETRYING: "Error",
    Course.STALLED: "Error",
}

_CLOCKS = ("last_tested", "next_test_time", "updated_at")
"""Fields that move with every test and alone say nothing new."""


def headline(conditions: Sequence[Condition]) -> Condition:
    """Return the domain condition that explains Ready: the first False, else the first Unknown that says why."""
    not_true = [condition for condition in conditions if condition.status != "True"]
    told = [condition for condition in not_true if condition.reason != Reason.NOT_YET_KNOWN]
    false = [condition for condition in told if condition.status == "False"]
    return (false or told or not_true)[0]


def ready_condition(explained_by: Condition) -> Condition:
    """Return Ready as a condition that is not True explains it: its status, its reason, what was found, what to do."""
    remedy = REASONS[Reason(explained_by.reason)].remedy
    message = f"{explained_by.message} {remedy}".strip()
    return Condition(type=c.READY, status=explained_by.status, reason=explained_by.reason, message=message)


def kstatus_conditions(ready: Condition) -> list[Condition]:
    """Return Reconciling or Stalled, each present only while it is True (kstatus, "abnormal-true" conditions)."""
    course = REASONS[Reason(ready.reason)].course
    if course is Course.STALLED:
        return [Condition(type=c.STALLED, status="True", reason=ready.reason, message=ready.message)]
    if course is Course.RETRYING:
        message = "The operator tries again by itself."
        return [Condition(type=c.RECONCILING, status="True", reason=Reason.RETRYING, message=message)]
    if course is Course.WAITING:
        message = "The operator goes on as soon as what is missing appears."
        return [Condition(type=c.RECONCILING, status="True", reason=ready.reason, message=message)]
    return []


def summarise(
    previous: InstanceStatus,
    ready: Condition,
    domain: Sequence[Condition],
    *,
    generation: int,
    now: str,
    **fields: Any,
) -> InstanceStatus:
    """Return the new status. `fields` are the status' other fields that changed; the rest is kept from before."""
    conditions = merge_conditions(
        previous.conditions, [ready, *domain, *kstatus_conditions(ready)], generation=generation, now=now
    )
    return previous.model_copy(
        update={
            **fields,
            "observed_generation": generation,
            "phase": _PHASES[REASONS[Reason(ready.reason)].course],
            "conditions": conditions,
            "updated_at": now,
        }
    )


def says_the_same(one: InstanceStatus, other: InstanceStatus) -> bool:
    """Tell whether two statuses differ in nothing but their clocks."""
    return _without_clocks(one) == _without_clocks(other)


_TEST_CLOCKS: dict[str, Any] = {"time": "", "next_time": None, "duration_ms": 0, "streak": 0, "stages": []}
"""The same of one test. Durations and addresses in its stages change all the time; what matters shows in its reason."""


def _without_clocks(status: InstanceStatus) -> InstanceStatus:
    tests = [test.model_copy(update=_TEST_CLOCKS | _last_of(test)) for test in status.tests]
    return status.model_copy(update={"tests": tests, **dict.fromkeys(_CLOCKS)})


def _last_of(test: TestStatus) -> dict[str, Any]:
    """Return the last reason as nothing new where the last result bears the verdict out: it is shown nowhere else."""
    return {"last_reason": None} if test.last_result == test.result else {}
