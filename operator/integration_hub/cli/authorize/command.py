"""`hub authorize`: a person's consent to a connection. Flags and exit codes; `run.py` does the work."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import click

from integration_hub.cli import completing
from integration_hub.cli.errors import Exit
from integration_hub.cli.flags import HELP, look_flags, wait_flags
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.flags import Command, cluster_flags


@click.command("authorize", cls=Command, context_settings=HELP)
@click.argument("name", type=NameType(INSTANCE), shell_complete=completing.instances)
@click.option(
    "-n",
    "--namespace",
    help="Namespace of the instance. [default: the context's]",
    shell_complete=completing.namespaces,
)
@cluster_flags
@look_flags
@click.option(
    "--again",
    is_flag=True,
    help="Consent anew to a connection that works; what it has now stays in use until the new consent is tested.",
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@wait_flags("15m", what="the connection works; else only until there is a link")
def authorize(  # noqa: PLR0913, PLR0917
    name: str,
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
    again: bool,
    no_browser: bool,
    wait: bool,
    timeout: timedelta,
) -> None:
    """Sign in to the external system and consent to a connection.

    Opens the link that the operator has made, or prints it, and waits until the connection works. The operator
    needs nobody to wait: closing everything breaks nothing.

    \b
    Examples:
      hub authorize crm
      hub authorize crm --again --no-browser
      hub authorize crm --wait=false          print the link for somebody else, on standard output

    Exit code 0 where the connection works, or with --no-wait there is a link; 1 where it does not and somebody must
    do something; 2 for a mistake in the command; 3 where the cluster cannot be asked; 4 where nothing has come in
    time.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    try:
        # Here, since `hub authorize --help` and a mistake in a flag need none of it.
        from integration_hub.cli.authorize.run import Request, run  # noqa: PLC0415

        code = run(
            Request(
                name=name,
                namespace=namespace,
                kubeconfig=kubeconfig,
                context=context,
                again=again,
                browser=not no_browser,
                wait=wait,
                timeout=timeout,
            )
        )
    except KeyboardInterrupt:
        click.echo(
            "\nStopped waiting. That breaks nothing: who has the link can still sign in, and the operator goes on by"
            " itself.",
            err=True,
        )
        code = Exit.INTERRUPTED
    sys.exit(code)
