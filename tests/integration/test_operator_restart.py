"""Stopping and starting the operator: it ends in time, forgets nothing, and does nothing twice."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.instances import Api, account, condition, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

NAMESPACE = "restart"
N = 40


def test_a_restart_does_what_was_missed_and_nothing_else(
    spare_api: Api, start_operator: Callable[..., OperatorProcess], target: TargetServer
) -> None:
    api, acme = spare_api, definition(NAMESPACE, target)
    unchanged = [instance(NAMESPACE, f"same-{number:02}", NAMESPACE) for number in range(N)]
    deleted, edited = instance(NAMESPACE, "deleted", NAMESPACE), instance(NAMESPACE, "edited", NAMESPACE)
    rotated = instance(NAMESPACE, "rotated", NAMESPACE, secret="other")
    broken = instance(NAMESPACE, "broken", NAMESPACE, config={"account": "NO"})
    first = [*unchanged, deleted, edited, rotated]
    api.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        acme, secret(NAMESPACE), secret(NAMESPACE, "other"), *first, broken,
    )  # fmt: skip
    operator = start_operator("--grace", "2s")
    connected = {obj["metadata"]["name"]: ("True", "Connected") for obj in first}
    api.wait_for_all(NAMESPACE, connected | {"broken": ("False", "ConfigInvalid")})
    assert operator.status_patches() == len(first) + 1
    assert operator.tests_made() == len(first)

    # Asked to stop while external systems keep three tests waiting for longer than the grace period.
    slow = [instance(NAMESPACE, f"slow-{number}", NAMESPACE) for number in range(3)]
    for obj in slow:
        target.script(account(NAMESPACE, obj["metadata"]["name"]), Answer(hold=True))
    api.apply(*slow)
    wait_until(lambda: target.total_for("restart-slow"), lambda count: count == 3, "the tests are under way")
    assert operator.terminate() == 0
    lines = [json.loads(line) for line in operator.log.read_text().splitlines()]
    assert lines[-1]["event"] == "operator stopped"
    assert not [line for line in lines if line["level"] in {"error", "critical"} or "exception" in line]
    assert "status" not in api.get(slow[0]), "of a test that was given up nothing is told"

    # While nobody looks: a Secret is rotated, an instance is deleted, one is edited, and one is new.
    new = instance(NAMESPACE, "new", NAMESPACE)
    api.delete(deleted)
    edited["spec"]["config"]["account"] = account(NAMESPACE, "moved")
    api.apply(secret(NAMESPACE, "other", apiKey="wrong"), edited, new)
    for obj in slow:
        target.script(account(NAMESPACE, obj["metadata"]["name"]), Answer())
    requests = target.total_for(NAMESPACE)

    operator = start_operator()
    missed = {"edited", "new", "slow-0", "slow-1", "slow-2"}
    found = api.wait_for_all(
        NAMESPACE,
        dict.fromkeys(missed, ("True", "Connected")) | {"rotated": ("False", "CredentialsRejected")},
    )
    assert found["edited"]["status"]["observedGeneration"] == 2
    operator.wait_until_idle()
    known = operator.metrics()
    assert known["hub_objects", "IntegrationInstance"] == len(found) == N + 7
    assert ("hub_connection_ready", NAMESPACE, "deleted", NAMESPACE) not in known
    assert operator.status_patches() == target.total_for(NAMESPACE) - requests == len(missed) + 1
    assert operator.terminate() == 0

    # Nothing has changed: everything is looked at, nothing is asked and nothing is written.
    versions = {name: obj["metadata"]["resourceVersion"] for name, obj in found.items()}
    requests = target.total_for(NAMESPACE)
    operator = start_operator()
    wait_until(operator.reconciles, lambda count: count >= len(found) + 1, "everything was looked at")
    operator.wait_until_idle()
    assert operator.status_patches() == 0
    assert operator.tests_made() == 0
    assert target.total_for(NAMESPACE) == requests
    now = {name: obj["metadata"]["resourceVersion"] for name, obj in api.instances(NAMESPACE).items()}
    assert now == versions
    # What falls due later is still planned: a change is heard, as ever.
    api.apply(secret(NAMESPACE, "other"))
    shown = api.wait_for_verdict(rotated, "True", "Connected")
    assert condition(shown)["observedGeneration"] == 1
    api.delete(*api.instances(NAMESPACE).values(), acme)
