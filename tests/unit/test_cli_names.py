"""Names as people type them: alone, or with a kind as `hub get -o name` and kubectl write it."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from integration_hub.cli.main import main
from integration_hub.cli.naming import DEFINITION, INSTANCE, Subject

OF_INSTANCES = ("status", "tree", "events", "test", "authorize", "edit")
OF_SEVERAL = ("reconcile", "suspend", "resume")
KINDS = ("instance", "iinst", "IntegrationInstances", "integrationinstance.integrationhub.dev")


def parsed(*words: str) -> dict[str, Any]:
    """Return what a command is given where a person types these words."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    return command.make_context(words[0], list(words[1:])).params


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_taken_as_hub_get_prints_it(kind: str) -> None:
    for command in OF_INSTANCES:
        assert parsed(command, f"{kind}/bad")["name"] == "bad", command
    for command in OF_SEVERAL:
        assert parsed(command, f"{kind}/bad", "good")["names"] == ("bad", "good"), command


@pytest.mark.parametrize("command", [*OF_INSTANCES, *OF_SEVERAL])
def test_a_name_of_another_kind_says_so(command: str) -> None:
    ran = CliRunner().invoke(main, [command, "idef/acme"])
    assert ran.exit_code == 2
    assert "'idef/acme' is of another kind, and an instance is meant here." in ran.output


@pytest.mark.parametrize("text", ["shop/bad", "pod/bad", "integrationinstance.example.com/bad"])
def test_what_is_no_kind_is_told_with_how_names_are_written(text: str) -> None:
    for command in (*OF_INSTANCES, *OF_SEVERAL, "export", "usage", "get"):
        ran = CliRunner().invoke(main, [command, text])
        assert ran.exit_code == 2
        words = " ".join(ran.output.split())
        assert (
            f"'{text.partition('/')[0]}' is no kind: write NAME, instance/NAME or definition/NAME." in words
        )
        assert "A namespace is named with -n." in words


def test_commands_about_both_kinds_take_both() -> None:
    taken = parsed("export", "billing", "integrationdefinition.integrationhub.dev/acme")["names"]
    assert taken == (Subject(INSTANCE, "billing"), Subject(DEFINITION, "acme"))
    assert parsed("usage", "acme")["subject"] == Subject(DEFINITION, "acme")
    assert parsed("usage", "iinst/billing")["subject"] == Subject(INSTANCE, "billing")


def test_kinds_are_not_mixed_in_one_list() -> None:
    ran = CliRunner().invoke(main, ["get", "iinst/billing", "idef/acme"])
    assert ran.exit_code == 2
    assert "all of one kind" in ran.output


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["instances", "definitions"], "instance"),
        (["iinst,idef"], "instance"),
        (["idef", "IntegrationInstances"], "definition"),
    ],
)
def test_kinds_are_listed_one_at_a_time(words: list[str], kind: str) -> None:
    ran = CliRunner().invoke(main, ["get", *words])
    assert ran.exit_code == 2
    said = " ".join(ran.output.split())
    assert "One kind is listed at a time: 'hub get instances', then 'hub get definitions'." in said
    assert f"write {kind}/" in said
