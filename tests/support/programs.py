"""Programs that tests run and `make test` fetches, and what to do where one is not on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def fetched(tool: str, name: str, *which: str) -> Path:
    """Return where the program is that this script of tools/ fetches; skip the test where it is nowhere.

    A script that fetches several is told which.
    """
    command = [sys.executable, str(TOOLS / tool), "--find", *which]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if found.returncode != 0:
        lacks(f"{name} is not on this machine: run tools/{tool}")
    return Path(found.stdout.strip())


def lacks(words: str) -> NoReturn:
    """Skip the test that asks: a person may go on without the program. CI must have it, so that there it fails."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(words)
    pytest.skip(words)
