"""The operator as a process of its own, as users run it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from support.ports import free_port


class OperatorProcess:
    """Starts and ends `hub run`; its log goes to a file."""

    def __init__(self, kubeconfig: Path, log: Path, *flags: str) -> None:
        """`flags` follow those that every test needs: loopback allowed, a free port for health."""
        self.kubeconfig = kubeconfig
        self.log = log
        self.flags = flags
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process' id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until /readyz says so."""
        self._log_file = self.log.open("ab")
        self._process = subprocess.Popen(
            [
                sys.executable, "-W", "error", "-m", "integration_hub", "run",
                "--kubeconfig", str(self.kubeconfig), "--allow-cidr", "127.0.0.0/8",
                "--listen", f"127.0.0.1:{self.port}", "--log-format", "json", *self.flags,
            ],
            stdout=self._log_file, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.wait_for(lambda: self.get("/readyz")[0] == 200, "ready")

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of the operator's own HTTP server; status 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_for(self, condition: object, what: str, seconds: float = 60.0) -> None:
        """Wait until `condition()` is true; fail with the log's tail where it does not come or the process ends."""
        assert callable(condition)
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process is not None
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                tail = self.log.read_text()[-3000:]
                raise AssertionError(f"the operator is not {what} (exit code {ended}); its log ends:\n{tail}")
            time.sleep(0.05)

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """Send SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._wait()

    def stop(self) -> None:
        """End the process if it runs, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            self.terminate()

    def _wait(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(timeout=60)
        finally:
            if self._log_file is not None:
                self._log_file.close()
