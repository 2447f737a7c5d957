"""What every benchmark stands on: a control plane of its own, how it is asked, what a process tells of itself."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
from api_metrics import Writes, read_writes
from floor import Collection

from integration_hub.devcluster import ControlPlane
from integration_hub.model.base import API_VERSION

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MIB = 1024**2


class Rig:
    """One run's control plane, and a session with its API server."""

    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession, server: str) -> None:
        """`server` is the API server's URL."""
        self.plane, self.session, self.server = plane, session, server

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Run kubectl; raise with its words where it fails."""
        done = subprocess.run(
            [*self.plane.kubectl_command(), *args], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr}")
        return done.stdout

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one object."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def install_crds(self) -> None:
        """Install the CRDs and wait until they serve."""
        self.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        self.kubectl("wait", "--for=condition=Established", "-f", str(ROOT / "crds"))

    def make_namespace(self, name: str, api_key: str) -> None:
        """Make a namespace with the Secret 'benchmark', which holds the key, as a client's secret, too."""
        self.kubectl("create", "namespace", name)
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "benchmark", "namespace": name},
                "stringData": {"apiKey": api_key, "clientId": "benchmark", "clientSecret": api_key},
            }
        )

    def collection(self, namespace: str) -> Collection:
        """Return where instances of the namespace are created."""
        return Collection(
            self.session, f"{self.server}/apis/{API_VERSION}/namespaces/{namespace}/integrationinstances"
        )

    async def all_connected(self, namespace: str) -> bool:
        """Tell whether no instance there is not Connected, in one question that is answered from a cache."""
        url = f"{self.collection(namespace).url}?fieldSelector=status.phase!=Connected&limit=1"
        async with self.session.get(url) as response:
            response.raise_for_status()
            return not orjson.loads(await response.read())["items"]

    async def writes(self) -> Writes:
        """Return the API server's own count of writes so far."""
        return await read_writes(self.session, self.server)


def machine() -> dict[str, Any]:
    """Return what the figures depend on, without a name that tells whose machine it is."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 1024**3),
        "arch": platform.machine(),
        "python": platform.python_version(),
    }


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that the process has used, its own and the kernel's for it."""
    times = process.cpu_times()
    return float(times.user + times.system)


def peak_memory(pid: int) -> int:
    """Return the greatest resident size that the process had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell the process' peak memory")


def say(text: str) -> None:
    """Tell how far the run is, beside its figures."""
    print(text, file=sys.stderr, flush=True)


def record(file: str, figures: Mapping[str, Any]) -> None:
    """Append a line to a file of results."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / file).open("a") as lines:
        lines.write(json.dumps(figures) + "\n")
