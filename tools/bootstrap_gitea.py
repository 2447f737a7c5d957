"""Get a Gitea server, with which the tests hold the catalog's definition: built once with Go, and a C compiler.

It lands in this project's cache; Go's own client fetches and checks its modules. Nothing is installed. Where it cannot
be had a person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from integration_hub.devcluster.errors import GoMissingError
from integration_hub.devcluster.files import try_lock
from integration_hub.devcluster.golang import build_environment, find_go
from integration_hub.devcluster.paths import cache_folder

VERSION = "v1.26.0"
MODULE = "code.gitea.io/gitea"
GO = "go 1.26.2"
"""What its go.mod asks for."""
BESIDE = ("options/locale/locale_en-US.json", "templates/**/*")
"""What it needs beside the program: its words, without which it does not start, and its pages."""
SECONDS = 1800
"""Most that the build may take: about three minutes on two idle cores, and modules come slowly now and then."""


class GiteaError(Exception):
    """The server cannot be had; the message says why."""


def cached(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the server lies once it was built, beside its words and pages."""
    return cache_folder(environ) / "gitea" / VERSION / "gitea"


def ensure(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the server, building it where it is missing; a second caller waits for the first.

    Raises:
        GiteaError: There is no Go or no C compiler, or they cannot fetch or build it.

    """
    target = cached(environ)
    folder = target.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    waits = False
    while (lock := try_lock(folder.parent / "build.lock")) is None:
        if not waits:
            _say("waiting for another who does the same")
        waits = True
        time.sleep(1)
    try:
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="build-") as name:
                built = _build(Path(name), environ)
                shutil.rmtree(folder, ignore_errors=True)  # what was left there without the program
                built.rename(folder)
    finally:
        os.close(lock)
    return target


def _build(draft: Path, environ: Mapping[str, str]) -> Path:
    # Its database is a library in C.
    if shutil.which("gcc", path=environ.get("PATH")) is None:
        raise GiteaError("gcc is not on PATH")
    try:
        toolchain = find_go(GO, cache_folder(environ) / "go", _say)
    except GoMissingError as error:
        raise GiteaError(
            f"{GO.capitalize()} or newer is needed, and neither on PATH nor to be had"
        ) from error
    _say(f"fetching and building {VERSION}, once; this takes some minutes")
    # Go's own default for its work is /tmp, which is often small and in memory.
    environment = build_environment(environ) | {"GOTMPDIR": str(draft), "CGO_ENABLED": "1"}
    go = [str(toolchain.program)]
    source = Path(
        json.loads(_run([*go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], draft, environment))["Dir"]
    )
    finished = draft / "finished"
    # In its own folder, since 'go install' refuses a module that takes others in the place of those it names.
    _run(
        [
            *go, "build", "-trimpath", "-ldflags", "-s -w", "-tags", "sqlite sqlite_unlock_notify",
            "-o", str(finished / "gitea"), ".",
        ],
        source, environment,
    )  # fmt: skip
    for path in (path for pattern in BESIDE for path in source.glob(pattern) if path.is_file()):
        target = finished / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)  # and not its mode: Go keeps what it fetches from being changed
    return finished


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).splitlines()
        said = [line for line in lines if line.strip() and not line.startswith("go: downloading")]
        raise GiteaError(f"go {command[1]} failed: {(said or ['it does not say why'])[-1].strip()}")
    return done.stdout


def _say(words: str) -> None:
    print(f"Getting Gitea: {words}", flush=True)


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether CI runs this, as CI systems say it."""
    return environ.get("CI", "").lower() in {"1", "true"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="build nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    found = cached().exists()
    if asked and found:
        print(cached())
    if asked or found:
        return 0 if found else 1
    try:
        ensure()
    except (GiteaError, OSError, subprocess.SubprocessError) as error:
        words = f"Gitea cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: the tests against a Gitea server are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
