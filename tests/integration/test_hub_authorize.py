"""`hub authorize` as a person runs it, against a real API server. The tests write statuses as the operator would."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_hub.devcluster import ControlPlane, ControlPlaneInfo
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.reconcile.times import timestamp
from support.hub_command import admin_kubeconfig
from support.instances import Api, Object, instance
from support.ports import free_port
from support.waiting import wait_until

pytestmark = pytest.mark.cluster

LINK = "https://login.example.com/authorize?response_type=code&client_id=hub&state=s1"
SECONDS = 60

Kubectl = Callable[..., Any]

REQUIRED = ("Unknown", "AuthorizationRequired", "A person must consent to this connection.")
CONNECTED = ("True", "Connected", "Connected to acme.example as ann@acme.example.")
DENIED = ("Unknown", "AuthorizationDenied", "The external system says 'access_denied'.")


def shown(url: str = LINK, *, code: str | None = None, minutes: int = 20) -> Object:
    """What status.authorization holds."""
    ends = timestamp(datetime.now(UTC) + timedelta(minutes=minutes))
    return {"url": url, "expiresAt": ends, "userCode": code}


class Hand:
    """The operator's hand: writes the status of one instance."""

    def __init__(self, api: Api, obj: Object) -> None:
        self._api = api
        self.obj = obj

    def write(self, ready: tuple[str, str, str], authorization: Object | None = None, **more: Any) -> None:
        condition = dict(zip(("status", "reason", "message"), ready, strict=True))
        status = {
            "observedGeneration": self.now()["metadata"]["generation"],
            "authType": "oauth2",
            "conditions": [
                {"type": "Ready", "lastTransitionTime": timestamp(datetime.now(UTC)), **condition}
            ],
            "authorization": authorization,
        }
        self._api.merge(self.obj, {"status": status | more}, "/status")

    def now(self) -> Object:
        return self._api.get(self.obj)

    def wish(self) -> str | None:
        annotations: dict[str, str] = self.now()["metadata"].get("annotations") or {}
        return annotations.get(AUTHORIZE_ANNOTATION)

    def delete(self) -> None:
        self._api.delete(self.obj)


