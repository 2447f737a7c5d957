"""`make bench N=1000`: the operator against the floor, in one run, on one API server. docs/performance.md explains it.

The story: start a control plane and an HTTPS target; warm both sides up; at several concurrencies, measure the floor
and then the operator, from the first create until the API server shows every instance Connected, and keep the best;
count what was written by the API server's own metrics; restart the operator with nothing changed; print and record it.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import psutil
import uvloop
from api_metrics import Writes
from floor import Collection, Work, for_each, run_floor
from rig import MIB, ROOT, Rig, cpu_seconds, machine, peak_memory, record, say

from integration_hub.adapters.kube import new_session
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane, ProgressPrinter
from integration_hub.model.base import API_VERSION
from integration_hub.shell.vault import RECORD_TYPE
from support.certificates import Authority
from support.operator_process import OperatorProcess
from support.ports import free_port

CONCURRENCIES = (10, 20, 40)
"""Creates at a time, for both sides: each side's best counts."""
WITH_TOKENS = CONCURRENCIES[1:2]
"""With tokens: what the garbage collector has to take away between two rounds would be in the way of the second."""
MANY = 2000
"""With more instances than this one concurrency must do."""
WARMUP = 50
UNBOUNDED = ("--host-rate", "10000", "--host-concurrency", "1000")
"""All instances ask one host, and what is measured is the operator, not what it spares a host."""


def definition(server: str, ca: str) -> dict[str, Any]:
    """Return the definition of the target."""
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationDefinition",
        "metadata": {"name": "benchmark"},
        "spec": {
            "displayName": "Benchmark",
            "configSchema": {
                "type": "object",
                "required": ["server"],
                "properties": {"server": {"type": "string", "format": "uri"}, "ca": {"type": "string"}},
            },
            "baseURL": "{{ config.server }}",
            "allowedHosts": ["{{ config.server }}"],
            "trust": {"caBundle": "{{ config.ca }}"},
            "authMethods": [
                {"name": "key", "type": "apiKey", "settings": {"name": "Authorization", "prefix": "Bearer"}},
                {
                    "name": "token",
                    "type": "oauth2",
                    "settings": {"grant": "clientCredentials", "tokenURL": "{{ config.server }}/token"},
                },
            ],
            "tests": [
                {
                    "name": "whoami",
                    "default": True,
                    "request": {"path": "/v1/whoami"},
                    "identity": "response.json.user.login",
                }
            ],
            "templates": [{"name": "local", "config": {"server": server, "ca": ca}}],
        },
    }


def instance(namespace: str, number: int, method: str) -> bytes:
    """Return one instance as the API server takes it. All share a Secret; each is a connection of its own."""
    return orjson.dumps(
        {
            "apiVersion": API_VERSION,
            "kind": "IntegrationInstance",
            "metadata": {"name": f"bench-{number:05}", "namespace": namespace},
            "spec": {
                "displayName": f"Benchmark {number}",
                "definitionRef": {"name": "benchmark"},
                "template": "local",
                "auth": {"method": method, "secretRef": {"name": "benchmark"}},
            },
        }
    )


class Target(NamedTuple):
    """The external system: where it is, the key that it knows, and the file of the authority to trust."""

    url: str
    key: str
    ca_file: Path


