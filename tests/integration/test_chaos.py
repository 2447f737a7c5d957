"""The API server is killed, stays away, and forgets: the operator goes on, loses nothing and hammers nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import aiohttp
import pytest

from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlane
from integration_hub.runtime.operator import Operator, Options
from integration_hub.runtime.reflector import LONGEST_PAUSE_SECONDS
from support.instances import Api, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.ports import free_port
from support.target_server import TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

Start = Callable[..., OperatorProcess]

N = 200

MOST_REQUESTS = 1
"""Requests that one instance may cost when the API server dies while it is reconciled.

Just the one whose verdict could not be written: the verdict is kept, and holds while its inputs do.
"""

AWAY_SECONDS = 2 * LONGEST_PAUSE_SECONDS
"""So that it is asked for at least once more after the longest pause."""


def test_the_api_server_dies_in_the_middle_of_200_reconciles(
    spare_cluster: ControlPlane, spare_api: Api, start_operator: Start, target: TargetServer
) -> None:
    api, acme = spare_api, definition("chaos", target)
    names = [f"chaos-{number:03}" for number in range(N)]
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chaos"}},
        secret("chaos"), *(instance("chaos", name, "chaos") for name in names),
    )  # fmt: skip
    operator = start_operator()
    pid = operator.pid
    api.wait_for_all("chaos", dict.fromkeys(names, ("False", "DefinitionNotFound")))

    # The definition wakes all of them; a quarter has asked the external system when the API server is gone.
    api.apply(acme)
    wait_until(lambda: target.total_for("chaos-"), lambda count: count >= N // 4, "some tests are made")
    spare_cluster.kill()
    asked = target.total_for("chaos-")
    spare_cluster.up()
    api.wait_for_all("chaos", dict.fromkeys(names, ("True", "Connected")))
    operator.wait_until_idle()
    assert asked < N, "it died too late to be in the middle"
    assert_goes_on(operator, pid)
    counts = [target.count(account("chaos", name)) for name in names]
    assert min(counts) >= 1
    assert max(counts) <= MOST_REQUESTS

    # Away for longer, with nothing to do: nobody is asked anything, and an operator that starts meanwhile waits.
    spare_cluster.kill()
    gone = time.monotonic()
    other = start_operator(until_ready=False)
    assert other.get("/readyz")[0] == 503
    assert other.get("/healthz")[0] == 200, "a restart would not help"
    assert other.terminate() == 0, "it can be stopped while it waits"
    time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - gone)))
    assert_goes_on(operator, pid)
    spare_cluster.up()
    # It listens again, to each of the three kinds, without a relist by the clock.
    api.apply(secret("chaos", apiKey="wrong"))
    api.wait_for_all("chaos", dict.fromkeys(names, ("False", "CredentialsRejected")))
    acme["spec"]["tests"][0]["expect"] = {"status": [401]}
    acme["spec"]["tests"][0].pop("identity")
    api.apply(acme)
    api.wait_for_all("chaos", dict.fromkeys(names, ("True", "Connected")))
    api.apply(instance("chaos", names[0], "chaos", suspend=True))
    api.wait_for_verdict(instance("chaos", names[0], "chaos"), "Unknown", "Suspended")
    operator.wait_until_idle()
    assert_goes_on(operator, pid)
    assert target.total_for("chaos-") == sum(counts) + 2 * N
    for name in names:
        api.delete(instance("chaos", name, "chaos"))
    api.delete(acme)


def assert_goes_on(operator: OperatorProcess, pid: int) -> None:
    assert operator.pid == pid
    assert operator.get("/healthz") == (200, "ok")
    assert operator.get("/readyz") == (200, "ok")


def test_what_no_watch_can_tell_any_more_is_found_by_a_list(
    spare_cluster: ControlPlane, spare_api: Api, start_operator: Start, target: TargetServer
) -> None:
    """The operator is frozen while objects are deleted, and the API server forgets that they ever were.

    It is started anew twice: before, so that no connection is left on which the news could wait for the operator to
    thaw; and after, since what it can tell to a watch it keeps in memory only.
    """
    api, acme = spare_api, definition("lost", target)
    deleted, edited, orphan = (instance("lost", name, "lost") for name in ("deleted", "edited", "orphan"))
    orphan["spec"]["auth"]["secretRef"]["name"] = "other"
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lost"}},
        acme, secret("lost"), secret("lost", "other"), deleted, edited, orphan,
    )  # fmt: skip
    operator = start_operator()
    api.wait_for_all("lost", dict.fromkeys(("deleted", "edited", "orphan"), ("True", "Connected")))
    os.kill(operator.pid, signal.SIGSTOP)
    try:
        spare_cluster.kill()
        spare_cluster.up()
        api.delete(deleted, secret("lost", "other"))
        edited["spec"]["config"]["account"] = account("lost", "moved")
        api.apply(edited)
        spare_cluster.kill()
        spare_cluster.up()
    finally:
        os.kill(operator.pid, signal.SIGCONT)
    api.wait_for_all("lost", {"orphan": ("False", "SecretNotFound")})
    moved = f"{account('lost', 'moved')}@acme.example"
    wait_until(
        lambda: api.get(edited)["status"].get("identity"),
        lambda identity: identity == moved,
        "the edit is seen",
    )
    gone = ("hub_connection_ready", "lost", "deleted", "lost")
    seen = wait_until(
        operator.metrics, lambda seen: gone not in seen, "the deleted instance has left the metrics"
    )
    assert seen["hub_relist_repairs_total", "IntegrationInstance"] >= 1
    assert seen["hub_relist_repairs_total", "Secret"] >= 1
    api.delete(edited, orphan, acme)


@pytest.mark.parametrize("resource", ["integrationinstances", "integrationdefinitions", "secrets"])
async def test_an_operator_that_hears_nothing_any_more_says_that_it_must_be_restarted(
    resource: str, spare_cluster: ControlPlane, spare_api: Api
) -> None:
    port = free_port()
    operator = Operator(Options(load(spare_cluster.home.kubeconfig), listen=("127.0.0.1", port), workers=2))
    await operator.start()
    try:
        async with aiohttp.ClientSession() as session:
            assert await healthz(session, port) == (200, "ok")
            (watch,) = [
                task for task in asyncio.all_tasks() if task.get_name() == f"hub-reflector-{resource}"
            ]
            watch.cancel()
            await asyncio.wait([watch])
            status, text = await healthz(session, port)
            assert status == 503
            assert resource in text
    finally:
        await operator.stop()
        await asyncio.sleep(0.25)  # aiohttp returns before its TLS connections have said goodbye


async def healthz(session: aiohttp.ClientSession, port: int) -> tuple[int, str]:
    async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
        return response.status, await response.text()
