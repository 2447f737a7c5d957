"""`hub status`: why a connection works or not. Flags and layout; `status_report` works out what is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, output_flag, place_flags, watch_flag
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.cli.output import Form, Raw, write, write_another
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.cli.words import typed, when
from integration_hub.config.plain_text import clean, one_line
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster

_HEADS = {"True": "Ready", "False": "Not ready", "Unknown": "Cannot tell"}


@click.command("status", cls=Command, context_settings=HELP)
@click.argument("name", type=NameType(INSTANCE), shell_complete=completing.instances)
@place_flags()
@watch_flag
@output_flag(("table", "json", "yaml"))
def status(name: str, output: Form, **flags: Any) -> None:
    """Say whether an instance works; if not, why, how that is known, and what to do.

    It shows what the operator has found last, and asks nothing of the external system: 'hub test' does.

    \b
    Examples:
      hub status billing
      hub status billing -n shop -o json
      hub status billing -w           go on and print it again when it has changed

    Exit code 0 where it is ready, 1 where it is not, 2 for a name that does not exist, 3 where the cluster cannot
    be asked.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub status --help` needs no cluster.
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.status_report import report_of  # noqa: PLC0415

    screen, now, cluster = Screen.current(), datetime.now(UTC), Cluster.of(flags)
    raw = cluster.instance(name)  # a name that is mistyped would be waited for
    if flags["watch"]:
        _watch(cluster, name, screen, output)
        return
    report = report_of(raw, now)
    if output.is_table:
        for line in lines(report, screen, now):
            screen.say(line)
    else:
        write(screen, output, report)
    sys.exit(report["exitCode"])


def _watch(cluster: Cluster, name: str, screen: Screen, output: Form) -> None:
    """Print the report, and again whenever it says something else, until Ctrl-C."""
    from integration_hub.adapters.kube_api import INSTANCES  # noqa: PLC0415 - as above
    from integration_hub.adapters.kube_blocking import JSON  # noqa: PLC0415
    from integration_hub.cli.following import follow  # noqa: PLC0415
    from integration_hub.cli.status_report import report_of  # noqa: PLC0415

    is_first, said = True, None
    query = {"fieldSelector": f"metadata.name={name}"}
    for news in follow(cluster, INSTANCES, query=query, accept=JSON, screen=screen):
        for raw in news.objects:
            if news.deleted:
                screen.note(f"{cluster.namespace}/{name} was deleted.")
                said = None
                continue
            now = datetime.now(UTC)
            report = report_of(raw, now)
            if report | {"at": ""} == said:
                continue
            said = report | {"at": ""}
            if not output.is_table:
                write_another(screen, output, report)
                continue
            if not is_first:
                screen.say(f"\nAt {report['at']}:")
            for line in lines(report, screen, now):
                screen.say(line)
            is_first = False


def lines(report: Raw, screen: Screen, now: datetime) -> Iterator[str]:
    """Yield a report for people: the cause, what to do, evidence, what to type next."""
    yield f"{report['namespace']}/{report['name']} ({one_line(report['definition'])})"
    yield from cause(report, screen)
    for part in (_evidence(report, screen, now), _tests(report, screen, now), _history(report, screen, now)):
        found = list(part)
        if found:
            yield ""
            yield from found
    yield ""
    head = "Next"
    for words in report["next"]:
        yield f"{head}: {typed(*words)}"
        head = "  or"


def cause(report: Raw, screen: Screen) -> Iterator[str]:
    """Yield what explains Ready, and what to do."""
    state = OF_READY.get(report["ready"], State.UNKNOWN)
    shown = screen.status(
        state, screen.strong(f"{_HEADS.get(report['ready'], 'Cannot tell')}: {one_line(report['reason'])}")
    )
    yield shown
    if report["message"]:
        yield from screen.folded(one_line(report["message"]))
    if report["remedy"]:
        yield from screen.folded(f"What to do: {one_line(report['remedy'])}")
    authorization = report["authorization"]
    if authorization:
        yield f"  Open: {clean(authorization.get('url', ''))}"
        if authorization.get("userCode"):
            yield f"  Code: {one_line(authorization['userCode'])}"
    if report["ready"] != "Unknown" and not report["upToDate"]:
        yield "  The operator has not looked at the latest change of this instance yet."
    if report["managedBy"]:
        yield f"  {report['managedBy']} keeps this instance as its source has it: change it there."


def _evidence(report: Raw, screen: Screen, now: datetime) -> Iterator[str]:
    facts: list[tuple[str, str | None]] = [
        ("Since", when(report["since"], now)),
        ("Connected as", report["identity"]),
        ("Last tested", when(report["lastTested"], now)),
        ("Next test", when(report["nextTest"], now)),
    ]
    credential = report["credential"] or {}
    facts += [
        ("Credential", f"Secret '{credential['secret']}'" if credential.get("secret") else None),
        ("Expires", when(credential.get("expiresAt"), now)),
        ("Renewed", when(credential.get("renewsAt"), now)),
        ("Consent ends", when(credential.get("authorizationExpiresAt"), now)),
        ("Scopes", ", ".join(credential.get("scopes", []))),
    ]
    if any(value for _, value in facts):
        yield screen.strong("Evidence")
    yield from (f"  {name + ':':<13} {one_line(value)}" for name, value in facts if value)


def _tests(report: Raw, screen: Screen, now: datetime) -> Iterator[str]:
    if report["tests"]:
        yield screen.strong("Tests")
    explaining = (report["test"] or {}).get("name")
    for test in report["tests"]:
        result = test.get("result", "Unknown")
        shown = screen.status(OF_READY.get(result, State.UNKNOWN), result)
        took = f", took {test['durationMilliseconds']} ms" if "durationMilliseconds" in test else ""
        named, reason = one_line(test["name"]), one_line(test.get("reason", ""))
        yield f"  {named}: {shown}, {reason}, {when(test.get('time'), now)}{took}"
        if test["name"] == explaining:
            yield from _stages(report["test"]["stages"], screen)
        elif result != "Success":
            yield from screen.folded(one_line(test.get("message", "")), "    ")


def _stages(stages: list[Raw], screen: Screen) -> Iterator[str]:
    for stage in stages:
        result = stage.get("result", "Unknown")
        shown = screen.status(OF_READY.get(result, State.UNKNOWN), result.lower())
        took = f", {stage['durationMilliseconds']} ms" if "durationMilliseconds" in stage else ""
        yield f"    {one_line(stage['name'])}: {shown}{took}"
        yield from (
            f"      {one_line(name)}: {one_line(value)}"
            for name, value in (stage.get("evidence") or {}).items()
        )


def _history(report: Raw, screen: Screen, now: datetime) -> Iterator[str]:
    if report["history"]:
        yield screen.strong("History")
    for change in report["history"]:
        result = change.get("result", "Unknown")
        shown = screen.status(OF_READY.get(result, State.UNKNOWN), result)
        named, reason = one_line(change.get("test", "")), one_line(change.get("reason", ""))
        yield f"  {when(change.get('time'), now)} {named}: {shown}, {reason}"