@contextmanager
def target_server(folder: Path) -> Iterator[Target]:
    """Run the target."""
    authority = Authority("Benchmark authority")
    issued = authority.issue("127.0.0.1")
    certificate, key_file, ca_file = folder / "target.crt", folder / "target.key", folder / "ca.crt"
    for path, content in ((certificate, issued.chain), (key_file, issued.key), (ca_file, authority.pem)):
        path.write_text(content)
    port, api_key = free_port(), secrets.token_urlsafe(24)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "target.py"), str(port), str(certificate), str(key_file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{api_key}\n")
        process.stdin.flush()
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the benchmark's target did not start")
        yield Target(f"https://127.0.0.1:{port}", api_key, ca_file)
    finally:
        process.kill()
        process.communicate()


class Bench(Rig):
    """One run of so many instances."""

    def __init__(
        self, plane: ControlPlane, session: aiohttp.ClientSession, server: str, n: int, method: str
    ) -> None:
        """`server` is the API server's URL, `method` the auth method of all instances."""
        super().__init__(plane, session, server)
        self.n, self.method = n, method

    def prepare(self, target: Target) -> None:
        """Install CRDs, namespaces, the definition and the Secrets."""
        self.install_crds()
        self.apply(definition(target.url, target.ca_file.read_text()))
        for namespace in ("warmup", "floor", "measured"):
            self.make_namespace(namespace, target.key)

    async def floor(self, work: Work, concurrency: int) -> float:
        """Return the seconds that a bare client needs for the same."""
        bodies = [instance("floor", number, self.method) for number in range(self.n)]
        return await run_floor(self.collection("floor"), bodies, work, concurrency)

    async def work(self, target: Target) -> Work:
        """Return what the floor is to do for each instance: the same, and as much of it, as the operator did."""
        status = await self.one_status("warmup")
        record = await self.one_record("warmup") if self.method == "token" else None
        return Work(status, target.url, target.key, str(target.ca_file), self.secrets("floor"), record)

    async def create_and_wait(self, namespace: str, n: int, concurrency: int) -> float:
        """Create instances and wait until the API server shows each Connected; return the seconds."""
        collection = self.collection(namespace)

        async def create(number: int) -> None:
            await collection.create(instance(namespace, number, self.method))

        started = time.perf_counter()
        await for_each(range(n), create, concurrency)
        while True:
            if await self.all_connected(namespace):
                return time.perf_counter() - started
            # The API server looks through all instances to answer: asked too often, the question becomes the load.
            await asyncio.sleep(max(0.05, 0.02 * (time.perf_counter() - started)))

    async def one_status(self, namespace: str) -> bytes:
        """Return a status as the operator writes it, for the floor to write the same."""
        async with self.session.get(f"{self.collection(namespace).url}/bench-00000") as response:
            return orjson.dumps({"status": orjson.loads(await response.read())["status"]})

    async def one_record(self, namespace: str) -> dict[str, Any]:
        """Return a sealed record as the operator stores it, without a name."""
        query = f"fieldSelector=type={RECORD_TYPE}&limit=1"
        async with self.session.get(f"{self.secrets(namespace).url}?{query}") as response:
            (found,) = orjson.loads(await response.read())["items"]
            return {"type": found["type"], "data": found["data"]}

    def secrets(self, namespace: str) -> Collection:
        """Return where Secrets of the namespace are created."""
        return Collection(self.session, f"{self.server}/api/v1/namespaces/{namespace}/secrets")


def wait_until_idle(operator: OperatorProcess, reconciles: int) -> None:
    """Wait until the operator has looked at that many instances and has nothing left to do."""

    def idle() -> bool:
        _, text = operator.get("/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        done = sum(
            float(v)
            for k, v in values.items()
            if k.startswith('hub_reconcile_total{kind="integrationinstances"')
        )
        return (
            done >= reconciles and float(values["hub_queue_depth"]) + float(values["hub_queue_working"]) == 0
        )

    # A page of metrics has a line for each instance, which the operator must write: ask seldom.
    operator.wait_for(idle, "idle", seconds=300, pause=0.25)


@dataclass(frozen=True)
class Round:
    """One measurement of the operator."""

    seconds: float
    wrote: Writes
    cpu_seconds: float
    peak_bytes: int


async def measure_operator(bench: Bench, operator: OperatorProcess, concurrency: int) -> Round:
    """Create instances below a running operator and wait for it; the caller starts and ends the operator."""
    await asyncio.to_thread(wait_until_idle, operator, WARMUP)
    process = psutil.Process(operator.pid)
    cpu, before = cpu_seconds(process), await bench.writes()
    seconds = await bench.create_and_wait("measured", bench.n, concurrency)
    await asyncio.to_thread(wait_until_idle, operator, WARMUP + bench.n)
    cpu = cpu_seconds(process) - cpu
    await asyncio.sleep(2)  # Events may still be on their way; they count
    return Round(seconds, (await bench.writes()) - before, cpu, peak_memory(operator.pid))


async def measure_restart(bench: Bench, operator: OperatorProcess) -> Round:
    """Start the operator over instances that have not changed, and end it."""
    before = await bench.writes()
    started = time.perf_counter()
    operator.start()
    await asyncio.to_thread(wait_until_idle, operator, WARMUP + bench.n)
    seconds = time.perf_counter() - started
    await asyncio.sleep(2)
    peak = peak_memory(operator.pid)
    cpu = cpu_seconds(psutil.Process(operator.pid))
    operator.terminate()
    return Round(seconds, (await bench.writes()) - before, cpu, peak)


def concurrencies(n: int, method: str) -> tuple[int, ...]:
    """Return how many creates at a time are tried."""
    if n > MANY:
        return CONCURRENCIES[-1:]
    return WITH_TOKENS if method == "token" else CONCURRENCIES


async def measure(n: int, method: str, folder: Path) -> dict[str, Any]:
    """Run the whole benchmark and return its figures."""
    plane = ControlPlane(folder / "control-plane")
    with ProgressPrinter(sys.stderr) as progress:
        info = plane.up(progress)
    operator = OperatorProcess(info.kubeconfig, folder / "operator.log", "--log-level", "info", *UNBOUNDED)
    session = new_session(load(info.kubeconfig))
    floors: dict[int, float] = {}
    rounds: dict[int, Round] = {}
    try:
        with target_server(folder) as target:
            bench = Bench(plane, session, info.server, n, method)
            bench.prepare(target)
            operator.start()
            await bench.create_and_wait("warmup", WARMUP, 10)
            work = await bench.work(target)
            operator.terminate()
            # In turn, so that a slow minute of the machine falls on both.
            for concurrency in concurrencies(n, method):
                await bench.collection("measured").delete_all()
                floors[concurrency] = await bench.floor(work, concurrency)
                await bench.collection("floor").delete_all()
                operator.start()
                rounds[concurrency] = await measure_operator(bench, operator, concurrency)
                operator.terminate()
                floor, ours = floors[concurrency], rounds[concurrency].seconds
                say(f"at concurrency {concurrency}: floor {floor:.2f} s, operator {ours:.2f} s")
            restart = await measure_restart(bench, operator)
    finally:
        operator.stop()
        await session.close()
        plane.down(purge=True)
    best = min(rounds.values(), key=lambda one: one.seconds)
    peak = max(restart.peak_bytes, *(one.peak_bytes for one in rounds.values()))
    return {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "n": n,
        "auth": method,
        "floor_seconds": {str(c): round(seconds, 2) for c, seconds in floors.items()},
        "operator_seconds": {str(c): round(one.seconds, 2) for c, one in rounds.items()},
        "ratio_to_floor": round(best.seconds / min(floors.values()), 2),
        # Of the rounds, the one that wrote most: each must have written N, and not one more.
        "status_patches": max(one.wrote.status_patches for one in rounds.values()),
        "other_instance_writes": max(one.wrote.other_instance_writes for one in rounds.values())
        - n,  # our creates
        "event_writes": max(one.wrote.event_writes for one in rounds.values()),
        "secret_writes": max(one.wrote.secret_writes for one in rounds.values()),
        "cpu_seconds": round(best.cpu_seconds, 2),
        "peak_mib": round(peak / MIB, 1),
        "restart_writes": restart.wrote.total,
        "restart_seconds": round(restart.seconds, 2),
        "machine": machine(),
    }


def main() -> None:
    """Measure, print, and append one line to benchmarks/results/."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=1000, help="instances")
    parser.add_argument(
        "--tokens",
        action="store_true",
        help="each instance obtains a token of its own, which is stored sealed",
    )
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        figures = uvloop.run(measure(options.n, "token" if options.tokens else "key", folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        print(f"{name:32} {value}")
    if not options.no_record:
        record("bench.jsonl", figures)


if __name__ == "__main__":
    main()
