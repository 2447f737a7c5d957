"""`hub check` and `hub version` as a user runs them: an administrator, somebody without rights, nobody at home."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import Kubectl
from integration_hub import __version__
from integration_hub.devcluster import ControlPlaneInfo
from support.gateway import Asked, Gateway
from support.hub_command import Hub, user_kubeconfig
from support.instances import Api, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster


@pytest.fixture
def nobody(
    control_plane: ControlPlaneInfo, crds_installed: None, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> Hub:
    """The command of somebody who may do nothing."""
    kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = kubectl("create", "token", "nobody", "-n", namespace).stdout.strip()
    file = user_kubeconfig(
        tmp_path / "nobody",
        server=control_plane.server, ca_file=control_plane.ca_file, namespace=namespace, token=token,
    )  # fmt: skip
    return Hub(tmp_path, file, token)


def results(out: str) -> dict[str, str]:
    """Return the word of each finding."""
    return dict(re.findall(r"(?m)^(\w.*): (ok|failed|unknown)$", out))


def test_all_is_well_where_the_operator_runs(  # noqa: PLR0917 - fixtures
    hub: Hub, api: Api, kubectl: Kubectl, operator: OperatorProcess, namespace: str, target: TargetServer
) -> None:
    for name in kubectl(
        "get", "ns", "-o", "name"
    ).stdout.split():  # instances of other tests are not judged here
        if name.startswith("namespace/test-") and not name.endswith(namespace):
            kubectl("delete", "iinst", "--all", "-n", name.removeprefix("namespace/"))
    api.apply(definition(namespace, target), secret(namespace))
    (applied,) = api.apply(instance(namespace, "billing", namespace))
    api.wait_for_verdict(applied, "True", "Connected")
    ran = hub.run("check")
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert results(ran.out) == dict.fromkeys(
        [
            "API server",
            "CRD IntegrationDefinition",
            "CRD IntegrationInstance",
            "Your right to look",
            "Your right to connect",
            "Your right to test",
            "Operator",
            "Operator's rights",
            "Keyring",
        ],
        "ok",
    )
    data = hub.run("check", "-o", "json").data
    assert {finding["result"] for finding in data["items"]} == {"ok"}


def test_who_may_nothing_learns_what_to_ask_for_and_what_cannot_be_told(nobody: Hub, namespace: str) -> None:
    ran = nobody.run("check")
    assert ran.code == 1
    found = results(ran.out)
    assert found["API server"] == "ok"
    assert found["CRD IntegrationInstance"] == "unknown"
    assert found["Your right to look"] == "failed"
    assert found["Your right to test"] == "unknown"
    assert found["Operator"] == "unknown"
    assert found["Keyring"] == "unknown"
    assert f"In namespace '{namespace}' you may not list instances, read definitions, read Events." in ran.out
    words = " ".join(ran.out.split())
    assert (
        f"Ask for a Role and a RoleBinding in namespace '{namespace}' to list instances and to read Events"
        in words
    )
    assert "and for a ClusterRole and a ClusterRoleBinding to read definitions." in words
    assert "you can look, not change" not in words


def test_before_the_installation_only_that_it_can_be_done_is_asked(hub: Hub, nobody: Hub) -> None:
    may, may_not = hub.run("check", "--pre"), nobody.run("check", "--pre")
    assert (may.code, results(may.out)) == (0, {"API server": "ok", "Your right to install": "ok"})
    assert may_not.code == 1
    assert "You may not create CRDs, create namespaces, create ClusterRoles, bind them." in may_not.out


def test_an_operator_under_another_account_is_asked_for(hub: Hub) -> None:
    ran = hub.run("check", "--service-account", "other")
    assert results(ran.out)["Operator's rights"] == "unknown"
    assert "There is no service account integration-hub/other" in ran.out


def test_a_cluster_that_is_not_there_is_no_failed_check(
    hub: Hub, control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    gone = user_kubeconfig(
        tmp_path / "gone", server="https://127.0.0.1:1", ca_file=control_plane.ca_file, token="x"
    )
    ran = hub.run("check", "--kubeconfig", str(gone))
    assert (ran.code, ran.out) == (3, "")
    assert "cannot be reached" in ran.err


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(
    ("path", "asked_for"),
    [
        (
            "/secrets/integration-hub-keyring",
            "Secret 'integration-hub-keyring' in namespace 'integration-hub'",
        ),
        ("/api/v1/pods", "the list of Pods"),
        ("/integrationinstances", "the list of instances"),
    ],
)
def test_an_api_server_that_fails_is_no_right_that_is_missing(  # noqa: PLR0917 - fixtures
    control_plane: ControlPlaneInfo,
    hub: Hub,
    namespace: str,
    tmp_path: Path,
    path: str,
    asked_for: str,
    status: int,
) -> None:
    def fails(asked: Asked) -> int | None:
        return status if asked.path.endswith(path) else None

    with Gateway(control_plane, tmp_path, namespace, fails) as gateway:
        ran = hub.run("check", "--kubeconfig", str(gateway.kubeconfig))
    assert ran.code == 3
    assert "You may not" not in ran.out
    assert asked_for in ran.err
    assert "the gateway is broken" in ran.err


def test_where_all_instances_may_not_be_listed_a_failure_for_those_of_the_namespace_is_one(
    control_plane: ControlPlaneInfo, hub: Hub, namespace: str, tmp_path: Path
) -> None:
    def fails(asked: Asked) -> int | None:
        if not asked.path.endswith("/integrationinstances"):
            return None
        return 500 if "/namespaces/" in asked.path else 403

    with Gateway(control_plane, tmp_path, namespace, fails) as gateway:
        ran = hub.run("check", "--kubeconfig", str(gateway.kubeconfig))
    assert (ran.code, "You may not" in ran.out) == (3, False)


def test_versions_are_printed_and_the_clients_without_a_cluster(
    hub: Hub, control_plane: ControlPlaneInfo, tmp_path: Path
) -> None:
    alone = Hub(tmp_path, None)
    assert alone.run("version", "--client").out == f"hub: {__version__}\nAPI: integrationhub.dev/v1alpha1\n"
    data = hub.run("version", "-o", "json").data
    assert data["client"] == __version__
    assert re.match(r"v1\.\d+", data["server"])
    for words in ((), ("--context", "nowhere")):
        nowhere = alone.run("version", *words)
        assert nowhere.code == (2 if words else 3)
        assert nowhere.out == f"hub: {__version__}\nAPI: integrationhub.dev/v1alpha1\n"
        assert "There is no kubeconfig at" in nowhere.err
    as_data = alone.run("version", "-o", "json")
    assert (as_data.code, as_data.data["client"]) == (3, __version__)
    gone = user_kubeconfig(
        tmp_path / "gone", server="https://127.0.0.1:1", ca_file=control_plane.ca_file, token="x"
    )
    ran = alone.run("version", "--kubeconfig", str(gone))
    assert (ran.code, ran.out.splitlines()[0]) == (3, f"hub: {__version__}")
