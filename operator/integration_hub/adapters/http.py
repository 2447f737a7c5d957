"""Sends one request to an external system and returns how it ended, as data.

The rules stand in order in `HttpClient.send`: where it may go, whom it trusts, then the exchange. What the
network or the other side does wrong becomes a `Failure` by the tables here; what is left over is a mistake of
ours and raises.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from integration_hub import __version__
from integration_hub.adapters import tls
from integration_hub.adapters.egress import (
    DEFAULT_PORTS,
    AddressRefusedError,
    CheckedResolver,
    EgressPolicy,
    GetAddrInfo,
    HostRule,
    checked_socket,
    normalise_host,
)
from integration_hub.model.http import Failure, FailureKind, HttpRequest, HttpResponse, Outcome

USER_AGENT = f"integration-hub-operator/{__version__}"

KEEPALIVE_SECONDS = 15.0
LOOKUP_SHARE = 0.6
"""How much of the time to connect a name's lookup may take. The rest is for connecting, so the two can be
told apart."""

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that may be sent twice. They use the pool: aiohttp repeats them once when the server closed an idle
connection.

Any other method gets a connection of its own. On a pooled one nobody could tell a request that was lost with
an idle connection from one that the server received, and repeating a token request can void a refresh token.
"""

OWN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
    }
)
"""Headers that follow from the request; one that is given is left out, because two opinions about framing are
how requests are smuggled. Accept-Encoding is always 'identity': answers are small, and decoding is one more
thing to attack."""

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE_REFUSED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))

Fault = tuple[FailureKind, str]

LOOKUP_FAULTS: dict[int, Fault] = {
    getattr(socket, name): fault
    for name, fault in {
        "EAI_NONAME": (FailureKind.HOST_NOT_FOUND, "no such name"),
        "EAI_NODATA": (FailureKind.HOST_NOT_FOUND, "the name has no address"),
        "EAI_ADDRFAMILY": (FailureKind.HOST_NOT_FOUND, "the name has no address of a usable family"),
        "EAI_AGAIN": (FailureKind.DNS_FAILED, "no answer from the name servers"),
        "EAI_FAIL": (FailureKind.DNS_FAILED, "the name servers failed"),
    }.items()
    if hasattr(socket, name)  # not every C library knows all of them
}

CONNECT_FAULTS: dict[int, Fault] = {
    errno.ECONNREFUSED: (FailureKind.CONNECTION_REFUSED, "connection refused"),
    errno.ETIMEDOUT: (FailureKind.CONNECT_TIMEOUT, "no answer to the attempt to connect"),
    errno.EHOSTUNREACH: (FailureKind.UNREACHABLE, "no route to the host"),
    errno.ENETUNREACH: (FailureKind.UNREACHABLE, "no route to the network"),
    errno.ENETDOWN: (FailureKind.UNREACHABLE, "the network is down"),
    errno.EHOSTDOWN: (FailureKind.UNREACHABLE, "the host is down"),
    errno.EADDRNOTAVAIL: (FailureKind.UNREACHABLE, "no local address to connect from"),
    errno.EACCES: (FailureKind.UNREACHABLE, "a local rule forbids the connection"),
    errno.EPERM: (FailureKind.UNREACHABLE, "a local rule forbids the connection"),
    errno.ECONNRESET: (FailureKind.TLS_FAILED, "the connection was closed during the TLS handshake"),
    errno.EPIPE: (FailureKind.TLS_FAILED, "the connection was closed during the TLS handshake"),
}
"""Ordered by how much they tell, for a host whose addresses failed in different ways."""

