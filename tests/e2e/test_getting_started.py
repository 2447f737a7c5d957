"""docs/getting-started.md, followed word for word in a shell, as somebody does who has just cloned the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.cluster

PAGE = ROOT / "docs" / "getting-started.md"

MARK = "--- step"


def steps() -> list[str]:
    """Return the page's blocks of commands, in their order."""
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_whoever_follows_the_page_has_a_connection_that_works(tmp_path: Path) -> None:
    setup, *others = steps()
    assert setup == 'make setup\nexport PATH="$PWD/.venv/bin:$PATH"\n'
    *middle, end = others
    assert end.startswith("kill %1\n")
    # The environment is the one that runs this test, and has been set up already; the rest is as the page has it. What
    # is written goes into a folder of the test's own.
    script = "\n".join([
        "set -m",
        f"ln -s {ROOT}/crds crds",
        *(f"echo '{MARK} {number}'\n{step}" for number, step in enumerate(middle)),
        f"echo '{MARK} end'",
        end,
    ])  # fmt: skip
    environment = {
        **{name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert "Error" not in done.stderr, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    *_, shown, _ = done.stdout.split(MARK)
    rows = [line.split() for line in shown.splitlines() if line.startswith("this-cluster ")]
    assert [row[1:5] for row in rows] == [
        ["True", "Connected", "kubernetes", "system:serviceaccount:default:reader"]
    ]
    assert "Ready: Connected" in shown
    assert [
        path.name for path in tmp_path.iterdir() if path.name in {"token", "server", "ca.crt", "hub.log"}
    ] == []
