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

from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import Hub, admin_kubeconfig, forms
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


def test_what_was_entered_is_sealed_and_only_the_controllers_key_opens_it(  # noqa: PLR0917 - fixtures
    kubeseal: Path,
    api: Api,
    target: TargetServer,
    namespace: str,
    control_plane: ControlPlaneInfo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acme = f"{namespace}-acme"
    api.apply(definition(acme, target))
    file = admin_kubeconfig(tmp_path, control_plane, namespace)
    certificate, key = write_keys(tmp_path)
    monkeypatch.setenv("PATH", f"{kubeseal.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEALED_SECRETS_CERT", str(certificate))
    folder = tmp_path / "git"
    hub = Hub(tmp_path, file, CANARY)
    ran = hub.run(
        "connect", acme, "--no-input", "--no-test", "--set", "account=sealed", "--secret-from-file", "apiKey=-",
        "-o", str(folder), "--secret-format", "sealed-secret", stdin=CANARY,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    for path in folder.iterdir():
        assert all(form not in path.read_text() for form in forms(CANARY))
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert listed == ["instance.yaml", "sealed-secret.yaml"]
    opened = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", key, "--format", "yaml"],
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
