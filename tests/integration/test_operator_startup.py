"""What keeps the operator from starting is said in words, with what to do, and never with a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from integration_hub.devcluster import ControlPlaneInfo

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
