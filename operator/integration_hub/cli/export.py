"""`hub export`: a manifest to commit. The Secret is never part of it: only its name, and a commented example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from integration_hub.cli import completing
from integration_hub.cli.flags import HELP, output_flag, place_flags
from integration_hub.cli.output import Form, write
from integration_hub.cli.terminal import Screen
from integration_hub.flags import Command

if TYPE_CHECKING:
    from integration_hub.cli.cluster import Cluster


@click.command("export", cls=Command, context_settings=HELP)
@click.argument("subject", metavar="NAME | definition/NAME", shell_complete=completing.instances)
@place_flags()
@output_flag(("yaml", "json"))
def export(subject: str, output: Form, **flags: Any) -> None:
    """Print an instance, or a definition, as a manifest for Git: no status, nothing of the server's.

    Credentials are not exported. Where the instance has a Secret, a commented example says how to make it, with the
    keys that the auth method asks for.

    \b
    Examples:
      hub export billing > billing.yaml
      hub export definition/acme
    """  # noqa: D301 - \b is click's sign for a paragraph that keeps its lines
    # Here, since `hub export --help` needs no cluster.
    from integration_hub.adapters.kube_api import DEFINITIONS, INSTANCES  # noqa: PLC0415
    from integration_hub.cli.cluster import Cluster  # noqa: PLC0415
    from integration_hub.cli.get import DEFINITION_WORDS, INSTANCE_WORDS  # noqa: PLC0415
    from integration_hub.shell.manifests import as_manifest, for_git  # noqa: PLC0415

    screen, cluster = Screen.current(), Cluster.of(flags)
    kind, slash, name = subject.rpartition("/")
    if slash and kind.lower() not in {*INSTANCE_WORDS, *DEFINITION_WORDS}:
        raise click.UsageError(f"'{subject}' is neither an instance's name nor definition/NAME.")
    resource = DEFINITIONS if kind.lower() in DEFINITION_WORDS else INSTANCES
    raw = for_git(cluster.object(resource, name))
    if output.kind == "json":
        write(screen, output, raw)
        return
    click.echo(as_manifest(raw), file=screen.out, nl=False)
    if resource is INSTANCES:
        for line in _secret_example(cluster, raw):
            screen.say(line)


def _secret_example(cluster: Cluster, raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the Secret of an instance is made, in comments; nothing where it has none."""
    name = ((raw["spec"].get("auth") or {}).get("secretRef") or {}).get("name")
    if not name:
        return
    type_, keys = _asked_for(cluster, raw["spec"])
    yield "# Its credentials are not here. Never commit them in clear: use a SealedSecret, an ExternalSecret, or make"
    yield "# the Secret by hand, with values from files that stay outside of Git:"
    yield "#"
    # The words stand above the command: behind a '\', a comment would end it.
    for key, words in keys:
        yield f"#   # {key}: {' '.join(words.split())}"
    of_type = f" --type={type_}" if type_ else ""
    command = f"kubectl create secret generic {name} --namespace {raw['metadata']['namespace']}{of_type}"
    parts = [command, *(f"  --from-file={key}=FILE" for key, _ in keys)]
    yield "#   " + " \\\n#   ".join(parts)


_ANY_KEY: Final = (("KEY", "the keys that the auth method asks for"),)


def _asked_for(cluster: Cluster, spec: Mapping[str, Any]) -> tuple[str | None, Sequence[tuple[str, str]]]:
    """Return the type that the Secret must have, None for any, and its keys, each with what it holds.

    One stands for them where the definition does not tell.
    """
    # Here, since the auth methods take long to load.
    from integration_hub.adapters.kube_api import DEFINITIONS, ApiError  # noqa: PLC0415
    from integration_hub.auth.methods import METHODS, settings_violations  # noqa: PLC0415

    try:
        definition = cluster.kube.read(DEFINITIONS, "", spec["definitionRef"]["name"])
    except ApiError:
        return None, _ANY_KEY
    methods = definition["spec"].get("authMethods") or []
    wanted = (spec.get("auth") or {}).get("method")
    chosen = next((method for method in methods if wanted in {None, method["name"]}), None)
    settings = (chosen or {}).get("settings") or {}
    if chosen is None or settings_violations(chosen["type"], settings):
        return None, _ANY_KEY
    method = METHODS[chosen["type"]]
    keys = [(key.name, key.description) for key in method.secret_keys(settings) if key.required]
    return method.secret_type(settings), keys or _ANY_KEY
