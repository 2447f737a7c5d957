"""Get what the Debian package 'prometheus' holds: promtool, which tests deploy/alerts.yaml, and the server itself.

Each is taken from this project's cache, else from PATH, else once out of the package, which is downloaded with apt-get
into the cache and unpacked there. Nothing is installed and no right is needed. Where they cannot be had a person goes
on without; CI does not. The tests ask with --find where they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fetching import CannotBeHadError, get_or_go_on, say
from integration_hub.devcluster.paths import cache_folder

PACKAGE, PROGRAMS = "prometheus", ("promtool", "prometheus")
FOLDER = "./usr/bin"
SKIPPED = "the tests of deploy/alerts.yaml, and those against a Prometheus server, are skipped"
SECONDS = 300
"""Most that one step of apt-get may take."""
LIMITS = ("-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20")


def cached(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the program lies once it was downloaded."""
    return cache_folder(environ) / PACKAGE / name


def find(name: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a program of this name that runs: the cached one, else the one on PATH."""
    on_path = shutil.which(name, path=environ.get("PATH"))
    found = [cached(name, environ), *([Path(on_path)] if on_path else [])]
    return next((path for path in found if runs(path)), None)


def runs(program: Path) -> bool:
    """Tell whether the program starts: a file for another processor, or half of one, does not."""
    try:
        return _run([str(program), "--version"]).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def download(names: Sequence[str]) -> None:
    """Put the programs of these names into the cache; each changes at once or not at all.

    Raises:
        CannotBeHadError: apt-get is missing, has no such package, or cannot reach its mirror.

    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise CannotBeHadError(f"{tool} is not on PATH, and no other way to get them is known")
    target = cached(names[0]).parent
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix="download-") as name:
        folder = Path(name)
        package = _fetch(folder)
        _unpack(package, names, folder)
        for program in (folder / each for each in names):
            program.chmod(0o755)
            if not runs(program):
                raise CannotBeHadError(f"the {program.name} of this system's package does not run here")
            program.replace(target / program.name)


def _fetch(folder: Path) -> Path:
    """Download the package by the system's package lists; where they are missing or old, by fresh ones of our own."""
    options = [*LIMITS, *_as_whom()]
    done = _run(["apt-get", *options, "download", PACKAGE], folder)
    if done.returncode != 0:
        say("Prometheus", "fetching package lists first: this system's do not do")
        (folder / "lists" / "partial").mkdir(parents=True)
        options += ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"]
        # One mirror of several may be away: the download decides.
        _run(["apt-get", *options, "update"], folder)
        done = _run(["apt-get", *options, "download", PACKAGE], folder)
    packages = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if done.returncode != 0 or not packages:
        lines = done.stderr.strip().splitlines() or ["no package came"]
        raise CannotBeHadError(f"apt-get cannot download the package '{PACKAGE}': {lines[-1]}")
    return packages[-1]


def _as_whom() -> list[str]:
    # Root's apt-get downloads as the user _apt, who may not write into our folder, and warns of it.
    return ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []


def _unpack(package: Path, names: Sequence[str], folder: Path) -> None:
    """Write the files that we want of a package; the rest never touches the disk."""
    wanted = {f"{FOLDER}/{name}": folder / name for name in names}
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                found = archive.extractfile(member) if member.name in wanted else None
                if found is not None:
                    with wanted[member.name].open("wb") as file:
                        shutil.copyfileobj(found, file)
    for member_name, program in wanted.items():
        if not program.exists():
            raise CannotBeHadError(
                f"the package '{PACKAGE}' of this system holds no {member_name.lstrip('.')}"
            )


def _run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--find",
        choices=PROGRAMS,
        nargs="?",
        const=PROGRAMS[0],
        help="get nothing; print where this one is, or exit 1",
    )
    asked: str | None = parser.parse_args().find
    if asked is not None:
        found = find(asked)
        if found is not None:
            print(found)
        return 0 if found is not None else 1
    missing = [name for name in PROGRAMS if find(name) is None]
    if not missing:
        return 0
    what = " and ".join(missing)
    say(what, "downloading about 20 MB, once")
    return get_or_go_on(lambda: download(missing), what, SKIPPED)


if __name__ == "__main__":
    sys.exit(main())
