"""Start, find and end the server process. It is only ever found by the lock that it holds.

A process number in a file says nothing by itself: its owner may be long gone, and the number given to
somebody else. The server therefore inherits a locked file and writes its number there. While the lock is
held the number belongs to a living process group of ours; when it is not, there is no server, whatever the
file says.
"""

# ruff: noqa: S603 - starting programs is what this module is for; none is named by anybody but the user

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from integration_hub.devcluster.errors import StopError
from integration_hub.devcluster.files import PRIVATE_FILE, is_locked

POLL = 0.05
"""Seconds between two looks at a process."""

GRACE = 15.0
"""Seconds from SIGTERM to SIGKILL. The server closes by itself within about six."""

KILL_LIMIT = 10.0
"""Seconds that the kernel may take to remove a killed process, its memory and its sockets."""

LOG_LIMIT = 8 * 1024 * 1024
"""Bytes after which the log of earlier runs is moved aside at the next start."""

_PROC_IS_THERE = Path("/proc/self/fd").exists()

# The shell starts the server in the background and ends at once: so the server is not this process's child,
# leaves no zombie in a long-lived caller, and outlives it.
_DETACH = ("/bin/sh", "-c", '"$@" &', "sh")


def spawn(command: Sequence[str], lock: int, folder: Path, log: Path) -> None:
    """Start `command` detached, with the locked descriptor `lock`, in `folder`, printing to `log`."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    try:
        subprocess.run(
            [*_DETACH, *command, f"--lock-fd={lock}"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            pass_fds=[lock],
            start_new_session=True,
            umask=0o077,
            check=True,
        )
    finally:
        os.close(descriptor)


def is_running(lock: Path) -> bool:
    """Whether a server lives, ready or not."""
    return is_locked(lock)


def pid_of(lock: Path) -> int | None:
    """Return the server's process number, which is also its group's; None if it is not there, or not yet."""
    if not is_locked(lock):
        return None
    try:
        pid = int(lock.read_text())
    except (OSError, ValueError):
        return None
    # Who is about to start a server may just have taken the lock, the number still being the last one's.
    return pid if pid > 1 and _group_has_open(pid, lock) else None


def stop(lock: Path, grace: float = GRACE) -> bool:
    """End the server, by force after `grace` seconds. Return False if there was none."""
    if not is_locked(lock):
        return False
    # A server that was started this instant has the lock but has not signed it yet.
    _wait_until(lambda: pid_of(lock) is not None or not is_locked(lock), grace)
    if (pid := pid_of(lock)) is not None:
        # The leader ends the others in good order; where somebody killed it, they must be asked themselves.
        leads = _has_open(Path(f"/proc/{pid}"), lock) or not _PROC_IS_THERE
        with contextlib.suppress(ProcessLookupError):
            (os.kill if leads else os.killpg)(pid, signal.SIGTERM)
        _wait_until(lambda: not is_locked(lock), grace)
    kill(lock)
    return True


def kill(lock: Path) -> None:
    """End the server at once, without letting it close anything. Does nothing if there is none."""
    if (pid := pid_of(lock)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    if not _wait_until(lambda: not is_locked(lock), KILL_LIMIT):
        raise StopError(
            f"The process that holds {lock} (number {pid_of(lock)}) did not end.",
            f"See who holds it with `fuser {lock}`, and end it.",
        )


def memory_of(pid: int) -> int | None:
    """Return the resident memory, in bytes, of the group that `pid` leads; None where /proc is missing."""
    pages = sum(resident for _process, resident in _group(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") if pages else None


def _group(leader: int) -> Iterator[tuple[Path, int]]:
    """Yield the folder in /proc and the resident pages of each process in the group."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name, in parentheses, may itself hold spaces and parentheses.
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader:
                yield status.parent, int(fields[21])


def _group_has_open(leader: int, lock: Path) -> bool:
    """Whether a process of the group has the file open. Where /proc is missing, the lock alone must do."""
    if not _PROC_IS_THERE:
        return True
    return any(_has_open(process, lock) for process, _resident in _group(leader))


def _has_open(process: Path, lock: Path) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        locked = lock.stat()
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(descriptor.stat(), locked):
                    return True
    return False


def _wait_until(true: Callable[[], bool], limit: float) -> bool:
    deadline = time.monotonic() + limit
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True
