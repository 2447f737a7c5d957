"""What can be connected to: the definitions that a cluster has, and those that the catalog has besides. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from integration_hub.catalog.index import Entry, search


@dataclass(frozen=True, slots=True)
class Offer:
    """A definition that somebody can choose."""

    entry: Entry
    is_installed: bool
    """Whether the cluster has it; else it is the catalog's, and has to be installed first."""


def offers(installed: Sequence[Entry], shipped: Sequence[Entry]) -> list[Offer]:
    """Return what is installed, then what the catalog has besides, each by the names that people know.

    Where both have a name, the cluster's stands for it: that is the one that connections are checked against.
    """
    there = {entry.name for entry in installed}
    return [
        *(Offer(entry, is_installed=True) for entry in sorted(installed, key=_by_display_name)),
        *(
            Offer(entry, is_installed=False)
            for entry in sorted(shipped, key=_by_display_name)
            if entry.name not in there
        ),
    ]


def found(known: Sequence[Offer], words: str) -> list[Offer]:
    """Return the offers in which every word is found, the best first; of equally good ones, what is installed."""
    by_name = {offer.entry.name: offer for offer in known}
    hits = search([offer.entry for offer in known], words)
    ranked = sorted(hits, key=lambda hit: (-hit.score, not by_name[hit.entry.name].is_installed))
    return [by_name[hit.entry.name] for hit in ranked]


def meant(known: Sequence[Offer], text: str) -> Offer | None:
    """Return the one offer whose name or display name is just this text; None where there is none, or several."""
    word = text.strip().lower()
    exact = [offer for offer in known if word in {offer.entry.name, offer.entry.display_name.lower()}]
    return exact[0] if len(exact) == 1 else None


def _by_display_name(entry: Entry) -> tuple[str, str]:
    return entry.display_name.lower(), entry.name
