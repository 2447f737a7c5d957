"""Trust: SSL contexts for outgoing connections, and what a failed handshake means. No sockets."""

from __future__ import annotations

import secrets
import ssl
from collections import OrderedDict
from functools import lru_cache
from hashlib import blake2b
from time import monotonic

from integration_hub.adapters.client_certificate import show
from integration_hub.adapters.journey import UNDER_WAY
from integration_hub.config.pem import UNREADABLE, certificates, pem_fault
from integration_hub.model.http import ClientCertificate, FailureKind

Fault = tuple[FailureKind, str]

MAX_SHOWING = 32
"""Contexts with a certificate of ours that are kept. With the system's trust one costs as much as without."""
IDLE_SECONDS = 900.0
"""How long such a context is kept that is not used. Most connections are tested more often."""

# X509_V_ERR_* of OpenSSL's x509_vfy.h, which Python does not name. The words are ours, not the certificate's.
CERTIFICATE_FAULTS: dict[int, Fault] = {
    code: (kind, words)
    for kind, faults in (
        (
            FailureKind.TLS_UNTRUSTED,
            {
                2: "the authority that issued it is not known",
                20: "the authority that issued it is not known",
                22: "certificate chain too long",
                23: "revoked certificate",
                24: "issuer is not an authority",
                25: "certificate chain too long for its authority",
                26: "certificate is not for servers",
                27: "untrusted authority",
                28: "rejected authority",
                47: "name outside of what its authority may certify",
                79: "issuer is not an authority",
            },
        ),
        (
            FailureKind.TLS_SELF_SIGNED,
            {18: "self-signed certificate", 19: "self-signed certificate in the chain"},
        ),
        (
            FailureKind.TLS_INCOMPLETE_CHAIN,
            {21: "unable to verify the first certificate of an incomplete chain"},
        ),
        (FailureKind.TLS_NOT_YET_VALID, {9: "certificate not yet valid"}),
        (FailureKind.TLS_EXPIRED, {10: "certificate expired"}),
        (
            FailureKind.TLS_HOST_MISMATCH,
            {62: "certificate is for another name", 64: "certificate is for another address"},
        ),
        (
            FailureKind.TLS_TOO_OLD,
            {66: "key too weak", 67: "authority's key too weak", 68: "signature algorithm too weak"},
        ),
    )
    for code, words in faults.items()
}

ISSUER_UNKNOWN = CERTIFICATE_FAULTS[20]
ISSUER_NOT_SENT: Fault = (
    FailureKind.TLS_INCOMPLETE_CHAIN,
    "the certificate was sent without that of the authority that issued it",
)

_NOT_TLS: Fault = (FailureKind.TLS_NOT_SPOKEN, "the port does not speak TLS")
_OLD: Fault = (FailureKind.TLS_TOO_OLD, "TLS 1.2 or later is not supported")
_WEAK: Fault = (FailureKind.TLS_TOO_OLD, "the host's TLS settings are too weak")
_NO_CERTIFICATE: Fault = (FailureKind.TLS_CLIENT_CERTIFICATE, "the host requires a client certificate")
_NOTHING_COMMON: Fault = (FailureKind.TLS_FAILED, "no common TLS settings")

HANDSHAKE_FAULTS: dict[str, Fault] = {
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _WEAK,
    "DH_KEY_TOO_SMALL": _WEAK,
    "EE_KEY_TOO_SMALL": _WEAK,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _WEAK,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_COMMON,
    "NO_SHARED_CIPHER": _NOTHING_COMMON,
    "UNEXPECTED_EOF_WHILE_READING": (
        FailureKind.TLS_FAILED,
        "the connection was closed during the TLS handshake",
    ),
    "TLSV1_UNRECOGNIZED_NAME": (FailureKind.TLS_FAILED, "the host does not serve this name"),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _NO_CERTIFICATE,
    "SSLV3_ALERT_NO_CERTIFICATE": _NO_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NO_CERTIFICATE,
}
"""What OpenSSL's reason means to a person. A reason is one of OpenSSL's constants: showing an unlisted one is
safe."""

AGREED_FAULTS: dict[str, Fault] = {"SSLV3_ALERT_HANDSHAKE_FAILURE": _NO_CERTIFICATE}
"""What a reason means once version and cipher are agreed on: before TLS 1.3, what is missing has no name of its own."""


