"""A client certificate and its key as people store them: what is wrong with the two, and until when they are good.

Whether they are good now is asked of whoever knows the time. What is said here repeats nothing of a value.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from integration_hub.config.pem import UNREADABLE, certificates, pem_fault

CERTIFICATE_KEY: Final = "tls.crt"
PRIVATE_KEY: Final = "tls.key"
"""The keys of a Secret of type 'kubernetes.io/tls'."""

MIN_RSA_BITS: Final = 2048
MIN_CURVE_BITS: Final = 224
"""112 bits of security, below which TLS libraries refuse a key (OpenSSL's security level 2)."""

_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN ((?:[A-Z0-9]+ ){0,3})PRIVATE KEY-----\s(?:[^-]|-(?!----))*-----END \1PRIVATE KEY-----"
)
_MARK: Final = "PRIVATE KEY-----"

_CERTIFICATE_MISPLACED: Final[Sequence[tuple[Callable[[str, str], bool], str]]] = (
    (
        lambda chain, key: _MARK in chain and _MARK not in key and "BEGIN CERTIFICATE" in key,
        f"holds the private key and '{PRIVATE_KEY}' the certificate; exchange the two",
    ),
    (
        lambda chain, _: _MARK in chain,
        f"holds a private key, which belongs into '{PRIVATE_KEY}' alone",
    ),
)

_KEY_FAULTS: Final[Sequence[tuple[Callable[[str], bool], str]]] = (
    (
        lambda text: "BEGIN ENCRYPTED PRIVATE KEY" in text or "Proc-Type: 4,ENCRYPTED" in text,
        "is encrypted with a password that nobody is there to type; store it without (openssl pkey -in tls.key)",
    ),
    (
        lambda text: "BEGIN OPENSSH PRIVATE KEY" in text,
        "is in OpenSSH's own format; convert it (ssh-keygen -p -m PKCS8 -f tls.key)",
    ),
    (lambda text: "BEGIN PUBLIC KEY" in text, "holds a public key; the private one is needed"),
    (
        lambda text: "BEGIN CERTIFICATE" in text and _MARK not in text,
        "holds a certificate in place of its private key",
    ),
    (
        lambda text: text.lstrip().startswith("LS0tLS1CRUdJTi"),
        "is encoded in base64 once more; decode it first",
    ),
    (lambda text: r"\n" in text, r"has its line breaks written as '\n'; store it with real ones"),
    (
        lambda text: _MARK not in text,
        "is no private key in PEM: it has no line '-----BEGIN PRIVATE KEY-----'",
    ),
    (lambda text: text.count("-----BEGIN") > text.count("-----END"), "ends before its line '-----END'"),
    (
        lambda text: len(re.findall(rf"-----BEGIN [A-Z0-9 ]*{_MARK}", text)) > 1,
        "holds more than one private key",
    ),
    (lambda text: _KEY_BLOCK.search(text) is None, "is garbled"),
)
"""Checked in this order; the first that holds is reported. Each reads after "The value of the key 'tls.key' "."""


_GARBLED: Final = f"The value of the key '{CERTIFICATE_KEY}' cannot be used: {UNREADABLE}."


def pair_problem(chain_text: str, key_text: str) -> str | None:
    """Return why a certificate and a key can never be shown to a host; None where they can."""
    for misplaced, words in _CERTIFICATE_MISPLACED:
        if misplaced(chain_text, key_text):
            return f"The value of the key '{CERTIFICATE_KEY}' {words}."
    fault = pem_fault(chain_text)
    if fault:
        return f"The value of the key '{CERTIFICATE_KEY}' cannot be used: {fault}."
    for holds, words in _KEY_FAULTS:
        if holds(key_text):
            return f"The value of the key '{PRIVATE_KEY}' {words}."
    with _no_remarks():
        return _problem_of_what_is_read(_read_chain(chain_text), _read_key(key_text))


def _problem_of_what_is_read(chain: Sequence[x509.Certificate] | None, key: _PrivateKey | None) -> str | None:
    if chain is None:
        return _GARBLED
    if key is None:
        return f"The value of the key '{PRIVATE_KEY}' is garbled, or of a kind that TLS does not know."
    try:
        return _mismatch(chain, key) or _weakness(key) or _chain_fault(chain) or _purpose_fault(chain[0])
    except Exception:  # noqa: BLE001 - any bit can be garbled, and the errors of that are of no one family
        return _GARBLED


def pair_pem(chain_text: str, key_text: str) -> tuple[str, str]:
    """Return the certificates and the key, written anew: what was checked, and so what every reader reads alike."""
    with _no_remarks():
        chain, key = _read_chain(chain_text), _read_key(key_text)
    if not chain or key is None:
        raise ValueError("the pair cannot be read, as pair_problem says")
    certificate_pem = b"".join(found.public_bytes(serialization.Encoding.PEM) for found in chain)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate_pem.decode("ascii"), key_pem.decode("ascii")


