"""Certificates, kubeconfig, state and paths: what a cluster's folder holds, and what becomes of it."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from integration_hub.devcluster.certs import CA_LIFE, LEAF_LIFE, RENEW_BEFORE, ensure_certificates
from integration_hub.devcluster.kubeconfig import NAME, write_kubeconfig
from integration_hub.devcluster.paths import Home, cache_folder, default_home
from integration_hub.devcluster.state import State, load_state, save_state

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in after if after[name] != before.get(name)}


LEAVES = {"server.crt", "server.key", "admin.crt", "admin.key"}
AUTHORITY = {"ca.crt", "ca.key"}
SIGNING = {"sa.key", "sa.pub"}


def test_certificates_that_are_good_are_kept(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    before = contents(tmp_path)
    assert set(before) == LEAVES | AUTHORITY | SIGNING
    ensure_certificates(tmp_path, NOW + LEAF_LIFE - RENEW_BEFORE - timedelta(days=1))
    assert changed(before, contents(tmp_path)) == set()


def test_certificates_near_their_end_are_renewed_and_the_authority_stays(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    before = contents(tmp_path)
    ensure_certificates(tmp_path, NOW + LEAF_LIFE - RENEW_BEFORE + timedelta(days=1))
    assert changed(before, contents(tmp_path)) == LEAVES


def test_a_new_authority_signs_everything_anew_but_voids_no_token(tmp_path: Path) -> None:
    ensure_certificates(tmp_path, NOW)
    before = contents(tmp_path)
    ensure_certificates(tmp_path, NOW + CA_LIFE)
    assert changed(before, contents(tmp_path)) == LEAVES | AUTHORITY


@pytest.mark.parametrize(
    ("damaged", "renewed"),
    [
        ("server.crt", {"server.crt", "server.key"}),
        ("admin.key", {"admin.crt", "admin.key"}),
        ("ca.key", LEAVES | AUTHORITY),
        ("ca.crt", LEAVES | AUTHORITY),
    ],
)
def test_what_is_damaged_is_made_anew(tmp_path: Path, damaged: str, renewed: set[str]) -> None:
    ensure_certificates(tmp_path, NOW)
    before = contents(tmp_path)
    (tmp_path / damaged).write_bytes(b"half a fi")
    ensure_certificates(tmp_path, NOW)
    assert changed(before, contents(tmp_path)) == renewed


def test_a_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    ensure_certificates(tmp_path / "one", NOW)
    ensure_certificates(tmp_path / "other", NOW)
    for name in ("server.crt", "server.key"):
        (tmp_path / "one" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    before = contents(tmp_path / "one")
    ensure_certificates(tmp_path / "one", NOW)
    assert changed(before, contents(tmp_path / "one")) == {"server.crt", "server.key"}


def test_certificates_say_who_they_are_for(tmp_path: Path) -> None:
    ensure_certificates(tmp_path)
    server = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    admin = x509.load_pem_x509_certificate((tmp_path / "admin.crt").read_bytes())
    assert admin.subject.rfc4514_string() == "O=system:masters,CN=admin"
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    context.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    ensure_certificates(home.pki)
    return home


def test_a_kubeconfig_holds_all_that_a_client_needs(home: Home) -> None:
    write_kubeconfig(home, "https://127.0.0.1:1")
    config = yaml.safe_load(home.kubeconfig.read_text())
    assert config["current-context"] == NAME
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["certificate-authority-data"]) == home.ca_file.read_bytes()
    assert home.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_what_a_person_added_to_the_kubeconfig_stays(home: Home) -> None:
    write_kubeconfig(home, "https://127.0.0.1:1")
    config = yaml.safe_load(home.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = "team-a"
    config["contexts"].append({"name": "robot", "context": {"cluster": NAME, "user": "robot"}})
    config["users"].append({"name": "robot", "user": {"token": "t"}})
    config["current-context"] = "robot"
    home.kubeconfig.write_text(yaml.safe_dump(config))
    write_kubeconfig(home, "https://127.0.0.1:2")
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:2"
    assert yaml.safe_load(home.kubeconfig.read_text()) == config


@pytest.mark.parametrize("damage", ["{", "", "- a\n- list\n", "clusters:\n"])
def test_a_damaged_kubeconfig_is_written_anew(home: Home, damage: str) -> None:
    home.kubeconfig.write_text(damage)
    write_kubeconfig(home, "https://127.0.0.1:1")
    assert yaml.safe_load(home.kubeconfig.read_text())["contexts"][0]["name"] == NAME


def test_state_is_what_was_saved(tmp_path: Path) -> None:
    state = State(port=1234, kubectl=("controlplane", "kubectl"), controllers=False, kind="k")
    save_state(tmp_path / "state.json", state)
    assert load_state(tmp_path / "state.json") == state


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"port": "x"}', '{"port": 1, "kubectl": 5, "kind": ""}']
)
def test_a_damaged_state_counts_as_none(tmp_path: Path, damage: str) -> None:
    (tmp_path / "state.json").write_text(damage)
    assert load_state(tmp_path / "state.json") == State()
    assert load_state(tmp_path / "absent.json") == State()


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    home = Path("/home/somebody")
    assert default_home({}) == home / ".local/state/integration-hub/dev"
    assert default_home({"XDG_STATE_HOME": "/s"}) == Path("/s/integration-hub/dev")
    assert default_home({"XDG_STATE_HOME": "relative"}) == home / ".local/state/integration-hub/dev"
    assert default_home({"HUB_DEV_HOME": "/mine", "XDG_STATE_HOME": "/s"}) == Path("/mine")
    assert default_home({"HUB_DEV_HOME": "~/mine"}) == home / "mine"
    assert cache_folder({}) == home / ".cache/integration-hub"
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/integration-hub")
