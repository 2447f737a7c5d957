"""Definitions and vendor files that commands are given: of the catalog by name, or from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.catalog.vendor import Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.cli.catalog.named import definition
from integration_hub.cli.errors import Exit, HubError
from integration_hub.cli.streams import UnreadableError, text_of
from integration_hub.shell.draft import DraftError, documents

Raw = dict[str, Any]


class CannotReadError(HubError):
    """What was named is not there or cannot be read."""

    def __init__(self, what: str, *, todo: str = "") -> None:
        """See HubError."""
        super().__init__(what, todo=todo, code=Exit.USAGE)


@dataclass(frozen=True)
class Named:
    """A definition, and what it is called in messages."""

    source: str
    raw: Raw


def from_catalog(name: str) -> Named:
    """Return a definition of the catalog.

    Raises:
        NotFoundError: there is none of that name.

    """
    todo = f"Name a file, like {name}.yaml, where it is one of your own; 'hub catalog list' lists those of the catalog."
    return Named(name, definition(name, todo=todo))


def from_file(file: Path) -> Iterator[Named]:
    """Yield the definitions of a file.

    Raises:
        CannotReadError: it cannot be read, or has none.

    """
    source = "standard input" if str(file) == "-" else str(file)
    found = [
        Named(f"{source} ({_name_of(document)})", document)
        for document in _documents(file, source)
        if isinstance(document, dict) and document.get("kind") == "IntegrationDefinition"
    ]
    if not found:
        raise CannotReadError(f"{source} has no IntegrationDefinition in it.")
    yield from found


def by_name_or_file(text: str) -> Named:
    """Return the one definition of a file, else the catalog's of that name.

    Raises:
        HubError: there is none, or the file has several.

    """
    return one_of(Path(text)) if _is_file(text) else from_catalog(text)


def _is_file(text: str) -> bool:
    """Tell whether a file is meant: what the catalog has are names without '.' and '/'."""
    return text == "-" or "." in text or "/" in text or Path(text).is_file()


def one_of(file: Path) -> Named:
    """Return the one definition of a file.

    Raises:
        CannotReadError: it has none, or several.

    """
    found = list(from_file(file))
    if len(found) > 1:
        raise CannotReadError(f"{file} has {len(found)} definitions; name a file with one.")
    return found[0]


def vendor_of(name: str, file: Path | None) -> Vendor:
    """Return the vendor file that is named, else the catalog's for that definition.

    Raises:
        CannotReadError: there is none, or it has mistakes; one line for each.

    """
    if file is None:
        text = shipped.vendor_text(name)
        if text is None:
            raise CannotReadError(
                f"The catalog knows no vendor of '{name}'.",
                todo="Write a vendor file and name it with --vendor; docs/catalog-authoring.md says how.",
            )
        source, raw = f"vendor file of '{name}'", read_object(text)
    else:
        source = str(file)
        raws = list(_documents(file, source))
        if len(raws) != 1 or not isinstance(raws[0], dict):
            raise CannotReadError(f"{source} must hold one vendor file.")
        raw = raws[0]
    vendor = read_vendor(raw)
    if isinstance(vendor, Vendor):
        return vendor
    raise CannotReadError("\n".join(f"{source}: {violation}" for violation in vendor))


def chosen(names: Sequence[str], files: Sequence[Path], *, everything: bool) -> Iterator[Named]:
    """Yield what a command was given, in that order."""
    for file in files:
        yield from from_file(file)
    for name in dict.fromkeys((*names, *(shipped.definition_ids() if everything else ()))):
        if _is_file(name):
            yield from from_file(Path(name))
        else:
            yield from_catalog(name)


def _documents(file: Path, source: str) -> Iterator[Any]:
    try:
        yield from documents(text_of(file), source)
    except UnreadableError as error:
        raise CannotReadError(f"{source} cannot be read: {error}") from error
    except DraftError as error:
        raise CannotReadError(str(error)) from error


def _name_of(document: Raw) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "without a name")) if isinstance(metadata, dict) else "without a name"
