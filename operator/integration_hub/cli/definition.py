"""`hub definition`: help for authors of definitions. Flags only; `definition_run` does the work."""

from __future__ import annotations

import sys
from pathlib import Path

import click

_FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.group("definition", context_settings={"help_option_names": ["-h", "--help"]})
def definition() -> None:
    """Check definitions before they are published: lint them, play them against a simulated vendor, compare them.

    No cluster is needed, and nothing leaves this machine.

    \b
    Exit code 0 where all is well, 1 where something must be mended, 2 for a mistake in the command or a
    file that cannot be read.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines


@definition.command("lint")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-f",
    "--file",
    "files",
    type=_FILE,
    multiple=True,
    help="File with definitions, '-' for standard input. May be repeated.",
)
@click.option("--all", "all_", is_flag=True, help="All definitions of the catalog.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def lint(names: tuple[str, ...], files: tuple[Path, ...], *, all_: bool, strict: bool, output: str) -> None:
    """Say what is wrong in definitions: those of files, or of the catalog by NAME.

    First what the API server and the operator would refuse, with its path; then the rules of the catalog, which are
    about people: who can find what they need, and whether a mistake can send a credential elsewhere.
    """
    if not (names or files or all_):
        raise click.UsageError("Name a definition of the catalog, or a file with -f FILE, or --all.")
    from integration_hub.cli import definition_run  # noqa: PLC0415 - `--help` needs none of it

    sys.exit(definition_run.lint(names, files, everything=all_, strict=strict, as_json=output == "json"))


@definition.command("test")
@click.argument("name", required=False)
@click.option("-f", "--file", type=_FILE, help="File with one definition, '-' for standard input.")
@click.option(
    "--vendor",
    type=_FILE,
    help="Vendor file: how the system answers. [default: the catalog's, of the definition's name]",
)
@click.option("--case", "only", metavar="NAME", help="Play only the case of this name.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def test(name: str | None, file: Path | None, vendor: Path | None, only: str | None, output: str) -> None:
    """Play a definition against a simulated vendor: the one in a file, or the catalog's by NAME.

    The vendor file says how the real system answers. It is played by an HTTPS server on this machine, and each of its
    cases becomes a connection that the operator's own engine tests: with good and bad credentials, missing permissions,
    consent, renewal, and answers that mislead.
    """
    if (name is None) == (file is None):
        raise click.UsageError("Name a definition of the catalog, or a file with -f FILE: one of the two.")
    from integration_hub.cli import definition_run  # noqa: PLC0415

    sys.exit(definition_run.test(name, file, vendor, only, as_json=output == "json"))


@definition.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def diff(old: str, new: str, output: str) -> None:
    """Say what is other in NEW than in OLD, what may break connections first.

    Each is a file with one definition, '-' for standard input, or the name of a definition of the catalog. Exit code 1
    where something may break.
    """
    from integration_hub.cli import definition_run  # noqa: PLC0415

    sys.exit(definition_run.diff(old, new, as_json=output == "json"))
