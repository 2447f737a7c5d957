"""`hub export`: manifests to commit. A Secret is never part of them: only its name, and a commented example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from integration_hub.cli.chosen import choice_flags, chosen, is_one
from integration_hub.cli.flags import HELP, output_flag
from integration_hub.cli.naming import DEFINITION
from integration_hub.cli.output import Form, as_list, write
from integration_hub.cli.terminal import Screen
from integration_hub.config.plain_text import clean
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster
    from integration_hub.forms.credentials import NeededKey

Raw = Mapping[str, Any]


@click.command("export", cls=Command, context_settings=HELP)
@choice_flags(with_definitions=True)
@output_flag(("yaml", "json"))
def export(output: Form, **flags: Any) -> None:
    """Print instances, or definitions, as manifests for Git: no status, nothing of the server's.

    What people tell Argo CD and Flux by annotations stays. Credentials are not exported. Where an instance has a
    Secret, a commented example says how to make it, with the keys that such a connection needs.

    \b
    Examples:
      hub export billing > billing.yaml
      hub export definition/acme
      hub export --all -n shop > shop.yaml
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub export --help` needs no cluster.
    from integration_hub.adapters.kube_api import DEFINITIONS, INSTANCES  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.shell.manifests import as_manifest, for_git  # noqa: PLC0415

    alone, subjects = is_one(flags), dict.fromkeys(flags["names"])
    screen, cluster = Screen.current(), Cluster.of(flags)
    found = (
        [cluster.object(DEFINITIONS if kind == DEFINITION else INSTANCES, name) for kind, name in subjects]
        if subjects
        else chosen(cluster, flags, screen)
    )
    manifests = [for_git(raw) for raw in found]
    if not output.is_table and output.kind != "yaml":
        write(screen, output, manifests[0] if alone else as_list(manifests))
        return
    for number, raw in enumerate(manifests):
        if number:
            screen.say("---")
        screen.data(as_manifest(raw), nl=False)
        for line in _secret_example(cluster, raw):
            screen.say(line)


def _secret_example(cluster: Cluster, raw: Raw) -> Iterator[str]:
    if raw["kind"] == "IntegrationInstance":
        yield from secret_example(raw, _definition(cluster, raw))


def _definition(cluster: Cluster, instance: Raw) -> Raw | None:
    """Return the definition of an instance, None where it cannot be read: an export goes without it."""
    from integration_hub.adapters.kube_api import DEFINITIONS, ApiError  # noqa: PLC0415 - as above

    try:
        return cluster.kube.read(DEFINITIONS, "", instance["spec"]["definitionRef"]["name"])
    except ApiError:
        return None


def secret_example(instance: Raw, definition: Raw | None) -> Iterator[str]:
    """Yield how the Secret of an instance is made, in comments; nothing where it has none."""
    name = ((instance["spec"].get("auth") or {}).get("secretRef") or {}).get("name")
    if not name:
        return
    type_, needed = _asked_for(instance, definition) if definition else (None, ())
    yield "# Its credentials are not here. Never commit them in clear: use a SealedSecret, an ExternalSecret, or make"
    yield "# the Secret by hand, with values from files that stay outside of Git:"
    yield "#"
    # The words stand above the command: behind a '\', a comment would end it.
    for key in needed:
        optional = "" if key.key.required else " (optional)"
        words = f"{key.title}. {key.help}" if key.help else key.title
        yield f"#   # {key.key.name}{optional}: {clean(' '.join(words.split()))}"
    if not needed:
        yield "#   # KEY: the keys that the auth method asks for"
    of_type = f" --type={type_}" if type_ else ""
    namespace = instance["metadata"]["namespace"]
    command = f"kubectl create secret generic {name} --namespace {namespace}{of_type}"
    required = [key.key.name for key in needed if key.key.required]
    names = required or [key.key.name for key in needed] or ["KEY"]
    yield "#   " + " \\\n#   ".join([command, *(f"  --from-file={key}=FILE" for key in names)])


def _asked_for(instance: Raw, definition: Raw) -> tuple[str | None, Sequence[NeededKey]]:
    """Return the type that the Secret must have, None for any, and its keys; no key where nothing tells."""
    # Here, since the auth methods take long to load.
    from integration_hub.forms.interview import Interview  # noqa: PLC0415
    from integration_hub.forms.manifests import answers_of  # noqa: PLC0415
    from integration_hub.forms.surroundings import Current, Surroundings  # noqa: PLC0415
    from integration_hub.reconcile.definition import check_definition  # noqa: PLC0415

    checked = check_definition(definition)
    method = (instance["spec"].get("auth") or {}).get("method")
    if checked.spec is None or checked.validator is None or checked.violations:
        return None, ()
    if method not in {None, *(known.name for known in checked.spec.auth_methods)}:
        return None, ()
    namespace = instance["metadata"]["namespace"]
    current = Current(instance)
    interview = Interview(checked.name, checked.spec, checked.validator, Surroundings(namespace), current)
    answers = answers_of(interview, current)
    return interview.secret_type(answers), interview.keys(answers)
