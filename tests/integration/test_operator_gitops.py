"""The operator is a good neighbour of GitOps tools: it writes status, once for each change, and nothing else, ever.

What was written is read from the API server's own memory: a watch from before the first manifest on tells every
version of every object, so that a write which is taken back at once is found too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from conftest import Kubectl
from support.instances import (
    DEFINITIONS_PATH,
    MANAGER,
    Api,
    Object,
    Version,
    account,
    condition,
    definition,
    instance,
    secret,
    verdict,
)
from support.operator_process import OperatorProcess
from support.target_server import Answer, TargetServer
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

SERVERS_OWN = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
"""Metadata that the API server itself keeps."""


def users_part(obj: Object) -> Object:
    """Everything of an object that is its user's: what a GitOps tool compares with Git."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in SERVERS_OWN}
    return {**obj, "metadata": metadata, "status": None}


def status_writes(versions: list[Version]) -> list[Object]:
    """Return the versions that came to be by a write of status; fail where anything else came along with one."""
    written = []
    for before, after in pairwise(versions):
        if before.obj.get("status") != after.obj.get("status"):
            assert users_part(before.obj) == users_part(after.obj)
            assert before.obj["metadata"]["generation"] == after.obj["metadata"]["generation"]
            written.append(after.obj)
    return written


def status_patches_of_the_server(kubectl: Kubectl) -> int:
    """Return how many patches of an instance's status the API server has taken, those without effect included."""
    lines = kubectl("get", "--raw", "/metrics").stdout.splitlines()
    wanted = ('resource="integrationinstances"', 'subresource="status"', 'verb="PATCH"')
    counters = [line for line in lines if line.startswith("apiserver_request_total{")]
    return sum(
        int(float(line.rsplit(" ", 1)[1])) for line in counters if all(word in line for word in wanted)
    )


