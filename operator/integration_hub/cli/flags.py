"""Flags as kubectl's users expect them, each said once: the same words, letters and meaning in every command.

A command takes them as `**flags` and hands them to `integration_hub.cli.cluster.Cluster.of` and to what it does itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import click

from integration_hub.cli import completing
from integration_hub.cli.errors import set_debug
from integration_hub.cli.output import KINDS, TABLE, Form, FormType, TextFormType
from integration_hub.cli.terminal import set_plain
from integration_hub.flags import ChoiceOption, DurationType, cluster_flags

F = TypeVar("F", bound=Callable[..., object])

HELP = {"help_option_names": ["-h", "--help"]}
"""click's settings of every command."""


def look_flags(command: F) -> F:
    """Add --plain and --debug, which a command does not see: the screen and the entrance do."""
    command = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=set_debug,
        help="Show where a mistake of the command itself is.",
    )(command)
    return click.option(
        "--plain",
        is_flag=True,
        expose_value=False,
        callback=set_plain,
        help="Words alone, one fact a line: for screen readers. HUB_PLAIN=1 does the same.",
    )(command)


def place_flags(*, all_namespaces: bool = False) -> Callable[[F], F]:
    """Add -n, --kubeconfig and --context, --plain and --debug, and -A where it makes sense."""

    def add(command: F) -> F:
        command = cluster_flags(look_flags(command))
        if all_namespaces:
            command = click.option(
                "-A", "--all-namespaces", is_flag=True, help="In all namespaces, in place of one."
            )(command)
        return click.option(
            "-n",
            "--namespace",
            help="Namespace. [default: the context's]",
            shell_complete=completing.namespaces,
        )(command)

    return add


def selector_flag(command: F) -> F:
    """Add -l."""
    return click.option(
        "-l",
        "--selector",
        metavar="LABELS",
        default="",
        help="Only objects with these labels, like team=shop.",
    )(command)


def watch_flag(command: F) -> F:
    """Add -w."""
    return click.option("-w", "--watch", is_flag=True, help="Go on and print every change, until Ctrl-C.")(
        command
    )


def output_flag(kinds: Sequence[str] = KINDS, *, with_text: bool = False) -> Callable[[F], F]:
    """Add -o, as `output`, with these kinds, and jsonpath where JSON is one of them."""
    form = TextFormType(kinds) if with_text else FormType(kinds)
    return click.option(
        "-o", "--output", type=form, default=Form(TABLE), help="How to print.", show_default=False
    )


def headers_flag(command: F) -> F:
    """Add --no-headers."""
    return click.option("--no-headers", is_flag=True, help="Leave out the line with the columns' names.")(
        command
    )


def dry_run_flag(command: F) -> F:
    """Add --dry-run: 'client' only says what would be done, 'server' lets the API server check it.

    'none', which kubectl has as well, is the same as no flag at all: None. Without a word it is 'client', as there.
    """
    return click.option(
        "--dry-run",
        cls=ChoiceOption,
        bare="client",
        type=click.Choice(["none", "client", "server"]),
        callback=lambda _context, _option, value: None if value == "none" else value,
        help="Change nothing: 'client', or no word, says what would be sent, 'server' has it checked.",
    )(command)


def wait_flags(default: str | None, *, what: str, shown: str = "") -> Callable[[F], F]:
    """Add --wait and --timeout. `what` is waited for, by default for as long as `default`.

    Where the command finds out itself how long that is, `default` is None, and `shown` says so in the help.
    """

    def add(command: F) -> F:
        command = click.option(
            "--timeout",
            type=DurationType(timedelta(seconds=1)),
            default=default,
            show_default=shown or True,
            help="How long to wait, like 30s or 5m.",
        )(command)
        return click.option("--wait/--no-wait", default=True, show_default=True, help=f"Wait until {what}.")(
            command
        )

    return add