OWN_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What says something about this process and nothing about the other side."""


class HttpClient:
    """One per process and event loop; closed once, when nothing is being sent any more."""

    def __init__(  # noqa: PLR0913 - settings, each with its default and by name
        self,
        policy: EgressPolicy,
        *,
        connect_timeout: float = 5.0,
        total_timeout: float = 10.0,
        max_body: int = 65536,
        max_connections: int = 256,
        getaddrinfo: GetAddrInfo = socket.getaddrinfo,
    ) -> None:
        """Remember the settings; sockets and threads come with the first request.

        Args:
            policy: which addresses may be reached.
            connect_timeout: for looking up the name, connecting, and the TLS handshake, together.
            total_timeout: for the whole exchange, `connect_timeout` included.
            max_body: the largest answer that is read, in bytes after decoding.
            max_connections: how many exchanges may run at once; others wait, on nobody's time.
            getaddrinfo: what looks names up.

        """
        if connect_timeout >= total_timeout:
            raise ValueError("connect_timeout must be shorter than total_timeout")
        self._policy = policy
        self._timeout = aiohttp.ClientTimeout(total=total_timeout, connect=connect_timeout)
        self._max_body = max_body
        self._slots = asyncio.Semaphore(max_connections)
        self._resolver_settings = (connect_timeout * LOOKUP_SHARE, getaddrinfo)
        self._resolver: CheckedResolver | None = None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def send(
        self, request: HttpRequest, *, allowed_hosts: Sequence[HostRule], ca_bundle: str | None = None
    ) -> Outcome:
        """Send a request to a host that a rule allows, and return how that ended.

        `ca_bundle` is the trust for this request, as PEM; without one it is the system's.

        Raises:
            ValueError: the request itself is malformed, which is a mistake of whoever made it.

        """
        headers = _headers(request)
        target = _target(request, allowed_hosts, self._policy)
        if isinstance(target, Failure):
            return Outcome(None, target, 0.0, request.purpose)
        try:
            context = tls.client_context(ca_bundle)
        except tls.TrustInvalidError as error:
            failure = Failure(FailureKind.TRUST_INVALID, _origin(target), str(error))
            return Outcome(None, failure, 0.0, request.purpose)
        async with self._slots:
            started = monotonic()
            answer: HttpResponse | Fault
            try:
                answer = await self._exchange(request.method.upper(), target, headers, request.body, context)
            except (aiohttp.ClientError, AddressRefusedError, OSError) as error:
                fault = _fault(error)
                if fault is None:
                    raise
                answer = fault
            seconds = monotonic() - started
        if isinstance(answer, HttpResponse):
            return Outcome(answer, None, seconds, request.purpose)
        return Outcome(None, Failure(answer[0], _origin(target), answer[1]), seconds, request.purpose)

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, context: ssl.SSLContext
    ) -> HttpResponse | Fault:
        session = self._session(pooled=method in REPEATABLE)
        response = await session.request(
            method, url, headers=headers, data=body, allow_redirects=False, ssl=context
        )
        try:
            chunks: list[bytes] = []
            size = 0
            while chunk := await response.content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_body:
                    return FailureKind.RESPONSE_TOO_LARGE, f"more than {self._max_body} bytes"
            return HttpResponse(response.status, _joined(response.headers), b"".join(chunks))
        finally:
            # A response that was read to its end has given its connection back by now; this closes all
            # others.
            response.close()

    def _session(self, *, pooled: bool) -> aiohttp.ClientSession:
        """Return the session whose connections are reused, or the one that makes one for each request."""
        session = self._sessions.get(pooled)
        if session is None:
            if self._resolver is None:
                timeout, getaddrinfo = self._resolver_settings
                self._resolver = CheckedResolver(self._policy, timeout=timeout, getaddrinfo=getaddrinfo)
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                socket_factory=partial(checked_socket, self._policy),
                limit=0,  # `_slots` limits, outside of the time that a request has
                # aiohttp takes no keepalive timeout together with force_close
                **({"keepalive_timeout": KEEPALIVE_SECONDS} if pooled else {"force_close": True}),
            )
            session = self._sessions[pooled] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                skip_auto_headers=("Content-Type",),
                timeout=self._timeout,
                trust_env=False,
                read_bufsize=self._max_body,
            )
        return session

    async def close(self) -> None:
        """Close the pool and let go of the lookup threads."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None


