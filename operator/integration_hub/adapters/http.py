"""Sends one request to an external system and returns how it ended, as data.

The rules stand in order in `HttpClient.send`: where it may go, whom it trusts, then the exchange. What the
network or the other side does wrong becomes a `Failure` by the tables of `faults.py`; what is left over is a
mistake of ours and raises. What was found on the way is noted in the exchange's `Journey`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import aiohttp
from aiohttp import http_exceptions
from yarl import URL

from integration_hub import __version__
from integration_hub.adapters import tls
from integration_hub.adapters.certificate import presented
from integration_hub.adapters.client_certificate import CertificateUnusableError, overheard, refusal
from integration_hub.adapters.connector import WatchedConnector
from integration_hub.adapters.egress import (
    DEFAULT_PORTS,
    AddressRefusedError,
    CheckedResolver,
    EgressPolicy,
    GetAddrInfo,
    HostRule,
    is_address,
    normalise_host,
)
from integration_hub.adapters.faults import NOT_HTTP, Fault, fault
from integration_hub.adapters.journey import UNDER_WAY, Journey
from integration_hub.adapters.progress import OnProgress, ToldJourney
from integration_hub.model.http import Failure, FailureKind, HttpRequest, HttpResponse, Outcome, Transport

USER_AGENT = f"integration-hub-operator/{__version__}"

LOOK_SECONDS = 2.0
"""How long it may take to see once more a certificate that was not accepted, or to hear why ours was not."""

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

_CONTEXT_FAULTS: dict[type[ValueError], FailureKind] = {
    tls.TrustInvalidError: FailureKind.TRUST_INVALID,
    CertificateUnusableError: FailureKind.TLS_CLIENT_CERTIFICATE,
}

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE_REFUSED = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


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
        self,
        request: HttpRequest,
        *,
        allowed_hosts: Sequence[HostRule],
        ca_bundle: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Outcome:
        """Send a request to a host that a rule allows, and return how that ended.

        `ca_bundle` is the trust for this request, as PEM; without one it is the system's. `on_progress` is told
        after each stage of the way to the host.

        Raises:
            ValueError: the request itself is malformed, which is a mistake of whoever made it.

        """
        headers = _headers(request)
        target = _target(request, allowed_hosts, self._policy)
        if isinstance(target, Failure):
            return Outcome(None, target, 0.0, request.purpose)
        try:
            context = tls.client_context(ca_bundle, request.client_certificate)
        except (tls.TrustInvalidError, CertificateUnusableError) as error:
            failure = Failure(_CONTEXT_FAULTS[type(error)], _origin(target), str(error))
            return Outcome(None, failure, 0.0, request.purpose)
        async with self._slots:
            journey = self._told_journey(target, on_progress) if on_progress else Journey()
            not_accepted = False
            answer: HttpResponse | Fault | None
            started = monotonic()
            before = UNDER_WAY.set(journey)
            try:
                answer = await self._exchange(request, target, headers, context, journey)
            except (aiohttp.ClientError, AddressRefusedError, OSError) as error:
                answer = fault(error, journey)
                if request.client_certificate is not None:
                    answer = refusal(error, answer)
                if answer is None:
                    raise
                not_accepted = isinstance(error, aiohttp.ClientConnectorCertificateError)
            finally:
                UNDER_WAY.reset(before)
            ended = monotonic()
            transport = journey.ended(ended)
            if isinstance(answer, HttpResponse):
                return Outcome(answer, None, ended - started, request.purpose, transport)
            left = min(LOOK_SECONDS, started + (self._timeout.total or LOOK_SECONDS) - ended)
            if not_accepted:
                answer, transport = await self._look(target, answer, transport, left)
            elif request.client_certificate is not None and _may_be_refusal(answer, transport):
                answer = await self._listen(target, answer, transport, context, left)
        failure = Failure(answer[0], _origin(target), answer[1])
        return Outcome(None, failure, ended - started, request.purpose, transport)

    def _told_journey(self, target: URL, tell: OnProgress) -> Journey:
        host = target.raw_host or ""
        return ToldJourney(
            tell,
            lambda: self._resolver.known(host) if self._resolver else (),
            named=not is_address(host),
        )

    async def _exchange(
        self,
        request: HttpRequest,
        url: URL,
        headers: Mapping[str, str],
        context: ssl.SSLContext,
        journey: Journey,
    ) -> HttpResponse | Fault:
        method = request.method.upper()
        session = self._session(pooled=method in REPEATABLE)
        response = await session.request(
            method, url, headers=headers, data=request.body, allow_redirects=False, ssl=context
        )
        content = response.content
        try:
            chunks: list[bytes] = []
            size = 0
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_body:
                    return _oversized(self._max_body, decoded=content.total_compressed_bytes is not None)
            return HttpResponse(response.status, _joined(response.headers), b"".join(chunks))
        except TimeoutError:
            # Framing that breaks in the middle of a body ends the connection, and aiohttp waits on nevertheless.
            protocol = response.connection.protocol if response.connection else None
            if protocol is not None and isinstance(protocol.exception(), http_exceptions.HttpProcessingError):
                return NOT_HTTP
            raise
        finally:
            journey.received = content.total_bytes
            # A response that was read to its end has given its connection back by now; this closes all
            # others.
            response.close()

    async def _look(
        self, target: URL, answer: Fault, transport: Transport, seconds: float
    ) -> tuple[Fault, Transport]:
        """Add what a certificate that was not accepted says of itself, if that can be seen in time."""
        try:
            async with asyncio.timeout(seconds):
                shown = await presented(
                    self._policy, transport.address, port=self._port(target), host=target.raw_host or ""
                )
        except (OSError, AddressRefusedError):
            return answer, transport
        if answer == tls.ISSUER_UNKNOWN and shown.is_incomplete:
            answer = tls.ISSUER_NOT_SENT
        return answer, replace(transport, certificate=shown.certificate, tls_version=shown.tls_version)

    async def _listen(
        self, target: URL, answer: Fault, transport: Transport, context: ssl.SSLContext, seconds: float
    ) -> Fault:
        """Return what the host says of the certificate that it was shown, if it says anything in time."""
        try:
            async with asyncio.timeout(seconds):
                said = await overheard(
                    self._policy,
                    transport.address,
                    port=self._port(target),
                    host=target.raw_host or "",
                    context=context,
                )
        except (OSError, AddressRefusedError):
            return answer
        return said or answer

    def _port(self, target: URL) -> int:
        """Return the port at the address that was connected to."""
        return self._policy.port_at_address(target.raw_host or "", target.port or 0)

    def _session(self, *, pooled: bool) -> aiohttp.ClientSession:
        """Return the session whose connections are reused, or the one that makes one for each request."""
        session = self._sessions.get(pooled)
        if session is None:
            if self._resolver is None:
                timeout, getaddrinfo = self._resolver_settings
                self._resolver = CheckedResolver(self._policy, timeout=timeout, getaddrinfo=getaddrinfo)
            connector = WatchedConnector(self._policy, self._resolver, pooled=pooled)
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


def _may_be_refusal(answer: Fault, transport: Transport) -> bool:
    """Tell whether a host that hung up may have done so because of the certificate that it was shown."""
    return (
        answer[0] is FailureKind.CONNECTION_LOST
        and transport.tls_version == "TLSv1.3"
        and not transport.reused
    )


def _oversized(limit: int, *, decoded: bool) -> Fault:
    if decoded:
        return FailureKind.DECOMPRESSION_BOMB, f"more than {limit} bytes when decoded"
    return FailureKind.RESPONSE_TOO_LARGE, f"more than {limit} bytes"


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
