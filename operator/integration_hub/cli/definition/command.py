"""`hub definition`: help for authors of definitions. Flags only; `run.py` does the work."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, look_flags, output_flag
from integration_hub.cli.output import Form
from integration_hub.flags import Group

_FORMS = ("table", "json", "yaml")
_FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.group("definition", cls=Group, context_settings=HELP)
def definition() -> None:
    """Check definitions before they are published: lint them, play them against a simulated vendor, compare them.

    No cluster is needed, and nothing leaves this machine.

    Exit code 0 where all is well, 1 where something must be mended, 2 for a mistake in the command or a
    file that cannot be read.
    """


@definition.command("lint", context_settings=HELP)
@click.argument("names", metavar="[FILE|NAME]...", nargs=-1, shell_complete=completing.catalog)
@click.option(
    "-f",
    "--file",
    "files",
    type=_FILE,
    multiple=True,
    help="The same as FILE. May be repeated.",
)
@click.option("--all", "all_", is_flag=True, help="All definitions of the catalog.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@output_flag(_FORMS)
@look_flags
def lint(names: tuple[str, ...], files: tuple[Path, ...], *, all_: bool, strict: bool, output: Form) -> None:
    """Say what is wrong in definitions: those of a FILE, '-' for standard input, or of the catalog by NAME.

    First what the API server and the operator would refuse, with its path; then the rules of the catalog, which are
    about people: who can find what they need, and whether a mistake can send a credential elsewhere.
    """
    if not (names or files or all_):
        raise click.UsageError("Name a file or a definition of the catalog, or --all.")
    from integration_hub.cli.definition import run as definition_run  # noqa: PLC0415 - `--help` needs none of it

    sys.exit(definition_run.lint(names, files, everything=all_, strict=strict, form=output))


@definition.command("test", context_settings=HELP)
@click.argument("name", metavar="[FILE|NAME]", required=False, shell_complete=completing.catalog)
@click.option("-f", "--file", type=_FILE, help="The same as FILE.")
@click.option(
    "--vendor",
    type=_FILE,
    help="Vendor file: how the system answers. [default: the catalog's, of the definition's name]",
)
@click.option("--case", "only", metavar="NAME", help="Play only the case of this name.")
@output_flag(_FORMS)
@look_flags
def test(name: str | None, file: Path | None, vendor: Path | None, only: str | None, output: Form) -> None:
    """Play a definition against a simulated vendor: the one in a FILE, '-' for standard input, or the catalog's NAME.

    The vendor file says how the real system answers. It is played by an HTTPS server on this machine, and each of its
    cases becomes a connection that the operator's own engine tests: with good and bad credentials, missing permissions,
    consent, renewal, and answers that mislead.
    """
    if (name is None) == (file is None):
        raise click.UsageError("Name a file or a definition of the catalog: one of the two.")
    from integration_hub.cli.definition import run as definition_run  # noqa: PLC0415

    sys.exit(definition_run.test(name, file, vendor, only, form=output))


@definition.command("diff", context_settings=HELP)
@click.argument("old")
@click.argument("new")
@output_flag(_FORMS)
@look_flags
def diff(old: str, new: str, output: Form) -> None:
    """Say what is other in NEW than in OLD, what may break connections first.

    Each is a file with one definition, '-' for standard input, or the name of a definition of the catalog. Exit code 1
    where something may break.
    """
    from integration_hub.cli.definition import run as definition_run  # noqa: PLC0415

    sys.exit(definition_run.diff(old, new, form=output))
