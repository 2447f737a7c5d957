"""What an error of the network or of the other side means, as tables. Anything else is a mistake of ours.

`fault` reads the error together with the journey: the same timeout is a name server's, a firewall's or a slow
application's, depending on how far the request had got.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable

import aiohttp
from aiohttp import http_exceptions

from integration_hub.adapters import tls
from integration_hub.adapters.egress import AddressRefusedError, LookupTimeoutError
from integration_hub.adapters.journey import Journey
from integration_hub.model.http import FailureKind

Fault = tuple[FailureKind, str]

LOOKUP_FAULTS: dict[int, Fault] = {
    getattr(socket, name): fault
    for name, fault in {
        "EAI_NONAME": (FailureKind.HOST_NOT_FOUND, "no such name"),
        "EAI_NODATA": (FailureKind.HOST_NOT_FOUND, "the name has no address"),
        "EAI_ADDRFAMILY": (FailureKind.HOST_NOT_FOUND, "the name has no address of a usable family"),
        "EAI_AGAIN": (FailureKind.DNS_FAILED, "the name servers have no answer at the moment"),
        "EAI_FAIL": (FailureKind.DNS_FAILED, "the name servers failed"),
    }.items()
    if hasattr(socket, name)  # not every C library knows all of them
}

CUT_SHORT: Fault = (FailureKind.TLS_FAILED, "the connection was closed during the TLS handshake")

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
    errno.ECONNRESET: CUT_SHORT,
    errno.EPIPE: CUT_SHORT,
}
"""Ordered by how much they tell, for a host whose addresses failed in different ways."""

OWN_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What says something about this process and nothing about the other side."""

DNS_TIMEOUT: Fault = (FailureKind.DNS_TIMEOUT, "no answer from the name servers in time")
NOT_HTTP: Fault = (FailureKind.NOT_HTTP, "the answer is not HTTP")
LOST: Fault = (FailureKind.CONNECTION_LOST, "the connection ended before there was an answer")
TRUNCATED: Fault = (FailureKind.RESPONSE_TRUNCATED, "the connection ended before the answer was complete")


def fault(error: Exception, journey: Journey) -> Fault | None:
    """Return what an error means, None where it says nothing of the other side."""
    for kind, read in FAULTS:
        if isinstance(error, kind):
            return read(error, journey)
    return None


def _lookup_fault(error: aiohttp.ClientConnectorDNSError, _: Journey) -> Fault:
    if isinstance(error.os_error, LookupTimeoutError):
        return DNS_TIMEOUT
    return LOOKUP_FAULTS.get(error.os_error.errno or 0, (FailureKind.DNS_FAILED, "the lookup failed"))


_ERRNO_IN_TEXT = re.compile(r"\[Errno (\d+)\]")


def _connect_fault(error: aiohttp.ClientConnectorError, _: Journey) -> Fault | None:
    """Read the error number; when addresses failed in different ways, the numbers stand in the text alone."""
    cause = error.os_error
    numbers = {cause.errno} if cause.errno else {int(number) for number in _ERRNO_IN_TEXT.findall(str(cause))}
    if numbers & OWN_ERRNOS:
        return None
    for number, found in CONNECT_FAULTS.items():
        if number in numbers:
            return found
    if isinstance(cause, ConnectionError):
        return CUT_SHORT  # asyncio raises one without a number when a handshake is cut off
    return FailureKind.UNREACHABLE, os.strerror(min(numbers)) if numbers else "connecting failed"


def _certificate_fault(error: aiohttp.ClientConnectorCertificateError, _: Journey) -> Fault:
    cause = error.certificate_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return tls.certificate_fault(cause)
    return FailureKind.TLS_FAILED, "certificate not accepted"


def _handshake_fault(error: aiohttp.ClientConnectorSSLError, journey: Journey) -> Fault:
    cause = error.os_error
    if not isinstance(cause, ssl.SSLError):
        return FailureKind.TLS_FAILED, ""
    return tls.handshake_fault(cause, agreed=journey.tls is not None and journey.tls.cipher() is not None)


def _timeout_fault(_: Exception, journey: Journey) -> Fault:
    if journey.has_connected:
        return FailureKind.RESPONSE_TIMEOUT, "no complete answer in time"
    if journey.is_shaking_hands:
        return FailureKind.TLS_TIMEOUT, "the TLS handshake did not end in time"
    return DNS_TIMEOUT if journey.is_looking_up else (FailureKind.CONNECT_TIMEOUT, "no connection in time")


def _answer_fault(error: aiohttp.ClientResponseError | aiohttp.ClientPayloadError, journey: Journey) -> Fault:
    if _caused_by(error, http_exceptions.LineTooLong) or "Too many headers received" in str(error):
        return FailureKind.RESPONSE_TOO_LARGE, "headers too large"
    if _caused_by(error, http_exceptions.ContentEncodingError):
        return FailureKind.ENCODING_INVALID, "the answer's encoding cannot be read"
    return NOT_HTTP if isinstance(error, aiohttp.ClientResponseError) else _lost(error, journey)


def _lost(error: aiohttp.ClientError, journey: Journey) -> Fault:
    if isinstance(error.__cause__, ssl.SSLError):
        # In TLS 1.3 a server says only after the handshake that it wants no part of it.
        return tls.handshake_fault(error.__cause__, agreed=True)
    if journey.received is not None:
        return TRUNCATED
    # aiohttp gives the part of a head that it has got in place of a message.
    has_begun = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
    return TRUNCATED if has_begun else LOST


def _caused_by(error: BaseException, kind: type[BaseException]) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__
    return cause is not None


FAULTS: tuple[tuple[type[Exception], Callable[..., Fault | None]], ...] = (
    (AddressRefusedError, lambda error, _: (FailureKind.ADDRESS_NOT_ALLOWED, str(error))),
    (aiohttp.ClientConnectorDNSError, _lookup_fault),
    (aiohttp.ClientConnectorCertificateError, _certificate_fault),
    (aiohttp.ClientConnectorSSLError, _handshake_fault),
    (aiohttp.ClientConnectorError, _connect_fault),
    (TimeoutError, _timeout_fault),
    (aiohttp.ClientResponseError, _answer_fault),
    (aiohttp.ClientPayloadError, _answer_fault),
    (aiohttp.ClientConnectionError, _lost),
)
"""The first row whose type an error has reads it. What no row reads is a mistake of ours."""
