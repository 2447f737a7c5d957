"""Certificates made on the spot: authorities, what they sign, and the ways in which that can be wrong."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


_END = "-----END CERTIFICATE-----\n"
_SIGNS = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """What a server shows and proves: a certificate, those above it, and its key."""

    chain: str
    key: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys can be had here; clients are to refuse them
        show(context, self)
        return context

    def alone(self) -> Identity:
        """The same without the certificates above it, which is how servers are most often set up wrongly."""
        return Identity(self.chain[: self.chain.index(_END) + len(_END)], self.key)

    def outdated_server_context(self) -> ssl.SSLContext:
        """A server that speaks nothing newer than TLS 1.1."""
        context = self.server_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context


def show(context: ssl.SSLContext, identity: Identity) -> None:
    """Let who connects with this context, or listens, show the certificate."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_text(identity.chain, encoding="ascii")
        key.write_text(identity.key, encoding="ascii")
        context.load_cert_chain(chain, key)


class Authority:
    """A certificate authority, valid from `start` to `end` as seen from now.

    With `above`, another one has signed its certificate. Without `identifiers` its certificates have only what is
    needed to verify them, as those of old authorities.
    """

    def __init__(
        self,
        name: str,
        above: Authority | None = None,
        *,
        start: timedelta = -DAY,
        end: timedelta = DAY,
        identifiers: bool = True,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = above or self
        self.identifiers = identifiers
        builder = _builder(self.subject, issuer.subject, self.key, start, end).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        if identifiers:
            own = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
            builder = builder.add_extension(own, critical=False).add_extension(_SIGNS, critical=True)
        self.certificate = issuer.named_in(builder).sign(issuer.key, hashes.SHA256())
        self.chain: str = "" if above is None else self.pem + above.chain

    @property
    def pem(self) -> str:
        return _pem(self.certificate)

    def issue(
        self,
        *names: str,
        start: timedelta = -DAY,
        end: timedelta = DAY,
        for_server: bool = True,
        weak: bool = False,
        with_root: bool = False,
        issuer_at: str | None = None,
        subject: x509.Name | None = None,
    ) -> Identity:
        """Sign a certificate for names and addresses, valid from `start` to `end` as seen from now.

        `weak` gives it a key of a size that nobody accepts any more, `with_root` sends this authority's own along,
        `issuer_at` says where this authority's own is to be had, and `subject` takes the place of the first name.
        """
        key: Key = rsa.generate_private_key(65537, 1024) if weak else ec.generate_private_key(ec.SECP256R1())
        builder = _leaf(names, self.subject, key, start, end, for_server=for_server, subject=subject)
        if issuer_at is not None:
            access = x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_at)
            )
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        certificate = self.named_in(builder).sign(self.key, hashes.SHA256())
        return Identity(_pem(certificate) + self.chain + (self.pem if with_root else ""), _key_pem(key))

    def named_in(self, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        """Say by an identifier which key of this authority signs."""
        if not self.identifiers:
            return builder
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return builder.add_extension(identifier, critical=False)


def self_signed(*names: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _common_name(names)
    return Identity(_pem(_leaf(names, subject, key, -DAY, DAY).sign(key, hashes.SHA256())), _key_pem(key))


def _leaf(
    names: tuple[str, ...],
    issuer: x509.Name,
    key: Key,
    start: timedelta,
    end: timedelta,
    *,
    for_server: bool = True,
    subject: x509.Name | None = None,
) -> x509.CertificateBuilder:
    usage = ExtendedKeyUsageOID.SERVER_AUTH if for_server else ExtendedKeyUsageOID.CLIENT_AUTH
    return (
        _builder(_common_name(names) if subject is None else subject, issuer, key, start, end)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: Key,
    start: timedelta = -DAY,
    end: timedelta = DAY,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
    )


def _common_name(names: tuple[str, ...]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
