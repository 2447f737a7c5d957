"""The external hosts as a benchmark handles them: starts their process, gives it orders, reads what they saw."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rig import ROOT

from integration_hub.model.base import API_VERSION
from support.certificates import Authority
from support.ports import free_port

ANSWER_SECONDS = 0.05
"""What an answer of an external system takes: in the same city, without much work."""
LONGEST_LINE = 64 * 1024**2
"""Of a report of many requests."""


class Request(NamedTuple):
    """One request that a host saw. Times are Unix times."""

    account: str
    arrived: float
    answered: float
    status: int


@dataclass(frozen=True)
class Seen:
    """What one host has seen since its start."""

    requests: list[Request]
    knocks: list[tuple[float, float]]
    """Attempts to connect while it was dead: from when to when."""
    most_in_flight: int
    counts_refused: bool
    """Whether `knocks` holds those that were refused."""


class Outside:
    """The hosts."""

    def __init__(
        self, process: asyncio.subprocess.Process, addresses: list[str], port: int, ca: str, key: str
    ) -> None:
        """`ca` is the PEM of the authority that all their certificates are from."""
        self.process, self.addresses, self.port, self.ca, self.key = process, addresses, port, ca, key

    def url(self, number: int) -> str:
        """Return the address of the host that an instance of this number is connected to."""
        return f"https://{self.addresses[number % len(self.addresses)]}:{self.port}"

    async def order(self, do: str, **more: Any) -> Any:
        """Let something be done there, and return what is answered."""
        return (await self._order(do, **more))["answer"]

    async def since(self, do: str, **more: Any) -> float:
        """Let something be done there, and return when it was done."""
        return float((await self._order(do, **more))["at"])

    async def seen(self) -> dict[str, Seen]:
        """Return what each host has seen, by its address."""
        report = await self.order("report")
        return {
            address: Seen(
                [Request(*request) for request in one["requests"]],
                [(begun, ended) for begun, ended in one["knocks"]],
                one["most_in_flight"],
                one["counts_refused"],
            )
            for address, one in report.items()
        }

    async def _order(self, do: str, **more: Any) -> dict[str, Any]:
        reader, writer = self.process.stdout, self.process.stdin
        if reader is None or writer is None:
            raise RuntimeError("the hosts were started without pipes")
        writer.write(json.dumps({"do": do, **more}).encode() + b"\n")
        await writer.drain()
        answer: dict[str, Any] = json.loads(await reader.readline())
        return answer


@asynccontextmanager
async def outside_hosts(folder: Path, count: int) -> AsyncIterator[Outside]:
    """Run so many hosts, from 127.0.1.1 on."""
    authority = Authority("Benchmark authority")
    addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]
    files = []
    for address in addresses:
        issued = authority.issue(address)
        certificate, key_file = folder / f"{address}.crt", folder / f"{address}.key"
        certificate.write_text(issued.chain)
        key_file.write_text(issued.key)
        files.append((address, str(certificate), str(key_file)))
    port, key = free_port(), secrets.token_urlsafe(24)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "benchmarks" / "hosts.py"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
    )  # fmt: skip
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the hosts were started without pipes")
        plan = {"port": port, "key": key, "seconds": ANSWER_SECONDS, "hosts": files}
        process.stdin.write(json.dumps(plan).encode() + b"\n")
        if (await process.stdout.readline()).strip() != b"ready":
            raise RuntimeError("the external hosts did not start")
        yield Outside(process, addresses, port, authority.pem, key)
    finally:
        process.kill()
        await process.wait()


def definition(ca: str) -> dict[str, Any]:
    """Return the definition of the hosts."""
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationDefinition",
        "metadata": {"name": "benchmark"},
        "spec": {
            "displayName": "Benchmark",
            "configSchema": {
                "type": "object",
                "required": ["server", "account"],
                "properties": {
                    "server": {"type": "string", "format": "uri"},
                    "account": {"type": "string"},
                    "ca": {"type": "string"},
                },
            },
            "baseURL": "{{ config.server }}",
            "allowedHosts": ["{{ config.server }}"],
            "trust": {"caBundle": "{{ config.ca }}"},
            "authMethods": [
                {"name": "key", "type": "apiKey", "settings": {"name": "Authorization", "prefix": "Bearer"}}
            ],
            "tests": [
                {
                    "name": "whoami",
                    "default": True,
                    "request": {"path": "/v1/{{ config.account }}/whoami"},
                    "identity": "response.json.user.login",
                }
            ],
            "templates": [{"name": "local", "config": {"ca": ca}}],
        },
    }


def account(number: int) -> str:
    """Return whose account an instance of this number asks for."""
    return f"account-{number:05}"


def instance(namespace: str, number: int, server: str, monitor: Mapping[str, Any]) -> dict[str, Any]:
    """Return one instance. All share a Secret; each asks for an account of its own, so that no two share a request."""
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationInstance",
        "metadata": {"name": f"bench-{number:05}", "namespace": namespace},
        "spec": {
            "displayName": f"Benchmark {number}",
            "definitionRef": {"name": "benchmark"},
            "template": "local",
            "config": {"server": server, "account": account(number)},
            "auth": {"method": "key", "secretRef": {"name": "benchmark"}},
            "monitor": monitor,
        },
    }
