"""What the queue holds: the name of an object to look at. Never the reason, never the object: levels, not edges."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Key(NamedTuple):
    """An object that is to be reconciled. `namespace` is empty for definitions."""

    plural: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return 'namespace/name', or the name where there is no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Priority(IntEnum):
    """Who waits for the reconcile; smaller goes first."""

    USER = 0
    """A person changed the object, or asked for a test."""
    INPUT = 1
    """Something that the object depends on changed."""
    PERIODIC = 2
    """A time has come."""
    STARTUP = 3
    """The operator has just started, or compared its store with the API server's list."""


class Wake(NamedTuple):
    """A key that should be reconciled, and how urgently."""

    key: Key
    priority: Priority
