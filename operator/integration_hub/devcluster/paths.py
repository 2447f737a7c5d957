"""Where everything of the development cluster lies. Names only: nothing here touches a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "integration-hub"
HOME_VARIABLE = "HUB_DEV_HOME"

GO_SOURCES = Path(__file__).parent / "controlplane"
"""The Go module that is built into the embedded control plane."""


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the cluster that a person gets without naming one."""
    if named := environ.get(HOME_VARIABLE):
        return Path(named).expanduser().absolute()
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / PROGRAM / "dev"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of what can be built again: binaries, and a Go toolchain where there was none."""
    return _xdg(environ, "XDG_CACHE_HOME", ".cache") / PROGRAM


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    # The XDG specification wants relative values ignored.
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else Path.home() / fallback


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one cluster.

    The server runs with `root` as its working directory, so that the paths it is given are short.
    """

    root: Path

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate."""
        return self.pki / "ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def lock(self) -> Path:
        """Locked for as long as the server lives; holds its process number."""
        return self.root / "server.lock"

    @property
    def state(self) -> Path:
        """How the server was last started."""
        return self.root / "state.json"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.root / "server.log"

    @property
    def entries(self) -> list[Path]:
        """All that may lie in the folder; anything else is not ours to remove."""
        ours = ("pki", "etcd", "kubectl-cache", "kubeconfig", "state.json", "examples")
        patterns = (*ours, "etcd*.sock", "server.log*", ".state.json.*", ".kubeconfig.*", "server.lock")
        return [path for pattern in patterns for path in self.root.glob(pattern)]

    @property
    def kubectl_cache(self) -> Path:
        """What kubectl learned of the API; elsewhere it would go to the user's ~/.kube."""
        return self.root / "kubectl-cache"
