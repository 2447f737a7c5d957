"""Flags as they are typed: those that are on or off with a value too, and words that stay beside kubectl's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
import pytest
from click.core import ParameterSource
from click.testing import CliRunner

from integration_hub.cli.main import main
from integration_hub.cli.output import Form, FormType


def parsed(*words: str) -> dict[str, Any]:
    """Return what a command is given where a person types these words."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    return command.make_context(words[0], list(words[1:])).params


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that there is as it is typed, groups and `hub` itself too."""
    found: list[tuple[str, click.Command]] = [("hub", main)]
    for typed, command in found:
        yield typed, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                found.append((f"{typed} {name}", below))


SWITCHES = [
    pytest.param(command, option, id=f"{typed} {option.opts[-1]}")
    for typed, command in commands()
    for option in command.get_params(click.Context(command, **command.context_settings))
    if isinstance(option, click.Option) and option.is_flag
]
"""All flags of all commands that are on or off, each with its command: `--help` is one that all have."""


TEXTS = [
    pytest.param(command, option, id=f"{typed} {option.opts[-1]}")
    for typed, command in commands()
    for option in command.get_params(click.Context(command, **command.context_settings))
    if isinstance(option, click.Option) and isinstance(option.type, click.types.StringParamType)
]
"""All flags of all commands that take any text."""


@pytest.mark.parametrize(("command", "option"), TEXTS)
def test_a_flag_refuses_bytes_that_are_no_text(command: click.Command, option: click.Option) -> None:
    arguments = [
        "x"
        for argument in command.get_params(click.Context(command))
        if isinstance(argument, click.Argument) and argument.required
        for _ in range(argument.nargs if argument.nargs > 0 else 1)
    ]
    words = [option.opts[-1], os.fsdecode(b"x\xff")]
    required = [
        word
        for other in command.get_params(click.Context(command))
        if isinstance(other, click.Option) and other.required and other is not option
        for word in (other.opts[-1], __file__)
    ]
    with pytest.raises(click.BadParameter, match=r"is no text in UTF-8\.$") as told:
        command.make_context("x", [*words, *required, *arguments])
    assert told.value.exit_code == 2


@pytest.mark.parametrize(("command", "option"), SWITCHES)
def test_a_flag_that_is_on_or_off_takes_true_and_false(command: click.Command, option: click.Option) -> None:
    def value(word: str) -> object:
        found = command.make_context("x", [word], resilient_parsing=True)
        # The command sees nothing of some: --plain, --debug, --help.
        is_typed = found.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        return found.params.get(str(option.name), is_typed)

    for name in option.opts:
        assert value(f"{name}=true") is value(f"{name}=True") is value(f"{name}=1") is True
        assert value(f"{name}=false") is value(f"{name}=F") is value(f"{name}=0") is False
    for name in option.secondary_opts:
        assert value(f"{name}=true") is False
        assert value(f"{name}=false") is True


def test_the_flags_of_every_command_were_looked_at() -> None:
    seen = {str(param.id) for param in SWITCHES}
    assert {f"{typed} --help" for typed, _ in commands()} - {"hub dev kubectl --help"} <= seen
    assert {"hub --version", "hub --plain", "hub dev up --kind", "hub keys rotate --resume"} <= seen
    assert {"hub example --once", "hub run --allow-http", "hub webhook --no-secret-check"} <= seen


FORMS = [
    pytest.param(option.type, id=typed)
    for typed, command in commands()
    for option in command.params
    if option.name == "output" and typed not in {"hub connect", "hub edit"}
]
"""`-o` of all commands; of two it is a folder."""


@pytest.mark.parametrize("form", FORMS)
def test_what_prints_json_prints_what_a_jsonpath_finds_in_it(form: click.ParamType[Form]) -> None:
    assert isinstance(form, FormType)
    assert {"json", "yaml", "jsonpath"} <= set(form.kinds)
    assert form.convert("jsonpath={.a}", None, None) == Form("jsonpath", "{.a}")


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("get", "iinst", "-w=true"), ("get", "iinst", "-w=true")),
        (("--home", "/tmp/x", "get", "--help=false"), ("get", "--help=false")),
        (("--", "get", "--watch=true"), ("get", "--watch=true")),
    ],
)
def test_what_is_kubectls_own_is_left_to_it(words: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    context = click.Context(main)
    dev = main.get_command(context, "dev")
    assert isinstance(dev, click.Group)
    kubectl = dev.get_command(context, "kubectl")
    assert kubectl is not None
    assert kubectl.make_context("kubectl", list(words)).params["arguments"] == arguments


def test_a_flag_before_the_command_and_one_behind_it_are_told_apart() -> None:
    help_of_get = CliRunner().invoke(
        main, ("--plain=true", "get", "--debug=false", "--help=true"), prog_name="hub"
    )
    assert help_of_get.exit_code == 0
    assert "Usage: hub get" in help_of_get.stdout
    nowhere = CliRunner().invoke(main, ("get", "--version=true"))
    assert nowhere.exit_code == 2
    assert "No such option '--version'" in nowhere.stderr


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
        (("get", "-l", "-w=true"), {"selector": "-w=true", "watch": False}),
        (("get", "--", "--watch=true"), {"watch": False, "words": ("--watch=true",)}),
        (("suspend", "billing", "--dry-run=none"), {"dry_run": None}),
        (("suspend", "billing", "--dry-run=server"), {"dry_run": "server"}),
        (("suspend", "billing", "--dry-run"), {"dry_run": "client"}),
        (("suspend", "billing", "--dry-run", "server"), {"dry_run": "server"}),
        (("suspend", "--dry-run", "billing"), {"dry_run": "client", "names": ("billing",)}),
        (("reconcile", "--dry-run", "--wait=false", "billing"), {"dry_run": "client", "wait": False}),
        (("connect", "--dry-run", "-n", "server"), {"dry_run": "client", "namespace": "server"}),
        (("suspend", "--", "--dry-run"), {"dry_run": None, "names": ("--dry-run",)}),
        (("test", "billing", "--timeout", "1m30s"), {"timeout": timedelta(seconds=90)}),
        (("test", "billing", "--timeout", "0.2"), {"timeout": timedelta(milliseconds=200)}),
        (("example", "01-quickstart", "--timeout", "90"), {"timeout": timedelta(seconds=90)}),
        (("example", "01-quickstart", "--timeout=2m"), {"timeout": timedelta(minutes=2)}),
        (("suspend", "a", "b", "-l", "team=shop"), {"names": ("a", "b"), "selector": "team=shop"}),
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
        (("suspend", "x", "--dry-run=yes"), "'yes' is not one of 'none', 'client', 'server'."),
        (("get", "--watch="), "'--watch': '' is neither 'true' nor 'false'."),
        (("test", "x", "--timeout", "soon"), "'soon' is no duration like '5m' or '1h30m'"),
        (("test", "x", "--timeout", "-1"), "'-1' is no duration"),
        (
            ("test", "x", "-o", "wide"),
            "'wide' is no form to print here; there are 'json', 'yaml', 'jsonpath'.",
        ),
        (("example", "x", "--timeout", "0"), "at least 1s"),
        (("test", "x", "--path", "/a", "--save", "b", "-o", "yaml"), "leave '-o yaml' out"),
    ],
)
def test_what_means_nothing_is_a_mistake_that_says_what_is_taken(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert said in result.stderr
