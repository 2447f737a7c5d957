"""The processes that a run starts, each with a log file, and what a killed run left of them."""

# ruff: noqa: S603 - starting programs is what this module is for; an example's own files name them

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from integration_hub.devcluster.files import PRIVATE_FILE, make_private_folder, tail, try_lock
from integration_hub.examples.errors import ExampleError

GRACE = 15.0
"""Seconds from SIGTERM to SIGKILL. The operator is started with a shorter grace period of its own."""

LOG_TAIL = 15

_POLL = 0.05


class Child:
    """A process of this run, in a session of its own, so that a terminal's Ctrl-C reaches only the runner."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        lock: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it. It inherits the lock, by which a later run finds it should this one be killed.

        Without an environment of its own it gets ours.
        """
        self.name = name
        self.log = log
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=log.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                pass_fds=[lock],
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        os.write(lock, f"{self._process.pid}\n".encode())

    def require_running(self) -> None:
        """Raise ExampleError with the end of its log if it has ended."""
        code = self._process.poll()
        if code is not None:
            shown = tail(self.log, LOG_TAIL) or "(it printed nothing)"
            raise ExampleError(
                f"{self.name} ended with exit code {code}. The end of its log:\n{shown}",
                f"The whole log is {self.log}.",
            )

    def stop(self) -> None:
        """End it, by force after a while; and whatever it started and left."""
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            _kill_group(self._process.pid)
            self._process.wait()


class RunFolder:
    """A home's folder for examples. One run at a time: two operators would write the same statuses."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runner: int | None = None
        self.children = -1
        """The lock that children inherit; their process numbers stand in it, one a line."""

    def __enter__(self) -> Self:
        make_private_folder(self.root)
        self._runner = try_lock(self.root / "runner.lock")
        if self._runner is None:
            raise ExampleError(
                f"An example runs already on the control plane of {self.root.parent}.",
                "End it with Ctrl-C in its terminal, or name another folder with --home.",
            )
        try:
            self.children = self._lock_children()
        except BaseException:
            os.close(self._runner)
            raise
        os.ftruncate(self.children, 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.children)
        if self._runner is not None:
            os.close(self._runner)

    def _lock_children(self) -> int:
        """Take the lock that the children of earlier runs held, ending those of a run that was killed."""
        path = self.root / "children.lock"
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + GRACE
            signalled: set[int] = set()
            while time.monotonic() < deadline:
                lock = try_lock(path)
                if lock is not None:
                    return lock
                for pid in set(_holders(path)) - signalled:
                    signalled.add(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, number)
                time.sleep(_POLL)
        pids = " ".join(path.read_text(encoding="ascii").split())
        raise ExampleError(
            f"An earlier run was killed and left processes that do not end ({path} names {pids}).",
            "Look at them with 'ps' and end them with 'kill'.",
        )


def _holders(path: Path) -> Iterator[int]:
    """Yield the process numbers in the file that have it open: the number of one that ended may be reused."""
    with path.open("rb") as file:
        wanted = os.fstat(file.fileno())
        pids = [int(line) for line in file.read().split()]
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended, belongs to somebody else, or /proc is missing
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.path.samestat(descriptor.stat(), wanted):
                        yield pid
                        break


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
