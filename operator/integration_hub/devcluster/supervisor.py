"""Run the programs of KUBEBUILDER_ASSETS as one: etcd, kube-apiserver, the controller manager if it is there.

Started as a script, not as a module, so that it needs nothing but the standard library. It counterparts
`controlplane serve`: same working directory, same flags, same lock, same end at SIGTERM.
"""

# ruff: noqa: S603 - starting programs is what this module is for; none is named by anybody but the user

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

ETCD_FLAGS = (
    "--data-dir=etcd",
    "--listen-client-urls=unix://etcd.sock",
    "--listen-peer-urls=unix://etcd-peer.sock",
    # Names only, for other members and their clients, of which there are none.
    "--advertise-client-urls=http://localhost:2379",
    "--log-level=warn",
)

CONTROLLER_MANAGER_FLAGS = (
    "--kubeconfig=kubeconfig",
    "--bind-address=127.0.0.1",
    "--secure-port=0",
    "--leader-elect=false",
    "--use-service-account-credentials=false",
    "--root-ca-file=pki/ca.crt",
    "--service-account-private-key-file=pki/sa.key",
)

GRACE = 5.0
"""Seconds that each program gets to end by itself."""


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or until one program ends; return 0 only in the first case."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    options, api_server_flags = parser.parse_known_args(arguments)

    os.setsid()
    os.pwrite(options.lock_fd, f"{os.getpid()}\n".encode(), 0)

    wake = threading.Event()
    asked_to_end = False

    def end(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_end
        asked_to_end = True
        wake.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)

    commands = [
        [options.assets / "etcd", *ETCD_FLAGS],
        [options.assets / "kube-apiserver", *api_server_flags],
    ]
    manager = options.assets / "kube-controller-manager"
    if manager.exists():
        commands.append([manager, *CONTROLLER_MANAGER_FLAGS])

    # They inherit the lock: should this process be killed, the cluster still counts as running until they are
    # gone too, and its process group is still there to be ended.
    programs = [subprocess.Popen(command, pass_fds=[options.lock_fd]) for command in commands]
    for program in programs:
        threading.Thread(target=_wait, args=(program, wake), daemon=True).start()
    # Signal handlers run between two waits: a wait without limit would hold them off on some platforms.
    while not wake.wait(timeout=1):
        pass
    for program in reversed(programs):  # etcd last: the others still write to it
        program.terminate()
        try:
            program.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
    return 0 if asked_to_end else 1


def _wait(program: subprocess.Popen[bytes], wake: threading.Event) -> None:
    program.wait()
    wake.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
