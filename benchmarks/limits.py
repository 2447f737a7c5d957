"""Scenario 'limits': one host that answers 429, then dies, twice, with many instances that want to know of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goals import Goal
from outside import Request, Seen
from rig import say
from watched import LIMITS, Stage, budget_goals, open_periods

N = 200
INTERVAL = 30.0
"""200 instances in 30 seconds are two thirds of what a host is asked at most."""
MONITOR = {"interval": f"{INTERVAL:.0f}s", "failureThreshold": 1}
"""The first result counts, so that verdicts can be counted in a phase of a minute."""
ASKED_PAUSE = 20.0
BACK_SECONDS = LIMITS.first_open * 4 + INTERVAL + N / LIMITS.per_second + 10
"""Until all are well again: the rest of the open period, the spread over an interval, everybody's turn."""
READS_SECONDS = 0.25
"""After so long an answer is read by who asked, on a busy machine."""


@dataclass(frozen=True)
class Phase:
    """What the host does, and for how long; without seconds until all instances are well again."""

    name: str
    order: Mapping[str, Any]
    seconds: float | None = None


WELL: Mapping[str, Any] = {"do": "answer", "status": 200, "headers": {}}
PHASES: Sequence[Phase] = (
    Phase("works", WELL, INTERVAL),
    Phase(
        "429, Retry-After",
        {"do": "answer", "status": 429, "headers": {"Retry-After": f"{ASKED_PAUSE:.0f}"}},
        45,
    ),
    Phase("works after Retry-After", WELL),
    Phase("429, no hint", {"do": "answer", "status": 429, "headers": {}}, 40),
    Phase("works after 429", WELL),
    Phase("dead: refuses", {"do": "die", "how": "refuse"}, 65),
    Phase("back after refusing", {"do": "live"}),
    Phase("dead: hangs", {"do": "die", "how": "hang"}, 65),
    Phase("back after hanging", {"do": "live"}),
)


@dataclass
class Passed:
    """One phase as it was."""

    phase: Phase
    begin: float
    end: float
    verdicts: dict[str, int]
    requests: list[Request] = field(default_factory=list)
    knocks: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.begin


async def limits(stage: Stage, n: int = N) -> tuple[dict[str, Any], list[Goal]]:
    """Lead the host through its phases and return the figures and the goals."""
    stage.operator.start()
    await stage.create(n, MONITOR)
    await asyncio.sleep(INTERVAL)
    begin = time.time()
    passed = []
    for phase in PHASES:
        passed.append(await _pass(stage, phase, n))
        say(f"{phase.name}: {passed[-1].seconds:.0f} s; {passed[-1].verdicts}")
    own = await asyncio.to_thread(stage.operator.metrics)
    stage.operator.terminate()
    (seen,) = (await stage.outside.seen()).values()
    for one in passed:
        one.requests = [r for r in seen.requests if one.begin <= r.arrived < one.end]
        one.knocks = [k for k in seen.knocks if one.begin <= k[0] < one.end]
    goals = [
        *budget_goals([seen], begin, time.time()),
        *(goal for one in passed for goal in _goals_of(one, n, seen)),
        Goal("mistakes in the operator's log", stage.mistakes(), 0),
    ]
    figures = {
        "n": n,
        "phases": [
            {
                "name": one.phase.name,
                "seconds": round(one.seconds, 1),
                "requests": len(one.requests),
                "connections": len(one.knocks),
                "verdicts": one.verdicts,
            }
            for one in passed
        ],
        "refused_are_counted": seen.counts_refused,
        "not_sent_by_operator": {
            key[1]: int(value) for key, value in own.items() if key[0] == "hub_requests_refused_total"
        },
    }
    return figures, goals


async def _pass(stage: Stage, phase: Phase, n: int) -> Passed:
    order = {"address": stage.outside.addresses[0], **phase.order}
    begin = await stage.outside.since(**order)
    if phase.seconds is not None:
        await asyncio.sleep(phase.seconds)
    while phase.seconds is None and time.time() - begin < BACK_SECONDS * 2:
        await asyncio.sleep(0.5)
        if await stage.outside.order("served", since=begin) == n and await stage.rig.all_connected("watched"):
            break
    return Passed(phase, begin, time.time(), await stage.verdicts())


def _goals_of(one: Passed, n: int, seen: Seen) -> list[Goal]:
    name, order = one.phase.name, one.phase.order
    if one.phase.seconds is None:
        return [Goal(f"{name}: seconds until all are well", one.seconds, BACK_SECONDS)]
    if order["do"] == "die":
        most = LIMITS.open_after + open_periods(one.seconds)
        if order["how"] == "hang":
            most += LIMITS.concurrency - 1  # those that were under way when the last of the failures came
        ready = sum(count for verdict, count in one.verdicts.items() if verdict.startswith("True"))
        waiting = one.verdicts.get("Unknown HostUnavailable", 0)
        counted = len(one.knocks) if order["how"] == "hang" or seen.counts_refused else 0
        return [
            Goal(f"{name}: connections", counted, most),
            Goal(f"{name}: requests that were answered", sum(r.status > 0 for r in one.requests), 0),
            Goal(f"{name}: instances that show Ready", ready, 0),
            Goal(f"{name}: instances that do not show HostUnavailable", n - waiting, most),
        ]
    if order["status"] != 429:
        return [Goal(f"{name}: instances that are not Ready", n - one.verdicts.get("True Connected", 0), 0)]
    refused = [r for r in one.requests if r.status == 429]
    pauses = _pauses(refused, asked="Retry-After" in order["headers"])
    within = sum(begin + READS_SECONDS < r.arrived < end for r in one.requests for begin, end in pauses)
    return [
        Goal(f"{name}: requests within a pause", within, 0),
        Goal(f"{name}: requests", len(one.requests), len(pauses) * LIMITS.concurrency),
    ]


def _pauses(refused: Sequence[Request], *, asked: bool) -> list[tuple[float, float]]:
    """Return from when to when the host is to be left alone: as it says, or twice as long as the last time."""
    pauses: list[tuple[float, float]] = []
    for one in sorted(refused, key=lambda r: r.answered):
        if pauses and one.arrived < pauses[-1][0] + READS_SECONDS:
            continue  # it was under way already
        seconds = ASKED_PAUSE if asked else LIMITS.first_pause * 2 ** len(pauses)
        pauses.append((one.answered, one.answered + seconds))
    return pauses
