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
    widths: list[int | None] = list(wanted)

    def excess() -> int:
        kept = [own for own in widths if own is not None]
        return 0 if width is None else sum(kept) + GAP * (len(kept) - 1) - width

    giving = [n for n, header in enumerate(headers) if header not in KEPT]

    def leave_out(columns: Iterable[int]) -> None:
        for n in columns:
            if excess() > 0:
                widths[n] = None

    def cut_to(floor: int) -> None:
        while (over := excess()) > 0:
            n, most = max(((n, widths[n] or 0) for n in giving), key=lambda pair: pair[1], default=(0, 0))
            if most <= floor:
                break
            widths[n] = max(floor, most - over, len(headers[n]) if len(headers[n]) < most else 0)
            if widths[n] == most:
                break

    leave_out(n for n in giving if empty[n])
    cut_to(_LONG)
    leave_out(n for header in _FIRST_TO_GO for n in giving if headers[n] == header)
    for floor in _FLOORS:
        cut_to(floor)
    leave_out(sorted(giving, key=lambda n: (headers[n] in _LAST_TO_GO, -n)))
    return widths


def _bare(text: str) -> str:
    """Return a text without the colours that we have put in."""
    if "\x1b" not in text:
        return text
    import click  # noqa: PLC0415 - only a terminal needs it

    return click.unstyle(text)
