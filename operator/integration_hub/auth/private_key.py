"""Private keys as people paste them: what is wrong with one for the algorithm that it is to sign with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LEAST_RSA_BITS: Final = 2048
"""RFC 7518 sections 3.3 and 3.5."""

_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
"""RFC 7518 section 3.4."""
_BASE64_OF_PEM: Final = "LS0tLS1CRUdJTi"

_FAULTS: Final[Sequence[tuple[Callable[[str], bool], str]]] = (
    (
        lambda text: text.lstrip().startswith(_BASE64_OF_PEM),
        "is encoded in base64 once more; decode it first",
    ),
    (
        lambda text: text.lstrip().startswith("{"),
        "is JSON, not PEM; where it is a file of a service account, take the text of its private key alone",
    ),
    (
        lambda text: "-----BEGIN " in text and r"\n" in text,
        r"has its line breaks written as '\n'; store it with real ones",
    ),
    (
        lambda text: "ENCRYPTED" in text and "-----BEGIN " in text,
        "is a private key that is locked with a password; store it without one",
    ),
    (
        lambda text: "-----BEGIN OPENSSH " in text,
        "is a private key in the form of OpenSSH; convert it to PEM (PKCS#8)",
    ),
    (
        lambda text: "-----BEGIN CERTIFICATE" in text and "PRIVATE KEY-----" not in text,
        "is a certificate, and the private key that belongs to it is needed",
    ),
    (
        lambda text: "PUBLIC KEY-----" in text and "PRIVATE KEY-----" not in text,
        "is a public key, and the private key that belongs to it is needed",
    ),
    (
        lambda text: "PRIVATE KEY-----" not in text,
        "is no private key as PEM, which begins with '-----BEGIN PRIVATE KEY-----'",
    ),
    (
        lambda text: "\n" not in text.strip(),
        "has lost its line breaks; store it with one line below the other",
    ),
)
"""Checked in this order; the first that holds is reported. Each reads after "The value of the key 'x' "."""

_VALIDATED: Final[set[bytes]] = set()
"""Digests of keys whose numbers were found to belong together.

To find that out of an RSA key takes 30 ms, in which nothing else is done, and it is asked before every test; a key that
was sound stays so. Of a digest nobody learns the key.
"""
_MOST_VALIDATED: Final = 1000

_GARBLED: Final = "is a private key that is garbled"


def key_fault(text: str, algorithm: str) -> str | None:
    """Return why this text cannot sign with the algorithm, None where it can. No words repeat the text."""
    fault = next((words for holds, words in _FAULTS if holds(text)), None)
    if fault is not None:
        return fault
    digest = sha256(text.encode()).digest()
    try:
        key = load_private_key(text, validated=digest in _VALIDATED)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return _GARBLED
    if len(_VALIDATED) >= _MOST_VALIDATED:
        _VALIDATED.clear()
    _VALIDATED.add(digest)
    return _ec_fault(key, algorithm) if algorithm in _CURVES else _rsa_fault(key, algorithm)


def load_private_key(text: str, *, validated: bool = True) -> PrivateKeyTypes:
    """Return the key of a PEM text; ValueError, TypeError or UnsupportedAlgorithm where it has none."""
    return load_pem_private_key(text.encode(), password=None, unsafe_skip_rsa_key_validation=validated)


def _rsa_fault(key: Any, algorithm: str) -> str | None:
    if not isinstance(key, rsa.RSAPrivateKey):
        return f"is no RSA key, which {algorithm} signs with"
    if key.key_size < LEAST_RSA_BITS:
        return f"is an RSA key of {key.key_size} bits; {algorithm} needs {LEAST_RSA_BITS} at least"
    return None


def _ec_fault(key: Any, algorithm: str) -> str | None:
    curve = _CURVES[algorithm]
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != curve:
        return f"is no key on the curve {curve}, which {algorithm} signs with"
    return None