def pair_end(chain_text: str) -> datetime | None:
    """Return when the first certificate of a chain ends; None where it cannot be read."""
    with _no_remarks():
        try:
            ends = [certificate.not_valid_after_utc for certificate in _read_chain(chain_text) or ()]
        except ValueError:
            return None
    return min(ends, default=None)


@contextmanager
def _no_remarks() -> Iterator[None]:
    """Let nothing warn of what is odd about other people's certificates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read_chain(text: str) -> list[x509.Certificate] | None:
    try:
        return [x509.load_pem_x509_certificate(pem.encode()) for pem in certificates(text)]
    except (ValueError, x509.InvalidVersion):
        return None


_PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)


def _read_key(text: str) -> _PrivateKey | None:
    block = _KEY_BLOCK.search(text)
    try:
        # If the numbers of an RSA key are prime takes up to 200 ms to find out, at every test: all else is checked.
        key = serialization.load_pem_private_key(
            block[0].encode() if block else b"", password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPrivateKey) and not _is_consistent(key.private_numbers()):
        return None
    return key if isinstance(key, _PrivateKey) else None


def _is_consistent(key: rsa.RSAPrivateNumbers) -> bool:
    """Tell whether the numbers of an RSA key fit each other (RFC 8017 section 3.2)."""
    p, q, e = key.p, key.q, key.public_numbers.e
    return (
        min(p, q) > 1
        and p * q == key.public_numbers.n
        and e * key.d % (p - 1) == e * key.d % (q - 1) == 1
        and (key.dmp1, key.dmq1) == (key.d % (p - 1), key.d % (q - 1))
        and key.iqmp * q % p == 1
    )


def _public(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _mismatch(chain: Sequence[x509.Certificate], key: _PrivateKey) -> str | None:
    own = [number for number, found in enumerate(chain, start=1) if _public(found) == key.public_key()]
    if not own:
        return (
            f"The private key in '{PRIVATE_KEY}' does not belong to the certificate in '{CERTIFICATE_KEY}'."
        )
    if own[0] > 1:
        return (
            f"The certificates in '{CERTIFICATE_KEY}' are out of order: the one of the key is number {own[0]}"
            " and must be the first."
        )
    return None


def _weakness(key: _PrivateKey) -> str | None:
    match key:
        case rsa.RSAPrivateKey() if key.key_size < MIN_RSA_BITS:
            least = MIN_RSA_BITS
        case ec.EllipticCurvePrivateKey() if key.key_size < MIN_CURVE_BITS:
            least = MIN_CURVE_BITS
        case _:
            return None
    return (
        f"The private key in '{PRIVATE_KEY}' is too weak: it has {key.key_size} bits, and TLS needs {least}."
    )


def _chain_fault(chain: Sequence[x509.Certificate]) -> str | None:
    for number, certificate in enumerate(chain, start=1):
        broken = _broken_hash(certificate)
        # Of one that is its own authority nobody looks at the signature.
        if broken and certificate.issuer != certificate.subject:
            return (
                f"The certificate number {number} in '{CERTIFICATE_KEY}' is signed with {broken}, which nobody"
                " accepts any more."
            )
    for number, (below, above) in enumerate(pairwise(chain), start=2):
        if not _is_issued_by(below, above):
            return (
                f"The certificates in '{CERTIFICATE_KEY}' are out of order, or do not belong together: number"
                f" {number} is not the authority that issued number {number - 1}."
            )
    return None


def _broken_hash(certificate: x509.Certificate) -> str:
    try:
        used = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return used.name.upper() if isinstance(used, hashes.MD5 | hashes.SHA1) else ""


def _is_issued_by(below: x509.Certificate, above: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


_FOR_CLIENTS: Final = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


_T = TypeVar("_T", bound=x509.ExtensionType)


def _extension(extensions: x509.Extensions, kind: type[_T]) -> _T | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _purpose_fault(certificate: x509.Certificate) -> str | None:
    """Return why a certificate is none that a client shows.

    One that is its own authority and says nothing of its use is let pass, as 'openssl req -x509' makes such, and hosts
    know them one by one.
    """
    extensions = certificate.extensions
    basic = _extension(extensions, x509.BasicConstraints)
    usage = _extension(extensions, x509.KeyUsage)
    extended = _extension(extensions, x509.ExtendedKeyUsage)
    if basic is not None and basic.ca and usage is not None and usage.key_cert_sign:
        return f"The certificate in '{CERTIFICATE_KEY}' is an authority's own (CA:TRUE), and not one of a client."
    if extended is not None and not _FOR_CLIENTS & set(extended):
        return (
            f"The certificate in '{CERTIFICATE_KEY}' is not for clients: it has an extended key usage without"
            " 'clientAuth'."
        )
    if usage is not None and not usage.digital_signature:
        return (
            f"The certificate in '{CERTIFICATE_KEY}' may not be used to sign, as a client must (its key usage"
            " lacks 'digitalSignature')."
        )
    return None
