"""The catalog's 'kubernetes' before a real API server, which answers as the simulated one is written to."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Kubectl
from integration_hub.catalog.loader import read_object
from integration_hub.devcluster import ControlPlaneInfo
from support.certificates import Authority
from support.hub_command import HubTest
from support.instances import Object, instance, secret

pytestmark = pytest.mark.cluster

CATALOG = Path(__file__).parents[2] / "operator" / "integration_hub" / "catalog" / "definitions"
DEFINITION = read_object((CATALOG / "kubernetes.yaml").read_text(encoding="utf-8"))
Verdict = tuple[str, str | None]
Connect = Callable[..., list[Verdict]]


@pytest.fixture
def connect(control_plane: ControlPlaneInfo, namespace: str, tmp_path: Path) -> Connect:
    """`connect(method, secret, tests=[])`: reason and identity of each test of a connection to this run's cluster."""

    def run(method: str, credentials: Object, tests: list[str] | None = None) -> list[Verdict]:
        config = {
            "server": control_plane.server,
            "caCertificate": control_plane.ca_file.read_text(encoding="ascii"),
            "namespace": namespace,
        }
        whole = instance(
            "ns",
            "cluster",
            "kubernetes",
            config=config,
            auth={"method": method, "secretRef": {"name": "key"}},
            tests=[{"name": name} for name in tests or []],
        )
        text = yaml.safe_dump_all([DEFINITION, credentials, whole])
        ran = HubTest(tmp_path, None).run("--draft", "-f", "-", "-o", "json", stdin=text)
        assert ran.out, ran.err
        assert ran.data["tests"], ran.out
        return [(test["reason"], test.get("identity")) for test in ran.data["tests"]]

    return run


@pytest.fixture
def token(kubectl: Kubectl, namespace: str) -> str:
    """A token of a service account that may do nothing."""
    kubectl("create", "serviceaccount", "hub", "-n", namespace)
    return kubectl("create", "token", "hub", "-n", namespace).stdout.strip()


def pair(certificate: str, key: str) -> Object:
    return {**secret("ns", **{"tls.crt": certificate, "tls.key": key}), "type": "kubernetes.io/tls"}


def administrator(control_plane: ControlPlaneInfo) -> dict[str, Any]:
    user: dict[str, Any] = yaml.safe_load(control_plane.kubeconfig.read_text(encoding="utf-8"))["users"][0][
        "user"
    ]
    return {name: base64.b64decode(value).decode() for name, value in user.items()}


def test_a_service_account_is_known_by_name_and_needs_a_role_for_pods(
    connect: Connect, kubectl: Kubectl, namespace: str, token: str
) -> None:
    name = f"system:serviceaccount:{namespace}:hub"
    credentials = secret("ns", token=token)
    assert connect("token", credentials, ["pods"]) == [("Connected", name), ("PermissionDenied", None)]
    account = f"--serviceaccount={namespace}:hub"
    kubectl("create", "rolebinding", "hub", "--clusterrole=view", account, "-n", namespace)
    assert connect("token", credentials, ["pods"]) == [("Connected", name), ("Connected", None)]


def test_a_token_ends_with_its_service_account(
    connect: Connect, kubectl: Kubectl, namespace: str, token: str
) -> None:
    kubectl("delete", "serviceaccount", "hub", "-n", namespace)
    assert connect("token", secret("ns", token=token)) == [("CredentialsRejected", None)]


def test_a_token_that_no_cluster_has_issued_is_rejected(connect: Connect) -> None:
    assert connect("token", secret("ns", token="of-no-cluster")) == [("CredentialsRejected", None)]


def test_a_client_certificate_is_known_by_its_common_name(
    connect: Connect, control_plane: ControlPlaneInfo
) -> None:
    shown = administrator(control_plane)
    credentials = pair(shown["client-certificate-data"], shown["client-key-data"])
    ((reason, identity),) = connect("client-certificate", credentials)
    assert (reason, identity) == ("Connected", "admin")


def test_a_certificate_of_another_authority_is_rejected(connect: Connect) -> None:
    other = Authority("Another Authority").issue("hub", for_server=False)
    assert connect("client-certificate", pair(other.chain, other.key)) == [("CredentialsRejected", None)]
