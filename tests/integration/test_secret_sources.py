"""Secrets as other controllers write them: whoever made one, what counts is what is in it."""

from __future__ import annotations

from typing import Any

import pytest

from support.instances import Api, account, condition, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

METADATA: dict[str, dict[str, Any]] = {
    # As each writes it, less the owner, which must exist for the garbage collector to leave the Secret alone.
    "external-secrets": {
        "labels": {
            "reconcile.external-secrets.io/created-by": "d1b8b7f5e0a4a5d0c3",
            "reconcile.external-secrets.io/managed": "true",
        },
        "annotations": {"reconcile.external-secrets.io/data-hash": "0123456789abcdef"},
    },
    "sealed-secrets": {"annotations": {"sealedsecrets.bitnami.com/managed": "true"}},
    "sops": {
        "labels": {
            "kustomize.toolkit.fluxcd.io/name": "apps",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        },
        "annotations": {"kustomize.toolkit.fluxcd.io/prune": "enabled"},
    },
}
FLAGS = {"external-secrets": {"immutable": False}, "sealed-secrets": {}, "sops": {"immutable": True}}


@pytest.mark.parametrize("source", METADATA)
def test_a_secret_of_another_controller_works(
    source: str, api: Api, operator: OperatorProcess, target: TargetServer
) -> None:
    namespace = f"from-{source}"
    made = secret(namespace) | FLAGS[source]
    made["metadata"] |= METADATA[source]
    prod = instance(namespace, "prod", namespace)
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        definition(namespace, target),
        made,
        prod,
    )
    first = api.wait_for_verdict(prod, "True", "Connected")

    # It is written again, which is all that a controller's refresh is: Ready does not move meanwhile.
    made["metadata"].setdefault("annotations", {})["refreshed"] = "again"
    api.apply(made)
    version = api.get(made)["metadata"]["resourceVersion"]
    shown = wait_until(
        lambda: api.get(prod),
        lambda now: now["status"]["tested"]["secretResourceVersion"] == version,
        "the refresh is seen",
    )
    assert condition(shown)["status"] == "True"
    assert condition(shown)["lastTransitionTime"] == condition(first)["lastTransitionTime"]

    # It is replaced, as a controller does that deletes and creates: the connection is back as soon as it is.
    api.delete(made)
    api.wait_for_verdict(prod, "False", "SecretNotFound")
    api.apply(made)
    api.wait_for_verdict(prod, "True", "Connected")
    assert target.count(account(namespace, "prod")) == 3