class Run:
    """One run of the command in a pipe; what it writes is read while it runs."""

    def __init__(self, folder: Path, environment: dict[str, str], *words: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        folder.mkdir()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "integration_hub", "authorize", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
            )  # fmt: skip

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def shows(self, text: str) -> None:
        """Wait until something stands in what is under way."""
        wait_until(
            lambda: (self._process.poll(), self.err),
            lambda seen: text in seen[1] or seen[0] is not None,
            text,
        )
        assert text in self.err, self.err

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def ends(self, code: int) -> None:
        """Wait until it has ended, and so."""
        assert self._process.wait(SECONDS) == code, self.out + self.err
        assert "Traceback" not in self.err

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Person:
    """Runs the command with a kubeconfig of their own, at a machine with a browser."""

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str) -> None:
        self.folder = folder
        self.namespace = namespace
        self.opened = folder / "opened"
        browser = folder / "browser"
        # Each argument on a line of its own; the file is there when it is whole.
        browser.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > {self.opened}.part\nmv {self.opened}.part {self.opened}\n'
        )
        browser.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "DISPLAY"}}
        self.environment = kept | {
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(folder),
            "TERM": "xterm",
            "BROWSER": shlex.quote(str(browser)) + " %s",
        }
        self.runs: list[Run] = []

    def authorize(self, *words: str, **environment: str) -> Run:
        run = Run(self.folder / f"run-{len(self.runs)}", self.environment | environment, *words)
        self.runs.append(run)
        return run

    def on_a_terminal(self, *words: str, written: Callable[[str], object]) -> tuple[int, str]:
        """Run it in a real terminal; `written` is called with all that was written so far."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_hub", "authorize", *words],
            stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment,
        )  # fmt: skip
        os.close(theirs)
        seen = ""
        with suppress(OSError):  # what Linux says of a terminal whose other side is closed
            while piece := os.read(ours, 65536):
                seen += piece.decode()
                written(seen)
        os.close(ours)
        return process.wait(SECONDS), seen


@pytest.fixture
def person(
    tmp_path: Path, control_plane: ControlPlaneInfo, crds_installed: None, namespace: str
) -> Iterator[Person]:
    kubeconfig = admin_kubeconfig(tmp_path, control_plane, namespace)
    person = Person(tmp_path, kubeconfig, namespace)
    yield person
    for run in person.runs:
        run.kill()


@pytest.fixture
def applied(api: Api, namespace: str) -> Callable[..., Hand]:
    """`applied(name, **spec)` applies an instance and returns the hand that writes its status."""

    def apply(name: str = "billing", **spec: Any) -> Hand:
        (obj,) = api.apply(instance(namespace, name, "acme", secret=None, **spec))
        return Hand(api, obj)

    return apply


def test_it_shows_the_link_and_waits_until_the_connection_works(
    person: Person, applied: Callable[..., Hand]
) -> None:
    hand = applied()
    hand.write(REQUIRED, shown())
    run = person.authorize("billing")
    run.shows("Ctrl-C breaks nothing")
    assert f"\n  {LINK}\n" in run.err
    assert run.out == ""
    hand.write(CONNECTED)
    run.ends(0)
    assert run.out == f"Result: Success, Connected\n  {CONNECTED[2]}\n"
    assert run.err.count(LINK) == 1, "it is shown once, not with every look"
    assert not person.opened.exists(), "in a pipe no browser is opened"


def test_without_waiting_the_link_alone_is_printed_once_there_is_one(
    person: Person, applied: Callable[..., Hand]
) -> None:
    hand = applied()
    run = person.authorize("billing", "--wait=false")
    never = person.authorize("billing", "--no-wait", "--timeout", "1s")
    never.ends(4)
    hand.write(REQUIRED, shown(code="WDJB-MJHT"))
    run.ends(0)
    assert run.out == f"{LINK}\n"
    assert "Somebody must sign in" in run.err
    assert "Code: WDJB-MJHT" in run.err
    assert "then the operator makes another." in run.err
    assert "Waiting for you" not in run.err
    hand.write(CONNECTED)
    works = person.authorize("billing", "--no-wait")
    works.ends(0)
    assert works.out.startswith("Result: Success, Connected")


def test_news_while_it_waits_are_told_and_a_refusal_is_the_end(
    person: Person, applied: Callable[..., Hand]
) -> None:
    hand = applied()
    run = person.authorize("billing")
    other = person.authorize("billing", "--timeout", "2s")
    other.ends(4)
    assert "the operator has done nothing about it" in other.err
    hand.write(("False", "TokenEndpointBusy", "login.example.com asks for patience."))
    run.shows("Waiting: TokenEndpointBusy: login.example.com asks for patience.")
    hand.write(REQUIRED, shown())
    run.shows(LINK)
    hand.write(REQUIRED, shown(LINK + "-2"))
    run.shows(f"{LINK}-2\n")
    assert "What was shown before is of no use any more." in run.err
    hand.write(DENIED, shown(LINK + "-3"))
    run.ends(1)
    assert run.out.startswith(
        "Result: Failure, AuthorizationDenied\n  The external system says 'access_denied'.\n"
    )
    assert "What to do: Run 'hub authorize NAME' to try again" in run.out


def test_of_an_operator_that_stays_silent_the_command_is_named_that_shows_what_it_has_said(
    person: Person, applied: Callable[..., Hand]
) -> None:
    applied()
    run = person.authorize("billing")
    run.shows("The operator has done nothing about this yet.")
    assert f"hub status billing -n {person.namespace}' shows what it has said last." in run.err
    run.interrupt()


def test_a_device_code_is_shown_with_its_page(person: Person, applied: Callable[..., Hand]) -> None:
    hand = applied()
    hand.write(REQUIRED, shown("https://login.example.com/device", code="WDJB-MJHT"))
    run = person.authorize("billing", "--no-browser")
    run.shows("  Code: WDJB-MJHT\n")
    assert "  https://login.example.com/device\n" in run.err
    hand.write(("False", "PermissionDenied", "acme.example answered 403."))
    run.ends(1)
    assert "Result: Failure, PermissionDenied" in run.out


def test_ctrl_c_and_a_time_that_is_over_break_nothing(person: Person, applied: Callable[..., Hand]) -> None:
    hand = applied()
    hand.write(REQUIRED, shown())
    run, late = person.authorize("billing"), person.authorize("billing", "--timeout", "1s")
    run.shows("Ctrl-C breaks nothing")
    run.interrupt()
    run.ends(130)
    assert "Stopped waiting. That breaks nothing" in run.err
    late.ends(4)
    assert "Within 1 s nobody has finished signing in. Nothing is lost" in late.err
    assert (run.out, late.out) == ("", "")
    assert hand.now()["status"]["authorization"]["url"] == LINK


def test_once_more_asks_by_an_annotation_and_waits_for_its_answer(
    person: Person, applied: Callable[..., Hand], kubectl: Kubectl
) -> None:
    hands = {name: applied(name) for name in ("good", "bad")}
    for hand in hands.values():
        hand.write(CONNECTED, lastTested="2026-11-22T10:00:00Z")
    runs = {name: person.authorize(name, "--again") for name in hands}
    for name, hand in hands.items():
        wish = wait_until(hand.wish, bool, "the wish")
        assert wish
        managers = [entry["manager"] for entry in hand.now()["metadata"]["managedFields"]]
        assert "kubectl-hub" in managers
        hand.write(CONNECTED, shown(LINK + name))
        runs[name].shows(LINK + name)
        assert runs[name].out == "", "that it works now is not what is waited for"
    good, bad = hands["good"], hands["bad"]
    good.write(CONNECTED, lastHandledAuthorize=good.wish(), lastAuthorizeResult="Completed")
    bad.write(CONNECTED, lastHandledAuthorize=bad.wish(), lastAuthorizeResult="Refused")
    runs["good"].ends(0)
    assert "Success, Connected" in runs["good"].out
    runs["bad"].ends(1)
    assert "The new consent was refused, or does not work. The one before stays in use" in runs["bad"].out
    (advised,) = re.findall(r"'kubectl (events .*?)'", runs["bad"].out)
    kubectl(*advised.split())
    again = person.authorize("good", "--again")
    wait_until(good.wish, lambda wish: wish != good.now()["status"]["lastHandledAuthorize"], "another wish")
    again.interrupt()
    again.ends(130)


def test_what_is_asked_for_wrongly_is_explained(person: Person, applied: Callable[..., Hand]) -> None:
    applied().write(("False", "SecretNotFound", "There is no Secret 'key'."), authType="apiKey")
    applied("held", suspend=True).write(("Unknown", "Suspended", "Tests are suspended."))
    runs = {
        words: person.authorize(*words)
        for words in (
            ("billng",),
            ("billing",),
            ("billing", "--again"),
            ("held",),
            ("billing", "-n", "nowhere"),
        )
    }
    for words, code, said in (
        (("billng",), 2, "There is no IntegrationInstance 'billng'"),
        (("billng",), 2, "did you mean 'billing'?"),
        (("billing",), 2, "it authenticates with 'apiKey', whose credentials are in a Secret"),
        (("billing", "--again"), 2, "it authenticates with 'apiKey', whose credentials are in a Secret"),
        (("billing", "-n", "nowhere"), 2, "in namespace 'nowhere'. There are none at all."),
    ):
        runs[words].ends(code)
        assert said in runs[words].err
        assert runs[words].out == ""
    runs["held",].ends(1)
    assert "Set spec.suspend to false" in runs["held",].out
    assert applied().wish() is None, "a wish that nobody would fulfil is not written"


def test_what_is_in_the_way_is_explained(person: Person, applied: Callable[..., Hand]) -> None:
    nowhere = person.folder / "nowhere"
    config = json.loads(Path(person.environment["KUBECONFIG"]).read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    nowhere.write_text(json.dumps(config))
    stranger = person.folder / "stranger"
    config = json.loads(Path(person.environment["KUBECONFIG"]).read_text())
    config["users"][0]["user"] = {"token": "nobody"}
    stranger.write_text(json.dumps(config))
    hand = applied()
    hand.write(REQUIRED, shown())
    unreachable = person.authorize("billing", KUBECONFIG=str(nowhere))
    refused = person.authorize("billing", KUBECONFIG=str(stranger))
    missing = person.authorize("billing", "--kubeconfig", "/does/not/exist")
    deleted = person.authorize("billing")
    deleted.shows(LINK)
    hand.delete()
    for run, code, said in (
        (unreachable, 3, "cannot be reached"),
        (refused, 3, "does not accept your credentials"),
        (missing, 2, "/does/not/exist"),
        (deleted, 1, "was deleted meanwhile"),
    ):
        run.ends(code)
        assert said in run.err
        assert run.out == ""


def test_what_is_no_link_is_neither_opened_nor_shown_and_nothing_steers_the_terminal(
    person: Person, applied: Callable[..., Hand]
) -> None:
    evil = {
        "script": shown("javascript:alert(1)"),
        "file": shown("file:///etc/passwd"),
        "escape": shown("https://login.example.com/\x1b]0;owned\x07"),
        "lines": shown("https://login.example.com/\nOpen https://evil.example instead"),
    }
    runs: dict[str, Run] = {}
    for name, authorization in evil.items():
        applied(name).write(REQUIRED, authorization)
        runs[name] = person.authorize(name)
    applied("code").write(REQUIRED, shown(code="AB\x1b[2JCD\r\nEF"))
    runs["code"] = person.authorize("code", "--timeout", "1s")
    applied("words").write(("False", "ConfigInvalid", "bad\x1b[31m red\x07"))
    runs["words"] = person.authorize("words")
    for name in evil:
        runs[name].ends(1)
        assert "is neither opened nor shown" in runs[name].err
        assert evil[name]["url"] not in runs[name].err
    runs["code"].ends(4)
    runs["words"].ends(1)
    for run in runs.values():
        assert set(run.out + run.err) & {"\x1b", "\x07", "\r"} == set()


def test_on_a_terminal_the_link_is_opened_and_no_shell_sees_it(
    person: Person, applied: Callable[..., Hand]
) -> None:
    url = f"https://login.example.com/a?x=$(touch%20{person.folder}/owned)&y=`id`;z='\"<>|&"
    hand = applied()
    hand.write(REQUIRED, shown(url))

    def written(seen: str) -> None:
        if "Ctrl-C breaks nothing" in seen and not person.opened.exists():
            wait_until(person.opened.exists, bool, "the browser was asked to open it")
            hand.write(CONNECTED)

    code, seen = person.on_a_terminal("billing", written=written)
    assert code == 0
    assert "Your browser has been asked to open it." in seen
    assert url in seen
    assert "Success" in seen
    assert person.opened.read_text() == f"{url}\n", "as one argument, and nothing else"
    assert not (person.folder / "owned").exists()


def test_a_browser_that_cannot_be_opened_is_no_failure(person: Person, applied: Callable[..., Hand]) -> None:
    hand = applied()
    hand.write(REQUIRED, shown())
    person.environment["BROWSER"] = "/does/not/exist %s"

    def written(seen: str) -> None:
        if "No browser could be opened here" in seen:
            hand.write(CONNECTED)

    code, seen = person.on_a_terminal("billing", written=written)
    assert code == 0
    assert "open the link yourself" in seen


# The documentation


PAGE = Path(__file__).parents[2] / "docs" / "authorize.md"
DEVICE_PAGE = "https://login.example.com/device"


def steps() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with the output that it shows below."""
    for block in re.findall(r"(?ms)^```console\n(.*?)^```$", PAGE.read_text(encoding="utf-8")):
        command, _, output = block.removeprefix("$ ").partition("\n")
        yield command, output


