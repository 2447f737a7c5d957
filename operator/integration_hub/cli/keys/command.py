"""`hub keys`: the keys that seal what the operator obtains. Flags only; `run.py` does the work."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from integration_hub.cli.flags import HELP, dry_run_flag, headers_flag, look_flags, output_flag
from integration_hub.cli.output import Form
from integration_hub.flags import Group, cluster_flags

F = TypeVar("F", bound=Callable[..., object])


def place_flags(command: F) -> F:
    """Add the flags that say which keyring is meant."""
    command = click.option(
        "--keyring",
        metavar="[NAMESPACE/]NAME",
        default="integration-hub-keyring",
        show_default=True,
        help="Secret of the keyring, as 'hub run' was given it.",
    )(command)
    command = cluster_flags(look_flags(command))
    return click.option(
        "-n",
        "--namespace",
        help="Namespace of the operator, where the keyring is. [default: integration-hub]",
    )(command)


class _KeyType(click.ParamType[int]):
    """The number of a key, with or without the word that stands before it in the list."""

    name = "key"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(?:key-)?([1-9][0-9]{0,8})", str(value))
        if found is None:
            self.fail(
                f"'{value}' is no key: write its number, as 'hub keys list' shows it, like key-1 or 1.",
                param,
                ctx,
            )
        return int(found[1])


@click.group("keys", cls=Group, context_settings=HELP)
def keys() -> None:
    """List, rotate and remove the keys that seal what the operator obtains.

    Tokens lie in Secrets, sealed with a key of the keyring. No command prints a key.

    Exit code 0 where all is done, 1 where something is not, 3 where the cluster cannot be reached or does
    not permit it, 2 for a mistake in the command.
    """


@keys.command("list")
@place_flags
@output_flag(("table", "json", "yaml"), with_text=True)
@headers_flag
def list_(output: Form, *, no_headers: bool, **place: Any) -> None:
    """List the keys: since when there is each, and how many records are sealed with it."""
    from integration_hub.cli.keys import run as keys_run  # noqa: PLC0415 - `--help` needs none of it

    where = keys_run.Where.of(**place)
    sys.exit(keys_run.list_keys(where, output, headers=not no_headers))


@keys.command()
@place_flags
@click.option("--resume", is_flag=True, help="Add no key: go on with records that are under an older one.")
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Seal the records and wait for it, or leave them to the operator.",
)
@dry_run_flag
def rotate(*, resume: bool, wait: bool, dry_run: str | None, **place: Any) -> None:
    """Add a key, and seal all records with it.

    Only the small part of a record that holds its own key is written anew. Connections notice nothing. The
    older keys stay and go on opening; 'hub keys prune' removes them when nothing needs them any more.
    """
    if resume and not wait:
        raise click.UsageError("--resume and --no-wait leave nothing to do: leave one of them out.")
    from integration_hub.cli.keys import run as keys_run  # noqa: PLC0415

    sys.exit(keys_run.rotate(keys_run.Where.of(**place), resume=resume, wait=wait, dry_run=dry_run))


@keys.command()
@click.argument("numbers", metavar="[KEY]...", nargs=-1, type=_KeyType())
@place_flags
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--now", is_flag=True, help="Also in the first minutes after a rotation.")
@dry_run_flag
def prune(numbers: tuple[int, ...], *, yes: bool, now: bool, dry_run: str | None, **place: Any) -> None:
    """Remove keys that no record is sealed with: those that are named, else all of them.

    A KEY is named as 'hub keys list' shows it, key-1, or by its number alone, 1.

    What is removed is gone: a backup from before then opens only together with a backup of the key.
    """
    from integration_hub.cli.keys import run as keys_run  # noqa: PLC0415

    sys.exit(keys_run.prune(keys_run.Where.of(**place), numbers, yes=yes, now=now, dry_run=dry_run))
