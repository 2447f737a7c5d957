"""A connection as a folder for Git: what is in it, and what never is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_hub.auth.flow import SecretKey
from integration_hub.cli.connect.flags import SECRET_FORMATS
from integration_hub.forms.credentials import NeededKey
from integration_hub.shell.git_folder import FORMATS, Folder, files
from integration_hub.shell.kustomization import Listing

INSTANCE = {
    "apiVersion": "integrationhub.dev/v1alpha1",
    "kind": "IntegrationInstance",
    "metadata": {"name": "billing", "namespace": "shop", "resourceVersion": "12", "uid": "u"},
    "spec": {
        "definitionRef": {"name": "acme"},
        "auth": {"method": "key", "secretRef": {"name": "billing-key"}},
    },
    "status": {"phase": "Connected"},
}
KEYS = (
    NeededKey(SecretKey("apiKey", "the key"), "Secret key", "Settings > API | Keys."),
    NeededKey(SecretKey("note", "a note", required=False), "Note"),
)


def folder(**changes: Any) -> dict[str, str]:
    whole: dict[str, Any] = {
        "instance": INSTANCE,
        "system": "Acme",
        "keys": KEYS,
        "secret_type": "Opaque",
        "has_secret": True,
        "format": "example",
        "listing": Listing(Path("kustomization.yaml")),
    }
    return files(Folder(**whole | changes))


def test_the_flag_has_the_formats_that_there_are() -> None:
    assert SECRET_FORMATS == FORMATS


def test_the_instance_is_what_a_person_would_commit() -> None:
    made = yaml.safe_load(folder()["instance.yaml"])
    assert made["metadata"] == {"name": "billing", "namespace": "shop"}
    assert "status" not in made


def test_an_example_is_never_applied_and_its_command_names_every_required_key() -> None:
    found = folder()
    example = yaml.safe_load(found["secret.example.yaml"])
    assert example["stringData"] == {"apiKey": "<Secret key>"}
    assert yaml.safe_load(found["kustomization.yaml"])["resources"] == ["instance.yaml"]
    assert "kubectl create secret generic billing-key -n shop" in found["README.md"]
    assert "--from-file=apiKey=FILE" in found["README.md"]
    assert "from-file=note" not in found["README.md"]
    assert "| `apiKey` | Secret key. Settings > API \\| Keys. |" in found["README.md"]


def test_words_of_a_definition_do_not_steer_the_terminal_of_a_reader() -> None:
    steering = "Key\x1b]0;owned\x07 \u202eend"
    keys = (
        NeededKey(SecretKey("apiKey", "the key"), steering, "Here\x1b[2J."),
        NeededKey(SecretKey("note", "a note", required=False), f"{steering}\nkind: Pod"),
    )
    found = folder(keys=keys, system=steering)
    readme = found["README.md"]
    assert "| `apiKey` | Key\ufffd]0;owned\ufffd \ufffdend. Here\ufffd[2J. |" in readme
    assert readme.replace("\n", "").isprintable()
    example = found["secret.example.yaml"]
    assert example.endswith("\n  # note: <Key\ufffd]0;owned\ufffd \ufffdend kind: Pod>  (optional)\n")


def test_an_external_secret_asks_for_each_required_key_and_makes_the_type_that_is_needed() -> None:
    found = folder(format="external-secret", secret_type="kubernetes.io/tls")
    made = yaml.safe_load(found["external-secret.yaml"])
    assert [entry["secretKey"] for entry in made["spec"]["data"]] == ["apiKey"]
    assert made["spec"]["target"] == {"name": "billing-key", "template": {"type": "kubernetes.io/tls"}}
    assert "external-secret.yaml" in yaml.safe_load(found["kustomization.yaml"])["resources"]


def test_a_sealed_secret_is_taken_over_as_it_is() -> None:
    found = folder(format="sealed-secret", sealed="kind: SealedSecret\n")
    assert found["sealed-secret.yaml"] == "kind: SealedSecret\n"
    assert "secret.example.yaml" not in found


def test_the_instance_keeps_the_file_that_holds_it() -> None:
    found = folder(file="apps/billing.yaml", is_there=True, format="external-secret")
    assert "instance.yaml" not in found
    assert yaml.safe_load(found["apps/billing.yaml"])["metadata"]["name"] == "billing"
    assert "edit `apps/billing.yaml`" in found["README.md"]
    listing = Listing(Path("kustomization.yaml"), "resources: []")
    listed = folder(file="billing.yaml", is_there=True, listing=listing, has_secret=False)
    assert yaml.safe_load(listed["kustomization.yaml"])["resources"] == ["billing.yaml"]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"has_secret": False}, ["instance.yaml"]),
        ({"format": "external-secret"}, ["README.md", "external-secret.yaml", "instance.yaml"]),
    ],
)
@pytest.mark.parametrize(
    "text", [None, "resources: [instance.yaml, external-secret.yaml]"], ids=["no list", "a list"]
)
def test_a_folder_that_is_there_gets_just_what_has_changed(
    changes: dict[str, Any], names: list[str], text: str | None
) -> None:
    listing = Listing(Path("kustomization.yml"), text)
    assert sorted(folder(is_there=True, listing=listing, **changes)) == names


def test_a_definition_that_is_missing_comes_along_and_stays_out_of_the_namespace() -> None:
    text = "kind: IntegrationDefinition\nmetadata: {name: acme}\n"
    found = folder(definition=text)
    definition = yaml.safe_load(found["definition.yaml"])
    # Whoever takes this folder away leaves it to the others who connect by it.
    assert definition["metadata"].pop("annotations") == {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    assert definition == yaml.safe_load(text)
    assert found["definition.yaml"].startswith("# ")
    assert "since other connections may use it" in found["README.md"]
    listed = yaml.safe_load(found["kustomization.yaml"])
    assert listed["resources"] == ["definition.yaml", "instance.yaml"]
    # kustomize would write it into the definition, too, which belongs to none.
    assert "namespace" not in listed
    assert yaml.safe_load(found["instance.yaml"])["metadata"]["namespace"] == "shop"
    assert "the right to `create` and `patch` integrationdefinitions" in found["README.md"]
    assert "`hub catalog install acme`" in found["README.md"]
    without = folder()
    assert yaml.safe_load(without["kustomization.yaml"])["namespace"] == "shop"
    assert "definition.yaml" not in without
    assert "definition.yaml" not in without["README.md"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_secret": False}, "It reads the Secret `billing-key`, which is not in this folder"),
        ({"needs_consent": True}, "hub authorize billing -n shop"),
        (
            {
                "instance": {**INSTANCE, "spec": {"definitionRef": {"name": "acme"}}},
                "keys": (),
                "has_secret": False,
            },
            "Nothing: the connection needs no credentials.",
        ),
    ],
)
def test_the_next_steps_are_those_of_this_connection(changes: dict[str, Any], words: str) -> None:
    assert words in folder(**changes)["README.md"]
