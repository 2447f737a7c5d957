"""tools/bootstrap_kubeseal.py: which kubeseal is taken, and what is said where none can be had."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap_kubeseal import KUBESEAL
from support.programs import TOOLS


class Machine:
    """An empty home, and a PATH with Go at most, which may fetch nothing."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.path = folder / "bin"
        self.path.mkdir()
        if go := shutil.which("go"):
            (self.path / "go").symlink_to(Path(go).resolve())

    def run(self, *words: str, ci: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.path),
            "HOME": str(self.home),
            "CI": ci,
            "GOPROXY": "off",
            "PIP_NO_INDEX": "1",
        }
        tool: list[str | Path] = [sys.executable, TOOLS / "bootstrap_kubeseal.py", *words]
        return subprocess.run(tool, capture_output=True, text=True, check=False, timeout=60, env=environment)

    def write_program(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_person_is_told_and_goes_on(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0
    assert done.stderr.startswith("kubeseal cannot be had: Go ")
    assert done.stderr.endswith("Going on without: the tests that seal Secrets are skipped.\n")
    assert done.stderr.count("\n") == 1


def test_ci_does_not(machine: Machine) -> None:
    done = machine.run(ci="true")
    assert (done.returncode, done.stderr.endswith(" CI needs it.\n")) == (1, True)


def test_asking_where_it_is_builds_nothing(machine: Machine) -> None:
    assert machine.run("--find", ci="true").returncode == 1
    assert not machine.home.exists()


def test_the_one_that_was_built_is_taken_before_one_on_path(machine: Machine) -> None:
    built, on_path = (
        KUBESEAL.cached({"XDG_CACHE_HOME": str(machine.home / ".cache")}),
        machine.path / "kubeseal",
    )
    machine.write_program(on_path)
    assert machine.run("--find").stdout.strip() == str(on_path)
    assert machine.run(ci="true").returncode == 0, "there is nothing to build"
    machine.write_program(built)
    assert machine.run("--find").stdout.strip() == str(built)
