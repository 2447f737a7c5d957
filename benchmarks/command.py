"""`make bench-cli`: how long whole commands take, beside kubectl and a bare Python.

All take turns in one run, so that a slow moment of the machine falls on each. `hub get` may take 400 ms beside what the
API server itself needs for the list, measured on a connection that is open. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arrivals import quantile
from goals import Goal, missed, table
from rig import ROOT, machine, record, say

from integration_hub.adapters.kube_api import INSTANCES
from integration_hub.adapters.kube_blocking import TABLE, BlockingKube
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane
from integration_hub.model.base import API_VERSION

HELP_MS = 150.0
GET_MS = 400.0
SCRIPTS = Path(sys.executable).parent


def whole(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the milliseconds from a process' start to its end."""
    begun = time.perf_counter()
    subprocess.run(command, env=dict(environment), stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) * 1000


def instances(number: int) -> str:
    """Return so many instances as one manifest."""
    items = [
        {
            "apiVersion": API_VERSION,
            "kind": INSTANCES.kind,
            "metadata": {"name": f"connection-{n}", "namespace": "default"},
            "spec": {"definitionRef": {"name": "acme"}, "config": {"account": f"account-{n}"}},
        }
        for n in range(number)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def measure(plane: ControlPlane, number: int, rounds: int) -> dict[str, Any]:
    """Return the median of each command over so many rounds, and the ratios that count."""
    kubectl = plane.kubectl_command()
    for words, stdin in (
        (("apply", "--server-side", "-f", str(ROOT / "crds")), None),
        (("wait", "--for=condition=Established", "-f", str(ROOT / "crds")), None),
        (("apply", "--server-side", "-f", "-"), instances(number)),
    ):
        subprocess.run([*kubectl, *words], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, "KUBECONFIG": str(plane.home.kubeconfig)}
    commands: dict[str, Sequence[str]] = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "hub --help": (str(SCRIPTS / "hub"), "--help"),
        "kubectl get": (*kubectl, "get", "iinst"),
        "hub get": (str(SCRIPTS / "hub"), "get"),
        "kubectl get -o yaml": (*kubectl, "get", "iinst", "-o", "yaml"),
        "hub get -o yaml": (str(SCRIPTS / "hub"), "get", "-o", "yaml"),
        "hub version --client": (str(SCRIPTS / "hub"), "version", "--client"),
        "TAB": (str(SCRIPTS / "kubectl_complete-hub"), "get", ""),
    }
    kube = BlockingKube(load(plane.home.kubeconfig))
    server: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in commands}
    for name, command in commands.items():
        whole(command, environment)  # files and caches are warm
        say(f"{name} is warm")
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(whole(command, environment))
        begun = time.perf_counter()
        list(kube.pages(INSTANCES, "default", accept=TABLE))
        server.append((time.perf_counter() - begun) * 1000)
    kube.close()
    medians = {name: round(quantile(values, 0.5), 1) for name, values in times.items()}
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "instances": number,
        "rounds": rounds,
        "median_ms": medians,
        "api_server_ms": round(quantile(server, 0.5), 1),
        "help_to_python": round(medians["hub --help"] / medians["python -c pass"], 2),
        "get_to_python": round(medians["hub get"] / medians["python -c pass"], 2),
        "get_to_kubectl": round(medians["hub get"] / medians["kubectl get"], 2),
        "yaml_to_kubectl": round(medians["hub get -o yaml"] / medians["kubectl get -o yaml"], 2),
        "machine": machine(),
    }


def main() -> None:
    """Measure, print, and append one line to benchmarks/results/."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=100, help="instances that are listed")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.up()
            figures = measure(plane, options.n, options.rounds)
        finally:
            plane.down(purge=True)
    for name, value in figures["median_ms"].items():
        print(f"{name:22} {value:>8} ms")
    for name in ("api_server_ms", "help_to_python", "get_to_python", "get_to_kubectl", "yaml_to_kubectl"):
        print(f"{name:22} {figures[name]:>8}")
    own = figures["median_ms"]["hub get"] - figures["api_server_ms"]
    goals = [
        Goal("hub --help, ms", figures["median_ms"]["hub --help"], HELP_MS),
        Goal("hub get beside the API server's time, ms", own, GET_MS),
    ]
    print(table(goals))
    if not options.no_record:
        record("command.jsonl", figures)
    if missed(goals):
        say("a goal is missed")
        sys.exit(1)


if __name__ == "__main__":
    main()
