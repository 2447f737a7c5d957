"""What an interview starts from: the Secrets and names of the namespace, and the connection that is edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SecretSeen:
    """A Secret, less its values."""

    name: str
    keys: frozenset[str]
    type: str = "Opaque"
    changed: str = ""
    """When, as a person reads it; '' where that is not known."""
    keeper: str | None = None
    """The tool that keeps it as it is in its own source, in words."""
    is_made: bool = False
    """Whether the operator has made it for an instance, with which it goes: a binding, or what it has obtained."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is in the namespace already."""

    namespace: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Display names of the instances, by their names."""
    secrets: Mapping[str, SecretSeen] | None = field(default_factory=dict)
    """Those that a person may choose from; None where they may not be listed, or nobody chooses."""
    users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the instances that name a Secret, by its name."""
    looked_for: Callable[[str], bool] | None = field(default=None, repr=False, compare=False)
    """Tells whether there is a Secret of a name, where `secrets` do not say."""

    def has_secret(self, name: str) -> bool:
        """Tell whether there is a Secret of that name, as far as that can be seen."""
        return self.looked_for(name) if self.looked_for is not None else name in (self.secrets or {})


@dataclass(frozen=True, slots=True)
class Current:
    """The connection that is edited."""

    raw: Mapping[str, Any]
    secret: SecretSeen | None = None
    """The Secret that it names; None where it names none, or what it has cannot be seen."""
    is_secret_gone: bool = False
    """Whether there is no Secret of the name."""

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec."""
        spec: Mapping[str, Any] = self.raw["spec"]
        return spec

    @property
    def secret_name(self) -> str | None:
        """Name of the Secret that it names."""
        found = ((self.spec.get("auth") or {}).get("secretRef") or {}).get("name")
        return None if found is None else str(found)