def test_each_change_costs_one_status_write_and_no_other(
    api: Api, kubectl: Kubectl, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme, key, prod = definition(namespace, target), secret(namespace), instance(namespace, "prod", namespace)
    acme["metadata"]["labels"] = {"app.kubernetes.io/part-of": "hub"}
    prod["metadata"] |= {
        "annotations": {"example.org/team": "payments", "argocd.argoproj.io/tracking-id": "hub:x/y:z"},
        "labels": {"app.kubernetes.io/part-of": "hub"},
    }
    broken = instance(namespace, "broken", namespace, config={"account": "NO"})
    # Nothing that this one depends on changes.
    steady = definition(f"{namespace}-steady", target), secret(namespace, "steady")
    faulty = instance(namespace, "faulty", f"{namespace}-steady", secret="steady")
    target.script(account(namespace, "faulty"), Answer(500))
    # The server counts for all namespaces, and in one that is being deleted Secrets may go before instances.
    wait_until(
        lambda: _other_namespaces(api, namespace), lambda others: not others, "only this test is running"
    )
    operator.wait_until_idle()
    patches_before = status_patches_of_the_server(kubectl)
    since, definitions_since = (
        api.now(namespace),
        api.collection(DEFINITIONS_PATH)["metadata"]["resourceVersion"],
    )

    acme_now, key_now, *_ = api.apply(acme, key, *steady)
    for described in (acme, steady[0]):
        api.wait_for_verdict(described, "True", "Valid")
    applied = [prod, broken, faulty]
    api.apply(*applied)
    api.wait_for_all(
        namespace,
        {
            "prod": ("True", "Connected"),
            "broken": ("False", "ConfigInvalid"),
            "faulty": ("False", "ServerError"),
        },
    )
    changes: tuple[tuple[str, Object, tuple[str, str]], ...] = (
        ("config", _with(prod, config={"account": account(namespace, "two")}), ("True", "Connected")),
        ("nothing", _with(prod, config={"account": account(namespace, "two")}), ("True", "Connected")),
        ("bad key", secret(namespace, apiKey="wrong"), ("False", "CredentialsRejected")),
        ("good key", key, ("True", "Connected")),
        ("definition", _with(acme, description="Another."), ("True", "Connected")),
        ("suspend", _with(prod, suspend=True), ("Unknown", "Suspended")),
        ("resume", prod, ("True", "Connected")),
    )
    current = {"IntegrationDefinition": acme_now, "Secret": key_now, "IntegrationInstance": {}}
    for what, obj, expected in changes:
        (current[obj["kind"]],) = api.apply(obj)
        wait_until(lambda: api.get(prod), lambda seen: _is_about(seen, current), what)
        assert verdict(api.get(prod)) == expected, what
    # A fault that stays is asked about again and again; it is no news, so it is told once.
    wait_until(lambda: target.count(account(namespace, "faulty")), lambda count: count >= 2, "the second try")
    operator.wait_until_idle()

    writes = {name: status_writes(versions) for name, versions in api.writes(namespace, since).items()}
    assert len(writes["prod"]) == 7, "one at first, one for each change, none for 'nothing'"
    assert len(writes["broken"]) == 1, "another Secret, another description: its verdict is the same"
    assert len(writes["faulty"]) == 1, "tested again and again, with the same result"
    definition_since_then = [
        v for v in api.history(DEFINITIONS_PATH, definitions_since) if _name(v) == namespace
    ]
    assert len(status_writes(definition_since_then)) == 2, "one for each generation"
    # Neither in vain: every patch that the API server took has made a version.
    assert status_patches_of_the_server(kubectl) - patches_before == sum(map(len, writes.values()))

    # Everything that a user applied is as it was applied, and no field but status is ours.
    for obj in (prod, broken, faulty, _with(acme, description="Another."), key):
        now = api.get(obj)
        assert users_part(now) == users_part(obj) | ({"type": "Opaque"} if obj["kind"] == "Secret" else {})
        assert managers(now) == (
            {MANAGER} if obj["kind"] == "Secret" else {MANAGER, "status of integration-hub"}
        )

    # Events tell what the condition told, in the same words, once for each change of it.
    expected_events = {
        "prod": ["Connected", "CredentialsRejected", "Connected", "Suspended", "Connected"],
        "broken": ["ConfigInvalid"],
        "faulty": ["ServerError"],
    }
    wait_until(lambda: reasons_told(api, namespace), lambda told: told == expected_events, "the Events")
    told = {(event["regarding"]["name"], event["reason"]): event for event in api.events(namespace)}
    for name, reason in (("broken", "ConfigInvalid"), ("faulty", "ServerError")):
        assert told[name, reason]["note"] == condition(api.instances(namespace)[name])["message"]
        assert told[name, reason]["type"] == "Warning"
    assert told["prod", "Connected"]["type"] == "Normal"
    api.delete(*applied, acme, steady[0])


def _other_namespaces(api: Api, own: str) -> list[str]:
    names = [item["metadata"]["name"] for item in api.collection("/api/v1/namespaces")["items"]]
    return [name for name in names if name.startswith("test-") and name != own]


def _with(obj: Object, **spec: Any) -> Object:
    return obj | {"spec": obj["spec"] | spec}


def _name(version: Version) -> str:
    name: str = version.obj["metadata"]["name"]
    return name


def _is_about(shown: Object, current: dict[str, Object]) -> bool:
    """Tell whether a status is about the objects of now, or is held."""
    status, generation = shown["status"], shown["metadata"]["generation"]
    if shown["spec"].get("suspend"):
        return bool(status["observedGeneration"] == generation)
    acme, key = current["IntegrationDefinition"]["metadata"], current["Secret"]["metadata"]
    return bool(
        status["tested"]
        == {
            "generation": generation,
            "definitionGeneration": acme["generation"],
            "definitionUID": acme["uid"],
            "secretResourceVersion": key["resourceVersion"],
        }
    )


def managers(obj: Object) -> set[str]:
    """Return who owns fields of an object; who owns nothing but status is said to be 'status of ...'."""
    return {
        f"status of {entry['manager']}"
        if entry.get("subresource") == "status" and set(entry["fieldsV1"]) == {"f:status"}
        else entry["manager"]
        for entry in obj["metadata"]["managedFields"]
    }


def reasons_told(api: Api, namespace: str) -> dict[str, list[str]]:
    """Return the reasons of all Events by instance, the oldest first."""
    told: dict[str, list[str]] = {}
    for event in sorted(api.events(namespace), key=lambda event: str(event["eventTime"])):
        told.setdefault(event["regarding"]["name"], []).append(event["reason"])
    return told


def test_an_object_that_others_keep_from_being_deleted_is_left_alone(
    api: Api, namespace: str, operator: OperatorProcess, target: TargetServer
) -> None:
    acme, prod = definition(namespace, target), instance(namespace, "prod", namespace)
    prod["metadata"]["finalizers"] = ["example.org/keep"]
    api.apply(acme, secret(namespace), prod)
    api.wait_for_verdict(prod, "True", "Connected")
    operator.wait_until_idle()
    api.delete(prod)
    ending = api.get(prod)
    assert ending["metadata"]["finalizers"] == ["example.org/keep"]
    # Neither its own change nor that of what it depends on leads to a request or a write now.
    tests = target.count(account(namespace, "prod"))
    reconciled = operator.reconciles()
    api.apply(secret(namespace, apiKey="wrong"))
    wait_until(operator.reconciles, lambda count: count > reconciled, "somebody looked at it again")
    operator.wait_until_idle()
    assert target.count(account(namespace, "prod")) == tests
    assert api.get(prod)["status"] == ending["status"]
    # Whoever kept it lets go: it leaves at once, and leaves our tables.
    api.merge(prod, {"metadata": {"finalizers": None}})
    assert not api.exists(prod)
    known = ("hub_connection_ready", namespace, "prod", namespace)
    wait_until(operator.metrics, lambda seen: known not in seen, "the deleted instance has left the metrics")
    api.delete(acme)
