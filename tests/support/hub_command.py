"""`hub` as a user runs it: a process of its own, in a pipe or in a terminal, that may write no secret."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from integration_hub.devcluster import ControlPlaneInfo

SECONDS = 60
"""In which a run ends unless it hangs."""


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it wrote as JSON."""
        return json.loads(self.out)


def press_ctrl_c(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C as a person does: once more where nothing happens.

    Python misses a signal that comes in the instant before it begins to read, until something comes to be read.
    """
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return


class Hub:
    """Runs `hub` with the rights of a kubeconfig; with none, as on a machine that knows no cluster."""

    first: Sequence[str] = ()
    """What is typed before all else."""

    def __init__(self, home: Path, kubeconfig: Path | None, *canaries: str) -> None:
        """Nothing that is written may hold a canary, in any form."""
        self._home = home
        self._kubeconfig = kubeconfig
        self._canaries = canaries

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it; for `ended` to wait for."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "integration_hub", *self.first, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a user who has set nothing but a kubeconfig."""
        kept = {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "NO_COLOR"}}
        own = {"KUBECONFIG": str(self._kubeconfig)} if self._kubeconfig else {}
        return kept | {"HOME": str(self._home), "TERM": "xterm"} | own

    def ended(self, process: subprocess.Popen[str], stdin: str | None = None) -> Ran:
        """Wait until a run has ended and return how."""
        try:
            out, err = process.communicate(stdin, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it hangs:\n{out}{err}") from None
        self.check(out, err)
        return Ran(process.returncode, out, err)

    def run(self, *words: str, stdin: str | None = None) -> Ran:
        """Run it to its end."""
        return self.ended(self.start(*words), stdin)

    def run_all(self, *runs: Sequence[str]) -> list[Ran]:
        """Run it several times at once, since most of a run is the start of Python."""
        return [self.ended(process) for process in [self.start(*words) for words in runs]]

    def interrupted(self, *words: str, when: str) -> Ran:
        """Run it and press Ctrl-C once it has written a line that begins so."""
        process = self.start(*words)
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if line.strip().startswith(when):
                break
        press_ctrl_c(process)
        ran = self.ended(process)
        return Ran(ran.code, seen + ran.out, ran.err)

    def on_a_terminal(
        self, *words: str, written: Callable[[str], object] = len, columns: int = 0, **environment: str
    ) -> tuple[int, str]:
        """Run it in a real terminal; return its exit code and all that it wrote.

        `written` is called with all that was written so far, as often as something comes. A terminal with no columns
        is one that does not say how wide it is.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_hub", *self.first, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.environment() | environment,
        )
        os.close(theirs)
        seen = ""
        with suppress(OSError):  # what Linux says of a terminal whose other side is closed
            while piece := os.read(ours, 65536):
                seen += piece.decode()
                written(seen)
        os.close(ours)
        code = process.wait(SECONDS)
        self.check(seen)
        return code, seen

    def check(self, *texts: str) -> None:
        """Fail where a text holds a canary, in any form."""
        for canary in self._canaries:
            for form in forms(canary):
                assert all(form not in text for text in texts), f"a secret is shown:\n{''.join(texts)}"


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Return the lines that a run prints, up to the one with these words."""
    assert process.stdout is not None
    found: list[str] = []
    for line in process.stdout:
        found.append(line.rstrip("\n"))
        if words in line:
            return found
    raise AssertionError(f"it has ended after:\n{found}")


class HubTest(Hub):
    """Runs `hub test`, which may connect to this machine."""

    first = ("test", "--allow-cidr", "127.0.0.0/8")

    def without_loopback(self) -> Hub:
        """Return the command that may not connect to this machine."""
        strict = Hub(self._home, self._kubeconfig, *self._canaries)
        strict.first = ("test",)
        return strict


def forms(canary: str) -> set[str]:
    """Return how a value looks that was not masked: as it is, in URLs, in JSON, in base64 at any position."""
    data = canary.encode()
    found = {canary, quote(canary, safe=""), json.dumps(canary)[1:-1], canary[: len(canary) * 2 // 3]}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        found.add(encoded[4 : len(encoded) - 4])
    return found


def user_kubeconfig(
    file: Path,
    *,
    server: str,
    ca_file: Path,
    namespace: str = "default",
    token: str = "",
    like: Path | None = None,
) -> Path:
    """Write a kubeconfig: with a token, or with the credentials of another kubeconfig."""
    user = {"token": token} if like is None else yaml.safe_load(like.read_text())["users"][0]["user"]
    cluster = {"certificate-authority": str(ca_file), "server": server}
    context = {"cluster": "test", "user": "test", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    return file


def admin_kubeconfig(folder: Path, info: ControlPlaneInfo, namespace: str) -> Path:
    """Write an administrator's kubeconfig, whose namespace is that one."""
    return user_kubeconfig(
        folder / "kubeconfig",
        server=info.server,
        ca_file=info.ca_file,
        namespace=namespace,
        like=info.kubeconfig,
    )
