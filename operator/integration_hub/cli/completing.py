"""What TAB offers: names that the cluster has. Quick, and silent whatever is in the way: nobody has asked for an error.

Functions here have click's signature for `shell_complete`. `kubectl_complete-hub` is what kubectl runs for its plugin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from integration_hub.cli.naming import (
    DEFINITION,
    DEFINITION_WORDS,
    INSTANCE,
    INSTANCE_WORDS,
    Subject,
    kind_of,
    subject_of,
)

if TYPE_CHECKING:
    from integration_hub.adapters.kube_api import Resource
    from integration_hub.adapters.kube_blocking import BlockingKube

SECONDS = 2.0
"""After which a cluster that does not answer has no names."""
MOST = 500
"""Names that are looked at: nobody reads more."""

NO_FILES, FILES = 4, 0
"""Directives of cobra, which kubectl is made with: whether files are offered besides."""


def _quiet(
    find: Callable[[click.Context, str], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return a function for click that offers what is found and begins as typed; nothing where anything is wrong."""

    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            taken = {
                word.name if isinstance(word, Subject) else word
                for value in ctx.params.values()
                if isinstance(value, tuple)
                for word in value
            }
            found = [
                name
                for name in find(ctx, incomplete)
                if name.lower().startswith(incomplete.lower()) and name.rpartition("/")[2] not in taken
            ]
        except Exception:  # noqa: BLE001 - a kubeconfig, a cluster, rights, a network: all mean that there are no names
            return []
        return [CompletionItem(name) for name in found]

    return offer


