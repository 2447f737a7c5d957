"""The story of a run: control plane, CRDs, operator, services, manifests, verdicts, next steps, end."""

from __future__ import annotations

import secrets
import shlex
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo, ProgressPrinter
from integration_hub.devcluster.process import is_running
from integration_hub.devcluster.state import load_state
from integration_hub.examples.declaration import Declaration, Later, Promise, load_declaration
from integration_hub.examples.errors import ExampleError
from integration_hub.examples.kubectl import Kubectl
from integration_hub.examples.manifests import (
    Manifest,
    fill_in,
    load_manifests,
    namespaced_kinds,
    objects_of_kind,
    substitute,
    write_manifests,
)
from integration_hub.examples.processes import Child, RunFolder
from integration_hub.examples.promises import Key, Verdict, broken, comparison, verdicts
from integration_hub.examples.services import Folders, free_port, require_programs, start_service
from integration_hub.examples.terminal import Terminal

OPERATOR_LIMIT = 60.0
"""Seconds until the operator must be ready. It takes one or two on an idle machine."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended before its work was done, as shells have it."""

_POLL = 0.2
_WATCH = 1.0
_OPERATOR_FLAGS = ("--allow-cidr", "127.0.0.0/8", "--grace", "5s")
"""Everything that an example connects to listens on loopback, which the operator refuses otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to run, and how."""

    folder: Path
    """The example's folder."""
    crds: Path
    """The folder of the CRDs."""
    home: Path
    """The control plane's folder."""
    hub_kubectl: str
    """The command by which people reach this control plane's kubectl from their terminal."""
    once: bool = False
    """End with the verdicts, instead of at Ctrl-C."""
    timeout: float = 60.0
    """Seconds that verdicts may take."""


