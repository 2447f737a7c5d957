"""What `hub check` makes of what it was told: a failure is certain, and what cannot be told is none."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration_hub.cli.check_findings import (
    FAILED,
    LATE,
    OK,
    UNKNOWN,
    crd_finding,
    operator_finding,
    rights_finding,
    roles_to_ask_for,
    version_finding,
)
from integration_hub.model.crds import custom_resource_definitions
from integration_hub.reconcile.times import timestamp

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CRD = custom_resource_definitions()[0]


def instance(
    *, changed: timedelta, wrote: timedelta | None = None, due: timedelta | None = None, **spec: Any
) -> Any:
    """An instance that a person has changed that long ago, and the operator has written to."""
    fields = [{"manager": "a-user", "time": timestamp(NOW - changed)}]
    status: dict[str, Any] = {}
    if wrote is not None:
        fields.append({"manager": "integration-hub", "subresource": "status", "time": timestamp(NOW - wrote)})
        status["observedGeneration"] = 1
    if due is not None:
        status["nextTestTime"] = timestamp(NOW + due)
    metadata = {"name": "x", "namespace": "shop", "generation": 1, "managedFields": fields}
    return {"metadata": metadata, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("version", "result"),
    [("v1.36.3", OK), ("v1.31.0-eks-a1", OK), ("v1.30.9", FAILED), ("v2.0.0", OK), ("unusual", UNKNOWN)],
)
def test_a_cluster_is_as_new_as_the_crds_need(version: str, result: str) -> None:
    assert version_finding(version, "https://x").result == result


def installed(**status: Any) -> dict[str, Any]:
    return {
        **copy.deepcopy(CRD),
        "status": {"conditions": [{"type": "Established", "status": "True"}]} | status,
    }


def test_a_crd_is_there_or_missing_or_not_served_or_of_another_version() -> None:
    other = installed()
    other["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].popitem()
    assert crd_finding("X", installed(), CRD).result == OK
    for found, words in (
        (None, "not installed"),
        (installed(conditions=[]), "does not serve it"),
        (other, "another"),
    ):
        finding = crd_finding("X", found, CRD)
        assert finding.result == FAILED
        assert words in finding.says
        assert finding.todo


@pytest.mark.parametrize(
    ("instances", "result"),
    [
        ([], UNKNOWN),
        ([instance(changed=timedelta(days=1), wrote=timedelta(hours=1), due=timedelta(minutes=3))], OK),
        # It has been due for a while, and was not made.
        ([instance(changed=timedelta(days=1), wrote=timedelta(hours=1), due=-LATE * 2)], FAILED),
        ([instance(changed=timedelta(days=1), wrote=timedelta(hours=1), due=-LATE * 2, suspend=True)], OK),
        # Nobody has looked at it: for long, or not yet.
        ([instance(changed=LATE * 2)], FAILED),
        ([instance(changed=LATE / 2)], UNKNOWN),
        # Of two, one was passed over: its namespace may not be watched.
        ([instance(changed=LATE * 2), instance(changed=LATE * 2, wrote=LATE)], FAILED),
    ],
)
def test_whether_an_operator_runs_is_told_by_what_it_has_done(instances: list[Any], result: str) -> None:
    assert operator_finding(instances, None, NOW).result == result


@pytest.mark.parametrize(("phases", "result"), [((), UNKNOWN), (("Running",), OK), (("Pending",), FAILED)])
def test_where_it_had_nothing_to_do_its_pods_tell(phases: tuple[str, ...], result: str) -> None:
    assert operator_finding([], [{"status": {"phase": phase}} for phase in phases], NOW).result == result


def test_pods_that_may_not_be_listed_are_not_said_to_be_none() -> None:
    hidden, none = operator_finding([], None, NOW), operator_finding([], [], NOW)
    assert hidden.result == none.result == UNKNOWN
    assert "you may not list its Pods" in hidden.says
    assert "Pods" not in none.says


def test_rights_that_are_missing_are_named_and_no_others() -> None:
    finding = rights_finding(
        "Rights", [("list instances", True), ("read Events", False)], who="You", todo="Ask."
    )
    assert (finding.result, finding.says, finding.todo) == (FAILED, "You may not read Events.", "Ask.")


def test_rights_to_what_is_in_no_namespace_take_a_cluster_role() -> None:
    look = roles_to_ask_for({"list instances", "read Events"}, {"read definitions"}, "shop")
    assert look == (
        "Ask for a Role and a RoleBinding in namespace 'shop' to list instances and to read Events, and for a"
        " ClusterRole and a ClusterRoleBinding to read definitions."
    )
    assert roles_to_ask_for((), {"read definitions"}, "shop") == (
        "Ask for a ClusterRole and a ClusterRoleBinding to read definitions."
    )
