"""kubectl, as a person would use it: what the runner does, anybody can repeat in a terminal."""

# ruff: noqa: S603 - the command is the control plane's own kubectl

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from integration_hub.examples.errors import ExampleError

_LIMIT = 120.0
"""Seconds that one command may take; the slowest, deleting a namespace, takes a few."""


class Kubectl:
    """Runs one kubectl against one cluster."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def __call__(self, *arguments: str | Path) -> str:
        """Return what it prints; raise ExampleError with its own words where it fails."""
        words = [str(argument) for argument in arguments]
        try:
            done = subprocess.run(
                [*self._command, *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=_LIMIT,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise ExampleError(f"'kubectl {' '.join(words)}' did not end within {_LIMIT:.0f} s.") from None
        if done.returncode != 0:
            raise ExampleError(f"'kubectl {' '.join(words)}' failed: {done.stderr.strip()}")
        return done.stdout

    def items(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Return the objects that `kubectl get` finds."""
        items: list[dict[str, Any]] = json.loads(self("get", *arguments, "-o", "json"))["items"]
        return items
