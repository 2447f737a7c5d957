"""A request that was tried by hand, as a saved test of its instance: to commit, or to apply at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integration_hub.adapters.kube import INSTANCES, KubeClient
from integration_hub.model.base import API_VERSION
from integration_hub.shell.manifests import as_manifest, for_git
from integration_hub.shell.operator_view import MANAGER

Raw = dict[str, Any]


def with_test(raw: Mapping[str, Any], entry: Mapping[str, Any]) -> Raw:
    """Return the instance with a saved test; one of the same name is replaced, where it stands."""
    spec = dict(raw["spec"])
    tests = list(spec.get("tests") or [])
    names = [test.get("name") for test in tests]
    if entry["name"] in names:
        tests[names.index(entry["name"])] = dict(entry)
    else:
        tests.append(dict(entry))
    return {**raw, "spec": {**spec, "tests": tests}}


def manifest(raw: Mapping[str, Any]) -> str:
    """Return an instance as YAML to commit: without what the API server and other tools have added."""
    return as_manifest(for_git(raw))


async def apply_test(kube: KubeClient, raw: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    """Apply a saved test and nothing else, on the server's side.

    What a field manager leaves out that it had applied before is removed, so the tests that it saved before go along.
    """
    metadata = raw["metadata"]
    mine = [
        test
        for test in raw["spec"].get("tests") or []
        if test.get("name") in _saved_names(metadata) and test.get("name") != entry["name"]
    ]
    body = {
        "apiVersion": API_VERSION,
        "kind": INSTANCES.kind,
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"tests": [*mine, dict(entry)]},
    }
    await kube.apply(INSTANCES, metadata["namespace"], body, manager=MANAGER)


def _saved_names(metadata: Mapping[str, Any]) -> set[str]:
    """Return the names of the tests that our field manager has applied."""
    found: set[str] = set()
    for owner in metadata.get("managedFields") or []:
        if (owner.get("manager"), owner.get("operation")) == (MANAGER, "Apply"):
            keys = owner.get("fieldsV1", {}).get("f:spec", {}).get("f:tests", {})
            found |= {json.loads(key[2:])["name"] for key in keys if key.startswith("k:")}
    return found
