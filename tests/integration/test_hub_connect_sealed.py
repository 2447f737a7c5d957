"""`hub connect --secret-format sealed-secret` with the real kubeseal: values are sealed, and nowhere in clear."""

from __future__ import annotations

import base64
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from support.hub_command import Hub, forms
from support.instances import Api, definition
from support.programs import fetched
from support.target_server import TargetServer

pytestmark = pytest.mark.cluster

CANARY = "cAnaryS-31d7/+9b=0e4a"


@pytest.fixture
def kubeseal() -> Path:
    """The real program."""
    return fetched("bootstrap_kubeseal.py", "kubeseal")


def write_keys(folder: Path) -> tuple[Path, Path]:
    """Write a controller's certificate and its private key; return where."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sealed-secrets")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = folder / "seal.crt", folder / "seal.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture
def sealing(kubeseal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have kubeseal on PATH, and a controller's certificate that it seals for; return that controller's key."""
    certificate, key = write_keys(tmp_path)
    monkeypatch.setenv("PATH", f"{kubeseal.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEALED_SECRETS_CERT", str(certificate))
    return key


@pytest.fixture
def acme(api: Api, target: TargetServer, namespace: str) -> str:
    """A definition that asks for an account and a key."""
    name = f"{namespace}-acme"
    api.apply(definition(name, target))
    return name


def sealed(acme: str, folder: Path, name: str = "sealed") -> tuple[str, ...]:
    return (
        "connect", acme, "--no-input", "--no-test", "--set", f"account={name}", "--name", name,
        "--secret-from-file", "apiKey=-", "-o", str(folder), "--secret-format", "sealed-secret",
    )  # fmt: skip


def test_what_was_entered_is_sealed_and_only_the_controllers_key_opens_it(  # noqa: PLR0917 - fixtures
    hub: Hub, sealing: Path, kubeseal: Path, acme: str, api: Api, tmp_path: Path
) -> None:
    folder = tmp_path / "git"
    ran = hub.run(*sealed(acme, folder), stdin=CANARY)
    assert ran.code == 0, ran.err
    for path in folder.iterdir():
        assert all(form not in path.read_text() for form in forms(CANARY))
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert listed == ["instance.yaml", "sealed-secret.yaml"]
    opened = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", sealing, "--format", "yaml"],
        input=(folder / "sealed-secret.yaml").read_text(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    secret = yaml.safe_load(opened)
    reference = yaml.safe_load((folder / "instance.yaml").read_text())["spec"]["auth"]["secretRef"]
    assert secret["metadata"]["name"] == reference["name"]
    assert base64.b64decode(secret["data"]["apiKey"]).decode() == CANARY
    (made,) = yaml.safe_load_all((folder / "instance.yaml").read_text())
    api.apply(made)
    words = ("edit", made["metadata"]["name"], "--no-input", "--no-test", "--set", "account=moved")
    edited = hub.run(*words, "-o", str(folder))
    assert edited.code == 0, edited.err
    assert yaml.safe_load((folder / "instance.yaml").read_text())["spec"]["config"] == {"account": "moved"}
    assert yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"] == listed


def test_an_edit_replaces_what_it_has_written_and_no_sealed_secret_of_others(
    hub: Hub, sealing: Path, acme: str, api: Api, tmp_path: Path
) -> None:
    """First an example, then a new Secret that is sealed, then that one again, then one that others have there."""
    folder = tmp_path / "git"
    first = hub.run(*sealed(acme, folder)[:-1], "example", stdin=CANARY)
    assert first.code == 0, first.err
    api.apply(yaml.safe_load((folder / "instance.yaml").read_text()))
    words = ("edit", "sealed", "--no-input", "--no-test", "--secret-from-file", "apiKey=-", "-o", str(folder))
    again = (*words, "--secret-name", "other", "--secret-format", "sealed-secret")
    texts = []
    for _ in range(2):
        ran = hub.run(*again, stdin=CANARY)
        assert ran.code == 0, ran.err
        texts.append((folder / "sealed-secret.yaml").read_text())
    assert texts[0] != texts[1]
    assert yaml.safe_load(texts[1])["metadata"]["name"] == "other"
    assert "`sealed-secret.yaml` holds the credentials" in (folder / "README.md").read_text()
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert listed == ["instance.yaml", "sealed-secret.yaml"]
    theirs = texts[1].replace("name: other", "name: theirs")
    (folder / "sealed-secret.yaml").write_text(theirs)
    refused = hub.run(*again, stdin=CANARY)
    assert (refused.code, refused.out) == (2, "")
    assert f"sealed-secret.yaml in '{folder}' would be overwritten." in refused.err
    assert (folder / "sealed-secret.yaml").read_text() == theirs


@pytest.mark.parametrize("has_program", [False, True])
def test_what_cannot_be_sealed_is_an_error_and_no_folder_without_a_secret(
    hub: Hub, acme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_program: bool
) -> None:
    program = tmp_path / "bin" / "kubeseal"
    program.parent.mkdir()
    if has_program:
        program.write_text("#!/bin/sh\ncat >&2; exit 7\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    ran = hub.run(*sealed(acme, tmp_path / "git"), stdin=CANARY)
    assert (ran.code, ran.out) == (1, "")
    why = "'kubeseal' failed (exit code 7)" if has_program else "there is no 'kubeseal' on PATH"
    assert f"The Secret cannot be sealed: {why}." in ran.err
    assert "--secret-format example" in ran.err
    assert not (tmp_path / "git").exists()
