"""What in a definition nobody has checked against the documentation of the vendor: it must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from integration_hub.catalog.lint.subject import Finding, Raw, Subject, error
from integration_hub.model.names import GROUP

UNVERIFIED: Final = f"{GROUP}/unverified"
"""Annotation: what in the definition nobody has checked against the vendor's documentation, a line each, like
'spec.tests[account].request: the cheapest request that tells who is connected'."""

_PATH_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\[\]]+)\]")

_LINE: Final = re.compile(r"(?P<path>spec[^\s:]*): (?P<words>.+)")


def unverified_is_listed(subject: Subject) -> Iterator[Finding]:
    """Each line of the annotation names a place of the definition, and what about it is not checked."""
    path = f"metadata.annotations.{UNVERIFIED}"
    for number, line in enumerate(subject.annotations.get(UNVERIFIED, "").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            yield error(
                path, f"line {number} must be written 'spec.tests[NAME].request: what nobody has checked'"
            )
        elif not stands(subject.raw, match["path"]):
            yield error(path, f"line {number} names '{match['path']}', which there is not in the definition")


def unverified(raw: Raw) -> list[tuple[str, str]]:
    """Return the places of a definition that nobody has checked, each with what about it."""
    text = ((raw.get("metadata") or {}).get("annotations") or {}).get(UNVERIFIED, "")
    matches = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(match["path"], match["words"]) for match in matches if match]


def stands(value: Any, path: str) -> bool:
    """Tell whether there is something at a path like 'spec.tests[account].request'; entries of lists by their name."""
    for step in _PATH_STEP.finditer(path):
        name = step[1] or step[2]
        if isinstance(value, Mapping):
            if name not in value:
                return False
            value = value[name]
        elif isinstance(value, list):
            entry = next(
                (one for index, one in enumerate(value) if name in {str(index), _name_of(one)}),
                None,
            )
            if entry is None:
                return False
            value = entry
        else:
            return False
    return True


def _name_of(entry: Any) -> str | None:
    return entry.get("name") if isinstance(entry, Mapping) else None
