"""deploy/rbac.yaml: enough (every test runs the operator with it), not more, and what is said where it is less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Kubectl, run_kubectl, service_account_kubeconfig
from integration_hub.devcluster import ControlPlane
from support.instances import Api, account, condition, definition, instance, kstatus, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster

RBAC = ROOT / "deploy" / "rbac.yaml"
ACCOUNT = "system:serviceaccount:integration-hub:integration-hub"


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("update", "integrationinstances"),
        ("update", "integrationinstances/status"),
        ("create", "integrationinstances"),
        ("delete", "integrationinstances"),
        ("patch", "integrationdefinitions"),
        ("patch", "secrets"),
        ("deletecollection", "secrets"),
        ("create", "namespaces"),
        ("get", "configmaps"),
        ("list", "pods"),
        ("list", "events"),
        ("create", "serviceaccounts/token"),
        ("escalate", "clusterroles"),
    ],
)
def test_the_operator_may_not(verb: str, resource: str, kubectl: Kubectl, operator: OperatorProcess) -> None:
    resource, _, sub = resource.partition("/")
    flags = ["--subresource", sub] if sub else []
    done = kubectl("auth", "can-i", verb, resource, "-A", "--as", ACCOUNT, *flags, check=False)
    assert done.stdout.strip() == "no", done.stderr


def test_a_secret_that_may_not_be_read_is_told_and_found_when_it_may(
    spare_cluster: ControlPlane,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
    tmp_path: Path,
) -> None:
    """The variant that deploy/rbac.yaml describes: Secrets of some namespaces only."""
    api, namespace = spare_api, "forbidden"
    documents = list(yaml.safe_load_all(RBAC.read_text()))
    role = next(document for document in documents if document["kind"] == "ClusterRole")
    rule = next(rule for rule in role["rules"] if rule["resources"] == ["secrets"])
    rule["verbs"] = ["list", "watch"]
    run_kubectl(spare_cluster, "apply", "-f", "-", input=yaml.safe_dump_all(documents))
    acme, prod = definition(namespace, target), instance(namespace, "prod", namespace)
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        acme,
        secret(namespace),
        prod,
    )
    kubeconfig = service_account_kubeconfig(spare_cluster, spare_cluster.up(), tmp_path / "kubeconfig")
    operator = start_operator(kubeconfig=kubeconfig)
    shown = api.wait_for_verdict(prod, "False", "SecretForbidden")
    assert "'key'" in condition(shown)["message"]
    assert kstatus(shown) == "Failed"
    assert target.count(account(namespace, "prod")) == 0

    reader = {"kind": "Role", "apiGroup": "rbac.authorization.k8s.io", "name": "read"}
    subject = {"kind": "ServiceAccount", "name": "integration-hub", "namespace": "integration-hub"}
    given = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "read", "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "read", "namespace": namespace},
            "roleRef": reader,
            "subjects": [subject],
        },
    ]
    run_kubectl(spare_cluster, "apply", "-f", "-", input=yaml.safe_dump_all(given))
    # No watch tells of a permission; a person who gave it asks for a test.
    api.merge(prod, {"metadata": {"annotations": {"integrationhub.dev/request": "now"}}})
    api.wait_for_verdict(prod, "True", "Connected")
    assert operator.get("/healthz")[0] == 200
    api.delete(prod, acme)
