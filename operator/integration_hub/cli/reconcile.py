"""`hub reconcile`, `hub suspend` and `hub resume`: what a person asks of the operator about instances."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from integration_hub.cli.chosen import choice_flags, chosen, is_one
from integration_hub.cli.flags import HELP, dry_run_flag, output_flag, wait_flags
from integration_hub.cli.output import Form, Raw, as_items, as_list, without_bookkeeping, write
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import dry_words, typed
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster

T = TypeVar("T")


@click.command("reconcile", cls=Command, context_settings=HELP)
@choice_flags()
@wait_flags("1m", what="the operator has tested")
@dry_run_flag
@output_flag(("table", "json", "yaml"))
def reconcile(output: Form, **flags: Any) -> None:
    """Ask the operator to test instances now, and say what it finds.

    The tests are the operator's own, made where it runs; 'hub test' tests from this machine and compares. With -l and
    --all, instances that are suspended are left out; one that is named is an error.

    \b
    Examples:
      hub reconcile billing
      hub reconcile billing --no-wait
      hub reconcile billing --timeout 5m -o json
      hub reconcile -l team=shop

    With --no-wait or --dry-run, -o prints what was asked of which instance, or would be.

    Exit code 0 where it is ready then, 1 where it is not or is suspended, 2 for a name that does not exist, 3 where the
    cluster cannot be asked, 4 where the operator has not answered in time. Of several, the highest.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here and below, since help needs no cluster.
    from integration_hub.cli.asking import change  # noqa: PLC0415
    from integration_hub.cli.errors import HubError  # noqa: PLC0415
    from integration_hub.model.names import REQUEST_ANNOTATION  # noqa: PLC0415
    from integration_hub.shell.wishes import is_handled, new_request  # noqa: PLC0415

    errand, request = _Errand(flags, output), new_request()
    patch = {"metadata": {"annotations": {REQUEST_ANNOTATION: request}}}

    def ask(own: Cluster, before: Raw) -> Raw | None:
        name = before["metadata"]["name"]
        if before["spec"].get("suspend"):
            if not flags["names"]:
                errand.say(f"{_named(before)} is suspended: the operator makes no tests of it.")
                return None
            raise HubError(
                f"{_named(before)} is suspended: the operator makes no tests of it.",
                todo=f"Resume it with '{typed('resume', name, '-n', own.namespace)}'.",
            )
        change(own, name, patch, dry_run=flags["dry_run"])
        if flags["dry_run"]:
            errand.say(
                f"{_named(before)}: the operator would be asked to test ({dry_words(flags['dry_run'])})."
            )
        elif not flags["wait"]:
            errand.say(f"{_named(before)}: the operator was asked to test.")
        return errand.asked(before, "test", request=None if flags["dry_run"] else request)

    sys.exit(errand.run(ask, lambda raw: is_handled(raw, request)))


@click.command("suspend", cls=Command, context_settings=HELP)
@choice_flags()
@dry_run_flag
@output_flag(("table", "json", "yaml", "name"))
def suspend(output: Form, **flags: Any) -> None:
    """Let the operator make no tests of instances, until they are resumed.

    Sets spec.suspend. The connection then reads Ready=Unknown, reason Suspended; tokens that it has are still renewed.

    \b
    Examples:
      hub suspend billing
      hub suspend billing --dry-run=server
      hub suspend -l team=shop
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    errand = _Errand(flags, output)

    def hold(own: Cluster, before: Raw) -> Raw:
        return without_bookkeeping(_held(own, before, flags, errand.say, suspended=True))

    held, code = errand.each(errand.chosen(), hold)
    if not output.is_table:
        write(errand.screen, output, held[0] if errand.is_one else as_list(held))
    sys.exit(code)


@click.command("resume", cls=Command, context_settings=HELP)
@choice_flags()
@wait_flags("1m", what="the operator has tested")
@dry_run_flag
@output_flag(("table", "json", "yaml", "name"))
def resume(output: Form, **flags: Any) -> None:
    """Let the operator test instances again that were suspended. A test follows at once.

    \b
    Examples:
      hub resume billing
      hub resume billing --no-wait
      hub resume --all -n shop

    With --no-wait or --dry-run, -o prints what was asked of which instance, or would be.

    Exit code 0 where it is ready then, 1 where it is not, 4 where the operator has not answered in time. Of several,
    the highest.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    from integration_hub.cli.status_report import ready_of  # noqa: PLC0415 - as above

    errand = _Errand(flags, output)

    def ask(own: Cluster, before: Raw) -> Raw:
        _held(own, before, flags, errand.say, suspended=False)
        return errand.asked(before, "resume", changed=bool(before["spec"].get("suspend")))

    def is_tested(raw: Raw) -> bool:
        seen = (raw.get("status") or {}).get("observedGeneration") == raw["metadata"]["generation"]
        return seen and ready_of(raw).get("reason") not in {None, "Suspended", "TestPending"}

    sys.exit(errand.run(ask, is_tested))


