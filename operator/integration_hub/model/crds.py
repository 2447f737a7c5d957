"""The CustomResourceDefinitions as dicts, built from the models. `tools/generate_crds.py` writes them.

What may live here: what a CRD says beside the models (names, columns, selectable fields), and the translation
of pydantic's JSON Schema into a structural one, as Kubernetes demands: no references, no null unions. Pure.
Defaults are left out on purpose: one that the API server writes into an object is drift to Argo CD and Flux.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from integration_hub.model.base import GROUP, VERSION, Model
from integration_hub.model.definition import IntegrationDefinition
from integration_hub.model.instance import IntegrationInstance

Schema = dict[str, Any]

RULES = "x-kubernetes-validations"
OPEN = "x-kubernetes-preserve-unknown-fields"


class Column(NamedTuple):
    """A column of `kubectl get`. Priority 1 shows with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0


class Kind(NamedTuple):
    """What a CRD says about a kind beside its schema."""

    model: type[Model]
    plural: str
    short_name: str
    scope: str
    columns: tuple[Column, ...]
    selectable_fields: tuple[str, ...] = ()


READY = Column(
    "Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether it works: True, False or Unknown."
)
REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why, in one word.")
MESSAGE = Column(
    "Message",
    '.status.conditions[?(@.type=="Ready")].message',
    "What was found and what to do next.",
    priority=1,
)
AGE = Column("Age", ".metadata.creationTimestamp", "Time since it was created.", type="date")

KINDS = (
    Kind(
        model=IntegrationDefinition,
        plural="integrationdefinitions",
        short_name="idef",
        scope="Cluster",
        columns=(
            READY,
            REASON,
            Column("Version", ".spec.version", "Version of the definition."),
            Column("Display name", ".spec.displayName", "Name of the external system."),
            AGE,
            MESSAGE,
        ),
    ),
    Kind(
        model=IntegrationInstance,
        plural="integrationinstances",
        short_name="iinst",
        scope="Namespaced",
        columns=(
            READY,
            REASON,
            Column("Definition", ".spec.definitionRef.name", "What it connects to."),
            Column("Identity", ".status.identity", "Who the external system says we are."),
            # A string, not a date: dates are shown as the time since then, and a time to come as '<invalid>'.
            Column("Expires", ".status.credential.expiresAt", "When the credential ends."),
            Column("Last tested", ".status.lastTested", "Time since the last test.", type="date"),
            AGE,
            MESSAGE,
        ),
        selectable_fields=(".spec.definitionRef.name", ".spec.auth.secretRef.name", ".status.phase"),
    ),
)

ROOT_PROPERTIES: dict[str, Schema] = {
    "apiVersion": {
        "description": f"Group and version of this object's format: '{GROUP}/{VERSION}'.",
        "type": "string",
    },
    "kind": {"description": "Kind of this object.", "type": "string"},
    # The API server documents metadata itself, and refuses a description here.
    "metadata": {"type": "object"},
}

DROPPED = frozenset({"title", "default"})
"""Keywords that must not reach the CRD: titles only repeat the names; for defaults see the top."""


class NotStructuralError(ValueError):
    """A model uses something that a CRD cannot express."""


def custom_resource_definitions() -> list[dict[str, Any]]:
    """Return one CustomResourceDefinition per kind."""
    return [custom_resource_definition(kind) for kind in KINDS]


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind, its keys in the order in which people read them."""
    name = kind.model.__name__
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column_entry(column) for column in kind.columns],
    }
    if kind.selectable_fields:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable_fields]
    version["schema"] = {"openAPIV3Schema": root_schema(kind.model)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["hub"],
            },
            "scope": kind.scope,
            "versions": [version],
        },
    }


def column_entry(column: Column) -> dict[str, Any]:
    """Return the column as a CRD has it. Priority 0 is the default and left out, as the API server does."""
    entry: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "jsonPath": column.path,
    }
    return {**entry, "priority": column.priority} if column.priority else entry


def root_schema(model: type[Model]) -> Schema:
    """Return the schema of a whole object of the kind."""
    source = model.model_json_schema(by_alias=True)
    definitions = source.pop("$defs")
    schema = structural({**source, "required": ["spec"]}, definitions)
    own = {name: child for name, child in schema["properties"].items() if name not in ROOT_PROPERTIES}
    return {**schema, "properties": {**ROOT_PROPERTIES, **own}}


def structural(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the structural form of a JSON Schema of pydantic's, its keywords in one fixed order."""
    flat = flattened(schema, definitions)
    if flat.get(OPEN):
        # Says the same in JSON Schema's words; a CRD may not say both.
        flat.pop("additionalProperties", None)
    if flat.get("additionalProperties") is True:
        raise NotStructuralError(f"{flat['title']}: an open object must say so: use JsonObject")
    if unknown := flat.keys() - KEYWORDS.keys() - DROPPED:
        raise NotStructuralError(f"{flat.get('title', 'a schema')}: a CRD cannot express {sorted(unknown)}")
    return {
        keyword: convert(flat[keyword], definitions)
        for keyword, convert in KEYWORDS.items()
        if keyword in flat
    }


def flattened(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the schema with what it refers to merged into it.

    What stands next to a reference wins over the referenced, except for rules: all of them hold. `X | None`
    becomes X: in Kubernetes an optional field is absent, never null.
    """
    flat = {keyword: value for keyword, value in schema.items() if keyword not in {"$ref", "anyOf"}}
    for target in referenced(schema, definitions):
        base = flattened(target, definitions)
        rules = [*base.get(RULES, []), *flat.get(RULES, [])]
        flat = {**base, **flat, **({RULES: rules} if rules else {})}
    return flat


def referenced(schema: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    """Return what `$ref` and `anyOf` of the schema lead to, null left out."""
    targets = [definitions[schema["$ref"].removeprefix("#/$defs/")]] if "$ref" in schema else []
    branches = [branch for branch in schema.get("anyOf", []) if branch != {"type": "null"}]
    if len(branches) > 1:
        raise NotStructuralError(f"{schema.get('title', 'a schema')}: a field of a CRD has one type")
    return targets + branches


Convert = Callable[[Any, Mapping[str, Schema]], Any]


def _kept(value: Any, definitions: Mapping[str, Schema]) -> Any:
    return value


def _one_line(value: Any, definitions: Mapping[str, Schema]) -> str:
    return " ".join(str(value).split())


def _each(value: Any, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: structural(child, definitions) for name, child in value.items()}


KEYWORDS: dict[str, Convert] = {
    "description": _one_line,
    "type": _kept,
    "format": _kept,
    "enum": _kept,
    "minimum": _kept,
    "maximum": _kept,
    "minLength": _kept,
    "maxLength": _kept,
    "minItems": _kept,
    "maxItems": _kept,
    "minProperties": _kept,
    "maxProperties": _kept,
    OPEN: _kept,
    "x-kubernetes-list-type": _kept,
    "x-kubernetes-list-map-keys": _kept,
    RULES: _kept,
    "required": _kept,
    "properties": _each,
    "additionalProperties": structural,
    "items": structural,
}
"""Every keyword that may reach a CRD, in the order in which it is written, with its translation."""
