"""Where Keycloak lies, and how it is started, without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from integration_hub.examples import ExampleError
from integration_hub.examples.declaration import Service
from integration_hub.examples.keycloak import (
    Keycloak,
    Listen,
    distribution_folder,
    find,
    find_java,
)

LISTEN = Listen(8443, 9000, Path("/run/server.crt"), Path("/run/server.key"))


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    folder = tmp_path / "distribution"
    for name in ("lib", "conf", "providers", "themes", "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "version.txt").write_text("26")
    (folder / "bin" / "kc.sh").write_text("#!/bin/sh\n")
    return folder


def java(folder: Path, says: str) -> Path:
    """A program that says which Java it is."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return program


def test_a_home_is_private_and_holds_the_realm_and_nothing_twice(distribution: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    Keycloak(distribution, Path("java")).lay_out(home, {"realm": "acme", "secret": "s"})
    imported = home / "data" / "import" / "realm.json"
    assert json.loads(imported.read_text()) == {"realm": "acme", "secret": "s"}
    assert imported.stat().st_mode & 0o077 == 0
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "lib").resolve() == distribution / "lib"
    assert not (home / "bin" / "kc.sh").is_symlink()  # the script looks for the rest beside itself


def test_no_password_is_in_the_command_and_it_listens_on_loopback(distribution: Path, tmp_path: Path) -> None:
    keycloak = Keycloak(distribution, Path("/usr/bin/java"))
    command = keycloak.command(tmp_path, LISTEN)
    environment = keycloak.environment({"PATH": "/bin"}, admin=("admin", "open sesame"))
    assert "sesame" not in " ".join(command)
    assert {"--http-host=127.0.0.1", "--http-enabled=false", "--cache=local"} <= set(command)
    assert environment["KC_BOOTSTRAP_ADMIN_PASSWORD"] == "open sesame"


def test_settings_of_another_keycloak_do_not_reach_it(distribution: Path) -> None:
    keycloak = Keycloak(distribution, Path("/usr/bin/java"))
    environment = keycloak.environment({"PATH": "/bin", "KC_DB": "postgres", "JAVA_OPTS": "-Xmx16g"})
    assert {"KC_DB", "JAVA_OPTS"} & set(environment) == set()
    assert environment["PATH"] == "/bin"
    assert environment["JAVA"] == "/usr/bin/java"


def test_without_it_one_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match=r"tools/bootstrap_keycloak\.py") as error:
        find({"XDG_CACHE_HOME": str(tmp_path), "PATH": ""})
    assert str(tmp_path) in error.value.problem


def test_a_java_that_is_too_old_is_none(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path), "JAVA_HOME": str(tmp_path / "jdk"), "PATH": ""}
    distribution_folder(environment).mkdir(parents=True)
    java(tmp_path / "jdk", 'openjdk version "11.0.2" 2019-01-15')
    with pytest.raises(ExampleError, match="Java 17 or newer"):
        find(environment)


@pytest.mark.parametrize("says", ['openjdk version "17.0.15" 2025-04-15', 'java version "21" 2023-09-19'])
def test_the_java_of_java_home_goes_before_the_one_on_path(tmp_path: Path, says: str) -> None:
    named = java(tmp_path / "named", says)
    java(tmp_path / "other", says)
    environment = {"JAVA_HOME": str(tmp_path / "named"), "PATH": str(tmp_path / "other" / "bin")}
    assert find_java(environment) == named


@pytest.mark.parametrize("fields", [{}, {"command": ["server"], "keycloak": "realm.json"}])
def test_a_service_is_a_command_or_keycloak(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="has a command or keycloak, and not both"):
        Service.model_validate({"name": "s", **fields})
