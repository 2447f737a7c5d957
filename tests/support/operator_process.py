"""The operator as a process of its own, as users run it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from prometheus_client.parser import text_string_to_metric_families

from support.ports import free_port
from support.waiting import wait_until

Metrics = dict[tuple[str, ...], float]
"""Values by name and label values: `("hub_objects", "Secret")`."""


class OperatorProcess:
    """Starts and ends `hub run`; its log goes to a file."""

    def __init__(
        self, kubeconfig: Path, log: Path, *flags: str, program: Sequence[str] = ("-m", "integration_hub")
    ) -> None:
        """`flags` follow those that every test needs: loopback allowed, a free port for health.

        `program` is what Python runs: the operator, or the operator with a fault built in.
        """
        self.program = program
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

    def start(self, *, until_ready: bool = True) -> None:
        """Start and wait until /readyz says so, or until it answers at all."""
        self._log_file = self.log.open("ab")
        self._process = subprocess.Popen(
            [
                sys.executable, "-W", "error", *self.program, "run",
                "--kubeconfig", str(self.kubeconfig), "--allow-cidr", "127.0.0.0/8",
                "--listen", f"127.0.0.1:{self.port}", "--callback-listen", "127.0.0.1:0",
                "--log-format", "json", *self.flags,
            ],
            stdout=self._log_file, stderr=subprocess.STDOUT,
        )  # fmt: skip
        accepted = {200} if until_ready else {200, 503}
        self.wait_for(lambda: self.get("/readyz")[0] in accepted, "ready" if until_ready else "answering")

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

    def metrics(self) -> Metrics:
        """Return what /metrics says of the hub."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            if family.name.startswith("hub_")
            for sample in family.samples
        }

    def status_patches(self) -> int:
        """Return how many statuses of instances it has asked the API server to write since its start."""
        return int(self.metrics().get(("hub_api_calls_total", "PATCH integrationinstances/status"), 0))

    def tests_made(self) -> int:
        """Return how many tests of connections it has made since its start."""
        return int(
            sum(value for (name, *_), value in self.metrics().items() if name == "hub_connection_test_total")
        )

    def reconciles(self) -> float:
        """Return how many reconciles it has ended since its start."""
        return sum(value for (name, *_), value in self.metrics().items() if name == "hub_reconcile_total")

    def memory(self) -> tuple[float, float]:
        """Return what it holds in memory, and the most that it ever held, in MiB."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        resident, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return resident, peak

    def wait_until_idle(self) -> None:
        """Wait until nothing waits for a reconcile or is in one."""

        def busy() -> float:
            seen = self.metrics()
            return seen["hub_queue_depth",] + seen["hub_queue_working",]

        wait_until(busy, lambda count: count == 0, "the operator has nothing to do")

    def wait_for(self, condition: object, what: str, seconds: float = 60.0, pause: float = 0.05) -> None:
        """Wait until `condition()` is true; fail with the log's tail where it does not come or the process ends."""
        assert callable(condition)
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process is not None
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                tail = self.log.read_text()[-3000:]
                raise AssertionError(f"the operator is not {what} (exit code {ended}); its log ends:\n{tail}")
            time.sleep(pause)

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait for what comes of it."""
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended, whoever ends it, and return the exit code."""
        return self._wait()

    def kill(self) -> None:
        """Send SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._wait()

    def stop(self) -> None:
        """End the process if it runs, whatever state it is in."""
        if self._process is not None and self._process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def _wait(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(timeout=60)
        finally:
            if self._log_file is not None:
                self._log_file.close()
