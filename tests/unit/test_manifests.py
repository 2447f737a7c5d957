"""Objects as they are committed: what a person has put there stays, what tools and the cluster write does not."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.shell.manifests import for_git

A_PERSONS = {
    # Argo CD
    "argocd.argoproj.io/sync-wave": "5",
    "argocd.argoproj.io/sync-options": "Prune=false,SkipDryRunOnMissingResource=true",
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/hook": "PostSync",
    "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    "argocd.argoproj.io/ignore-resource-updates": "false",
    "link.argocd.argoproj.io/external-link": "https://crm.example",
    # Flux
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent",
    "kustomize.toolkit.fluxcd.io/force": "enabled",
    "kustomize.toolkit.fluxcd.io/substitute": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
    # Helm
    "helm.sh/resource-policy": "keep",
    # Ours, and anybody's
    "integrationhub.dev/self-hosted": "true",
    "team.example/owner": "shop",
}
A_TOOLS = {
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z",
    "argocd.argoproj.io/tracking-id": "shop:integrationhub.dev/IntegrationInstance:shop/billing",
    "argocd.argoproj.io/installation-id": "one",
    "argocd.argoproj.io/instance": "shop",
    "argocd.argoproj.io/deletion-approved": "2026-01-01T00:00:00Z",
    "argocd.argoproj.io/refresh": "hard",
    "kustomize.toolkit.fluxcd.io/name": "shop",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    "kustomize.toolkit.fluxcd.io/checksum": "0a1b",
    "helm.toolkit.fluxcd.io/name": "shop",
    "helm.toolkit.fluxcd.io/namespace": "flux-system",
    "reconcile.fluxcd.io/requestedAt": "2026-01-01T00:00:00Z",
    "meta.helm.sh/release-name": "shop",
    "meta.helm.sh/release-namespace": "shop",
    "integrationhub.dev/request": "1",
    "integrationhub.dev/authorize": "1",
}


def metadata(**parts: Any) -> dict[str, Any]:
    kept: dict[str, Any] = for_git(
        {"kind": "IntegrationInstance", "metadata": {"name": "billing", "namespace": "shop", **parts}}
    )["metadata"]
    return kept


@pytest.mark.parametrize("part", ["annotations", "labels"])
@pytest.mark.parametrize("key", A_PERSONS)
def test_what_a_person_tells_a_tool_stays(part: str, key: str) -> None:
    own = {key: A_PERSONS[key]}
    assert metadata(**{part: own})[part] == own


@pytest.mark.parametrize("part", ["annotations", "labels"])
@pytest.mark.parametrize("key", A_TOOLS)
def test_what_a_tool_writes_for_itself_goes(part: str, key: str) -> None:
    assert part not in metadata(**{part: {key: A_TOOLS[key]}})


def test_the_sign_that_helm_has_made_it_goes_and_anothers_stays() -> None:
    assert "labels" not in metadata(labels={"app.kubernetes.io/managed-by": "Helm"})
    another = {"app.kubernetes.io/managed-by": "team-shop"}
    assert metadata(labels=another)["labels"] == another


def test_nothing_of_the_servers_is_left() -> None:
    whole = metadata(
        uid="u", resourceVersion="1", generation=3, creationTimestamp="2026-01-01T00:00:00Z",
        managedFields=[{}], finalizers=["integrationhub.dev/revoke"], ownerReferences=[{}],
    )  # fmt: skip
    assert whole == {"name": "billing", "namespace": "shop"}
