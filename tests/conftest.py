"""Fixtures that every test may use: a control plane, kubectl, a fresh namespace, the operator, a system to reach."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo, ProgressPrinter
from support.hub_command import Hub, admin_kubeconfig
from support.instances import Api
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what asks the API server alone before the first test with an operator, which would answer too."""
    items.sort(key=lambda item: "operator" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of this run's own; what it took to build is cached for all runs."""
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"))
    with ProgressPrinter(sys.stderr) as progress:
        plane.up(progress)
    yield plane
    plane.down(purge=True)


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlaneInfo:
    """Where this run's control plane is reached."""
    return cluster.up()


def run_kubectl(
    cluster: ControlPlane,
    *args: str | Path,
    input: str | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run the embedded kubectl; on failure its words stand in the assertion's message."""
    done = subprocess.run(
        [*cluster.kubectl_command(), *map(str, args)],
        input=input,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if check and done.returncode != 0:
        pytest.fail(
            f"kubectl {' '.join(map(str, args))} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done


@pytest.fixture(scope="session")
def crds_installed(cluster: ControlPlane) -> None:
    """Our CRDs, established and known to kubectl; what it explains of them is published last."""
    run_kubectl(cluster, "apply", "--server-side", "-f", ROOT / "crds")
    run_kubectl(cluster, "wait", "--for=condition=Established", "-f", ROOT / "crds", "--timeout=60s")
    questions = (("get", "iinst,idef", "-A"), ("explain", "iinst.spec"), ("explain", "idef.spec"))
    for question in questions:
        wait_until(
            partial(run_kubectl, cluster, *question, check=False),
            lambda done: done.returncode == 0,
            f"kubectl {' '.join(question)}",
        )


@pytest.fixture
def kubectl(cluster: ControlPlane) -> Kubectl:
    """`kubectl(*args, input=None, check=True)` against this run's control plane."""

    def run(
        *args: str | Path, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return run_kubectl(cluster, *args, input=input, check=check)

    return run


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own; its deletion is asked for and not waited for."""
    name = f"test-{uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def hub(
    control_plane: ControlPlaneInfo,
    crds_installed: None,
    namespace: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Hub:
    """The command with an administrator's kubeconfig, whose namespace is the test's.

    Nothing that it writes may hold the CANARY of the test's module, where there is one.
    """
    file = admin_kubeconfig(tmp_path, control_plane, namespace)
    canary = getattr(request.module, "CANARY", None)
    return Hub(tmp_path, file, *([canary] if canary else []))


ONLY_EVENTS = ("--interval", "168h", "--relist", "168h")
"""Flags of an operator that hears of changes by its watches alone: what it finds, no timer has found."""

WIDE_BUDGET = ("--host-rate", "1000", "--host-concurrency", "200")
"""Flags for tests whose many instances share the one host of the target: none of them waits for its turn."""


@pytest.fixture(scope="session")
def operator(
    cluster: ControlPlane,
    control_plane: ControlPlaneInfo,
    crds_installed: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OperatorProcess]:
    """The operator as users run it, with the rights of deploy/rbac.yaml, for tests that do not stop it."""
    folder = tmp_path_factory.mktemp("operator")
    run_kubectl(cluster, "apply", "-f", ROOT / "deploy" / "rbac.yaml")
    kubeconfig = service_account_kubeconfig(cluster, control_plane, folder / "kubeconfig")
    flags = (*ONLY_EVENTS, *WIDE_BUDGET, "--log-level", "debug")
    process = OperatorProcess(kubeconfig, folder / "operator.log", *flags)
    process.start()
    yield process
    process.stop()


def service_account_kubeconfig(cluster: ControlPlane, info: ControlPlaneInfo, file: Path) -> Path:
    """Write a kubeconfig that is the service account of deploy/rbac.yaml and nobody else."""
    token = run_kubectl(
        cluster, "create", "token", "integration-hub", "-n", "integration-hub", "--duration=2h"
    ).stdout.strip()
    entry = {"certificate-authority": str(info.ca_file), "server": info.server}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": entry}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "operator"}}],
        "current-context": "test",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    return file


@pytest.fixture(scope="session")
def api(control_plane: ControlPlaneInfo, crds_installed: None) -> Api:
    """The hand that applies, reads and deletes in this run's control plane."""
    return Api(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def target() -> Iterator[TargetServer]:
    """The external system that tests connect to."""
    with TargetServer() as server:
        yield server


@pytest.fixture(scope="session")
def spare_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A second control plane, for tests with operators of their own: two on one would share its objects."""
    plane = ControlPlane(tmp_path_factory.mktemp("spare-control-plane"))
    plane.up()
    run_kubectl(plane, "apply", "--server-side", "-f", ROOT / "crds")
    run_kubectl(plane, "wait", "--for=condition=Established", "-f", ROOT / "crds", "--timeout=60s")
    yield plane
    plane.down(purge=True)


@pytest.fixture
def spare_api(spare_cluster: ControlPlane) -> Api:
    """The hand in the second control plane, which is up again if the test before this one has failed midway."""
    return Api(spare_cluster.up().kubeconfig)


@pytest.fixture
def start_operator(spare_cluster: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """`start_operator(*flags)` starts one in the second control plane; it is ended with the test, whatever happens."""
    started: list[OperatorProcess] = []

    def start(
        *flags: str, until_ready: bool = True, kubeconfig: Path | None = None, **options: Any
    ) -> OperatorProcess:
        log = tmp_path / f"operator-{len(started)}.log"
        process = OperatorProcess(
            kubeconfig or spare_cluster.home.kubeconfig, log, *ONLY_EVENTS, *WIDE_BUDGET, *flags, **options
        )
        started.append(process)
        process.start(until_ready=until_ready)
        return process

    yield start
    for process in started:
        process.stop()
