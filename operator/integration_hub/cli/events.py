"""`hub events`: what the operator has told about instances, the newest last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, headers_flag, output_flag, place_flags, selector_flag, watch_flag
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.cli.output import Form, Raw, as_list, without_bookkeeping, write, write_another
from integration_hub.cli.table import Aligned, Table
from integration_hub.cli.terminal import Screen, State
from integration_hub.cli.words import age_of
from integration_hub.config.plain_text import one_line
from integration_hub.flags import Command
from integration_hub.reconcile.times import parse_timestamp

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster

TYPES: Mapping[str, State] = {"Warning": State.BAD}
"""'Normal' has no symbol: such an Event may tell of a failure that is nobody's alarm, like a Secret not there yet."""


@click.command("events", cls=Command, context_settings=HELP)
@click.argument("name", type=NameType(INSTANCE), required=False, shell_complete=completing.instances)
@place_flags(all_namespaces=True)
@selector_flag
@watch_flag
@output_flag(("table", "json", "yaml", "name"))
@headers_flag
def events(name: str | None, output: Form, **flags: Any) -> None:
    """List Events of an instance, or of all instances of the namespace, the newest last.

    The operator posts one when the reason of Ready changes, and before credentials end. A cluster keeps Events for an
    hour, if it was not set up otherwise; 'hub status' has the last ten changes of a verdict.

    \b
    Examples:
      hub events billing
      hub events -A -w
      hub events -l team=shop        of the instances with this label
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub events --help` needs no cluster.
    from integration_hub.adapters.kube_api import EVENTS, INSTANCES  # noqa: PLC0415
    from integration_hub.adapters.kube_blocking import JSON  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.following import follow  # noqa: PLC0415

    if name and (flags["all_namespaces"] or flags["selector"]):
        raise click.UsageError("NAME and -A or -l say different things: leave one of them out.")
    screen, cluster = Screen.current(), Cluster.of(flags)
    if flags["all_namespaces"]:
        cluster.namespace = ""
    if name:
        cluster.instance(name)  # a name that is mistyped has no Events either
    parts = {"regarding.kind": INSTANCES.kind} | ({"regarding.name": name} if name else {})
    query = {"fieldSelector": ",".join(f"{field}={value}" for field, value in parts.items())}
    meant = _Labelled(cluster, flags["selector"]) if flags["selector"] else None
    printer = _Printer(screen, output, with_object=not name, headers=not flags["no_headers"])
    if flags["watch"]:
        for news in follow(cluster, EVENTS, query=query, accept=JSON, screen=screen):
            told = [] if news.deleted else news.objects
            printer.more(meant.among(told) if meant else told)
        return
    with cluster.listed(EVENTS, "Events"):
        api = {"apiVersion": EVENTS.api, "kind": EVENTS.kind}  # which the items of a list do not say
        found = [api | raw for raw in cluster.kube.items(EVENTS, cluster.namespace, query=query)]
    printer.all(meant.among(found) if meant else found)


class _Labelled:
    """Instances with some labels. Events have none: they are those of the instances that they tell of."""

    def __init__(self, cluster: Cluster, selector: str) -> None:
        self._cluster, self._selector = cluster, selector
        self._known: set[tuple[str, str]] = set()
        """Also those that had the labels when they were last looked at, and are gone."""
        self._look()

    def among(self, events: Iterable[Raw]) -> list[Raw]:
        """Return the Events that tell of such instances."""
        found = list(events)
        if not all(_place(event) in self._known for event in found):
            self._look()  # since the last time, one may have been created or labelled
        return [event for event in found if _place(event) in self._known]

    def _look(self) -> None:
        from integration_hub.adapters.kube_api import INSTANCES  # noqa: PLC0415 - as above
        from integration_hub.adapters.kube_blocking import METADATA_LIST  # noqa: PLC0415

        query = {"labelSelector": self._selector}
        cluster = self._cluster
        with cluster.listed(INSTANCES):
            for page in cluster.kube.pages(INSTANCES, cluster.namespace, query=query, accept=METADATA_LIST):
                self._known |= {
                    (raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in page.get("items") or ()
                }


def _place(event: Raw) -> tuple[str, str]:
    """Return namespace and name of the object that an Event tells of."""
    regarding = event.get("regarding") or {}
    return str(regarding.get("namespace", "")), str(regarding.get("name", ""))


class _Printer:
    """Prints Events in the form that was asked for."""

    def __init__(self, screen: Screen, form: Form, *, with_object: bool, headers: bool) -> None:
        self._screen, self._form, self._with_object, self._headers = screen, form, with_object, headers
        self._aligned: Aligned | None = None

    def all(self, found: Iterable[Raw]) -> None:
        """Print a list."""
        events = sorted(found, key=_time)
        if not self._form.is_table:
            write(self._screen, self._form, as_list([without_bookkeeping(event) for event in events]))
        elif events:
            self._table(events).show(self._screen, headers=self._headers)
        else:
            self._screen.note("There are no Events: none were posted, or the cluster keeps them no longer.")

    def more(self, found: Iterable[Raw]) -> None:
        """Print what comes, below what was printed."""
        events = sorted(found, key=_time)
        for event in [] if self._form.is_table else events:
            write_another(self._screen, self._form, without_bookkeeping(event))
        if not self._form.is_table or not events:
            return
        table = self._table(events)
        if self._screen.plain:
            table.show(self._screen)
            self._screen.say()
            return
        rows = [[one_line(cell) for cell in row] for row in table.rows]
        if self._aligned is None:
            self._aligned = Aligned(table, self._screen, rows, headers=self._headers)
            lines = list(self._aligned.lines())
        else:
            lines = [self._aligned.line(row) for row in rows]
        for line in lines:
            self._screen.say(line)

    def _table(self, events: Iterable[Raw]) -> Table:
        now = datetime.now(UTC)
        headers = ["LAST SEEN", "TYPE", "REASON", *(["INSTANCE"] if self._with_object else []), "MESSAGE"]
        return Table(headers, [self._row(event, now) for event in events], {"TYPE": TYPES}, is_whole=True)

    def _row(self, event: Raw, now: datetime) -> list[str]:
        moment = parse_timestamp(_time(event))
        place = ["/".join(_place(event))] if self._with_object else []
        return [
            age_of(now - moment) if moment else "",
            event.get("type") or "",
            event.get("reason") or "",
            *place,
            event.get("note") or "",
        ]


def _time(event: Raw) -> str:
    """Return when an Event was last seen."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )
