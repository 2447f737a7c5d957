"""What people paste for a certificate authority, and what they are told."""

from __future__ import annotations

import pytest

from integration_hub.config.pem import certificates, pem_fault

BODY = "TUlJQmlEQ0NBUys9\n" * 3
PEM = f"-----BEGIN CERTIFICATE-----\n{BODY}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("text", [PEM, PEM + PEM, f"# our own\n{PEM}", PEM.replace("\n", "\r\n")])
def test_whole_certificates_have_no_fault(text: str) -> None:
    assert pem_fault(text) is None
    assert len(certificates(text)) == text.count("BEGIN")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no line '-----BEGIN CERTIFICATE-----'"),
        ("/etc/ssl/ca.pem", "it has no line '-----BEGIN CERTIFICATE-----'"),
        (PEM.replace("-----END CERTIFICATE-----", ""), "it has no line '-----END CERTIFICATE-----' after"),
        (PEM + PEM[:40], "it has no line '-----END CERTIFICATE-----' after"),
        (PEM.replace("\n", " "), "its line breaks are lost"),
        (PEM.replace("\n", r"\n"), r"its line breaks are written as '\n'"),
        ("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==", "it is encoded in base64 once more"),
        (PEM + PEM.replace("CERTIFICATE", "PRIVATE KEY"), "it holds a private key"),
        (PEM.replace("BEGIN CERT", "BEGIN TRUSTED CERT"), "it holds something else than certificates"),
        (PEM.replace("TUl", "T*l"), "a certificate in it is garbled"),
    ],
)
def test_each_way_to_paste_it_wrongly_is_named(text: str, said: str) -> None:
    fault = pem_fault(text)
    assert fault is not None
    assert fault.startswith(said)
    assert "TUlJ" not in fault
