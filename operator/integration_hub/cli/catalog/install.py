"""`hub catalog install`: what is there is looked at, then all is applied or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_hub.adapters.kube_api import CONFLICT, DEFINITIONS, INSTANCES, ApiError
from integration_hub.adapters.kube_blocking import APPLY
from integration_hub.catalog.changes import Change, changes
from integration_hub.cli.catalog.view import chosen
from integration_hub.cli.cluster import Cluster
from integration_hub.cli.errors import HubError
from integration_hub.cli.output import Form, Raw, as_list, write
from integration_hub.cli.terminal import Screen
from integration_hub.config.plain_text import clean
from integration_hub.reconcile.definition import CheckedDefinition, check_definition
from integration_hub.shell.explaining import CHANGE, CREATE, reading
from integration_hub.shell.upgrade import Broken, broken

MANAGER = "integration-hub-catalog"
"""Whose fields these are, to the API server: nobody else's are taken over without --force."""

_ANNOTATION = "integrationhub.dev/"
_MOST_NAMED = 10


@dataclass
class Step:
    """What is to be done with one definition."""

    raw: Raw
    there: Raw | None
    found: list[Change] = field(default_factory=list)
    breaks: list[Broken] = field(default_factory=list)
    is_older: bool = False

    @property
    def name(self) -> str:
        """The definition's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def is_same(self) -> bool:
        """Whether the cluster has it as it is."""
        return self.there is not None and _essence(self.there) == _essence(self.raw)


def install(names: Sequence[str], flags: Mapping[str, Any]) -> None:
    """Install what is named, or say why nothing was."""
    screen, form, force = Screen.current(), flags["output"], flags["force"]
    raws = chosen(names)
    if flags["dry_run"] == "client":
        _print(screen, form, [(raw, "created or configured (client dry run)") for raw in raws], len(raws))
        return
    cluster = Cluster.of(flags)
    with screen.busy("looks at what is there"):
        steps = [look(cluster, raw) for raw in raws]
        _judge(cluster, [step for step in steps if step.there is not None and not step.is_same], force=force)
    for step in steps:
        for change in step.found:
            screen.note(clean(f"{step.name}: {'breaking: ' if change.breaking else ''}{change}"))
    if not force:
        _refuse(steps)
    with screen.busy("installs"):
        # On trial first: what the API server refuses of the last would else be known when the first are applied.
        done = [carried_out(cluster, step, dry=True, force=force) for step in steps]
    if flags["dry_run"]:
        _print(screen, form, done, len(steps))
    else:
        _install(cluster, steps, screen, form, force=force)


def _install(cluster: Cluster, steps: Sequence[Step], screen: Screen, form: Form, *, force: bool) -> None:
    """Do all steps, and tell each as soon as it is done: what has succeeded on trial may fail all the same."""
    done: list[tuple[Raw, str]] = []
    try:
        for step in steps:
            with screen.busy("installs"):
                done.append(carried_out(cluster, step, dry=False, force=force))
            if form.is_table:
                _print(screen, form, done[-1:], len(steps))
    except HubError as error:
        if len(steps) > 1:
            left = len(steps) - len(done) - 1
            words = f"{len(done)} of {len(steps)} were done before it, {left} not tried"
            error.what = f"{error.what.rstrip('.')}. Of the definitions, {words}."
        if not form.is_table and done:
            _print(screen, form, done, len(steps))
        raise
    if not form.is_table:
        _print(screen, form, done, len(steps))


def carried_out(cluster: Cluster, step: Step, *, dry: bool, force: bool) -> tuple[Raw, str]:
    """Do one step; return the object as it is then, and what was done in a word."""
    mark = " (server dry run)" if dry else ""
    if step.there is not None and step.is_same:
        return step.there, f"unchanged{mark}"
    word = "created" if step.there is None else "configured"
    return _apply(cluster, step, dry=dry, force=force), f"{word}{mark}"


def look(cluster: Cluster, raw: Raw) -> Step:
    """Return what is to be done with a definition, after a look at what is there."""
    name = raw["metadata"]["name"]
    try:
        return Step(raw, cluster.kube.read(DEFINITIONS, "", name))
    except ApiError as error:
        if not error.gone:
            deed = cluster.reading(DEFINITIONS, "get")
            raise cluster.explained(error, f"IntegrationDefinition '{name}'", deed) from error
    return Step(raw, None)


def _judge(cluster: Cluster, steps: Sequence[Step], *, force: bool) -> None:
    """Compare with what is there, and find the connections that would break."""
    if not steps:
        return
    instances: dict[str, list[Raw]] = {}
    if not force:
        what = "the list of instances, without which nobody knows what would break"
        with cluster.asked(what, reading(INSTANCES, "list")):
            for raw in cluster.kube.items(INSTANCES):
                instances.setdefault(raw["spec"]["definitionRef"]["name"], []).append(raw)
    for step in steps:
        old, new = check_definition(step.there or {}), check_definition(as_if_there(step.raw))
        if old.spec is None or new.spec is None:
            continue  # no connection works with what is there
        step.found = changes(old.spec, new.spec)
        step.is_older = _version(new) < _version(old)
        step.breaks = broken(instances.get(step.name, ()), old, new, now=datetime.now(UTC))


def as_if_there(raw: Raw) -> Raw:
    """Return a manifest with what an API server would have added, for checks that rely on it."""
    return {**raw, "metadata": {"uid": "new", "generation": 1, **raw["metadata"]}}


def _version(checked: CheckedDefinition) -> tuple[int, ...]:
    """Return the numbers of a version, for comparing; none where it has no such form."""
    text = (checked.spec.version if checked.spec else None) or ""
    numbers = text.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in numbers) if all(part.isdigit() for part in numbers) else ()


def _refuse(steps: Sequence[Step]) -> None:
    """Raise where something would break, or go back."""
    breaks = [f"{one} (by '{step.name}')" for step in steps for one in step.breaks]
    if breaks:
        more = f"\n  and {len(breaks) - _MOST_NAMED} more" if len(breaks) > _MOST_NAMED else ""
        word = "connection" if len(breaks) == 1 else "connections"
        raise HubError(
            f"Nothing was installed, since it would break {len(breaks)} {word}:\n  "
            + "\n  ".join(breaks[:_MOST_NAMED])
            + more,
            todo="Change these connections first, or install all the same with --force.",
        )
    older = [step.name for step in steps if step.is_older]
    if older:
        names = ", ".join(f"'{name}'" for name in older)
        raise HubError(
            f"Nothing was installed: the cluster has a newer version of {names} than this catalog.",
            todo="Use a newer 'hub', leave these out, or go back with --force.",
        )


def _apply(cluster: Cluster, step: Step, *, dry: bool, force: bool) -> Raw:
    """Apply one definition, in a name of the catalog's own."""
    name = step.name
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": "true" if force else "false"}
    try:
        return cluster.kube.call(
            "PATCH",
            DEFINITIONS.path("", name),
            query=query | ({"dryRun": "All"} if dry else {}),
            body=step.raw,
            content_type=APPLY,
        )
    except ApiError as error:
        if error.status == CONFLICT:
            first = "Nothing was installed" if dry else f"IntegrationDefinition '{name}' was not installed"
            raise HubError(
                f"{first}: somebody else manages a part of '{name}' ({error}).",
                todo="If it comes from Git, change it there. --force takes it over.",
            ) from error
        deed = CREATE if step.there is None else CHANGE
        raise cluster.explained(error, f"IntegrationDefinition '{name}'", deed) from error


def _essence(raw: Raw) -> tuple[Any, dict[str, str]]:
    """Return what of a definition is the catalog's: its spec, and our annotations."""
    annotations = (raw.get("metadata") or {}).get("annotations") or {}
    own = {name: text for name, text in annotations.items() if name.startswith(_ANNOTATION)}
    checked = check_definition(as_if_there(raw))
    return checked.spec.to_wire() if checked.spec is not None else raw.get("spec"), own


def _print(screen: Screen, form: Form, done: Sequence[tuple[Raw, str]], of: int) -> None:
    """Print what was done of so many steps."""
    if not form.is_table:
        objects = [raw for raw, _ in done]
        write(screen, form, objects[0] if of == 1 else as_list(objects))
        return
    for raw, word in done:
        screen.say(f"integrationdefinition.integrationhub.dev/{raw['metadata']['name']} {word}")
