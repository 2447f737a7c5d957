"""Requests, responses and failures as data: what flows yield, what adapters return, what diagnosis reads.

No I/O and no library's types, so that an auth flow or a diagnosis can be run in a test with plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, repr=False)
class ClientCertificate:
    """What proves who we are in the TLS handshake itself (RFC 8446 section 4.4.2), as PEM texts."""

    certificate: str
    """The certificate, and those of the authorities between it and the root."""
    private_key: str

    def __repr__(self) -> str:
        """Show nothing."""
        return "ClientCertificate()"


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """A request to an external system. It may carry credentials, so its repr shows only method, scheme and host."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    purpose: str = "test"
    """'test' for the request that is asked for, 'token' for one that an auth flow needs before it, 'control' for the
    first once more, without a credential."""
    client_certificate: ClientCertificate | None = None

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

    # Before anything is sent
    HOST_NOT_ALLOWED = "host-not-allowed"
    SCHEME_NOT_ALLOWED = "scheme-not-allowed"
    ADDRESS_NOT_ALLOWED = "address-not-allowed"
    TRUST_INVALID = "trust-invalid"
    HOST_UNAVAILABLE = "host-unavailable"
    """Not even tried: the host was down a moment ago, and another request finds out when it is back."""
    HOST_PAUSED = "host-paused"
    """Not even tried: the host has asked for fewer requests, and the pause is not over."""

    # Finding and reaching the host
    HOST_NOT_FOUND = "host-not-found"
    DNS_TIMEOUT = "dns-timeout"
    DNS_FAILED = "dns-failed"
    CONNECTION_REFUSED = "connection-refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect-timeout"

    # TLS
    TLS_UNTRUSTED = "tls-untrusted"
    """Signed by an authority that is not known, or by one that may not sign it."""
    TLS_INCOMPLETE_CHAIN = "tls-incomplete-chain"
    TLS_SELF_SIGNED = "tls-self-signed"
    TLS_HOST_MISMATCH = "tls-host-mismatch"
    TLS_EXPIRED = "tls-expired"
    TLS_NOT_YET_VALID = "tls-not-yet-valid"
    TLS_TOO_OLD = "tls-too-old"
    """The host speaks no version of TLS that is still safe."""
    TLS_CLIENT_CERTIFICATE = "tls-client-certificate"
    """The host wants a client certificate."""
    TLS_NOT_SPOKEN = "tls-not-spoken"
    TLS_TIMEOUT = "tls-timeout"
    TLS_FAILED = "tls-failed"

    # The answer
    RESPONSE_TIMEOUT = "response-timeout"
    CONNECTION_LOST = "connection-lost"
    """Ended before the first byte of an answer."""
    NOT_HTTP = "not-http"
    RESPONSE_TRUNCATED = "response-truncated"
    """Ended in the middle of the answer."""
    RESPONSE_TOO_LARGE = "response-too-large"
    ENCODING_INVALID = "encoding-invalid"
    """The answer's Content-Encoding cannot be undone."""
    DECOMPRESSION_BOMB = "decompression-bomb"
    """Small on the wire, larger than may be read once it is decoded."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no answer could be read, as evidence. `detail` is one safe phrase, never text of the other side."""

    kind: FailureKind
    host: str
    """Host and port, like 'api.example.com:443'."""
    detail: str = ""
    """For instance 'self-signed certificate' or '10.0.0.1 is a private address'."""
    again_in: float | None = None
    """Of a request that was not tried: seconds until it may be."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a host's certificate says of itself. Names are cut to 200 characters; times are RFC 3339, in UTC."""

    subject: str
    """Like 'CN=api.example.com,O=Example'; the first DNS name where the subject is empty."""
    issuer: str
    not_before: str
    not_after: str
    names: tuple[str, ...] = ()
    """The first ten names that it is for."""


@dataclass(frozen=True, slots=True)
class Transport:
    """What was found on the way to an answer, as far as the exchange got. Times are seconds, None where unknown.

    On a connection that was made for an earlier request, `reused` is true: names and certificates are of that time,
    and looking up, connecting and TLS took nothing.
    """

    addresses: tuple[str, ...] = ()
    """All that the name resolves to, at most ten."""
    address: str = ""
    """The one that was connected to, without the port."""
    reused: bool = False
    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    request: float | None = None
    """From the first byte sent to the last one read."""
    tls_version: str = ""
    """Like 'TLSv1.3'."""
    certificate: Certificate | None = None
    """The host's own; also of one that was not accepted, where it could be had."""
    received: int | None = None
    """Bytes of body that were read before the exchange ended, decoded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one exchange ended: exactly one of `response` and `failure` is set. `seconds` is its whole duration."""

    response: HttpResponse | None
    failure: Failure | None
    seconds: float
    purpose: str = "test"
    transport: Transport = field(default_factory=Transport)
