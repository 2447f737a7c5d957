"""A connection as a folder for Git: texts by file name. Never a value of a Secret among them, unless it is sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from integration_hub.config.plain_text import clean
from integration_hub.forms.credentials import NeededKey
from integration_hub.shell.kustomization import Listing
from integration_hub.shell.manifests import as_manifest
from integration_hub.shell.saving import manifest

INSTANCE: Final = "instance.yaml"
DEFINITION: Final = "definition.yaml"
README: Final = "README.md"
EXAMPLE_SECRET: Final = "secret.example.yaml"
SEALED_SECRET: Final = "sealed-secret.yaml"
EXTERNAL_SECRET: Final = "external-secret.yaml"

FORMATS: Final = ("example", "sealed-secret", "external-secret")

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder is made of."""

    instance: Raw
    system: str
    """The external system's name, as people know it."""
    keys: Sequence[NeededKey]
    """Of the Secret that the connection reads; none where it needs no Secret."""
    secret_type: str
    has_secret: bool
    """Whether the Secret has yet to be made; else it exists, or comes from elsewhere."""
    format: str
    listing: Listing
    """What is applied of the folder, by which list."""
    sealed: str | None = None
    """The SealedSecret, where that is the format."""
    needs_consent: bool = False
    definition: str | None = None
    """Manifest of the definition, where the cluster does not have it."""
    file: str = INSTANCE
    """The instance's, as a path below the folder."""
    is_there: bool = False
    """Whether the connection has the folder already: then all else that its owner has put there stays as it is."""

    @property
    def namespace(self) -> str:
        """The namespace of all of it."""
        return str(self.instance["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """The connection's name."""
        return str(self.instance["metadata"]["name"])

    @property
    def secret(self) -> str:
        """The Secret's name, '' where none is needed."""
        return str(((self.instance["spec"].get("auth") or {}).get("secretRef") or {}).get("name", ""))


def files(folder: Folder) -> dict[str, str]:
    """Return the folder's files, by name.

    Raises:
        UnusableListError: the list that is there cannot be added to.

    """
    resources = [folder.file]
    found: dict[str, str] = {}
    if folder.definition is not None:
        found[DEFINITION] = _definition(folder, folder.definition)
        resources.append(DEFINITION)
    if folder.has_secret:
        name, text = _secret(folder)
        found[name] = text
        # An example in the list would be applied in place of the real Secret.
        resources += [] if name == EXAMPLE_SECRET else [name]
    return {
        folder.file: manifest(folder.instance),
        **found,
        **_list(folder, sorted(resources)),
        **({} if folder.is_there and not found else {README: _readme(folder, tuple(found))}),
    }


def about_it(folder: Folder) -> str:
    """Return the words by which README tells whose folder it is."""
    return f"the IntegrationInstance `{folder.name}` in the namespace `{folder.namespace}`"


def _list(folder: Folder, resources: Sequence[str]) -> dict[str, str]:
    """Return the list, unless it is there and names all of it, or was left out when the folder was made."""
    listing = folder.listing
    if folder.is_there and listing.text is None:
        return {}
    # kustomize would put the definition into a namespace, too: it does not know that it belongs into none. Every
    # manifest here names its own.
    text = listing.naming(resources, folder.namespace if folder.definition is None else None)
    return {} if text == listing.text else {listing.name: text}


def _definition(folder: Folder, text: str) -> str:
    definition = yaml.safe_load(text)
    metadata = definition["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), **_STAYS}
    text = as_manifest(definition)
    system = _in_a_line(folder.system)
    return (
        f"# {system} as the catalog describes it, since the cluster did not have it when this folder was made.\n"
        f"# All namespaces share it: {README} says who may apply it, and where else it may stand.\n{text}"
    )


def _secret(folder: Folder) -> tuple[str, str]:
    if folder.sealed is not None:
        return SEALED_SECRET, folder.sealed
    if folder.format == "external-secret":
        return EXTERNAL_SECRET, _external_secret(folder)
    return EXAMPLE_SECRET, _example_secret(folder)


def _example_secret(folder: Folder) -> str:
    required = {needed.key.name: f"<{needed.title}>" for needed in folder.keys if needed.key.required}
    optional = [needed for needed in folder.keys if not needed.key.required]
    text = (
        "# An example, to show which keys the Secret has. Do not write real values into this file: it is for Git.\n"
        "# README.md says how to make the Secret.\n"
    )
    text += _yaml(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": folder.secret, "namespace": folder.namespace},
            "type": folder.secret_type,
            "stringData": required,
        }
    )
    return text + "".join(
        f"  # {needed.key.name}: <{_in_a_line(needed.title)}>  (optional)\n" for needed in optional
    )


def _external_secret(folder: Folder) -> str:
    entries = [
        {"secretKey": needed.key.name, "remoteRef": {"key": "CHANGE-ME", "property": needed.key.name}}
        for needed in folder.keys
        if needed.key.required
    ]
    target: dict[str, Any] = {"name": folder.secret}
    if folder.secret_type != "Opaque":
        target["template"] = {"type": folder.secret_type}
    text = "# For External Secrets: name your store, and say where in it each value is.\n"
    return text + _yaml(
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": folder.secret, "namespace": folder.namespace},
            "spec": {
                "refreshInterval": "1h",
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": "CHANGE-ME"},
                "target": target,
                "data": entries,
            },
        }
    )


def _readme(folder: Folder, secret_files: Sequence[str]) -> str:
    name, namespace = folder.name, folder.namespace
    shown = folder.instance["spec"].get("displayName") or name
    parts = [
        f"# {shown}",
        f"A connection to {folder.system}: {about_it(folder)}.",
        "## Before you apply it",
        *_definition_steps(folder),
        *_secret_steps(folder, secret_files),
        "## Apply it",
        "Commit this folder where Argo CD or Flux reads it, or apply it yourself:",
        _block("kubectl apply -k ."),
        "## See that it works",
        *_consent_steps(folder),
        _block(
            f"kubectl wait iinst {name} -n {namespace} --for=condition=Ready --timeout=2m\n"
            f"hub test {name} -n {namespace}"
        ),
        f"To change it, run `hub edit {name} -n {namespace} -o .` in this folder, or edit `{folder.file}`.",
    ]
    # Who reads it in a terminal sees words of the definition and of the connection.
    return clean("\n\n".join(parts) + "\n")


def _definition_steps(folder: Folder) -> list[str]:
    if folder.definition is None:
        return []
    name = folder.instance["spec"]["definitionRef"]["name"]
    return [_BRINGS_IT.format(name=name, listing=folder.listing.name)]


_STAYS: Final = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
"""Annotations by which Argo CD and Flux leave a definition when this folder goes: others may connect by it."""

_BRINGS_IT: Final = (
    f"The cluster did not have the definition `{{name}}` of the catalog, so `{DEFINITION}` brings it. It belongs to no"
    " namespace: whoever applies this folder needs the right to `create` and `patch` integrationdefinitions. Argo CD"
    " and Flux leave it when this folder goes, since other connections may use it. Where others keep the definitions of"
    f" your clusters, let them install it (`hub catalog install {{name}}`), and take `{DEFINITION}` out of this folder"
    f" and of `{{listing}}`."
)


def _secret_steps(folder: Folder, secret_files: Sequence[str]) -> list[str]:
    if not folder.secret:
        nothing_else = folder.definition is None
        return ["Nothing: the connection needs no credentials."] if nothing_else else []
    rows = "\n".join(_key_row(needed) for needed in folder.keys)
    table = f"| key | what it is |\n|---|---|\n{rows}"
    if not folder.has_secret:
        return [
            f"It reads the Secret `{folder.secret}`, which is not in this folder and must have these keys:",
            table,
        ]
    if SEALED_SECRET in secret_files:
        said = (
            f"Nothing: `{SEALED_SECRET}` holds the credentials, sealed for the cluster that it was made with."
        )
        return [said, table]
    if EXTERNAL_SECRET in secret_files:
        return [f"Complete `{EXTERNAL_SECRET}`: each `CHANGE-ME` is to be replaced. The keys:", table]
    sources = " \\\n".join(
        f"  --from-file={needed.key.name}=FILE" for needed in folder.keys if needed.key.required
    )
    type_ = "" if folder.secret_type == "Opaque" else f" --type={folder.secret_type}"
    command = f"kubectl create secret generic {folder.secret} -n {folder.namespace}{type_} \\\n{sources}"
    return [
        _MAKE_IT.format(secret=folder.secret),
        _block(command),
        f"`{EXAMPLE_SECRET}` shows what comes of it. Real values never go into this folder.",
        table,
    ]


_MAKE_IT: Final = (
    "Make the Secret `{secret}`. Its values come from files, so that none stands on a command line; the files end"
    " without a line break (`printf %s` writes such, `echo` does not):"
)


def _key_row(needed: NeededKey) -> str:
    optional = "" if needed.key.required else " (optional)"
    told = _in_a_line(f"{needed.title}. {needed.help}").replace("|", "\\|")
    return f"| `{needed.key.name}`{optional} | {told} |"


def _in_a_line(words: str) -> str:
    return clean(" ".join(words.split()))


def _consent_steps(folder: Folder) -> list[str]:
    if not folder.needs_consent:
        return []
    return [
        f"{folder.system} asks a person for consent. Once the operator has seen the connection:",
        _block(f"hub authorize {folder.name} -n {folder.namespace}"),
    ]


def _block(command: str) -> str:
    return f"```console\n{command}\n```"


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))
