"""Files that a command writes into a folder of a person's: all of them or none, and none through a link."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from integration_hub.cli.errors import Exit, HubError


def write_files(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Write texts by the names of their files, paths below the folder. Return those that were there with another text.

    Each is written beside its place first, and all of them are moved there once the disk has taken the last.

    Raises:
        HubError: one cannot be written. Nothing has changed then, unless moving has failed: that is said.

    """
    if folder.exists() and not folder.is_dir():
        raise HubError(f"'{folder}' is no folder.", todo="Name another one.", code=Exit.USAGE)
    for name in texts:
        _refuse_place(folder, name)
    moved: list[str] = []
    try:
        with _made(folder), _written_beside(folder, texts) as beside:
            differing = [name for name, text in texts.items() if _differs(folder / name, text)]
            for name, path in beside.items():
                path.replace(folder / name)
                moved.append(name)
    except OSError as error:
        so_far = f"{', '.join(moved)} had been written." if moved else "Nothing was changed there."
        raise HubError(
            f"'{folder}' cannot be written: {error.strerror}. {so_far}",
            todo="Name another folder, or make room and mend its rights; then try again.",
        ) from error
    return differing


def _refuse_place(folder: Path, name: str) -> None:
    """Refuse what a person may have put there on purpose, and what no file can replace."""
    path = folder / name
    for one in (path, *path.parents[: len(Path(name).parts) - 1]):
        if one.is_symlink():
            raise HubError(
                f"'{one}' is a link to '{one.readlink()}', through which nothing is written.",
                todo="Remove the link, or name another folder.",
                code=Exit.USAGE,
            )
    if path.exists() and not path.is_file():
        raise HubError(
            f"'{path}' is no file, so that none can be written there.",
            todo="Move it away, or name another folder.",
            code=Exit.USAGE,
        )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder, which goes again where the work in it fails."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for one in new:
            with suppress(OSError):
                one.rmdir()
        raise


@contextmanager
def _written_beside(folder: Path, texts: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """Write each text into a file beside its place; what is still there at the end goes."""
    beside: dict[str, Path] = {}
    try:
        for name, text in texts.items():
            place = folder / name
            beside[name] = place.with_name(f".{place.name}.{token_hex(4)}")
            beside[name].write_text(text, encoding="utf-8")
            if place.exists():
                shutil.copymode(place, beside[name])
        yield beside
    finally:
        for path in beside.values():
            path.unlink(missing_ok=True)


def _differs(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() != text.encode()
