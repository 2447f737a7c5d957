"""`hub diff`: what an apply of a file would change, as the API server sees it. Nothing is changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, place_flags
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.cli.terminal import Screen, State
from integration_hub.config.plain_text import clean
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster

_NOISE = frozenset({"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"})
"""Of metadata, what nobody applies."""
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_INVALID = frozenset({400, 404, 409, 422})

Raw = dict[str, Any]


class _Document(NamedTuple):
    """An object of a file, and where it stands there."""

    obj: Raw
    place: str


@click.command("diff", cls=Command, context_settings=HELP)
@click.argument(
    "names", type=NameType(INSTANCE), metavar="[NAME]...", nargs=-1, shell_complete=completing.instances
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    required=True,
    type=click.Path(allow_dash=True, path_type=Path),
    help="File or folder of manifests, '-' for standard input. May be repeated.",
)
@place_flags()
@click.option(
    "--field-manager",
    default="kubectl",
    show_default=True,
    help="Who would apply: what that manager has applied before, and the file leaves out, would go.",
)
def diff(names: tuple[str, ...], files: tuple[Path, ...], field_manager: str, **flags: Any) -> None:
    """Show what applying a file would change of instances and definitions.

    The API server is asked (a server-side apply that changes nothing), so its own checks are made too. Other objects
    in the file are passed over, Secrets first of all. With names, only those are compared.

    \b
    Examples:
      hub diff -f billing.yaml
      hub diff -f connections/ billing
      hub export billing | hub diff -f -

    Exit code 0 where nothing would change, 1 where something would, 2 for a mistake in the file, 3 where the cluster
    cannot be asked.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub diff --help` needs no cluster.
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    screen = Screen.current()
    documents = _chosen([document for file in files for document in _documents(file, screen)], names)
    _refuse_other_namespaces(documents, flags["namespace"])
    cluster = Cluster.of(flags)
    differs = False
    for document in documents:
        lines = list(_compared(cluster, document, field_manager))
        differs = differs or bool(lines)
        for line in lines:
            screen.data(_shown(line, screen))
    sys.exit(1 if differs else 0)


def _documents(file: Path, screen: Screen) -> Iterator[_Document]:
    """Yield the objects of ours in a file or folder."""
    from integration_hub.cli.errors import Exit, HubError  # noqa: PLC0415 - as above

    if file.is_dir():
        inside = sorted(path for path in file.iterdir() if path.suffix in _SUFFIXES)
        if not inside:
            raise HubError(
                f"There is no manifest in {file}.",
                todo="Name a folder with .yaml, .yml or .json files.",
                code=Exit.USAGE,
            )
        for path in inside:
            yield from _documents(path, screen)
        return
    for number, document in enumerate(_loaded(file), 1):
        place = f"{'standard input' if str(file) == '-' else file}, document {number}"
        yield from _ours(document, place, screen)


def _loaded(file: Path) -> list[Any]:
    from integration_hub.cli.errors import Exit, HubError  # noqa: PLC0415 - as above
    from integration_hub.cli.streams import UnreadableError, text_of  # noqa: PLC0415
    from integration_hub.shell.draft import DraftError, documents  # noqa: PLC0415

    source = "standard input" if str(file) == "-" else str(file)
    try:
        return list(documents(text_of(file), source))
    except UnreadableError as error:
        what = source[0].upper() + source[1:] if str(file) == "-" else source
        raise HubError(f"{what} cannot be read: {error}", code=Exit.USAGE) from error
    except DraftError as error:
        raise HubError(f"{error}.", code=Exit.USAGE) from error


def _ours(document: Any, place: str, screen: Screen) -> Iterator[_Document]:
    from integration_hub.cli.errors import Exit, HubError  # noqa: PLC0415 - as above
    from integration_hub.model.names import GROUP  # noqa: PLC0415

    if not isinstance(document, dict):
        raise HubError(
            f"{place}: it is no object.",
            todo="A manifest has apiVersion, kind and metadata.",
            code=Exit.USAGE,
        )
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise HubError(
            f"{place}: it has no metadata.name.",
            todo="Write 'metadata:' into it, and below that 'name:' with what it is called, as text.",
            code=Exit.USAGE,
        )
    if str(document.get("apiVersion", "")).partition("/")[0] != GROUP:
        screen.note(clean(f"{place}: {document.get('kind')} '{metadata['name']}' is not compared."))
        return
    yield _Document(document, place)


def _chosen(documents: Sequence[_Document], names: Sequence[str]) -> list[_Document]:
    from integration_hub.cli.errors import NotFoundError  # noqa: PLC0415 - as above
    from integration_hub.config.values import did_you_mean  # noqa: PLC0415

    known = {document.obj["metadata"]["name"] for document in documents}
    for name in names:
        if name not in known:
            raise NotFoundError(f"There is no '{name}' in what was named with -f{did_you_mean(name, known)}.")
    if not documents:
        raise NotFoundError("There is no instance and no definition in what was named with -f.")
    return [document for document in documents if not names or document.obj["metadata"]["name"] in names]


def _refuse_other_namespaces(documents: Sequence[_Document], wanted: str | None) -> None:
    """Refuse -n where the file says another namespace, as kubectl does: one of them is a mistake."""
    from integration_hub.cli.errors import Exit, HubError  # noqa: PLC0415 - as above

    for document in documents:
        name, own = (document.obj["metadata"].get(field) for field in ("name", "namespace"))
        is_instance = document.obj.get("kind") == "IntegrationInstance"
        if wanted is not None and is_instance and own not in (None, wanted):
            raise HubError(
                f"{document.place}: '{name}' is in namespace '{own}', and -n says '{wanted}'.",
                todo="Leave -n out, or correct the file.",
                code=Exit.USAGE,
            )


def _compared(cluster: Cluster, document: _Document, manager: str) -> Iterator[str]:
    """Yield the lines of a unified diff; none where nothing would change."""
    # Here, since `hub diff --help` needs none of it.
    import difflib  # noqa: PLC0415

    from integration_hub.adapters.kube_api import DEFINITIONS, INSTANCES, ApiError  # noqa: PLC0415
    from integration_hub.adapters.kube_blocking import APPLY  # noqa: PLC0415
    from integration_hub.cli.cluster import refuse_no_name  # noqa: PLC0415
    from integration_hub.cli.errors import Exit, HubError  # noqa: PLC0415
    from integration_hub.shell.explaining import CHANGE, CREATE  # noqa: PLC0415
    from integration_hub.shell.manifests import as_manifest  # noqa: PLC0415

    obj, name = document.obj, document.obj["metadata"]["name"]
    resource = next((own for own in (INSTANCES, DEFINITIONS) if own.kind == obj.get("kind")), None)
    if resource is None:
        raise HubError(f"{document.place}: there is no kind '{obj.get('kind')}' of ours.", code=Exit.USAGE)
    namespace = "" if resource is DEFINITIONS else obj["metadata"].get("namespace") or cluster.namespace
    what = f"{resource.kind} '{name}'"
    for text in (name, namespace) if namespace else (name,):
        refuse_no_name(text, f"an object ({document.place})")
    try:
        live: Mapping[str, Any] | None = cluster.kube.read(resource, namespace, name)
    except ApiError as error:
        if not error.gone:
            raise cluster.explained(error, what) from error
        live = None
    try:
        after = cluster.kube.call(
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": manager, "dryRun": "All", "force": "true"},
            body={**obj, "metadata": {**obj["metadata"], **({"namespace": namespace} if namespace else {})}},
            content_type=APPLY,
        )
    except ApiError as error:
        # A field that the CRD does not know is answered with 500 by servers up to 1.36.
        if error.status in _INVALID or "typed patch object" in str(error):
            raise HubError(
                f"{document.place}: {what} would be refused.",
                why=f"The API server says: {error}",
                code=Exit.USAGE,
            ) from error
        raise cluster.explained(error, what, CREATE if live is None else CHANGE) from error
    path = f"{namespace}/{name}" if namespace else name
    now, then = (as_manifest(_comparable(state)).splitlines() if state else [] for state in (live, after))
    label = f"{resource.kind} {path}"
    before = label if live is not None else f"{label} (not there)"
    yield from difflib.unified_diff(now, then, f"now: {before}", f"then: {label}", lineterm="")


def _comparable(obj: Mapping[str, Any]) -> Raw:
    """Return what of an object a person applies."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _NOISE}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _shown(line: str, screen: Screen) -> str:
    """Return a line of a diff with its sign in colour; the words keep the colour that the terminal has for words."""
    states = {"+": State.GOOD, "-": State.BAD}
    state = states.get(line[:1])
    if line.startswith(("+++", "---", "@@")) or state is None:
        return screen.strong(clean(line)) if line.startswith(("+++", "---")) else clean(line)
    return screen.tinted(state, line[0]) + clean(line[1:])
