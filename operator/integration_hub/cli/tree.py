"""`hub tree` and `hub usage`: what belongs to a connection, and who uses a definition or a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, headers_flag, output_flag, place_flags, selector_flag, watch_flag
from integration_hub.cli.output import Form, Raw, write, write_another
from integration_hub.cli.table import Table
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.cli.words import age_of, counted
from integration_hub.config.plain_text import one_line
from integration_hub.flags import Command
from integration_hub.reconcile.times import parse_timestamp

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster
    from integration_hub.cli.consumers import Consumers

THERE, MISSING, HIDDEN = "there", "missing", "not visible to you"
_STATES = {THERE: State.GOOD, MISSING: State.BAD, HIDDEN: State.UNKNOWN}
_FIRST, _LAST, _DOWN, _BLANK = "├─ ", "└─ ", "│  ", "   "


@dataclass
class Node:
    """An object, what it is to the one above it, and what belongs to it."""

    relation: str
    kind: str
    name: str
    status: str
    state: State = State.UNKNOWN
    below: list[Node] = field(default_factory=list)

    def data(self) -> Raw:
        """Return it for a program."""
        own = {"relation": self.relation, "kind": self.kind, "name": self.name, "status": self.status}
        return {
            **{key: value for key, value in own.items() if value},
            "below": [node.data() for node in self.below],
        }


@click.command("tree", cls=Command, context_settings=HELP)
@click.argument("name", shell_complete=completing.instances)
@place_flags()
@watch_flag
@output_flag(("table", "json", "yaml"))
def tree(name: str, output: Form, **flags: Any) -> None:
    """Show what belongs to an instance: its definition, its Secrets, and the workloads that use what it delivers.

    \b
    Examples:
      hub tree billing
      hub tree billing -o json
      hub tree billing -w        go on and print it again when it has changed
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here and below, since help needs no cluster.
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)

    def look() -> Node:
        return _Gathering(cluster).of(cluster.instance(name))

    if flags["watch"]:
        _watch(look, f"{cluster.namespace}/{name} was deleted.", screen, output)
    elif output.is_table:
        _show(look(), screen)
    else:
        write(screen, output, look().data())


def _watch(look: Callable[[], Node], gone: str, screen: Screen, output: Form) -> None:
    """Print the tree, and again whenever it is another one, until Ctrl-C."""
    from integration_hub.cli.following import looked_at  # noqa: PLC0415 - as above

    for number, root in enumerate(looked_at(look, gone=gone, screen=screen)):
        if not output.is_table:
            write_another(screen, output, root.data())
            continue
        if number:
            screen.say(f"\nAt {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}:")
        _show(root, screen)


def _show(root: Node, screen: Screen) -> None:
    for line in _facts(root) if screen.plain else _drawn(root, screen):
        screen.say(line)


def _drawn(node: Node, screen: Screen, own: str = "", under: str = "") -> Iterator[str]:
    """Yield a tree with lines where a terminal shows them, and with indentation elsewhere."""
    yield own + _words(node, screen)
    for number, below in enumerate(node.below):
        is_last = number == len(node.below) - 1
        if screen.draws:
            yield from _drawn(
                below, screen, under + (_LAST if is_last else _FIRST), under + (_BLANK if is_last else _DOWN)
            )
        else:
            yield from _drawn(below, screen, f"{under}  ", f"{under}  ")


def _words(node: Node, screen: Screen) -> str:
    named = " ".join(part for part in (node.relation, node.kind, one_line(node.name)) if part)
    return f"{named}: {screen.status(node.state, one_line(node.status))}"


def _facts(node: Node, above: str = "") -> Iterator[str]:
    """Yield one fact a line, each with what it is about."""
    named = f"{node.kind} {one_line(node.name)}"
    words = f"{above} {node.relation} {named}" if above else named
    yield f"{words}: {one_line(node.status)}"
    for below in node.below:
        yield from _facts(below, named)


