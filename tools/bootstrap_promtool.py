"""Get promtool, which tests deploy/alerts.yaml: from PATH, else once out of the Debian package 'prometheus'.

The package is downloaded with apt-get into this project's cache and unpacked there. Nothing is installed and no right
is needed. Where it cannot be had a person goes on without; CI does not. The tests ask with --find where it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from integration_hub.devcluster.paths import cache_folder

PACKAGE, MEMBER = "prometheus", "./usr/bin/promtool"
SECONDS = 300
"""Most that one step of apt-get may take."""
LIMITS = ("-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20")


class PromtoolError(Exception):
    """Promtool cannot be had; the message says why."""


def cached(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where promtool lies once it was downloaded."""
    return cache_folder(environ) / "promtool" / "promtool"


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a promtool that runs: the cached one, or one on PATH."""
    on_path = shutil.which("promtool", path=environ.get("PATH"))
    found = [cached(environ), *([Path(on_path)] if on_path else [])]
    return next((path for path in found if runs(path)), None)


def runs(program: Path) -> bool:
    """Tell whether the program starts: a file for another processor, or half of one, does not."""
    try:
        return _run([str(program), "--version"]).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def download(target: Path) -> None:
    """Put promtool at `target`, which changes at once or not at all.

    Raises:
        PromtoolError: apt-get is missing, has no such package, or cannot reach its mirror.

    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PromtoolError(f"{tool} is not on PATH, and no other way to get promtool is known")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as name:
        folder = Path(name)
        package = _fetch(folder)
        program = folder / "promtool"
        _unpack(package, program)
        program.chmod(0o755)
        if not runs(program):
            raise PromtoolError("the promtool of this system's package does not run here")
        program.replace(target)


def _fetch(folder: Path) -> Path:
    """Download the package by the system's package lists; where they are missing or old, by fresh ones of our own."""
    options = [*LIMITS, *_as_whom()]
    done = _run(["apt-get", *options, "download", PACKAGE], folder)
    if done.returncode != 0:
        print("Getting promtool: fetching package lists first: this system's do not do", flush=True)
        (folder / "lists" / "partial").mkdir(parents=True)
        options += ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
        _run(
            ["apt-get", *options, "update"], folder
        )  # one mirror of several may be away: the download decides
        done = _run(["apt-get", *options, "download", PACKAGE], folder)
    packages = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if done.returncode != 0 or not packages:
        lines = done.stderr.strip().splitlines() or ["no package came"]
        raise PromtoolError(f"apt-get cannot download the package '{PACKAGE}': {lines[-1]}")
    return packages[-1]


def _as_whom() -> list[str]:
    # Root's apt-get downloads as the user _apt, who may not write into our folder, and warns of it.
    return ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []


def _unpack(package: Path, program: Path) -> None:
    """Write the one file that we want of a package; the rest, as much again, never touches the disk."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                found = archive.extractfile(member) if member.name == MEMBER else None
                if found is not None:
                    with program.open("wb") as file:
                        shutil.copyfileobj(found, file)
    if not program.exists():
        raise PromtoolError(f"the package '{PACKAGE}' of this system holds no {MEMBER.lstrip('.')}")


def _run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether CI runs this, as CI systems say it."""
    return environ.get("CI", "").lower() in {"1", "true"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="fetch nothing; print where it is, or exit 1")
    asked: bool = parser.parse_args().find
    found = find()
    if asked and found is not None:
        print(found)
    if asked or found is not None:
        return 0 if found is not None else 1
    print("Getting promtool: downloading about 20 MB, once", flush=True)
    try:
        download(cached())
    except (PromtoolError, OSError, tarfile.TarError, subprocess.TimeoutExpired) as error:
        words = f"promtool cannot be had: {error}."
        if is_ci():
            print(f"{words} CI needs it.", file=sys.stderr)
            return 1
        print(f"{words} Going on without: the tests of deploy/alerts.yaml are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
