"""Where in an answer stands who we are connected as.

The expression is a path, written so that it also is a CEL expression: `response.json.user.email`,
`response.json.accounts[0].name`, `response.json["user-name"]`, `response.headers["x-account"]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration_hub.config.redaction import redact_text
from integration_hub.model.http import HttpResponse

Path = tuple[str | int, ...]

MAX_IDENTITY = 200
"""Characters of an identity that are kept in status."""

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_]\w*) | \[(?P<index>\d{1,4})\] | \["(?P<key>[^"\\]{1,100})"\]""",
    re.VERBOSE | re.ASCII,
)


def parse_path(expression: str) -> Path:
    """Return the steps below `response`, starting with 'json' or 'headers'. Raise ValueError with what is expected."""
    text = expression.strip()
    if not text.startswith("response"):
        raise ValueError(
            "must start with 'response.json' or 'response.headers', like 'response.json.user.email'"
        )
    steps: list[str | int] = []
    position = len("response")
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(f'cannot be read from character {position + 1} on: use .name, [0] or ["a name"]')
        index = match["index"]
        steps.append(int(index) if index is not None else match["name"] or match["key"])
        position = match.end()
    if len(steps) < 2 or steps[0] not in {"json", "headers"}:  # noqa: PLR2004 - the source and at least one step
        raise ValueError(
            "must name a field below 'response.json' or 'response.headers', like 'response.json.id'"
        )
    return tuple(steps)


def read_identity(path: Path, response: HttpResponse, secrets: Collection[str] = ()) -> str | None:
    """Return the value at the path as one line of text, None where there is no scalar value there.

    `secrets` are masked in it, before it is cut: the first half of a token would no longer be known as one.
    """
    source, *steps = path
    value: Any = response.headers
    if source == "json":
        try:
            value = json.loads(response.body)
        except (ValueError, RecursionError):
            return None
    else:
        steps = [str(step).lower() for step in steps]
    for step in steps:
        value = _below(value, step)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = "".join(character if character.isprintable() else " " for character in str(value)).strip()
    return redact_text(text, secrets)[:MAX_IDENTITY] or None


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return value[step] if is_list and step < len(value) else None
