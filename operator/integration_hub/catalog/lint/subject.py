"""What a rule of the lint is given, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from integration_hub.model.names import GROUP

if TYPE_CHECKING:
    # Only named here: commands that show a definition of the catalog load no model of it.
    from integration_hub.model.definition import DefinitionSpec

Raw = Mapping[str, Any]

SELF_HOSTED: Final = f"{GROUP}/self-hosted"
"""Annotation, 'true': the system has no home of its own, so an instance says where its credentials go."""

NO_IDENTITY: Final = f"{GROUP}/no-identity"
"""Annotation: why the system does not tell who is connected."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend, or to think about, and where."""

    level: Literal["error", "warning"]
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A definition that is looked at."""

    raw: Raw
    spec: DefinitionSpec

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return (self.raw.get("metadata") or {}).get("annotations") or {}

    @property
    def is_self_hosted(self) -> bool:
        """Whether people run the system themselves."""
        return self.annotations.get(SELF_HOSTED) == "true"

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of its configSchema."""
        found: Mapping[str, Any] = self.spec.config_schema.get("properties") or {}
        return found

    @property
    def required(self) -> frozenset[str]:
        """The fields that an instance must give, secrets among them."""
        return frozenset(self.spec.config_schema.get("required") or ())

    @property
    def always_set(self) -> frozenset[str]:
        """The fields that have a value in every connection: required, or with a default."""
        return self.required | {name for name, field in self.fields.items() if "default" in field}


def error(path: str, message: str) -> Finding:
    """Return something that must be mended."""
    return Finding("error", path, message)


def warning(path: str, message: str) -> Finding:
    """Return something that is worth a thought."""
    return Finding("warning", path, message)
