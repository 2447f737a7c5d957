"""A request that was tried by hand, as a saved test of its instance: to commit, or to apply at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from integration_hub.adapters.kube import INSTANCES, KubeClient
from integration_hub.model.base import API_VERSION
from integration_hub.shell.operator_view import MANAGER

Raw = dict[str, Any]

_KEPT = ("name", "namespace", "labels")
"""Of metadata, what a person commits."""


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
    metadata = {name: raw["metadata"][name] for name in _KEPT if raw["metadata"].get(name)}
    kept = {
        "apiVersion": API_VERSION,
        "kind": INSTANCES.kind,
        "metadata": metadata,
        "spec": raw["spec"],
    }
    return yaml.dump(kept, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


_ODD_BREAKS = frozenset("\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as people do: a certificate stays readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Odd line breaks are lost in every other style.
    style = '"' if _ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


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
            found |= {yaml.safe_load(key[2:])["name"] for key in keys if key.startswith("k:")}
    return found
