"""JSON merge patch (RFC 7386): the smallest one that turns one object into another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch from `before` to `after`. Lists are replaced as a whole, as the RFC has it."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            below = merge_patch(old, value)
            if below:
                patch[name] = below
        elif name not in before or not _same(old, value):
            patch[name] = value
    return patch


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does: to Python, true is 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
