"""What the scripts share that get what tests are made against: to find it, else get it once, else go on without.

They are `tools/bootstrap_*.py`, which `make test` runs. What is one's own stands there: the version, how it is made,
what is skipped without it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from integration_hub.devcluster.files import try_lock

SECONDS = 900
"""Most that one step may take: much is fetched, and it comes slowly now and then."""


class CannotBeHadError(Exception):
    """What was asked for cannot be had; the message says why, as a part of a sentence."""


def say(what: str, words: str) -> None:
    """Tell the person who waits how far one is."""
    print(f"Getting {what}: {words}", flush=True)


@contextlib.contextmanager
def only_one(lock: Path, what: str) -> Iterator[None]:
    """Hold the lock; while another process holds it, wait, and say so once."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = try_lock(lock)
    if descriptor is None:
        say(what, "waiting for another who does the same")
    while descriptor is None:
        time.sleep(1)
        descriptor = try_lock(lock)
    try:
        yield
    finally:
        os.close(descriptor)


def run(
    command: Sequence[str],
    who: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end, without its words.

    Raises:
        CannotBeHadError: It fails. What Maven, Keycloak and apt-get call an error is told; else what came last.

    """
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line or "E:" in line]
        raise CannotBeHadError(f"{who} failed: {(errors or lines[-1:] or ['it does not say why'])[0]}")


def may_install() -> bool:
    """Tell whether packages of this system can be installed: it is Debian or its kin, and we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str]) -> None:
    """Install packages of this system.

    Raises:
        CannotBeHadError: apt-get cannot.

    """
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # One mirror of several may be away when lists are updated: the installation decides.
    with contextlib.suppress(CannotBeHadError):
        run(["apt-get", "update", "-qq"], "apt-get", environment=quiet)
    run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
        "apt-get",
        environment=quiet,
    )


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether CI runs this, as CI systems say it."""
    return environ.get("CI", "").lower() in {"1", "true"}


def get_or_go_on(get: Callable[[], object], what: str, skipped: str) -> int:
    """Get it; return the exit code. Where it cannot be had a person goes on without, and is told; CI does not.

    `what` begins a sentence, `skipped` is the end of one: what happens without it.
    """
    try:
        get()
    except (CannotBeHadError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        words = f"{what} cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: {skipped}.", file=sys.stderr)
    return 0


def main(
    about: str | None, find: Callable[[], Path | None], get: Callable[[], object], what: str, skipped: str
) -> int:
    """Run the command line of a script that gets one thing; return the exit code.

    `find` may raise CannotBeHadError to say why it is not there.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--find", action="store_true", help="get nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    try:
        found = find()
    except CannotBeHadError as error:
        found = None
        if asked:
            print(error, file=sys.stderr)
    if asked and found is not None:
        print(found)
    if asked or found is not None:
        return 0 if found is not None else 1
    return get_or_go_on(get, what, skipped)
