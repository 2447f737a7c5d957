"""Where in a folder for Git a connection stands already: by what a file holds, not by what it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from integration_hub.cli.errors import Exit, HubError
from integration_hub.model.names import GROUP
from integration_hub.shell.git_folder import INSTANCE
from integration_hub.shell.kustomization import Listing

Raw = Mapping[str, Any]

_KIND = "IntegrationInstance"


def home_of(folder: Path, instance: Raw, listing: Listing) -> str | None:
    """Return the file of a folder that holds this instance; None where none does.

    Raises:
        HubError: something else has its place.

    """
    if not (folder / INSTANCE).exists():
        return None
    held = list(_instances(folder / INSTANCE))
    if any(_is_same(one, instance, listing) for one in held):
        return INSTANCE
    found = _named(held[0], listing) if held else f"no {_KIND}"
    raise HubError(
        f"{INSTANCE} in '{folder}' holds {found}, and is not overwritten.",
        todo=f"Name with -o the folder that holds {_named(instance, listing)}, or a new one.",
        code=Exit.USAGE,
    )


def _instances(path: Path) -> Iterator[Raw]:
    """Yield the instances that a file holds; none where it cannot be read."""
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    yield from (one for one in documents if _is_instance(one))


def _is_instance(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("metadata"), dict):
        return False
    return one.get("kind") == _KIND and str(one.get("apiVersion")).startswith(f"{GROUP}/")


def _is_same(one: Raw, instance: Raw, listing: Listing) -> bool:
    """Tell whether both are the same object of the cluster; a namespace that is nowhere given may be any."""
    name, namespace = one["metadata"].get("name"), _namespace(one, listing)
    wanted = instance["metadata"]
    return name == wanted["name"] and namespace in {None, wanted["namespace"]}


def _namespace(one: Raw, listing: Listing) -> Any:
    return one["metadata"].get("namespace") or listing.namespace


def _named(one: Raw, listing: Listing) -> str:
    namespace = _namespace(one, listing)
    within = f" in namespace '{namespace}'" if namespace else ""
    return f"{_KIND} '{one['metadata'].get('name', '')}'{within}"
