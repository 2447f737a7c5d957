"""Files that are whole or absent, private from the first byte, and locked by at most one process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` in one step with a file that only its owner can read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def make_private_folder(path: Path) -> None:
    """Create `path` and its parents; nobody else may enter it, even if it was there before."""
    path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    if path.stat().st_mode & 0o777 != PRIVATE_FOLDER:
        path.chmod(PRIVATE_FOLDER)


def try_lock(path: Path) -> int | None:
    """Lock `path` and return its open descriptor, or None while another process holds the lock.

    The lock belongs to the open file, not to this process: it is held until every process that inherited the
    descriptor has closed it or ended. That is what lets a server hold the lock that its starter took.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of `path`.

    Asks for a shared lock, so that two who ask at once do not take each other for the holder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def tail(path: Path, lines: int) -> str:
    """Return the last `lines` lines of a text file; empty where there is none. Reads at most 64 KiB."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 64 * 1024))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    return ""
