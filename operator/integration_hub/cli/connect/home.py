"""Where in a folder for Git a connection stands already: by what a file holds, not by what it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from integration_hub.cli.errors import Exit, HubError
from integration_hub.config.yaml_text import NoYamlError, read_documents
from integration_hub.model.names import GROUP
from integration_hub.shell.git_folder import INSTANCE
from integration_hub.shell.kustomization import NAMES, Listing

Raw = Mapping[str, Any]

_KIND: Final = "IntegrationInstance"
_YAML: Final = frozenset({".yaml", ".yml"})


def home_of(folder: Path, instance: Raw, listing: Listing) -> str | None:
    """Return the file of a folder that holds this instance, and nothing else; None where none does.

    What the folder's list applies goes before what merely lies there, which may be a patch.

    Raises:
        HubError: it cannot be written there, or something else has its place.

    """
    for names in (_applied(folder, listing), _lying(folder)):
        homes = [name for name in names if _holds(objects_in(folder / name), instance, listing)]
        if len(homes) > 1:
            raise HubError(
                f"{' and '.join(homes)} in '{folder}' hold this connection.",
                todo="Leave it in one of them.",
                code=Exit.USAGE,
            )
        if homes:
            _refuse_unwritable(folder, homes[0])
            return homes[0]
    if (folder / INSTANCE).exists():
        others = [one for one in objects_in(folder / INSTANCE) if _is_instance(one)]
        found = _named(others[0], listing) if others else f"no {_KIND}"
        raise HubError(
            f"{INSTANCE} in '{folder}' holds {found}, and is not overwritten.",
            todo=f"Name with -o the folder that holds {_named(instance, listing)}, or a new one.",
            code=Exit.USAGE,
        )
    return None


def _applied(folder: Path, listing: Listing) -> list[str]:
    """Return the files of the folder that its list names, as paths below it."""
    paths = dict.fromkeys(PurePosixPath(name) for name in listing.resources)
    within = [path for path in paths if not path.is_absolute() and ".." not in path.parts]
    return [str(path) for path in within if (folder / path).is_file()]


def _lying(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.suffix in _YAML and path.name not in NAMES)


def _refuse_unwritable(folder: Path, name: str) -> None:
    path = folder / name
    if path.suffix in _YAML and len(objects_in(path)) == 1:
        return
    how = "beside other things" if path.suffix in _YAML else "and is no '.yaml'"
    raise HubError(
        f"{name} in '{folder}' holds this connection {how}: it is not overwritten, and no second copy is made.",
        todo="Give the connection a file of its own there, or print it with --dry-run=client in place of -o, and put"
        " it there by hand.",
        code=Exit.USAGE,
    )


def objects_in(path: Path) -> list[Any]:
    """Return what a file holds, with what lists in it hold; nothing where it cannot be read."""
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, NoYamlError):
        return []
    found: list[Any] = []
    for one in documents:
        items = one.get("items") if isinstance(one, dict) else None
        # The list counts as well: a file that is one cannot become the object alone.
        found += [one, *items] if isinstance(items, list) else [] if one is None else [one]
    return found


def _holds(objects: Iterable[Any], instance: Raw, listing: Listing) -> bool:
    return any(_is_instance(one) and _is_same(one, instance, listing) for one in objects)


def _is_instance(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("metadata"), dict):
        return False
    return one.get("kind") == _KIND and str(one.get("apiVersion")).startswith(f"{GROUP}/")


def _is_same(one: Raw, instance: Raw, listing: Listing) -> bool:
    """Tell whether both are the same object of the cluster; a namespace that is nowhere given may be any."""
    name, namespace = one["metadata"].get("name"), _namespace(one, listing)
    wanted = instance["metadata"]
    return bool(name == wanted["name"] and namespace in {None, wanted["namespace"]})


def _namespace(one: Raw, listing: Listing) -> Any:
    return one["metadata"].get("namespace") or listing.namespace


def _named(one: Raw, listing: Listing) -> str:
    namespace = _namespace(one, listing)
    within = f" in namespace '{namespace}'" if namespace else ""
    return f"{_KIND} '{one['metadata'].get('name', '')}'{within}"
