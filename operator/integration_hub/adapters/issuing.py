"""A small certificate authority: makes itself, and signs certificates. Writes no file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CLOCK_SKEW = timedelta(minutes=5)

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
"""A certificate and its key."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate to be signed. `name` is what its owner calls it; `usage` is an extended key usage."""

    name: str
    common_name: str
    usage: x509.ObjectIdentifier
    organization: str | None = None
    alternative_names: tuple[x509.GeneralName, ...] = ()


def make_ca(common_name: str, now: datetime, life: timedelta) -> Pair:
    """Return a new authority that signs leaves, and nothing below them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = (
        _builder(name, name, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificate_authority=True), critical=True)
    )
    return builder.sign(key, hashes.SHA256()), key


def make_leaf(leaf: Leaf, ca: Pair, now: datetime, life: timedelta) -> Pair:
    """Return a new certificate that the authority has signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(leaf.common_name, leaf.organization)
    # Python's strict verification, the default from 3.13 on, wants every one of these extensions.
    builder = (
        _builder(subject, ca[0].subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificate_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca[1].public_key()), critical=False)
    )
    if leaf.alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(leaf.alternative_names), critical=False)
    return builder.sign(ca[1], hashes.SHA256()), key


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return the certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the key as PEM (PKCS #8), unencrypted: whoever writes it must keep the file private."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, certificate_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_authority,
        crl_sign=certificate_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)
