"""Other people's Secrets cost the operator no memory: it asks for their names and versions, never for their data.

500 Secrets here, with a quarter of the bound for 2,000: to create 2,000 costs every run a quarter of a minute more.
HUB_TEST_SECRETS=2000 does it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Callable

import aiohttp
import pytest

from integration_hub.adapters.kube import new_session
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane
from support.instances import Api, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

SECRETS = int(os.environ.get("HUB_TEST_SECRETS", "500"))
SIZE = 100 * 1024
BOUND_MIB = 20 * SECRETS / 2000
"""20 MiB for 2,000 Secrets of 100 KiB, of which there are 195 MiB."""

NAMESPACE = "big-secrets"


async def create_secrets(cluster: ControlPlane) -> None:
    connection = load(cluster.home.kubeconfig)
    data = {"blob": base64.b64encode(os.urandom(SIZE)).decode()}
    waiting = iter(range(SECRETS))

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in waiting:
            body = {"metadata": {"name": f"unrelated-{number}"}, "data": data}
            url = f"{connection.server}/api/v1/namespaces/{NAMESPACE}/secrets"
            async with session.post(url, json=body) as response:
                assert response.status == 201, await response.text()

    async with new_session(connection) as session, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(worker(session))
    await asyncio.sleep(0.25)  # aiohttp returns before its TLS connections have said goodbye


def secrets_there(api: Api) -> int:
    """Return how many Secrets the cluster has; those of tests before this one may still be going."""
    metadata = api.collection("/api/v1/secrets?limit=1")["metadata"]
    return int(metadata.get("remainingItemCount", 0)) + 1


def test_unrelated_secrets_cost_no_memory(
    spare_cluster: ControlPlane,
    spare_api: Api,
    start_operator: Callable[..., OperatorProcess],
    target: TargetServer,
) -> None:
    api, acme = spare_api, definition(NAMESPACE, target)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    prod = instance(NAMESPACE, "prod", NAMESPACE)
    api.apply(namespace, acme, secret(NAMESPACE), prod)
    operator = start_operator()
    api.wait_for_verdict(prod, "True", "Connected")
    operator.wait_until_idle()
    before = operator.memory()

    # They come while it runs, and it hears of every one.
    asyncio.run(create_secrets(spare_cluster))
    wait_until(
        lambda: (operator.metrics()["hub_objects", "Secret"], secrets_there(api)),
        lambda counts: counts[0] == counts[1] > SECRETS,
        "all are known",
    )
    assert_grew_little(operator, before)
    operator.terminate()

    # They are there when it starts, which is when it lists them.
    operator = start_operator()
    operator.wait_until_idle()
    assert operator.metrics()["hub_objects", "Secret"] == secrets_there(api) > SECRETS
    assert_grew_little(operator, before)
    api.delete(prod, acme, namespace)
    # Their data is gone before the next test begins, as far as it matters to it: nobody lists them any more.
    wait_until(
        lambda: operator.metrics()["hub_objects", "Secret"],
        lambda count: count < SECRETS,
        "the Secrets are gone",
    )


def assert_grew_little(operator: OperatorProcess, before: tuple[float, float]) -> None:
    """Ask for what it holds and for the most that it ever held. Two that have just started need the same."""
    after = operator.memory()
    sys.stderr.write(f"{SECRETS} Secrets: (resident, peak) in MiB from {before} to {after}\n")
    assert after[0] - before[0] < BOUND_MIB
    assert after[1] - before[1] < BOUND_MIB
