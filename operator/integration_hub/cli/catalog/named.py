"""Definitions of the catalog by name, and what was probably meant where there is none."""

from __future__ import annotations

from integration_hub.adapters import shipped
from integration_hub.catalog.index import Entry, read_index, search
from integration_hub.cli.errors import NotFoundError
from integration_hub.cli.output import Raw
from integration_hub.config.values import did_you_mean


def entries() -> list[Entry]:
    """Return the catalog in short."""
    return read_index(shipped.index_text())


def definition(name: str, *, todo: str = "'hub catalog search' finds by any word.") -> Raw:
    """Return a definition of the catalog; NotFoundError with what was meant, and `todo`, where there is none."""
    text = shipped.definition_text(name)
    if text is None:
        raise NotFoundError(f"The catalog has no definition '{name}'{meant(name)}.", todo=todo)
    # Here, since a list reads no manifest.
    from integration_hub.catalog.loader import read_object  # noqa: PLC0415

    return read_object(text)


def meant(name: str) -> str:
    """Return which definition was probably meant, as the end of a sentence: by its name, else by any of its words."""
    close = did_you_mean(name, shipped.definition_ids())
    hits = [] if close else search(entries(), name)
    return f" (did you mean '{hits[0].entry.name}'?)" if hits else close
