"""Files that a command writes into a folder: all of them or none, on a real disk that may refuse one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.folder_files import write_files

FILES = {"a.yaml": "a: 1\n", "b.yaml": "b: 1\n", "c.yaml": "c: " + "x" * 9000}


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_and_those_that_were_others_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "git" / "billing"
    assert write_files(folder, FILES) == []
    (folder / "b.yaml").write_text("b: ours\n")
    (folder / "d.yaml").write_text("d: ours\n")
    (folder / "b.yaml").chmod(0o640)
    assert write_files(folder, FILES) == ["b.yaml"]
    assert texts(folder) == {**FILES, "d.yaml": "d: ours\n"}
    assert (folder / "b.yaml").stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_rights_that_others_of_the_person_have(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_files(tmp_path, {"a.yaml": "a: 1\n"})
    finally:
        os.umask(before)
    assert (tmp_path / "a.yaml").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("is_there", [True, False])
def test_a_disk_that_refuses_one_file_leaves_the_folder_as_it_was(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "git" / "billing"
    if is_there:
        folder.mkdir(parents=True)
        (folder / "a.yaml").write_text("a: ours\n")
    before = texts(tmp_path)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from integration_hub.cli.errors import HubError\n"
        "from integration_hub.cli.folder_files import write_files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        f"    write_files(Path({str(folder)!r}), {FILES!r})\n"
        "except HubError as error:\n"
        "    sys.exit(error.message())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert f"'{folder}' cannot be written: File too large. Nothing was changed there." in ran.stderr
    assert texts(tmp_path) == before
    assert (tmp_path / "git").exists() is is_there


def test_a_folder_in_the_place_of_a_file_is_found_before_any_is_written(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").mkdir()
    with pytest.raises(HubError, match=r"c\.yaml' is no file") as caught:
        write_files(tmp_path, FILES)
    assert caught.value.code is Exit.USAGE
    assert texts(tmp_path) == {}


@pytest.mark.parametrize("target", ["elsewhere.yaml", "nowhere.yaml"])
def test_no_file_is_written_through_a_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere.yaml").write_text("ours\n")
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "b.yaml").symlink_to(tmp_path / target)
    with pytest.raises(HubError, match=rf"b\.yaml' is a link to '.*{target}'") as caught:
        write_files(folder, FILES)
    assert caught.value.code is Exit.USAGE
    assert [path.name for path in folder.iterdir()] == ["b.yaml"]
    assert (tmp_path / "elsewhere.yaml").read_text() == "ours\n"
    assert not (tmp_path / "nowhere.yaml").exists()


def test_nor_through_a_folder_below_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "git"
    folder.mkdir()
    (folder / "apps").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HubError, match=r"apps' is a link to"):
        write_files(folder, {"apps/a.yaml": "a: 1\n"})
    assert texts(tmp_path) == {}
