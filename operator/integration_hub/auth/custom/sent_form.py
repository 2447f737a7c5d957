"""What of a request the other side sees in its first lines, byte for byte: a signature must cover just that.

The HTTP adapter builds the same from the same parts (`adapters/http.py`); a test holds the two together.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlencode, urlsplit

from integration_hub.config.hosts import HostError, checked_host
from integration_hub.model.http import HttpRequest

_PRINTABLE_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

NEVER_AS_GIVEN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers that are left out, replaced, or rewritten on the way."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """A request line and its Host header."""

    method: str
    scheme: str
    host: str
    """With the port where it is not the scheme's own, like 'localhost:9000'."""
    path: str
    """Percent-encoded, never empty."""
    query: str
    """Percent-encoded, without '?'; '' where there is none."""

    @property
    def target(self) -> str:
        """Path and query, as they stand in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


def sent_form(request: HttpRequest) -> SentForm:
    """Return the form in which the request will be sent."""
    parts = urlsplit(request.url)
    query = "&".join(filter(None, (parts.query, urlencode(request.query, quote_via=quote, safe=""))))
    return SentForm(
        method=request.method.upper(),
        scheme=parts.scheme,
        host=_host(parts),
        path=quote(parts.path or "/", safe=_PRINTABLE_ASCII),
        query=quote(query, safe=_PRINTABLE_ASCII),
    )


def encoded(text: str | bytes, *, keep: str = "") -> str:
    """Return the text with all but RFC 3986's unreserved characters, and those to keep, percent-encoded."""
    return quote(text, safe=f"~{keep}")


def sorted_query(query: str) -> str:
    """Return a sent query as most signatures want it: sorted by name, then value, each encoded in the one way."""
    pairs = (parameter.partition("=") for parameter in query.split("&") if parameter)
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(
            (encoded(unquote_to_bytes(name)), encoded(unquote_to_bytes(value))) for name, _, value in pairs
        )
    )


def body_digest(request: HttpRequest, algorithm: str = "sha256") -> bytes:
    """Return the hash of the body; no body counts as an empty one."""
    return hashlib.new(algorithm, request.body or b"").digest()


def _host(parts: SplitResult) -> str:
    # A host that is none is never sent to: what is signed then makes no difference.
    with suppress(ValueError, HostError):
        host = parts.hostname or ""
        host = checked_host(f"[{host}]" if "[" in parts.netloc else host.removesuffix("."))
        port = parts.port
        return host if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"
    return parts.netloc
