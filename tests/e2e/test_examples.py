"""Every example does what it promises, run as a newcomer runs it. A new folder in examples/ is picked up by itself."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration_hub.devcluster import ControlPlane
from integration_hub.devcluster.files import is_locked
from integration_hub.devcluster.paths import cache_folder
from integration_hub.examples.declaration import load_declaration
from support.keycloak import require_keycloak

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/example.yaml"))
RUNNING = "The operator is running. Press Ctrl-C to stop."
KUBECONFIG = "# somebody's own: not ours to touch\n"
HUB = [sys.executable, "-m", "integration_hub"]


@dataclass(frozen=True)
class Hub:
    """The command line on a machine of its own: an empty home folder, one control plane."""

    home: Path
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        return [*HUB, *words]

    def example(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("example", *words),
            env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip

    def shell(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run what a README or the runner says to type, with the `hub` of this test run."""
        here = re.sub(r"(?m)(^|\$\()[\w./-]*\bhub(?= )", rf"\1{shlex.join(HUB)}", commands)
        return subprocess.run(
            ["/bin/bash", "-euc", here],
            env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=120,
        )  # fmt: skip

    @property
    def children(self) -> Path:
        """Locked for as long as a process of a run lives; their numbers stand in it."""
        return self.home / "examples" / "children.lock"

    def pids(self) -> list[int]:
        return [int(line) for line in self.children.read_text().split()]


class RunningExample:
    """`hub example NAME`, which runs until it is told to stop."""

    def __init__(self, hub: Hub, name: str, log: Path) -> None:
        self.hub = hub
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                hub.command("example", name),
                env=hub.environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: RUNNING in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.output

    @property
    def output(self) -> str:
        return self.log.read_text()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=120)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGINT)


def wait_until(true: Callable[[], bool], limit: float = 120.0) -> None:
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def require_services(name: str) -> None:
    """Skip where an example needs a server that is not on this machine; CI must have it."""
    if any(service.keycloak for service in load_declaration(ROOT / "examples" / name).services):
        require_keycloak()


def new_hub(folder: Path) -> Hub:
    user = folder / "user"
    (user / ".kube").mkdir(parents=True)
    (user / ".kube" / "config").write_text(KUBECONFIG)
    environment = os.environ | {
        "HOME": str(user),
        "HUB_DEV_HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(cache_folder().parent),  # the control plane that is built already
    }
    environment.pop("KUBECONFIG", None)
    return Hub(folder / "home", environment)


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


@pytest.fixture(scope="class", params=EXAMPLES)
def running(
    hub: Hub, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningExample]:
    require_services(request.param)
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_once_ends_well_when_every_instance_is_as_promised(hub: Hub, name: str) -> None:
    require_services(name)
    done = hub.example(name, "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Verdicts +(\d+) of \1 as promised$", done.stdout, re.MULTILINE)
    assert not is_locked(hub.children), "something that it started is still there"


class TestWhileItRuns:
    """In this order, on one run of each example: what can be seen, then what can be changed."""

    def test_readme_shows_what_happens(self, running: RunningExample) -> None:
        name = running.process.args[-1]  # type: ignore[index]
        check_readme(ROOT / "examples" / str(name) / "README.md", running)

    def test_the_commands_it_suggests_work(self, running: RunningExample) -> None:
        suggested = re.split(
            r"(?m)^# .*$", running.output.split("Next, in another terminal:")[1].split(RUNNING)[0]
        )
        commands = [text.strip() for text in suggested if text.strip()]
        assert len(commands) == 3
        for command in commands:
            done = running.hub.shell(command)
            assert done.returncode == 0, f"{command}\n{done.stdout}"
            assert done.stdout


def test_the_tour_of_the_projects_readme_shows_what_happens(quickstart: RunningExample) -> None:
    check_readme(ROOT / "README.md", quickstart)


# How it ends, whatever happens


def test_ctrl_c_ends_all_that_it_started(quickstart: RunningExample) -> None:
    assert is_locked(quickstart.hub.children)
    assert quickstart.end(signal.SIGINT) == 0
    assert not is_locked(quickstart.hub.children)
    assert quickstart.output.endswith("\nStopping.\n")


def test_sigterm_is_as_good_as_ctrl_c(quickstart: RunningExample) -> None:
    assert quickstart.end(signal.SIGTERM) == 0
    assert not is_locked(quickstart.hub.children)


def test_it_says_so_when_the_operator_ends(quickstart: RunningExample) -> None:
    os.kill(quickstart.hub.pids()[0], signal.SIGKILL)
    assert quickstart.process.wait(timeout=60) == 1
    assert "The operator ended with exit code -9" in quickstart.output
    assert "operator.log" in quickstart.output


def test_two_cannot_run_at_once(quickstart: RunningExample) -> None:
    done = quickstart.hub.example("01-quickstart", "--once")
    assert done.returncode == 1
    assert "An example runs already" in done.stderr
    assert quickstart.process.poll() is None


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
    assert done.returncode == 1
    assert ", ".join(EXAMPLES) in done.stderr


# Reading READMEs


def check_readme(readme: Path, running: RunningExample) -> None:
    """Type every command of a README's console blocks, in their order, and compare what it shows with what is so."""
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```$", readme.read_text())
    assert blocks, f"{readme} shows nothing"
    for command, promised in [step for block in blocks for step in console_steps(block)]:
        shown = running.output if command.startswith("make run") else running.hub.shell(command).stdout
        assert matches(promised, shown), (
            f"{readme} says of '{command}':\n{promised}\nbut this is so:\n{shown}"
        )


def console_steps(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that it shows below."""
    for step in re.split(r"(?m)^\$ ", block)[1:]:
        command, _, output = step.partition("\n")
        yield command, output


def matches(promised: str, shown: str) -> bool:
    """Whether the output is as promised, line by line; '...' stands for any lines, and what differs each time counts
    as the same."""
    parts = [[words(line) for line in part.splitlines()] for part in re.split(r"(?m)^\.\.\.\n", promised)]
    lines = [words(line) for line in shown.splitlines()]
    start = 0
    for part in parts:
        found = next((n for n in range(start, len(lines) + 1) if lines[n : n + len(part)] == part), None)
        if found is None:
            return False
        start = found + len(part)
    return True


def words(line: str) -> list[str]:
    """Return a line's words without its spacing; times, ages and ports become the same everywhere."""
    line = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line)
    line = re.sub(r"\b(\d+[hms])+(?=\s|$)", "AGE", line)
    return re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line).split()
