"""Show a build's progress: one line that changes on a terminal, one line now and then in a log."""

from __future__ import annotations

from typing import Self, TextIO

from integration_hub.devcluster.build import Progress

LOG_PERIOD = 15.0
"""Seconds between two lines in a log about the same activity."""

TERMINAL_PERIOD = 0.2

CONTROL_PLANE = "Building the control plane"


class ProgressPrinter:
    """A `Report` that prints to a stream what is built, and how far it is.

    As a context manager it ends the terminal's line.
    """

    def __init__(self, stream: TextIO, what: str = CONTROL_PLANE, *, moves: bool | None = None) -> None:
        """Print nothing yet. `moves` says whether the stream is a terminal on which a line may change; None asks it."""
        self._stream = stream
        self._what = what
        self._moves = stream.isatty() if moves is None else moves
        self._shown: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._moves and self._shown is not None:
            self._stream.write("\n")
            self._stream.flush()

    def __call__(self, progress: Progress) -> None:
        """Print `progress` if it is news, or if the last line is old enough."""
        if not self._is_due(progress):
            return
        self._shown = progress
        text = describe(progress, self._what)
        self._stream.write(f"\r\x1b[2K{text}" if self._moves else f"{text}\n")
        self._stream.flush()

    def _is_due(self, progress: Progress) -> bool:
        if self._shown is None or self._shown.activity != progress.activity:
            return True
        period = TERMINAL_PERIOD if self._moves else LOG_PERIOD
        return progress.seconds - self._shown.seconds >= period


def describe(progress: Progress, what: str = CONTROL_PLANE) -> str:
    """Return a line, such as `Building the control plane: compiling packages, 512 of at most 2378, 1:05`."""
    minutes, seconds = divmod(int(progress.seconds), 60)
    of = f" of at most {progress.total}" if progress.total else ""
    count = f", {progress.done}{of}" if progress.done or of else ""
    return f"{what}: {progress.activity}{count}, {minutes}:{seconds:02}"
