"""One cluster in one folder: start it, look at it, end it. This is what tests, benchmarks and the CLI use."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster import client, process
from integration_hub.devcluster.build import Progress, Report
from integration_hub.devcluster.certs import ensure_certificates
from integration_hub.devcluster.errors import NotRunningError, StartError
from integration_hub.devcluster.files import tail, try_lock
from integration_hub.devcluster.folder import make_home, refuse_foreign_folder, remove_cluster_files
from integration_hub.devcluster.kubeconfig import write_kubeconfig
from integration_hub.devcluster.paths import Home
from integration_hub.devcluster.servers import ServerProgram, api_server_flags, choose_program
from integration_hub.devcluster.state import State, load_state, save_state

START_LIMIT = 120.0
"""Seconds until the server must be ready. It takes three on an idle machine."""

_POLL = 0.1
_LOG_TAIL = 25
_PORT_TAKEN = "address already in use"
_PORT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ControlPlaneInfo:
    """A control plane that is ready."""

    kubeconfig: Path
    server: str
    ca_file: Path
    pid: int
    log_file: Path
    started: bool
    """False if it was running already."""

    note: str = ""
    """What the person who started it should know, if anything."""


@dataclass(frozen=True, slots=True)
class ControlPlaneStatus:
    """What is known of a control plane. `memory` is in bytes; what is unknown is None or empty."""

    running: bool
    ready: bool
    version: str
    server: str
    pid: int | None
    memory: int | None
    home: Path
    kubeconfig: Path
    log_file: Path


def _silent(_progress: Progress) -> None:
    pass


class ControlPlane:
    """The control plane whose data lies in `home`. Nothing is read or written before a method is called."""

    def __init__(self, home: Path, more_flags: Sequence[str] = ()) -> None:
        """`more_flags` are further ones of kube-apiserver, for where it is started and does not run already."""
        self.home = Home(home.expanduser().absolute())
        self._more_flags = more_flags

    def up(
        self,
        report: Report = _silent,
        *,
        timeout: float = START_LIMIT,
        environ: Mapping[str, str] = os.environ,
    ) -> ControlPlaneInfo:
        """Make it run and return when it is ready, with the default namespace and its service account.

        Safe to call at any time, from several processes at once. `timeout` in seconds counts from when the
        binary is there; building it is told to `report`.
        """
        if info := self._info_if_ready(started=False):
            return info
        refuse_foreign_folder(self.home)
        program = choose_program(report, environ)
        make_home(self.home)
        deadline = time.monotonic() + timeout
        starts = 0
        while True:
            started = self._start_unless_running(program, fresh_port=starts > 0)
            if self._wait_until_ready(deadline, mine=started):
                if info := self._info_if_ready(started=started, note=program.note):
                    return info
            elif started:
                starts += 1
                if starts >= _PORT_ATTEMPTS or not self._lost_its_port():
                    raise self._start_error("ended while it was starting")
            # Whoever ran or was starting it has just gone: next turn it may be ours.
            time.sleep(_POLL)

    def down(self, *, purge: bool = False) -> bool:
        """End it, if it runs; with `purge`, remove its data too. Return whether it ran.

        Data outlives it otherwise, and the next `up` continues with them.
        """
        was_running = process.stop(self.home.lock)
        if purge:
            remove_cluster_files(self.home)
        return was_running

    def kill(self) -> None:
        """End it at once, as a crash would."""
        process.kill(self.home.lock)

    def status(self) -> ControlPlaneStatus:
        """Return what is known of it."""
        running = process.is_running(self.home.lock)
        pid = process.pid_of(self.home.lock)
        state = load_state(self.home.state)
        port = state.port
        return ControlPlaneStatus(
            running=running,
            ready=running and client.is_ready(self.home, port, controllers=state.controllers),
            version=client.version_of_server(self.home, port) if running else "",
            server=_url(port) if port else "",
            pid=pid,
            memory=process.memory_of(pid) if pid else None,
            home=self.home.root,
            kubeconfig=self.home.kubeconfig,
            log_file=self.home.log,
        )

    def kubectl_program(self) -> list[str]:
        """Return the words that run a kubectl of its version, to which KUBECONFIG tells the cluster."""
        command = load_state(self.home.state).kubectl
        if not command or not self.home.kubeconfig.exists():
            raise NotRunningError(
                f"There is no development cluster in {self.home.root}.", "Start it with `hub dev up`."
            )
        return list(command)

    def kubectl_command(self) -> list[str]:
        """Return the words that run kubectl against it, whatever the environment says."""
        flags = (f"--kubeconfig={self.home.kubeconfig}", f"--cache-dir={self.home.kubectl_cache}")
        return [*self.kubectl_program(), *flags]

    def _start_unless_running(self, program: ServerProgram, *, fresh_port: bool) -> bool:
        """Prepare the folder and start the server; False if one runs or is being started by somebody else."""
        lock = try_lock(self.home.lock)
        if lock is None:
            return False
        try:
            os.ftruncate(lock, 0)  # the number of the last server
            ensure_certificates(self.home.pki)
            port = 0 if fresh_port else load_state(self.home.state).port
            if not _is_free(port):
                port = _free_port()
            state = State(port=port, kubectl=program.kubectl, controllers=program.controllers)
            save_state(self.home.state, state)
            write_kubeconfig(self.home, _url(port))
            command = [*program.serve, *api_server_flags(port), *self._more_flags]
            process.spawn(command, lock, self.home.root, self.home.log)
        finally:
            os.close(lock)  # the server has inherited it
        return True

    def _wait_until_ready(self, deadline: float, *, mine: bool) -> bool:
        """Return True once it is ready, False once it has ended. Past the deadline, kill one of `mine`."""
        while process.is_running(self.home.lock):
            if self._info_if_ready(started=mine):
                return True
            if time.monotonic() >= deadline:
                if mine:
                    self.kill()
                raise self._start_error("was not ready in time")
            time.sleep(_POLL)
        return False

    def _info_if_ready(self, *, started: bool, note: str = "") -> ControlPlaneInfo | None:
        pid = process.pid_of(self.home.lock)
        # Read again each time: another process may be starting it, on another port than the last one.
        state = load_state(self.home.state)
        if pid is None or not client.is_ready(self.home, state.port, controllers=state.controllers):
            return None
        return ControlPlaneInfo(
            kubeconfig=self.home.kubeconfig,
            server=_url(state.port),
            ca_file=self.home.ca_file,
            pid=pid,
            log_file=self.home.log,
            started=started,
            note=note,
        )

    def _lost_its_port(self) -> bool:
        return _PORT_TAKEN in tail(self.home.log, _LOG_TAIL)

    def _start_error(self, what: str) -> StartError:
        shown = tail(self.home.log, _LOG_TAIL) or "(it printed nothing)"
        return StartError(
            f"The control plane in {self.home.root} {what}. The end of its log:\n{shown}",
            f"The whole log is {self.home.log}. To begin anew without the data: `hub dev down --purge`.",
        )


def kubectl_command(home: Path) -> list[str]:
    """Return the words that run kubectl against the cluster in `home`."""
    return ControlPlane(home).kubectl_command()


def _url(port: int) -> str:
    return f"https://127.0.0.1:{port}"


def _is_free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as candidate:
        # As the server will: connections of the last run that are still closing do not matter.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
    return port
