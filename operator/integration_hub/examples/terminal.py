"""What the runner says: a line for each step, on a terminal with a sign of life while it lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_WIDTH = 15


class Terminal:
    """Prints to a stream; one that is piped, logged or read aloud gets finished lines only."""

    def __init__(self, stream: TextIO, *, moves: bool) -> None:
        """Print nothing yet. `moves` says whether the stream is a terminal on which a line may change."""
        self._stream = stream
        self._live = moves

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Announce a step; the function it gives is called once, with how the step ended."""
        if self._live:
            self._write(f"{name:<{_WIDTH}} ...")

        def done(outcome: str) -> None:
            self._write(("\r\x1b[2K" if self._live else "") + f"{name:<{_WIDTH}} {outcome}\n")

        try:
            yield done
        except BaseException:
            if self._live:
                self._write("\n")
            raise

    def say(self, text: str = "") -> None:
        """Print a line."""
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
