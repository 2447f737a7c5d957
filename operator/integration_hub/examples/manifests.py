"""Manifests with ${VARIABLES}: read, fill in, write. Values go in after parsing, so none can become YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from integration_hub.devcluster.files import make_private_folder, write_private
from integration_hub.examples.declaration import FILE
from integration_hub.examples.errors import ExampleError
from integration_hub.shell.manifests import as_manifest

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file and the Kubernetes objects in it."""

    path: Path
    documents: tuple[dict[str, Any], ...]


def load_manifests(folder: Path) -> tuple[Manifest, ...]:
    """Return the folder's manifests in the order in which they are applied: by file name."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != FILE)
    if not paths:
        raise ExampleError(f"There are no manifests in {folder}.", "Add at least one .yaml file.")
    return tuple(Manifest(path, _documents(path)) for path in paths)


def fill_in(manifest: Manifest, variables: Mapping[str, str]) -> Manifest:
    """Return the manifest with every ${NAME} replaced."""
    documents = [
        fill_in_value(item, variables, f"{manifest.path}: {_name(item)}") for item in manifest.documents
    ]
    return Manifest(manifest.path, tuple(documents))


def fill_in_value(value: Any, variables: Mapping[str, str], where: str) -> Any:
    """Return JSON-like data with every ${NAME} in its texts replaced; keys stay."""
    match value:
        case dict():
            return {key: fill_in_value(item, variables, f"{where}.{key}") for key, item in value.items()}
        case list():
            return [fill_in_value(item, variables, f"{where}[{number}]") for number, item in enumerate(value)]
        case str():
            return substitute(value, variables, where)
    return value


def substitute(text: str, variables: Mapping[str, str], where: str) -> str:
    """Replace each ${NAME} in `text`."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            known = ", ".join(f"${{{known}}}" for known in sorted(variables))
            raise ExampleError(
                f"{where} uses ${{{name}}}, which nothing sets.", f"What may be used here: {known}."
            )
        return variables[name]

    return _VARIABLE.sub(value, text)


def write_manifests(manifests: tuple[Manifest, ...], folder: Path) -> None:
    """Write the manifests for kubectl and for people to look at; they may hold passwords, so are private."""
    make_private_folder(folder)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for manifest in manifests:
        header = f"# Made by 'hub example' from {manifest.path}, with the ${{...}} filled in.\n"
        text = "---\n".join(map(as_manifest, manifest.documents))
        write_private(folder / manifest.path.name, (header + text).encode())


def objects_of_kind(manifests: tuple[Manifest, ...], kind: str) -> Iterator[tuple[str, str]]:
    """Yield namespace (empty for a cluster-scoped object) and name of each object of that kind."""
    for manifest in manifests:
        for document in manifest.documents:
            if document["kind"] == kind:
                metadata = document["metadata"]
                yield metadata.get("namespace", ""), metadata["name"]


def namespaced_kinds(manifests: tuple[Manifest, ...]) -> set[str]:
    """Return the kinds of the objects that are in a namespace."""
    documents = [document for manifest in manifests for document in manifest.documents]
    return {document["kind"] for document in documents if "namespace" in document["metadata"]}


def _documents(path: Path) -> tuple[dict[str, Any], ...]:
    try:
        documents = [
            item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item is not None
        ]
    except yaml.YAMLError as error:
        raise ExampleError(
            f"{path} is not YAML: {error}", "Correct the place that the message names."
        ) from error
    for number, item in enumerate(documents, 1):
        if not isinstance(item, dict) or "kind" not in item or "name" not in item.get("metadata", {}):
            raise ExampleError(
                f"Document {number} of {path} is no Kubernetes object.", "It needs kind and metadata.name."
            )
    return tuple(documents)


def _name(document: dict[str, Any]) -> str:
    return f"{document['kind']} {document['metadata']['name']}"
