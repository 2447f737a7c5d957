"""What the scenarios of watching share: the cluster, the hosts, the operator, and how instances get among them."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from arrivals import most_at_once, most_within
from floor import for_each
from goals import Goal
from outside import Outside, Seen, definition, instance
from rig import Rig, say

from integration_hub.adapters.budget import Limits
from support.operator_process import OperatorProcess

LIMITS = Limits()
"""What the operator spares a host where its flags do not say otherwise."""
CREATES_AT_ONCE = 20
NAMESPACE = "watched"
WAY_SECONDS = 0.1
"""By so much the ways of two requests may differ: one needs a new connection and another has one."""
ALL_READY_SECONDS = 300.0


@dataclass(frozen=True)
class Stage:
    """All that a scenario acts on."""

    rig: Rig
    outside: Outside
    operator: OperatorProcess

    async def prepare(self) -> None:
        """Install the CRDs, the definition and the Secret."""
        self.rig.install_crds()
        self.rig.apply(definition(self.outside.ca))
        self.rig.make_namespace(NAMESPACE, self.outside.key)

    async def create(self, n: int, monitor: Mapping[str, Any]) -> float:
        """Create instances, spread over the hosts; return the seconds until all are Connected."""
        collection = self.rig.collection(NAMESPACE)

        async def create(number: int) -> None:
            body = instance(NAMESPACE, number, self.outside.url(number), monitor)
            await collection.create(orjson.dumps(body))

        started = time.perf_counter()
        await for_each(range(n), create, CREATES_AT_ONCE)
        while not await self.rig.all_connected(NAMESPACE):
            if time.perf_counter() - started > ALL_READY_SECONDS:
                raise RuntimeError("not all instances became Connected")
            await asyncio.sleep(0.2)
        seconds = time.perf_counter() - started
        say(f"{n} instances are Connected after {seconds:.1f} s")
        return seconds

    async def verdicts(self) -> dict[str, int]:
        """Return how many instances show which Ready condition, like 'Unknown HostUnavailable'."""
        async with self.rig.session.get(self.rig.collection(NAMESPACE).url) as response:
            response.raise_for_status()
            items = orjson.loads(await response.read())["items"]
        ready = (
            next((c for c in one.get("status", {}).get("conditions", ()) if c["type"] == "Ready"), None)
            for one in items
        )
        return dict(Counter(f"{c['status']} {c['reason']}" if c else "none" for c in ready).most_common())

    def mistakes(self) -> int:
        """Return how many lines of the operator's log tell of a mistake of its own."""
        return sum('"level": "error"' in line or "Traceback" in line for line in self.operator.log.open())


def budget_goals(hosts: Iterable[Seen], begin: float, end: float) -> list[Goal]:
    """Return what no host may have seen more of between two moments, whichever host it was."""
    spans = [
        [(one.arrived, one.answered) for one in host.requests if begin <= one.arrived < end]
        + [knock for knock in host.knocks if begin <= knock[0] < end]
        for host in hosts
    ]
    arrived = [[span[0] for span in each] for each in spans]
    rates = [
        Goal(
            f"most requests at one host within {window} s",
            max(most_within(each, window) for each in arrived),
            math.floor(LIMITS.burst + LIMITS.per_second * (window + WAY_SECONDS)),
        )
        for window in (1, 10)
    ]
    return [
        *rates,
        Goal("most requests at one host at once", max(map(most_at_once, spans)), LIMITS.concurrency),
    ]


def open_periods(seconds: float) -> int:
    """Return how many open periods of the breaker end within that time of a host's death: as many may probe it."""
    ends = itertools.accumulate(
        min(LIMITS.first_open * 2.0**n, LIMITS.longest_open) for n in itertools.count()
    )
    return sum(1 for _ in itertools.takewhile(lambda end: end <= seconds, ends))
