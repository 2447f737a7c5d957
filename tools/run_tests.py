"""`make test`: every test, in two processes at the same time, since tests wait more than they work.

One has the tests against API servers; the other has all that need none, most of the command `hub`, and those in which
people sign in, which share one Keycloak. So both take about as long. Each keeps the order that pytest gives it, and has
control planes of its own. The output of the second is shown once the first has ended. Exit code 0 where both are green.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"

SIGNING_IN = "support.signing_in"
"""What a test module names as its plugin to be given Keycloak and a browser."""


def main() -> int:
    """Run both; return the exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args()  # takes no arguments, and says so
    files = sorted(TESTS.rglob("test_*.py"))
    machines = [path for path in files if "integration" in path.parts and not _is_of_the_other(path)]
    rest = [path for path in files if path not in machines]
    with tempfile.TemporaryFile() as output:
        other = subprocess.Popen(
            _pytest(rest), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            first = subprocess.run(_pytest(machines), cwd=ROOT, check=False)
            other.wait()
        finally:
            other.terminate()
            other.wait()
        output.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(output.read())
        sys.stdout.flush()
    return int(first.returncode != 0 or other.returncode != 0)


def _is_of_the_other(path: Path) -> bool:
    """Tell whether an integration test belongs to the other process. All of `hub` would make that the longer one."""
    is_of_hub = path.name.startswith("test_hub_") and not path.name.startswith("test_hub_connect")
    return is_of_hub or _signs_in(path)


def _signs_in(path: Path) -> bool:
    return SIGNING_IN in path.read_text(encoding="utf-8")


def _pytest(files: Sequence[Path]) -> list[str]:
    return [sys.executable, "-m", "pytest", *(str(path.relative_to(ROOT)) for path in files)]


if __name__ == "__main__":
    sys.exit(main())
