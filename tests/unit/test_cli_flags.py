"""Flags as they are typed: those that are on or off with a value too, and words that stay beside kubectl's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner

from integration_hub.cli.flags import Command
from integration_hub.cli.main import main
from integration_hub.cli.output import Form


def parsed(*words: str) -> dict[str, Any]:
    """Return what a command is given where a person types these words."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    return command.make_context(words[0], list(words[1:])).params


def switches() -> Iterator[tuple[Command, click.Option]]:
    """Yield all flags of all commands that are on or off, with their command."""
    context = click.Context(main)
    found = [main.get_command(context, name) for name in main.list_commands(context)]
    for command in found:
        if isinstance(command, click.Group):
            found.extend(command.commands.values())
        if isinstance(command, Command):
            for option in command.params:
                if isinstance(option, click.Option) and option.is_flag and option.expose_value:
                    yield command, option


@pytest.mark.parametrize(
    ("command", "option"),
    [pytest.param(command, option, id=f"{command.name} {option.opts[0]}") for command, option in switches()],
)
def test_a_flag_that_is_on_or_off_takes_true_and_false(command: Command, option: click.Option) -> None:
    def value(*words: str) -> object:
        found = command.make_context("x", list(words), resilient_parsing=True)
        return found.params[str(option.name)]

    for name in option.opts:
        assert value(f"{name}=true") is value(f"{name}=True") is value(f"{name}=1") is True
        assert value(f"{name}=false") is value(f"{name}=F") is value(f"{name}=0") is False
    for name in option.secondary_opts:
        assert value(f"{name}=true") is False
        assert value(f"{name}=false") is True


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("reconcile", "billing", "--wait=false"), {"wait": False}),
        (("reconcile", "billing", "--wait=true"), {"wait": True}),
        (("reconcile", "billing", "--no-wait"), {"wait": False}),
        (("get", "-w", "billing"), {"watch": True, "words": ("billing",)}),
        (("get", "--watch", "billing"), {"watch": True, "words": ("billing",)}),
        (("get", "-Aw"), {"all_namespaces": True, "watch": True}),
        (("get", "--no-headers=true", "-A=false"), {"no_headers": True, "all_namespaces": False}),
        (("get", "--", "--watch=true"), {"watch": False, "words": ("--watch=true",)}),
        (("suspend", "billing", "--dry-run=none"), {"dry_run": None}),
        (("suspend", "billing", "--dry-run=server"), {"dry_run": "server"}),
        (("test", "billing", "--timeout", "1m30s"), {"timeout": timedelta(seconds=90)}),
        (("test", "billing", "--timeout", "0.2"), {"timeout": timedelta(milliseconds=200)}),
        (("test", "billing"), {"timeout": timedelta(seconds=30), "output": Form("table")}),
        (("test", "billing", "-o", "text"), {"output": Form("table")}),
        (("test", "billing", "-o", "yaml"), {"output": Form("yaml")}),
    ],
)
def test_what_is_typed_means_what_kubectl_means_by_it(
    words: tuple[str, ...], expected: dict[str, object]
) -> None:
    found = parsed(*words)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reconcile", "x", "--wait=later"), "'--wait': 'later' is neither 'true' nor 'false'."),
        (("get", "--watch="), "'--watch': '' is neither 'true' nor 'false'."),
        (("test", "x", "--timeout", "soon"), "'soon' is no duration like '5m' or '1h30m'"),
        (("test", "x", "--timeout", "-1"), "'-1' is no duration"),
        (("test", "x", "-o", "wide"), "'wide' is no form to print here; there are 'json', 'yaml'."),
        (("test", "x", "--path", "/a", "--save", "b", "-o", "yaml"), "leave '-o yaml' out"),
    ],
)
def test_what_means_nothing_is_a_mistake_that_says_what_is_taken(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert said in result.stderr
