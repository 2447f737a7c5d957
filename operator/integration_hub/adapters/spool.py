"""The spool: where a sealed record lies on the operator's own disk until the API server has it.

A refresh token that has just been rotated exists once. Should the API server not answer at that moment, or the
operator end, the record waits here and is read at the next start. Only sealed values come here: who reads the folder
learns nothing.

Every call blocks for as long as the disk takes: call from a thread (`asyncio.to_thread`), never on the loop.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson
import structlog

_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_RECORD: Final = ".record"
_UNFINISHED: Final = ".new"
MAX_BYTES: Final = 4 * 2**20
"""More than a Secret can be; what is longer is none of ours."""
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

log = structlog.get_logger("integration_hub.spool")


class Spool:
    """Records by the UID of the instance whose they are. Without a folder it keeps nothing and says so to nobody."""

    def __init__(self, folder: Path | None) -> None:
        """Touch nothing yet; the folder is made with the first record."""
        self._folder = folder

    def put(self, uid: str, data: Mapping[str, bytes]) -> None:
        """Keep a record, in place of an older one of the same instance. It is on the disk when this returns.

        Raises:
            OSError: it could not be written; an older one is still there.

        """
        path = self._path(uid)
        if path is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = orjson.dumps({name: base64.b64encode(value).decode() for name, value in data.items()})
        unfinished = path.with_suffix(_UNFINISHED)
        unfinished.unlink(missing_ok=True)  # of an operator that ended in the middle
        try:
            _write(unfinished, content)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def get(self, uid: str) -> dict[str, bytes] | None:
        """Return a record; None where there is none, or none that can be read, which is logged."""
        path = self._path(uid)
        if path is None:
            return None
        try:
            content = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a spooled record cannot be read", uid=uid, error=error.strerror)
            return None
        data = _parsed(content)
        if data is None:
            log.warning("a spooled record is damaged and counts as none", uid=uid, bytes=len(content))
        return data

    def drop(self, uid: str) -> None:
        """Forget a record: the API server has it. OSError where that is not possible; none there is no error."""
        path = self._path(uid)
        if path is not None:
            path.unlink(missing_ok=True)

    def drop_all_but(self, uids: Collection[str]) -> list[str]:
        """Forget the records of all other instances; return the names of the files that were removed.

        Files that are none of ours stay. OSError where the folder cannot be read or changed; that there is none is no
        error.
        """
        if self._folder is None or not self._folder.is_dir():
            return []
        dropped = []
        for path in sorted(self._folder.iterdir()):
            if path.suffix in {_RECORD, _UNFINISHED} and _UID.fullmatch(path.stem) and path.stem not in uids:
                path.unlink(missing_ok=True)
                dropped.append(path.name)
        return dropped

    def _path(self, uid: str) -> Path | None:
        """Return the file of an instance. ValueError for what is no UID, so that no other file is ever meant."""
        if not _UID.fullmatch(uid):
            raise ValueError("a record is spooled under the UID of an instance and nothing else")
        return self._folder / f"{uid}{_RECORD}" if self._folder is not None else None


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner reads, through to the disk."""
    descriptor = os.open(path, _NEW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring the folder itself to the disk: until then the new name may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_BYTES + 1)


def _parsed(content: bytes) -> dict[str, bytes] | None:
    """Return the record that a file holds; None where it holds none, as after a cut."""
    if len(content) > MAX_BYTES:
        return None
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        return None
    try:
        return {name: base64.b64decode(value, validate=True) for name, value in raw.items()}
    except ValueError:
        return None
