"""The reconciler itself against a real API server, for what an operator as a whole hardly ever gets into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from conftest import ROOT, run_kubectl, service_account_kubeconfig
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, SECRETS, ApiError
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane
from integration_hub.reconcile.inputs import Timing
from integration_hub.shell.keys import Key
from integration_hub.wiring import Engine, build_engine
from support.instances import Api, account, condition, definition, instance, secret
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster


@pytest.fixture
async def engine(spare_cluster: ControlPlane) -> AsyncIterator[Engine]:
    """An engine that nothing drives but the test, where no operator is at work."""
    policy = EgressPolicy(allowed_cidrs=(ip_network("127.0.0.0/8"),))
    engine = build_engine(load(spare_cluster.up().kubeconfig), policy, Timing())
    yield engine
    await engine.close()


@pytest.fixture
def spare_namespace(spare_api: Api) -> Iterator[str]:
    """A namespace of the test's own, in the second control plane."""
    name = f"test-{uuid4().hex[:10]}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    spare_api.apply(namespace)
    yield name
    spare_api.delete(namespace)


async def look(engine: Engine) -> None:
    """Take in what the API server has now, as a list at the start does."""
    put = {
        DEFINITIONS: engine.store.put_definition,
        SECRETS: engine.store.put_secret,
        INSTANCES: engine.store.put_instance,
    }
    for resource, take in put.items():
        for raw in (await engine.kube.list_page(resource))[0]:
            take(raw)


async def test_a_mistake_of_the_operator_is_admitted_and_then_made_good(
    engine: Engine, spare_api: Api, spare_namespace: str, target: TargetServer
) -> None:
    api, namespace = spare_api, spare_namespace
    prod = instance(namespace, "prod", namespace)
    api.apply(definition(namespace, target), secret(namespace), prod)
    key = Key(INSTANCES.plural, namespace, "prod")
    await look(engine)
    await engine.reconciler.reconcile(key)
    assert condition(api.get(prod), "Ready")["status"] == "True"

    await engine.reconciler.admit_mistake(key)
    ready = condition(api.get(prod), "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "InternalError")
    assert "identity" not in api.get(prod)["status"], "what stood there before may no longer be true"
    version = api.get(prod)["metadata"]["resourceVersion"]
    await engine.reconciler.admit_mistake(key)
    assert api.get(prod)["metadata"]["resourceVersion"] == version, "the same mistake is written once"

    await engine.reconciler.reconcile(key)
    ready = condition(api.get(prod), "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Connected"), (
        "the next reconcile tells the truth again"
    )


async def test_a_verdict_is_never_written_over_an_object_that_changed(
    engine: Engine, spare_api: Api, spare_namespace: str, target: TargetServer
) -> None:
    api, namespace = spare_api, spare_namespace
    prod = instance(namespace, "prod", namespace)
    api.apply(definition(namespace, target), secret(namespace), prod)
    key = Key(INSTANCES.plural, namespace, "prod")
    await look(engine)
    # Deleted and created again under the same name, before the operator hears of it: another object.
    api.delete(prod)
    api.apply(prod)
    with pytest.raises(ApiError) as refused:
        await engine.reconciler.reconcile(key)
    assert refused.value.status == 409
    assert "status" not in api.get(prod)

    await look(engine)
    await engine.reconciler.reconcile(key)
    assert condition(api.get(prod), "Ready")["reason"] == "Connected"


async def test_a_status_that_somebody_else_wrote_is_put_right(
    engine: Engine, spare_api: Api, spare_namespace: str, target: TargetServer
) -> None:
    api, namespace = spare_api, spare_namespace
    prod = instance(namespace, "prod", namespace)
    api.apply(definition(namespace, target), secret(namespace, apiKey="wrong"), prod)
    key = Key(INSTANCES.plural, namespace, "prod")
    await look(engine)
    await engine.reconciler.reconcile(key)
    told = api.get(prod)["status"]["conditions"]
    lie = [
        item | {"status": "True", "reason": "Connected"} if item["type"] == "Ready" else item for item in told
    ]
    api.merge(prod, {"status": {"conditions": lie}}, sub="/status")

    await look(engine)
    await engine.reconciler.reconcile(key)
    ready = condition(api.get(prod), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "CredentialsRejected")


async def test_a_refused_write_is_made_good_without_another_test(
    spare_cluster: ControlPlane, spare_api: Api, spare_namespace: str, target: TargetServer, tmp_path: Path
) -> None:
    api, namespace = spare_api, spare_namespace
    prod = instance(namespace, "prod", namespace)
    rights = list(yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()))
    role = next(one for one in rights if one["kind"] == "ClusterRole")
    may_read_only = role | {"rules": [rule for rule in role["rules"] if "patch" not in rule["verbs"]]}
    run_kubectl(spare_cluster, "apply", "-f", "-", input=yaml.safe_dump_all([*rights, may_read_only]))
    kubeconfig = service_account_kubeconfig(spare_cluster, spare_cluster.up(), tmp_path / "kubeconfig")
    policy = EgressPolicy(allowed_cidrs=(ip_network("127.0.0.0/8"),))
    engine = build_engine(load(kubeconfig), policy, Timing())

    def give(rights: dict[str, Any], *, may_write: str) -> None:
        run_kubectl(spare_cluster, "apply", "-f", "-", input=yaml.safe_dump(rights))
        what = ("patch", "integrationinstances.integrationhub.dev", "--subresource=status", "-n", namespace)
        whom = "--as=system:serviceaccount:integration-hub:integration-hub"
        wait_until(
            lambda: run_kubectl(spare_cluster, "auth", "can-i", *what, whom, check=False).stdout,
            lambda answer: answer.strip() == may_write,
            "the right",
        )

    try:
        api.apply(definition(namespace, target), secret(namespace, apiKey="wrong"), prod)
        await look(engine)
        key = Key(INSTANCES.plural, namespace, "prod")
        for _ in range(3):
            with pytest.raises(ApiError) as refused:
                await engine.reconciler.reconcile(key)
            assert refused.value.status == 403

        give(role, may_write="yes")
        done = await engine.reconciler.reconcile(key)
        assert condition(api.get(prod), "Ready")["reason"] == "CredentialsRejected"
        assert done.announcement is not None, "the Event that the refused writes would have led to"
        assert target.count(account(namespace, "prod")) == 1, "a rejected credential is shown to nobody twice"

        give(may_read_only, may_write="no")
        api.merge(prod, {"metadata": {"annotations": {"integrationhub.dev/request": "again"}}})
        await look(engine)
        with pytest.raises(ApiError):
            await engine.reconciler.reconcile(key)
        give(role, may_write="yes")
        done = await engine.reconciler.reconcile(key)
        assert api.get(prod)["status"]["lastHandledRequest"] == "again"
        assert done.announcement is None, "nothing that is news to anybody"
    finally:
        await engine.close()
