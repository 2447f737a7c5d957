"""Tables as commands print them: aligned columns, or one fact a line where they are to be read aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from integration_hub.cli.terminal import OF_READY, Screen, State, cells, cut
from integration_hub.config.plain_text import one_line

GAP = 3
"""Blanks between columns, as kubectl has them."""
_LEAST = 3
"""What even an empty column takes, as kubectl has it."""
KEPT = frozenset({"NAMESPACE", "NAME", "READY", "STATUS", "REASON"})
"""Columns that are never cut nor left out: what a person looks for, and types next."""
_FIRST_TO_GO = ("AGE", "LAST TESTED", "IDENTITY")
"""What is missed least where there is no room."""
_LAST_TO_GO = frozenset({"MESSAGE"})
"""What a wide table is asked for."""
_LONG = 24
"""Columns of a terminal down to which long texts give way first of all."""
_FLOORS = (14, 8)
"""Columns down to which the widest give way after that, one after another."""


@dataclass
class Table:
    """Rows below headers. `states` says of a header which words in its column are a status.

    A table that `is_whole` is not cut: the terminal breaks its lines, since its long texts are what it is read for.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]] = ()
    states: Mapping[str, Mapping[str, State]] = field(default_factory=lambda: {"READY": OF_READY})
    is_whole: bool = False

    def show(self, screen: Screen, *, headers: bool = True) -> None:
        """Print it."""
        for line in self.lines(screen, headers=headers):
            screen.say(line)

    def lines(self, screen: Screen, *, headers: bool = True) -> Iterable[str]:
        """Yield the lines that are printed: each no wider than the terminal, whole in a pipe."""
        rows = [[one_line(cell) for cell in row] for row in self.rows]
        if screen.plain:
            yield from self._facts(rows)
            return
        yield from Aligned(self, screen, rows, headers=headers).lines()

    def _facts(self, rows: Sequence[Sequence[str]]) -> Iterable[str]:
        for number, row in enumerate(rows):
            if number:
                yield ""
            yield from (
                f"{header.capitalize()}: {cell}"
                for header, cell in zip(self.headers, row, strict=True)
                if cell
            )


class Aligned:
    """Columns whose widths are worked out once, so that rows that come later stand below the first."""

    def __init__(
        self, table: Table, screen: Screen, rows: Sequence[Sequence[str]], *, headers: bool = True
    ) -> None:
        """`rows` are clean lines; they decide the widths, and on a narrow terminal which columns there are."""
        self._table, self._screen, self._rows, self._headers = table, screen, rows, headers
        shown = [[self._shown(h, c) for h, c in zip(table.headers, r, strict=True)] for r in rows]
        lines = [*([table.headers] if headers else []), *shown]
        wanted = [max(_LEAST, *(cells(_bare(line[n])) for line in lines)) for n in range(len(table.headers))]
        empty = [not any(row[n] for row in rows) for n in range(len(table.headers))]
        self._wanted = wanted
        self._widths = fitting(table.headers, wanted, empty, None if table.is_whole else screen.width)

    def lines(self) -> Iterable[str]:
        """Yield all lines."""
        if self._headers:
            yield self._joined(self._table.headers, lambda _, text: text)
        for row in self._rows:
            yield self.line(row)

    def line(self, row: Sequence[str]) -> str:
        """Return one row as a line."""
        return self._joined(row, self._shown)

    def _joined(self, row: Sequence[str], shown: Callable[[str, str], str]) -> str:
        parts = []
        columns = zip(self._table.headers, row, self._widths, self._wanted, strict=True)
        for header, cell, width, wanted in columns:
            if width is None:
                continue
            text = shown(header, cell)
            bare = _bare(text)
            # A column that was given its room is not cut: a row that comes later may be longer than the first.
            text = cut(bare, width) if width < wanted and cells(bare) > width else text
            parts.append(text + " " * max(width - cells(_bare(text)), 0))
        return (" " * GAP).join(parts).rstrip()

    def _shown(self, header: str, cell: str) -> str:
        state = self._table.states.get(header, {}).get(cell)
        return self._screen.status(state, cell) if state is not None else cell


def fitting(
    headers: Sequence[str], wanted: Sequence[int], empty: Sequence[bool], width: int | None
) -> list[int | None]:
    """Return the widths of the columns in a terminal of this width; None for a column that is left out.

    Where there is no room for all, empty columns go first. Then long texts give way, the columns go that are missed
    least, short texts give way, too, and at last columns go from the right on. `wanted` is what each would take.
    """
    widths = _Widths(headers, wanted, width)
    giving = widths.giving
    widths.leave_out(n for n in giving if empty[n])
    widths.cut_to(_LONG)
    widths.leave_out(n for header in _FIRST_TO_GO for n in giving if headers[n] == header)
    for floor in _FLOORS:
        widths.cut_to(floor)
    widths.leave_out(sorted(giving, key=lambda n: (headers[n] in _LAST_TO_GO, -n)))
    widths.give_back(n for n in giving if headers[n] in _LAST_TO_GO)
    return widths.own


class _Widths:
    """The widths of columns while room is made for them; None for a column that is left out."""

    def __init__(self, headers: Sequence[str], wanted: Sequence[int], width: int | None) -> None:
        self.own: list[int | None] = list(wanted)
        self.giving = [n for n, header in enumerate(headers) if header not in KEPT]
        self._headers, self._wanted, self._width = headers, wanted, width

    def _excess(self) -> int:
        kept = [own for own in self.own if own is not None]
        return 0 if self._width is None else sum(kept) + GAP * (len(kept) - 1) - self._width

    def leave_out(self, columns: Iterable[int]) -> None:
        """Leave columns out, one after another, as long as there is no room."""
        for n in columns:
            if self._excess() > 0:
                self.own[n] = None

    def cut_to(self, floor: int) -> None:
        """Make the widest narrower as long as there is no room, none below the floor."""
        while (over := self._excess()) > 0:
            found = ((n, self.own[n] or 0) for n in self.giving)
            n, most = max(found, key=lambda pair: pair[1], default=(0, 0))
            if most <= floor:
                break
            header = len(self._headers[n])
            self.own[n] = max(floor, most - over, header if header < most else 0)
            if self.own[n] == most:
                break

    def give_back(self, columns: Iterable[int]) -> None:
        """Give columns that are still there the room that is left."""
        for n in columns:
            own = self.own[n]
            if own is not None:
                self.own[n] = min(self._wanted[n], own - min(self._excess(), 0))


def _bare(text: str) -> str:
    """Return a text without the colours that we have put in."""
    if "\x1b" not in text:
        return text
    import click  # noqa: PLC0415 - only a terminal needs it

    return click.unstyle(text)