class TrustInvalidError(ValueError):
    """A CA bundle cannot be used. The message holds nothing of it."""


class WatchedContext(ssl.SSLContext):
    """A context that notes in the journey under way when TLS begins."""

    def wrap_bio(  # the signature is ssl's
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a handshake. Both asyncio and uvloop do so here, as soon as TCP is connected."""
        begun = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        journey = UNDER_WAY.get()
        if journey is not None:
            journey.begins_tls(begun)
        return begun


def certificate_fault(error: ssl.SSLCertVerificationError) -> Fault:
    """Classify why a host's certificate was not accepted."""
    code = error.verify_code
    return CERTIFICATE_FAULTS.get(code, (FailureKind.TLS_FAILED, f"certificate not accepted (code {code})"))


def handshake_fault(error: ssl.SSLError, *, agreed: bool = False) -> Fault:
    """Classify why a handshake failed for another reason than the certificate.

    `agreed` tells whether both sides had agreed on version and cipher before.
    """
    reason = error.reason
    if not reason:
        return FailureKind.TLS_FAILED, "the TLS handshake failed"
    found = (AGREED_FAULTS.get(reason) if agreed else None) or HANDSHAKE_FAULTS.get(reason)
    return found or (FailureKind.TLS_FAILED, reason.replace("_", " ").lower())


def client_context(
    ca_bundle: str | None = None, certificate: ClientCertificate | None = None
) -> ssl.SSLContext:
    """Return the context that trusts the given PEM bundle and nothing else; without one, the system's trust.

    The same bundle and certificate give the same context, and another certificate another one: the connection pool
    tells connections apart by it, so none on which we proved to be somebody is used by anybody else.

    Raises:
        TrustInvalidError: the bundle is not one or more PEM certificates.
        CertificateUnusableError: TLS cannot work with the certificate.

    """
    if certificate is None:
        return _context(ca_bundle or "")
    return _SHOWING.context(ca_bundle or "", certificate)


class _Showing:
    """Contexts with a certificate of ours, those used last at the end.

    They are known by a digest that is worth nothing outside of this process. What they hold is a private key, so one
    that nobody has used for a while, as after a rotation, is let go.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._contexts: OrderedDict[bytes, tuple[ssl.SSLContext, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._contexts)

    def context(self, ca_bundle: str, certificate: ClientCertificate) -> ssl.SSLContext:
        now = monotonic()
        digest = self._digest(ca_bundle, certificate.certificate, certificate.private_key)
        kept = self._contexts.pop(digest, None)
        # Made before any other is let go: where that fails, nothing has changed.
        context = kept[0] if kept else _showing(ca_bundle, certificate)
        self._contexts[digest] = context, now
        while len(self._contexts) > MAX_SHOWING or self._oldest() < now - IDLE_SECONDS:
            self._contexts.popitem(last=False)
        return context

    def _oldest(self) -> float:
        return next(iter(self._contexts.values()))[1]

    def _digest(self, *parts: str) -> bytes:
        digest = blake2b(key=self._key, digest_size=32)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            # With its length before each part, no two lists of parts run together into the same bytes.
            digest.update(len(encoded).to_bytes(8, "big"))
            digest.update(encoded)
        return digest.digest()


_SHOWING = _Showing()


def _showing(ca_bundle: str, certificate: ClientCertificate) -> ssl.SSLContext:
    context = _new_context(ca_bundle)
    show(context, certificate)
    return context


# A context for a small bundle costs 17 KB and 0.3 ms, the one for the system's trust 830 KB and 20 ms.
# Thousands of instances share a few authorities, and a context that was dropped is only made again.
@lru_cache(maxsize=256)
def _context(ca_bundle: str) -> ssl.SSLContext:
    return _new_context(ca_bundle)


def _new_context(ca_bundle: str) -> ssl.SSLContext:
    context = WatchedContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    if not ca_bundle:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    # Only whole certificates are handed on: OpenSSL stops silently at the first thing that it cannot read.
    fault = pem_fault(ca_bundle)
    if fault:
        raise TrustInvalidError(fault)
    try:
        context.load_verify_locations(cadata="\n".join(certificates(ca_bundle)))
    except (ssl.SSLError, ValueError):
        raise TrustInvalidError(UNREADABLE) from None
    # Whoever pastes an intermediate authority means to trust it, as Go's and curl's users know it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
