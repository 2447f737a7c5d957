"""Get Chromium, in which the tests sign people in, and certutil, by which it learns whom to trust: Debian's packages.

They are installed where we may, since a browser needs libraries of the system. Where they cannot be had a person goes
on without; CI does not. The tests ask with --find where the browser is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "libnss3-tools": ("certutil",),
}
"""Debian's package -> names that its program goes by, on Debian and elsewhere."""
SECONDS = 600
"""Most that one step may take."""


class ChromiumError(Exception):
    """Chromium cannot be had; the message says why."""


def find(package: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the program of a package, if it is on PATH."""
    found = (shutil.which(name, path=environ.get("PATH")) for name in PROGRAMS[package])
    return next((Path(path) for path in found if path), None)


def missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the packages whose programs are not there."""
    return [package for package in PROGRAMS if find(package, environ) is None]


def install(packages: list[str]) -> None:
    """Install packages of this system.

    Raises:
        ChromiumError: We may not, or apt-get cannot.

    """
    words = " and ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ChromiumError(
            f"{words} must be installed; on Debian 'apt-get install {' '.join(packages)}' does"
        )
    print(f"Getting Chromium: installing {words}", flush=True)
    _apt_get("update", "-qq")
    _apt_get("install", "-qq", "-y", "--no-install-recommends", *packages)
    still = missing()
    if still:
        raise ChromiumError(f"apt-get installed {words}, and there is no program of {' and '.join(still)}")


def _apt_get(*words: str) -> None:
    done = subprocess.run(
        ["apt-get", *words],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    # One mirror of several may be away when lists are updated: the installation decides.
    if done.returncode != 0 and words[0] == "install":
        lines = done.stderr.strip().splitlines() or ["it does not say why"]
        raise ChromiumError(f"apt-get failed: {lines[-1]}")


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether CI runs this, as CI systems say it."""
    return environ.get("CI", "").lower() in {"1", "true"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="install nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    needed = missing()
    if asked and not needed:
        print(find("chromium"))
    if asked or not needed:
        return 0 if not needed else 1
    try:
        install(needed)
    except (ChromiumError, OSError, subprocess.TimeoutExpired) as error:
        words = f"Chromium cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: the tests in a browser are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
