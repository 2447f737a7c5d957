"""Trust: SSL contexts for outgoing connections, and what a failed handshake means. No sockets."""

from __future__ import annotations

import ssl
from functools import lru_cache

from integration_hub.config.pem import UNREADABLE, certificates, pem_fault
from integration_hub.model.http import FailureKind

# X509_V_ERR_* of OpenSSL's x509_vfy.h, which Python does not name. The words are ours, not the certificate's.
_UNTRUSTED = {
    2: "the authority that issued it is not known",
    18: "self-signed certificate",
    19: "self-signed certificate in the chain",
    20: "the authority that issued it is not known",
    21: "unable to verify the first certificate of an incomplete chain",
    22: "certificate chain too long",
    23: "revoked certificate",
    24: "issuer is not an authority",
    25: "certificate chain too long for its authority",
    26: "certificate is not for servers",
    27: "untrusted authority",
    28: "rejected authority",
    47: "name outside of what its authority may certify",
    66: "key too weak",
    67: "authority's key too weak",
    68: "signature algorithm too weak",
    79: "issuer is not an authority",
}
_EXPIRED = {9: "certificate not yet valid", 10: "certificate expired"}
_MISMATCH = {62: "certificate is for another name", 64: "certificate is for another address"}

CERTIFICATE_FAULTS: dict[int, tuple[FailureKind, str]] = {
    code: (kind, words)
    for kind, faults in (
        (FailureKind.TLS_UNTRUSTED, _UNTRUSTED),
        (FailureKind.TLS_EXPIRED, _EXPIRED),
        (FailureKind.TLS_HOST_MISMATCH, _MISMATCH),
    )
    for code, words in faults.items()
}

HANDSHAKE_FAULTS: dict[str, str] = {
    "WRONG_VERSION_NUMBER": "the port does not speak TLS",
    "HTTP_REQUEST": "the port does not speak TLS",
    "RECORD_LAYER_FAILURE": "the port does not speak TLS",
    "PACKET_LENGTH_TOO_LONG": "the port does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "TLS 1.2 or later is not supported",
    "TLSV1_ALERT_PROTOCOL_VERSION": "TLS 1.2 or later is not supported",
    "UNEXPECTED_EOF_WHILE_READING": "the connection was closed during the TLS handshake",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no common TLS settings",
    "NO_SHARED_CIPHER": "no common TLS settings",
    "DH_KEY_TOO_SMALL": "the host's TLS settings are too weak",
    "TLSV1_UNRECOGNIZED_NAME": "the host does not serve this name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the host requires a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the host requires a client certificate",
}
"""What OpenSSL's reason means to a person. A reason is one of OpenSSL's constants: showing an unlisted one is
safe."""


class TrustInvalidError(ValueError):
    """A CA bundle cannot be used. The message holds nothing of it."""


def certificate_fault(error: ssl.SSLCertVerificationError) -> tuple[FailureKind, str]:
    """Classify why a host's certificate was not accepted."""
    code = error.verify_code
    return CERTIFICATE_FAULTS.get(code, (FailureKind.TLS_FAILED, f"certificate not accepted (code {code})"))


def handshake_fault(error: ssl.SSLError) -> str:
    """Say why a handshake failed for another reason than the certificate."""
    if not error.reason:
        return "the TLS handshake failed"
    return HANDSHAKE_FAULTS.get(error.reason, error.reason.replace("_", " ").lower())


def client_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Return the context that trusts the given PEM bundle and nothing else; without one, the system's trust.

    The same bundle gives the same context: the connection pool tells connections apart by it.

    Raises:
        TrustInvalidError: the bundle is not one or more PEM certificates.

    """
    return _context(ca_bundle or "")


# A context for a small bundle costs 17 KB and 0.3 ms, the one for the system's trust 830 KB and 20 ms.
# Thousands of instances share a few authorities, and a context that was dropped is only made again.
@lru_cache(maxsize=256)
def _context(ca_bundle: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and host name
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
