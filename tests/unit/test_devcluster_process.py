"""A server is found by the lock that it holds; nothing else is ever ended. Real processes, fake servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_hub.devcluster import process
from integration_hub.devcluster.errors import AssetsError, FolderError
from integration_hub.devcluster.files import is_locked, tail, try_lock, write_private
from integration_hub.devcluster.folder import make_home, refuse_foreign_folder, remove_cluster_files
from integration_hub.devcluster.paths import Home
from integration_hub.devcluster.servers import api_server_flags, assets_program

POLL = 0.02

# A server that signs the lock as ours do, and then does what its argument says about SIGTERM.
SERVER = """
import os, signal, sys, time
os.setsid()
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = int(sys.argv[2].removeprefix("--lock-fd="))
os.pwrite(lock, f"{os.getpid()}\\n".encode(), 0)
print("serving", flush=True)
time.sleep(300)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    process.kill(home.lock)


def start(home: Home, *command: str) -> int:
    lock = try_lock(home.lock)
    assert lock is not None
    os.ftruncate(lock, 0)
    process.spawn(command, lock, home.root, home.log)
    os.close(lock)
    while (pid := process.pid_of(home.lock)) is None:
        assert process.is_running(home.lock), home.log.read_text()
        time.sleep(POLL)
    return pid


def start_server(home: Home, manner: str) -> int:
    pid = start(home, sys.executable, "-c", SERVER, manner)
    while "serving" not in home.log.read_text():
        time.sleep(POLL)
    return pid


def test_a_server_is_known_by_its_lock(home: Home) -> None:
    assert not process.is_running(home.lock)
    pid = start_server(home, "polite")
    assert process.is_running(home.lock)
    assert process.pid_of(home.lock) == pid
    assert (process.memory_of(pid) or 0) > 0
    assert try_lock(home.lock) is None, "nobody starts a second one"


@pytest.mark.parametrize(("manner", "grace"), [("polite", 30.0), ("stubborn", 0.2)])
def test_a_server_is_ended(home: Home, manner: str, grace: float) -> None:
    start_server(home, manner)
    assert process.stop(home.lock, grace)
    assert not process.is_running(home.lock)
    assert process.pid_of(home.lock) is None
    assert not process.stop(home.lock, grace), "there is none any more"


def test_a_server_is_not_a_child_of_its_starter(home: Home) -> None:
    pid = start_server(home, "polite")
    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    assert int(parent) != os.getpid()


def test_the_number_of_a_dead_server_means_nothing(home: Home) -> None:
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as bystander:
        home.lock.write_text(f"{bystander.pid}\n")
        assert process.pid_of(home.lock) is None
        assert not process.stop(home.lock, 0.1)
        process.kill(home.lock)
        # The lock is held, but by somebody who has not signed it yet: the number is still the old one.
        starter = try_lock(home.lock)
        assert starter is not None
        assert process.pid_of(home.lock) is None
        os.close(starter)
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("content", ["", "0", "1", "-1", "nonsense", "99999999999"])
def test_a_damaged_number_names_nobody(home: Home, content: str) -> None:
    home.lock.write_text(content)
    starter = try_lock(home.lock)
    assert starter is not None
    assert process.pid_of(home.lock) is None
    os.close(starter)