class Runner:
    """One run of one example."""

    def __init__(self, settings: Settings, stream: TextIO, *, moves: bool) -> None:
        """Start nothing yet. `moves` says whether the stream is a terminal on which a line may change."""
        self._settings = settings
        self._stream = stream
        self._moves = moves
        self._terminal = Terminal(stream, moves=moves)
        self._plane = ControlPlane(settings.home)
        self._ends = ExitStack()
        self._children: list[Child] = []

    def run(self) -> int:
        """Run; return the exit code. Whatever it started has ended by then, and nothing else has."""
        declaration, manifests = self._read()
        with _interruptible() as shield:
            try:
                return self._run(declaration, manifests)
            except KeyboardInterrupt:
                self._terminal.say("\nInterrupted.")
                return INTERRUPTED
            finally:
                shield()
                self._ends.close()

    def _read(self) -> tuple[Declaration, tuple[Manifest, ...]]:
        declaration = load_declaration(self._settings.folder)
        manifests = load_manifests(self._settings.folder)
        _require_complete(declaration, manifests, self._settings.folder)
        require_programs(declaration.services)
        return declaration, manifests

    def _run(self, declaration: Declaration, manifests: tuple[Manifest, ...]) -> int:
        self._terminal.say(declaration.title)
        info = self._start_control_plane()
        kubectl = Kubectl(self._plane.kubectl_command())
        folder = self._ends.enter_context(RunFolder(self._plane.home.root / "examples"))
        own_folder = folder.root / self._settings.folder.name
        self._install_crds(kubectl)
        self._reset(kubectl, manifests)
        variables = self._variables(info) | self._start_operator(info, folder)
        variables |= self._start_services(declaration, variables, own_folder, folder.children)
        written = self._apply(kubectl, manifests, variables, own_folder / "manifests")
        kept = self._settle(kubectl, "Verdicts", declaration.promises)
        self._terminal.say()
        self._terminal.say(self._table(kubectl, declaration.promises))
        if self._settings.once:
            return 0 if kept and self._do_later(kubectl, declaration.later, variables, written) else 1
        self._write_later(declaration.later, variables, written)
        self._suggest(declaration, written)
        return self._stay() if kept else max(1, self._stay())

    # The steps, in their order

    def _start_control_plane(self) -> ControlPlaneInfo:
        home = self._plane.home
        if load_state(home.state).kind:
            raise ExampleError(
                f"The cluster of {home.root} is one of kind, and examples run on the embedded control plane.",
                "Name another folder with --home.",
            )
        if not home.lock.exists() and not home.state.exists():
            # Its cluster was purged. What was made for it is of no use, and `up` takes only an empty folder.
            shutil.rmtree(home.root / "examples", ignore_errors=True)
        was_running = is_running(home.lock)
        with self._terminal.step("Control plane") as done:
            try:
                with ProgressPrinter(self._stream, moves=self._moves) as progress:
                    info = self._plane.up(progress)
            except BaseException:
                if not was_running:
                    self._plane.down()
                raise
            if info.started:
                self._ends.callback(self._stop_control_plane)
            done(f"{info.server} ({'started' if info.started else 'was running already, and will stay'})")
        return info

    def _install_crds(self, kubectl: Kubectl) -> None:
        with self._terminal.step("CRDs") as done:
            # Ours alone, so a field that another manager took over, say by 'kubectl edit', is taken back.
            kubectl("apply", "--server-side", "--force-conflicts", "-f", self._settings.crds)
            kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", self._settings.crds)
            _retry(lambda: kubectl("get", "integrationdefinitions,integrationinstances", "-A"), seconds=30)
            done("installed")

    def _reset(self, kubectl: Kubectl, manifests: tuple[Manifest, ...]) -> None:
        """Delete what an earlier run left: its Secrets, for instance, would change what is promised.

        Not the namespace itself: Kubernetes waits five seconds before it begins with that.
        """
        present = {item["metadata"]["name"] for item in kubectl.items("namespaces")}
        old = [name for _, name in objects_of_kind(manifests, "Namespace") if name in present]
        kinds = ",".join(sorted(namespaced_kinds(manifests) | {"Secret"}))
        if old:
            with self._terminal.step("Namespace") as done:
                for name in old:
                    kubectl("delete", kinds, "--all", "-n", name, "--timeout=60s")
                done(f"{', '.join(old)}: emptied of what an earlier run left")

    def _start_operator(self, info: ControlPlaneInfo, folder: RunFolder) -> dict[str, str]:
        """Start it, and return what others must know of it: where browsers come back to with a consent."""
        address, callback = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        callback_url = f"http://{callback}/oauth/callback"
        listen = ["--listen", address, "--callback-listen", callback, "--callback-url", callback_url]
        flags = ["--kubeconfig", str(info.kubeconfig), *listen, *_OPERATOR_FLAGS]
        with self._terminal.step("Operator") as done:
            operator = Child(
                "The operator",
                [sys.executable, "-m", "integration_hub", "run", *flags],
                folder.root / "operator.log",
                folder.children,
            )
            self._own(operator)
            deadline = time.monotonic() + OPERATOR_LIMIT
            while not _is_ready(f"http://{address}/readyz"):
                operator.require_running()
                if time.monotonic() > deadline:
                    raise ExampleError("The operator is not ready in time.", f"See its log: {operator.log}.")
                time.sleep(_POLL)
            done(f"ready; its log: {operator.log}")
        return {"CALLBACK_URL": callback_url}

    def _start_services(
        self, declaration: Declaration, known: Mapping[str, str], folder: Path, lock: int
    ) -> dict[str, str]:
        variables = {name: _example_password() for name in declaration.passwords}
        for service in declaration.services:
            with self._terminal.step("Service") as done:
                running = start_service(
                    service,
                    Folders(self._settings.folder, folder / service.name),
                    {**known, **variables},
                    lock,
                    self._own,
                )
                variables |= running.variables
                done(f"{service.name} at {running.url}; its log: {running.child.log}")
        return variables

    def _apply(
        self, kubectl: Kubectl, manifests: tuple[Manifest, ...], variables: dict[str, str], folder: Path
    ) -> Path:
        with self._terminal.step("Manifests") as done:
            write_manifests(tuple(fill_in(manifest, variables) for manifest in manifests), folder)
            _apply(kubectl, folder)
            done(f"applied from {folder}")
        return folder

    def _settle(self, kubectl: Kubectl, name: str, promises: Sequence[Promise]) -> bool:
        """Wait until all promises are kept; return False and say which are not if time runs out."""
        with self._terminal.step(name) as done:
            found = self._wait_for(kubectl, promises)
            left = broken(promises, found)
            done(f"{len(promises) - len(left)} of {len(promises)} as promised")
        if left:
            self._terminal.say(comparison(promises, found))
        return not left

    def _table(self, kubectl: Kubectl, promises: Sequence[Promise]) -> str:
        namespaces = sorted({promise.namespace for promise in promises})
        where = ["-n", *namespaces] if len(namespaces) == 1 else ["-A"]
        return kubectl("get", "iinst", *where)

    def _do_later(
        self, kubectl: Kubectl, steps: Sequence[Later], variables: dict[str, str], folder: Path
    ) -> bool:
        self._write_later(steps, variables, folder)
        for step in steps:
            self._terminal.say(f"{step.title}: kubectl apply -f {step.apply}/")
            _apply(kubectl, folder / step.apply)
            if not self._settle(kubectl, "Verdicts", step.promises):
                return False
            self._terminal.say()
            self._terminal.say(self._table(kubectl, step.promises))
        return True

    def _write_later(self, steps: Sequence[Later], variables: dict[str, str], folder: Path) -> None:
        for step in steps:
            manifests = load_manifests(self._settings.folder / step.apply)
            write_manifests(tuple(fill_in(item, variables) for item in manifests), folder / step.apply)

    def _suggest(self, declaration: Declaration, folder: Path) -> None:
        variables = {"KUBECTL": self._settings.hub_kubectl, "MANIFESTS": shlex.quote(str(folder))}
        self._terminal.say("Next, in another terminal:")
        for suggestion in declaration.next:
            self._terminal.say(f"\n# {suggestion.why}")
            self._terminal.say(substitute(suggestion.run, variables, "example.yaml: next").strip())
        self._terminal.say()

    def _stay(self) -> int:
        """Keep everything running until Ctrl-C; raise ExampleError if something ends before."""
        self._terminal.say("The operator is running. Press Ctrl-C to stop.")
        try:
            while True:
                self._require_running()
                time.sleep(_WATCH)
        except KeyboardInterrupt:
            self._terminal.say("\nStopping.")
            return 0

    # What the steps share

    def _variables(self, info: ControlPlaneInfo) -> dict[str, str]:
        return {"API_SERVER": info.server, "API_SERVER_CA": info.ca_file.read_text(encoding="ascii")}

    def _wait_for(self, kubectl: Kubectl, promises: Sequence[Promise]) -> dict[Key, Verdict]:
        deadline = time.monotonic() + self._settings.timeout
        while True:
            found = verdicts(kubectl.items("integrationinstances", "-A"))
            if not broken(promises, found) or time.monotonic() > deadline:
                return found
            self._require_running()
            time.sleep(_POLL)

    def _require_running(self) -> None:
        for child in self._children:
            child.require_running()
        if not is_running(self._plane.home.lock):
            raise ExampleError("The control plane has ended.", f"See its log: {self._plane.home.log}.")

    def _own(self, child: Child) -> None:
        self._children.append(child)
        self._ends.callback(child.stop)

    def _stop_control_plane(self) -> None:
        self._plane.down()


