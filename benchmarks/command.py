"""`make bench-cli`: how long whole commands take, beside kubectl and a bare Python.

All take turns in one run, so that a slow moment of the machine falls on each. Goals and ratios are of CPU, the process'
own and the kernel's for it: a command waits for nothing but the API server, so on a machine that does nothing else it
takes that and the API server's time, which is measured on a connection that is open. The quickest round by the clock is
printed beside it. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from arrivals import quantile
from catalog import a_catalog_of
from goals import Goal, missed, table
from rig import ROOT, machine, record, say

import integration_hub
from integration_hub.adapters.kube_api import INSTANCES
from integration_hub.adapters.kube_blocking import TABLE, BlockingKube
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane
from integration_hub.model.base import API_VERSION

HELP_MS = 150.0
GET_MS = 400.0
SEARCH_MS = 100.0
DEFINITIONS = 1000
"""In the catalog that is searched."""
SCRIPTS = Path(sys.executable).parent


class Took(NamedTuple):
    """What one run took, in milliseconds."""

    wall: float
    cpu: float


def whole(command: Sequence[str], environment: Mapping[str, str]) -> Took:
    """Return what a process took from its start to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = (time.perf_counter() - begun) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Took(wall, (used.ru_utime + used.ru_stime) * 1000)


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


def with_a_large_catalog(folder: Path) -> dict[str, str]:
    """Copy the package with an index of a thousand definitions; return an environment in which Python takes it."""
    package = Path(integration_hub.__file__).parent
    copied = folder / package.name
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "catalog" / "index.jsonl").write_text(a_catalog_of(DEFINITIONS), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}


def measure(plane: ControlPlane, number: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Return the median of each command over so many rounds, and the ratios that count."""
    kubectl = plane.kubectl_command()
    for words, stdin in (
        (("apply", "--server-side", "-f", str(ROOT / "crds")), None),
        (("wait", "--for=condition=Established", "-f", str(ROOT / "crds")), None),
        (("apply", "--server-side", "-f", "-"), instances(number)),
    ):
        subprocess.run([*kubectl, *words], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, "KUBECONFIG": str(plane.home.kubeconfig)}
    search = "hub catalog search"
    environments = {search: with_a_large_catalog(folder)}
    commands: dict[str, Sequence[str]] = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "hub --help": (str(SCRIPTS / "hub"), "--help"),
        "kubectl get": (*kubectl, "get", "iinst"),
        "hub get": (str(SCRIPTS / "hub"), "get"),
        "kubectl get -o yaml": (*kubectl, "get", "iinst", "-o", "yaml"),
        "hub get -o yaml": (str(SCRIPTS / "hub"), "get", "-o", "yaml"),
        "hub version --client": (str(SCRIPTS / "hub"), "version", "--client"),
        search: (sys.executable, "-m", "integration_hub", "catalog", "search", "salesfroce"),
        "TAB": (str(SCRIPTS / "kubectl_complete-hub"), "get", ""),
    }
    kube = BlockingKube(load(plane.home.kubeconfig))
    server: list[float] = []
    times: dict[str, list[Took]] = {name: [] for name in commands}
    for name, command in commands.items():
        whole(command, environments.get(name, environment))  # files and caches are warm
        say(f"{name} is warm")
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(whole(command, environments.get(name, environment)))
        begun = time.perf_counter()
        list(kube.pages(INSTANCES, "default", accept=TABLE))
        server.append((time.perf_counter() - begun) * 1000)
    kube.close()
    quickest = {name: round(min(took.wall for took in all_), 1) for name, all_ in times.items()}
    cpu = {name: round(quantile([took.cpu for took in all_], 0.5), 1) for name, all_ in times.items()}
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "instances": number,
        "definitions": DEFINITIONS,
        "rounds": rounds,
        "quickest_ms": quickest,
        "median_cpu_ms": cpu,
        "api_server_ms": round(min(server), 1),
        "help_to_python": round(cpu["hub --help"] / cpu["python -c pass"], 2),
        "get_to_python": round(cpu["hub get"] / cpu["python -c pass"], 2),
        "get_to_kubectl": round(cpu["hub get"] / cpu["kubectl get"], 2),
        "yaml_to_kubectl": round(cpu["hub get -o yaml"] / cpu["kubectl get -o yaml"], 2),
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
        plane = ControlPlane(Path(folder) / "cluster")
        try:
            plane.up()
            figures = measure(plane, options.n, options.rounds, Path(folder) / "package")
        finally:
            plane.down(purge=True)
    for name, value in figures["quickest_ms"].items():
        print(f"{name:22} {value:>8} ms at its quickest, {figures['median_cpu_ms'][name]:>8} ms of CPU")
    for name in ("api_server_ms", "help_to_python", "get_to_python", "get_to_kubectl", "yaml_to_kubectl"):
        print(f"{name:22} {figures[name]:>8}")
    cpu = figures["median_cpu_ms"]
    goals = [
        Goal("hub --help, ms of CPU", cpu["hub --help"], HELP_MS),
        Goal(
            f"hub catalog search of {DEFINITIONS}, ms of CPU beside those of --help",
            cpu["hub catalog search"] - cpu["hub --help"],
            SEARCH_MS,
        ),
        Goal("hub get, ms of CPU beside the API server's time", cpu["hub get"], GET_MS),
    ]
    print(table(goals))
    if not options.no_record:
        record("command.jsonl", figures)
    if missed(goals):
        say("a goal is missed")
        sys.exit(1)


if __name__ == "__main__":
    main()
