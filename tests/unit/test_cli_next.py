"""Commands that are proposed: they mean the cluster that was asked, and there are such commands."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from integration_hub.cli.main import main
from integration_hub.cli.status_report import _COMMANDS, _ELSE
from integration_hub.cli.words import typed
from integration_hub.flags import Command, cluster_flags


def proposed(*flags: str, environment: dict[str, str] | None = None) -> list[str]:
    @click.command(cls=Command)
    @cluster_flags
    def said(**_: object) -> None:
        click.echo(typed("resume", "held", "-n", "shop"))
        click.echo(typed("explain", "Suspended"))

    ran = CliRunner().invoke(said, flags, prog_name="hub", env=environment)
    assert ran.exit_code == 0, ran.output
    return ran.output.splitlines()


def test_what_is_proposed_means_the_cluster_that_was_named() -> None:
    next_, explain = proposed("--context", "stage", "--kubeconfig=/home/a b/config")
    assert next_ == "hub resume held -n shop --kubeconfig '/home/a b/config' --context stage"
    assert explain == "hub explain Suspended"


def test_a_name_that_a_shell_would_take_for_more_is_quoted() -> None:
    (next_, _) = proposed("--context", "admin@x; rm -rf $HOME")
    assert shlex.split(next_)[-2:] == ["--context", "admin@x; rm -rf $HOME"]


def test_what_the_environment_says_is_there_the_next_time_too() -> None:
    assert proposed(environment={"KUBECONFIG": "/x"})[0] == "hub resume held -n shop"


@pytest.mark.parametrize(
    "words", sorted({*_ELSE, *(one for entry in _COMMANDS.values() for one in entry)}), ids=" ".join
)
def test_every_command_that_is_proposed_takes_the_flags(words: tuple[str, ...]) -> None:
    command: click.Command | None = main
    for word in words:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word)
    assert command is not None
    assert {"kubeconfig", "context"} <= {parameter.name for parameter in command.params}
