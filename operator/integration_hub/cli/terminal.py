"""How output looks: colours, symbols, width, and what of them a stream can have. Nothing here knows a resource.

Standard output is for what was found, standard error for what is under way. A pipe gets words alone. On a terminal
every status has a symbol and a colour beside its word, never in its place. With --plain, or HUB_PLAIN=1, a terminal
gets what reads well aloud: no symbols, no colours, nothing that moves, one fact a line.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TextIO

import click

from integration_hub.config.plain_text import clean, one_line

if TYPE_CHECKING:
    from threading import Event, Thread


class Look(NamedTuple):
    """How a state looks beside its word."""

    colour: int
    """Index into the 216 colours that are the same in every terminal; a theme changes the first 16 alone."""
    symbol: str
    ascii: str


class State(Enum):
    """What a status means to a person, whatever its word is."""

    GOOD = Look(29, "✓", "+")
    BAD = Look(196, "✗", "x")
    WAITING = Look(166, "…", "~")
    UNKNOWN = Look(166, "?", "?")
    HELD = Look(32, "‖", "=")
    """By a person's wish."""


OF_READY: Final[Mapping[str, State]] = {
    "True": State.GOOD,
    "False": State.BAD,
    "Unknown": State.UNKNOWN,
    "Success": State.GOOD,
    "Failure": State.BAD,
    "Passed": State.GOOD,
    "Failed": State.BAD,
    "Skipped": State.HELD,
}
"""The state that the words of our API mean."""

_OWN_STYLES: Final = re.compile(
    rf"(\x1b\[(?:0|1|38;5;(?:{'|'.join(sorted({str(state.value.colour) for state in State}))}))m)"
)
"""The sequences that `Screen` itself puts in: whatever else begins with an escape was said by somebody else."""

_PLAIN = "integration_hub.plain"
_FRAMES = "|/-\\"
_FRAME_SECONDS = 0.1


