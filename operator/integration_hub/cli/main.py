"""The command's entrance: which commands there are, and where each one lives."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import PurePath
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from integration_hub import __version__
from integration_hub.cli.errors import guarded
from integration_hub.cli.flags import HELP, look_flags
from integration_hub.cli.streams import prepare
from integration_hub.flags import Group


class _Command(NamedTuple):
    module: str
    attribute: str
    summary: str


_COMMANDS: dict[str, _Command] = {
    "audit": _Command("integration_hub.cli.audit", "audit", "Check that the audit log is as it was written."),
    "authorize": _Command(
        "integration_hub.cli.authorize.command",
        "authorize",
        "Sign in to an external system and consent to a connection.",
    ),
    "catalog": _Command(
        "integration_hub.cli.catalog.command",
        "catalog",
        "Find definitions of real systems, and install them.",
    ),
    "check": _Command("integration_hub.cli.check", "check", "Say whether the cluster is fit for the hub."),
    "completion": _Command(
        "integration_hub.cli.completion", "completion", "Print a script that lets a shell complete commands."
    ),
    "connect": _Command(
        "integration_hub.cli.connect.command", "connect", "Make a connection: asks, tests, and writes it."
    ),
    "definition": _Command(
        "integration_hub.cli.definition.command",
        "definition",
        "Check definitions of your own: lint them, play them against a simulated vendor, compare them.",
    ),
    "dev": _Command("integration_hub.cli.dev", "dev", "Run a real Kubernetes API server on this machine."),
    "diff": _Command("integration_hub.cli.diff", "diff", "Show what applying a file would change."),
    "edit": _Command(
        "integration_hub.cli.connect.edit", "edit", "Change a connection: asks, tests, and writes."
    ),
    "events": _Command(
        "integration_hub.cli.events", "events", "List what the operator has told about instances."
    ),
    "example": _Command(
        "integration_hub.cli.example", "example", "Run an example of the repository from start to end."
    ),
    "explain": _Command(
        "integration_hub.cli.explain", "explain", "Explain a reason: what it means, and what to do."
    ),
    "export": _Command("integration_hub.cli.export", "export", "Print an instance as a manifest for Git."),
    "get": _Command("integration_hub.cli.get", "get", "List instances or definitions, and how they are."),
    "keys": _Command(
        "integration_hub.cli.keys.command",
        "keys",
        "List, rotate and remove the keys that seal obtained tokens.",
    ),
    "reconcile": _Command(
        "integration_hub.cli.reconcile", "reconcile", "Ask the operator to test an instance now."
    ),
    "resume": _Command(
        "integration_hub.cli.reconcile", "resume", "Let a suspended instance be tested again."
    ),
    "run": _Command("integration_hub.runtime.command", "run", "Run the operator."),
    "status": _Command(
        "integration_hub.cli.status", "status", "Say why an instance works or does not, and what to do."
    ),
    "suspend": _Command("integration_hub.cli.reconcile", "suspend", "Let no tests of an instance be made."),
    "test": _Command(
        "integration_hub.cli.trial.command", "trial", "Test a connection now and say what is wrong with it."
    ),
    "tree": _Command("integration_hub.cli.tree", "tree", "Show what belongs to an instance."),
    "usage": _Command("integration_hub.cli.usage", "usage", "List who uses a definition or an instance."),
    "version": _Command(
        "integration_hub.cli.check", "version", "Print versions of this command and the cluster."
    ),
    "webhook": _Command(
        "integration_hub.runtime.webhook_command",
        "webhook",
        "Run the admission webhook, which refuses manifests with mistakes.",
    ),
}
"""Each command's summary stands here too, so that `hub --help` need not import them all."""


class _LazyGroup(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(entry.module), entry.attribute)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        prepare()
        # Help and hints say what the person has typed.
        if extra.get("prog_name") is None and PurePath(sys.argv[0]).stem == "kubectl-hub":
            extra.setdefault("complete_var", "_KUBECTL_HUB_COMPLETE")
            extra["prog_name"] = "kubectl hub"
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return guarded(ctx, lambda: super(_LazyGroup, self).invoke(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Click makes such guesses from the commands that it holds, and this group holds none.
        name = args[0]
        if name not in _COMMANDS and not ctx.resilient_parsing:
            import difflib  # noqa: PLC0415 - only a misspelt command needs it

            close = difflib.get_close_matches(name.lower(), _COMMANDS, n=1)
            if close:
                ctx.fail(f"No such command '{name}'. Did you mean '{close[0]}'?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # Click would import every command for the first line of its help.
        found = [CompletionItem(n, help=c.summary) for n, c in _COMMANDS.items() if n.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings=HELP)
@click.version_option(__version__, prog_name="hub")
@look_flags
def main() -> None:
    """Work with connections to external systems as Kubernetes resources."""