class _Errand:
    """Does something about each instance that is meant, waits for the operator, and says how they are then."""

    def __init__(self, flags: dict[str, Any], output: Form) -> None:
        """Do nothing yet; a mistake in the flags is told."""
        from integration_hub.cli.cluster import Cluster  # noqa: PLC0415 - as above

        self._flags, self._output, self.screen = flags, output, Screen.current()
        self.is_one = is_one(flags)
        self._cluster = Cluster.of(flags)

    def say(self, text: str) -> None:
        """Tell what is under way: on standard error where standard output is for data."""
        if self._output.is_table:
            self.screen.say(text)
        else:
            self.screen.note(text)

    def chosen(self) -> list[Raw]:
        """Return the instances that are meant."""
        return chosen(self._cluster, self._flags, self.screen)

    def each(self, found: Iterable[Raw], do: Callable[[Cluster, Raw], T]) -> tuple[list[T], int]:
        """Return what was done, and the highest exit code. Of several, what one fails by ends no other."""
        from integration_hub.cli.errors import HubError  # noqa: PLC0415 - as above

        done, code = [], 0
        for raw in found:
            try:
                # Each at its own namespace.
                done.append(do(type(self._cluster)(self._cluster.kube, raw["metadata"]["namespace"]), raw))
            except HubError as error:
                if self.is_one:
                    raise
                error.show()
                code = max(code, int(error.code))
        return done, code

    def asked(self, raw: Raw, what: str, **more: Any) -> Raw:
        """Return as data what was asked about an instance, or would be."""
        metadata = raw["metadata"]
        place = {"namespace": metadata["namespace"], "name": metadata["name"]}
        return {**place, "asked": what, **more, "dryRun": self._flags["dry_run"]}

    def run(self, ask: Callable[[Cluster, Raw], Raw | None], is_done: Callable[[Raw], bool]) -> int:
        """Ask, wait, tell, and return the exit code.

        `ask` returns what was asked as data, None where there is nothing to wait for.
        """
        found, begun = self.chosen(), time.monotonic()
        answers, not_asked = self.each(found, lambda own, raw: (raw, ask(own, raw)))
        asked = [(raw, words) for raw, words in answers if words is not None]
        if answers and not asked:
            self.screen.note("None is left that could be tested.")
            not_asked = max(not_asked, 1)
        instances = [raw for raw, _ in asked]
        if self._output.kind == "name":
            write(self.screen, self._output, as_list(instances))
        if self._flags["dry_run"] or not self._flags["wait"]:
            self._write([words for _, words in asked])
            return not_asked
        reports, unanswered = self.each(
            instances, lambda own, before: self._answer(own, before, is_done, begun)
        )
        self._write(reports)
        return max(not_asked, unanswered, *(int(report["exitCode"]) for report in reports), 0)

    def _write(self, data: list[Raw]) -> None:
        """Print data where they are wanted: of several, or of a choice that could be of several, as items."""
        if not self._output.is_table and self._output.kind != "name":
            write(self.screen, self._output, data[0] if self.is_one else as_items(data))

    def _answer(self, own: Cluster, before: Raw, is_done: Callable[[Raw], bool], begun: float) -> Raw:
        """Wait until the operator has answered, say what it finds, and return the report."""
        from integration_hub.cli.asking import wait_until  # noqa: PLC0415 - as above
        from integration_hub.cli.status import cause  # noqa: PLC0415
        from integration_hub.cli.status_report import report_of  # noqa: PLC0415

        raw = wait_until(
            own,
            before["metadata"]["name"],
            self._flags["timeout"].total_seconds(),
            is_done,
            begun=begun,
            screen=self.screen,
            what="the operator has tested" + ("" if self.is_one else f" {_named(before)}"),
        )
        report = report_of(raw, datetime.now(UTC))
        if self._output.is_table:
            if not self.is_one:
                self.screen.say(f"{_named(before)}:")
            for line in cause(report, self.screen):
                self.screen.say(line)
        return report


def _held(
    own: Cluster, before: Raw, flags: dict[str, Any], say: Callable[[str], None], *, suspended: bool
) -> Raw:
    """Set spec.suspend, tell, and return the instance as it is then."""
    from integration_hub.cli.asking import change  # noqa: PLC0415 - as above
    from integration_hub.forms.ownership import keeper_of  # noqa: PLC0415

    word = "suspended" if suspended else "resumed"
    if bool(before["spec"].get("suspend")) is suspended:
        state = "suspended already" if suspended else "not suspended"
        say(f"{_named(before)} is {state}: nothing was changed.")
        return before
    # Taken away rather than set to false: an object from Git is then as it was before.
    patch = {"spec": {"suspend": True if suspended else None}}
    after = change(own, before["metadata"]["name"], patch, dry_run=flags["dry_run"])
    if flags["dry_run"]:
        say(f"{_named(before)} would be {word} ({dry_words(flags['dry_run'])}).")
    else:
        say(f"{_named(before)} is {word}.")
    tool = keeper_of(before["metadata"])
    if tool:
        Screen.current().note(
            f"{tool} keeps this instance as its source has it, and takes this back unless spec.suspend is changed"
            " there, too."
        )
    spec = {key: value for key, value in before["spec"].items() if key != "suspend"}
    return after or {**before, "spec": spec | ({"suspend": True} if suspended else {})}


def _named(raw: Raw) -> str:
    return f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"