def _headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers to send. An invalid one raises, without its value, which may be a credential."""
    for name, value in request.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("a request header has a name with characters that no header name has")
        if _HEADER_VALUE_REFUSED.search(value):
            raise ValueError(
                f"the request header {name!r} has a line break or another control character in its value"
            )
    return {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}


def _target(request: HttpRequest, rules: Sequence[HostRule], policy: EgressPolicy) -> URL | Failure:
    """Return the URL to ask, built anew from the parts that were checked: no second parser can see others."""
    try:
        parts = urlsplit(request.url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        host = normalise_host(f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or "")
    except ValueError:
        detail = "the URL does not name a host in its usual spelling"
        return Failure(FailureKind.HOST_NOT_ALLOWED, "", detail)
    netloc = f"[{host}]" if ":" in host else host
    refusal = _refusal(parts, host, port, rules, policy)
    if refusal is not None:
        return Failure(refusal[0], f"{netloc}:{port}" if port else netloc, refusal[1])
    # Sent as it is written, because a signature may cover it; only what cannot stand in a request is encoded.
    query = "&".join(filter(None, (parts.query, urlencode(request.query, quote_via=quote, safe=""))))
    return URL.build(
        scheme=parts.scheme,
        authority=netloc if port == DEFAULT_PORTS[parts.scheme] else f"{netloc}:{port}",
        path=quote(parts.path or "/", safe=_PRINTABLE_ASCII),
        query_string=quote(query, safe=_PRINTABLE_ASCII),
        encoded=True,
    )


def _refusal(
    parts: SplitResult, host: str, port: int, rules: Sequence[HostRule], policy: EgressPolicy
) -> Fault | None:
    """Return why a request must not be sent there, judged by its URL alone."""
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        return FailureKind.SCHEME_NOT_ALLOWED, "only https is possible"
    if "@" in parts.netloc:
        return FailureKind.HOST_NOT_ALLOWED, "the URL has a user name in it"
    if not any(rule.allows(scheme, host, port) for rule in rules):
        if scheme == "http" and any(rule.allows("https", host, rule.port) for rule in rules):
            return FailureKind.SCHEME_NOT_ALLOWED, "only https is allowed for this host"
        return FailureKind.HOST_NOT_ALLOWED, "not among the allowed hosts"
    if scheme == "http" and not policy.allow_http:
        return FailureKind.SCHEME_NOT_ALLOWED, "the operator does not allow plain http"
    return None


def _origin(url: URL) -> str:
    return f"{url.host_subcomponent}:{url.port}"


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with lower-case names, repeated ones joined, and values that can be encoded again."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        text = (
            value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def _lookup_fault(error: aiohttp.ClientConnectorDNSError) -> Fault:
    return LOOKUP_FAULTS.get(error.os_error.errno or 0, (FailureKind.DNS_FAILED, "the lookup failed"))


_ERRNO_IN_TEXT = re.compile(r"\[Errno (\d+)\]")


def _connect_fault(error: aiohttp.ClientConnectorError) -> Fault | None:
    """Read the error number; when addresses failed in different ways, the numbers stand in the text alone."""
    cause = error.os_error
    numbers = {cause.errno} if cause.errno else {int(number) for number in _ERRNO_IN_TEXT.findall(str(cause))}
    if numbers & OWN_ERRNOS:
        return None
    for number, fault in CONNECT_FAULTS.items():
        if number in numbers:
            return fault
    if isinstance(cause, ConnectionError):
        return CONNECT_FAULTS[
            errno.ECONNRESET
        ]  # asyncio raises one without a number when a handshake is cut off
    return FailureKind.UNREACHABLE, os.strerror(min(numbers)) if numbers else "connecting failed"


def _certificate_fault(error: aiohttp.ClientConnectorCertificateError) -> Fault:
    cause = error.certificate_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return tls.certificate_fault(cause)
    return FailureKind.TLS_FAILED, "certificate not accepted"


def _handshake_fault(error: aiohttp.ClientConnectorSSLError) -> Fault:
    cause = error.os_error
    return FailureKind.TLS_FAILED, tls.handshake_fault(cause) if isinstance(cause, ssl.SSLError) else ""


def _answer_fault(error: aiohttp.ClientResponseError | aiohttp.ClientPayloadError) -> Fault:
    if _caused_by(error, http_exceptions.LineTooLong) or "Too many headers received" in str(error):
        return FailureKind.RESPONSE_TOO_LARGE, "headers too large"
    if _caused_by(error, http_exceptions.ContentEncodingError):
        return FailureKind.CONNECTION_LOST, "the answer's encoding cannot be read"
    if isinstance(error, aiohttp.ClientResponseError):
        return FailureKind.CONNECTION_LOST, "the answer is not HTTP"
    return _lost(error)


def _lost(error: aiohttp.ClientError) -> Fault:
    if isinstance(error.__cause__, ssl.SSLError):
        # In TLS 1.3 a server says only after the handshake that it wants no part of it.
        return FailureKind.TLS_FAILED, tls.handshake_fault(error.__cause__)
    return FailureKind.CONNECTION_LOST, "the connection ended before the answer was complete"


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__
    return cause is not None


FAULTS: tuple[tuple[type[Exception], Callable[..., Fault | None]], ...] = (
    (AddressRefusedError, lambda error: (FailureKind.ADDRESS_NOT_ALLOWED, str(error))),
    (aiohttp.ClientConnectorDNSError, _lookup_fault),
    (aiohttp.ClientConnectorCertificateError, _certificate_fault),
    (aiohttp.ClientConnectorSSLError, _handshake_fault),
    (aiohttp.ClientConnectorError, _connect_fault),
    (aiohttp.ConnectionTimeoutError, lambda _: (FailureKind.CONNECT_TIMEOUT, "no connection in time")),
    (TimeoutError, lambda _: (FailureKind.RESPONSE_TIMEOUT, "no complete answer in time")),
    (aiohttp.ClientResponseError, _answer_fault),
    (aiohttp.ClientPayloadError, _answer_fault),
    (aiohttp.ClientConnectionError, _lost),
)
"""The first row whose type an error has reads it. What no row reads is a mistake of ours."""


def _fault(error: Exception) -> Fault | None:
    for kind, read in FAULTS:
        if isinstance(error, kind):
            return read(error)
    return None
