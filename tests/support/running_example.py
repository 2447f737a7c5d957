"""Examples as a newcomer runs them, on a machine with an empty home folder, and what their READMEs say of it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster.paths import cache_folder
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]
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

    def start(self, commands: str) -> subprocess.Popen[str]:
        """Type what a README or the runner says, with the `hub` of this test run."""
        here = re.sub(r"(?m)(^|\$\()[\w./-]*\bhub(?= )", rf"\1{shlex.join(HUB)}", commands)
        return subprocess.Popen(
            ["/bin/bash", "-euc", here],
            env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def shell(self, commands: str) -> tuple[int, str]:
        """Type it and wait for its end; return the exit code and all that it wrote."""
        with self.start(commands) as process:
            said, _ = process.communicate(timeout=120)
            return process.returncode, said

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
        wait_until(
            lambda: RUNNING in self.output or self.process.poll() is not None, bool, f"{name} runs", 180
        )
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

    def suggested(self) -> list[str]:
        """Return the commands that it says can be typed next."""
        next_steps = self.output.split("Next, in another terminal:")[1].split(RUNNING)[0]
        return [text.strip() for text in re.split(r"(?m)^# .*$", next_steps) if text.strip()]


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


def check_suggestions(running: RunningExample) -> None:
    """Type each command that the example suggests: it works, and says something."""
    commands = running.suggested()
    assert len(commands) == 3
    for command in commands:
        code, said = running.hub.shell(command)
        assert code == 0, f"{command}\n{said}"
        assert said


def check_readme(readme: Path, running: RunningExample) -> None:
    """Type every command of a README's console blocks, in their order, and compare what it shows with what is so."""
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```$", readme.read_text())
    assert blocks, f"{readme} shows nothing"
    for command, promised in [step for block in blocks for step in console_steps(block)]:
        shown = running.output if command.startswith("make run") else running.hub.shell(command)[1]
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
