"""`hub completion`: the script that teaches a shell to complete `hub`."""

from __future__ import annotations

import sys
from pathlib import PurePath

import click

from integration_hub.cli.flags import HELP
from integration_hub.flags import Command

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command, context_settings=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that lets a shell complete commands, flags and names of the cluster.

    kubectl's own completion offers the same for 'kubectl hub', from kubectl 1.26 on, and needs nothing from here.

    \b
    Examples:
      source <(hub completion bash)                                  # in ~/.bashrc
      source <(hub completion zsh)                                   # in ~/.zshrc
      hub completion fish > ~/.config/fish/completions/hub.fish
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    from integration_hub.cli.completing import script  # noqa: PLC0415 - `--help` needs none of it

    program = "kubectl-hub" if PurePath(sys.argv[0]).stem == "kubectl-hub" else "hub"
    click.echo(script(shell, program))
