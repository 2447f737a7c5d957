"""A real Kubernetes control plane for one machine, without Docker: for newcomers, tests and benchmarks.

Needs nothing of the rest of the package. The Go sources of the server lie in `controlplane/`.
"""

from integration_hub.devcluster.build import Progress, Report, ensure_binary
from integration_hub.devcluster.cluster import (
    ControlPlane,
    ControlPlaneInfo,
    ControlPlaneStatus,
    kubectl_command,
)
from integration_hub.devcluster.errors import DevClusterError
from integration_hub.devcluster.paths import default_home
from integration_hub.devcluster.progress import ProgressPrinter

__all__ = [
    "ControlPlane",
    "ControlPlaneInfo",
    "ControlPlaneStatus",
    "DevClusterError",
    "Progress",
    "ProgressPrinter",
    "Report",
    "default_home",
    "ensure_binary",
    "kubectl_command",
]
