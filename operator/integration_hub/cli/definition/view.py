"""What `hub definition` prints: findings of the lint, changes, and a line for each case that was played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from integration_hub.catalog.changes import Change
from integration_hub.catalog.lint.subject import Finding
from integration_hub.catalog.vendor import Vendor
from integration_hub.cli.table import Aligned, Table
from integration_hub.cli.terminal import Screen, State
from integration_hub.config.plain_text import clean, one_line
from integration_hub.shell.rehearsal import Played, plays

_OK, _DIFFERS = "ok", "differs"
_STATES = {"RESULT": {_OK: State.GOOD, _DIFFERS: State.BAD}}
_HEADERS = ("RESULT", "AUTH METHOD", "CASE", "EXPECTED", "FOUND")
_LEVELS = {"error": State.BAD, "warning": State.WAITING}


def lint_lines(screen: Screen, source: str, found: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines about one definition: that it is well, or each finding."""
    if not found:
        yield f"{source}: {screen.status(State.GOOD, 'ok')}"
    for finding in found:
        level = screen.status(_LEVELS[finding.level], finding.level)
        yield f"{clean(source)}: {level}: {clean(str(finding))}"


def change_lines(found: Sequence[Change]) -> Iterator[str]:
    """Yield the changes between two definitions, each with the word that says whether it may break connections."""
    if not found:
        yield "Nothing is other."
    for change in found:
        yield f"{'breaking' if change.breaking else 'other':<9} {clean(str(change))}"


class PlayedView:
    """Writes a table line by line, as the cases end."""

    def __init__(self, screen: Screen, vendor: Vendor) -> None:
        """Work out the widths of the columns beforehand."""
        self._screen = screen
        self._table = Table(_HEADERS, states=_STATES)
        # The widest that is expected; what is found otherwise is explained below its line.
        rows = [
            (
                _DIFFERS,
                method,
                one_line(case.name),
                case.expect.reason.value,
                _found(case.expect.reason, case.expect.identity, renewed=True),
            )
            for case, method in plays(vendor)
        ]
        self._lines = Aligned(self._table, screen, rows)
        self._shown = 0

    def show(self, one: Played) -> None:
        """Write the line of one case, and below it what is other than expected."""
        word = _DIFFERS if one.faults else _OK
        found = _found(one.found.reason, one.found.identity, renewed=one.renewed)
        row = (word, one.method, one_line(one.case.name), one.case.expect.reason.value, found)
        if self._screen.plain:
            if self._shown:
                self._screen.say()
            for line in Table(_HEADERS, [row]).lines(self._screen):
                self._screen.say(line)
        else:
            if not self._shown:
                self._screen.say(self._lines.line(_HEADERS))
            self._screen.say(self._lines.line(row))
        for fault in one.faults:
            self._screen.say(f"  {clean(fault)}")
        self._shown += 1

    def sum_up(self, played: Sequence[Played]) -> None:
        """Write how many there were."""
        differ = sum(bool(one.faults) for one in played)
        said = "all as expected" if not differ else f"{differ} not as expected"
        word = "connection" if len(played) == 1 else "connections"
        self._screen.say(f"\n{len(played)} {word}: {said}.")


def _found(reason: str, identity: str | None, *, renewed: bool) -> str:
    words = reason if identity is None else f"{reason} as {one_line(identity)}"
    return f"{words}, renewed" if renewed else words
