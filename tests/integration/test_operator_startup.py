"""What keeps the operator from starting is said in words, with what to do, and never with a traceback."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from support.gate import Gate
from support.operator_process import OperatorProcess

pytestmark = pytest.mark.cluster


def hub_run(control_plane: ControlPlaneInfo, *flags: str) -> subprocess.CompletedProcess[str]:
    words = [
        sys.executable,
        "-m",
        "integration_hub",
        "run",
        "--kubeconfig",
        str(control_plane.kubeconfig),
        *flags,
    ]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_a_port_in_use_is_said_at_once(control_plane: ControlPlaneInfo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = hub_run(control_plane, "--listen", address)
    assert done.returncode == 1
    assert f"Error: Cannot listen on {address}" in done.stderr
    assert "--listen" in done.stderr
    assert (done.stdout + done.stderr).count("Cannot listen") == 1, "said once"
    assert "Traceback" not in done.stdout + done.stderr


def test_an_address_of_another_machine_is_said_at_once(control_plane: ControlPlaneInfo) -> None:
    done = hub_run(control_plane, "--listen", "192.0.2.1:8080")
    assert done.returncode == 1
    assert "Error: Cannot listen on 192.0.2.1:8080" in done.stderr
    assert "no such address" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


async def test_whoever_stops_it_at_once_reads_of_no_failure(
    spare_cluster: ControlPlane, tmp_path: Path
) -> None:
    async with Gate(spare_cluster.up(), tmp_path) as gate:
        # Where its warning is an error uvloop does not close a connection that it warns of, and never ends.
        program = ("-W", "default", "-m", "integration_hub")
        operator = OperatorProcess(
            gate.kubeconfig, tmp_path / "operator.log", "--grace", "1s", program=program
        )
        try:
            await asyncio.to_thread(operator.start, until_ready=False)
            await asyncio.to_thread(
                operator.wait_for,
                lambda: "audit log begins" in operator.log.read_text(),
                "begun",
                pause=0.001,
            )
            # What kopf asks for at its start gets no answer any more.
            gate.hold_back()
            assert await asyncio.to_thread(operator.terminate) == 0
        finally:
            await asyncio.to_thread(operator.stop)
    lines = [json.loads(line) for line in operator.log.read_text().splitlines() if line.startswith("{")]
    assert [line for line in lines if line["level"] in {"warning", "error", "critical"}] == []
