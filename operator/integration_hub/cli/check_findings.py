"""What `hub check` makes of what it was told: one finding a question, and what to do. No clock, no I/O.

A finding that cannot be made is no failure: whoever asks may see only a part of the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from integration_hub.cli.words import age_of, counted
from integration_hub.reconcile.times import parse_timestamp

Raw = Mapping[str, Any]

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"

LEAST = (1, 31)
"""The first Kubernetes that has all that our CRDs use: selectable fields are on by default from there on."""
FIELD_MANAGER = "integration-hub"
LATE = timedelta(minutes=2)
"""After which an operator that runs would have made a test that is due, or seen a change."""


class Finding(NamedTuple):
    """One answer. `result` is ok, failed or unknown."""

    name: str
    result: str
    says: str
    todo: str = ""


def version_finding(version: str, server: str) -> Finding:
    """Judge the API server's version, like 'v1.36.3'."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    least = ".".join(map(str, LEAST))
    if numbers is None:
        return Finding("API server", UNKNOWN, f"{server} answers, and calls its version '{version}'.")
    if (int(numbers[1]), int(numbers[2])) < LEAST:
        return Finding(
            "API server",
            FAILED,
            f"{server} is Kubernetes {version}, and {least} is the oldest that works.",
            "Upgrade the cluster, or choose another one with --context.",
        )
    return Finding("API server", OK, f"{server} is Kubernetes {version}.")


def crd_finding(kind: str, installed: Raw | None, ours: Raw) -> Finding:
    """Judge one CRD of the cluster against that of this version."""
    name = f"CRD {kind}"
    apply = "'kubectl apply --server-side -f crds/' installs those of this version."
    if installed is None:
        return Finding(name, FAILED, "It is not installed.", apply)
    conditions = (installed.get("status") or {}).get("conditions") or []
    established = any(e.get("type") == "Established" and e.get("status") == "True" for e in conditions)
    if not established:
        return Finding(
            name, FAILED, "It is installed, and the API server does not serve it (yet).", "Wait a moment."
        )
    wanted = {version["name"]: version["schema"] for version in ours["spec"]["versions"]}
    there = {version["name"]: version["schema"] for version in installed["spec"]["versions"]}
    if any(there.get(version) != schema for version, schema in wanted.items()):
        return Finding(name, FAILED, "It is of another version than this command.", apply)
    return Finding(name, OK, "It is installed, and of this version.")


def operator_finding(instances: Sequence[Raw], pods: Sequence[Raw] | None, now: datetime) -> Finding:
    """Judge by what it has written whether an operator runs; by its Pods where it has had nothing to write.

    `pods` are those with the operator's label, None where they may not be listed.
    """
    name = "Operator"
    start = "Start it, or look into its log: 'kubectl logs -n integration-hub deployment/integration-hub'."
    behind = [raw for raw in instances if _is_behind(raw, now)]
    if behind:
        first = behind[0]["metadata"]
        others = f" and {len(behind) - 1} more" if len(behind) > 1 else ""
        return Finding(
            name,
            FAILED,
            f"It seems not to run, or not to watch every namespace: it has done nothing about {first['namespace']}/"
            f"{first['name']}{others}, which it should have.",
            start,
        )
    last = max((moment for raw in instances if (moment := _written(raw)) is not None), default=None)
    if last is not None:
        return Finding(name, OK, f"It runs: it has looked at all {counted(len(instances), 'instance')}, and has last"
                       f" written {age_of(now - last)} ago.")  # fmt: skip
    if pods:
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
        if running:
            return Finding(name, OK, f"It runs: {counted(len(running), 'Pod')}.")
        return Finding(name, FAILED, "Its Pods are there, and none is running.", start)
    unseen = ", and you may not list its Pods" if pods is None else ""
    return Finding(
        name,
        UNKNOWN,
        f"Whether it runs cannot be told: there is no instance that it could have looked at{unseen}.",
        "Create an instance; 'hub status NAME' says whether it was seen.",
    )


def rights_finding(name: str, answers: Iterable[tuple[str, bool]], *, who: str, todo: str) -> Finding:
    """Judge rights: each is a sentence's end like "list instances", and whether it is allowed."""
    known = list(answers)
    missing = [what for what, allowed in known if not allowed]
    if missing:
        return Finding(name, FAILED, f"{who} may not {', '.join(missing)}.", todo)
    return Finding(name, OK, f"{who} may {', '.join(what for what, _ in known)}.")


def roles_to_ask_for(in_namespace: Collection[str], everywhere: Collection[str], namespace: str) -> str:
    """Return which roles give rights that are missing: definitions are in no namespace, and a Role gives none there."""
    parts = []
    if in_namespace:
        parts.append(
            f"a Role and a RoleBinding in namespace '{namespace}' to {' and to '.join(sorted(in_namespace))}"
        )
    if everywhere:
        parts.append(f"a ClusterRole and a ClusterRoleBinding to {' and to '.join(sorted(everywhere))}")
    return f"Ask for {', and for '.join(parts)}."


def _is_behind(raw: Raw, now: datetime) -> bool:
    """Tell whether an operator that runs would have done something about this instance by now."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    due = parse_timestamp(status.get("nextTestTime"))
    if due is not None and not (raw.get("spec") or {}).get("suspend") and now - due > LATE:
        return True
    if status.get("observedGeneration") == metadata.get("generation"):
        return False
    changes = [
        moment
        for entry in metadata.get("managedFields") or []
        if entry.get("subresource") != "status" and (moment := parse_timestamp(entry.get("time"))) is not None
    ]
    changed = max(changes, default=parse_timestamp(metadata.get("creationTimestamp")))
    return changed is not None and now - changed > LATE


def _written(raw: Raw) -> datetime | None:
    """Return when the operator has last written the status."""
    times = [
        moment
        for entry in raw["metadata"].get("managedFields") or []
        if entry.get("manager") == FIELD_MANAGER
        and (moment := parse_timestamp(entry.get("time"))) is not None
    ]
    return max(times, default=None)
