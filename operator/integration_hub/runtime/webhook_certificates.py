"""The certificates of the webhook: its own, and the authority of its callers. Read again when their files change."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID

from integration_hub.config.pem import UNREADABLE, certificates, pem_fault

LOOK_SECONDS: Final = 10.0
"""Between looks at the files."""

TOLD_SECONDS: Final = 10.0
"""Between two words on callers that got no connection: who knocks all the time fills no log."""

log = structlog.get_logger("integration_hub.webhook")


class CertificateError(Exception):
    """A file cannot be used; the message says which and why, and what to do."""


class _Telling(ssl.SSLObject):
    """Tells why a handshake was refused: asyncio does not, and the caller sees a connection that ends."""

    _told_at = -TOLD_SECONDS

    def do_handshake(self) -> None:
        """Go on with the handshake; whoever is refused is logged, at most once in a while."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            now = time.monotonic()
            if now - _Telling._told_at >= TOLD_SECONDS:
                _Telling._told_at = now
                why = getattr(error, "verify_message", "") or (error.reason or type(error).__name__).lower()
                log.warning("a caller got no connection", why=why.replace("_", " "))
            raise


class CertificateFiles:
    """What the server shows, and whom it lets in: whoever rotates the files need not restart anything.

    With an authority for its callers, who shows no certificate of that authority gets no connection.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        """Read them.

        Raises:
            CertificateError: a file cannot be read, or does not hold what it should.

        """
        self._pair = (certificate, key)
        self._client_ca = client_ca
        self._seen = self._contents()
        self._current = self.context = self._load()
        # A context that listens can be given another certificate, and never another authority: so each connection
        # takes the context of its time. This is called where the caller names no host, too.
        self.context.sni_callback = self._take_current
        self.context.sslobject_class = _Telling

    async def watch(self) -> None:
        """Look for ever. Files that cannot be used leave everything as it was."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Look once."""
        try:
            contents = self._contents()
            if contents == self._seen:
                return
            self._seen = contents  # also of what cannot be used, which is told once
            self._current = self._load()
        except (CertificateError, OSError, ValueError) as error:
            log.warning("the new certificates cannot be used; those before stay", error=str(error))
        else:
            log.info("the certificates were read again")

    def are_those_of(self, connection: ssl.SSLObject) -> bool:
        """Whether a connection was made with the certificates of now."""
        return connection.context is self._current

    def _take_current(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(*self._pair)
        except OSError as error:
            certificate, key = self._pair
            raise CertificateError(
                f"{certificate} and {key} are no certificate and its private key in PEM ({_why(error)})."
            ) from error
        if self._client_ca is not None:
            _demand_certificates(context, self._client_ca)
        return context

    def _contents(self) -> tuple[bytes, ...]:
        return tuple(map(_read, (*self._pair, *([self._client_ca] if self._client_ca else []))))


def _demand_certificates(context: ssl.SSLContext, authority: Path) -> None:
    text = _read(authority).decode(errors="replace")
    fault = _authority_fault(text, datetime.now(UTC))
    if fault is not None:
        raise CertificateError(
            f"{authority} cannot be used as --client-ca: {fault}. It must hold the certificate, in PEM,"
            " of the authority that signs the certificates of those who may call."
        )
    context.verify_mode = ssl.CERT_REQUIRED
    # What stands in the file is trusted as it is: the authority above it may have signed for many others.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # From 3.13 on, Python would refuse certificates without key identifiers, which API servers show and take.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # A session that is resumed shows no certificate again, and outlives an authority that was taken out of the file.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_verify_locations(cadata="\n".join(certificates(text)))


def _authority_fault(text: str, now: datetime) -> str | None:
    """Return why nobody could show a certificate of these authorities; None where somebody can."""
    if "PRIVATE KEY-----" in text:
        return "it holds a private key, which the webhook does not need"
    fault = pem_fault(text)
    if fault is not None:
        return fault
    try:
        found = [x509.load_pem_x509_certificate(pem.encode()) for pem in certificates(text)]
        no_authority = next((one for one in found if not _is_authority(one)), None)
    except ValueError:
        return UNREADABLE
    if no_authority is not None:
        return f"the certificate {_name(no_authority)} in it is not that of an authority"
    # Beside one that is valid, one that has ended is what a rotation leaves.
    faults = [_time_fault(one, now) for one in found]
    return None if None in faults else faults[0]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _time_fault(certificate: x509.Certificate, now: datetime) -> str | None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if end < now:
        return f"the certificate {_name(certificate)} in it ended on {end:%Y-%m-%d}"
    if start > now:
        return f"the certificate {_name(certificate)} in it is not valid before {start:%Y-%m-%d %H:%M} UTC"
    return None


def _name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f"'{names[0].value!s}'" if names else f"'{certificate.subject.rfc4514_string()}'"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {_why(error)}.") from error


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
