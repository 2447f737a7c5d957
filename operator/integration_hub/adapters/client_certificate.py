"""Our own certificate in a TLS handshake: how it gets into a context, and what it means when a host refuses it."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from integration_hub.adapters.certificate import connected
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.model.http import ClientCertificate, FailureKind

Fault = tuple[FailureKind, str]


class CertificateUnusableError(ValueError):
    """TLS cannot work with a client certificate. The message holds nothing of it."""


def show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Let a context show a certificate, and prove by its key that it is ours.

    Raises:
        CertificateUnusableError: OpenSSL cannot use the two, or not with each other.

    """
    pem = f"{certificate.certificate.strip()}\n{certificate.private_key.strip()}\n".encode()
    try:
        with _as_file(pem) as path:
            # Without a password OpenSSL would ask whoever sits at the terminal for that of an encrypted key.
            context.load_cert_chain(path, password=_no_password)
    except ssl.SSLError as error:
        reason = (error.reason or "unreadable").replace("_", " ").lower()
        raise CertificateUnusableError(f"it cannot be loaded ({reason})") from None
    except ValueError:
        raise CertificateUnusableError("its key is encrypted") from None
    # Some hosts ask for the certificate only once they know which of their pages is asked for (TLS 1.3).
    context.post_handshake_auth = True


def _no_password() -> str:
    raise ValueError("keys are used that need no password")


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Give the data a path, as Python loads keys from files only, and let nobody else read it, now or later.

    On Linux it is a file in memory alone: nothing reaches a disk, and the container's may be read-only. Elsewhere it
    is one that only we may read, in a folder that only we may enter, for as long as loading takes.
    """
    in_memory = _file_in_memory()
    if in_memory is not None:
        with open(in_memory, "wb", buffering=0) as file:  # noqa: PTH123 - it has no path
            file.write(data)
            yield f"/proc/self/fd/{in_memory}"
        return
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        path = Path(folder, "pair.pem")
        path.touch(mode=0o600)
        path.write_bytes(data)
        yield str(path)


def _file_in_memory() -> int | None:
    """Return a file that no program inherits, and that /proc shows to those alone who may read our memory too."""
    with suppress(AttributeError, OSError):  # not of this system, or not allowed
        return os.memfd_create("client-certificate")
    return None


_NO_CAUSE = "the host refuses it and does not say why"

REFUSALS: dict[str, str] = {
    "TLSV1_ALERT_UNKNOWN_CA": "the host does not know the authority that issued it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the host says that it has expired or is not valid yet",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the host says that it was revoked",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the host takes no certificates of its kind or purpose",
    "TLSV1_ALERT_ACCESS_DENIED": "the host says that it is valid and gives no access",
    "TLSV1_ALERT_DECRYPT_ERROR": "the host could not verify our signature",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the host requires one that it was not shown, of another kind perhaps",
    "SSLV3_ALERT_NO_CERTIFICATE": "the host requires one that it was not shown, of another kind perhaps",
    "SSLV3_ALERT_BAD_CERTIFICATE": _NO_CAUSE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NO_CAUSE,
}
"""What a host's alert (RFC 8446 section 6.2), by OpenSSL's reason, means to whom has shown a certificate."""


def refusal(error: BaseException, found: Fault | None) -> Fault | None:
    """Return what a failure means of an exchange in which our certificate was shown, else what was `found` of it."""
    words = REFUSALS.get(_tls_reason(error))
    if words is None and found is not None and found[0] is FailureKind.TLS_CLIENT_CERTIFICATE:
        words = _NO_CAUSE
    return found if words is None else (FailureKind.TLS_CLIENT_CERTIFICATE, words)


async def overheard(
    policy: EgressPolicy, address: str, *, port: int, host: str, context: ssl.SSLContext
) -> Fault | None:
    """Shake hands once more, send nothing, and listen why the host hangs up; None where it does not say.

    In TLS 1.3 a host judges our certificate when we have already begun to send, and hangs up on what it has not read,
    which resets the connection: then its alert is often lost on its way. Whoever sends nothing hears it.

    Raises:
        OSError: there is nobody to listen to.
        AddressRefusedError: the policy forbids the address.

    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Exception | None] = loop.create_future()
    try:
        made = await connected(policy, address, port)
        transport, _ = await loop.create_connection(
            lambda: _Listener(ended), sock=made, ssl=context, server_hostname=host
        )
    except ssl.SSLError as error:
        return refusal(error, None)
    try:
        why = await ended
    finally:
        transport.abort()
    return refusal(why, None) if why else None


class _Listener(asyncio.Protocol):
    """Waits for the end of a connection, and notes why it came."""

    def __init__(self, ended: asyncio.Future[Exception | None]) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(exc)


def _tls_reason(error: BaseException) -> str:
    """Return OpenSSL's reason, which errors of aiohttp keep in one of two places; '' where TLS was not at fault."""
    for cause in (getattr(error, "os_error", None), error.__cause__, error):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason
    return ""
