"""Fixtures that every test may use: one real control plane for the whole run, kubectl, a fresh namespace."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo, ProgressPrinter
from support.operator_process import OperatorProcess

ROOT = Path(__file__).resolve().parent.parent

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this run's own; what it took to build is cached for all runs."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    with ProgressPrinter() as progress:
        plane.up(progress)
    yield plane
    plane.down(purge=True)


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlaneInfo:
    """Where this run's control plane is reached."""
    return cluster.up()


def run_kubectl(
    cluster: ControlPlane, *args: str | Path, input: str | None = None, check: bool = True  # noqa: A002 - subprocess' own word
) -> subprocess.CompletedProcess[str]:
    """Run the embedded kubectl; on failure its words stand in the assertion's message."""
    done = subprocess.run(
        [*cluster.kubectl_command(), *map(str, args)], input=input, capture_output=True, text=True, check=False, timeout=120
    )
    if check and done.returncode != 0:
        pytest.fail(f"kubectl {' '.join(map(str, args))} exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@pytest.fixture(scope="session")
def crds_installed(cluster: ControlPlane) -> None:
    """Our CRDs, established and known to kubectl."""
    run_kubectl(cluster, "apply", "--server-side", "-f", ROOT / "crds")
    run_kubectl(cluster, "wait", "--for=condition=Established", "-f", ROOT / "crds", "--timeout=60s")
    for _ in range(50):
        if run_kubectl(cluster, "get", "iinst,idef", "-A", check=False).returncode == 0:
            return
    pytest.fail("the API server does not serve our kinds")


@pytest.fixture
def kubectl(cluster: ControlPlane) -> Kubectl:
    """`kubectl(*args, input=None, check=True)` against this run's control plane."""

    def run(*args: str | Path, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002
        return run_kubectl(cluster, *args, input=input, check=check)

    return run


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own; its deletion is asked for and not waited for."""
    name = f"test-{uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def operator(
    control_plane: ControlPlaneInfo, crds_installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """The operator as a process of its own, as users run it, for all tests that do not stop or restart it."""
    process = OperatorProcess(control_plane.kubeconfig, tmp_path_factory.mktemp("operator") / "operator.log")
    process.start()
    yield process
    process.stop()
