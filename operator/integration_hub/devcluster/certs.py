"""The keys and certificates of one cluster, made before its server starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from integration_hub.devcluster.files import make_private_folder, write_private

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
"""A certificate with less time than this left is made anew at the next start."""

_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A certificate to be signed by the cluster's authority."""

    name: str
    common_name: str
    usage: x509.ObjectIdentifier
    organization: str | None = None
    alternative_names: tuple[x509.GeneralName, ...] = ()


_LEAVES = (
    _Leaf(
        "server",
        "kube-apiserver",
        ExtendedKeyUsageOID.SERVER_AUTH,
        alternative_names=(
            x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
        ),
    ),
    # RBAC lets this group do everything, and cannot take it away again: a person cannot lock themselves out.
    _Leaf("admin", "admin", ExtendedKeyUsageOID.CLIENT_AUTH, organization="system:masters"),
)


def ensure_certificates(folder: Path, now: datetime | None = None) -> None:
    """Make `folder` hold everything the server is started with; what is still good for a while is kept.

    In it afterwards: `ca`, `server`, `admin` (each `.crt` and `.key`), and `sa.key` and `sa.pub`, which sign
    and verify service-account tokens and are never renewed, as that would void every token.
    """
    now = now or datetime.now(UTC)
    make_private_folder(folder)
    if not (folder / "sa.key").exists() or not (folder / "sa.pub").exists():
        _write_signing_key(folder)
    ca = _load(folder, "ca")
    if ca is None or not _is_good(ca[0], now):
        ca = _make_ca(now)
        _store(folder, "ca", ca)
    for leaf in _LEAVES:
        made = _load(folder, leaf.name)
        if made is None or not _is_good(made[0], now) or not _is_signed_by(made[0], ca[0]):
            _store(folder, leaf.name, _make_leaf(leaf, ca, now))


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _load(folder: Path, name: str) -> _Pair | None:
    """Return a certificate and its key, or None where they are absent, damaged or do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return certificate, key


def _store(folder: Path, name: str, pair: _Pair) -> None:
    write_private(folder / f"{name}.key", _private_pem(pair[1]))
    write_private(folder / f"{name}.crt", pair[0].public_bytes(serialization.Encoding.PEM))


def _is_good(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _is_signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - of three unrelated types; whatever it is, sign anew
        return False
    return True


def _make_ca(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("integration-hub-dev-ca")
    usage = _key_usage(certificate_authority=True)
    builder = (
        _builder(name, name, key.public_key(), now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make_leaf(leaf: _Leaf, ca: _Pair, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(leaf.common_name, leaf.organization)
    # Python's strict verification wants every one of these extensions.
    builder = (
        _builder(subject, ca[0].subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificate_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([leaf.usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca[1].public_key()), critical=False)
    )
    if leaf.alternative_names:
        builder = builder.add_extension(x509.SubjectAlternativeName(leaf.alternative_names), critical=False)
    return builder.sign(ca[1], hashes.SHA256()), key


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


def _write_signing_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(folder / "sa.key", _private_pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(folder / "sa.pub", public)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
