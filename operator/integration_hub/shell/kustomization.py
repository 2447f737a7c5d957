"""The list by which kustomize applies a folder: made where there is none, added to where its owner has one.

Such a list is a person's file. It keeps its name, its comments and its order; only the names that it lacks come to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from integration_hub.config.yaml_text import NoYamlError, read_documents

KUSTOMIZATION: Final = "kustomization.yaml"
NAMES: Final = (KUSTOMIZATION, "kustomization.yml", "Kustomization")
"""Those that kustomize knows. It refuses a folder that has two of them."""

_HEAD: Final = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_RESOURCES: Final = "resources"


class UnusableListError(ValueError):
    """A list that is there cannot be added to. Says why."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of a folder."""

    path: Path
    text: str | None = None
    """As it is; None where there is none yet."""

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.name

    @property
    def namespace(self) -> str | None:
        """Where it puts all that it names, if it says so."""
        found = _loaded(self.text or "")
        return found.get("namespace") if isinstance(found, dict) else None

    @property
    def resources(self) -> tuple[str, ...]:
        """What it applies, as it names that."""
        found = _loaded(self.text or "")
        named = found.get(_RESOURCES) if isinstance(found, dict) else None
        return tuple(name for name in named if isinstance(name, str)) if isinstance(named, list) else ()

    def naming(self, resources: Sequence[str], namespace: str | None = None) -> str:
        """Return its text with all of these; one that is made puts them into a namespace.

        Raises:
            UnusableListError: it cannot be added to.

        """
        if self.text is None:
            return made(resources, namespace)
        try:
            return added(self.text, resources)
        except UnusableListError as error:
            raise UnusableListError(f"'{self.path}' cannot be added to: {error}.") from error


def listing_of(folder: Path) -> Listing:
    """Return the list of a folder, which need not exist.

    Raises:
        UnusableListError: it has several, or one that cannot be read.

    """
    there = [name for name in NAMES if (folder / name).exists()]
    if len(there) > 1:
        raise UnusableListError(f"'{folder}' has {' and '.join(there)}, of which kustomize takes one alone.")
    path = folder / (there[0] if there else KUSTOMIZATION)
    try:
        return Listing(path, path.read_text(encoding="utf-8") if there else None)
    except UnicodeDecodeError:
        raise UnusableListError(f"'{path}' cannot be read: it is no text in UTF-8.") from None
    except OSError as error:
        raise UnusableListError(f"'{path}' cannot be read: {error.strerror}.") from error


def made(resources: Sequence[str], namespace: str | None = None) -> str:
    """Return a new list."""
    within = {"namespace": namespace} if namespace is not None else {}
    return str(yaml.safe_dump({**_HEAD, **within, _RESOURCES: list(resources)}, sort_keys=False))


def added(text: str, resources: Sequence[str]) -> str:
    """Return a list with those of these that it does not name yet, and all else as it stands there.

    Raises:
        UnusableListError: it is none, or is written in a way that cannot be added to.

    """
    try:
        found = read_documents(text)
    except NoYamlError as error:
        raise UnusableListError(f"it {error}" + (f" (line {error.line})" if error.line else "")) from None
    if len(found) > 1:
        raise UnusableListError("it has more than one document")
    # What was read is neither too deep nor too much for this, too.
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return _with_end(text) + made(resources)
    before = found[0]
    if not isinstance(root, yaml.MappingNode):
        raise UnusableListError("it has no 'resources'")
    # One that stands there as a patch is applied already; kustomize refuses what comes twice.
    named = {name.removeprefix("./") for name in _texts(before)}
    new = [name for name in resources if name not in named]
    if not new:
        return text
    after = _inserted(text, root, new)
    if _loaded(after) != {**before, _RESOURCES: [*(before.get(_RESOURCES) or ()), *new]}:
        raise UnusableListError("it is written in a way that leaves no place for more")
    return after


def _inserted(text: str, root: yaml.MappingNode, new: Sequence[str]) -> str:
    value = next((value for key, value in root.value if key.value == _RESOURCES), None)
    if value is None:
        return _with_end(text) + _lines(_RESOURCES + ":", new)
    begin, end = value.start_mark.index, value.end_mark.index
    if isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null":
        return text[:begin].rstrip(" ") + "\n" + _lines("", new).removesuffix("\n") + text[end:]
    if not isinstance(value, yaml.SequenceNode):
        raise UnusableListError(f"its '{_RESOURCES}' is no list")
    if value.value:
        end = value.value[-1].end_mark.index
    if value.flow_style:
        end = end if value.value else begin + 1
        return text[:end] + (", " if value.value else "") + ", ".join(new) + text[end:]
    end_of_line = text.find("\n", end)
    head, tail = (text, "") if end_of_line < 0 else (text[:end_of_line], text[end_of_line + 1 :])
    return _with_end(head) + _lines("", new, " " * value.start_mark.column) + tail


def _lines(head: str, names: Sequence[str], indent: str = "") -> str:
    lines = [head] if head else []
    return "".join(f"{line}\n" for line in [*lines, *(f"{indent}- {name}" for name in names)])


def _with_end(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _loaded(text: str) -> Any:
    """Return the one document of a text, None where it has none or several."""
    try:
        found = read_documents(text)
    except NoYamlError:
        return None
    return found[0] if len(found) == 1 else None


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts that stand anywhere in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
