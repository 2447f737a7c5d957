"""Requests, responses and failures as data: what flows yield, what adapters return, what diagnosis reads.

No I/O and no library's types, so that an auth flow or a diagnosis can be run in a test with plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """A request to an external system. It may carry credentials, so its repr shows only method, scheme and host."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    purpose: str = "test"
    """'test' for the request that is asked for, 'token' for one that an auth flow needs before it."""

    def __repr__(self) -> str:
        """Leave out everything that can carry a secret."""
        origin = "/".join(self.url.split("/", 3)[:3])
        return f"HttpRequest({self.method} {origin}/…, purpose={self.purpose})"


@dataclass(frozen=True, slots=True, repr=False)
class HttpResponse:
    """An answer. Header names are lower-case; the body is complete, decoded from any Content-Encoding, and bounded."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Leave out headers and body: they can carry a secret."""
        return f"HttpResponse({self.status}, {len(self.body)} bytes)"


class FailureKind(StrEnum):
    """How an exchange failed before an answer could be read. Ordered by the stage in which it happens."""

    HOST_NOT_ALLOWED = "host-not-allowed"
    SCHEME_NOT_ALLOWED = "scheme-not-allowed"
    ADDRESS_NOT_ALLOWED = "address-not-allowed"
    TRUST_INVALID = "trust-invalid"
    HOST_NOT_FOUND = "host-not-found"
    DNS_FAILED = "dns-failed"
    CONNECTION_REFUSED = "connection-refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS_UNTRUSTED = "tls-untrusted"
    TLS_HOST_MISMATCH = "tls-host-mismatch"
    TLS_EXPIRED = "tls-expired"
    TLS_FAILED = "tls-failed"
    RESPONSE_TIMEOUT = "response-timeout"
    CONNECTION_LOST = "connection-lost"
    RESPONSE_TOO_LARGE = "response-too-large"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no answer could be read, as evidence. `detail` is one safe phrase, never text of the other side."""

    kind: FailureKind
    host: str
    """Host and port, like 'api.example.com:443'."""
    detail: str = ""
    """For instance 'self-signed certificate' or '10.0.0.1 is a private address'."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one exchange ended: exactly one of `response` and `failure` is set. `seconds` is its whole duration."""

    response: HttpResponse | None
    failure: Failure | None
    seconds: float
    purpose: str = "test"
