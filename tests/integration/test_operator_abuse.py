"""What one user does must not be felt by another: manifests made to break readers, systems that never answer."""

from __future__ import annotations

import json
import time

import pytest

from conftest import Kubectl
from integration_hub.model.base import API_VERSION
from support.instances import Api, account, definition, instance, secret
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("levels", [300, 1100, 5000])
def test_a_configuration_that_nests_without_end_is_refused_and_hurts_nobody_else(  # noqa: PLR0917
    levels: int, api: Api, kubectl: Kubectl, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    api.apply(definition(namespace, target), secret(namespace))
    deep = instance(namespace, "deep", namespace, config="CONFIG")
    config = '{"account":' + '{"a":' * levels + "1" + "}" * levels + "}"
    # As text, since Python's own reader and writer end at a thousand levels.
    text = json.dumps(deep).replace('"CONFIG"', config)
    api.call("POST", f"/apis/{API_VERSION}/namespaces/{namespace}/integrationinstances", text.encode())
    other = instance(namespace, "other", namespace)
    api.apply(other)

    api.wait_for_verdict(other, "True", "Connected")
    message = "{.status.conditions[?(@.type=='Ready')].message}"
    show = ("get", "iinst", "deep", "-n", namespace, "-o", f"jsonpath={message}")
    wait_until(
        lambda: kubectl(*show).stdout, lambda text: "spec.config.account: must be text" in text, "the refusal"
    )
    assert operator.get("/healthz")[0] == 200


def test_systems_that_never_answer_hold_up_no_change_of_anybody(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    api.apply(definition(namespace, target), secret(namespace))
    hanging = [instance(namespace, f"hangs-{number}", namespace) for number in range(200)]
    for obj in hanging:
        target.script(account(namespace, obj["metadata"]["name"]), Answer(hold=True))
        obj["spec"]["config"]["server"] = target.hosts[3]
    api.apply(*hanging)

    started = time.monotonic()
    other = instance(namespace, "other", namespace)
    api.apply(other)
    api.wait_for_verdict(other, "True", "Connected")
    # Its own test under way is not waited for either: it is about a configuration that is no more.
    moved = hanging[-1]
    moved["spec"]["config"] = {"account": account(namespace, "moved")}
    api.apply(moved)
    api.wait_for_verdict(moved, "True", "Connected")
    asleep = hanging[-2]
    asleep["spec"]["suspend"] = True
    api.apply(asleep)
    api.wait_for_verdict(asleep, "Unknown", "Suspended")
    assert time.monotonic() - started < 8, "less than a single one of the tests that hang"
    api.delete(*hanging)
