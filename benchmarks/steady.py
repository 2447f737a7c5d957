"""Scenario 'watch': many instances, tested every ten seconds: in time, and sparing what can be spared."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from typing import Any

import psutil
from arrivals import lateness, off_grid, quantile
from goals import Goal
from outside import Outside, account, instance
from rig import MIB, ROOT, cpu_seconds, peak_memory, say
from watched import NAMESPACE, Stage, budget_goals

from integration_hub.model.instance import IntegrationInstance
from integration_hub.reconcile.schedule import phase_of
from support.operator_process import Metrics

INTERVAL = 10.0
SCRAPE_SECONDS = 15.0
"""Prometheus' usual pace; writing the page is part of the operator's work."""
FLOOR_SECONDS = 60.0
FLAGS = ("--status-refresh", "1h")
"""So long that in the time of the measurement only a change may write."""
LATE_P99, CORES, PEAK_MIB = 1.0, 0.5, 200.0


async def watch(stage: Stage, n: int, seconds: float) -> tuple[dict[str, Any], list[Goal]]:
    """Create the instances, let the operator watch them for so long, and return the figures and the goals."""
    operator, process = stage.operator, None
    operator.start()
    ready_seconds = await stage.create(n, {"interval": f"{INTERVAL:.0f}s"})
    peak = peak_memory(operator.pid)
    # A restart drops the Events that are still waiting to be told of the creation, and must itself burst nothing.
    operator.terminate()
    operator.start()
    await asyncio.sleep(INTERVAL * 1.5)
    process, plane = psutil.Process(operator.pid), psutil.Process(_pid_of(stage))
    say(f"watching for {seconds:.0f} s")
    before, told = await stage.rig.writes(), await asyncio.to_thread(operator.metrics)
    cpu, plane_cpu, begin = cpu_seconds(process), cpu_seconds(plane), time.time()
    await _scrape(stage, seconds)
    cpu, plane_cpu, end = cpu_seconds(process) - cpu, cpu_seconds(plane) - plane_cpu, time.time()
    wrote, tells = (await stage.rig.writes()) - before, await asyncio.to_thread(operator.metrics)
    peak, verdicts = max(peak, peak_memory(operator.pid)), await stage.verdicts()
    operator.terminate()
    hosts = await stage.outside.seen()
    floor = await asyncio.to_thread(_floor, stage.outside, n, min(seconds, FLOOR_SECONDS))

    elapsed = end - begin
    times: defaultdict[str, list[float]] = defaultdict(list)
    for host in hosts.values():
        for one in host.requests:
            if begin <= one.arrived < end:
                times[one.account].append(one.arrived)
    counts = Counter(len(times[account(number)]) for number in range(n))
    expected = elapsed / INTERVAL
    apart = max(abs(count - expected) for count in counts)
    by_best_fit = [late for arrivals in times.values() for late in lateness(arrivals, INTERVAL)]
    by_rule = [late for number in range(n) for late in _off_its_grid(stage.outside, number, times)]
    cores, floor_cores = cpu / elapsed, floor["cpu_seconds"] / floor["seconds"]
    goals = [
        Goal("lateness p99, s, from each instance's best grid", quantile(by_best_fit, 0.99), LATE_P99),
        Goal("lateness p99, s, from the grid of the schedule", quantile(by_rule, 0.99), LATE_P99),
        Goal("earliness, s, before the grid of the schedule", -min(by_rule, default=0.0), 0.05),
        Goal("tests of one instance off from expected", apart, 1),
        *budget_goals(hosts.values(), begin, end),
        Goal("operator's CPU, cores on average", cores, CORES),
        Goal("operator's peak memory, MiB", peak / MIB, PEAK_MIB),
        Goal("writes to instances", wrote.status_patches + wrote.other_instance_writes, 0),
        Goal("Events written", wrote.event_writes, 0),
        Goal("instances that are not Ready", n - verdicts.get("True Connected", 0), 0),
        Goal("mistakes in the operator's log", stage.mistakes(), 0),
    ]
    figures = {
        "n": n,
        "hosts": len(hosts),
        "seconds": round(elapsed, 1),
        "ready_seconds": round(ready_seconds, 1),
        "requests": sum(map(len, times.values())),
        "tests_per_instance": {str(count): number for count, number in sorted(counts.items())},
        "late_seconds": _spread(by_best_fit),
        "late_seconds_by_schedule": _spread(by_rule),
        "late_within_1s_by_operator": _own_word(told, tells),
        "cores": round(cores, 3),
        "floor_cores": round(floor_cores, 3),
        "ratio_to_floor": round(cores / floor_cores, 1),
        "control_plane_cores": round(plane_cpu / elapsed, 3),
        "peak_mib": round(peak / MIB, 1),
        "status_patches": wrote.status_patches,
        "other_instance_writes": wrote.other_instance_writes,
        "event_writes": wrote.event_writes,
    }
    return figures, goals


def _pid_of(stage: Stage) -> int:
    pid = stage.rig.plane.status().pid
    if pid is None:
        raise RuntimeError("the control plane does not run")
    return pid


async def _scrape(stage: Stage, seconds: float) -> None:
    """Let the time pass as it does in a cluster: somebody reads the metrics now and then."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, SCRAPE_SECONDS))
        await asyncio.to_thread(stage.operator.get, "/metrics")


def _off_its_grid(outside: Outside, number: int, times: dict[str, list[float]]) -> list[float]:
    return off_grid(times.get(account(number), ()), INTERVAL, _phase(outside, number))


def _phase(outside: Outside, number: int) -> float:
    """Return where the operator's own rule puts the instance, so that a lateness that all share shows as well."""
    made = instance(NAMESPACE, number, outside.url(number), {})
    return phase_of(IntegrationInstance.model_validate(made))


def _floor(outside: Outside, n: int, seconds: float) -> dict[str, float]:
    """Let a bare client ask the same at the same pace."""
    say(f"the same with a bare client for {seconds:.0f} s")
    urls = [
        (f"{outside.url(number)}/v1/{account(number)}/whoami", _phase(outside, number)) for number in range(n)
    ]
    plan = {"urls": urls, "ca": outside.ca, "key": outside.key, "interval": INTERVAL, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "pace.py")],
        input=json.dumps(plan) + "\n", stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    floor: dict[str, float] = json.loads(done.stdout)
    return floor


def _spread(values: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(quantile(values, share), 3) for name, share in shares.items()}


def _own_word(before: Metrics, after: Metrics) -> str:
    """Return what the operator's own histogram says: a cross-check only."""

    def grown(name: str, *labels: str) -> int:
        key = (f"hub_connection_test_lateness_seconds_{name}", *labels)
        return int(after.get(key, 0) - before.get(key, 0))

    return f"{grown('bucket', '1.0')} of {grown('count')}"