def test_a_long_log_is_moved_aside_at_the_start(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT", 10)
    home.log.write_text("a long story")
    start_server(home, "polite")
    assert home.log.read_text() == "serving\n"
    assert (home.root / "server.log.1").read_text() == "a long story"


def write_assets(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $@"\nexec sleep 300\n')
        program.chmod(0o755)


def test_missing_assets_are_named(tmp_path: Path) -> None:
    write_assets(tmp_path, "etcd")
    with pytest.raises(AssetsError, match="no program named kube-apiserver or kubectl"):
        assets_program(tmp_path)


def test_assets_without_controllers_are_said_to_be(tmp_path: Path) -> None:
    write_assets(tmp_path, "etcd", "kube-apiserver", "kubectl")
    program = assets_program(tmp_path)
    assert not program.controllers
    assert "garbage-collected" in program.note
    write_assets(tmp_path, "kube-controller-manager")
    program = assets_program(tmp_path)
    assert program.controllers
    assert program.note == ""


def start_assets(home: Home) -> int:
    assets = home.root / "assets"
    write_assets(assets, "etcd", "kube-apiserver", "kubectl", "kube-controller-manager")
    pid = start(home, *assets_program(assets).serve, *api_server_flags(1234))
    while len(home.log.read_text().splitlines()) < 3:
        assert process.is_running(home.lock), home.log.read_text()
        time.sleep(POLL)
    return pid


def test_the_programs_of_a_folder_run_and_end_as_one(home: Home) -> None:
    start_assets(home)
    printed = home.log.read_text()
    assert "kube-apiserver --bind-address=127.0.0.1 --secure-port=1234" in printed
    assert "--listen-client-urls=unix://etcd.sock" in printed
    assert "kube-controller-manager --kubeconfig=kubeconfig" in printed
    assert process.stop(home.lock, 30.0)
    assert not process.is_running(home.lock)


def test_they_can_be_ended_when_their_supervisor_was_killed(home: Home) -> None:
    os.kill(start_assets(home), 9)
    assert process.is_running(home.lock), "they live on"
    assert process.stop(home.lock, 30.0)
    assert not process.is_running(home.lock)


def test_when_one_program_ends_all_end(home: Home) -> None:
    assets = home.root / "assets"
    write_assets(assets, "etcd", "kubectl")
    (assets / "kube-apiserver").write_text("#!/bin/sh\nexit 3\n")
    (assets / "kube-apiserver").chmod(0o755)
    lock = try_lock(home.lock)
    assert lock is not None
    process.spawn(assets_program(assets).serve, lock, home.root, home.log)
    os.close(lock)
    while process.is_running(home.lock):
        time.sleep(POLL)


def test_everything_listens_on_loopback_or_a_socket() -> None:
    flags = api_server_flags(1234)
    assert "--bind-address=127.0.0.1" in flags
    assert "--etcd-servers=unix://etcd.sock" in flags
    assert "--anonymous-auth=false" in flags
    assert "--authorization-mode=RBAC" in flags


def test_a_folder_in_other_use_is_refused(tmp_path: Path) -> None:
    refuse_foreign_folder(Home(tmp_path / "absent"))
    refuse_foreign_folder(Home(tmp_path))
    (tmp_path / "thesis.txt").write_text("...")
    with pytest.raises(FolderError, match="not empty"):
        refuse_foreign_folder(Home(tmp_path))
    (tmp_path / "server.lock").touch()
    refuse_foreign_folder(Home(tmp_path))


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="cannot be made") as caught:
        make_home(Home(tmp_path / "file" / "below"))
    assert "--home" in caught.value.remedy


def test_a_purge_keeps_what_is_not_ours(tmp_path: Path) -> None:
    home = Home(tmp_path / "cluster")
    home.pki.mkdir(parents=True)
    for name in (
        "pki/ca.key",
        "kubeconfig",
        "state.json",
        "server.lock",
        "server.log.1",
        "etcd.sock",
        "notes.txt",
    ):
        (home.root / name).touch()
    remove_cluster_files(home)
    assert [path.name for path in home.root.iterdir()] == ["notes.txt"]
    (home.root / "notes.txt").unlink()
    remove_cluster_files(home)
    assert not home.root.exists()
    remove_cluster_files(home)


def test_a_private_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "key"
    write_private(target, b"first")
    with pytest.raises(TypeError):
        write_private(target, "text is not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"first"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_asking_for_a_lock_leaves_it_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    held = try_lock(path)
    assert held is not None
    assert is_locked(path)
    os.close(held)
    assert not is_locked(path)


def test_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    assert tail(tmp_path / "absent", 3) == ""
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100_000 + b"\none\ntwo\nth\xffree\n")
    assert tail(log, 3) == "one\ntwo\nth\N{REPLACEMENT CHARACTER}ree"
