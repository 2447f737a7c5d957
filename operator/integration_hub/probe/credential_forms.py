"""Forms of a credential's value that are almost never meant, by which people recognise their own mistake.

Looked for only after the external system has rejected the value: a strange value that works is nobody's mistake. What
is told is the key and the form, never the value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from integration_hub.auth.flow import Credentials
from integration_hub.config.redaction import is_sensitive_name
from integration_hub.model.http import HttpRequest


class Form(Enum):
    """What a value looks like."""

    PLACEHOLDER = auto()
    QUOTED = auto()
    PREFIXED = auto()
    STRUCTURED = auto()
    ENCODED_TWICE = auto()


class Suspicion(NamedTuple):
    """A key of the Secret whose value looks wrong."""

    key: str
    form: Form


_PLACEHOLDER: Final = re.compile(
    r"<[^<>]*>|\$\{[^}]*\}|\$\([^)]*\)|\{\{.*\}\}|%[A-Za-z_]+%|__[A-Z_]+__"
    r"|change[-_ ]?me|changeit|replace[-_ ]?(me|this)|place[-_ ]?holder|fill[-_ ]?me[-_ ]?in|to-?do|tbd"
    r"|(your|insert)[-_ ].{0,60}|x{3,}|\*{3,}|\.{3,}|null|none|nil|undefined|n/a",
    re.IGNORECASE,
)
_QUOTES: Final = ('""', "''", "``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019", "\u00ab\u00bb")
_PREFIX: Final = re.compile(
    r"(authorization:\s*)?(bearer|basic|token|apikey|api-key|ssws)[ \t]+\S|authorization:", re.IGNORECASE
)
_ENTRY: Final = re.compile(
    r"(?:export[ ])?[\"']?(?P<name>[A-Za-z_][\w.-]{1,60})[\"']?(?:[ ]?=|:[ ])[ ]?[^=\s]"
)
_MIN_ENCODED: Final = 12
"""A shorter value may be base64 by chance."""


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] + value[-1] in _QUOTES


def _is_structured(value: str) -> bool:
    if value[:1] in {"{", "["}:
        try:
            return isinstance(json.loads(value), dict | list)
        except (ValueError, RecursionError):
            return value[-1:] in {"}", "]", ","}
    entry = _ENTRY.match(value)
    return entry is not None and is_sensitive_name(entry["name"])


def _is_encoded_twice(value: str) -> bool:
    """Tell whether a value is base64 of text. 'name:key' in base64 is how some systems write their keys."""
    if len(value) < _MIN_ENCODED or len(value) % 4:
        return False
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(re.fullmatch(rb"[\x21-\x39\x3b-\x7e]+\r?\n?", decoded))


_FORMS: Final[Sequence[tuple[Form, Callable[[str], bool]]]] = (
    (Form.PLACEHOLDER, lambda value: _PLACEHOLDER.fullmatch(value) is not None),
    (Form.QUOTED, _is_quoted),
    (Form.PREFIXED, lambda value: _PREFIX.match(value) is not None),
    (Form.STRUCTURED, _is_structured),
    (Form.ENCODED_TWICE, _is_encoded_twice),
)


def suspicion(credentials: Credentials, sent: HttpRequest | None = None) -> Suspicion | None:
    """Return the first key whose value looks wrong, None where none does.

    Where the request that was `sent` is known, a prefix counts only if the auth method put something before the value:
    a definition may well ask for 'Bearer ...' as a whole.
    """
    for key, value in credentials.items():
        for form, holds in _FORMS:
            if holds(value) and not (form is Form.PREFIXED and _is_sent_alone(value, sent)):
                return Suspicion(key, form)
    return None


def _is_sent_alone(value: str, sent: HttpRequest | None) -> bool:
    return sent is not None and value in sent.headers.values()