def rgb(index: int) -> tuple[int, int, int]:
    """Return red, green and blue (0 to 255) of a colour of xterm's cube, 16 to 231."""
    levels = (0, 95, 135, 175, 215, 255)
    red, rest = divmod(index - 16, 36)
    return levels[red], levels[rest // 6], levels[rest % 6]


def set_plain(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Remember --plain; as click calls it."""
    if value:
        ctx.find_root().meta[_PLAIN] = True


def wants_plain() -> bool:
    """Tell whether --plain was given, before the command or after it."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx is not None and ctx.find_root().meta.get(_PLAIN))


class Screen:
    """The two streams of a command, and what they can show."""

    def __init__(
        self, out: TextIO, err: TextIO, *, plain: bool = False, environment: Mapping[str, str] = os.environ
    ) -> None:
        """`plain` is a person's wish for words alone."""
        self.out, self.err = out, err
        self.plain = plain or environment.get("HUB_PLAIN", "") not in {"", "0"}
        dumb = environment.get("TERM") == "dumb"
        self.is_terminal = out.isatty()
        """Whether standard output is one; `moves` is whether standard error may show what is under way."""
        self._fancy = self.is_terminal and not self.plain and not dumb
        self._colour = self._fancy and not environment.get("NO_COLOR")
        self._unicode = (getattr(out, "encoding", "") or "").lower().replace("-", "") == "utf8"
        self.moves = err.isatty() and not self.plain and not dumb

    @classmethod
    def current(cls) -> Self:
        """Return the screen of the command that runs."""
        return cls(sys.stdout, sys.stderr, plain=wants_plain())

    @property
    def draws(self) -> bool:
        """Whether lines between things may be drawn."""
        return self._fancy and self._unicode

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where there is none, and nothing need be cut."""
        if not self.is_terminal:
            return None
        return _columns(self.out)

    def say(self, text: str = "") -> None:
        """Write a line of what was found. What steers a terminal is taken out, less our own styles."""
        click.echo(_harmless(text), file=self.out, color=self._fancy)

    def data(self, text: str, *, nl: bool = True) -> None:
        """Write what a program reads: as it is, but where a person's terminal reads it."""
        if self.is_terminal:
            click.echo(_harmless(text), file=self.out, nl=nl, color=self._fancy)
        else:
            click.echo(text, file=self.out, nl=nl, color=True)  # which means: take nothing out

    def note(self, text: str) -> None:
        """Write a line about what is under way, to standard error; on a terminal, broken between words.

        A line of a list that begins with a number goes on below its words. What steers a terminal is taken out.
        """
        width = self._err_width
        for line in _harmless(text).split("\n"):
            fits = width is None or self.plain or "\x1b" in line or cells(line) <= width
            click.echo(line if fits else "\n".join(_wrapped(line, width or 0)), file=self.err)

    @property
    def _err_width(self) -> int | None:
        return _columns(self.err) if self.err.isatty() else None

    def status(self, state: State, word: str) -> str:
        """Return a word with its symbol and colour, as far as the stream has them."""
        if not self._fancy:
            return word
        look = state.value
        symbol = look.symbol if self._unicode else look.ascii
        return f"{click.style(symbol, fg=look.colour) if self._colour else symbol} {word}"

    def tinted(self, state: State, sign: str) -> str:
        """Return a sign that means something by itself, in the colour of a state."""
        return click.style(sign, fg=state.value.colour) if self._colour else sign

    def strong(self, text: str) -> str:
        """Return a text in bold, which every terminal shows in the colour that its owner can read."""
        return click.style(text, bold=True) if self._colour else text

    def folded(self, text: str, indent: str = "  ") -> Iterator[str]:
        """Yield a long text in lines that fit a terminal; in one line elsewhere, and where it is read aloud."""
        if self.width is None or self.plain or cells(text) + len(indent) <= self.width:
            yield f"{indent}{text}"
            return
        yield from _wrapped(f"{indent}{text}", self.width, hanging=indent)

    def busy(self, text: str) -> Busy:
        """Return a context in which a terminal shows what is under way."""
        return Busy(self.err if self.moves else None, text)


class Busy:
    """A line at the end of a terminal that says what is under way, and goes when that has ended."""

    def __init__(self, stream: TextIO | None, text: str) -> None:
        """Without a stream, nothing is shown."""
        self._stream = stream
        self._text = one_line(text)
        self._ended: Event | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        # The first frame comes late: what is quick does not flicker.
        self.begin(late=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self, *, late: bool = False) -> None:
        """Show it from now on."""
        if self._stream is not None:
            from threading import Event, Thread  # noqa: PLC0415 - few commands wait for anything

            self._ended = Event()
            if not late:
                _write(self._stream, f"{_FRAMES[0]} {self._text} ...")
            turn = (self._stream, self._ended, late)
            self._thread = Thread(target=self._turn, args=turn, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Take it away."""
        if self._ended is not None and self._thread is not None:
            self._ended.set()
            self._thread.join()

    def _turn(self, stream: TextIO, ended: Event, late: bool) -> None:
        number = 0
        while not ended.wait(_FRAME_SECONDS):
            number += 1
            _write(stream, f"{_FRAMES[number % len(_FRAMES)]} {self._text} ...")
        if number or not late:
            _write(stream, "")


def _harmless(text: str) -> str:
    """Return a text in which nothing steers a terminal but our own styles."""
    if "\x1b" not in text:
        return clean(text)
    return "".join(part if number % 2 else clean(part) for number, part in enumerate(_OWN_STYLES.split(text)))


def _write(stream: TextIO, line: str) -> None:
    """Write a line over the last one of a terminal."""
    stream.write(f"\r\x1b[2K{line}")
    stream.flush()


def _columns(stream: TextIO) -> int | None:
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _wrapped(line: str, width: int, hanging: str | None = None) -> list[str]:
    """Return a line in several that fit; what follows the first stands below its first word, or behind `hanging`."""
    # Here, since a pipe needs none of it.
    import textwrap  # noqa: PLC0415

    head = re.match(r" *(?:\d+  )?", line)
    first = head.group() if head is not None else ""
    return textwrap.wrap(
        line[len(first) :],
        max(width, 40),
        initial_indent=first,
        subsequent_indent=" " * len(first) if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian signs take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(sign) for sign in text)


def _cells_of(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def cut(text: str, columns: int) -> str:
    """Return the text cut to so many columns, with an ellipsis where it was cut."""
    if cells(text) <= columns:
        return text
    kept, room = [], columns - 1
    for sign in text:
        room -= _cells_of(sign)
        if room < 0:
            break
        kept.append(sign)
    return "".join(kept) + "…" if columns > 0 else ""
