"""The keys and certificates of one cluster, made before its server starts."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from integration_hub.adapters.issuing import Leaf, Pair, certificate_pem, make_ca, make_leaf, private_pem
from integration_hub.devcluster.files import make_private_folder, write_private

CA_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
"""A certificate with less time than this left is made anew at the next start."""

_LEAVES = (
    Leaf(
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
    Leaf("admin", "admin", ExtendedKeyUsageOID.CLIENT_AUTH, organization="system:masters"),
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
        ca = make_ca("integration-hub-dev-ca", now, CA_LIFE)
        _store(folder, "ca", ca)
    for leaf in _LEAVES:
        made = _load(folder, leaf.name)
        if made is None or not _is_good(made[0], now) or not _is_signed_by(made[0], ca[0]):
            _store(folder, leaf.name, make_leaf(leaf, ca, now, LEAF_LIFE))


def _load(folder: Path, name: str) -> Pair | None:
    """Return a certificate and its key, or None where they are absent, damaged or do not belong together."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return certificate, key


def _store(folder: Path, name: str, pair: Pair) -> None:
    write_private(folder / f"{name}.key", private_pem(pair[1]))
    write_private(folder / f"{name}.crt", certificate_pem(pair[0]))


def _is_good(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _is_signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - of three unrelated types; whatever it is, sign anew
        return False
    return True


def _write_signing_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(folder / "sa.key", private_pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(folder / "sa.pub", public)