class _Gathering:
    """Asks the cluster what belongs to an instance."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def of(self, raw: Raw) -> Node:
        """Return an instance with all that belongs to it."""
        from integration_hub.cli.status_report import ready_of  # noqa: PLC0415 - as above
        from integration_hub.shell.record_names import record_name  # noqa: PLC0415

        spec, status, metadata = raw["spec"], raw.get("status") or {}, raw["metadata"]
        ready = ready_of(raw)
        state = OF_READY.get(ready.get("status", ""), State.UNKNOWN)
        root = Node(
            "",
            raw["kind"],
            f"{metadata['namespace']}/{metadata['name']}",
            ready.get("reason", "NotSeen"),
            state,
        )
        owners = [
            Node("made by", owner.get("kind", ""), owner.get("name", ""), THERE, State.GOOD)
            for owner in metadata.get("ownerReferences") or ()
        ]
        root.below += [*owners, self._definition(spec["definitionRef"]["name"])]
        credential = ((spec.get("auth") or {}).get("secretRef") or {}).get("name")
        if credential:
            root.below.append(self._secret("reads", credential))
        record = self._secret("keeps tokens in", record_name(metadata["uid"]))
        if record.status != MISSING:
            root.below.append(record)
        bound = (status.get("binding") or {}).get("name") or (spec.get("binding") or {}).get("secretName")
        if bound:
            root.below.append(self._bound(bound, metadata["name"]))
        return root

    def _definition(self, name: str) -> Node:
        from integration_hub.adapters.kube_api import DEFINITIONS, ApiError  # noqa: PLC0415 - as above
        from integration_hub.cli.status_report import ready_of  # noqa: PLC0415

        try:
            ready = ready_of(self._cluster.kube.read(DEFINITIONS, "", name))
        except ApiError as error:
            word = self._why_not(error, f"IntegrationDefinition '{name}'")
            return Node("is of", DEFINITIONS.kind, name, word, _STATES[word])
        state = OF_READY.get(ready.get("status", ""), State.UNKNOWN)
        return Node("is of", DEFINITIONS.kind, name, ready.get("reason", "NotSeen"), state)

    def _secret(self, relation: str, name: str) -> Node:
        from integration_hub.adapters.kube_api import SECRETS, ApiError  # noqa: PLC0415 - as above
        from integration_hub.adapters.kube_blocking import METADATA_ONE  # noqa: PLC0415

        try:
            # Without its data: what is in it is nobody's business here.
            self._cluster.kube.read(SECRETS, self._cluster.namespace, name, accept=METADATA_ONE)
            word = THERE
        except ApiError as error:
            word = self._why_not(error, f"Secret '{name}'")
        return Node(relation, SECRETS.kind, name, word, _STATES[word])

    def _why_not(self, error: Any, what: str) -> str:
        if error.gone:
            return MISSING
        if error.status == 403:  # noqa: PLR2004
            return HIDDEN
        raise self._cluster.explained(error, what) from error

    def _bound(self, name: str, instance: str) -> Node:
        node = self._secret("delivers", name)
        found = _consumers(self._cluster, name, instance)
        node.below += [Node("used by", c.kind, c.name, f"{c.how} it", State.GOOD) for c in found.found]
        node.below += [Node("perhaps used by", kind, "", HIDDEN, State.UNKNOWN) for kind in found.hidden]
        return node


def _consumers(cluster: Cluster, secret: str, instance: str, selector: str = "") -> Consumers:
    from integration_hub.cli.consumers import consumers_of  # noqa: PLC0415 - as above

    with cluster.asked("the workloads of the namespace"):
        return consumers_of(cluster.kube, cluster.namespace, secret, instance, _labelled(selector))


@click.command("usage", cls=Command, context_settings=HELP)
@click.argument("subject", metavar="DEFINITION | instance/NAME", shell_complete=completing.definitions)
@place_flags()
@selector_flag
@output_flag(("table", "json", "yaml"))
@headers_flag
def usage(subject: str, output: Form, **flags: Any) -> None:
    """List who uses a definition, or what an instance delivers.

    Of a definition: its instances in all namespaces that you may see, and how they are. Of an instance: the workloads
    that use the Secret of its spec.binding.

    \b
    Examples:
      hub usage salesforce
      hub usage salesforce -l team=shop
      hub usage instance/billing -n shop
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    from integration_hub.adapters.kube_api import DEFINITIONS  # noqa: PLC0415 - as above
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.get import DEFINITION_WORDS, INSTANCE_WORDS  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)
    kind, slash, name = subject.rpartition("/")
    if slash and kind.lower() in INSTANCE_WORDS:
        _usage_of_instance(cluster, name, flags["selector"], screen, output, headers=not flags["no_headers"])
        return
    if slash and kind.lower() not in DEFINITION_WORDS:
        raise click.UsageError(f"'{subject}' is neither a definition's name nor instance/NAME.")
    cluster.object(DEFINITIONS, name)  # a name that is mistyped is used by nobody
    _usage_of_definition(cluster, name, flags["selector"], screen, output, headers=not flags["no_headers"])


