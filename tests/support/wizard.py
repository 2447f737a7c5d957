"""`hub connect` and `hub edit` on a real terminal, as a person answers them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect

from support.hub_command import Hub, forms

PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
"""What a terminal puts around a text that was pasted, where a program has asked for that."""
BACK_KEY = "\x1b[Z"
"""Shift-Tab."""
CTRL_C = "\x03"

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z~]|\x1b[=>]|\x1b\]0;[^\x07]*\x07")


class Terminal:
    """One run, on a terminal of its own. What was typed as a secret may not show, nor stand in the process's words."""

    def __init__(self, hub: Hub, *words: str, secrets: tuple[str, ...] = (), **environment: str) -> None:
        self._secrets = secrets
        self._text = ""
        self.process: Any = pexpect.spawn(
            sys.executable,
            ["-m", "integration_hub", *words],
            env={**hub.environment(), **environment},
            encoding="utf-8",
            timeout=25,
            dimensions=(50, 120),
        )

    def sees(self, words: str) -> str:
        """Wait until these words stand there; return what was written up to there."""
        self.process.expect_exact(words)
        seen: str = self.process.before + words
        self._text += seen
        return plain(seen)

    def types(self, text: str, *, enter: str = "\r") -> None:
        """Type a line."""
        self._check_process()
        self.process.send(text + enter)

    def answers(self, question: str, text: str) -> str:
        """Wait for a question and type the answer; return what stood before it."""
        seen = self.sees(question)
        self.types(text)
        return seen

    def presses(self, key: str) -> None:
        """Press a key."""
        self.process.send(key)

    def ends(self) -> tuple[int, str]:
        """Wait until it has ended; return the exit code and all that it wrote."""
        self.process.expect(pexpect.EOF)
        self._text += self.process.before
        self.process.close()
        self._check(self._text)
        code = self.process.exitstatus
        return (code if code is not None else -1), plain(self._text)

    @property
    def raw(self) -> str:
        """All that was waited for so far, with what steers the terminal."""
        return self._text

    def _check_process(self) -> None:
        folder = Path("/proc") / str(self.process.pid)
        if folder.exists():
            self._check((folder / "cmdline").read_bytes().decode())

    def _check(self, text: str) -> None:
        for secret in self._secrets:
            for form in forms(secret):
                assert form not in text, f"a secret is shown: {text}"


def plain(text: str) -> str:
    """Return what a person reads, without what steers a terminal."""
    return _STEERING.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def flags(options: Mapping[str, str]) -> list[str]:
    """Return '--set name=value' for each."""
    return [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
