"""Keycloak, an identity provider that many companies run: where it lies once it was fetched, and how it is started.

`tools/bootstrap_keycloak.py` fetches it. Examples and tests start the same one: real, on loopback, in a folder of the
run's own, with a realm that is imported at the start and a database that is gone at the end.
"""

# ruff: noqa: S603 - the program started is the Java that the user has

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_hub.devcluster.files import make_private_folder, write_private
from integration_hub.devcluster.paths import cache_folder
from integration_hub.examples.errors import ExampleError

VERSION = "26.7.3"
SHA256 = "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47"
"""Of the distribution, as a tar.gz."""
BUILD_OPTIONS = ("--db=dev-mem", "--features=jwt-authorization-grant", "--cache=local")
"""What is decided once, when it is fetched: nothing outlives a run, and no grant that it knows is missing."""
JAVA = 17
"""The oldest Java that runs it."""
HEAP = "-Xms64m -Xmx512m"
COMPILER = "-XX:TieredStopAtLevel=1"
"""The start counts for more than the speed after hours."""

_SHARED = ("lib", "conf", "providers", "themes", "version.txt")
_VERSION = re.compile(r'version "(\d+)')
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Listen:
    """Where one run listens, and what proves who it is there."""

    port: int
    management_port: int
    """It always opens this one too: its health and metrics."""
    certificate: Path
    key: Path

    @property
    def url(self) -> str:
        """Its address; an issuer's URL is this and `/realms/<realm>`."""
        return f"https://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Keycloak:
    """One that can be started."""

    distribution: Path
    java: Path

    def lay_out(self, home: Path, realm: Mapping[str, Any]) -> None:
        """Make a home for one run: its own data, the realm to import, and the distribution's files by reference."""
        for folder in (home, home / "bin", home / "data", home / "data" / "import"):
            make_private_folder(folder)
        # A copy: the script looks for everything else beside itself.
        shutil.copy2(self.distribution / "bin" / "kc.sh", home / "bin" / "kc.sh")
        for name in _SHARED:
            (home / name).symlink_to(self.distribution / name)
        write_private(home / "data" / "import" / "realm.json", json.dumps(realm).encode())

    def command(self, home: Path, listen: Listen) -> list[str]:
        """Return the command that starts it. Passwords are not among its words."""
        return [
            str(home / "bin" / "kc.sh"),
            "start",
            "--optimized",
            "--import-realm",
            "--cache=local",
            "--http-enabled=false",
            "--http-host=127.0.0.1",
            f"--https-port={listen.port}",
            f"--http-management-port={listen.management_port}",
            f"--hostname={listen.url}",
            f"--https-certificate-file={listen.certificate}",
            f"--https-certificate-key-file={listen.key}",
        ]

    def environment(
        self, base: Mapping[str, str] = os.environ, *, admin: tuple[str, str] | None = None
    ) -> dict[str, str]:
        """Return the environment to start it in; `admin` is the name and password of a first administrator.

        Settings of another Keycloak or Java on this machine (`KC_*`, `JAVA_*`) are left out.
        """
        kept = {name: value for name, value in base.items() if not name.startswith(("KC_", "JAVA"))}
        own = {"JAVA": str(self.java), "JAVA_OPTS_KC_HEAP": HEAP, "JAVA_OPTS_APPEND": COMPILER}
        first = {} if admin is None else {
            "KC_BOOTSTRAP_ADMIN_USERNAME": admin[0],
            "KC_BOOTSTRAP_ADMIN_PASSWORD": admin[1],
        }  # fmt: skip
        return kept | own | first


def distribution_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the unpacked distribution; it is there as a whole or not at all."""
    recipe = json.dumps([VERSION, SHA256, *BUILD_OPTIONS])
    return cache_folder(environ) / "keycloak" / hashlib.sha256(recipe.encode()).hexdigest()[:20]


def find(environ: Mapping[str, str] = os.environ) -> Keycloak:
    """Return the one that was fetched.

    Raises:
        ExampleError: It was not, or there is no Java to run it.

    """
    folder, java = distribution_folder(environ), find_java(environ)
    how = "In the repository, '.venv/bin/python tools/bootstrap_keycloak.py' gets it, once (about 180 MB, with Maven)."
    if not folder.exists():
        raise ExampleError(f"Keycloak {VERSION} is not in the cache ({folder}).", how)
    if java is None:
        raise ExampleError(
            f"Keycloak needs Java {JAVA} or newer, and there is none in JAVA_HOME or on PATH.",
            "Install one, on Debian with 'apt-get install default-jre-headless'.",
        )
    return Keycloak(folder, java)


def find_java(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a Java that is new enough: that of JAVA_HOME, else the one on PATH."""
    home, on_path = environ.get("JAVA_HOME"), shutil.which("java", path=environ.get("PATH"))
    candidates = [*([Path(home, "bin", "java")] if home else []), *([Path(on_path)] if on_path else [])]
    return next((java for java in candidates if _java_version(java) >= JAVA), None)


def _java_version(java: Path) -> int:
    """Return the number that a Java says it is; 0 for what does not run."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    said = _VERSION.search(done.stderr)
    return int(said[1]) if said else 0
