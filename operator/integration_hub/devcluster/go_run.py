"""Run Go, tell how much it has fetched or compiled while it does, and keep what it prints."""

# ruff: noqa: S603 - starting Go is what this module is for; who calls has found it

from __future__ import annotations

import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL = 25


class GoRunError(Exception):
    """Go ended with an error. `lines` are the last that it printed, without those that tell of progress."""

    def __init__(self, lines: Sequence[str], status: int) -> None:
        self.lines = list(lines) or [f"(go printed nothing and ended with status {status})"]
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class GoRunner:
    """A Go program, where it runs, and the file that gets what it prints."""

    program: Path
    folder: Path
    environment: Mapping[str, str]
    log: Path

    def run(
        self, arguments: Sequence[str], count: Callable[[int], None], packages: Collection[str] = ()
    ) -> list[str]:
        """Run Go to its end; return the lines of its standard output.

        `count` is told, at least once a second, how many modules were fetched or, of `packages`, how many were
        compiled. What it raises ends Go too.

        Raises:
            GoRunError: Go ends with an error.

        """
        seen = 0
        news: queue.Queue[str | None] = queue.Queue()
        output: list[str] = []
        recent: deque[str] = deque(maxlen=_TAIL)
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                [self.program, *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            readers = [
                threading.Thread(target=output.extend, args=(map(str.rstrip, process.stdout or ()),)),
                threading.Thread(target=_forward, args=(process.stderr or (), news)),
            ]
            for reader in readers:
                reader.start()
            try:
                for line in _ticking(news):
                    if line:
                        log.write(line + "\n")
                        is_progress = line.startswith("go: downloading") or line in packages
                        seen += is_progress
                        if not is_progress:
                            recent.append(line)
                    count(seen)
            except BaseException:
                process.terminate()
                raise
            finally:
                for reader in readers:
                    reader.join()
        if process.returncode != 0:
            raise GoRunError(recent, process.returncode)
        return output


def _forward(stream: Iterable[str], news: queue.Queue[str | None]) -> None:
    for line in stream:
        news.put(line.rstrip())
    news.put(None)


def _ticking(news: queue.Queue[str | None]) -> Iterator[str]:
    """Yield each line until the end, and an empty one whenever a second has passed without."""
    while True:
        try:
            line = news.get(timeout=1)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line
