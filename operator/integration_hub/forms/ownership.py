"""Whether another tool keeps an object as it is: then a change by hand does not last, and belongs into that tool's source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_LABELS: Final = (
    ("argocd.argoproj.io/instance", "Argo CD (application '{}')"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux (Kustomization '{}')"),
    ("helm.toolkit.fluxcd.io/name", "Flux (HelmRelease '{}')"),
)
_TRACKING: Final = "argocd.argoproj.io/tracking-id"
_HELM_RELEASE: Final = "meta.helm.sh/release-name"
_MANAGERS: Final = (
    ("argocd-", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("flux", "Flux"),
)
_OWNERS: Final = (
    ("ExternalSecret", "External Secrets (ExternalSecret '{}')"),
    ("SealedSecret", "Sealed Secrets (SealedSecret '{}')"),
)


def keeper_of(metadata: Mapping[str, Any]) -> str | None:
    """Return the tool that keeps the object, in words; None where none shows.

    It shows in a label or an annotation that the tool sets itself, in an owner, or in who has written the spec. That
    somebody has once applied the object with kubectl is no sign of a tool.
    """
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    for label, words in _LABELS:
        if labels.get(label):
            return words.format(labels[label])
    if annotations.get(_TRACKING):
        return f"Argo CD (application '{str(annotations[_TRACKING]).partition(':')[0]}')"
    if annotations.get(_HELM_RELEASE):
        return f"Helm (release '{annotations[_HELM_RELEASE]}')"
    for owner in metadata.get("ownerReferences") or ():
        for kind, words in _OWNERS:
            if owner.get("kind") == kind:
                return words.format(owner.get("name"))
    for entry in metadata.get("managedFields") or ():
        for prefix, words in _MANAGERS:
            writes = entry.get("fieldsV1") or {}
            if str(entry.get("manager", "")).startswith(prefix) and not entry.get("subresource") and writes:
                return words
    return None
