"""`make bench-watch`: how the operator watches, seen from the systems that it asks. docs/performance.md explains it.

Two scenarios, each on a control plane and with external hosts of its own. 'watch': many instances tested every ten
seconds; 'limits': one host that answers 429 and then dies. The hosts record every request, the API server counts
what is written, the kernel tells CPU and memory. The exit code is 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from goals import Goal, missed, table
from limits import limits
from outside import outside_hosts
from rig import Rig, machine, record
from steady import FLAGS, watch
from watched import Stage

from integration_hub.adapters.kube import new_session
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane, ProgressPrinter
from support.operator_process import OperatorProcess

SCENARIOS = ("watch", "limits")


async def run(scenario: str, options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Set the stage for a scenario and run it."""
    async with AsyncExitStack() as stack:
        plane = ControlPlane(folder / "control-plane")
        stack.callback(plane.down, purge=True)
        with ProgressPrinter(sys.stderr) as progress:
            info = await asyncio.to_thread(plane.up, progress)
        session = await stack.enter_async_context(new_session(load(info.kubeconfig)))
        count = (options.hosts or -(-options.n // 20)) if scenario == "watch" else 1
        outside = await stack.enter_async_context(outside_hosts(folder, count))
        operator = OperatorProcess(info.kubeconfig, folder / "operator.log", "--log-level", "info", *FLAGS)
        stack.callback(operator.stop)
        stage = Stage(Rig(plane, session, info.server), outside, operator)
        await stage.prepare()
        if scenario == "watch":
            figures, goals = await watch(stage, options.n, options.seconds)
        else:
            figures, goals = await limits(stage)
    figures = {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scenario": scenario,
        **figures,
        "goals": {goal.name: round(goal.value, 3) for goal in goals},
        "missed": missed(goals),
        "machine": machine(),
    }
    return figures, goals


def show(figures: dict[str, Any], goals: list[Goal]) -> None:
    """Print what was found."""
    for name, value in figures.items():
        if name == "phases":
            print(f"{'phase':26} {'seconds':>8} {'requests':>9} {'connections':>12}  verdicts at its end")
            for one in value:
                verdicts = ", ".join(f"{count} {verdict}" for verdict, count in one["verdicts"].items())
                counts = f"{one['seconds']:>8} {one['requests']:>9} {one['connections']:>12}"
                print(f"{one['name']:26} {counts}  {verdicts}")
        elif name != "goals":
            print(f"{name:32} {value}")
    print(table(goals))


def main() -> None:
    """Run the scenarios, print, and append a line for each to benchmarks/results/."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", choices=SCENARIOS, help="only this one")
    parser.add_argument("-n", type=int, default=1000, help="instances of scenario 'watch'")
    parser.add_argument("--hosts", type=int, help="external hosts that they are spread over [one for 20]")
    parser.add_argument("--seconds", type=float, default=180, help="for how long they are watched")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed: list[str] = []
    for scenario in (options.scenario,) if options.scenario else SCENARIOS:
        folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
        try:
            figures, goals = uvloop.run(run(scenario, options, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        show(figures, goals)
        if not options.no_record:
            record("watch.jsonl", figures)
        failed += [f"{scenario}: {name}" for name in missed(goals)]
    if failed:
        sys.exit("not reached:\n  " + "\n  ".join(failed))


if __name__ == "__main__":
    main()
