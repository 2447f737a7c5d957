"""What is wrong with a value, by path. The one shape in which every check of ours reports."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class Violation:
    """One mistake: where it stands, like 'spec.config.ports[0]', and what is expected there."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def joined(path: str, *parts: str | int) -> str:
    """Return the path with parts below it: '.name', '[0]', or '["odd name"]' where dots would mislead."""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else _named(part)
    return path


def _named(name: str) -> str:
    if _PLAIN.fullmatch(name) and len(name) <= _MAX_NAME:
        return f".{name}"
    shown = "".join(char if char.isprintable() else "?" for char in name[:_MAX_NAME])
    return f'["{shown}{"…" if len(name) > _MAX_NAME else ""}"]'
