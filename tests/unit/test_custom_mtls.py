"""The scheme `mtls`: every way in which people store a certificate and its key wrongly has a sentence of its own."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integration_hub.auth.credentials import read_credentials, secret_values
from integration_hub.auth.custom.certificate_pair import pair_end, pair_pem, pair_problem
from integration_hub.auth.custom.mtls import MutualTls
from integration_hub.auth.flow import Credentials
from integration_hub.model.http import HttpRequest
from support.auth import CONTEXT
from support.certificates import DAY, Authority, Identity

METHOD = MutualTls()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def signed(
    key: Key,
    *extensions: x509.ExtensionType,
    issuer: tuple[x509.Name, Key] | None = None,
    digest: hashes.HashAlgorithm | None = None,
    end: datetime = NOW + timedelta(days=30),
) -> str:
    """A certificate for a key, signed by itself unless an issuer is given."""
    by, signer = issuer or (name("hub"), key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("hub"))
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(end)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


def pem(
    key: Key,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    password: bytes | None = None,
) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class World:
    """An authority, one below it, and what it has signed; made once, since keys take their time."""

    authority: Authority
    middle: Authority
    pair: Identity
    other: Identity
    rsa: rsa.RSAPrivateKey

    @property
    def leaf(self) -> str:
        return self.pair.alone().chain


WORLD = World(
    authority := Authority("Root"),
    middle := Authority("Middle", authority),
    middle.issue("hub", for_server=False),
    middle.issue("other", for_server=False),
    rsa.generate_private_key(65537, 2048),
)
EC = ec.generate_private_key(ec.SECP256R1())


def test_a_certificate_with_its_chain_and_its_key_is_accepted() -> None:
    assert pair_problem(WORLD.pair.chain, WORLD.pair.key) is None
    assert pair_problem(WORLD.leaf, WORLD.pair.key) is None
    assert pair_problem(WORLD.pair.chain + WORLD.authority.pem, WORLD.pair.key) is None, "with the root"


@pytest.mark.parametrize(
    ("what", "chain", "key"),
    [
        ("RSA in PKCS#8", signed(WORLD.rsa), pem(WORLD.rsa)),
        (
            "RSA in PKCS#1",
            signed(WORLD.rsa),
            pem(WORLD.rsa, serialization.PrivateFormat.TraditionalOpenSSL),
        ),
        ("EC in SEC 1", signed(EC), pem(EC, serialization.PrivateFormat.TraditionalOpenSSL)),
        ("Ed25519", signed(ed := ed25519.Ed25519PrivateKey.generate()), pem(ed)),
        ("P-384", signed(large := ec.generate_private_key(ec.SECP384R1())), pem(large)),
        (
            "as 'openssl req -x509' makes it",
            signed(EC, x509.BasicConstraints(ca=True, path_length=None)),
            pem(EC),
        ),
        (
            "any purpose",
            signed(EC, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
            pem(EC),
        ),
        (
            "both purposes",
            signed(
                EC,
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                usage(digital_signature=True),
            ),
            pem(EC),
        ),
        (
            "with Windows' line breaks",
            WORLD.pair.chain.replace("\n", "\r\n"),
            WORLD.pair.key.replace("\n", "\r\n"),
        ),
        ("with blank lines around", f"\n\n{WORLD.pair.chain}\n\n", f"\n{WORLD.pair.key}\n\n"),
        ("without a last line break", WORLD.pair.chain.rstrip(), WORLD.pair.key.rstrip()),
        (
            "as 'openssl pkcs12' writes it",
            f"Bag Attributes\n    friendlyName: hub\nsubject=CN = hub\n\n{WORLD.pair.chain}",
            f"Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n{WORLD.pair.key}",
        ),
        (
            "as 'openssl ecparam -genkey' writes it",
            WORLD.pair.chain,
            f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{WORLD.pair.key}",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "-----" not in value else "",
)
def test_whatever_form_tools_give_the_pair_it_is_accepted(what: str, chain: str, key: str) -> None:
    assert pair_problem(chain, key) is None, what
    certificate, private = pair_pem(chain, key)
    assert pair_problem(certificate, private) is None
    assert certificate.startswith("-----BEGIN CERTIFICATE-----\n")
    assert private.startswith("-----BEGIN PRIVATE KEY-----\n")


def spoilt(text: str, at: int) -> str:
    """The same PEM with another byte in the middle of what is encoded."""
    lines = text.splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    body[at % len(body)] ^= 0x55
    return "\n".join([lines[0], base64.b64encode(body).decode(), lines[-1]])


RSA_CHAIN, RSA_KEY = signed(WORLD.rsa), pem(WORLD.rsa)
LEAF, MIDDLE = WORLD.leaf, WORLD.middle.pem
KEY = WORLD.pair.key
SMALL = rsa.generate_private_key(65537, 1024)
SMALL_CURVE = ec.generate_private_key(ec.SECP192R1())
DSA = dsa.generate_private_key(2048)

SERVERS = WORLD.authority.issue("hub")

MISTAKES: list[tuple[str, str, str, str]] = [
    (
        "the two are exchanged",
        KEY,
        LEAF,
        "'tls.crt' holds the private key and 'tls.key' the certificate; exchange",
    ),
    ("both in one", LEAF + KEY, KEY, "'tls.crt' holds a private key, which belongs into 'tls.key' alone"),
    (
        "both in both",
        LEAF + KEY,
        LEAF + KEY,
        "'tls.crt' holds a private key, which belongs into 'tls.key' alone",
    ),
    ("no PEM", "MIIB", KEY, "'tls.crt' cannot be used: it has no line '-----BEGIN CERTIFICATE-----'"),
    ("a certificate cut off", LEAF[:-30], KEY, "'tls.crt' cannot be used: it has no line '-----END"),
    (
        "in base64 again",
        base64.b64encode(LEAF.encode()).decode(),
        KEY,
        "'tls.crt' cannot be used: it is encoded in",
    ),
    ("literal line breaks", LEAF.replace("\n", r"\n"), KEY, "its line breaks are written as"),
    ("lost line breaks", LEAF.replace("\n", " "), KEY, "its line breaks are lost"),
    (
        "a request",
        LEAF.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        KEY,
        "something else than certificates",
    ),
    (
        "a garbled certificate",
        spoilt(LEAF, 1),
        KEY,
        "'tls.crt' cannot be used: a certificate in it is garbled",
    ),
    ("no PEM key", LEAF, "secret", "'tls.key' is no private key in PEM"),
    ("a key cut off", LEAF, KEY[:-30], "'tls.key' ends before its line '-----END'"),
    ("a garbled key", LEAF, KEY.replace("M", "*"), "'tls.key' is garbled"),
    (
        "a key of other bytes",
        LEAF,
        spoilt(KEY, 1),
        "'tls.key' is garbled, or of a kind that TLS does not know",
    ),
    ("an RSA key that is none", RSA_CHAIN, spoilt(RSA_KEY, -40), "'tls.key' is garbled, or of a kind"),
    (
        "a key in base64 again",
        LEAF,
        base64.b64encode(KEY.encode()).decode(),
        "'tls.key' is encoded in base64 once",
    ),
    (
        "a key with literal line breaks",
        LEAF,
        KEY.replace("\n", r"\n"),
        "'tls.key' has its line breaks written as",
    ),
    ("an encrypted key", LEAF, pem(EC, password=b"secret"), "'tls.key' is encrypted with a password"),
    (
        "an encrypted key, the old way",
        LEAF,
        pem(EC, serialization.PrivateFormat.TraditionalOpenSSL, b"secret"),
        "'tls.key' is encrypted with a password",
    ),
    (
        "OpenSSH's key",
        LEAF,
        pem(EC, serialization.PrivateFormat.OpenSSH),
        "'tls.key' is in OpenSSH's own format",
    ),
    (
        "a public key",
        LEAF,
        EC.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "'tls.key' holds a public key",
    ),
    ("the certificate twice", LEAF, LEAF, "'tls.key' holds a certificate in place of its private key"),
    ("two keys", LEAF, KEY + WORLD.other.key, "'tls.key' holds more than one private key"),
    ("DSA", LEAF, pem(DSA), "of a kind that TLS does not know"),
    ("somebody else's key", LEAF, WORLD.other.key, "does not belong to the certificate in 'tls.crt'"),
    ("upside down", MIDDLE + LEAF, KEY, "out of order: the one of the key is number 2 and must be the first"),
    (
        "a stranger in the chain",
        LEAF + Authority("Stranger").pem,
        KEY,
        "number 2 is not the authority that issued number 1",
    ),
    (
        "a namesake in the chain",
        LEAF + Authority("Middle").pem,
        KEY,
        "number 2 is not the authority that issued number 1",
    ),
    (
        "the chain above upside down",
        LEAF + WORLD.authority.pem + MIDDLE,
        KEY,
        "number 2 is not the authority that issued number 1",
    ),
    ("a small RSA key", signed(SMALL), pem(SMALL), "too weak: it has 1024 bits, and TLS needs 2048"),
    ("a small curve", signed(SMALL_CURVE), pem(SMALL_CURVE), "too weak: it has 192 bits, and TLS needs 224"),
    (
        "an authority's own",
        signed(EC, x509.BasicConstraints(ca=True, path_length=None), usage(key_cert_sign=True)),
        pem(EC),
        "is an authority's own (CA:TRUE)",
    ),
    ("a server's", SERVERS.chain, SERVERS.key, "is not for clients: it has an extended key usage without"),
    ("without signing", signed(EC, usage()), pem(EC), "lacks 'digitalSignature'"),
]


@pytest.mark.parametrize(("chain", "key", "said"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_every_mistake_has_one_clear_sentence_that_repeats_nothing(chain: str, key: str, said: str) -> None:
    problem = pair_problem(chain, key)
    assert problem is not None
    assert said in problem
    assert problem.endswith(".")
    assert "\n" not in problem
    assert len(problem) < 200
    lines = [line for line in (chain + "\n" + key).splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in problem for line in lines)


PARTS = [
    LEAF,
    MIDDLE,
    KEY,
    RSA_KEY,
    "\n",
    " ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "MIIB",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=5), st.lists(st.sampled_from(PARTS), max_size=5))
def test_whatever_is_stored_is_refused_or_can_be_loaded(chain: list[str], key: list[str]) -> None:
    problem = pair_problem("".join(chain), "".join(key))
    if problem is None:
        assert pair_pem("".join(chain), "".join(key))[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000))
def test_a_damaged_key_is_refused_whatever_byte_it_is(at: int) -> None:
    assert pair_problem(RSA_CHAIN, spoilt(RSA_KEY, at)) is not None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000))
@example(12)  # a version that there is none of, for which cryptography has an error of its own
def test_a_damaged_certificate_is_no_reason_to_fail(at: int) -> None:
    pair_problem(spoilt(RSA_CHAIN, at), RSA_KEY)
    pair_end(spoilt(RSA_CHAIN, at))


def openssl(folder: Path, *args: str) -> None:
    try:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("there is no openssl here")


MAKE_SELF_SIGNED = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hub")


def test_what_openssl_itself_makes_is_accepted(tmp_path: Path) -> None:
    openssl(tmp_path, *MAKE_SELF_SIGNED, "-keyout", "tls.key", "-out", "tls.crt")
    assert pair_problem((tmp_path / "tls.crt").read_text(), (tmp_path / "tls.key").read_text()) is None


def test_a_signature_that_nobody_accepts_is_named_unless_nobody_looks_at_it(tmp_path: Path) -> None:
    openssl(tmp_path, *MAKE_SELF_SIGNED, "-sha1", "-keyout", "ca.key", "-out", "ca.crt")
    own = (tmp_path / "ca.crt").read_text()
    assert pair_problem(own, (tmp_path / "ca.key").read_text()) is None, "one that is its own authority"
    issued = (
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-keyout",
        "tls.key",
        "-out",
        "tls.crt",
        "-subj",
        "/CN=leaf",
    )
    openssl(tmp_path, *MAKE_SELF_SIGNED, "-sha1", *issued)
    problem = pair_problem((tmp_path / "tls.crt").read_text() + own, (tmp_path / "tls.key").read_text())
    assert problem is not None
    assert "number 1 in 'tls.crt' is signed with SHA1" in problem


# -- The scheme ------------------------------------------------------------------------------------


def credentials(chain: str = WORLD.pair.chain, key: str = KEY) -> Credentials:
    data = {"tls.crt": chain.encode(), "tls.key": key.encode(), "ca.crt": b"anything at all"}
    found = read_credentials(METHOD.secret_keys({}), data, secret_name="sec")
    assert isinstance(found, Credentials)
    return found


def test_the_request_brings_the_pair_and_is_otherwise_as_it_was() -> None:
    asked = HttpRequest("GET", "https://api.example.com/me", {"Accept": "application/json"}, (("q", "1"),))
    (sent,) = METHOD.flow({}, credentials(), asked, CONTEXT)
    assert (sent.method, sent.url, sent.headers, sent.query) == (
        asked.method,
        asked.url,
        asked.headers,
        asked.query,
    )
    assert sent.client_certificate is not None
    assert x509.load_pem_x509_certificates(sent.client_certificate.certificate.encode()) == [
        x509.load_pem_x509_certificate(text.encode()) for text in (LEAF, MIDDLE)
    ]
    assert "MII" not in f"{sent!r} {sent.client_certificate!r}"


def test_the_secret_is_of_the_type_that_the_api_server_checks() -> None:
    assert METHOD.secret_type({}) == "kubernetes.io/tls"
    assert [(key.name, key.required, key.multiline) for key in METHOD.secret_keys({})] == [
        ("tls.crt", True, True),
        ("tls.key", True, True),
    ]


def test_the_certificate_is_no_secret_and_the_key_is_one() -> None:
    held = credentials()
    assert KEY in secret_values(held)
    assert WORLD.pair.chain not in secret_values(held)


def test_workloads_get_the_pair_under_the_well_known_names() -> None:
    assert METHOD.delivered({}, credentials()) == {"certificates": WORLD.pair.chain, "private-key": KEY}


def test_the_credential_ends_with_the_first_certificate_of_its_chain() -> None:
    soon = WORLD.authority.issue("hub", end=DAY / 2, for_server=False)
    both = soon.chain + WORLD.authority.pem
    end = METHOD.ends_at({}, credentials(both, soon.key))
    assert end == x509.load_pem_x509_certificate(soon.chain.encode()).not_valid_after_utc
    assert METHOD.ends_at({}, credentials("no PEM", KEY)) is None


def test_a_pair_that_was_not_checked_is_a_mistake_of_ours_and_says_nothing_of_it() -> None:
    with pytest.raises(ValueError, match="cannot be read") as raised:
        pair_pem("canary", "canary")
    assert "canary" not in str(raised.value)