def _require_complete(declaration: Declaration, manifests: tuple[Manifest, ...], folder: Path) -> None:
    """Each instance must have a promise, and each promise an instance, or a run proves less than it says."""
    applied = set(objects_of_kind(manifests, "IntegrationInstance"))
    promised = {(promise.namespace, promise.name) for promise in declaration.promises}
    for key in sorted(applied - promised):
        raise ExampleError(
            f"{folder}: the instance {'/'.join(key)} has no promise.",
            "Say in example.yaml what becomes of it.",
        )
    for key in sorted(promised - applied):
        raise ExampleError(
            f"{folder}: example.yaml promises something of {'/'.join(key)}, which no manifest defines.",
            "Correct the name, or add the instance.",
        )


def _apply(kubectl: Kubectl, folder: Path) -> None:
    # Server-side, since the other way copies every value, those of Secrets too, into an annotation.
    kubectl("apply", "--server-side", "--force-conflicts", "-f", folder)


def _retry(attempt: Callable[[], object], *, seconds: float) -> None:
    """Repeat until it works: the API server serves a new kind a moment after it says so."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
        except ExampleError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
        else:
            return


def _is_ready(url: str) -> bool:
    try:
        # An opener of its own: a proxy that the environment names must not be asked for loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False


def _example_password() -> str:
    # Says what it is, wherever it may turn up; still nobody can guess it.
    return f"example-{secrets.token_urlsafe(12)}"


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let SIGTERM do what Ctrl-C does. The function it gives ends that, for what must not be cut short."""

    def interrupt(_signal: int, _frame: object) -> None:
        shield()
        raise KeyboardInterrupt

    def shield() -> None:
        for number in previous:
            signal.signal(number, lambda _signal, _frame: None)

    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in previous:
        signal.signal(number, interrupt)
    try:
        yield shield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
