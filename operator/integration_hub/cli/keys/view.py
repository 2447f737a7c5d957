"""What `hub keys` prints: tables and lines about keys and records. Never a key, nor anything that is sealed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from integration_hub.cli.output import Form, write
from integration_hub.cli.table import Table
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import age_of, counted, typed
from integration_hub.config.plain_text import clean
from integration_hub.shell.keyring_source import StoredKeyring
from integration_hub.shell.rewrap import RewrapReport, Usage

MOST_NAMED = 10
"""Records whose names are printed; the others are counted."""
_EVERY = 100
"""Records between two lines of progress, where there is no terminal."""


def print_list(stored: StoredKeyring, usage: Usage, form: Form, *, headers: bool) -> None:
    """Print the keys, and tell of records that none of them opens."""
    keyring, metadata = stored.keyring, stored.raw["metadata"]
    lost = usage.lost(keyring)
    rows = [
        {
            "name": f"key-{number}",
            "state": "active" if number == keyring.active else "opens",
            "since": since.isoformat() if (since := stored.since(number)) is not None else None,
            "check": keyring.check(number),
            "records": usage.of(keyring, number),
        }
        for number in keyring.numbers
    ]
    screen = Screen.current()
    if not form.is_table:
        data = {
            "keyring": {"namespace": metadata["namespace"], "name": metadata["name"]},
            "keys": rows,
            "lost": [{"name": f"key-{n}", "check": check, "records": c} for (n, check), c in lost.items()],
            "unreadable": [str(place) for place in sorted(usage.unreadable)],
        }
        write(screen, form, data)
        return
    now = datetime.now(UTC)
    lines = []
    for number, row in zip(keyring.numbers, rows, strict=True):
        since = stored.since(number)
        age = "unknown" if since is None else age_of(now - since)
        lines.append((str(row["name"]), str(row["state"]), age, str(row["check"]), str(row["records"])))
    Table(("KEY", "STATE", "AGE", "CHECK", "RECORDS"), lines).show(screen, headers=headers)
    for (number, check), count in lost.items():
        click.echo(
            f"{counted(count, 'record')} cannot be opened: the key-{number} with check {check} is not in the keyring."
            " Restore it from a backup, or authorize these connections again.",
            err=True,
        )
    _print_places("cannot be read", dict.fromkeys(usage.unreadable, "there is no envelope in it"))


class Course:
    """How far a rotation is: for the terminal, and for who stops it."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.added: int | None = None
        self.begun = False
        self._done = 0
        self._seen = 0
        self._moves = Screen.current().moves

    def show(self, report: RewrapReport) -> None:
        """Tell it: in one line that changes on a terminal, else in a line now and then."""
        self._done, self._seen = report.done, report.seen
        if self._moves:
            click.echo(f"\r\x1b[2K{self._words()}", err=True, nl=False)
        elif self._seen % _EVERY == 0:
            click.echo(self._words(), err=True)

    def end(self) -> None:
        """Leave the terminal's line."""
        if self._moves and self._seen:
            click.echo(err=True)

    def _words(self) -> str:
        return f"{counted(self._seen, 'record')} looked at, {self._done} sealed anew"

    def so_far(self) -> str:
        """Return what to tell who has stopped it, or whom it has failed."""
        if not self.begun and self.added is None:
            return "Nothing was changed."
        added = f"key-{self.added} is added and active. " if self.added is not None else ""
        return (
            f"{added}{counted(self._done, 'record')} sealed anew so far; the others go on opening with their older key."
            f" '{typed('keys', 'rotate', '--resume')}' goes on from here, and so does the operator."
        )


def print_report(report: RewrapReport, active: int) -> bool:
    """Print what has come of a rotation; tell whether all records are under the active key."""
    click.echo(
        f"key-{active} is the active key: {counted(report.done, 'record')} sealed anew, {report.already} were already."
    )
    _print_places("still under an older key; try again with --resume", report.left)
    _print_places("cannot be opened and stays as it is", report.unreadable)
    return not report.left and not report.unreadable


def _print_places(what: str, places: Mapping[Any, str]) -> None:
    for place, why in sorted(places.items())[:MOST_NAMED]:
        click.echo(clean(f"{place}: {what}: {why}."), err=True)
    if len(places) > MOST_NAMED:
        click.echo(f"... and {len(places) - MOST_NAMED} more.", err=True)


def names(numbers: Iterable[int]) -> str:
    """Return keys as a list for a sentence."""
    return ", ".join(f"key-{number}" for number in numbers)
