"""The command's entrance: what is asked for wrongly is answered with what was probably meant."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from integration_hub.cli.main import main


@pytest.mark.parametrize(
    ("typed", "meant"), [("runn", "run"), ("Run", "run"), ("exmple", "example"), ("devv", "dev")]
)
def test_a_misspelt_command_is_answered_with_the_one_that_was_meant(typed: str, meant: str) -> None:
    result = CliRunner().invoke(main, [typed, "--workers", "3"])
    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in result.output


def test_a_word_that_is_like_no_command_is_refused_without_a_guess() -> None:
    result = CliRunner().invoke(main, ["frobnicate"])
    assert result.exit_code == 2
    assert "No such command 'frobnicate'." in result.output
    assert "Did you mean" not in result.output
