"""Files and streams of `hub test` that are not as they should be: closed, full, too large, in another encoding."""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import click

BROKEN_PIPE = 141
COULD_NOT_WRITE = 3

_CODES = {errno.EPIPE: BROKEN_PIPE, errno.ENOSPC: COULD_NOT_WRITE, errno.EIO: COULD_NOT_WRITE}
"""Whoever reads what we write and has had enough, like 'head', is no failure: the code is that of SIGPIPE."""
MAX_FILE = 16 * 2**20
"""Bytes of a file of manifests; an API server takes no object of more than about a tenth of that."""


class UnreadableError(Exception):
    """A file cannot be read as text. The message says why and what to do."""


def prepare() -> None:
    """Make both streams take whatever is written to them."""
    sys.stdout, sys.stderr = _writable(sys.stdout), _writable(sys.stderr)


def _writable(stream: TextIO | None) -> TextIO:
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    return _nowhere() if stream is None else stream  # closed by whoever has started us


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def cannot_write(error: OSError) -> int:
    """Return the exit code where standard output takes no more; raise any other error again.

    What goes wrong with hosts and clusters has errors of its own.
    """
    if error.errno not in _CODES:
        raise error
    code = _CODES[error.errno]
    sys.stdout = _nowhere()  # Python would try to write the rest at its end
    if code == COULD_NOT_WRITE:
        click.echo(f"Error: What was found cannot be written: {error.strerror}.", err=True)
    return code


def text_of(file: Path) -> str:
    """Return the text of a file, '-' being standard input.

    Raises:
        UnreadableError: it is none.

    """
    if str(file) == "-" and not sys.stdin:
        raise UnreadableError("it is closed. Name a file with -f.")
    try:
        with click.open_file(str(file), "rb") as stream:
            data: bytes = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise UnreadableError(f"{error.strerror}.") from error
    if len(data) > MAX_FILE:
        raise UnreadableError(f"it has more than {MAX_FILE >> 20} MiB. Name a file of manifests alone.")
    try:
        # Editors on Windows begin a file with a byte order mark.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("it is no text in UTF-8. Save it as UTF-8.") from None
