"""The keyring in files, as Kubernetes and CSI drivers mount and change them: real folders, links and rights."""

from __future__ import annotations

import asyncio
import base64
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from integration_hub.credentials.keyring import Keyring
from integration_hub.shell.keyring_source import MOST_BYTES, FileKeyring, KeyringUnavailableError

ONE, TWO = secrets.token_bytes(32), secrets.token_bytes(32)


class Volume:
    """A folder that is changed as Kubernetes changes a mounted Secret: by turning one link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._states = 0

    def show(self, **files: bytes) -> None:
        """Show these files from now on, and remove the state before, all as kubelet's atomic writer does."""
        self._states += 1
        state = self.folder / f"..2026_11_22_{self._states}"
        state.mkdir()
        for name, content in files.items():
            (state / name.replace("_", "-")).write_bytes(content)
        before = (self.folder / "..data").resolve() if self._states > 1 else None
        (self.folder / "..data_tmp").symlink_to(state.name)
        (self.folder / "..data_tmp").replace(self.folder / "..data")
        for path in self.folder.iterdir():
            if not path.name.startswith(".") and not path.exists():
                path.unlink()
        for path in state.iterdir():
            if not (self.folder / path.name).is_symlink():
                (self.folder / path.name).symlink_to(Path("..data") / path.name)
        for path in before.iterdir() if before else ():
            path.unlink()
        if before:
            before.rmdir()


async def test_a_mounted_keyring_is_read_and_read_again_when_it_changes(tmp_path: Path) -> None:
    volume, source = Volume(tmp_path), FileKeyring(tmp_path)
    volume.show(key_1=base64.b64encode(ONE) + b"\n")
    assert await source.refresh() is True
    assert source.current() == Keyring({1: ONE})
    assert await source.refresh() is False
    volume.show(key_1=ONE)
    assert await source.refresh() is False, "written in another way, it is the same key"
    volume.show(key_1=ONE, key_2=TWO)
    assert await source.refresh() is True
    assert source.current() == Keyring({1: ONE, 2: TWO})
    volume.show(key_2=TWO)
    assert await source.refresh() is True
    assert source.current().numbers == (2,)


async def test_a_plain_folder_does_as_well_and_hidden_files_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "key-1").write_bytes(ONE)
    (tmp_path / ".gitignore").write_bytes(b"*")
    source = FileKeyring(tmp_path)
    await source.refresh()
    assert source.current() == Keyring({1: ONE})


async def test_a_volume_that_is_changed_while_it_is_read_never_gives_a_mixture(tmp_path: Path) -> None:
    volume, source = Volume(tmp_path), FileKeyring(tmp_path)
    states = [{"key_1": secrets.token_bytes(32), "key_2": secrets.token_bytes(32)} for _ in range(30)]
    whole = [Keyring({1: each["key_1"], 2: each["key_2"]}) for each in states]
    volume.show(**states[0])
    for state in states[1:]:
        reading = asyncio.create_task(source.refresh())
        await asyncio.sleep(0)  # it reads in a thread from here on
        volume.show(**state)
        await reading
        assert source.current() in whole


CHANGED_AT_ITS_FIRST_LISTING = """
import asyncio, sys
from pathlib import Path
from integration_hub.shell.keyring_source import FileKeyring

volume = Path(sys.argv[1])
before = (volume / "..data").resolve()
waiting = [None]

def told(event, arguments):
    if event in {"os.listdir", "os.scandir"} and str(arguments[0]) == str(before) and waiting:
        waiting.pop()
        (volume / "..data_tmp").symlink_to("..newer")
        (volume / "..data_tmp").replace(volume / "..data")
        (before / "key-1").unlink()

sys.addaudithook(told)
source = FileKeyring(volume)
asyncio.run(source.refresh())
print(waiting, source.current().numbers)
"""
"""Does something between the decision to list a folder and its listing: Python tells of each listing beforehand."""


def test_a_state_that_goes_while_it_is_listed_is_not_taken_for_what_the_volume_holds(tmp_path: Path) -> None:
    """Kubelet turns the link, then removes the old state file by file: a listing in between shows some of them."""
    Volume(tmp_path).show(key_1=ONE, key_2=TWO)
    newer = tmp_path / "..newer"
    newer.mkdir()
    for name, content in {"key-1": ONE, "key-2": TWO, "key-3": secrets.token_bytes(32)}.items():
        (newer / name).write_bytes(content)
    # In a process of its own, since nothing takes such a hook back.
    words = (sys.executable, "-W", "error", "-c", CHANGED_AT_ITS_FIRST_LISTING, str(tmp_path))
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("[] (1, 2, 3)\n", "")


async def test_before_anything_was_read_there_is_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(KeyringUnavailableError, match="not been read yet"):
        FileKeyring(tmp_path).current()


async def test_a_keyring_that_is_spoilt_or_goes_away_stays_in_use(tmp_path: Path) -> None:
    volume, source = Volume(tmp_path), FileKeyring(tmp_path)
    volume.show(key_1=ONE)
    await source.refresh()
    volume.show(key_1=ONE[:5])
    with pytest.raises(KeyringUnavailableError, match="'key-1' has 5 bytes") as unavailable:
        await source.refresh()
    assert f"the folder {tmp_path} does not hold a keyring" in str(unavailable.value)
    assert source.current() == Keyring({1: ONE})
    volume.show()
    with pytest.raises(KeyringUnavailableError, match="there is no key: add 'key-1'"):
        await source.refresh()
    assert source.current() == Keyring({1: ONE})


async def test_a_folder_that_is_not_there_is_named_with_what_to_check(tmp_path: Path) -> None:
    source = FileKeyring(tmp_path / "missing")
    with pytest.raises(
        KeyringUnavailableError, match=r"No such file or directory\. Check that the volume"
    ) as first:
        await source.refresh()
    assert str(tmp_path / "missing") in str(first.value)
    with pytest.raises(KeyringUnavailableError, match="No such file or directory"):
        source.current()


async def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "key-1").symlink_to("..data/key-1")
    with pytest.raises(KeyringUnavailableError, match="key-1: No such file or directory"):
        await FileKeyring(tmp_path).refresh()


async def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "key-1").mkdir()
    with pytest.raises(KeyringUnavailableError, match="key-1: Is a directory"):
        await FileKeyring(tmp_path).refresh()


async def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "key-1").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(KeyringUnavailableError, match=f"'key-1' has {MOST_BYTES} bytes"):
        await FileKeyring(tmp_path).refresh()
