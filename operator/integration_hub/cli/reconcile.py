"""`hub reconcile`, `hub suspend` and `hub resume`: what a person asks of the operator about one instance."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, dry_run_flag, output_flag, place_flags, wait_flags
from integration_hub.cli.output import Form, Raw, write
from integration_hub.cli.terminal import Screen
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster


@click.command("reconcile", cls=Command, context_settings=HELP)
@click.argument("name", shell_complete=completing.instances)
@place_flags()
@wait_flags("1m", what="the operator has tested")
@dry_run_flag
@output_flag(("table", "json", "yaml"))
def reconcile(name: str, output: Form, **flags: Any) -> None:
    """Ask the operator to test an instance now, and say what it finds.

    The test is the operator's own, made where it runs; 'hub test' tests from this machine and compares.

    \b
    Examples:
      hub reconcile billing
      hub reconcile billing --no-wait
      hub reconcile billing --timeout 5m -o json

    \b
    Exit code 0 where it is ready then, 1 where it is not, 2 for a name that does not exist, 3 where the cluster
    cannot be asked, 4 where the operator has not answered in time.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here and below, since help needs no cluster.
    from integration_hub.cli.asking import change, new_request, wait_until  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.errors import HubError  # noqa: PLC0415
    from integration_hub.model.names import REQUEST_ANNOTATION  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)
    before = cluster.instance(name)
    if before["spec"].get("suspend"):
        raise HubError(
            f"{_named(cluster, name)} is suspended: the operator makes no tests of it.",
            todo=f"Resume it with 'hub resume {name} -n {cluster.namespace}'.",
        )
    request = new_request()
    patch = {"metadata": {"annotations": {REQUEST_ANNOTATION: request}}}
    asked = change(cluster, name, patch, dry_run=flags["dry_run"])
    if flags["dry_run"]:
        screen.say(f"{_named(cluster, name)}: the operator would be asked to test ({_dry(flags)}).")
        return
    if not flags["wait"]:
        screen.say(f"{_named(cluster, name)}: the operator was asked to test.")
        return

    def is_answered(raw: Raw) -> bool:
        # Somebody else may have asked since: what was done for them was done for us too.
        wish = (raw["metadata"].get("annotations") or {}).get(REQUEST_ANNOTATION, request)
        return bool((raw.get("status") or {}).get("lastHandledRequest") == wish)

    raw = wait_until(
        cluster,
        name,
        flags["timeout"].total_seconds(),
        is_answered,
        screen=screen,
        what="the operator has tested",
    )
    sys.exit(_show(raw if asked else before, screen, output))


@click.command("suspend", cls=Command, context_settings=HELP)
@click.argument("name", shell_complete=completing.instances)
@place_flags()
@dry_run_flag
def suspend(name: str, **flags: Any) -> None:
    """Let the operator make no tests of an instance, until it is resumed.

    Sets spec.suspend. The connection then reads Ready=Unknown, reason Suspended; tokens that it has are still renewed.

    \b
    Examples:
      hub suspend billing
      hub suspend billing --dry-run=server
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    _hold(name, flags, suspended=True, is_aside=False)


@click.command("resume", cls=Command, context_settings=HELP)
@click.argument("name", shell_complete=completing.instances)
@place_flags()
@wait_flags("1m", what="the operator has tested")
@dry_run_flag
@output_flag(("table", "json", "yaml"))
def resume(name: str, output: Form, **flags: Any) -> None:
    """Let the operator test an instance again that was suspended. A test follows at once.

    \b
    Examples:
      hub resume billing
      hub resume billing --no-wait

    \b
    Exit code 0 where it is ready then, 1 where it is not, 4 where the operator has not answered in time.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    from integration_hub.cli.asking import wait_until  # noqa: PLC0415 - as above
    from integration_hub.cli.status_report import ready_of  # noqa: PLC0415

    cluster = _hold(name, flags, suspended=False, is_aside=not output.is_table)
    if flags["dry_run"] or not flags["wait"]:
        return

    def is_tested(raw: Raw) -> bool:
        seen = (raw.get("status") or {}).get("observedGeneration") == raw["metadata"]["generation"]
        return seen and ready_of(raw).get("reason") not in {None, "Suspended", "TestPending"}

    screen = Screen.current()
    seconds = flags["timeout"].total_seconds()
    raw = wait_until(cluster, name, seconds, is_tested, screen=screen, what="the operator has tested")
    sys.exit(_show(raw, screen, output))


def _hold(name: str, flags: dict[str, Any], *, suspended: bool, is_aside: bool) -> Cluster:
    """Set spec.suspend, and tell: on standard error where standard output is for data."""
    from integration_hub.cli.asking import change  # noqa: PLC0415 - as above
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.status_report import git_tool  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)
    say = screen.note if is_aside else screen.say
    before = cluster.instance(name)
    word = "suspended" if suspended else "resumed"
    if bool(before["spec"].get("suspend")) is suspended:
        state = "suspended already" if suspended else "not suspended"
        say(f"{_named(cluster, name)} is {state}: nothing was changed.")
        return cluster
    # Taken away rather than set to false: an object from Git is then as it was before.
    change(cluster, name, {"spec": {"suspend": True if suspended else None}}, dry_run=flags["dry_run"])
    if flags["dry_run"]:
        say(f"{_named(cluster, name)} would be {word} ({_dry(flags)}).")
    else:
        say(f"{_named(cluster, name)} is {word}.")
    tool = git_tool(before)
    if tool:
        screen.note(
            f"{tool} keeps this instance as Git has it, and will take this back where Git says otherwise: change"
            " spec.suspend there too."
        )
    return cluster


def _named(cluster: Cluster, name: str) -> str:
    return f"{cluster.namespace}/{name}"


def _dry(flags: dict[str, Any]) -> str:
    return "the API server agrees" if flags["dry_run"] == "server" else "nothing was sent"


def _show(raw: Raw, screen: Screen, output: Form) -> int:
    """Print how an instance is now, and return the exit code."""
    from integration_hub.cli.status import cause  # noqa: PLC0415 - as above
    from integration_hub.cli.status_report import report_of  # noqa: PLC0415

    now = datetime.now(UTC)
    report = report_of(raw, now)
    if output.is_table:
        for line in cause(report, screen):
            screen.say(line)
    else:
        write(screen, output, report)
    return int(report["exitCode"])
