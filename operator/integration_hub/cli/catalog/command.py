"""`hub catalog`: the definitions that come with the hub: find one, see what it needs, install it. Flags only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, dry_run_flag, headers_flag, look_flags, output_flag
from integration_hub.cli.output import Form
from integration_hub.flags import Group, cluster_flags

_FORMS = ("table", "json", "yaml", "name")


@click.group("catalog", cls=Group, context_settings=HELP)
def catalog() -> None:
    """Find definitions of real systems, see what a connection needs, and install them in a cluster.

    Only 'install' asks a cluster.

    \b
    Examples:
      hub catalog search payments
      hub catalog show stripe
      hub catalog install stripe slack
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines


@catalog.command("list", context_settings=HELP)
@click.option("--category", help="Only those of this category, like 'crm'.")
@output_flag(_FORMS)
@headers_flag
@look_flags
def list_(category: str | None, output: Form, *, no_headers: bool) -> None:
    """List all definitions of the catalog."""
    from integration_hub.cli.catalog import view as catalog_view  # noqa: PLC0415 - `--help` needs none of it

    catalog_view.list_all(category, output, headers=not no_headers)


@catalog.command("search", context_settings=HELP)
@click.argument("words", nargs=-1, required=True)
@output_flag(_FORMS)
@headers_flag
@look_flags
def search(words: tuple[str, ...], output: Form, *, no_headers: bool) -> None:
    """Find definitions by name, vendor, category, or a word of their fields, the best first.

    All words must be found; a letter or two may be wrong in longer ones. Exit code 1 where there is none.
    """
    from integration_hub.cli.catalog import view as catalog_view  # noqa: PLC0415

    catalog_view.find(" ".join(words), output, headers=not no_headers)


@catalog.command("show", context_settings=HELP)
@click.argument("name", shell_complete=completing.catalog)
@output_flag(_FORMS)
@look_flags
def show(name: str, output: Form) -> None:
    """Say what a connection to a system needs, before it is begun: fields, credentials and where to get them.

    '-o yaml' prints the definition itself.
    """
    from integration_hub.cli.catalog import view as catalog_view  # noqa: PLC0415

    catalog_view.show(name, output)


@catalog.command("install", context_settings=HELP)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completing.catalog)
@click.option("--all", "all_", is_flag=True, help="All definitions of the catalog.")
@click.option(
    "--force",
    is_flag=True,
    help="Install also what breaks connections, is older than what is there, or is managed by somebody else.",
)
@dry_run_flag
@output_flag(_FORMS)
@cluster_flags
@look_flags
def install(names: tuple[str, ...], **flags: Any) -> None:
    """Install definitions in the cluster, or bring installed ones up to date.

    Nothing is installed where one of them would break a connection that there is: the operator's own checks look at
    each connection first, and the message names those that would not pass.

    Exit code 0 where all is as wanted, 1 where something was refused or has failed, 2 for a mistake in the
    command, 3 where the cluster cannot be reached or does not permit it.
    """
    if bool(names) == flags["all_"]:
        raise click.UsageError("Name definitions, or all of them with --all: one of the two.")
    from integration_hub.cli.catalog import install as catalog_install  # noqa: PLC0415

    catalog_install.install(names, flags)


@catalog.command("export", context_settings=HELP)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=completing.catalog)
@click.option("--all", "all_", is_flag=True, help="All definitions of the catalog.")
@look_flags
def export(folder: Path, names: tuple[str, ...], *, all_: bool) -> None:
    """Write definitions into a folder, for Git: with a list for 'kubectl apply -k FOLDER'.

    Definitions of the same names are replaced, and named where they were others, and a list that the folder has is
    added to; all else is left alone. A link in the place of a file is refused, not followed.
    """
    if bool(names) == all_:
        raise click.UsageError("Name definitions, or all of them with --all: one of the two.")
    from integration_hub.cli.catalog import view as catalog_view  # noqa: PLC0415

    catalog_view.export(folder, names)
