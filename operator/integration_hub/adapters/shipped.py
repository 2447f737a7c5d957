"""Files that are shipped in the package: the catalog's definitions and their simulated vendors."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

_DEFINITIONS = "definitions"
_VENDORS = "vendors"
_KUSTOMIZATION = "kustomization.yaml"
"""Lists the definitions for 'kubectl apply -k'."""


def definition_ids() -> tuple[str, ...]:
    """Return the names of all definitions, sorted."""
    return tuple(sorted(_ids(_DEFINITIONS)))


def index_text() -> str:
    """Return the index of the catalog: a line for each definition."""
    return _folder("index.jsonl").read_text(encoding="utf-8")


def definition_text(name: str) -> str | None:
    """Return the text of a definition; None where there is none of that name."""
    return _text(_DEFINITIONS, name)


def vendor_ids() -> tuple[str, ...]:
    """Return the names of the definitions that have a vendor file, sorted."""
    return tuple(sorted(_ids(_VENDORS)))


def vendor_text(name: str) -> str | None:
    """Return the text of the vendor file of a definition; None where there is none."""
    return _text(_VENDORS, name)


def _folder(part: str) -> Traversable:
    return files("integration_hub.catalog").joinpath(part)


def _ids(part: str) -> Iterator[str]:
    for entry in _folder(part).iterdir():
        if entry.name.endswith(".yaml") and entry.name != _KUSTOMIZATION:
            yield entry.name.removesuffix(".yaml")


def _text(part: str, name: str) -> str | None:
    # A name that comes from a person is looked for among those that there are, so that it cannot lead elsewhere.
    if name not in set(_ids(part)):
        return None
    return _folder(part).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
