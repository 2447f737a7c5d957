"""The same commands over kind (Kubernetes in Docker), for those who have it and want nodes that run Pods."""

# ruff: noqa: S603 - starting programs is what this module is for; none is named by anybody but the user

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from integration_hub.devcluster import process
from integration_hub.devcluster.build import Progress
from integration_hub.devcluster.cluster import ControlPlaneInfo, ControlPlaneStatus
from integration_hub.devcluster.errors import KindError, NotRunningError
from integration_hub.devcluster.files import make_private_folder, write_private
from integration_hub.devcluster.folder import make_home, refuse_foreign_folder, remove_cluster_files
from integration_hub.devcluster.paths import Home, default_home
from integration_hub.devcluster.state import State, load_state, save_state

_WAIT = "180s"
_NAME = "integration-hub-dev"


class KindCluster:
    """The kind cluster whose kubeconfig lies in `home`. Its data live in Docker and end with it."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home.expanduser().absolute())
        self.name = cluster_name(self.home.root)

    def up(self, report: Callable[[Progress], None]) -> ControlPlaneInfo:
        """Create it, unless it is there, and return when it is ready."""
        _require_programs()
        refuse_foreign_folder(self.home)
        if process.is_running(self.home.lock):
            raise KindError(
                f"The embedded control plane is running in {self.home.root}.",
                "Stop it with `hub dev down --purge`, or name another folder with --home.",
            )
        make_home(self.home)
        started = not self._exists()
        if started:
            report(Progress(f"creating the kind cluster {self.name}", 0))
            self._kind("create", "cluster", "--wait", _WAIT, "--kubeconfig", str(self.home.kubeconfig))
        else:
            self._kind("export", "kubeconfig", "--kubeconfig", str(self.home.kubeconfig))
        save_state(self.home.state, State(kubectl=(shutil.which("kubectl") or "kubectl",), kind=self.name))
        self._write_ca()
        return ControlPlaneInfo(
            kubeconfig=self.home.kubeconfig,
            server=self._server(),
            ca_file=self.home.ca_file,
            pid=0,
            log_file=self.home.log,
            started=started,
        )

    def down(self, *, purge: bool = False) -> bool:
        """Delete it. kind keeps no data for a next time."""
        _require_programs()
        existed = self._exists()
        self._kind("delete", "cluster", "--kubeconfig", str(self.home.kubeconfig))
        if purge:
            remove_cluster_files(self.home)
        self.home.state.unlink(missing_ok=True)
        return existed

    def status(self) -> ControlPlaneStatus:
        """Return what is known of it."""
        _require_programs()
        running = self._exists()
        return ControlPlaneStatus(
            running=running,
            ready=running,
            version="",
            server=self._server() if running else "",
            pid=None,
            memory=None,
            home=self.home.root,
            kubeconfig=self.home.kubeconfig,
            log_file=self.home.log,
        )

    def kubectl_program(self) -> list[str]:
        """Return the words that run the user's kubectl, to which KUBECONFIG tells the cluster."""
        if not load_state(self.home.state).kind:
            raise NotRunningError(
                f"There is no kind cluster for {self.home.root}.", "Run `hub dev up --kind`."
            )
        program = shutil.which("kubectl")
        if program is None:
            raise KindError("There is no kubectl on PATH.", "kind brings none: install kubectl.")
        return [program]

    def _exists(self) -> bool:
        return self.name in _run(["kind", "get", "clusters"]).split()

    def _kind(self, *arguments: str) -> None:
        _run(["kind", *arguments, "--name", self.name])

    def _server(self) -> str:
        return str(self._cluster_entry()["server"])

    def _write_ca(self) -> None:
        make_private_folder(self.home.pki)
        encoded = self._cluster_entry()["certificate-authority-data"]
        write_private(self.home.ca_file, base64.b64decode(encoded))

    def _cluster_entry(self) -> dict[str, str]:
        content = yaml.safe_load(self.home.kubeconfig.read_bytes())
        entry: dict[str, str] = content["clusters"][0]["cluster"]
        return entry


def cluster_name(home: Path) -> str:
    """Return the kind cluster's name: one for each folder, and a plain one for the default folder."""
    if home == default_home({}):
        return _NAME
    return f"{_NAME}-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"


def _require_programs() -> None:
    for program, remedy in (
        ("docker", "Install Docker, or leave out --kind: the embedded control plane needs none."),
        ("kind", "Install kind, or leave out --kind."),
    ):
        if shutil.which(program) is None:
            raise KindError(f"--kind needs {program}, which is not on PATH.", remedy)
    _run(["docker", "info"], "Start Docker, or leave out --kind: the embedded control plane needs none.")


def _run(command: list[str], remedy: str = "See `docker ps` and `kind --help`.") -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise KindError(f"`{' '.join(command)}` failed: {answer.stderr.strip()}", remedy)
    return answer.stdout
