"""A run of `hub` on a terminal that is read as a person reads it: by what stands there, not by what was written."""

from __future__ import annotations

import sys
import time
from typing import Any

import pexpect
import pyte

from support.hub_command import Hub

_WIDEST, _LONGEST = 400, 400
"""More than any output here has: nothing scrolls away, as in a terminal that a person scrolls."""
_PIECE = 65536


class TerminalScreen:
    """What was written over, as by a spinner or a prompt, does not stand there. No canary of the hub may."""

    def __init__(self, hub: Hub, *words: str, columns: int, seconds: float, **environment: str) -> None:
        """Start it; `columns` is what the program is told, and it ends within `seconds` unless it hangs."""
        self._hub = hub
        self._deadline = time.monotonic() + seconds
        self._screen = pyte.Screen(_WIDEST, _LONGEST)
        self._stream = pyte.Stream(self._screen)
        self._answered = 0
        """The rows above were there when something was typed last."""
        self._process: Any = pexpect.spawn(
            sys.executable,
            ["-m", "integration_hub", *words],
            env=hub.environment() | environment,
            encoding="utf-8",
            dimensions=(50, columns),
        )

    def waits_for(self, words: str) -> None:
        """Wait until these words stand below what was there when something was typed last."""
        while not any(words in self._line(row) for row in range(self._answered, self._screen.cursor.y + 1)):
            assert self._reads(), f"it ended before '{words}':\n{self.text()}"

    def types(self, text: str) -> None:
        """Type these keys."""
        self._answered = self._screen.cursor.y + 1
        self._process.send(text)

    def ends(self) -> int:
        """Wait until it has ended; return the exit code."""
        while self._reads():
            pass
        self._process.close()
        code = self._process.exitstatus
        return code if code is not None else -1

    def text(self) -> str:
        """Return the lines that stand there."""
        lines = "\n".join(self._line(row) for row in range(self._screen.cursor.y + 1))
        return lines.rstrip("\n") + "\n"

    def _line(self, row: int) -> str:
        cells = self._screen.buffer[row]
        return "".join(cells[column].data for column in range(_WIDEST)).rstrip()

    def _reads(self) -> bool:
        """Take in what comes next; tell whether there may be more."""
        try:
            piece = self._process.read_nonblocking(
                _PIECE, timeout=max(0.0, self._deadline - time.monotonic())
            )
        except pexpect.EOF:
            return False
        except pexpect.TIMEOUT:
            raise AssertionError(f"it hangs:\n{self.text()}") from None
        self._hub.check(piece)
        self._stream.feed(piece)
        return True
