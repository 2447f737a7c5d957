"""`hub tree`: what belongs to a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, output_flag, place_flags, watch_flag
from integration_hub.cli.naming import INSTANCE, NameType
from integration_hub.cli.output import Form, Raw, write, write_another
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.config.plain_text import one_line
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster
    from integration_hub.cli.consumers import Consumers

THERE, MISSING, HIDDEN = "there", "missing", "not visible to you"
_STATES = {THERE: State.GOOD, MISSING: State.BAD, HIDDEN: State.UNKNOWN}
_USERS_SECONDS = 30.0
"""For which the workloads that were found are good: to find them, eight kinds are listed as a whole."""
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
@click.argument("name", type=NameType(INSTANCE), shell_complete=completing.instances)
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

    With -w the instance is looked at every three seconds, and the workloads, which are many lists, twice a minute and
    whenever the instance has changed.
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here and below, since help needs no cluster.
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)

    gathering = _Gathering(cluster)

    def look() -> Node:
        return gathering.of(cluster.instance(name))

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
        self._seen: Consumers | None = None
        self._seen_about: tuple[str, str] | None = None
        self._seen_until = 0.0

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
        definition, node = self._definition(spec["definitionRef"]["name"])
        root.below += [*owners, node]
        credential = ((spec.get("auth") or {}).get("secretRef") or {}).get("name")
        if credential:
            root.below.append(self._secret("reads", credential))
        record = self._secret("keeps tokens in", record_name(metadata["uid"]))
        # One that may not be looked at is there only where the auth method keeps tokens.
        if record.status == THERE or (record.status == HIDDEN and _keeps_tokens(spec, definition)):
            root.below.append(record)
        bound = (status.get("binding") or {}).get("name") or (spec.get("binding") or {}).get("secretName")
        if bound:
            root.below.append(self._bound(bound, metadata))
        return root

    def _definition(self, name: str) -> tuple[Raw | None, Node]:
        """Return a definition, None where it cannot be read, and what is shown of it."""
        from integration_hub.adapters.kube_api import DEFINITIONS, ApiError  # noqa: PLC0415 - as above
        from integration_hub.cli.status_report import ready_of  # noqa: PLC0415

        try:
            raw = self._cluster.kube.read(DEFINITIONS, "", name)
        except ApiError as error:
            word = self._why_not(error, f"IntegrationDefinition '{name}'")
            return None, Node("is of", DEFINITIONS.kind, name, word, _STATES[word])
        ready = ready_of(raw)
        state = OF_READY.get(ready.get("status", ""), State.UNKNOWN)
        return raw, Node("is of", DEFINITIONS.kind, name, ready.get("reason", "NotSeen"), state)

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
        from integration_hub.adapters.kube_api import FORBIDDEN  # noqa: PLC0415 - as above

        if error.gone:
            return MISSING
        if error.status == FORBIDDEN:
            return HIDDEN
        raise self._cluster.explained(error, what) from error

    def _bound(self, name: str, instance: Raw) -> Node:
        node = self._secret("delivers", name)
        found = self._users(name, instance)
        node.below += [Node("used by", c.kind, c.name, f"{c.how} it", State.GOOD) for c in found.found]
        node.below += [Node("perhaps used by", kind, "", HIDDEN, State.UNKNOWN) for kind in found.hidden]
        return node

    def _users(self, secret: str, instance: Raw) -> Consumers:
        """Return who uses a Secret: as of now, or where the instance has not changed since, as of a moment ago."""
        from integration_hub.cli.consumers import seen_consumers  # noqa: PLC0415 - as above

        about = (secret, instance["resourceVersion"])
        if self._seen is None or self._seen_about != about or monotonic() >= self._seen_until:
            self._seen = seen_consumers(self._cluster, secret, instance["name"])
            self._seen_about, self._seen_until = about, monotonic() + _USERS_SECONDS
        return self._seen


def _keeps_tokens(spec: Raw, definition: Raw | None) -> bool:
    """Tell whether the auth method of an instance is one that keeps tokens; not where that cannot be told."""
    # Here, since the auth methods take long to load, and only who may not look at a Secret needs them.
    from integration_hub.auth.methods import METHODS  # noqa: PLC0415
    from integration_hub.auth.tokens import token_method  # noqa: PLC0415
    from integration_hub.reconcile.definition import check_definition  # noqa: PLC0415

    checked = check_definition(definition or {})
    methods = checked.spec.auth_methods if checked.spec and not checked.violations else ()
    wanted = (spec.get("auth") or {}).get("method")
    chosen = [method for method in methods if method.name == wanted] if wanted else methods[:1]
    return any(token_method(METHODS[method.type], method.settings) for method in chosen)
