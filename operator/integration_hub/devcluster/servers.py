"""The two ways to run a control plane here: our own binary, or the programs in KUBEBUILDER_ASSETS.

Each is one command, started alike: it takes the flags of kube-apiserver, runs until SIGTERM with the
cluster's folder as its working directory, leads a process group of its own, and writes its number into the
inherited lock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster.build import Report, ensure_binary
from integration_hub.devcluster.errors import AssetsError

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
ETCD_SOCKET = "etcd.sock"

_REQUIRED_ASSETS = ("etcd", "kube-apiserver", "kubectl")
_CONTROLLER_MANAGER = "kube-controller-manager"

_SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """What to run as the server, and as kubectl."""

    serve: tuple[str, ...]
    kubectl: tuple[str, ...]
    controllers: bool = True
    note: str = ""
    """For the person who starts it."""


def choose_program(report: Report, environ: Mapping[str, str] = os.environ) -> ServerProgram:
    """Return the programs of KUBEBUILDER_ASSETS where that is set, else our own, built if need be."""
    assets = environ.get(ASSETS_VARIABLE)
    if assets:
        return assets_program(Path(assets).expanduser().absolute())
    binary = str(ensure_binary(report, environ))
    return ServerProgram((binary, "serve"), (binary, "kubectl"))


def assets_program(folder: Path) -> ServerProgram:
    """Return the programs in `folder`, or raise AssetsError naming those that it lacks."""
    missing = [name for name in _REQUIRED_ASSETS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise AssetsError(
            f"{ASSETS_VARIABLE} is {folder}, where there is no program named {' or '.join(missing)}.",
            f"Put {', '.join(_REQUIRED_ASSETS)} there, or unset it to have the control plane built.",
        )
    controllers = os.access(folder / _CONTROLLER_MANAGER, os.X_OK)
    note = ""
    if not controllers:
        note = (
            f"{folder} has no {_CONTROLLER_MANAGER}: deleted namespaces stay, nothing is garbage-collected, "
            "and service-account Secrets are not filled."
        )
    serve = (sys.executable, str(Path(__file__).with_name("supervisor.py")), "--assets", str(folder))
    return ServerProgram(serve, (str(folder / "kubectl"),), controllers, note)


def api_server_flags(port: int) -> list[str]:
    """Return the flags of kube-apiserver, one by one. Paths are relative to the cluster's folder."""
    flags = {
        "bind-address": "127.0.0.1",
        "secure-port": port,
        # There are no nodes to tell, and a loopback address may not stand in Endpoints.
        "advertise-address": "127.0.0.1",
        "endpoint-reconciler-type": "none",
        "etcd-servers": f"unix://{ETCD_SOCKET}",
        "tls-cert-file": "pki/server.crt",
        "tls-private-key-file": "pki/server.key",
        "client-ca-file": "pki/ca.crt",
        "authorization-mode": "RBAC",
        "anonymous-auth": "false",
        "service-account-issuer": _SERVICE_ACCOUNT_ISSUER,
        "service-account-key-file": "pki/sa.pub",
        "service-account-signing-key-file": "pki/sa.key",
        "service-cluster-ip-range": "10.0.0.0/24",
        "profiling": "false",
        # Without it a stop waits, up to a limit, for every client that watches something.
        "shutdown-watch-termination-grace-period": "1s",
    }
    return [f"--{name}={value}" for name, value in flags.items()]
