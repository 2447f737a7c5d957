"""What stands around a form: seeing whose an object is."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.forms.ownership import keeper_of


def written_by(manager: str, **entry: Any) -> dict[str, Any]:
    return {"managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {}}, **entry}]}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD (application 'shop')"),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:integrationhub.dev/X:a/b"}},
            "Argo CD (application 'shop')",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux (Kustomization 'apps')"),
        ({"annotations": {"meta.helm.sh/release-name": "r"}}, "Helm (release 'r')"),
        (
            {"ownerReferences": [{"kind": "ExternalSecret", "name": "e"}]},
            "External Secrets (ExternalSecret 'e')",
        ),
        (written_by("argocd-controller"), "Argo CD"),
        (written_by("kustomize-controller"), "Flux"),
        (written_by("kustomize-controller", subresource="status"), None),
        (written_by("kubectl-client-side-apply"), None),
        (written_by("kubectl-hub"), None),
        ({"labels": {"app": "shop"}}, None),
        ({}, None),
    ],
)
def test_a_tool_that_keeps_an_object_is_recognised_and_no_other(
    metadata: dict[str, Any], words: str | None
) -> None:
    assert keeper_of(metadata) == words
