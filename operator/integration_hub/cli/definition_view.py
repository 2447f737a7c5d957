"""What `hub definition` prints: findings of the lint, and a line for each case that was played."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TextIO

import click

from integration_hub.catalog.changes import Change
from integration_hub.catalog.lint import Finding
from integration_hub.catalog.vendor import Vendor
from integration_hub.config.plain_text import clean
from integration_hub.shell.rehearsal import Played, plays

_SIGNS = {True: ("✓ ok", "green"), False: ("✗ differs", "red")}
_SIGN_WIDTH = 9


def lint_lines(source: str, found: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines about one definition: that it is well, or each finding."""
    if not found:
        yield f"{source}: ok"
        return
    for finding in found:
        yield f"{source}: {finding.level}: {finding.path}: {finding.message}"


def change_lines(found: Sequence[Change]) -> Iterator[str]:
    """Yield the changes between two definitions, each with the word that says whether it may break connections."""
    if not found:
        yield "Nothing is other."
    for change in found:
        yield f"{'breaking' if change.breaking else 'other':<9} {change}"


class PlayedView:
    """Writes a table line by line, as the cases end."""

    def __init__(self, out: TextIO, vendor: Vendor) -> None:
        """Know the widths of the columns beforehand."""
        self._out = out
        self._colour = out.isatty() and not os.environ.get("NO_COLOR")
        rows = list(plays(vendor))
        self._widths = (
            max(len("AUTH METHOD"), *(len(method) for _, method in rows)),
            max(len("CASE"), *(len(case.name) for case, _ in rows)),
            max(len("EXPECTED"), *(len(case.expect.reason) for case, _ in rows)),
        )
        self._has_head = False

    def show(self, one: Played) -> None:
        """Write the line of one case, and below it what is other than expected."""
        if not self._has_head:
            self._line("RESULT", None, "AUTH METHOD", "CASE", "EXPECTED", "FOUND")
            self._has_head = True
        sign, colour = _SIGNS[not one.faults]
        found = one.found.reason
        if one.found.identity is not None:
            found += f", connected as {one.found.identity}"
        if one.renewed:
            found += ", renewed"
        self._line(sign, colour, one.method, one.case.name, one.case.expect.reason.value, found)
        for fault in one.faults:
            click.echo(f"  {clean(fault)}", file=self._out)

    def sum_up(self, played: Sequence[Played]) -> None:
        """Write how many there were."""
        differ = sum(bool(one.faults) for one in played)
        said = "all as expected" if not differ else f"{differ} not as expected"
        word = "connection" if len(played) == 1 else "connections"
        click.echo(f"\n{len(played)} {word}: {said}.", file=self._out)

    def _line(self, sign: str, colour: str | None, *texts: str) -> None:
        columns = [f"{text:<{width}}" for text, width in zip(texts, (*self._widths, 0), strict=True)]
        shown = click.style(f"{sign:<{_SIGN_WIDTH}}", fg=colour) if colour else f"{sign:<{_SIGN_WIDTH}}"
        rest = clean("  ".join(("", *columns))).rstrip()
        click.echo(f"{shown}{rest}", file=self._out, color=self._colour)
