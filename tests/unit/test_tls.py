"""SSL contexts, and what a failed handshake means."""

from __future__ import annotations

import ssl

import pytest

from integration_hub.adapters.tls import (
    CERTIFICATE_FAULTS,
    TrustInvalidError,
    certificate_fault,
    client_context,
    handshake_fault,
)
from integration_hub.config.pem import UNREADABLE
from integration_hub.model.http import FailureKind
from support.certificates import Authority, Identity


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Test Authority")


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue("127.0.0.1")


@pytest.mark.parametrize("private", [False, True])
def test_every_context_verifies(authority: Authority, private: bool) -> None:
    context = client_context(authority.pem if private else None)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION


def test_a_private_bundle_is_all_that_is_trusted(authority: Authority) -> None:
    other = Authority("Other")
    trusted = client_context(authority.pem + other.pem).get_ca_certs()
    assert [ca["subject"] for ca in trusted] == [
        ((("commonName", "Test Authority"),),),
        ((("commonName", "Other"),),),
    ]


def test_the_same_trust_is_the_same_context(authority: Authority) -> None:
    copied = "".join(list(authority.pem))
    assert client_context(authority.pem) is client_context(copied)
    assert client_context(None) is client_context("")
    assert client_context(None) is not client_context(authority.pem)


def test_notes_around_certificates_do_not_matter(authority: Authority) -> None:
    noted = f"# Unternehmens-CA für Köln\n{authority.pem}\nEnde\n".replace("\n", "\r\n")
    assert len(client_context(noted).get_ca_certs()) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _, __: " ", id="blank"),
        pytest.param(lambda _, __: "certificate", id="no PEM"),
        pytest.param(lambda pem, _: pem.replace("-----END CERTIFICATE-----", ""), id="cut off"),
        pytest.param(lambda pem, _: pem + pem[:200], id="second one cut off"),
        pytest.param(lambda pem, _: pem.replace("MII", "AAA"), id="garbled"),
        pytest.param(lambda pem, _: pem + pem.replace("MII", "AAA"), id="second one garbled"),
        pytest.param(lambda pem, _: pem.replace("BEGIN CERT", "BEGIN TRUSTED CERT"), id="another kind"),
        pytest.param(lambda pem, key: pem + key, id="with a key"),
    ],
)
def test_a_bundle_is_used_as_a_whole_or_not_at_all(
    authority: Authority, identity: Identity, change: object
) -> None:
    assert callable(change)
    with pytest.raises(TrustInvalidError) as caught:
        client_context(change(authority.pem, identity.key))
    assert str(caught.value).startswith("it ") or str(caught.value) == UNREADABLE


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (9, FailureKind.TLS_NOT_YET_VALID, "certificate not yet valid"),
        (10, FailureKind.TLS_EXPIRED, "certificate expired"),
        (18, FailureKind.TLS_SELF_SIGNED, "self-signed certificate"),
        (19, FailureKind.TLS_SELF_SIGNED, "self-signed certificate in the chain"),
        (20, FailureKind.TLS_UNTRUSTED, "the authority that issued it is not known"),
        (
            21,
            FailureKind.TLS_INCOMPLETE_CHAIN,
            "unable to verify the first certificate of an incomplete chain",
        ),
        (66, FailureKind.TLS_TOO_OLD, "key too weak"),
        (62, FailureKind.TLS_HOST_MISMATCH, "certificate is for another name"),
        (1, FailureKind.TLS_FAILED, "certificate not accepted (code 1)"),
    ],
)
def test_certificate_errors_are_told_by_their_code(code: int, kind: FailureKind, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, "text of the other side")
    error.verify_code = code
    assert certificate_fault(error) == (kind, words)


def test_every_kind_of_certificate_error_is_in_the_table() -> None:
    assert {kind for kind, _ in CERTIFICATE_FAULTS.values()} == {
        FailureKind.TLS_UNTRUSTED,
        FailureKind.TLS_INCOMPLETE_CHAIN,
        FailureKind.TLS_SELF_SIGNED,
        FailureKind.TLS_HOST_MISMATCH,
        FailureKind.TLS_EXPIRED,
        FailureKind.TLS_NOT_YET_VALID,
        FailureKind.TLS_TOO_OLD,
    }


REFUSED = "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize(
    ("reason", "agreed", "kind", "words"),
    [
        ("WRONG_VERSION_NUMBER", False, FailureKind.TLS_NOT_SPOKEN, "the port does not speak TLS"),
        (
            "TLSV1_ALERT_PROTOCOL_VERSION",
            False,
            FailureKind.TLS_TOO_OLD,
            "TLS 1.2 or later is not supported",
        ),
        ("DH_KEY_TOO_SMALL", True, FailureKind.TLS_TOO_OLD, "the host's TLS settings are too weak"),
        (REFUSED, False, FailureKind.TLS_FAILED, "no common TLS settings"),
        (REFUSED, True, FailureKind.TLS_CLIENT_CERTIFICATE, "the host requires a client certificate"),
        ("BAD_ECC_CERT", True, FailureKind.TLS_FAILED, "bad ecc cert"),
        (None, False, FailureKind.TLS_FAILED, "the TLS handshake failed"),
    ],
)
def test_handshake_errors_are_told_by_openssls_reason(
    reason: str | None, agreed: bool, kind: FailureKind, words: str
) -> None:
    error = ssl.SSLError(1, "text of the other side")
    error.reason = reason  # type: ignore[assignment]
    assert handshake_fault(error, agreed=agreed) == (kind, words)
