"""A private authority and one certificate for 127.0.0.1, as an internal system of a company has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from integration_hub.adapters.issuing import Leaf, certificate_pem, make_ca, make_leaf, private_pem
from integration_hub.devcluster.files import write_private

LIFE = timedelta(days=30)
"""Longer than any run; each run makes its own."""

_SERVER = Leaf(
    "server",
    "Example server",
    ExtendedKeyUsageOID.SERVER_AUTH,
    alternative_names=(x509.IPAddress(IPv4Address("127.0.0.1")),),
)


def make_certificates(folder: Path) -> str:
    """Write `server.crt` and `server.key`; return the authority's certificate as PEM.

    The authority's key is thrown away: nothing else can ever be signed with it.
    """
    now = datetime.now(UTC)
    authority = make_ca("Example private authority", now, LIFE)
    certificate, key = make_leaf(_SERVER, authority, now, LIFE)
    write_private(folder / "server.key", private_pem(key))
    write_private(folder / "server.crt", certificate_pem(certificate))
    return certificate_pem(authority[0]).decode("ascii")
