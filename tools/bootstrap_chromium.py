"""Get Chromium, in which the tests sign people in, and certutil, by which it learns whom to trust: Debian's packages.

They are installed where we may, since a browser needs libraries of the system. Where they cannot be had a person goes
on without; CI does not. The tests ask with --find where the browser is.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from fetching import CannotBeHadError, install, main, may_install, say

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "libnss3-tools": ("certutil",),
}
"""Debian's package -> names that its program goes by, on Debian and elsewhere."""

SKIPPED = "the tests in a browser are skipped"


def find_program(package: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the program of a package, if it is on PATH."""
    found = (shutil.which(name, path=environ.get("PATH")) for name in PROGRAMS[package])
    return next((Path(path) for path in found if path), None)


def missing(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the packages whose programs are not there."""
    return [package for package in PROGRAMS if find_program(package, environ) is None]


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the browser, if nothing is missing beside it."""
    return None if missing(environ) else find_program("chromium", environ)


def install_missing() -> None:
    """Install the packages that are missing.

    Raises:
        CannotBeHadError: We may not, or apt-get cannot.

    """
    packages = missing()
    words = " and ".join(packages)
    if not may_install():
        raise CannotBeHadError(
            f"{words} must be installed; on Debian 'apt-get install {' '.join(packages)}' does"
        )
    say("Chromium", f"installing {words}")
    install(packages)
    still = missing()
    if still:
        raise CannotBeHadError(f"apt-get installed {words}, and there is no program of {' and '.join(still)}")


if __name__ == "__main__":
    sys.exit(main(__doc__, find, install_missing, "Chromium", SKIPPED))
