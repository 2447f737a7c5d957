"""`hub get`: instances or definitions as the cluster has them, in the columns that the CRDs name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, headers_flag, output_flag, place_flags, selector_flag, watch_flag
from integration_hub.cli.naming import DEFINITION, INSTANCE, kind_of, subject_of
from integration_hub.cli.output import Form, Raw, as_list, without_bookkeeping, write, write_another
from integration_hub.cli.table import Aligned, Table
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.config.plain_text import one_line
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.adapters.kube_api import Resource
    from integration_hub.cli.cluster import Cluster


@click.command("get", cls=Command, context_settings=HELP)
@click.argument(
    "words", metavar="[instances|definitions] [NAME]...", nargs=-1, shell_complete=completing.for_get
)
@place_flags(all_namespaces=True)
@selector_flag
@watch_flag
@output_flag()
@headers_flag
def get(words: tuple[str, ...], **flags: Any) -> None:
    """List instances, or definitions, and how they are.

    Without a word it lists the instances of the namespace. The columns are those of 'kubectl get iinst'; '-o wide'
    adds the message.

    \b
    Examples:
      hub get                                  instances of the context's namespace
      hub get -A -o wide                       of all namespaces, with what was found
      hub get billing crm -o yaml              two instances, as YAML
      hub get definitions                      the catalog entries of the cluster
      hub get -l team=shop -w                  go on and print every change
      hub get -o jsonpath='{range .items[*]}{.metadata.name}{"\\n"}{end}'

    Exit code 0, also where there are none; 2 for a name that does not exist; 3 where the cluster cannot be asked.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub get --help` needs no cluster.
    from integration_hub.adapters.kube_api import DEFINITIONS, INSTANCES  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    is_definitions, names = _asked_for(words)
    if names and (flags["all_namespaces"] or flags["selector"]):
        raise click.UsageError("Names and -A or -l say different things: leave one of them out.")
    cluster = Cluster.of(flags)
    if flags["all_namespaces"]:
        cluster.namespace = ""
    resource = DEFINITIONS if is_definitions else INSTANCES
    listing = _Listing(
        cluster, resource, names, flags["selector"], Screen.current(), headers=not flags["no_headers"]
    )
    form: Form = flags["output"]
    if flags["watch"]:
        listing.watch(form)
    elif form.is_table:
        listing.table(form)
    else:
        listing.objects(form)


def _asked_for(words: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
    """Return whether definitions are meant, and the names; 'iinst/NAME' is taken as kubectl takes it."""
    _refuse_two_kinds(words)
    kind = (kind_of(words[0]) if words else None) or INSTANCE
    is_listed = bool(words) and kind_of(words[0]) is not None
    try:
        subjects = [subject_of(word, kind) for word in words[is_listed:]]
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    kinds = {subject.kind for subject in subjects} | ({kind} if is_listed else set())
    if len(kinds) > 1:
        raise click.UsageError("Name objects that are all of one kind: instances, or definitions.")
    return DEFINITION in kinds, tuple(subject.name for subject in subjects)


def _refuse_two_kinds(words: Sequence[str]) -> None:
    """Refuse 'instances definitions' and 'iinst,idef', which kubectl takes: their columns differ."""
    first, *others = [part for word in words for part in word.split(",")] or [""]
    kind = kind_of(first)
    other = next((word for word in others if kind and kind_of(word) not in {None, kind}), None)
    if other is not None:
        raise click.UsageError(
            "One kind is listed at a time: 'hub get instances', then 'hub get definitions'. Where an object is called"
            f" '{other}', write {kind}/{other}."
        )


class _Listing:
    """What is listed, and to where."""

    def __init__(  # noqa: PLR0913
        self,
        cluster: Cluster,
        resource: Resource,
        names: Sequence[str],
        selector: str,
        screen: Screen,
        *,
        headers: bool,
    ) -> None:
        self._cluster, self._resource, self.screen = cluster, resource, screen
        self._names, self._selector, self.headers = names, selector, headers
        self._query = {"labelSelector": selector} if selector else {}
        self._with_namespace = not cluster.within(resource) and not self._is_cluster_wide

    @property
    def _is_cluster_wide(self) -> bool:
        return self._resource.kind == "IntegrationDefinition"

    # Once

    def table(self, form: Form) -> None:
        """Print the server's own columns, where it has any."""
        pages = list(self._pages())
        table = self.table_of(pages, wide=form.kind == "wide")
        if not table.rows:
            self.screen.note(self._nothing())
            return
        table.show(self.screen, headers=self.headers)

    def objects(self, form: Form) -> None:
        """Print whole objects: one as it is, several as a list."""
        if len(self._names) == 1:
            write(
                self.screen, form, without_bookkeeping(self._cluster.object(self._resource, self._names[0]))
            )
            return
        if self._names:
            found = [self._cluster.object(self._resource, name) for name in self._names]
        else:
            with self._cluster.listed(self._resource):
                found = self._cluster.kube.items(
                    self._resource, self._cluster.within(self._resource), query=self._query
                )
            # The items of a list do not say what they are; a file of them should.
            api = {"apiVersion": self._resource.api, "kind": self._resource.kind}
            found = [api | raw for raw in found]
        write(self.screen, form, as_list([without_bookkeeping(raw) for raw in found]))

    def _pages(self) -> Iterator[Raw]:
        from integration_hub.adapters.kube_blocking import TABLE  # noqa: PLC0415 - as above

        if self._names:
            for name in self._names:
                yield self.tabular(self._cluster.object(self._resource, name, accept=TABLE))
            return
        with self._cluster.listed(self._resource):
            for page in self._cluster.kube.pages(
                self._resource, self._cluster.within(self._resource), query=self._query, accept=TABLE
            ):
                yield self.tabular(page)

    def tabular(self, page: Raw) -> Raw:
        """Return the server's table; of a server that has none, the objects in our CRD's columns."""
        if page.get("kind") == "Table":
            return page
        from integration_hub.cli.columns import as_table  # noqa: PLC0415 - a gateway alone has no tables

        return as_table(page, self._resource.kind, datetime.now(UTC))

    def table_of(self, pages: Sequence[Raw], *, wide: bool) -> Table:
        """Return the rows of some of the server's tables below the columns of the first."""
        columns = pages[0]["columnDefinitions"]
        shown = [n for n, column in enumerate(columns) if wide or not column.get("priority")]
        headers = [columns[n]["name"].upper() for n in shown]
        rows = [self._row(row, shown) for page in pages for row in page.get("rows") or []]
        return Table([*(["NAMESPACE"] if self._with_namespace else []), *headers], rows)

    def _row(self, row: Raw, shown: Iterable[int]) -> list[str]:
        namespace = [row["object"]["metadata"].get("namespace", "")] if self._with_namespace else []
        return [*namespace, *("" if row["cells"][n] is None else str(row["cells"][n]) for n in shown)]

    def _nothing(self) -> str:
        kind = "definitions" if self._is_cluster_wide else "instances"
        where = f" in namespace '{self._cluster.namespace}'" if self._cluster.within(self._resource) else ""
        which = f" with the labels {self._selector}" if self._selector else ""
        hint = f" '{typed('get', '-A')}' lists those of all namespaces." if where and not which else ""
        return f"There are no {kind}{which}{where}.{hint}"

    # Until Ctrl-C

    def watch(self, form: Form) -> None:
        """Print what there is, then every change."""
        from integration_hub.adapters.kube_blocking import JSON, TABLE  # noqa: PLC0415 - as above
        from integration_hub.cli.following import follow  # noqa: PLC0415

        for name in self._names:
            self._cluster.object(self._resource, name)  # a name that is mistyped would be waited for
        accept = TABLE if form.is_table else JSON
        printer = _Rows(self, form) if form.is_table else _Objects(self, form)
        for news in follow(
            self._cluster, self._resource, query=self._query, accept=accept, screen=self.screen
        ):
            printer.show(news.objects, deleted=news.deleted)

    def is_meant(self, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an object is one of those that were named, if any were."""
        return not self._names or metadata["name"] in self._names

    def tell_deleted(self, metadata: Mapping[str, Any]) -> None:
        """Say that an object is gone; in a table its row would look as if it were there."""
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        self.screen.note(one_line(f"{place}{metadata['name']} was deleted."))


class _Rows:
    """Prints a table whose rows go on to come."""

    def __init__(self, listing: _Listing, form: Form) -> None:
        self._listing, self._wide = listing, form.kind == "wide"
        self._columns: Any = None
        self._aligned: Aligned | None = None

    def show(self, objects: Sequence[Raw], *, deleted: bool) -> None:
        """Print the rows of some tables."""
        listing = self._listing
        screen = listing.screen
        for page in map(listing.tabular, objects):
            self._columns = page.get("columnDefinitions") or self._columns
            rows = [row for row in page.get("rows") or [] if listing.is_meant(row["object"]["metadata"])]
            if deleted:
                for row in rows:
                    listing.tell_deleted(row["object"]["metadata"])
                continue
            table = listing.table_of([{"columnDefinitions": self._columns, "rows": rows}], wide=self._wide)
            if not table.rows:
                continue
            if screen.plain:
                table.show(screen)
                screen.say()
                continue
            clean = [[one_line(cell) for cell in row] for row in table.rows]
            first = self._aligned is None
            self._aligned = self._aligned or Aligned(table, screen, clean, headers=listing.headers)
            if first:
                for line in self._aligned.lines():
                    screen.say(line)
                continue
            for row in clean:
                screen.say(self._aligned.line(row))


class _Objects:
    """Prints whole objects, one after another."""

    def __init__(self, listing: _Listing, form: Form) -> None:
        self._listing, self._form = listing, form

    def show(self, objects: Sequence[Raw], *, deleted: bool) -> None:
        """Print objects."""
        screen = self._listing.screen
        for obj in objects:
            if not self._listing.is_meant(obj["metadata"]):
                continue
            if deleted:
                self._listing.tell_deleted(obj["metadata"])
                continue
            write_another(screen, self._form, without_bookkeeping(obj))
