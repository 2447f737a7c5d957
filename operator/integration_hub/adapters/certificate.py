"""What hosts' certificates say of themselves. What is read here was checked by nobody: it is evidence, and no more."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from integration_hub.adapters.egress import EgressPolicy, checked_socket
from integration_hub.model.http import Certificate

T = TypeVar("T")

MAX_TEXT = 200
MAX_NAMES = 10
MAX_REMEMBERED = 1024
"""Certificates. A read one takes at most a few KB, and costs 0.03 ms to read again."""

_remembered: dict[bytes, Certificate | None] = {}


def read_certificate(der: bytes | None) -> Certificate | None:
    """Return what a certificate says, None where it cannot be read. The same one is read once."""
    if not der:
        return None
    digest = hashlib.sha256(der).digest()
    try:
        return _remembered[digest]
    except KeyError:
        pass
    if len(_remembered) >= MAX_REMEMBERED:
        del _remembered[next(iter(_remembered))]
    found = _remembered[digest] = _read(der)
    return found


def _read(der: bytes) -> Certificate | None:
    def read(parsed: x509.Certificate) -> Certificate:
        names = _names(parsed)
        return Certificate(
            _text(parsed.subject.rfc4514_string()) or next(iter(names), ""),
            _text(parsed.issuer.rfc4514_string()),
            _time(parsed.not_valid_before_utc),
            _time(parsed.not_valid_after_utc),
            names,
        )

    return _of(der, read)


def _of(der: bytes, read: Callable[[x509.Certificate], T]) -> T | None:
    """Return what can be read of a certificate, None where it is garbled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about other people's certificates
        try:
            return read(x509.load_der_x509_certificate(der))
        except Exception:  # noqa: BLE001 - any bit can be garbled, and the errors of that are of no one family
            return None


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    kept = [name for name in found.value if isinstance(name, x509.DNSName | x509.IPAddress)]
    return tuple(_text(str(name.value)) for name in kept[:MAX_NAMES])


def _text(untrusted: str) -> str:
    """Return at most 200 characters, all of which can be seen: neither line breaks nor changes of direction."""
    return "".join(char if char.isprintable() else "\ufffd" for char in untrusted[:MAX_TEXT])


def _time(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a host shows to those who do not ask for proof."""

    certificate: Certificate | None
    tls_version: str
    is_incomplete: bool
    """The host's own certificate came alone, and says itself that its issuer's is to be had elsewhere. An authority
    that signs hosts' certificates with its root, which nobody sends, rarely has them say so."""


async def presented(policy: EgressPolicy, address: str, *, port: int, host: str) -> Presented:
    """Shake hands with an address once more, without verifying anything, and hang up. Nothing is sent.

    Of a certificate that it does not accept Python shows nothing, and this one must be shown to be understood.

    Raises:
        OSError: there is nothing to be seen.
        AddressRefusedError: the policy forbids the address.

    """
    made = await connected(policy, address, port)
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, sock=made, ssl=_unverifying_context(), server_hostname=host
    )
    try:
        return _presented(transport.get_extra_info("ssl_object"))
    finally:
        transport.abort()


async def connected(policy: EgressPolicy, address: str, port: int) -> socket.socket:
    """Return a socket that is connected to an address which was looked up before.

    Raises:
        OSError: nobody can be reached there.
        AddressRefusedError: the policy forbids the address.

    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = checked_socket(policy, (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)))
    try:
        made.setblocking(False)  # noqa: FBT003 - socket's own
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


def _presented(tls: ssl.SSLObject) -> Presented:
    der = tls.getpeercert(binary_form=True)
    is_incomplete = bool(der) and _chain_length(tls) == 1 and _names_where_its_issuer_is(der or b"")
    return Presented(read_certificate(der), tls.version() or "", is_incomplete)


def _chain_length(tls: ssl.SSLObject) -> int | None:
    """Return how many certificates were sent, None where Python cannot tell."""
    # Public from Python 3.13; before it is there all the same, one object further in.
    for holder in (tls, getattr(tls, "_sslobj", None)):
        chain = getattr(holder, "get_unverified_chain", None)
        if chain is not None:
            return len(chain() or ())
    return None


def _names_where_its_issuer_is(der: bytes) -> bool:
    def read(parsed: x509.Certificate) -> bool:
        found = parsed.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
        return any(access.access_method == AuthorityInformationAccessOID.CA_ISSUERS for access in found.value)

    return _of(der, read) or False


@lru_cache(maxsize=1)
def _unverifying_context() -> ssl.SSLContext:
    """Return a context that accepts whatever is shown. For looking only: it must never carry a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a key that is too weak is shown like any other
    context.set_alpn_protocols(["http/1.1"])
    return context
