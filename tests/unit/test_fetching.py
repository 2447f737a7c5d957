"""What the scripts share that get what tests are made against. What each says is tested where it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fetching
from fetching import CannotBeHadError
from integration_hub.devcluster.files import try_lock

WAITER = """
import sys
from pathlib import Path
from fetching import only_one
with only_one(Path(sys.argv[1]), "a server"):
    print("mine", flush=True)
"""


def test_who_comes_second_says_once_that_it_waits(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = try_lock(lock)
    assert held is not None
    environment = os.environ | {"PYTHONPATH": str(Path(fetching.__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", WAITER, lock], env=environment, stdout=subprocess.PIPE, text=True
    ) as waiter:
        assert waiter.stdout is not None
        first = waiter.stdout.readline()
        time.sleep(2.5)  # long enough to try again, twice
        os.close(held)
        rest = waiter.stdout.read()
    assert first + rest == "Getting a server: waiting for another who does the same\nmine\n"


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(CannotBeHadError), fetching.only_one(tmp_path / "new" / "lock", "a server"):
        raise CannotBeHadError("no")
    held = try_lock(tmp_path / "new" / "lock")
    assert held is not None
    os.close(held)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo loading; echo '[ERROR] no such file'; echo 'see the log'; exit 1", "[ERROR] no such file"),
        ("echo reading; echo 'E: Unable to locate package x' >&2; exit 100", "E: Unable to locate package x"),
        ("echo one; echo 'two '; echo; exit 1", "two"),
        ("exit 1", "it does not say why"),
    ],
)
def test_of_a_failure_one_line_is_told(script: str, why: str) -> None:
    with pytest.raises(CannotBeHadError) as caught:
        fetching.run(["sh", "-c", script], "the shell")
    assert str(caught.value) == f"the shell failed: {why}"


@pytest.mark.parametrize(
    ("ci", "status", "end"), [("true", 1, "CI needs it."), ("", 0, "Going on without: x.")]
)
def test_only_a_person_goes_on_without(
    ci: str, status: int, end: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def get() -> None:
        raise CannotBeHadError("nobody has it")

    monkeypatch.setenv("CI", ci)
    assert fetching.get_or_go_on(get, "A server", "x") == status
    assert capsys.readouterr().err == f"A server cannot be had: nobody has it. {end}\n"


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["bootstrap_x.py", "--find"])

    def get(self) -> None:
        pytest.fail("asking gets nothing")

    def test_asking_prints_where_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fetching.main("", lambda: Path("/there"), self.get, "A server", "x") == 0
        assert capsys.readouterr() == ("/there\n", "")

    def test_asking_in_vain_says_why_where_that_is_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        def find() -> Path:
            raise CannotBeHadError("There is no Java.")

        assert fetching.main("", find, self.get, "A server", "x") == 1
        assert capsys.readouterr() == ("", "There is no Java.\n")
        assert fetching.main("", lambda: None, self.get, "A server", "x") == 1
        assert capsys.readouterr() == ("", "")
