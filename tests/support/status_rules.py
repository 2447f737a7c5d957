"""What must hold of every status that the operator writes, after the checks that Flux makes of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import get_args

import orjson

from integration_hub.model import conditions as c
from integration_hub.model.conditions import MAX_MESSAGE
from integration_hub.model.instance import InstanceStatus, StageName, TestStatus
from integration_hub.model.reasons import COULD_NOT_TELL, REASONS, Course, Reason

ABNORMAL = (c.RECONCILING, c.STALLED)
KNOWN = {c.READY, c.DELIVERED, *ABNORMAL, *c.DOMAIN_CONDITIONS}
STAGES: tuple[str, ...] = get_args(StageName)
MAX_HISTORY = 10
MAX_TEST_BYTES = 4096
"""A status of thirty tests stays far below what etcd takes."""


def assert_keeps_the_rules(
    status: InstanceStatus, *, generation: int, suite: Sequence[str] | None = None
) -> None:
    """Say which rules a status breaks, all at once.

    `suite` names the tests of the instance in their order, where the status is written since some were made.
    """
    broken = [rule for rule, holds in RULES.items() if not holds(status, generation)]
    if suite is not None:
        broken += [rule for rule, holds in SUITE_RULES.items() if not holds(status, suite)]
    assert not broken, "\n".join(["", *broken, status.model_dump_json(indent=1)])


def _status(status: InstanceStatus, type_: str) -> str | None:
    condition = status.condition(type_)
    return condition.status if condition else None


def _course(status: InstanceStatus) -> Course:
    ready = status.condition(c.READY)
    return REASONS[Reason(ready.reason)].course if ready else Course.GOOD


def _first_not_true(status: InstanceStatus) -> str | None:
    told = [
        x
        for x in map(status.condition, (*c.DOMAIN_CONDITIONS, c.DELIVERED))
        if x and x.reason != Reason.NOT_YET_KNOWN
    ]
    return next((x.reason for x in told if x.status != "True"), None)


def _default_succeeds_and_another_explains(status: InstanceStatus) -> bool:
    ready = status.condition(c.READY)
    named = ready is not None and ready.message.startswith("Test '")
    return named and bool(status.tests) and status.tests[0].result == "Success"


def _stands_to_reason(test: TestStatus) -> bool:
    """Success is Connected and nothing else; what could not tell is Unknown, and what was found a Failure."""
    verdict = {"Success": {Reason.CONNECTED}, "Unknown": COULD_NOT_TELL}
    found = set(Reason) - COULD_NOT_TELL - {Reason.CONNECTED}
    return test.reason in verdict.get(test.result, found) and (
        test.last_reason in verdict.get(test.last_result or "", found)
    )


def _stages_in_order(test: TestStatus) -> bool:
    # A token is asked for before the test's own connection is made.
    names = [stage.name for stage in test.stages]
    in_order = [name for name in ("config", "token", *STAGES[1:]) if name in names]
    in_order = list(dict.fromkeys(in_order))
    return names == in_order and all(stage.result in {"Passed", "Skipped"} for stage in test.stages[:-1])


def _bytes(test: TestStatus) -> int:
    return len(orjson.dumps(test.to_wire()))


def _blocked(status: InstanceStatus) -> bool:
    """Whether the default test's last result shows that no other can get through."""
    default = status.tests[0]
    shown_at = REASONS[Reason(default.last_reason or default.reason)].conditions[0]
    return default.last_result != "Success" and shown_at in {c.REACHABLE, c.AUTHENTICATED}


def _soonest(status: InstanceStatus) -> str:
    tests = status.tests[:1] if _blocked(status) else status.tests
    return min(test.next_time or "" for test in tests)


SUITE_RULES: dict[str, Callable[[InstanceStatus, Sequence[str]], bool]] = {
    "A. tests stand in the suite's order, and no other test does": lambda s, suite: (
        [x.name for x in s.tests] == [name for name in suite if name in {x.name for x in s.tests}]
    ),
    "B. the next test is none later than any that can be made": lambda s, _: (
        not s.tests or (s.next_test_time or "9") <= _soonest(s)
    ),
    "C. it is said which inputs the verdicts are about": lambda s, _: (
        s.tested is not None and s.tested.generation == s.observed_generation
    ),
    "D. how the default test ended last is repeated": lambda s, _: (
        not s.tests or (s.last_test_result, s.last_tested) == (s.tests[0].last_result, s.tests[0].time)
    ),
    "E. Ready=True only of a default test that succeeds": lambda s, _: (
        _status(s, c.READY) != "True" or s.tests[0].result == "Success"
    ),
}
"""Of a status that is written since tests were made."""

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
    "14. an identity is shown where the credentials are accepted, at least by the default test": lambda s, _: (
        s.identity is None
        or _status(s, c.AUTHENTICATED) == "True"
        or _default_succeeds_and_another_explains(s)
    ),
    "15. Unknown after an undecided condition: nothing is claimed beyond what was found": lambda s, _: (
        not (
            _status(s, c.REACHABLE) != "True"
            and "True" in {_status(s, c.AUTHENTICATED), _status(s, c.HEALTHY)}
        )
    ),
    "16. each test stands once": lambda s, _: len({x.name for x in s.tests}) == len(s.tests),
    "17. each test says when it is made next, since when it stands so, and how it ended last": lambda s, _: (
        all(x.next_time and x.since and x.since <= x.time and x.streak > 0 for x in s.tests)
    ),
    "18. a test's reason is one of its result, and its stages end where it ended": lambda s, _: all(
        _stands_to_reason(x) and _stages_in_order(x) for x in s.tests
    ),
    "19. a test's entry is smaller than 4 KiB": lambda s, _: all(_bytes(x) < MAX_TEST_BYTES for x in s.tests),
    "20. history holds at most ten changes, the newest first": lambda s, _: (
        len(s.history) <= MAX_HISTORY
        and all(newer.time >= older.time for newer, older in pairwise(s.history))
    ),
}
