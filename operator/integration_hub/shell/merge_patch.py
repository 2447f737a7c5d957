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
        elif name not in before or old != value:
            patch[name] = value
    return patch
