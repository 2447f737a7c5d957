"""`make test`: every test, in three processes at the same time, since tests wait more than they work.

One has the tests against API servers; another those that wait most, for outages, retries, rotations and servers that
start; the third has all that need none, a part of the command `hub`, and those in which people sign in, which share one
Keycloak. So they take about as long. Each keeps the order that pytest gives it, and has control planes of its own. What
the second and third print is shown once the first has ended. Exit code 0 where all are green.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"

SIGNING_IN = "support.signing_in"
"""What a test module names as its plugin to be given Keycloak and a browser."""

WAITING = {
    f"test_{name}.py"
    for name in (
        "awaiting_consent", "chaos", "devcluster", "examples", "getting_started", "hub_hostile", "hub_objects",
        "hub_screens", "operator_gitops", "operator_restart", "restored_backup", "revocation", "secret_memory",
        "token_deaths", "token_secrecy", "watching", "webhook", "webhook_client_certificate",
    )
}  # fmt: skip
"""Tests in which little is done at a time."""

OF_HUB = {
    f"test_hub_{name}.py"
    for name in ("authorize", "check", "edit", "get", "status", "test", "test_docs")
}  # fmt: skip
"""Integration tests of `hub` that keep company with those that need no API server."""


SECONDS_TO_END = 60
"""In which a part that is stopped has taken down its servers."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Tests start Python more than a thousand times: it keeps what it has compiled, whatever the machine is set to."""


def main() -> int:
    """Run all; return the exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args()  # takes no arguments, and says so
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends this ends the three
    files = sorted(TESTS.rglob("test_*.py"))
    waiting = [path for path in files if path.name in WAITING]
    working = [path for path in files if path.name not in WAITING]
    first = [path for path in working if "integration" in path.parts and not _is_of_the_third(path)]
    third = [path for path in working if path not in first]
    with ExitStack() as ends:
        others = []
        for part in (waiting, third):
            # Before the process, so that it is closed after it.
            output = ends.enter_context(tempfile.TemporaryFile())
            others.append((_start(part, ends, output), output))
        failed = _start(first, ends).wait() != 0
        for process, output in others:
            failed |= process.wait() != 0
            output.seek(0)
            sys.stdout.flush()
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
    return int(failed)


def _start(
    files: Sequence[Path], ends: ExitStack, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a part; it ends with `ends`, whatever happens. Without `output`, it writes where we do."""
    command = [sys.executable, "-m", "pytest", *(str(path.relative_to(ROOT)) for path in files)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        process_group=0,  # Ctrl-C comes to us alone, and once
    )

    def end() -> None:
        process.send_signal(signal.SIGINT)  # by which pytest takes down what its fixtures have started
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()

    ends.callback(end)
    return process


def _is_of_the_third(path: Path) -> bool:
    """Tell whether an integration test belongs there. All of `hub` would make that the longest."""
    return path.name in OF_HUB or _signs_in(path)


def _signs_in(path: Path) -> bool:
    return SIGNING_IN in path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
