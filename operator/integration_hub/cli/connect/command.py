"""`hub connect`: a new connection, by questions or by flags. Flags alone; `run.py` does the work."""

from __future__ import annotations

import sys
from typing import Any

import click

from integration_hub.cli import completing
from integration_hub.cli.connect.flags import answer_flags, doing_flags
from integration_hub.cli.flags import HELP
from integration_hub.cli.naming import DEFINITION, NameType
from integration_hub.flags import Command


@click.command("connect", cls=Command, context_settings=HELP)
@click.argument("definition", type=NameType(DEFINITION), required=False, shell_complete=completing.systems)
@click.option(
    "--name", metavar="NAME", help="Name of the IntegrationInstance. [default: from the display name]"
)
@click.option(
    "--install",
    is_flag=True,
    help="Install the definition, too, where the cluster does not have it and the catalog has; with -o, write it.",
)
@answer_flags
@doing_flags
def connect(definition: str | None, **flags: Any) -> None:
    """Make a connection to an external system.

    Asks for what the definition needs, tests it with what you have entered, and writes it: into the cluster with
    --apply, or as manifests for Git with -o DIR. Values of secrets are asked for without being shown, or come from
    files and environment variables; none is ever taken from a flag.

    A definition of the catalog that the cluster does not have is offered, too. It is installed before the connection
    is applied, once you have agreed, or with --install; with -o its manifest is written beside the connection's.

    \b
    Examples:
      hub connect                                          find a system, and answer its questions
      hub connect salesforce -n shop --apply               that system, into the cluster
      hub connect stripe -o connections/stripe             as manifests for Git
      hub connect acme --no-input --set subdomain=shop \\
        --secret-from-env apiKey=ACME_KEY --apply          without questions, as in a pipeline
      hub connect stripe --no-input --install \\
        --secret-from-file apiKey=key --apply              the definition, too, if it is missing

    Exit code 0 where the connection was written, and works where that was waited for; 1 where a test failed, or it is
    not Ready, or where --test-only is about tokens that only the operator holds, once somebody has consented; 2 for a
    mistake in the command, such as an answer that is missing; 3 where the cluster cannot be asked or does not permit
    it; 4 where the operator has not answered in time.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub connect --help` needs none of it.
    from integration_hub.cli.connect.run import connect as run  # noqa: PLC0415

    sys.exit(run(definition, flags))
