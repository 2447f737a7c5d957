"""Manifests that are not applied, read from a file: what is in them, and every mistake by document and path.

Messages never repeat a value: what stands in a manifest may be a secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_hub.config.values import did_you_mean
from integration_hub.config.yaml_text import NoYamlError, read_documents
from integration_hub.model.base import API_VERSION, GROUP
from integration_hub.reconcile.inputs import SecretAnswer, SecretState
from integration_hub.shell.refusals import refusals

DRAFT_UID = "draft"
_KINDS = ("IntegrationInstance", "IntegrationDefinition")

Raw = dict[str, Any]


class DraftError(Exception):
    """A file cannot be read as manifests, or manifests in it would be refused. One line for each mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        """Keep the mistakes in order."""
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class NoDraftError(DraftError):
    """A file holds nothing to look at: it is no YAML, or there is no instance in it."""


@dataclass
class Draft:
    """What a file holds, by name. Its repr shows none of it."""

    instances: list[Raw] = field(default_factory=list, repr=False)
    definitions: dict[str, Raw] = field(default_factory=dict, repr=False)
    secrets: dict[tuple[str, str], SecretAnswer] = field(default_factory=dict, repr=False)


def read_draft(text: str, *, source: str, namespace: str) -> Draft:
    """Read a file of manifests; `namespace` is that of objects that name none.

    Raises:
        DraftError: with everything that is wrong in it.

    """
    draft, mistakes = Draft(), list[str]()
    for number, document in enumerate(documents(text, source), start=1):
        where = f"{source}, document {number}"
        if not isinstance(document, dict):
            mistakes.append(f"{where}: is no object; a manifest begins with 'apiVersion:' and 'kind:'")
            continue
        name = _name(document)
        if name is not None:
            where += f" ({document.get('kind')} '{name}')"
        mistakes += (f"{where}: {mistake}" for mistake in _take(draft, document, name, namespace))
    if mistakes:
        raise DraftError(mistakes)
    if not draft.instances:
        raise NoDraftError([f"{source}: there is no IntegrationInstance in it, so there is nothing to test"])
    return draft


def _take(draft: Draft, document: Raw, name: str | None, namespace: str) -> Iterator[str]:
    """Put a document where it belongs, and yield what is wrong with it."""
    kind, api = document.get("kind"), str(document.get("apiVersion", ""))
    ours = api.partition("/")[0] == GROUP
    if ours and (kind not in _KINDS or api != API_VERSION):
        yield (
            f"there is no kind '{kind}' in {api}{did_you_mean(kind, _KINDS)}; there are {' and '.join(_KINDS)}"
            f" in {API_VERSION}"
        )
        return
    if not ours and kind in _KINDS:
        yield f"apiVersion: must be {API_VERSION}"
        return
    if not ours and (kind, api) != ("Secret", "v1"):
        return  # somebody else's, like a Namespace: it needs no look
    if name is None:
        yield "metadata.name: is required"
    elif not isinstance(document["metadata"].setdefault("namespace", namespace), str):
        yield "metadata.namespace: must be text; put it in quotes"
    elif _is_there(draft, document, name):
        yield "stands in the file twice; keep one of them"
    elif kind == "Secret":
        yield from _take_secret(draft, document, name)
    else:
        yield from _take_ours(draft, document, name)


def _take_ours(draft: Draft, document: Raw, name: str) -> Iterator[str]:
    kind = document["kind"]
    yield from map(str, _strange_fields(document))
    yield from map(str, refusals(str(kind), document.get("spec")))
    if kind == "IntegrationInstance":
        draft.instances.append(document)
    else:
        document["metadata"].pop("namespace")
        draft.definitions[name] = document


def _is_there(draft: Draft, document: Raw, name: str) -> bool:
    key = (document["metadata"]["namespace"], name)
    match document["kind"]:
        case "Secret":
            return key in draft.secrets
        case "IntegrationDefinition":
            return name in draft.definitions
    return key in {(raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in draft.instances}


def _strange_fields(document: Raw) -> Iterator[str]:
    known = ("apiVersion", "kind", "metadata", "spec", "status")
    for name in document:
        if name not in known:
            yield f"{str(name)[:60]}: is not a known field{did_you_mean(name, known)}"


def _take_secret(draft: Draft, document: Raw, name: str) -> Iterator[str]:
    data: dict[str, bytes] = {}
    for part, decode in (("data", _decoded), ("stringData", str.encode)):
        entries = document.get(part) or {}
        if not isinstance(entries, Mapping):
            yield f"{part}: must be a group of fields"
            continue
        for key, value in entries.items():
            if not isinstance(value, str):
                yield f"{part}.{key}: must be text; put the value in quotes"
                continue
            try:
                data[str(key)] = decode(value)
            except (binascii.Error, ValueError):
                yield f"{part}.{key}: is no base64; write the value itself under stringData"
    type_ = document.get("type") or "Opaque"
    if not isinstance(type_, str):
        yield "type: must be text, like 'kubernetes.io/tls'"
        return
    namespace = str(document["metadata"]["namespace"])
    draft.secrets[namespace, name] = SecretAnswer(SecretState.FOUND, uid=DRAFT_UID, type=type_, data=data)


def _decoded(value: str) -> bytes:
    return base64.b64decode("".join(value.split()), validate=True)


def _name(document: Raw) -> str | None:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


def documents(text: str, source: str) -> Iterator[Any]:
    """Yield the documents that say anything; those of a List one by one.

    Raises:
        NoDraftError: there are none, since it is no YAML.

    """
    try:
        found = read_documents(text)
    except NoYamlError as error:
        raise NoDraftError([error.at(source)]) from None
    for document in found:
        if isinstance(document, dict) and document.get("kind") == "List":
            items = document.get("items") or []
            if not isinstance(items, list):
                raise NoDraftError([f"{source}: items: must be a list, since the kind is List"])
            yield from items
        elif document is not None:
            yield document
