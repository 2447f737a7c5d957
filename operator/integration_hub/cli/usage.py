"""`hub usage`: who uses a definition, or what a connection delivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, headers_flag, output_flag, place_flags, selector_flag
from integration_hub.cli.naming import DEFINITION, INSTANCE, Subject, SubjectType
from integration_hub.cli.output import Form, Raw, as_items, write
from integration_hub.cli.table import Table
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import age_of, counted
from integration_hub.flags import Command
from integration_hub.reconcile.times import parse_timestamp

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster


@click.command("usage", cls=Command, context_settings=HELP)
@click.argument(
    "subject",
    type=SubjectType(DEFINITION),
    metavar="DEFINITION | instance/NAME",
    shell_complete=completing.definitions_first,
)
@place_flags(all_namespaces=True)
@selector_flag
@output_flag(("table", "json", "yaml"))
@headers_flag
def usage(subject: Subject, output: Form, **flags: Any) -> None:
    """List who uses a definition, or what an instance delivers.

    Of a definition: its instances in all namespaces that you may see, or in that of -n, and how they are. Of an
    instance: the workloads that use the Secret of its spec.binding.

    \b
    Examples:
      hub usage salesforce
      hub usage salesforce -l team=shop
      hub usage instance/billing -n shop
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here and below, since help needs no cluster.
    from integration_hub.adapters.kube_api import DEFINITIONS  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    of_instance, name = subject.kind == INSTANCE, subject.name
    if flags["all_namespaces"] and (of_instance or flags["namespace"]):
        raise click.UsageError(
            "-A and a namespace, or an instance in one, say different things: leave one out."
        )
    screen, cluster = Screen.current(), Cluster.of(flags)
    if of_instance:
        _of_instance(cluster, name, screen, output, flags)
        return
    cluster.object(DEFINITIONS, name)  # a name that is mistyped is used by nobody
    _of_definition(cluster, name, screen, output, flags)


def _of_definition(
    cluster: Cluster, name: str, screen: Screen, output: Form, flags: Mapping[str, Any]
) -> None:
    from integration_hub.adapters.kube_api import FORBIDDEN, INSTANCES, ApiError  # noqa: PLC0415 - as above
    from integration_hub.cli.status_report import ready_of  # noqa: PLC0415
    from integration_hub.shell.explaining import reading  # noqa: PLC0415

    namespace = flags["namespace"] or ""
    query = {"fieldSelector": f"spec.definitionRef.name={name}", "labelSelector": flags["selector"]}
    try:
        found = cluster.kube.items(INSTANCES, namespace, query=query)
    except ApiError as error:
        if error.status != FORBIDDEN or namespace:
            deed = reading(INSTANCES, "list", namespace=namespace)
            raise cluster.explained(error, "the list of instances", deed) from error
        screen.note(
            f"You may not list instances of all namespaces: these are those of '{cluster.namespace}'."
        )
        with cluster.listed(INSTANCES):
            found = cluster.kube.items(INSTANCES, cluster.namespace, query=query)
    rows = [
        {
            "namespace": raw["metadata"]["namespace"],
            "name": raw["metadata"]["name"],
            "ready": ready_of(raw).get("status", "Unknown"),
            "reason": ready_of(raw).get("reason", "NotSeen"),
            "since": ready_of(raw).get("lastTransitionTime"),
        }
        for raw in found
    ]
    if not output.is_table:
        write(screen, output, as_items(rows))
        return
    _show_usage(rows, screen, headers=not flags["no_headers"])
    ready = sum(row["ready"] == "True" for row in rows)
    namespaces = len({row["namespace"] for row in rows})
    if rows:
        screen.note(f"{counted(len(rows), 'instance')} in {counted(namespaces, 'namespace')}, {ready} ready.")
    else:
        which = _which(flags)
        where = f" in namespace '{namespace}'" if namespace else ""
        screen.note(f"No instance{which}{where} uses IntegrationDefinition '{name}'.")


def _which(flags: Mapping[str, Any]) -> str:
    return f" with the labels {flags['selector']}" if flags["selector"] else ""


def _show_usage(rows: Sequence[Raw], screen: Screen, *, headers: bool) -> None:
    now = datetime.now(UTC)

    def age(since: str | None) -> str:
        moment = parse_timestamp(since)
        return age_of(now - moment) if moment else ""

    cells = [[row["namespace"], row["name"], row["ready"], row["reason"], age(row["since"])] for row in rows]
    if cells:
        Table(["NAMESPACE", "NAME", "READY", "REASON", "SINCE"], cells).show(screen, headers=headers)


def _of_instance(cluster: Cluster, name: str, screen: Screen, output: Form, flags: Mapping[str, Any]) -> None:
    from integration_hub.cli.consumers import seen_consumers  # noqa: PLC0415 - as above
    from integration_hub.cli.errors import HubError  # noqa: PLC0415 - as above

    raw = cluster.instance(name)
    secret = (raw["spec"].get("binding") or {}).get("secretName")
    if not secret:
        raise HubError(
            f"{cluster.namespace}/{name} delivers no Secret, so no workload uses it that way.",
            todo="Set spec.binding.secretName; docs/binding.md says what is in the Secret.",
        )
    found = seen_consumers(cluster, secret, name, flags["selector"])
    if not output.is_table:
        write(
            screen,
            output,
            {"secret": secret, "usedBy": [c._asdict() for c in found.found], "hidden": found.hidden},
        )
        return
    if found.found:
        rows = [[c.kind, c.name, f"{c.how} {secret}"] for c in found.found]
        Table(["KIND", "NAME", "HOW"], rows).show(screen, headers=not flags["no_headers"])
    else:
        screen.note(f"Nothing{_which(flags)} uses Secret '{secret}' in namespace '{cluster.namespace}'.")
    if found.hidden:
        screen.note(f"You may not look at: {', '.join(found.hidden)}.")