def same_everywhere(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def test_the_page_shows_what_is_so(
    person: Person, applied: Callable[..., Hand], cluster: ControlPlane, tmp_path: Path
) -> None:
    hands = {"billing": applied("billing"), "screen": applied("screen")}
    hands["billing"].write(REQUIRED, shown())
    hands["screen"].write(REQUIRED, shown(DEVICE_PAGE, code="WDJB-MJHT"))
    hub = shlex.join([sys.executable, "-m", "integration_hub"])
    kubectl = shlex.join(cluster.kubectl_command())
    found = list(steps())
    assert len(found) == 5
    for number, (command, promised) in enumerate(found):
        typed = re.sub("^hub ", f"{hub} ", command)
        typed = re.sub("^kubectl ", f"{kubectl} ", typed).replace("-n shop", f"-n {person.namespace}")
        printed = tmp_path / f"printed-{number}"
        with printed.open("wb") as file:
            process = subprocess.Popen(
                ["/bin/sh", "-c", typed], env=person.environment, stdout=file, stderr=subprocess.STDOUT
            )
        if command.startswith("hub "):
            wait_until(printed.read_text, lambda text: "Ctrl-C breaks nothing" in text, "the link")
            hands[command.split()[2]].write(CONNECTED)
        assert process.wait(SECONDS) == 0
        so = printed.read_text().replace(person.namespace, "shop")
        assert same_everywhere(so) == same_everywhere(promised), (
            f"the page says of '{command}' what is not so"
        )
        if command.startswith("hub authorize billing"):
            hands["billing"].write(REQUIRED, shown())
        elif "jsonpath" in command:
            hands["billing"].write(CONNECTED)
    assert hands["billing"].wish()


def test_the_pages_example_of_an_ingress_is_one(person: Person, kubectl: Kubectl) -> None:
    (manifest,) = re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
    here = manifest.replace("namespace: integration-hub", f"namespace: {person.namespace}")
    kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=here)
