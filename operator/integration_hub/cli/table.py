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
KEPT = frozenset({"NAMESPACE", "NAME", "READY", "STATUS"})
"""Columns that are never cut nor left out: what a person looks for, and types next."""
_FLOORS = (24, 14, 8)
"""Columns of a terminal down to which the widest give way, one after another: long texts first."""


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
        for header, cell, width in zip(self._table.headers, row, self._widths, strict=True):
            if width is None:
                continue
            text = shown(header, cell)
            bare = _bare(text)
            text = text if cells(bare) <= width else cut(bare, width)
            parts.append(text + " " * max(width - cells(_bare(text)), 0))
        return (" " * GAP).join(parts).rstrip()

    def _shown(self, header: str, cell: str) -> str:
        state = self._table.states.get(header, {}).get(cell)
        return self._screen.status(state, cell) if state is not None else cell


def fitting(
    headers: Sequence[str], wanted: Sequence[int], empty: Sequence[bool], width: int | None
) -> list[int | None]:
    """Return the widths of the columns in a terminal of this width; None for a column that is left out.

    Where there is no room for all, empty columns go first. Then the widest give way, long texts before short ones, and
    at last columns go from the right on. `wanted` is what each would take.
    """
    widths: list[int | None] = list(wanted)

    def excess() -> int:
        kept = [own for own in widths if own is not None]
        return 0 if width is None else sum(kept) + GAP * (len(kept) - 1) - width

    giving = [n for n, header in enumerate(headers) if header not in KEPT]
    for n in giving:
        if empty[n] and excess() > 0:
            widths[n] = None
    for floor in _FLOORS:
        while (over := excess()) > 0:
            n, most = max(((n, widths[n] or 0) for n in giving), key=lambda pair: pair[1], default=(0, 0))
            if most <= floor:
                break
            widths[n] = max(floor, most - over, len(headers[n]) if len(headers[n]) < most else 0)
            if widths[n] == most:
                break
    for n in reversed(giving):
        if excess() > 0:
            widths[n] = None
    return widths


def _bare(text: str) -> str:
    """Return a text without the colours that we have put in."""
    if "\x1b" not in text:
        return text
    import click  # noqa: PLC0415 - only a terminal needs it

    return click.unstyle(text)
