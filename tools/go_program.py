"""Programs that are built, once, of a Go module: of just the files that this project knows, and not in silence.

A module's checksum stands beside its version. Those of the modules that it needs stand in the go.sum among its files:
since it is built in its own folder Go refuses what differs, whichever proxy and checksum database it is told to ask.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fetching import SECONDS, CannotBeHadError, only_one, say
from integration_hub.devcluster import Progress, ProgressPrinter
from integration_hub.devcluster.errors import GoMissingError
from integration_hub.devcluster.go_run import GoRunError, GoRunner
from integration_hub.devcluster.golang import build_environment, find_go
from integration_hub.devcluster.paths import cache_folder

BUILD_SECONDS = 1800
"""Most that a build may take: Gitea's takes three minutes on two idle cores, and modules come slowly now and then."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program, and all that decides what it will be. `what` it is stands in 'Getting a server: '."""

    what: str
    name: str
    module: str
    version: str
    checksum: str
    """Of the module's files, as go.sum has it; `go mod download -json` prints it as `Sum`."""
    go: str
    """What the module's go.mod asks for, such as `go 1.26.2`."""
    package: str = "."
    tags: str = ""
    cgo: bool = False
    """Whether a part of it is in C."""
    beside: tuple[str, ...] = ()
    """Patterns of the module's files that lie beside the program when it runs."""

    @property
    def _source(self) -> str:
        return f"{self.module}@{self.version}"

    def cached(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return where the program lies once it was built."""
        return cache_folder(environ) / self.name / self.version / self.name

    def find(self, environ: Mapping[str, str] = os.environ) -> Path | None:
        """Return the program, if it was built."""
        target = self.cached(environ)
        return target if target.exists() else None

    def ensure(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the program, building it where it is missing; a second caller waits for the first.

        Raises:
            CannotBeHadError: There is no Go or no C compiler, they cannot fetch or build it, or it is not what we know.

        """
        target = self.cached(environ)
        versions = target.parent.parent
        with only_one(versions / "build.lock", self.what):
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=versions, prefix="build-") as name:
                    finished = self._build(Path(name), versions / "build.log", environ)
                    # What was left there without the program.
                    shutil.rmtree(target.parent, ignore_errors=True)
                    finished.rename(target.parent)
        return target

    def _build(self, draft: Path, log: Path, environ: Mapping[str, str]) -> Path:
        """Return a folder in `draft` with the program and what lies beside it."""
        if self.cgo and shutil.which("gcc", path=environ.get("PATH")) is None:
            raise CannotBeHadError("gcc is not on PATH")
        try:
            go = find_go(self.go, cache_folder(environ) / "go", lambda words: say(self.what, words)).program
        except GoMissingError as error:
            raise CannotBeHadError(
                f"{self.go.capitalize()} or newer is needed, and neither on PATH nor to be had"
            ) from error
        say(self.what, f"fetching and building {self.name} {self.version}, once; this takes some minutes")
        # Go's own default for its work is /tmp, which is often small and in memory.
        environment = build_environment(environ) | {"GOTMPDIR": str(draft), "CGO_ENABLED": str(int(self.cgo))}
        source = self._fetch(go, draft, environment)
        finished = draft / "finished"
        log.unlink(missing_ok=True)
        self._compile(GoRunner(go, source, environment, log), finished / self.name)
        for path in (path for pattern in self.beside for path in source.glob(pattern) if path.is_file()):
            copy = finished / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)  # and not its mode: Go keeps what it fetches from being changed
        return finished

    def _fetch(self, go: Path, draft: Path, environment: Mapping[str, str]) -> Path:
        """Return the folder of the module's files, once they are known to be those that we want."""
        done = subprocess.run(
            [go, "mod", "download", "-json", self._source],
            cwd=draft, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=SECONDS,
        )  # fmt: skip
        said = json.loads(done.stdout or "{}")
        if done.returncode != 0:
            why = " ".join((said.get("Error") or done.stderr or "it does not say why").split())
            raise CannotBeHadError(f"Go cannot fetch {self._source}: {why.removeprefix(f'{self._source}: ')}")
        if said["Sum"] != self.checksum:
            raise CannotBeHadError(
                f"what came as {self._source} is not what this project knows: its checksum is {said['Sum']}, not "
                f"{self.checksum}; look where Go takes modules from ('go env GOPROXY')"
            )
        return Path(said["Dir"])

    def _compile(self, runner: GoRunner, target: Path) -> None:
        """Put the program at `target`, and show meanwhile how far it is."""
        started = time.monotonic()
        tags = ["-tags", self.tags]
        with ProgressPrinter(sys.stdout, f"Getting {self.what}") as progress:

            def showing(activity: str, total: int = 0) -> Callable[[int], None]:
                def show(done: int) -> None:
                    seconds = time.monotonic() - started
                    if seconds > BUILD_SECONDS:
                        raise CannotBeHadError(f"{activity} was not done after {BUILD_SECONDS} s")
                    progress(Progress(activity, seconds, done, total))

                return show

            try:
                packages = set(
                    runner.run(["list", "-deps", *tags, self.package], showing("fetching modules"))
                )
                runner.run(
                    [
                        "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", *tags,
                        "-o", str(target), self.package,
                    ],
                    showing("compiling packages", len(packages)),
                    packages,
                )  # fmt: skip
            except GoRunError as error:
                # A line with # is a heading: it names the package of those that follow.
                why = next((line for line in error.lines if not line.startswith("#")), str(error))
                raise CannotBeHadError(
                    f"Go cannot build {self._source}: {why.strip()} (the whole log is {runner.log})"
                ) from error
