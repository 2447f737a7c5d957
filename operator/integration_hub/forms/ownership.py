"""Whether a tool keeps an object as it is: then a change by hand does not last, and belongs into the tool's source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from integration_hub.config.plain_text import one_line

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
    found = next(chain(_by_names(metadata), _by_owners(metadata), _by_writers(metadata)), None)
    # Whoever may annotate the object has written a part of it.
    return None if found is None else one_line(found)


def _by_names(metadata: Mapping[str, Any]) -> Iterator[str]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    yield from (words.format(labels[label]) for label, words in _LABELS if labels.get(label))
    if annotations.get(_TRACKING):
        yield f"Argo CD (application '{str(annotations[_TRACKING]).partition(':')[0]}')"
    if annotations.get(_HELM_RELEASE):
        yield f"Helm (release '{annotations[_HELM_RELEASE]}')"


def _by_owners(metadata: Mapping[str, Any]) -> Iterator[str]:
    for owner in metadata.get("ownerReferences") or ():
        for kind, words in _OWNERS:
            if owner.get("kind") == kind:
                yield words.format(owner.get("name"))


def _by_writers(metadata: Mapping[str, Any]) -> Iterator[str]:
    for entry in metadata.get("managedFields") or ():
        for prefix, words in _MANAGERS:
            writes = entry.get("fieldsV1") or {}
            if str(entry.get("manager", "")).startswith(prefix) and not entry.get("subresource") and writes:
                yield words
