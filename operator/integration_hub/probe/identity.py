"""Where in an answer stands who we are connected as.

The expression is a path, written so that it also is a CEL expression: `response.json.user.email`,
`response.json.accounts[0].name`, `response.json["user-name"]`, `response.headers["x-account"]`. An identity may join
several, and texts between them, as CEL does: `response.json.team + " / " + response.json.user`. A part may be a field
of the configuration, like `config.region`; alone it would say nothing of the answer.

Where a path cannot lead to it, such as to the entry of a list that the configuration names, it is any CEL expression:
one that calls a function, by which the two are told apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from integration_hub.config.redaction import redact_text
from integration_hub.model.http import HttpResponse
from integration_hub.probe.expressions import Document, EvaluationError, ExpressionError, compile_expression

Path = tuple[str | int, ...]
"""'json', 'headers' or 'config', and the steps below."""
Identity = tuple[Path | str, ...]
"""Paths, and texts between them."""

CONFIG = "config"
"""The first step of a path into the configuration."""

MAX_IDENTITY = 200
"""Characters of an identity that are kept in status."""

MAX_PARTS = 9
"""Paths and texts of one identity."""

_QUOTED = re.compile(r""""[^"\n]*"|'[^'\n]*'""")
_TEXT = re.compile(r"""\"(?P<double>[^"\\\n\r]{0,50})\"|'(?P<single>[^'\\\n\r]{0,50})'""")
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_]\w*) | \[(?P<index>\d{1,4})\] | \["(?P<key>[^"\\]{1,100})"\]""",
    re.VERBOSE | re.ASCII,
)


def parse_path(expression: str) -> Path:
    """Return the steps below `response`, starting with 'json' or 'headers'. Raise ValueError with what is expected."""
    text = expression.strip()
    path, end = _response_path_at(text, 0)
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
    if all(isinstance(part, str) or part[0] == CONFIG for part in parts):
        raise ValueError("must have a path into the answer, like 'response.json.user.email'")
    return tuple(parts)


def is_expression(identity: str) -> bool:
    """Tell whether an identity is a CEL expression that calls a function, and no paths."""
    return "(" in _QUOTED.sub("", identity)


def fields_read(identity: str) -> Mapping[str, int]:
    """Return the configuration's fields that an identity reads, each with its position.

    Raise ValueError where it cannot be read.
    """
    if is_expression(identity):
        expression = compile_expression(identity)
        if "json" not in expression.fields and "headers" not in expression.fields:
            raise ValueError(
                "must read 'response.json' or 'response.headers', like 'response.json.user.email'"
            )
        return expression.config
    names = [
        str(part[1]) for part in parse_identity(identity) if not isinstance(part, str) and part[0] == CONFIG
    ]
    return {
        name: max(identity.find(f"{CONFIG}{before}{name}") + len(CONFIG + before) for before in (".", '["'))
        for name in names
    }


def fields_read_unasked(identity: str) -> frozenset[str]:
    """Return those that it reads without having asked whether they have a value, as only an expression can.

    Raise ValueError where it cannot be read.
    """
    return (
        compile_expression(identity).unasked if is_expression(identity) else frozenset(fields_read(identity))
    )


def _part_at(text: str, position: int) -> tuple[Path | str, int]:
    """Return the path or text at a position, and where what follows it begins."""
    match = _TEXT.match(text, position)
    if match is not None:
        return match["double"] or match["single"] or "", _after_spaces(text, match.end())
    if text.startswith(CONFIG, position):
        path, end = _config_path_at(text, position)
        return path, _after_spaces(text, end)
    if position and not text.startswith("response", position):
        raise ValueError(
            f"cannot be read from character {position + 1} on: a path or a short text in quotes must follow '+'"
        )
    path, end = _response_path_at(text, position)
    return path, _after_spaces(text, end)


def _after_spaces(text: str, position: int) -> int:
    return len(text) - len(text[position:].lstrip(" "))


def _config_path_at(text: str, position: int) -> tuple[Path, int]:
    """Return the steps of the path to a field of the configuration at a position, and where it ends."""
    steps, position = _steps_at(text, position + len(CONFIG))
    if not steps or not isinstance(steps[0], str):
        raise ValueError("must name a field below 'config', like 'config.region'")
    return (CONFIG, *steps), position


def _response_path_at(text: str, position: int) -> tuple[Path, int]:
    """Return the steps of the path into the answer at a position, and where it ends."""
    if not text.startswith("response", position):
        raise ValueError(
            "must start with 'response.json' or 'response.headers', like 'response.json.user.email'"
        )
    steps, position = _steps_at(text, position + len("response"))
    if len(steps) < 2 or steps[0] not in {"json", "headers"}:  # noqa: PLR2004 - the source and at least one step
        raise ValueError(
            "must name a field below 'response.json' or 'response.headers', like 'response.json.id'"
        )
    return tuple(steps), position


def _steps_at(text: str, position: int) -> tuple[list[str | int], int]:
    """Return the steps at a position, and where they end: at the end of the text, or before a space or '+'."""
    steps: list[str | int] = []
    while (match := _STEP.match(text, position)) is not None:
        index = match["index"]
        steps.append(int(index) if index is not None else match["name"] or match["key"])
        position = match.end()
    if position < len(text) and text[position] not in " +":
        raise ValueError(f'cannot be read from character {position + 1} on: use .name, [0] or ["a name"]')
    return steps, position


def read_identity(
    identity: Identity,
    response: HttpResponse,
    secrets: Collection[str] = (),
    config: Mapping[str, Any] = {},
) -> str | None:
    """Return what the parts give as one line of text, None where a path leads to no scalar value.

    `secrets` are masked in it, before it is cut: the first half of a token would no longer be known as one.
    """
    sources = {part[0] for part in identity if not isinstance(part, str)}
    documents = {source: config if source == CONFIG else _document(source, response) for source in sources}
    texts: list[str] = []
    for part in identity:
        text = part if isinstance(part, str) else _value(documents[part[0]], part)
        if text is None:
            return None
        texts.append(text)
    return _kept("".join(texts), secrets)


def evaluated_identity(expression: str, document: Document, secrets: Collection[str] = ()) -> str | None:
    """Return what an identity that is an expression gives, as one line of text; None where that is no scalar value."""
    try:
        text = _line(compile_expression(expression).evaluate(document))
    except (ExpressionError, EvaluationError):
        return None
    return _kept(text, secrets) if text else None


def _kept(text: str, secrets: Collection[str]) -> str | None:
    return redact_text(text.strip(), secrets)[:MAX_IDENTITY] or None


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
        value = _below(value, str(step).lower() if source == "headers" else step)
    return _line(value)


def _line(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return "".join(character if character.isprintable() else " " for character in str(value)).strip() or None


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return value[step] if is_list and step < len(value) else None