def _of_instances(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from integration_hub.adapters.kube_api import INSTANCES  # noqa: PLC0415 - help needs none of it

    return _names(ctx, INSTANCES)


def _of_definitions(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from integration_hub.adapters.kube_api import DEFINITIONS  # noqa: PLC0415 - help needs none of it

    return _names(ctx, DEFINITIONS)


def _of_catalog(_ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from integration_hub.adapters.shipped import definition_ids  # noqa: PLC0415 - help needs none of it

    return definition_ids()


def _of_systems(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Return what can be connected to: definitions of the cluster, and those of the catalog."""
    return dict.fromkeys((*_of_definitions(ctx, incomplete), *_of_catalog(ctx, incomplete)))


def _of_namespaces(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from integration_hub.adapters.kube_api import Resource  # noqa: PLC0415 - help needs none of it

    return _names(ctx, Resource("v1", "namespaces", "Namespace"), in_namespace=False)


def _of_get(ctx: click.Context, incomplete: str) -> Iterable[str]:
    words = ctx.params.get("words") or ()
    if words and kind_of(words[0]) == DEFINITION:
        return _of_definitions(ctx, incomplete)
    if "/" in incomplete:
        return _of_either(ctx, incomplete, INSTANCE)
    kinds = () if words else (INSTANCE_WORDS[0], DEFINITION_WORDS[0])
    return (*(kind for kind in kinds if kind.startswith(incomplete)), *_of_instances(ctx, incomplete))


def _of_instances_by_kind(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Return names of instances, with the kind where it is typed before them."""
    word, slash, _ = incomplete.partition("/")
    if not slash:
        return _of_instances(ctx, incomplete)
    return [f"{word}/{name}" for name in _of_instances(ctx, incomplete)] if kind_of(word) == INSTANCE else ()


def _of_either(ctx: click.Context, incomplete: str, first: str) -> Iterable[str]:
    """Return the names of both kinds: those of `first` alone, until a kind is typed, the others with their kind."""
    find = {INSTANCE: _of_instances, DEFINITION: _of_definitions}
    word, slash, _ = incomplete.partition("/")
    if slash:
        kind = kind_of(word)
        return [f"{word}/{name}" for name in find[kind](ctx, incomplete)] if kind else ()
    (other,) = (kind for kind in find if kind != first)
    return (*find[first](ctx, incomplete), *(f"{other}/{name}" for name in find[other](ctx, incomplete)))


def _of_tests(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from integration_hub.adapters.kube_api import INSTANCES  # noqa: PLC0415 - help needs none of it

    # Before the value of a flag, click has not given the arguments their names yet.
    name = ctx.params.get("name") or subject_of(next(iter(ctx.args), ""), INSTANCE).name
    kube, namespace = _kube(ctx)
    try:
        raw = kube.read(INSTANCES, namespace, name)
    finally:
        kube.close()
    own = [test["name"] for test in raw["spec"].get("tests") or ()]
    return dict.fromkeys([*own, *(test["name"] for test in (raw.get("status") or {}).get("tests") or ())])


def _of_reasons(_ctx: click.Context, incomplete: str) -> Iterable[str]:
    from integration_hub.model.reasons import Reason  # noqa: PLC0415 - help needs none of it

    # However its letters are typed: what is offered takes their place.
    return [str(reason) for reason in Reason if str(reason).lower().startswith(incomplete.lower())]


instances = _quiet(_of_instances_by_kind)
definitions = _quiet(_of_definitions)
systems = _quiet(_of_systems)
namespaces = _quiet(_of_namespaces)
for_get = _quiet(_of_get)
instances_first = _quiet(lambda ctx, incomplete: _of_either(ctx, incomplete, INSTANCE))
definitions_first = _quiet(lambda ctx, incomplete: _of_either(ctx, incomplete, DEFINITION))
"""Names of both kinds; those of the first need no kind before them."""
tests = _quiet(_of_tests)
reasons = _quiet(_of_reasons)
catalog = _quiet(_of_catalog)
"""Names of the catalog's definitions."""


def _names(ctx: click.Context, resource: Resource, *, in_namespace: bool = True) -> Iterator[str]:
    """Yield the names of objects, of their metadata alone."""
    from integration_hub.adapters.kube_api import DEFINITIONS  # noqa: PLC0415 - help needs none of it
    from integration_hub.adapters.kube_blocking import METADATA_LIST  # noqa: PLC0415

    kube, namespace = _kube(ctx)
    within = (
        namespace if in_namespace and resource != DEFINITIONS and not ctx.params.get("all_namespaces") else ""
    )
    try:
        page = next(kube.pages(resource, within, query={"limit": str(MOST)}, accept=METADATA_LIST))
    finally:
        kube.close()
    yield from (raw["metadata"]["name"] for raw in page.get("items") or ())


def _kube(ctx: click.Context) -> tuple[BlockingKube, str]:
    from integration_hub.adapters.kube_blocking import BlockingKube  # noqa: PLC0415 - help needs none of it
    from integration_hub.adapters.kubeconfig import load  # noqa: PLC0415

    connection = load(ctx.params.get("kubeconfig"), ctx.params.get("context"))
    return BlockingKube(connection, timeout=SECONDS), ctx.params.get("namespace") or connection.namespace


def script(shell: str, program: str) -> str:
    """Return what a shell reads to know how `program` is completed."""
    kind = click.shell_completion.get_completion_class(shell)
    if kind is None:
        raise ValueError(shell)
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    complete = kind(click.Group(), {}, program, variable)
    # Not source(), which runs bash to ask for its version: here it is written for another one, perhaps elsewhere.
    return str(kind.source_template % complete.source_vars())


def complete_for_kubectl() -> None:
    """Print what kubectl offers after `kubectl hub`, as `kubectl_complete-hub` is asked to.

    One word a line, with its help after a tab; then a colon and a directive, as cobra's `__complete` prints them.
    """
    from integration_hub.cli.main import main  # noqa: PLC0415 - it imports this module's commands

    *words, incomplete = sys.argv[1:] or [""]
    directive = NO_FILES
    try:
        found: list[Any] = ShellComplete(main, {}, "kubectl hub", "").get_completions(words, incomplete)
    except Exception:  # noqa: BLE001 - as above
        found = []
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
        else:
            directive = FILES
    click.echo(f":{directive}")
