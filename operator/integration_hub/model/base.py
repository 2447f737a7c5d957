"""The base of every model of a Kubernetes object. Nothing here knows a particular kind."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from integration_hub.model.names import (
    API_VERSION,
    AUTHORIZE_ANNOTATION,
    GROUP,
    REQUEST_ANNOTATION,
    REVOKE_FINALIZER,
    VERSION,
)

__all__ = [
    "API_VERSION",
    "AUTHORIZE_ANNOTATION",
    "GROUP",
    "REQUEST_ANNOTATION",
    "REVOKE_FINALIZER",
    "VERSION",
    "Model",
    "ObjectMeta",
]


class Model(BaseModel):
    """A frozen record with camelCase names on the wire.

    Unknown fields are ignored, not refused: the API server has already pruned or refused what the CRD does not
    know, and an operator that is older than its CRD must still read the rest.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form with camelCase names, without unset and null fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=False)


class ObjectMeta(Model):
    """The part of Kubernetes' ObjectMeta that the operator reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