def _usage_of_definition(  # noqa: PLR0913
    cluster: Cluster, name: str, selector: str, screen: Screen, output: Form, *, headers: bool
) -> None:
    from integration_hub.adapters.kube_api import INSTANCES, ApiError  # noqa: PLC0415 - as above
    from integration_hub.cli.status_report import ready_of  # noqa: PLC0415

    query = {"fieldSelector": f"spec.definitionRef.name={name}"} | _labelled(selector)
    try:
        found = cluster.kube.items(INSTANCES, query=query)
    except ApiError as error:
        if error.status != 403:  # noqa: PLR2004
            raise cluster.explained(error, "the list of instances") from error
        screen.note(
            f"You may not list instances of all namespaces: these are those of '{cluster.namespace}'."
        )
        with cluster.asked("the list of instances"):
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
        write(screen, output, rows)
        return
    _show_usage(rows, screen, headers=headers)
    ready = sum(row["ready"] == "True" for row in rows)
    namespaces = len({row["namespace"] for row in rows})
    if rows:
        screen.note(f"{counted(len(rows), 'instance')} in {counted(namespaces, 'namespace')}, {ready} ready.")
    else:
        which = f" with the labels {selector}" if selector else ""
        screen.note(f"No instance{which} uses IntegrationDefinition '{name}'.")


def _labelled(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _show_usage(rows: Sequence[Raw], screen: Screen, *, headers: bool) -> None:
    now = datetime.now(UTC)

    def age(since: str | None) -> str:
        moment = parse_timestamp(since)
        return age_of(now - moment) if moment else ""

    cells = [[row["namespace"], row["name"], row["ready"], row["reason"], age(row["since"])] for row in rows]
    if cells:
        Table(["NAMESPACE", "NAME", "READY", "REASON", "SINCE"], cells).show(screen, headers=headers)


def _usage_of_instance(  # noqa: PLR0913
    cluster: Cluster, name: str, selector: str, screen: Screen, output: Form, *, headers: bool
) -> None:
    from integration_hub.cli.errors import HubError  # noqa: PLC0415 - as above

    raw = cluster.instance(name)
    secret = (raw["spec"].get("binding") or {}).get("secretName")
    if not secret:
        raise HubError(
            f"{cluster.namespace}/{name} delivers no Secret, so no workload uses it that way.",
            todo="Set spec.binding.secretName; docs/binding.md says what is in the Secret.",
        )
    found = _consumers(cluster, secret, name, selector)
    if not output.is_table:
        write(
            screen,
            output,
            {"secret": secret, "usedBy": [c._asdict() for c in found.found], "hidden": found.hidden},
        )
        return
    if found.found:
        rows = [[c.kind, c.name, f"{c.how} {secret}"] for c in found.found]
        Table(["KIND", "NAME", "HOW"], rows).show(screen, headers=headers)
    else:
        which = f" with the labels {selector}" if selector else ""
        screen.note(f"Nothing{which} uses Secret '{secret}' in namespace '{cluster.namespace}'.")
    if found.hidden:
        screen.note(f"You may not look at: {', '.join(found.hidden)}.")
