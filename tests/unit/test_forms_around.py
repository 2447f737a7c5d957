"""What stands around a form: finding what to connect to, and seeing whose an object is."""

from __future__ import annotations

from typing import Any

import pytest

from integration_hub.forms.finding import Entry, entry_of, found
from integration_hub.forms.ownership import keeper_of

ENTRIES = [
    Entry("salesforce", "Salesforce", "Salesforce, Inc.", ("crm",), "Customers and sales."),
    Entry("stripe", "Stripe", "Stripe, Inc.", ("payments",), "Payments and invoices."),
    Entry("google-drive", "Google Drive", "Google", ("files",), "Files of a team."),
    Entry("http-api", "HTTP API", "", ("generic",), "Any API, such as that of a salesman."),
]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["google-drive", "http-api", "salesforce", "stripe"]),
        ("salesforce", ["salesforce"]),
        ("SALES", ["salesforce", "http-api"]),
        ("selasforce", ["salesforce"]),
        ("payments", ["stripe"]),
        ("drive", ["google-drive"]),
        ("google files", ["google-drive"]),
        ("google payments", []),
        ("nothing-like-it", []),
    ],
)
def test_definitions_are_found_by_what_people_remember(words: str, names: list[str]) -> None:
    assert [entry.name for entry in found(ENTRIES, words)] == names


def test_an_entry_is_made_of_a_definition_as_the_cluster_has_it() -> None:
    raw = {"metadata": {"name": "acme"}, "spec": {"vendor": "Acme", "categories": ["crm"]}}
    assert entry_of(raw) == Entry("acme", "acme", "Acme", ("crm",))


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
