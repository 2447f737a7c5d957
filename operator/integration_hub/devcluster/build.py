"""Build the control plane from its Go sources, once, and hand out the cached binary from then on."""

# ruff: noqa: S603 - starting programs is what this module is for; none is named by anybody but the user

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster import golang
from integration_hub.devcluster.errors import BuildError, DiskSpaceError
from integration_hub.devcluster.files import try_lock
from integration_hub.devcluster.go_run import GoRunError, GoRunner
from integration_hub.devcluster.paths import GO_SOURCES, cache_folder

GIB = 1024**3
BINARY = "controlplane"

ROOM_FOR_MODULES = GIB + GIB // 8
ROOM_FOR_BUILD_CACHE = 2 * GIB + GIB // 2
ROOM_FOR_BINARY = GIB // 2
"""Bytes, measured: modules 0.8 GiB, build cache 2.5 GiB, the linker's work and the binary below 0.4 GiB."""

COMPILER_GARBAGE = "400"
"""Percent of garbage beside what is in use at which the compiler collects it. Go's own 100 makes a build longer."""

_SOURCES = ("*.go", "go.mod", "go.sum")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is. `total` is an upper bound: what Go has in its cache is not reported."""

    activity: str
    seconds: float
    done: int = 0
    total: int = 0


Report = Callable[[Progress], None]
"""Called about once a second, and when the activity changes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what the binary will be."""

    sources: Path
    toolchain: golang.Toolchain
    kubernetes: str

    @property
    def flags(self) -> list[str]:
        """The flags of `go build`, the same on every machine: no paths, no times, no version control."""
        variables = {
            "gitVersion": self.kubernetes,
            "gitMajor": self.kubernetes.lstrip("v").split(".")[0],
            "gitMinor": self.kubernetes.split(".")[1],
            "gitCommit": "unknown",
            "gitTreeState": "clean",
        }
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        settings = [
            f"-X {package}.{name}={value}" for package in packages for name, value in variables.items()
        ]
        return [
            "-trimpath", "-buildvcs=false",
            "-gcflags", "all=-dwarf=false",  # what debuggers need is not linked either, and takes time to make
            "-ldflags", " ".join(["-s", "-w", *settings]),
        ]  # fmt: skip

    @property
    def digest(self) -> str:
        """A name for the binary: the same for the same sources, toolchain and flags."""
        digest = hashlib.sha256()
        for file in source_files(self.sources):
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
        digest.update(json.dumps([self.toolchain.version, *self.flags]).encode())
        return digest.hexdigest()[:20]


def ensure_binary(report: Report, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the control plane's binary, building it when this is the first time.

    Takes milliseconds when it is built, minutes when not; a second caller waits for the first. `report` is
    called only when there is something to wait for.
    """
    started = time.monotonic()

    def say(activity: str) -> None:
        report(Progress(activity, time.monotonic() - started))

    cache = cache_folder(environ)
    go_mod = (GO_SOURCES / "go.mod").read_text()
    toolchain = golang.find_go(go_mod, cache / "go", say)
    plan = Plan(GO_SOURCES, toolchain, kubernetes_version(go_mod))
    folder = cache / "controlplane" / plan.digest
    binary = folder / BINARY
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    with _only_builder(folder / "build.lock", say):
        if not binary.exists():
            _Build(plan, folder, report, environ).run()
    return binary


def kubernetes_version(go_mod: str) -> str:
    """Return the version of Kubernetes that a go.mod's text requires, such as `v1.36.3`."""
    required = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", go_mod, re.MULTILINE)
    if required is None:
        raise BuildError("go.mod does not require k8s.io/kubernetes.", "Install the package again.")
    return required[1]


def source_files(folder: Path) -> list[Path]:
    """Return the files that go into the binary, in a fixed order."""
    return sorted(file for pattern in _SOURCES for file in folder.glob(pattern))


def check_room(needs: Mapping[Path, int], free: Callable[[Path], int] | None = None) -> None:
    """Raise DiskSpaceError unless every file system has room for what its folders need together, in bytes."""
    by_device: dict[int, tuple[Path, int]] = {}
    for folder, need in needs.items():
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        device = there.stat().st_dev
        first, sum_so_far = by_device.get(device, (there, 0))
        by_device[device] = first, sum_so_far + need
    for folder, need in by_device.values():
        room = free(folder) if free else shutil.disk_usage(folder).free
        if room < need:
            raise DiskSpaceError(
                f"Building the control plane needs about {need / GIB:.1f} GiB on the disk of {folder}; "
                f"{room / GIB:.1f} GiB are free.",
                "Free some space, or move the caches with XDG_CACHE_HOME, GOCACHE and GOMODCACHE.",
            )


@contextlib.contextmanager
def _only_builder(lock: Path, say: Callable[[str], None]) -> Iterator[None]:
    while (descriptor := try_lock(lock)) is None:
        say("waiting for another build of the same")
        time.sleep(1)
    try:
        yield
    finally:
        os.close(descriptor)


class _Build:
    """One run of the Go toolchain, under the lock of its folder."""

    def __init__(self, plan: Plan, folder: Path, report: Report, environ: Mapping[str, str]) -> None:
        self._plan = plan
        self._folder = folder
        self._report = report
        self._environment = {"GOGC": COMPILER_GARBAGE, **golang.build_environment(environ)}
        self._log = folder / "build.log"
        self._started = time.monotonic()

    def run(self) -> None:
        self._check_room()
        # Go's own default is /tmp, which is often small and in memory; the linker writes half a GiB there.
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="work-") as work:
            self._environment["GOTMPDIR"] = work
            self._log.unlink(missing_ok=True)
            draft = Path(work) / BINARY
            packages = set(self._go("fetching modules", ["list", "-deps", "."]))
            compile_all = ["build", "-v", *self._plan.flags, "-o", str(draft), "."]
            self._go("compiling packages", compile_all, packages)
            draft.replace(self._folder / BINARY)

    def _check_room(self) -> None:
        answer = subprocess.run(
            [self._plan.toolchain.program, "env", "-json", "GOCACHE", "GOMODCACHE"],
            capture_output=True,
            text=True,
            check=True,
            env=self._environment,
        )
        caches = json.loads(answer.stdout)
        modules = Path(caches["GOMODCACHE"])
        fetched = (modules / f"k8s.io/kubernetes@{self._plan.kubernetes}").exists()
        check_room(
            {
                modules: 0 if fetched else ROOM_FOR_MODULES,
                Path(caches["GOCACHE"]): ROOM_FOR_BUILD_CACHE,
                self._folder: ROOM_FOR_BINARY,
            }
        )

    def _go(self, activity: str, arguments: list[str], packages: set[str] | None = None) -> list[str]:
        """Run Go, report its progress, and return the lines that it printed on its standard output."""

        def report(done: int) -> None:
            elapsed = time.monotonic() - self._started
            self._report(Progress(activity, elapsed, done, len(packages or ())))

        runner = GoRunner(self._plan.toolchain.program, self._plan.sources, self._environment, self._log)
        try:
            return runner.run(arguments, report, packages or ())
        except GoRunError as error:
            raise BuildError(
                f"Building the control plane failed while {activity}:\n{error}",
                f"The whole log is {self._log}. Without a build: set KUBEBUILDER_ASSETS, or use --kind.",
            ) from error
