"""Checking an instance's configuration against its definition's configSchema.

The schema must satisfy the profile (`profile_violations`); what is outside of it has no defined meaning here.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from integration_hub.config.formats import FORMATS
from integration_hub.config.messages import translated
from integration_hub.config.pattern import compiled
from integration_hub.config.values import as_text, choices, did_you_mean, in_words
from integration_hub.config.violation import Violation, joined

ROOT: Final = "spec.config"
MAX_VIOLATIONS: Final = 20
"""A status and an Event must stay readable; who corrects twenty mistakes sees the next ones."""
MAX_MATCHED: Final = 10_000
"""Characters of a value that a pattern is run over; a longer value does not satisfy any pattern."""

Schema = Mapping[str, Any]


def secret_fields(schema: Schema) -> tuple[str, ...]:
    """Return the names of the fields that are marked with x-hub-secret: their values come from the Secret."""
    return tuple(
        name
        for name, field in _properties(schema).items()
        if isinstance(field, Mapping) and field.get("x-hub-secret")
    )


def discriminator(branches: list[Any]) -> str | None:
    """Return the property that is a distinct `const` in every branch of a oneOf, or None."""
    names = [
        {
            name: field["const"]
            for name, field in _properties(branch).items()
            if isinstance(field, Mapping) and "const" in field
        }
        for branch in branches
        if isinstance(branch, Mapping)
    ]
    if not names or len(names) < len(branches):
        return None
    for name in names[0]:
        values = [as_text(branch[name]) for branch in names if name in branch]
        if len(set(values)) == len(branches):
            return name
    return None


class ConfigValidator:
    """Validates configuration. Never changes, so one object serves all instances of a definition."""

    def __init__(self, schema: Schema) -> None:
        """Take a schema that satisfies the profile; it is copied."""
        self._schema: dict[str, Any] = copy.deepcopy(dict(schema))
        self._secret = frozenset(secret_fields(schema))
        self._fields = {
            name: field for name, field in _properties(self._schema).items() if name not in self._secret
        }

    def effective(self, config: Schema, preset: Schema = {}) -> dict[str, Any]:  # noqa: B006 - never changed
        """Return the configuration in effect: the instance's own over the preset over the defaults.

        Objects are merged one level deep; lists and scalars replace. Where preset and configuration select
        different branches of a oneOf, the preset's object is dropped as a whole: its fields belong to the
        other branch. A field that is null counts as absent. The arguments are not changed and share nothing
        with the result.
        """
        merged: dict[str, Any] = {}
        for layer in (_defaults(self._schema, self._secret), _given(preset), _given(config)):
            for name, value in layer.items():
                merged[name] = self._merged(name, merged.get(name), value)
        for name, value in merged.items():
            if isinstance(value, dict):
                merged[name] = {**_defaults(self._selected(name, value)), **value}
        return merged

    def violations(self, config: Schema) -> list[Violation]:
        """Return what is wrong, sorted by path, at most MAX_VIOLATIONS."""
        found = set(self._misplaced_secrets(config))
        plain = {name: value for name, value in _given(config).items() if name not in self._secret}
        found.update(self._unselected(plain))
        validator = _Validator(self._schema_for(plain), format_checker=None)
        for error in validator.iter_errors(plain):
            found.update(translated(error, ROOT))
        return sorted(found, key=lambda violation: (violation.path, violation.message))[:MAX_VIOLATIONS]

    def _merged(self, name: str, below: Any, above: Any) -> Any:
        if not isinstance(below, dict) or not isinstance(above, dict):
            return above
        key = self._discriminator_of(name)
        if key is not None and key in above and above[key] != below.get(key):
            return above
        return {**below, **above}

    def _discriminator_of(self, name: str) -> str | None:
        field = self._fields.get(name, {})
        return discriminator(field["oneOf"]) if "oneOf" in field else None

    def _selected(self, name: str, value: Any) -> dict[str, Any]:
        """Return the field's schema, of a oneOf the selected branch, or {} when none is selected."""
        field = self._fields.get(name, {})
        key = self._discriminator_of(name)
        if key is None:
            return dict(field)
        chosen = value.get(key) if isinstance(value, Mapping) else None
        return next(
            (dict(branch) for branch in field["oneOf"] if branch["properties"][key]["const"] == chosen), {}
        )

    def _unselected(self, config: Schema) -> Iterator[Violation]:
        for name, field in self._fields.items():
            key = self._discriminator_of(name)
            if key is None or name not in config or self._selected(name, config[name]):
                continue
            if not isinstance(config[name], Mapping):
                yield Violation(
                    joined(ROOT, name), f"must be a group of fields, not {in_words(config[name])}"
                )
                continue
            known = [branch["properties"][key]["const"] for branch in field["oneOf"]]
            chosen = config[name].get(key)
            said = "is required: one of" if chosen is None else f"must be one of{did_you_mean(chosen, known)}"
            yield Violation(joined(ROOT, name, key), f"{said}: {choices(known)}")

    def _schema_for(self, config: Schema) -> dict[str, Any]:
        """Return the schema for this configuration: no secret fields, closed objects, selected branches."""
        fields = {name: _closed(self._selected(name, config.get(name))) for name in self._fields}
        required = [name for name in self._schema.get("required", []) if name not in self._secret]
        return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}

    def _misplaced_secrets(self, config: Schema) -> Iterator[Violation]:
        for name in self._secret.intersection(config):
            yield Violation(
                joined(ROOT, name),
                "is a secret and must not stand here: put it into the Secret that spec.auth.secretRef names,"
                f" under the key '{name}', and replace it by a new one if it was ever committed",
            )


def schema_violations(schema: Schema, value: Any, root: str) -> list[Violation]:
    """Return what is wrong with one value: a field's default or example, or an auth method's settings."""
    validator = _Validator(_closed(dict(schema)), format_checker=None)
    found = {violation for error in validator.iter_errors(value) for violation in translated(error, root)}
    return sorted(found, key=lambda violation: (violation.path, violation.message))


def _properties(schema: Any) -> Mapping[str, Any]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _given(config: Schema) -> dict[str, Any]:
    """Return a deep copy without the fields that are null, in the object and in the objects in it."""
    return {
        name: {key: copy.deepcopy(entry) for key, entry in value.items() if entry is not None}
        if isinstance(value, Mapping)
        else copy.deepcopy(value)
        for name, value in config.items()
        if value is not None
    }


def _defaults(schema: Schema, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {
        name: copy.deepcopy(field["default"])
        for name, field in _properties(schema).items()
        if "default" in field and name not in without
    }


def _closed(field: dict[str, Any]) -> dict[str, Any]:
    """Return the field's schema with its object closed, which the profile makes it in any case."""
    if "properties" in field:
        return {**field, "additionalProperties": False}
    return field


def _matches(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and (len(value) > MAX_MATCHED or not compiled(pattern).search(value)):
        yield ValidationError("does not match")


def _has_format(_: Any, name: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not FORMATS[name].holds(value):
        yield ValidationError("has another format")


_Validator: Final[Any] = extend(Draft202012Validator, {"pattern": _matches, "format": _has_format})  # type: ignore[no-untyped-call]
"""jsonschema's own `pattern` backtracks, and its formats depend on which packages are installed."""
