"""What the API server would refuse of a manifest, said without one: the CRD's own schema, its rules included.

An unknown field is named here, though an API server drops it silently where nobody asks for more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from integration_hub.config.validation import schema_violations
from integration_hub.config.violation import Violation, joined
from integration_hub.model.crds import OPEN, RULES, Schema, custom_resource_definitions
from integration_hub.probe.expressions import library


def refusals(kind: str, spec: object) -> list[Violation]:
    """Return what is wrong with the spec of one of our kinds, by path."""
    schema = _spec_schema(kind)
    value = _without_nulls(schema, spec)
    found = schema_violations(_checkable(schema), value, "spec")
    found += list(_size_violations(schema, value, "spec"))
    # As the API server does: rules are for what has the right shape.
    return found or list(_rule_violations(schema, value, "spec"))


@lru_cache(maxsize=8)
def _spec_schema(kind: str) -> Schema:
    definition = next(crd for crd in custom_resource_definitions() if crd["spec"]["names"]["kind"] == kind)
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema: Schema = root["properties"]["spec"]
    return schema


def _without_nulls(schema: Schema, value: Any) -> Any:
    """Return the value without fields that are null, which the API server takes as absent; open parts as they are."""
    if schema.get(OPEN):
        return value
    if isinstance(value, Mapping):
        return {
            name: _without_nulls(_below(schema, name), entry)
            for name, entry in value.items()
            if entry is not None
        }
    if isinstance(value, list):
        return [_without_nulls(schema.get("items", {}), entry) for entry in value]
    return value


def _below(schema: Schema, name: object) -> Schema:
    found = schema.get("properties", {}).get(name)
    return found if found is not None else schema.get("additionalProperties") or {}


def _checkable(schema: Schema) -> Schema:
    """Return the schema in JSON Schema's words, with every object closed that the CRD does not leave open."""
    kept: Schema = {
        name: schema[name]
        for name in ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
        if name in schema
    }
    if schema.get(OPEN):
        return kept
    if "required" in schema:
        kept["required"] = schema["required"]
    if "properties" in schema:
        kept["properties"] = {name: _checkable(below) for name, below in schema["properties"].items()}
        kept["additionalProperties"] = False
    elif "additionalProperties" in schema:
        kept["additionalProperties"] = _checkable(schema["additionalProperties"])
    if "items" in schema:
        kept["items"] = _checkable(schema["items"])
    return kept


def _size_violations(schema: Schema, value: Any, path: str) -> Iterator[Violation]:
    """Yield what JSON Schema cannot say: entries of the same name, and objects that are too large."""
    most = schema.get("maxProperties")
    if most is not None and isinstance(value, Mapping) and len(value) > most:
        yield Violation(path, f"must have at most {most} entries (it has {len(value)})")
    for key in schema.get("x-kubernetes-list-map-keys", ()) if isinstance(value, list) else ():
        seen: set[Any] = set()
        for index, entry in enumerate(value):
            name = entry.get(key) if isinstance(entry, Mapping) else None
            if isinstance(name, str) and name in seen:
                yield Violation(joined(path, index, key), "is the same as of an entry before it")
            if isinstance(name, str):
                seen.add(name)
    for below, entry, where in _children(schema, value, path):
        yield from _size_violations(below, entry, where)


def _rule_violations(schema: Schema, value: Any, path: str) -> Iterator[Violation]:
    for rule in schema.get(RULES, ()):
        if "oldSelf" not in rule["rule"] and not _holds(rule["rule"], value):
            yield Violation(path + rule.get("fieldPath", ""), rule["message"])
    for below, entry, where in _children(schema, value, path):
        yield from _rule_violations(below, entry, where)


def _children(schema: Schema, value: Any, path: str) -> Iterator[tuple[Schema, Any, str]]:
    if schema.get(OPEN):
        return
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield _below(schema, name), entry, joined(path, str(name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield schema.get("items", {}), entry, joined(path, index)


def _holds(rule: str, value: Any) -> bool:
    try:
        return bool(_compiled(rule).execute(library().Context({"self": value})))
    except Exception:  # noqa: BLE001 - the library's own errors: a rule without a value does not hold
        return False


@lru_cache(maxsize=256)
def _compiled(rule: str) -> Any:
    return library().compile(rule)
