"""Ctrl-C while the API server is asked to write: what has become of the write is known before the command stops."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STOPPING: Final = (
    "\nStopping once the API server has answered what is under way. Press Ctrl-C again to stop at once.\n"
)


@contextmanager
def answered_first() -> Iterator[None]:
    """Let what is under way be answered before Ctrl-C stops the command; pressed again, it stops at once.

    Raises:
        KeyboardInterrupt: at the end, where it was pressed, whatever else has gone wrong.

    """
    pressed = False

    def press(_signal: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        # Not through the stream, which may be in the middle of something.
        os.write(sys.stderr.fileno(), _STOPPING.encode())

    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt
