"""Objects as people commit them: without what the API server and tools have added, as YAML that stays readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from integration_hub.model.names import API_VERSION, AUTHORIZE_ANNOTATION, REQUEST_ANNOTATION

Raw = dict[str, Any]

_TOOLS_PREFIXES: Final = (
    "kubectl.kubernetes.io/",
    "deployment.kubernetes.io/",
    "meta.helm.sh/",
    "reconcile.fluxcd.io/",
)
"""Of annotations and labels that none but a tool writes: in Git they would contradict the tool."""
_TOOLS: Final = frozenset(
    {
        *(
            f"argocd.argoproj.io/{name}"
            for name in ("tracking-id", "installation-id", "instance", "deletion-approved", "refresh")
        ),
        *(f"kustomize.toolkit.fluxcd.io/{name}" for name in ("name", "namespace", "checksum")),
        *(f"helm.toolkit.fluxcd.io/{name}" for name in ("name", "namespace")),
    }
)
"""What tools write for themselves where people write as well: a sync wave, or that nothing is to be pruned, stays."""
_MADE_BY: Final = ("app.kubernetes.io/managed-by", "Helm")
"""What Helm sets on all that it installs; people give the same label other values."""
_WISHES: Final = frozenset({REQUEST_ANNOTATION, AUTHORIZE_ANNOTATION})
"""Annotations that ask the operator for something, once."""


def for_git(raw: Mapping[str, Any]) -> Raw:
    """Return an object of ours with what a person decides about it: no status, nothing of the server's or of tools'.

    What a person tells a tool by an annotation is the person's.
    """
    metadata = raw["metadata"]
    kept: Raw = {name: metadata[name] for name in ("name", "namespace") if metadata.get(name)}
    for part in ("labels", "annotations"):
        own = {key: value for key, value in (metadata.get(part) or {}).items() if _is_a_persons(key, value)}
        if own:
            kept[part] = own
    return {
        "apiVersion": raw.get("apiVersion") or API_VERSION,
        "kind": raw["kind"],
        "metadata": kept,
        "spec": raw.get("spec") or {},
    }


def _is_a_persons(key: str, value: str) -> bool:
    """Tell whether a person has written an annotation or a label, perhaps for a tool to read."""
    return not key.startswith(_TOOLS_PREFIXES) and key not in _TOOLS | _WISHES and (key, value) != _MADE_BY


def as_manifest(obj: Mapping[str, Any]) -> str:
    """Return an object as YAML, in the order of its fields."""
    return str(yaml.dump(obj, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))


_ODD_BREAKS = frozenset("\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as people do: a certificate stays readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Odd line breaks are lost in every other style.
    style = '"' if _ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
