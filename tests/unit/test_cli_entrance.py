"""The entrance of the command: quick, the same flags everywhere, and no traceback whatever goes wrong."""

from __future__ import annotations

import errno
import re
import shlex
import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from integration_hub.cli import main as entrance
from integration_hub.cli.errors import Exit, HubError, NotFoundError, UnreachableError
from integration_hub.cli.main import main

SLOW = {
    "pydantic",
    "aiohttp",
    "rich",
    "kopf",
    "cryptography",
    "jinja2",
    "jsonschema",
    "asyncio",
    "jsonpath",
    "authlib",
    "prompt_toolkit",
}
"""Modules that take longer to load than a command of every day may take."""
SECRET = "sk_live_51H8xQ2eZvKYlo2C"


def loaded(*words: str) -> set[str]:
    """Return the modules that a run of `hub` has loaded, by the first part of their names."""
    code = (
        "import sys\n"
        "from integration_hub.cli.main import main\n"
        "try:\n    main(sys.argv[1:], prog_name='hub')\n"
        "finally:\n    print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("get", "--help"),
        ("catalog", "show", "-h"),
        ("connect", "--help"),
        ("edit", "--help"),
        ("frobnicate",),
    ],
)
def test_help_and_mistakes_load_neither_what_is_slow_nor_what_speaks_to_a_cluster(
    words: tuple[str, ...],
) -> None:
    assert loaded(*words) & (SLOW | {"ssl", "yaml", "http"}) == set()


def test_a_command_of_every_day_loads_nothing_that_is_slow() -> None:
    assert loaded("get", "--kubeconfig", "/nowhere") & SLOW == set()


def test_a_look_at_the_catalog_loads_nothing_that_is_slow_and_a_search_reads_no_manifest() -> None:
    assert loaded("catalog", "show", "stripe") & (SLOW | {"ssl", "http"}) == set()
    assert loaded("catalog", "search", "salesfroce") & (SLOW | {"ssl", "http", "yaml"}) == set()


EVERY_DAY = ("authorize", "check", "completion", "diff", "events", "explain", "export", "get", "reconcile", "resume",
             "status", "suspend", "test", "tree", "usage", "version")  # fmt: skip


@pytest.mark.parametrize("name", EVERY_DAY)
def test_the_help_of_every_command_has_examples_that_it_takes(name: str) -> None:
    text = CliRunner().invoke(main, [name, "--help"], terminal_width=110).stdout
    block = text.partition("Examples:\n")[2].partition("\n\n")[0]
    assert block
    command = main.get_command(click.Context(main), name)
    assert command is not None
    for line in block.splitlines():
        # What follows two blanks explains; what follows '>' is a file, and what stands before '|' another command.
        typed = re.split("  +", line.strip())[0].removeprefix("source <(").rstrip(")")
        words = (
            " ".join(shlex.quote(word) for word in shlex.split(typed))
            .partition(" '>' ")[0]
            .split(" '|' ")[-1]
        )
        first, second, *rest = shlex.split(words)
        assert (first, second) == ("hub", name)
        command.make_context(name, rest)  # raises where a flag or a value is none


@pytest.mark.parametrize("name", EVERY_DAY[1:])
def test_a_flag_that_there_is_not_is_a_mistake_with_the_way_to_the_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--frobnicate"])
    assert result.exit_code == 2
    assert f"Try 'main {name} --help' for help." in result.stderr
    assert "No such option '--frobnicate'" in result.stderr


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`failing(error)` adds a command `fail` that raises it, and returns how `hub fail` ends."""

    def run(error: BaseException, *words: str, name: str = "fail") -> Any:
        @click.command(name)
        def fail() -> None:
            raise error

        module = type(sys)("failing")
        module.fail = fail  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "failing", module)
        monkeypatch.setitem(entrance._COMMANDS, name, entrance._Command("failing", "fail", "Fail."))
        return CliRunner().invoke(main, [*words, name])

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            HubError("It fails.", why="It is old.", todo="Get another."),
            Exit.FAILED,
            "Error: It fails.\nWhy: It is old.\nWhat to do: Get another.\n",
        ),
        (NotFoundError("There is no 'x'."), Exit.USAGE, "Error: There is no 'x'.\n"),
        (UnreachableError("No answer."), Exit.UNREACHABLE, "Error: No answer.\n"),
        (HubError("Late.", code=Exit.TIMEOUT), Exit.TIMEOUT, "Error: Late.\n"),
        (
            UnicodeEncodeError("utf-8", f"{SECRET}\udcff", len(SECRET), len(SECRET) + 1, "no"),
            Exit.USAGE,
            "Error: What was typed, or what a variable holds, is no text in UTF-8.\n",
        ),
        (HubError("a\x1b[2Jb"), Exit.FAILED, "Error: a\ufffd[2Jb\n"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "\nStopped.\n"),
        (BrokenPipeError(errno.EPIPE, "gone"), Exit.BROKEN_PIPE, ""),
        (
            OSError(errno.ENOSPC, "full"),
            Exit.FAILED,
            "Error: What was found cannot be written: the disk or the other side takes no more.\n",
        ),
    ],
)
def test_each_way_to_fail_has_its_words_and_its_code(
    failing: Any, error: BaseException, code: Exit, said: str
) -> None:
    result = failing(error)
    assert (result.exit_code, result.stderr, result.stdout) == (code, said, "")


def test_a_mistake_of_ours_is_told_without_a_traceback_and_without_a_secret(failing: Any) -> None:
    result = failing(ValueError(f"token={SECRET}"))
    assert result.exit_code == Exit.FAILED
    assert "Error: The command met a mistake of its own.\nWhy: ValueError: token=***" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_operators_log_has_the_traceback_without_asking_and_masked(failing: Any) -> None:
    result = failing(ValueError(f"token={SECRET}"), name="run")
    assert "Traceback" in result.stderr
    assert SECRET not in result.stderr


def test_debug_shows_where_a_mistake_is_and_masks_it_too(failing: Any) -> None:
    result = failing(ValueError(f"token={SECRET}"), "--debug")
    assert "Traceback" in result.stderr
    assert "in fail" in result.stderr
    assert SECRET not in result.stderr
    assert "a mistake of its own" in result.stderr
