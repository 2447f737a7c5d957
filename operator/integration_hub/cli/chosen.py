"""Which instances a command is about: those that are named, those with some labels, or all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import place_flags, selector_flag
from integration_hub.cli.naming import INSTANCE, NameType, SubjectType
from integration_hub.cli.output import Raw
from integration_hub.cli.terminal import Screen

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster

F = TypeVar("F", bound=Callable[..., object])


def choice_flags(*, with_definitions: bool = False) -> Callable[[F], F]:
    """Add names, as `names`, the flags of the place with -A, -l, and --all, as `every`.

    Names are those of instances; with definitions, they are Subjects of either kind.
    """

    def add(command: F) -> F:
        command = click.option(
            "--all", "every", is_flag=True, help="All instances of the namespace; with -A, of all namespaces."
        )(command)
        command = place_flags(all_namespaces=True)(selector_flag(command))
        if with_definitions:
            return click.argument(
                "names",
                type=SubjectType(INSTANCE),
                metavar="[NAME | definition/NAME]...",
                nargs=-1,
                shell_complete=completing.instances_first,
            )(command)
        return click.argument(
            "names",
            type=NameType(INSTANCE),
            metavar="[NAME]...",
            nargs=-1,
            shell_complete=completing.instances,
        )(command)

    return add


def is_one(flags: Mapping[str, Any]) -> bool:
    """Tell whether a single instance is meant, by its name; a mistake in the flags where none or two things are."""
    names, by_labels, every = flags["names"], flags["selector"], flags["every"]
    if not names and not by_labels and not every:
        raise click.UsageError("Name an instance, or say which are meant with -l or --all.")
    if names and (by_labels or every or flags["all_namespaces"]):
        raise click.UsageError("Names and -A, -l or --all say different things: leave one of them out.")
    if by_labels and every:
        raise click.UsageError("-l and --all say different things: leave one of them out.")
    return len(set(names)) == 1


def chosen(cluster: Cluster, flags: Mapping[str, Any], screen: Screen) -> list[Raw]:
    """Return the instances that are meant. HubError where one that is named does not exist."""
    if flags["names"]:
        return [cluster.instance(name) for name in dict.fromkeys(flags["names"])]
    from integration_hub.adapters.kube_api import INSTANCES  # noqa: PLC0415 - help needs no cluster
    from integration_hub.shell.explaining import reading  # noqa: PLC0415

    namespace = "" if flags["all_namespaces"] else cluster.namespace
    with cluster.asked("the list of instances", reading(INSTANCES, "list", namespace=namespace)):
        found = cluster.kube.items(INSTANCES, namespace, query={"labelSelector": flags["selector"]})
    if not found:
        which = f" with the labels {flags['selector']}" if flags["selector"] else ""
        where = f" in namespace '{namespace}'" if namespace else ""
        screen.note(f"There are no instances{which}{where}: nothing was done.")
    api = {"apiVersion": INSTANCES.api, "kind": INSTANCES.kind}  # which the items of a list do not say
    return [api | raw for raw in found]
