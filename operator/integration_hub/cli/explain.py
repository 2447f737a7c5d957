"""`hub explain`: what a reason means, how it is known, what to do, from the tables of the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, headers_flag, look_flags, output_flag
from integration_hub.cli.output import Form, Raw, as_items, write
from integration_hub.cli.table import Table
from integration_hub.cli.terminal import Screen
from integration_hub.flags import Command


@click.command("explain", cls=Command, context_settings=HELP)
@click.argument("reason", required=False, shell_complete=completing.reasons)
@output_flag(("table", "json", "yaml", "name"))
@headers_flag
@look_flags
def explain(reason: str | None, output: Form, *, no_headers: bool) -> None:
    """Explain a reason: what it means, how the operator knows, what to do. Needs no cluster.

    Reasons stand in the REASON column of 'hub get', in conditions and in Events. Without one, all are listed.

    \b
    Examples:
      hub explain CredentialsRejected
      hub explain
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    screen = Screen.current()
    if reason is None:
        _list(screen, output, headers=not no_headers)
        return
    data = _explained(_known(reason))
    if output.is_table:
        for line in _lines(data, screen):
            screen.say(line)
    elif output.kind == "name":
        screen.say(data["reason"])
    else:
        write(screen, output, data)


def _known(text: str) -> Any:
    """Return the reason that is meant, however its letters are written."""
    # Here, since `hub --help` needs none of it.
    from integration_hub.cli.errors import NotFoundError  # noqa: PLC0415
    from integration_hub.config.values import did_you_mean  # noqa: PLC0415
    from integration_hub.model.reasons import Reason  # noqa: PLC0415

    by_letters = {str(reason).lower(): reason for reason in Reason}
    found = by_letters.get(text.lower().replace("-", "").replace("_", ""))
    if found is None:
        raise NotFoundError(
            f"There is no reason '{text}'{did_you_mean(text, [str(reason) for reason in Reason])}.",
            todo="'hub explain' lists all reasons.",
        )
    return found


def _list(screen: Screen, output: Form, *, headers: bool) -> None:
    from integration_hub.model.reasons import REASONS  # noqa: PLC0415 - as above

    if output.kind == "name":
        for reason in REASONS:
            screen.say(str(reason))
    elif output.is_table:
        rows = [[str(reason), row.course.value, row.meaning] for reason, row in REASONS.items()]
        Table(["REASON", "THEN", "MEANS"], rows).show(screen, headers=headers)
    else:
        write(screen, output, as_items(_explained(reason) for reason in REASONS))


def _explained(reason: Any) -> Raw:
    from integration_hub.model.reasons import (  # noqa: PLC0415 - as above
        COULD_NOT_TELL,
        DEAD_CREDENTIALS,
        NEXT,
        REASONS,
        SELECTABLE,
        SPARED,
        Course,
    )

    row = REASONS[reason]
    spared = f" {SPARED}" if reason in DEAD_CREDENTIALS else ""
    return {
        "reason": str(reason),
        "means": row.meaning,
        "known": list(_evidence(reason)) if reason in SELECTABLE else [],
        "remedy": row.remedy or "Nothing.",
        "next": NEXT[row.course] + spared.replace("`", "'"),
        "conditions": list(row.conditions),
        "verdict": "Success"
        if row.course is Course.GOOD
        else "Unknown"
        if reason in COULD_NOT_TELL
        else "Failure",
        "link": link_of(reason),
    }


def link_of(reason: str) -> str | None:
    """Return where the documentation explains a reason; None where there is nothing to explain."""
    from integration_hub.model.names import GROUP  # noqa: PLC0415 - as above
    from integration_hub.model.reasons import REASONS, Course, Reason  # noqa: PLC0415

    if reason not in set(Reason) or REASONS[Reason(reason)].course is Course.GOOD:
        return None
    return f"https://{GROUP}/docs/troubleshooting#{reason.lower()}"


def _evidence(reason: Any) -> Iterator[str]:
    # Here, since it takes most of the time, and few reasons stand in it.
    from integration_hub.probe.diagnosis_table import TABLE  # noqa: PLC0415

    yield from (f"At the stage '{row.stage}', {row.when}." for row in TABLE if row.reason is reason)


def _lines(data: Raw, screen: Screen) -> Iterator[str]:
    yield screen.strong(data["reason"])
    yield from screen.folded(data["means"])
    for number, known in enumerate(data["known"]):
        if not number:
            yield ""
            yield "How we know" if len(data["known"]) == 1 else "How we know, one of"
        yield from screen.folded(known)
    yield ""
    yield "What to do"
    yield from screen.folded(data["remedy"])
    yield ""
    yield "What happens next"
    yield from screen.folded(data["next"])
    if data["link"]:
        yield ""
        yield f"More: {data['link']}"
