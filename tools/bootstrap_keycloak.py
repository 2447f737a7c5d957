"""Get Keycloak, with which the tests and an example sign people in: once, through Maven, into this project's cache.

It is unpacked there and made ready, so that a start takes seconds. Nothing is installed, save Java and Maven from this
system's packages where they are missing and we may. Where it cannot be had a person goes on without; CI does not. The
tests ask with --find where it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fetching import CannotBeHadError, install, main, may_install, only_one, run, say
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

SKIPPED = "the tests that sign people in are skipped, and so is examples/05-oauth2"


def ensure(environ: Mapping[str, str] = os.environ) -> Keycloak:
    """Return one that can be started, fetching what is missing; a second caller waits for the first.

    Raises:
        CannotBeHadError: It cannot be had.

    """
    folder = distribution_folder(environ)
    with only_one(folder.parent / "fetch.lock", "Keycloak"):
        java = _require_programs(fetching=not folder.exists(), environ=environ)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as name:
                _make(Path(name), java).rename(folder)
    return Keycloak(folder, java)


def _make(draft: Path, java: Path) -> Path:
    """Fetch, check, unpack and build below `draft`; return the finished distribution."""
    say(f"Keycloak {VERSION}", "downloading about 180 MB, once")
    archive = _download(draft)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise CannotBeHadError(f"what came has the SHA-256 {found}, not the {SHA256} that this project knows")
    with tarfile.open(archive) as tar:
        tar.extractall(draft / "unpacked", filter="data")
    archive.unlink()
    (unpacked,) = (draft / "unpacked").iterdir()
    say("Keycloak", "making it ready for quick starts")
    run(
        [str(unpacked / "bin" / "kc.sh"), "build", *BUILD_OPTIONS],
        "'kc.sh build'",
        environment=Keycloak(unpacked, java).environment(),
    )
    return unpacked


def _download(draft: Path) -> Path:
    # A repository of its own, so that the user's does not keep a second copy; their settings hold, mirrors too.
    options = ("--batch-mode", "--no-transfer-progress", f"-Dmaven.repo.local={draft / 'repository'}")
    run(
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
        raise CannotBeHadError(f"Maven says that all is well, and no {ARTIFACT} came")
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
        raise CannotBeHadError(f"there is no Java {JAVA} or newer in JAVA_HOME or on PATH")
    return java


def _install(packages: Sequence[str]) -> None:
    words = " and ".join(packages)
    if not may_install():
        raise CannotBeHadError(f"Java {JAVA} or newer and Maven are needed; Debian has them as {words}")
    say("Keycloak", f"installing {words} first")
    install(packages)


def find_distribution() -> Path:
    """Return the folder of one that can be started.

    Raises:
        CannotBeHadError: It was not fetched, or there is no Java to run it.

    """
    try:
        return find().distribution
    except ExampleError as error:
        raise CannotBeHadError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main(__doc__, find_distribution, ensure, "Keycloak", SKIPPED))
