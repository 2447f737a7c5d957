"""The build: what names a binary, what is said while it runs, and what is said when it cannot be."""

from __future__ import annotations

import io
import os
import stat
import sys
import time
import types
from pathlib import Path

import pytest

from integration_hub.devcluster import build, golang
from integration_hub.devcluster.build import Progress, ensure_binary
from integration_hub.devcluster.errors import BuildError, DiskSpaceError, GoMissingError
from integration_hub.devcluster.files import try_lock
from integration_hub.devcluster.paths import GO_SOURCES
from integration_hub.devcluster.progress import LOG_PERIOD, ProgressPrinter, describe
from support.hub_command import Hub

# Does what the toolchain is asked to do, and notes that it was asked.
FAKE_GO = """#!{python}
import json, os, sys
from pathlib import Path
with open({journal!r}, "a") as journal:
    journal.write(sys.argv[1] + "\\n")
match sys.argv[1:]:
    case ["version"]:
        print("go version go{version} fake/arch")
    case ["env", *_]:
        print(json.dumps({{"GOCACHE": {cache!r}, "GOMODCACHE": {cache!r}}}))
    case ["list", *_]:
        print("go: downloading example.com/a v1.0.0", file=sys.stderr)
        print("example.com/a\\nexample.com/b")
    case ["build", *rest]:
        print("example.com/a", file=sys.stderr)
        target = Path(rest[rest.index("-o") + 1])
        target.write_text("half")
        if {fails}:
            print("# example.com/b\\nmain.go:1: undefined: nonsense", file=sys.stderr)
            sys.exit(1)
        target.write_text("whole")
        target.chmod(0o755)
"""


