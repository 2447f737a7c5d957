"""Words that several commands use: ages, counts, beginnings of sentences, and how a person types a command."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta

import click
from click.core import ParameterSource

from integration_hub.reconcile.times import parse_timestamp

_WITHOUT_CLUSTER = frozenset({"explain"})
"""Commands that ask none, and take no flags that name one."""
_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


def counted(number: int, word: str) -> str:
    """Return a number with its word, like '2 records'."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def capital(text: str) -> str:
    """Return the text as a sentence begins."""
    return text[:1].upper() + text[1:]


def age_of(age: timedelta) -> str:
    """Return an age as kubectl shows it: its largest unit."""
    seconds = max(int(age.total_seconds()), 0)
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def when(timestamp: str | None, now: datetime) -> str:
    """Return a moment with how far it is away, like '2026-01-01T00:00:00Z (5m ago)'; as it is where it is none."""
    moment = parse_timestamp(timestamp)
    if moment is None:
        return timestamp or ""
    far = f"{age_of(now - moment)} ago" if moment <= now else f"in {age_of(moment - now)}"
    return f"{timestamp} ({far})"


def typed(*words: str) -> str:
    """Return a command as this person types it: as `hub`, or as kubectl's plugin, and about the same cluster."""
    ctx = click.get_current_context(silent=True)
    program = (ctx.find_root().info_name if ctx is not None else None) or "hub"
    flags = [] if ctx is None or words[0] in _WITHOUT_CLUSTER else _of_the_cluster(ctx)
    return f"{program} {shlex.join([*words, *flags])}"


def _of_the_cluster(ctx: click.Context) -> list[str]:
    """Return the flags that say which cluster is asked, as they were typed: without them it is another one."""
    given = {name: ctx.params.get(name) for name in ("kubeconfig", "context")}
    return [
        word
        for name, value in given.items()
        if value is not None and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for word in (f"--{name}", str(value))
    ]


def dry_words(dry_run: str) -> str:
    """Return how far a dry run went, 'client' or 'server'."""
    return "the API server agrees" if dry_run == "server" else "nothing was sent"
