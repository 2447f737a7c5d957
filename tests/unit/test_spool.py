"""The spool: a record is there whole or not at all, for its owner alone, and under no other name than a UID."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from integration_hub.adapters.spool import MAX_BYTES, Spool

UID = "0b3c1c2e-5d0f-4c57-9d9b-6a5a7f0c1d11"
OTHER = "6f7d9f0e-0000-4c57-9d9b-6a5a7f0c1d11"
RECORD = {"envelope": b'{"format":1}', "tokens": bytes(range(256)), "empty": b""}


def file_of(folder: Path, uid: str = UID) -> Path:
    return folder / f"{uid}.record"


def test_a_record_is_read_as_it_was_put_also_by_the_next_operator(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "below" / "spool")
    assert spool.get(UID) is None
    spool.put(UID, {"envelope": b"older"})
    spool.put(UID, RECORD)
    assert Spool(tmp_path / "below" / "spool").get(UID) == RECORD
    assert spool.get(OTHER) is None


def test_a_record_that_is_dropped_is_gone_and_may_be_dropped_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(UID, RECORD)
    spool.drop(UID)
    spool.drop(UID)
    assert spool.get(UID) is None
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_reads_a_record_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Spool(tmp_path / "spool").put(UID, RECORD)
    finally:
        os.umask(before)
    assert file_of(tmp_path / "spool").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [f"{UID}.record"], "nothing else is left"


def test_records_of_instances_that_have_gone_are_dropped_and_nobody_elses_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(UID, RECORD)
    spool.put(OTHER, RECORD)
    for name in (f"{OTHER}.new", "notes.record", f"{OTHER}.txt"):
        (tmp_path / name).write_bytes(b"")
    assert spool.drop_all_but({UID}) == [f"{OTHER}.new", f"{OTHER}.record"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"{UID}.record", "notes.record", f"{OTHER}.txt"]
    )
    assert spool.get(UID) == RECORD


def test_where_there_is_no_folder_there_is_nothing_to_drop(tmp_path: Path) -> None:
    assert Spool(tmp_path / "spool").drop_all_but(()) == []
    assert not (tmp_path / "spool").exists()


def test_without_a_folder_nothing_is_kept() -> None:
    spool = Spool(None)
    spool.put(UID, RECORD)
    assert spool.get(UID) is None
    spool.drop(UID)
    assert spool.drop_all_but(()) == []


@pytest.mark.parametrize(
    "uid", ["", "..", "../x", "/etc/passwd", UID.upper(), f"{UID}\n", f"{UID}/x", UID.replace("-", "")]
)
@pytest.mark.parametrize("has_folder", [True, False], ids=["folder", "none"])
def test_no_other_file_can_be_meant(tmp_path: Path, uid: str, has_folder: bool) -> None:
    spool = Spool(tmp_path if has_folder else None)
    with pytest.raises(ValueError, match="UID"):
        spool.put(uid, RECORD)
    with pytest.raises(ValueError, match="UID"):
        spool.get(uid)
    with pytest.raises(ValueError, match="UID"):
        spool.drop(uid)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_was_cut_anywhere_is_none_and_a_line_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(UID, {"envelope": b"abc", "tokens": b"canary"})
    whole = file_of(tmp_path).read_bytes()
    for length in range(len(whole)):
        file_of(tmp_path).write_bytes(whole[:length])
        with capture_logs() as lines:
            assert spool.get(UID) is None
        assert [(line["event"], line["uid"]) for line in lines] == [
            ("a spooled record is damaged and counts as none", UID)
        ]


@pytest.mark.parametrize(
    "content",
    [b"[]", b"1", b'{"envelope": 1}', b'{"envelope": "no base64!"}', b'{"envelope": "\xc3\xa9"}', b"\0" * 9],
)
def test_a_file_that_holds_something_else_is_no_record(tmp_path: Path, content: bytes) -> None:
    file_of(tmp_path).write_bytes(content)
    with capture_logs() as lines:
        assert Spool(tmp_path).get(UID) is None
    assert len(lines) == 1


def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    with file_of(tmp_path).open("wb") as file:
        file.truncate(MAX_BYTES * 100)
    with capture_logs() as lines:
        assert Spool(tmp_path).get(UID) is None
    assert lines[0]["bytes"] == MAX_BYTES + 1


def test_a_file_that_cannot_be_read_is_no_record_and_a_line_says_why(tmp_path: Path) -> None:
    file_of(tmp_path).mkdir()
    (tmp_path / "elsewhere").write_bytes(b"{}")
    file_of(tmp_path, OTHER).symlink_to(tmp_path / "elsewhere")
    with capture_logs() as lines:
        assert Spool(tmp_path).get(UID) is None
        assert Spool(tmp_path).get(OTHER) is None, "a link may lead anywhere"
    assert {line["event"] for line in lines} == {"a spooled record cannot be read"}


def test_what_cannot_be_written_raises_and_leaves_the_older_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(UID, RECORD)
    blocked = tmp_path / f"{UID}.new"
    blocked.mkdir()  # in the way, as a full disk would be
    with pytest.raises(OSError):
        spool.put(UID, {"envelope": b"newer"})
    blocked.rmdir()
    assert spool.get(UID) == RECORD
    with pytest.raises(OSError):
        Spool(file_of(tmp_path)).put(UID, RECORD)


def test_an_operator_that_was_killed_while_it_wrote_leaves_a_whole_record(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from integration_hub.adapters.spool import Spool\n"
        "spool = Spool(pathlib.Path(sys.argv[1]))\n"
        "for n in range(10**9):\n"
        "    spool.put(sys.argv[2], {'envelope': str(n).encode(), 'tokens': bytes(100_000)})\n"
        "    n or print('writing', flush=True)\n"
    )
    operator = str(Path(__file__).parents[2] / "operator")
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), UID],
            env=os.environ | {"PYTHONPATH": operator},
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        record = Spool(tmp_path).get(UID)
        assert record is not None
        assert record["tokens"] == bytes(100_000)
    Spool(tmp_path).put(UID, RECORD)
    assert [path.name for path in tmp_path.iterdir()] == [f"{UID}.record"], (
        "what was unfinished is cleared away"
    )
