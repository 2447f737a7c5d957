"""Every example does what it promises, run as a newcomer runs it. A new folder in examples/ is picked up by itself.

Those with a Keycloak, which takes long to start, are run once, by a test in which people sign in to them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlane
from integration_hub.devcluster.files import is_locked
from integration_hub.examples.declaration import load_declaration
from support.running_example import (
    KUBECONFIG,
    ROOT,
    Hub,
    RunningExample,
    check_readme,
    check_suggestions,
    new_hub,
)

pytestmark = pytest.mark.cluster

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/example.yaml"))
SIGNING_IN = ["05-oauth2"]
QUICK = [name for name in EXAMPLES if name not in SIGNING_IN]


def test_an_example_with_a_keycloak_is_one_in_which_people_sign_in() -> None:
    declared = {name: load_declaration(ROOT / "examples" / name).services for name in EXAMPLES}
    assert [
        name for name, services in declared.items() if any(one.keycloak for one in services)
    ] == SIGNING_IN


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A control plane that was there before the examples, which therefore must not end it."""
    hub = new_hub(tmp_path_factory.mktemp("examples"))
    plane = ControlPlane(hub.home)
    pid = plane.up().pid
    yield hub
    left = [path.name for path in (hub.home.parent / "user" / ".kube").iterdir()]
    assert plane.up().pid == pid, "an example ended a control plane that it did not start"
    plane.down(purge=True)
    assert left == ["config"]
    assert (hub.home.parent / "user" / ".kube" / "config").read_text() == KUBECONFIG


@pytest.fixture(scope="class", params=QUICK)
def running(
    hub: Hub, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningExample]:
    example = RunningExample(hub, request.param, tmp_path_factory.mktemp("run") / "output")
    yield example
    example.close()


@pytest.fixture
def quickstart(hub: Hub, tmp_path: Path) -> Iterator[RunningExample]:
    """One that a test may treat badly."""
    example = RunningExample(hub, "01-quickstart", tmp_path / "output")
    yield example
    example.close()


# What each example promises


@pytest.mark.parametrize("name", QUICK)
def test_once_ends_well_when_every_instance_is_as_promised(hub: Hub, name: str) -> None:
    done = hub.example(name, "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Verdicts +(\d+) of \1 as promised$", done.stdout, re.MULTILINE)
    assert not is_locked(hub.children), "something that it started is still there"


class TestWhileItRuns:
    """In this order, on one run of each example: what can be seen, what can be changed, and how it ends."""

    def test_readme_shows_what_happens(self, running: RunningExample) -> None:
        name = running.process.args[-1]  # type: ignore[index]
        check_readme(ROOT / "examples" / str(name) / "README.md", running)

    def test_the_commands_it_suggests_work(self, running: RunningExample) -> None:
        check_suggestions(running)

    def test_ctrl_c_ends_all_that_it_started(self, running: RunningExample) -> None:
        assert is_locked(running.hub.children)
        assert running.end(signal.SIGINT) == 0
        assert not is_locked(running.hub.children)
        assert running.output.endswith("\nStopping.\n")


@pytest.fixture(scope="class")
def started(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExample]:
    """The quickstart, for a class of tests in their order."""
    example = RunningExample(hub, "01-quickstart", tmp_path_factory.mktemp("run") / "output")
    yield example
    example.close()


class TestTheQuickstart:
    """In this order, on one run of it."""

    def test_the_tour_of_the_projects_readme_shows_what_happens(self, started: RunningExample) -> None:
        check_readme(ROOT / "README.md", started)

    def test_two_cannot_run_at_once(self, started: RunningExample) -> None:
        done = started.hub.example("01-quickstart", "--once")
        assert done.returncode == 1
        assert "An example runs already" in done.stderr
        assert started.process.poll() is None

    def test_sigterm_is_as_good_as_ctrl_c(self, started: RunningExample) -> None:
        assert started.end(signal.SIGTERM) == 0
        assert not is_locked(started.hub.children)


# How it ends, whatever happens


def test_it_says_so_when_the_operator_ends(quickstart: RunningExample) -> None:
    os.kill(quickstart.hub.pids()[0], signal.SIGKILL)
    assert quickstart.process.wait(timeout=60) == 1
    assert "The operator ended with exit code -9" in quickstart.output
    assert "operator.log" in quickstart.output


def test_the_next_run_ends_what_a_killed_one_left(quickstart: RunningExample) -> None:
    left = quickstart.hub.pids()
    quickstart.end(signal.SIGKILL)
    assert is_locked(quickstart.hub.children)
    done = quickstart.hub.example("01-quickstart", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not set(left) & set(quickstart.hub.pids())
    assert not is_locked(quickstart.hub.children)


def test_a_broken_promise_is_exit_code_1_and_a_control_plane_of_its_own_ends(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "01-quickstart", tmp_path / "examples" / "wrong")
    declaration = tmp_path / "examples" / "wrong" / "example.yaml"
    declaration.write_text(declaration.read_text().replace("reason: CredentialsRejected", "reason: Expired"))
    hub = new_hub(tmp_path)
    done = hub.example("wrong", "--once", "--timeout", "5", "--examples-dir", str(tmp_path / "examples"))
    try:
        assert done.returncode == 1, done.stdout + done.stderr
        assert "4 of 5 as promised" in done.stdout
        assert re.search(
            r"BROKEN  quickstart/wrong-token\n +promised  Ready=False Expired\n +found     Ready=False Crede",
            done.stdout,
        )
        assert "(started)" in done.stdout
        assert not ControlPlane(hub.home).status().running
        assert not is_locked(hub.children)
    finally:
        ControlPlane(hub.home).down(purge=True)


def test_a_purged_control_plane_can_be_started_again(tmp_path: Path) -> None:
    hub = new_hub(tmp_path)
    leftover = hub.home / "examples" / "01-quickstart" / "manifests" / "old.yaml"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("kind: Old\n")
    try:
        done = hub.example("01-quickstart", "--once")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not leftover.exists()
    finally:
        ControlPlane(hub.home).down(purge=True)


def test_an_unknown_example_names_those_there_are(hub: Hub) -> None:
    done = hub.example("99-nothing")
    assert done.returncode == 2
    assert ", ".join(EXAMPLES) in done.stderr
