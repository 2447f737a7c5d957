"""Get Keycloak, with which the tests and an example sign people in: once, through Maven, into this project's cache.

It is unpacked there and made ready, so that a start takes seconds. Nothing is installed, save Java and Maven from this
system's packages where they are missing and we may. Where it cannot be had a person goes on without; CI does not. The
tests ask with --find where it is.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from integration_hub.devcluster.files import try_lock
from integration_hub.examples import ExampleError
from integration_hub.examples.keycloak import (
    BUILD_OPTIONS,
    JAVA,
    SHA256,
    VERSION,
    Keycloak,
    distribution_folder,
    find,
    find_java,
)

ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:tar.gz"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}
"""What Debian calls the programs that are needed."""
SECONDS = 900
"""Most that one step may take: 180 MB come slowly now and then."""


class KeycloakError(Exception):
    """Keycloak cannot be had; the message says why."""


def ensure(environ: Mapping[str, str] = os.environ) -> Keycloak:
    """Return one that can be started, fetching what is missing; a second caller waits for the first.

    Raises:
        KeycloakError: It cannot be had.

    """
    folder = distribution_folder(environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    while (lock := try_lock(folder.parent / "fetch.lock")) is None:
        print("Getting Keycloak: waiting for another who does the same", flush=True)
        time.sleep(1)
    try:
        java = _require_programs(fetching=not folder.exists(), environ=environ)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as name:
                _make(Path(name), java).rename(folder)
    finally:
        os.close(lock)
    return Keycloak(folder, java)


def _make(draft: Path, java: Path) -> Path:
    """Fetch, check, unpack and build below `draft`; return the finished distribution."""
    print(f"Getting Keycloak {VERSION}: downloading about 180 MB, once", flush=True)
    archive = _download(draft)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise KeycloakError(f"what came has the SHA-256 {found}, not the {SHA256} that this project knows")
    with tarfile.open(archive) as tar:
        tar.extractall(draft / "unpacked", filter="data")
    archive.unlink()
    (unpacked,) = (draft / "unpacked").iterdir()
    print("Getting Keycloak: making it ready for quick starts", flush=True)
    _run(
        [str(unpacked / "bin" / "kc.sh"), "build", *BUILD_OPTIONS],
        "'kc.sh build'",
        environment=Keycloak(unpacked, java).environment(),
    )
    return unpacked


def _download(draft: Path) -> Path:
    # A repository of its own, so that the user's does not keep a second copy; their settings hold, mirrors too.
    options = ("--batch-mode", "--no-transfer-progress", f"-Dmaven.repo.local={draft / 'repository'}")
    _run(
        [
            "mvn", *options, f"{PLUGIN}:copy", f"-Dartifact={ARTIFACT}",
            f"-DoutputDirectory={draft}",
        ],
        "Maven",
        folder=draft,
    )  # fmt: skip
    shutil.rmtree(draft / "repository", ignore_errors=True)
    archives = sorted(draft.glob("*.tar.gz"))
    if not archives:
        raise KeycloakError(f"Maven says that all is well, and no {ARTIFACT} came")
    return archives[0]


def _require_programs(*, fetching: bool, environ: Mapping[str, str]) -> Path:
    """Return a Java that will do, with Maven beside it where it is needed."""
    missing = [
        PACKAGES[program]
        for program, is_there in {
            "java": find_java(environ) is not None,
            "mvn": not fetching or shutil.which("mvn") is not None,
        }.items()
        if not is_there
    ]
    if missing:
        _install(missing)
    java = find_java(environ)
    if java is None:
        raise KeycloakError(f"there is no Java {JAVA} or newer in JAVA_HOME or on PATH")
    return java


def _install(packages: Sequence[str]) -> None:
    words = " and ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise KeycloakError(f"Java {JAVA} or newer and Maven are needed; Debian has them as {words}")
    print(f"Getting Keycloak: installing {words} first", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], "apt-get", environment=quiet)
    _run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
        "apt-get",
        environment=quiet,
    )


def _run(
    command: list[str], who: str, *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "E:" in line]
        raise KeycloakError(f"{who} failed: {(said or ['it does not say why'])[0].strip()}")


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether CI runs this, as CI systems say it."""
    return environ.get("CI", "").lower() in {"1", "true"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="fetch nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    try:
        found = find()
    except ExampleError as error:
        if asked:
            print(error, file=sys.stderr)
            return 1
    else:
        if asked:
            print(found.distribution)
        return 0
    try:
        ensure()
    except (KeycloakError, OSError, tarfile.TarError, subprocess.TimeoutExpired) as error:
        words = f"Keycloak cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(
            f"{words} Going on without: the tests that sign people in are skipped, and so is examples/05-oauth2.",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
