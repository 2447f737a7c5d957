"""Where in an answer stands who we are connected as.

The expression is a path, written so that it also is a CEL expression: `response.json.user.email`,
`response.json.accounts[0].name`, `response.json["user-name"]`, `response.headers["x-account"]`. An identity may join
several, and texts between them, as CEL does: `response.json.team + " / " + response.json.user`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration_hub.config.redaction import redact_text
from integration_hub.model.http import HttpResponse

Path = tuple[str | int, ...]
Identity = tuple[Path | str, ...]
"""Paths, and texts between them."""

MAX_IDENTITY = 200
"""Characters of an identity that are kept in status."""

MAX_PARTS = 9
"""Paths and texts of one identity."""

_TEXT = re.compile(r"""\"(?P<double>[^"\\\n\r]{0,50})\"|'(?P<single>[^'\\\n\r]{0,50})'""")
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_]\w*) | \[(?P<index>\d{1,4})\] | \["(?P<key>[^"\\]{1,100})"\]""",
    re.VERBOSE | re.ASCII,
)


def parse_path(expression: str) -> Path:
    """Return the steps below `response`, starting with 'json' or 'headers'. Raise ValueError with what is expected."""
    text = expression.strip()
    path, end = _path_at(text, 0)
    if end < len(text):
        raise ValueError(f'cannot be read from character {end + 1} on: use .name, [0] or ["a name"]')
    return path


def parse_identity(expression: str) -> Identity:
    """Return the paths and texts that are joined by '+'. Raise ValueError with what is expected."""
    text = expression.strip()
    parts: list[Path | str] = []
    position = 0
    while True:
        part, position = _part_at(text, position)
        parts.append(part)
        if position == len(text):
            break
        if text[position] != "+":
            raise ValueError(
                f"cannot be read from character {position + 1} on: use .name, [0] or [\"a name\"], or '+' before more"
            )
        position = _after_spaces(text, position + 1)
    if len(parts) > MAX_PARTS:
        raise ValueError(f"joins {len(parts)} paths and texts; {MAX_PARTS} are the most")
    if all(isinstance(part, str) for part in parts):
        raise ValueError("must have a path into the answer, like 'response.json.user.email'")
    return tuple(parts)


def _part_at(text: str, position: int) -> tuple[Path | str, int]:
    """Return the path or text at a position, and where what follows it begins."""
    match = _TEXT.match(text, position)
    if match is not None:
        return match["double"] or match["single"] or "", _after_spaces(text, match.end())
    if position and not text.startswith("response", position):
        raise ValueError(
            f"cannot be read from character {position + 1} on: a path or a short text in quotes must follow '+'"
        )
    path, end = _path_at(text, position)
    return path, _after_spaces(text, end)


def _after_spaces(text: str, position: int) -> int:
    return len(text) - len(text[position:].lstrip(" "))


def _path_at(text: str, position: int) -> tuple[Path, int]:
    """Return the steps of the path at a position, and where it ends."""
    if not text.startswith("response", position):
        raise ValueError(
            "must start with 'response.json' or 'response.headers', like 'response.json.user.email'"
        )
    steps: list[str | int] = []
    position += len("response")
    while (match := _STEP.match(text, position)) is not None:
        index = match["index"]
        steps.append(int(index) if index is not None else match["name"] or match["key"])
        position = match.end()
    if position < len(text) and text[position] not in " +":
        raise ValueError(f'cannot be read from character {position + 1} on: use .name, [0] or ["a name"]')
    if len(steps) < 2 or steps[0] not in {"json", "headers"}:  # noqa: PLR2004 - the source and at least one step
        raise ValueError(
            "must name a field below 'response.json' or 'response.headers', like 'response.json.id'"
        )
    return tuple(steps), position


def read_identity(identity: Identity, response: HttpResponse, secrets: Collection[str] = ()) -> str | None:
    """Return what the parts give as one line of text, None where a path leads to no scalar value.

    `secrets` are masked in it, before it is cut: the first half of a token would no longer be known as one.
    """
    sources = {part[0] for part in identity if not isinstance(part, str)}
    documents = {source: _document(source, response) for source in sources}
    texts: list[str] = []
    for part in identity:
        text = part if isinstance(part, str) else _value(documents[part[0]], part)
        if text is None:
            return None
        texts.append(text)
    return redact_text("".join(texts).strip(), secrets)[:MAX_IDENTITY] or None


def _document(source: str | int, response: HttpResponse) -> Any:
    if source != "json":
        return response.headers
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def _value(document: Any, path: Path) -> str | None:
    """Return the whole value at the path as one line of text."""
    source, *steps = path
    value = document
    for step in steps:
        value = _below(value, step if source == "json" else str(step).lower())
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return "".join(character if character.isprintable() else " " for character in str(value)).strip() or None


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return value[step] if is_list and step < len(value) else None
