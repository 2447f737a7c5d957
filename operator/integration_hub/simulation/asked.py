"""A request as the simulated vendor sees it, and what it answers. Plain data."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from integration_hub.catalog.vendor import ANY, Answer


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A request. It carries credentials, so its repr shows only what was asked for."""

    method: str
    host: str
    """With the port, where that is not 443."""
    path: str
    """As it was sent, still encoded."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    certificate: bytes | None = None
    """The certificate that the client has shown, as DER."""

    def __repr__(self) -> str:
        """Leave out everything that can carry a secret."""
        return f"{self.method} {self.host}{self.path}"

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query, decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def media_type(self) -> str:
        """The body's type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def basic(self) -> tuple[str, str] | None:
        """Return user name and password of HTTP Basic authentication (RFC 7617); None where there are none."""
        kind, _, text = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        return name, password

    def form(self) -> dict[str, str]:
        """Return the body as a form."""
        return dict(parse_qsl(self.body.decode("ascii", "replace"), keep_blank_values=True))

    def json(self) -> Any:
        """Return the body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, repr=False)
class Answered:
    """What is sent back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Leave out headers and body."""
        return f"Answered({self.status})"


def answered(answer: Answer) -> Answered:
    """Return an answer, filled in already, as it is sent."""
    media, body = _body(answer)
    headers = {"Content-Type": media} if media else {}
    given = {name.lower() for name in answer.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in given}
    return Answered(answer.status, {**kept, **answer.headers}, body)


def fits(wanted: str, value: str | None) -> bool:
    """Tell whether a value is the one that is wanted."""
    return value is not None and wanted in {ANY, value}


def _body(answer: Answer) -> tuple[str, bytes]:
    if answer.text is not None:
        return "text/plain; charset=utf-8", answer.text.encode()
    if answer.html is not None:
        return "text/html; charset=utf-8", answer.html.encode()
    if answer.form is not None:
        return "application/x-www-form-urlencoded", urlencode(answer.form).encode()
    if "json_" in answer.model_fields_set:
        return "application/json", json.dumps(answer.json_).encode()
    return "", b""
