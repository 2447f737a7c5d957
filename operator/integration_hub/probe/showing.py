"""What may be shown of a test: texts without the secrets, and those of the other side in a form that is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

import orjson

from integration_hub.auth.credentials import secret_values
from integration_hub.auth.flow import Credentials
from integration_hub.config.redaction import (
    MASK,
    SecretForms,
    is_sensitive_name,
    redact_headers,
    redact_text,
    secret_forms,
)
from integration_hub.model.http import HttpRequest

_WORD: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")

_SECRET_PARAMETERS: Final = frozenset({"code", "token"})
"""Of token requests, beside those whose name says it."""


class Showing:
    """Passes what may be shown of a test that was made with these credentials."""

    def __init__(self, credentials: Credentials, sent: HttpRequest | None, *, is_token: bool) -> None:
        """`sent` is what went out, None where that is not known; `is_token` says that it asked for a token."""
        self._credentials = credentials
        self._sent = sent
        self._is_token = is_token

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: the Secret's values, and what was made or got of them and then sent."""
        headers = self._sent.headers if self._sent else {}
        masked = redact_headers(headers)
        sent = (headers[name] for name, value in masked.items() if value == MASK)
        return (
            *secret_values(self._credentials),
            *(part for value in sent for part in (value, value.split(" ")[-1])),
            *(_asked_with(self._sent) if self._sent is not None and self._is_token else ()),
        )

    @cached_property
    def forms(self) -> SecretForms:
        """All forms of the secrets: some ten texts of each answer are masked."""
        return secret_forms(self.secrets)

    def masked(self, text: str) -> str:
        """Return a text of ours without the secrets that have got into it, and otherwise as it is."""
        for form in self.forms:
            text = text.replace(form, MASK)
        return text

    def line(self, text: str, limit: int) -> str:
        """Return a text of the other side as it may be shown: one line, masked, at most `limit` characters."""
        line = "".join(character if character.isprintable() else " " for character in text[:2000]).strip()
        masked = redact_text(line, self.forms)
        return masked if len(masked) <= limit else masked[: limit - 1] + "…"

    def word(self, text: str, pattern: re.Pattern[str] = _WORD) -> str | None:
        """Return a word of the other side if it has the form that is expected and nothing of a secret, else None."""
        if not pattern.fullmatch(text) or redact_text(text, self.forms) != text:
            return None
        lowered = text.lower()
        return None if any(lowered in secret.lower() for secret in self.secrets) else text


def _asked_with(request: HttpRequest) -> Iterator[str]:
    """Yield the secrets in a token request's body: codes, verifiers and refresh tokens stand in nobody's Secret."""
    body = request.body or b""
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        read = None
    found = read.items() if isinstance(read, dict) else parse_qsl(body.decode("utf-8", "replace"))
    for name, value in found:
        if isinstance(value, str) and (name in _SECRET_PARAMETERS or is_sensitive_name(name)):
            yield value
