"""Get an S3 server that verifies signatures, with which the tests hold ours: Versity's gateway, built once with Go.

It lands in this project's cache; Go's own client fetches and checks its modules. Nothing is installed. Where it cannot
be had a person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import argparse
import os
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

VERSION = "v1.8.0"
MODULE = "github.com/versity/versitygw"
GO = "go 1.25.0"
"""What its go.mod asks for."""
SECONDS = 1200
"""Most that the build may take: about a minute on two cores, and modules come slowly now and then."""


class S3ServerError(Exception):
    """The server cannot be had; the message says why."""


def cached(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the server lies once it was built."""
    return cache_folder(environ) / "versitygw" / VERSION / "versitygw"


def ensure(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the server, building it where it is missing; a second caller waits for the first.

    Raises:
        S3ServerError: There is no Go, or it cannot fetch or build it.

    """
    target = cached(environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    while (lock := try_lock(target.parent / "build.lock")) is None:
        _say("waiting for another who does the same")
        time.sleep(1)
    try:
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as name:
                _build(Path(name), environ).replace(target)
    finally:
        os.close(lock)
    return target


def _build(draft: Path, environ: Mapping[str, str]) -> Path:
    try:
        toolchain = find_go(GO, cache_folder(environ) / "go", _say)
    except GoMissingError as error:
        raise S3ServerError(
            f"{GO.capitalize()} or newer is needed, and neither on PATH nor to be had"
        ) from error
    _say(f"fetching and building versitygw {VERSION}, once; this takes a minute or two")
    # Go's own default for its work is /tmp, which is often small and in memory.
    environment = build_environment(environ) | {"GOBIN": str(draft), "GOTMPDIR": str(draft)}
    done = subprocess.run(
        [
            toolchain.program, "install", "-trimpath", "-ldflags", "-s -w",
            f"{MODULE}/cmd/versitygw@{VERSION}",
        ],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if not line.startswith("go: downloading")]
        raise S3ServerError(f"go install failed: {(said or ['it does not say why'])[-1].strip()}")
    return draft / "versitygw"


def _say(words: str) -> None:
    print(f"Getting an S3 server: {words}", flush=True)


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
    except (S3ServerError, OSError, subprocess.SubprocessError) as error:
        words = f"An S3 server cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: the tests of signatures against S3 are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
