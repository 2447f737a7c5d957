"""The list by which kustomize applies a folder: one is made, and to one that is there is only added."""

from __future__ import annotations

import pytest
import yaml

from integration_hub.shell.kustomization import UnusableListError, added, made

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def test_one_that_is_made_names_what_is_applied_and_where() -> None:
    assert made(["a.yaml"], "shop") == f"{HEAD}namespace: shop\nresources:\n- a.yaml\n"
    assert made(["a.yaml", "b.yaml"]) == f"{HEAD}resources:\n- a.yaml\n- b.yaml\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# Ours.\nresources:\n  - other.yaml  # first\n\nlabels: []  # none\n",
            "# Ours.\nresources:\n  - other.yaml  # first\n  - new.yaml\n  - own.yaml\n\nlabels: []  # none\n",
        ),
        ("resources:\n- other.yaml", "resources:\n- other.yaml\n- new.yaml\n- own.yaml\n"),
        ("resources:\n- ./own.yaml\n# End.\n", "resources:\n- ./own.yaml\n- new.yaml\n# End.\n"),
        ("resources: [other.yaml]  # short\n", "resources: [other.yaml, new.yaml, own.yaml]  # short\n"),
        ("resources: []\nlabels: []\n", "resources: [new.yaml, own.yaml]\nlabels: []\n"),
        ("resources:\nlabels: []\n", "resources:\n- new.yaml\n- own.yaml\nlabels: []\n"),
        ("namespace: shop", "namespace: shop\nresources:\n- new.yaml\n- own.yaml\n"),
        ("# Ours.\n", f"# Ours.\n{HEAD}resources:\n- new.yaml\n- own.yaml\n"),
        ('{"resources": ["other.yaml"]}', '{"resources": ["other.yaml", new.yaml, own.yaml]}'),
        # As a patch it is applied already, and kustomize refuses what it has twice.
        ("patches:\n- path: own.yaml\n", "patches:\n- path: own.yaml\nresources:\n- new.yaml\n"),
    ],
)
def test_to_one_that_is_there_is_added_and_all_else_of_it_stays(before: str, after: str) -> None:
    assert added(before, ["new.yaml", "own.yaml"]) == after
    yaml.safe_load(after)


def test_one_that_names_all_stays_as_it_is() -> None:
    before = "resources: [ 'own.yaml',\n new.yaml ]"
    assert added(before, ["new.yaml", "own.yaml"]) == before


@pytest.mark.parametrize(
    "before",
    [
        "- own.yaml\n",
        "resources: own.yaml\n",
        "resources: {}\n",
        "resources: [\n",
        "a: 1\n---\nb: 1\n",
        "{}\n",
        "resources: " + "[" * 100_000,
        "resources: []\nresources: []\n",
    ],
)
def test_what_is_no_list_is_left_alone(before: str) -> None:
    with pytest.raises(UnusableListError):
        added(before, ["new.yaml"])
