"""Files and streams that are not as they should be: closed, full, too large, in another encoding."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import click

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


def silence() -> None:
    """Let standard output take whatever Python still writes to it at its end, after it has refused something."""
    with suppress(OSError, ValueError):  # it may be no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


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