class Machine:
    """A PATH with a Go program of our making, and a cache of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.environ = {"PATH": str(folder / "bin"), "XDG_CACHE_HOME": str(folder / "cache")}
        self.seen: list[Progress] = []
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", self.environ["PATH"])
        monkeypatch.setattr(build, "ROOM_FOR_MODULES", 0)
        monkeypatch.setattr(build, "ROOM_FOR_BUILD_CACHE", 0)
        monkeypatch.setattr(build, "ROOM_FOR_BINARY", 0)

    def install_go(self, version: str = "99.0.0", *, fails: bool = False) -> None:
        program = self.folder / "bin" / "go"
        text = FAKE_GO.format(
            python=sys.executable,
            journal=str(self.journal),
            version=version,
            cache=str(self.folder / "gocache"),
            fails=fails,
        )
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def build(self) -> Path:
        return ensure_binary(self.seen.append, self.environ)

    def builds(self) -> int:
        return self.journal.read_text().split().count("build")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_binary_is_built_once(machine: Machine) -> None:
    machine.install_go()
    binary = machine.build()
    assert binary.read_text() == "whole"
    assert machine.build() == binary
    assert machine.builds() == 1


def test_another_go_makes_another_binary(machine: Machine) -> None:
    machine.install_go("99.0.0")
    first = machine.build()
    machine.install_go("99.0.1")
    assert machine.build() != first


def test_progress_tells_of_each_step(machine: Machine) -> None:
    machine.install_go()
    machine.build()
    assert [progress.activity for progress in machine.seen] == ["fetching modules", "compiling packages"]
    assert [(progress.done, progress.total) for progress in machine.seen] == [(1, 0), (1, 2)]


def test_a_failed_build_shows_the_compilers_words_and_leaves_no_binary(machine: Machine) -> None:
    machine.install_go(fails=True)
    with pytest.raises(BuildError) as caught:
        machine.build()
    assert "main.go:1: undefined: nonsense" in caught.value.problem
    assert "example.com/a" not in caught.value.problem, "progress is not an error"
    log = next((machine.folder / "cache").rglob("build.log"))
    assert str(log) in caught.value.remedy
    assert list((machine.folder / "cache").rglob(build.BINARY)) == [log.parent.parent], (
        "the folder of all builds"
    )


def test_a_build_that_failed_is_tried_again(machine: Machine) -> None:
    machine.install_go(fails=True)
    with pytest.raises(BuildError):
        machine.build()
    machine.install_go()
    assert machine.build().read_text() == "whole"


def test_what_a_killed_build_left_is_not_taken_for_the_binary(machine: Machine) -> None:
    machine.install_go()
    binary = machine.build()
    binary.unlink()
    work = binary.parent / "work-of-a-killed-one"
    work.mkdir()
    (work / build.BINARY).write_text("half")
    assert machine.build().read_text() == "whole"


def test_a_second_builder_waits_and_takes_what_the_first_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install_go()
    binary = machine.build()
    binary.unlink()
    held = try_lock(binary.parent / "build.lock")
    assert held is not None

    def first_one_finishes(_seconds: float) -> None:
        binary.write_text("made by the first")
        os.close(held)

    clock = types.SimpleNamespace(monotonic=time.monotonic, sleep=first_one_finishes)
    monkeypatch.setattr(build, "time", clock)
    assert machine.build().read_text() == "made by the first"
    assert machine.seen[-1].activity == "waiting for another build of the same"


def test_too_little_room_is_said_before_anything_is_fetched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install_go()
    monkeypatch.setattr(build, "ROOM_FOR_BUILD_CACHE", 1 << 60)
    with pytest.raises(DiskSpaceError, match=r"needs about 1073741824\.0 GiB on the disk of"):
        machine.build()
    assert "list" not in machine.journal.read_text().split()


def test_needs_on_one_disk_add_up(tmp_path: Path) -> None:
    needs = {tmp_path / "a" / "not-there-yet": 3 * build.GIB, tmp_path: build.GIB}
    with pytest.raises(DiskSpaceError, match=r"about 4\.0 GiB .*; 3\.5 GiB are free"):
        build.check_room(needs, free=lambda _folder: int(3.5 * build.GIB))
    build.check_room(needs, free=lambda _folder: 4 * build.GIB)


def test_without_go_and_without_pip_the_message_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(GoMissingError) as caught:
        machine.build()
    assert "there is none on PATH" in caught.value.problem
    assert "has no pip" in caught.value.problem
    assert "KUBEBUILDER_ASSETS" in caught.value.remedy


def test_a_go_that_is_too_old_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.install_go("1.20.1")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(GoMissingError, match=r"too old \(go version go1\.20\.1"):
        machine.build()


def test_where_go_is_too_old_one_is_installed_beside_the_cache(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install_go("1.20.1")
    asked: list[tuple[int, int, int]] = []

    def install(wanted: tuple[int, int, int], folder: Path, _seen: str) -> None:
        asked.append(wanted)
        machine.install_go("99.0.0")
        (folder / "go" / "bin").mkdir(parents=True)
        (machine.folder / "bin" / "go").rename(folder / "go" / "bin" / "go")

    monkeypatch.setattr(golang, "_install", install)
    assert machine.build().read_text() == "whole"
    assert machine.seen[0].activity.startswith("Go 1.26.0 or newer is needed")
    assert machine.build().read_text() == "whole"
    assert asked == [(1, 26, 0)], "the second time it is there"


def test_the_digest_follows_every_source_and_the_toolchain(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main")
    (tmp_path / "go.mod").write_text("module m")
    toolchain = golang.Toolchain(Path("go"), "go1")

    def digest(toolchain: golang.Toolchain = toolchain) -> str:
        return build.Plan(tmp_path, toolchain, "v1.2.3").digest

    first = digest()
    assert digest() == first
    assert digest(golang.Toolchain(Path("elsewhere/go"), "go1")) == first, "where Go lies does not matter"
    assert digest(golang.Toolchain(Path("go"), "go2")) != first
    (tmp_path / "main.go").write_text("package main // changed")
    assert digest() != first


def test_the_kubernetes_version_is_stated_in_one_place() -> None:
    go_mod = (GO_SOURCES / "go.mod").read_text()
    assert build.kubernetes_version(go_mod) == "v1.36.3"
    staging = {line.split()[-1] for line in go_mod.splitlines() if "=> k8s.io/" in line}
    assert staging == {"v0.36.3"}, "the staging modules are those of the same release"
    assert golang.required_version(go_mod) == (1, 26, 0)


def test_a_build_ignores_settings_meant_for_other_modules() -> None:
    theirs = {
        "GOOS": "plan9",
        "GOFLAGS": "-mod=vendor",
        "GOWORK": "/x/go.work",
        "GOPROXY": "off",
        "HOME": "/h",
    }
    ours = golang.build_environment(theirs)
    assert "GOOS" not in ours
    assert (ours["GOFLAGS"], ours["GOWORK"], ours["CGO_ENABLED"]) == ("-mod=readonly", "off", "0")
    assert (ours["GOPROXY"], ours["HOME"]) == ("off", "/h"), "where modules come from is the user's choice"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 darwin/arm64", (1, 27, 0)),
        ("go version go1.26rc2 linux/amd64", (1, 26, 0)),
        ("go version devel linux/amd64", (0, 0, 0)),
    ],
)
def test_versions_are_read(text: str, numbers: tuple[int, int, int]) -> None:
    assert golang.version_of(text) == numbers


def test_a_log_gets_a_line_now_and_then() -> None:
    stream = io.StringIO()
    with ProgressPrinter(stream, moves=False) as printer:
        for seconds in range(40):
            printer(Progress("compiling packages", float(seconds), seconds * 10, 2378))
        printer(Progress("done", 40.0))
    lines = stream.getvalue().splitlines()
    assert [line.rpartition(", ")[2] for line in lines] == ["0:00", "0:15", "0:30", "0:40"]
    assert LOG_PERIOD == 15.0


def test_a_screen_that_may_move_has_one_line_that_changes() -> None:
    stream = io.StringIO()
    with ProgressPrinter(stream, moves=True) as printer:
        printer(Progress("compiling packages", 1.0, 10, 20))
        printer(Progress("compiling packages", 1.01, 11, 20))
        printer(Progress("compiling packages", 2.0, 12, 20))
    assert stream.getvalue().count("\r") == 2
    assert stream.getvalue().count("\n") == 1


BUILDING = [("dev", "up"), ("example", "01-quickstart")]
"""Commands that build the control plane where there is none."""


@pytest.mark.parametrize("words", BUILDING, ids=" ".join)
def test_a_terminal_shows_what_is_under_way_unless_its_owner_wants_words_alone(
    machine: Machine, words: tuple[str, ...]
) -> None:
    machine.install_go(fails=True)
    hub, home = Hub(machine.folder, None), ("--home", str(machine.folder / "home"))
    cache = machine.environ["XDG_CACHE_HOME"]

    def shown(*more: str, plain: str = "", term: str = "xterm") -> str:
        code, text = hub.on_a_terminal(*words, *home, *more, XDG_CACHE_HOME=cache, HUB_PLAIN=plain, TERM=term)
        assert code == 1
        assert "Building the control plane: fetching modules" in text
        return text

    assert "\r\x1b[2K" in shown()
    for text in (shown("--plain"), shown(plain="1"), shown(term="dumb")):
        assert "\x1b" not in text
        assert " ..." not in text


def test_a_line_of_progress_reads_well() -> None:
    assert describe(Progress("compiling packages", 65.4, 512, 2378)).endswith(
        "compiling packages, 512 of at most 2378, 1:05"
    )
    assert describe(Progress("fetching modules", 3.0, 12)).endswith("fetching modules, 12, 0:03")


def test_a_line_of_progress_says_what_is_built() -> None:
    stream = io.StringIO()
    with ProgressPrinter(stream, "Getting a server") as printer:
        printer(Progress("fetching modules", 3.0, 12))
    assert stream.getvalue() == "Getting a server: fetching modules, 12, 0:03\n"
