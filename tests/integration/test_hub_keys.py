"""`hub keys` as a user runs it, against a real API server. Nothing that it prints may hold a key or a token."""

from __future__ import annotations

import asyncio
import base64
import os
import pty
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integration_hub.adapters.kube import SECRETS, KubeClient
from integration_hub.credentials.keyring import Keyring, new_keyring, with_new_key, without
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.reconcile.times import timestamp
from integration_hub.shell.keyring_source import (
    keyring_manifest,
)
from support.gate import Gate
from support.hub_command import Ran, forms, press_ctrl_c, user_kubeconfig
from support.records import (
    FIELDS,
    NAME,
    NarrowPipe,
    Records,
    manifest,
    nobody_there,
    source,
)
from support.waiting import wait_until

pytest_plugins = ["support.record_fixtures"]

pytestmark = pytest.mark.cluster

Prune = Callable[..., Awaitable[int]]

OLD = new_keyring(secrets.token_bytes)
NEW = with_new_key(OLD, secrets.token_bytes)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C until it is noticed: a signal that comes just before Python begins to read a line is not, yet."""
    for _ in range(20):
        press_ctrl_c(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
            return


class HubKeys:
    """Runs `hub keys` as a user does. Nothing that it prints may hold a key or what is sealed."""

    def __init__(self, kubeconfig: Path, namespace: str, home: Path) -> None:
        self.environment = {
            name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "NO_COLOR"}
        } | {"HOME": str(home), "TERM": "xterm", "KUBECONFIG": str(kubeconfig)}
        self._place = ("--keyring", f"{namespace}/{NAME}")
        self.canaries: set[str] = set().union(*map(forms, ("canary-of-a-token",)))

    def keep_secret(self, keyring: Keyring) -> None:
        for key in keyring.keys.values():
            self.canaries |= {key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1]}

    def command(self, *words: str, strict: bool = True) -> list[str]:
        warnings = ("-W", "error") if strict else ()
        return [sys.executable, *warnings, "-m", "integration_hub", "keys", *words, *self._place]

    def start(
        self, *words: str, kubeconfig: Path | None = None, strict: bool = True
    ) -> subprocess.Popen[str]:
        other = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
        return self.start_python(*self.command(*words, strict=strict)[1:], **other)

    def start_python(self, *words: str, **other: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | other,
        )

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        out, err = process.communicate(timeout=60)
        self._check(out + err)
        return Ran(process.returncode, out, err)

    def run(self, *words: str, kubeconfig: Path | None = None) -> Ran:
        return self.ended(self.start(*words, kubeconfig=kubeconfig))

    def on_a_terminal(self, *words: str, answer: str = "") -> tuple[int, str]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            self.command(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        hangs = threading.Timer(60, process.kill)
        hangs.start()
        seen, answered = "", not answer
        with suppress(OSError):  # what Linux says of a terminal whose other side is closed
            while piece := os.read(ours, 65536):
                seen += piece.decode()
                if not answered and "[y/N]" in seen:
                    answered = True
                    if answer == "Ctrl-C":
                        interrupt(process)
                    else:
                        os.write(ours, f"{answer}\n".encode())
        os.close(ours)
        code = process.wait(60)
        hangs.cancel()
        self._check(seen)
        return code, seen

    def _check(self, text: str) -> None:
        assert [form for form in self.canaries if form in text] == []
        assert "Traceback" not in text


@pytest.fixture
def hub_keys(control_plane: ControlPlaneInfo, namespace: str, no_records: None, tmp_path: Path) -> HubKeys:
    return HubKeys(control_plane.kubeconfig, namespace, tmp_path)


async def make_keyring(
    kube: KubeClient, namespace: str, hub: HubKeys, keyring: Keyring, *, minutes_old: int = 60
) -> Keyring:
    made = keyring_manifest(NAME, keyring)
    since = timestamp(datetime.now(UTC) - timedelta(minutes=minutes_old))
    made["metadata"]["annotations"] = dict.fromkeys(made["metadata"]["annotations"], since)
    await kube.create_secret(namespace, made)
    hub.keep_secret(keyring)
    return keyring


async def stored_keyring(kube: KubeClient, namespace: str, hub: HubKeys) -> Keyring:
    """Return what is in the cluster now; from here on, none of its keys may be printed."""
    one = source(kube, namespace)
    await one.refresh()
    hub.keep_secret(one.current())
    return one.current()


async def run(hub: HubKeys, *words: str, **options: Any) -> Ran:
    return await asyncio.to_thread(hub.run, *words, **options)


async def test_list_shows_each_key_with_its_age_and_its_records(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    keyring = await make_keyring(kube, namespace, hub_keys, NEW, minutes_old=185)
    await records.add(OLD, 3)
    await records.add(new_keyring(secrets.token_bytes))
    [empty] = await records.add(OLD)
    await kube.replace_secret(empty.namespace, await records.raw(empty) | {"data": {}})

    ran = await run(hub_keys, "list")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["KEY", "STATE", "AGE", "CHECK", "RECORDS"],
        ["key-1", "opens", "3h", keyring.check(1), "3"],
        ["key-2", "active", "3h", keyring.check(2), "0"],
    ]
    assert "1 record cannot be opened: the key-1 with check" in ran.err
    assert f"{empty}: cannot be read" in ran.err

    ran = await run(hub_keys, "list", "-o", "json")
    assert [(key["name"], key["state"], key["records"]) for key in ran.data["keys"]] == [
        ("key-1", "opens", 3),
        ("key-2", "active", 0),
    ]
    assert ran.data["keyring"] == {"namespace": namespace, "name": NAME}
    assert [lost["records"] for lost in ran.data["lost"]] == [1]
    assert ran.data["unreadable"] == [str(empty)]
    bare = await run(hub_keys, "list", "--no-headers")
    assert [line.split()[0] for line in bare.out.splitlines()] == ["key-1", "key-2"]
    found = await run(hub_keys, "list", "-o", "jsonpath={.keys[?(@.state=='active')].name}")
    assert found.out == "key-2"


async def test_rotate_adds_a_key_and_seals_all_records_with_it(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    await make_keyring(kube, namespace, hub_keys, OLD)
    await records.add(OLD, 101)
    ran = await run(hub_keys, "rotate")
    assert ran.code == 0, ran.err
    assert ran.out == "key-2 is the active key: 101 records sealed anew, 0 were already.\n"
    assert ran.err == "100 records looked at, 100 sealed anew\n"
    keyring = await stored_keyring(kube, namespace, hub_keys)
    assert keyring.numbers == (1, 2)
    assert keyring.keys[1] == OLD.keys[1]
    for place in records.places:
        assert await records.opened(place, without(keyring, 1)) == FIELDS
    assert (await run(hub_keys, "list")).out.splitlines()[2].split()[1] == "active"


async def test_rotate_without_waiting_leaves_the_records_to_the_operator(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    await make_keyring(kube, namespace, hub_keys, OLD)
    [place] = await records.add(OLD)
    ran = await run(hub_keys, "rotate", "--no-wait")
    assert (ran.code, ran.err) == (0, "")
    assert "The operator seals the records with it in the background" in ran.out
    assert await records.under() == {place: 1}
    assert (await stored_keyring(kube, namespace, hub_keys)).active == 2

    ran = await run(hub_keys, "rotate", "--resume")
    assert ran.out == "key-2 is the active key: 1 record sealed anew, 0 were already.\n"
    assert await records.under() == {place: 2}
    assert (await stored_keyring(kube, namespace, hub_keys)).active == 2, "resuming adds no key"


@pytest.mark.parametrize(
    ("dry_run", "said"), [("client", "nothing was sent"), ("server", "the API server agrees")]
)
async def test_a_dry_run_says_what_would_be_done_and_does_nothing(  # noqa: PLR0917 - fixtures
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records, dry_run: str, said: str
) -> None:
    before = await make_keyring(kube, namespace, hub_keys, NEW, minutes_old=185)
    [place] = await records.add(NEW)
    rotated = await run(hub_keys, "rotate", f"--dry-run={dry_run}")
    assert rotated.out == f"key-3 would be added, and 1 record would be sealed with key-3 ({said}).\n"
    resumed = await run(hub_keys, "rotate", "--resume", f"--dry-run={dry_run}")
    assert resumed.out == f"0 records would be sealed with key-2 ({said}).\n"
    pruned = await run(hub_keys, "prune", f"--dry-run={dry_run}")
    assert pruned.out == f"key-1 would be removed ({said}).\n"
    assert [(ran.code, ran.err) for ran in (rotated, resumed, pruned)] == [(0, "")] * 3
    assert await stored_keyring(kube, namespace, hub_keys) == before
    assert await records.under() == {place: 2}


async def test_a_rotation_that_is_stopped_is_resumed_and_says_how(  # noqa: PLR0917 - fixtures
    kube: KubeClient, control_plane: ControlPlaneInfo, namespace: str, hub_keys: HubKeys, records: Records,
    tmp_path: Path,
) -> None:  # fmt: skip
    await make_keyring(kube, namespace, hub_keys, OLD)
    await records.add(OLD, 30, tokens=bytes(8192))
    async with NarrowPipe(control_plane.server, most=150_000) as pipe:
        narrow = user_kubeconfig(
            tmp_path / "narrow", server=pipe.url, ca_file=control_plane.ca_file, like=control_plane.kubeconfig
        )
        # Not strict: a connection that is stuck does not close properly.
        process = hub_keys.start("rotate", kubeconfig=narrow, strict=False)
        await asyncio.to_thread(wait_until, lambda: pipe.is_stuck, bool, "the pipe is full")
        press_ctrl_c(process)
        ran = await asyncio.to_thread(hub_keys.ended, process)
    assert ran.code == 130
    assert "Stopped. key-2 is added and active." in ran.err
    assert "'hub keys rotate --resume' goes on from here" in ran.err
    done = sum(number == 2 for number in (await records.under()).values())
    assert 0 < done < 30

    ran = await run(hub_keys, "rotate", "--resume")
    assert (ran.code, ran.out) == (
        0, f"key-2 is the active key: {30 - done} records sealed anew, {done} were already.\n"
    )  # fmt: skip
    keyring = await stored_keyring(kube, namespace, hub_keys)
    assert keyring.numbers == (1, 2)
    for place in records.places:
        await records.opened(place, keyring)


async def test_a_rotation_that_leaves_a_record_behind_fails_and_names_it(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    await make_keyring(kube, namespace, hub_keys, OLD)
    [lost] = await records.add(new_keyring(secrets.token_bytes))
    await records.add(OLD)
    ran = await run(hub_keys, "rotate")
    assert (ran.code, ran.out) == (1, "key-2 is the active key: 1 record sealed anew, 0 were already.\n")
    assert f"{lost}: cannot be opened and stays as it is: it is sealed with another key-1" in ran.err


async def test_on_a_terminal_a_rotation_shows_one_line_that_changes(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    await make_keyring(kube, namespace, hub_keys, OLD)
    await records.add(OLD, 2)
    plain, words = await asyncio.to_thread(hub_keys.on_a_terminal, "rotate", "--plain")
    assert (plain, "\x1b" in words) == (0, False)
    code, seen = await asyncio.to_thread(hub_keys.on_a_terminal, "rotate")
    assert code == 0
    assert "\r\x1b[2K1 record looked at, 1 sealed anew\r\x1b[2K2 records looked at, 2 sealed anew\r\n" in seen


async def test_prune_removes_what_no_record_needs_and_keeps_the_rest(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    three = with_new_key(NEW, secrets.token_bytes)
    await make_keyring(kube, namespace, hub_keys, three)
    await records.add(NEW, 2)
    ran = await run(hub_keys, "prune", "--yes")
    assert (ran.code, ran.out) == (0, "Removed key-1.\n")
    assert "key-2 is needed by 2 records and stays. 'hub keys rotate --resume'" in ran.err
    assert await stored_keyring(kube, namespace, hub_keys) == without(three, 1)
    annotations = (await kube.read(SECRETS, namespace, NAME))["metadata"]["annotations"]
    assert sorted(annotations) == ["integrationhub.dev/key-2-since", "integrationhub.dev/key-3-since"]

    ran = await run(hub_keys, "prune", "--yes")
    assert (ran.code, ran.out) == (0, "No key is without use: nothing was removed.\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("2", "--yes"), 1, "key-2 is needed by 1 record and stays"),
        (("1", "2", "--yes"), 1, "key-2 is needed by 1 record and stays"),
        (("key-1", "key-2", "--yes"), 1, "key-2 is needed by 1 record and stays"),
        (("3", "--yes"), 1, "key-3 is the active key"),
        (("7", "--yes"), 2, "There is no key-7: there are key-1, key-2, key-3"),
        (("1",), 2, "There is nobody to ask: add --yes"),
    ],
    ids=["used", "one of them used", "one of them used, by name", "active", "unknown", "nobody to ask"],
)
async def test_prune_refuses_and_removes_nothing(  # noqa: PLR0917 - fixtures
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records,
    words: tuple[str, ...], code: int, said: str,
) -> None:  # fmt: skip
    three = with_new_key(NEW, secrets.token_bytes)
    await make_keyring(kube, namespace, hub_keys, three)
    await records.add(NEW)
    ran = await run(hub_keys, "prune", *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert await stored_keyring(kube, namespace, hub_keys) == three


async def test_prune_waits_until_every_operator_knows_the_new_key(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records
) -> None:
    await make_keyring(kube, namespace, hub_keys, NEW, minutes_old=3)
    ran = await run(hub_keys, "prune", "--yes")
    assert ran.code == 1
    assert "key-2 is only 3m old" in ran.err
    assert "Wait until it is 10m old, or add --now" in ran.err
    assert (await run(hub_keys, "prune", "key-1", "--yes", "--now")).out == "Removed key-1.\n"


@pytest.mark.parametrize(
    ("answer", "code", "numbers"),
    [("y", 0, (2,)), ("n", 1, (1, 2)), ("", 1, (1, 2)), ("Ctrl-C", 130, (1, 2))],
)
async def test_prune_asks_on_a_terminal(  # noqa: PLR0917 - fixtures
    kube: KubeClient, namespace: str, hub_keys: HubKeys, answer: str, code: int, numbers: tuple[int, ...]
) -> None:
    await make_keyring(kube, namespace, hub_keys, NEW)
    ended, seen = await asyncio.to_thread(hub_keys.on_a_terminal, "prune", answer=answer or "N")
    assert ended == code
    assert f"Remove key-1 from the Secret '{NAME}' in namespace '{namespace}'?" in seen
    assert (await stored_keyring(kube, namespace, hub_keys)).numbers == numbers


async def test_a_record_that_is_written_with_a_key_as_it_is_removed_brings_it_back(  # noqa: PLR0917 - fixtures
    kube: KubeClient, namespace: str, hub_keys: HubKeys, records: Records, control_plane: ControlPlaneInfo,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from integration_hub.cli.keys import run as keys_run  # noqa: PLC0415

    class Late(KubeClient):
        """A client beside which an operator that knows only the old key writes, just after it was removed."""

        async def replace_secret(self, namespace: str, manifest: Any) -> dict[str, Any]:
            answer = await super().replace_secret(namespace, manifest)
            if len(manifest["data"]) == 1:
                await Records(self, namespace).add(OLD)
            return answer

    await make_keyring(kube, namespace, hub_keys, NEW)
    monkeypatch.setattr(keys_run, "KubeClient", Late)
    where = keys_run.Where(control_plane.kubeconfig, None, namespace, NAME)
    code = await asyncio.to_thread(keys_run.prune, where, (), yes=True, now=False)
    assert code == 1
    assert (
        "A record was written with key-1 at this moment, so all keys were put back" in capsys.readouterr().err
    )
    assert await stored_keyring(kube, namespace, hub_keys) == NEW


class Trouble(KubeClient):
    """A client to which something happens as it takes a key out of the keyring, and to which more happens later."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[], None] = staticmethod(lambda: None)
    again: Callable[[], None] = staticmethod(lambda: None)
    """At the second time that the keyring is looked at after that."""
    looks = -1
    """How often it was looked at since; below 0 before."""

    async def replace_secret(self, namespace: str, manifest: Any) -> dict[str, Any]:
        is_removal = len(manifest["data"]) == 1
        if is_removal:
            await super().read(
                SECRETS, namespace, NAME
            )  # a gate can only lose what goes through a connection
            self.before()
            type(self).looks = 0
        answer = await super().replace_secret(namespace, manifest)
        if is_removal:
            self.after()
        return answer

    async def read(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        if name == NAME and self.looks >= 0:
            type(self).looks += 1
            if self.looks == 2:
                self.again()
        return await super().read(resource, namespace, name)


@pytest.fixture
async def prune(  # noqa: PLR0917 - fixtures
    kube: KubeClient, namespace: str, hub_keys: HubKeys, control_plane: ControlPlaneInfo, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Prune]:  # fmt: skip
    """Prune key-1 through a gate, with what happens to that at which moment; return the exit code."""
    from integration_hub.cli.keys import removal as keys_removal  # noqa: PLC0415
    from integration_hub.cli.keys import run as keys_run  # noqa: PLC0415

    await make_keyring(kube, namespace, hub_keys, NEW)
    monkeypatch.setattr(keys_run, "KubeClient", Trouble)
    monkeypatch.setattr(keys_removal, "PUT_BACK_PAUSES", (0.1, 0.1))
    monkeypatch.setattr(Trouble, "looks", -1)
    loop = asyncio.get_running_loop()
    async with Gate(control_plane, tmp_path) as gate:

        async def prune(**happens: Callable[[Gate], None]) -> int:
            for moment, what in happens.items():

                def happen(what: Callable[[Gate], None] = what) -> None:
                    done = threading.Event()
                    loop.call_soon_threadsafe(what, gate)
                    loop.call_soon_threadsafe(done.set)
                    assert done.wait(10)

                monkeypatch.setattr(Trouble, moment, staticmethod(happen))
            where = keys_run.Where(gate.kubeconfig, None, namespace, NAME)
            return await asyncio.to_thread(keys_run.prune, where, (), yes=True, now=False)

        yield prune


async def test_a_key_is_put_back_where_nobody_can_tell_whether_it_is_needed(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, prune: Prune, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await prune(after=Gate.shut, again=Gate.open)
    said = capsys.readouterr().err
    assert code == 3
    assert "cannot be reached" in said
    assert "key-1 was put back, so all keys are there" in said
    assert "Nothing was changed" not in said
    assert await stored_keyring(kube, namespace, hub_keys) == NEW


async def test_a_key_that_cannot_be_put_back_is_named_with_what_to_do(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, prune: Prune, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await prune(after=Gate.shut)
    said = capsys.readouterr().err
    assert code == 3
    assert "Nothing was changed" not in said
    assert f"key-1 was taken out of the Secret '{NAME}' in namespace '{namespace}'" in said
    assert f"key-1 (check {NEW.check(1)}) from your backup" in said
    assert await stored_keyring(kube, namespace, hub_keys) == without(NEW, 1)


STOPPED = """
import os, signal, sys
from pathlib import Path
from integration_hub.cli.keys import run as keys_run

class Stopped(keys_run.KubeClient):
    async def replace_secret(self, namespace, manifest):
        answer = await super().replace_secret(namespace, manifest)
        if len(manifest["data"]) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return answer

keys_run.KubeClient = Stopped
where = keys_run.Where(Path(sys.argv[1]), None, sys.argv[2], sys.argv[3])
sys.exit(keys_run.prune(where, (), yes=True, now=False))
"""
"""Somebody presses Ctrl-C as soon as the key is out."""


async def test_who_is_stopped_before_the_second_look_puts_the_key_back(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, control_plane: ControlPlaneInfo
) -> None:
    await make_keyring(kube, namespace, hub_keys, NEW)
    words = ("-W", "error", "-c", STOPPED, str(control_plane.kubeconfig), namespace, NAME)
    ran = await asyncio.to_thread(lambda: hub_keys.ended(hub_keys.start_python(*words)))
    assert ran.code == 130
    assert "Stopped. key-1 was put back, so all keys are there." in ran.err
    assert await stored_keyring(kube, namespace, hub_keys) == NEW


async def test_a_removal_whose_answer_was_lost_is_undone(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, prune: Prune, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await prune(before=lambda gate: gate.lose_answers(2))
    assert code == 3
    assert "key-1 was put back" in capsys.readouterr().err
    assert await stored_keyring(kube, namespace, hub_keys) == NEW


async def test_a_removal_that_the_http_library_has_sent_twice_is_no_conflict_with_itself(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, prune: Prune, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await prune(before=Gate.lose_answers)
    assert (code, capsys.readouterr().out) == (0, "Removed key-1.\n")
    assert await stored_keyring(kube, namespace, hub_keys) == without(NEW, 1)


async def test_a_key_that_is_put_back_leaves_what_somebody_else_has_added_meanwhile(
    kube: KubeClient, namespace: str, hub_keys: HubKeys, prune: Prune, control_plane: ControlPlaneInfo
) -> None:
    def rotate(gate: Gate) -> None:
        rotated = subprocess.run(
            hub_keys.command("rotate", "--no-wait"), env=hub_keys.environment, check=False
        )
        assert rotated.returncode == 0
        gate.shut()

    assert await prune(after=rotate, again=Gate.open) == 3
    assert (await stored_keyring(kube, namespace, hub_keys)).numbers == (1, 2, 3)


async def test_two_rotations_at_once_add_no_key_over_each_other(
    kube: KubeClient, namespace: str, hub_keys: HubKeys
) -> None:
    await make_keyring(kube, namespace, hub_keys, OLD)
    runs = await asyncio.gather(*(run(hub_keys, "rotate", "--no-wait") for _ in range(2)))
    added = sum(ran.code == 0 for ran in runs)
    assert added >= 1
    assert all("was changed by somebody else" in ran.err for ran in runs if ran.code)
    assert len((await stored_keyring(kube, namespace, hub_keys)).numbers) == 1 + added


async def test_what_is_in_the_way_is_told_with_what_to_do(  # noqa: PLR0917 - fixtures
    kube: KubeClient, control_plane: ControlPlaneInfo, namespace: str, hub_keys: HubKeys, powerless: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    commands = (("list",), ("rotate",), ("prune", "--yes"))
    dead = nobody_there(control_plane, tmp_path)
    no_file = tmp_path / "missing"
    runs = await asyncio.gather(
        *(run(hub_keys, *words) for words in commands),
        *(run(hub_keys, *words, kubeconfig=powerless) for words in commands),
        *(run(hub_keys, *words, kubeconfig=dead) for words in commands),
        run(hub_keys, "list", kubeconfig=no_file),
        run(hub_keys, "list", "--kubeconfig", str(no_file)),
    )
    absent, forbidden, unreachable = runs[:3], runs[3:6], runs[6:9]
    for ran in absent:
        assert (ran.code, ran.out) == (2, "")
        assert (
            f"There is no keyring: the Secret '{NAME}' in namespace '{namespace}' does not exist" in ran.err
        )
        assert "--keyring NAMESPACE/NAME" in ran.err
    for ran in forbidden:
        assert (ran.code, ran.out) == (3, "")
        assert " the keyring. Nothing was changed.\nWhat to do: Ask for the right to 'get' " in ran.err
    assert "You may not read the keyring." in forbidden[0].err
    assert "the right to 'get' and 'update' the keyring's Secret, and to" in forbidden[1].err
    for ran in unreachable:
        assert (ran.code, ran.out) == (3, "")
        assert (
            "cannot be reached (connection refused). Nothing was changed.\nWhat to do: Check that" in ran.err
        )
    assert [ran.code for ran in runs[9:]] == [3, 2]

    await kube.create_secret(namespace, manifest(NAME, **{"key-1": b"0" * 64}))
    ran = await run(hub_keys, "rotate")
    assert ran.code == 1
    assert "does not hold a keyring: 'key-1' is written in hexadecimal" in ran.err


async def test_mistakes_in_flags_are_usage(hub_keys: HubKeys) -> None:
    mistakes = (
        (("rotate", "--resume", "--no-wait"), "leave one of them out"),
        (("rotate", "--resume", "--wait=false"), "leave one of them out"),
        (("list", "-n", "another"), "name different namespaces"),
        *(
            (
                ("prune", word),
                f"'{word}' is no key: write its number, as 'hub keys list' shows it, like key-1 or 1.",
            )
            for word in ("0", "x", "key-", "key-x", "key-01", "\N{SUPERSCRIPT TWO}")
        ),
    )
    for words, said in mistakes:
        ran = await run(hub_keys, *words)
        assert (ran.code, said in ran.err) == (2, True), ran.err
