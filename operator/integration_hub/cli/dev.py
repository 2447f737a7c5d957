"""`hub dev`: a development cluster of one's own. Words and exit codes only; `devcluster` does the work."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from integration_hub.cli.flags import look_flags, output_flag
from integration_hub.cli.output import Form, write
from integration_hub.cli.terminal import Screen
from integration_hub.devcluster import DevClusterError, ProgressPrinter, default_home
from integration_hub.devcluster.cluster import ControlPlane, ControlPlaneStatus
from integration_hub.devcluster.folder import holds_cluster
from integration_hub.devcluster.kind import KindCluster
from integration_hub.devcluster.state import load_state
from integration_hub.flags import Group

P = ParamSpec("P")
R = TypeVar("R")

MIB = 1024**2

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_home,
    help="Folder of the cluster: data, certificates, kubeconfig and log. "
    "[default: $HUB_DEV_HOME, else the user's state folder]",
)


def explains_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a DevClusterError into a message on stderr and exit code 1."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DevClusterError as error:
            raise click.ClickException(str(error)) from error

    return wrapper


@click.group(cls=Group)
def dev() -> None:
    """Run a real Kubernetes API server on this machine, for development.

    It needs neither Docker nor an existing cluster, listens on loopback only, and never touches
    ~/.kube/config.
    """


@dev.command()
@home_option
@click.option("--kind", "use_kind", is_flag=True, help="Use kind (Kubernetes in Docker) instead.")
@look_flags
@explains_errors
def up(home: Path, *, use_kind: bool) -> None:
    """Start the cluster and wait until it is ready; the first time, build it (some minutes).

    With KUBEBUILDER_ASSETS set, the kube-apiserver, etcd and kubectl in that folder are run, and nothing is
    built.
    """
    cluster = _cluster(home, use_kind=use_kind)
    screen = Screen.current()
    with ProgressPrinter(screen.err, moves=screen.moves) as progress:
        info = cluster.up(progress)
    did = "is ready" if info.started else "is running already"
    click.echo(f"The development cluster {did}: {info.server}")
    if info.note:
        click.echo(f"Note: {info.note}", err=True)
    click.echo(f"Kubeconfig: {info.kubeconfig}")
    click.echo("Next: hub dev kubectl get namespaces")
    click.echo(f"  or: export KUBECONFIG={info.kubeconfig}")


@dev.command()
@home_option
@click.option("--purge", is_flag=True, help="Remove its data, certificates and kubeconfig too.")
@look_flags
@explains_errors
def down(home: Path, *, purge: bool) -> None:
    """Stop the cluster. Its data stay for the next `up`, unless --purge is given."""
    cluster = _cluster(home)
    if not holds_cluster(cluster.home):
        click.echo(f"There is no development cluster in {cluster.home.root}.")
        return
    did = "is stopped" if cluster.down(purge=purge) else "was not running"
    click.echo(f"The development cluster {did}{'; its data are removed' if purge else ''}.")


@dev.command()
@home_option
@output_flag(("table", "json", "yaml"), with_text=True)
@look_flags
@explains_errors
def status(home: Path, output: Form) -> None:
    """Say whether the cluster runs, and where everything is. Exit code 0 if it runs, 1 if not."""
    state = _cluster(home).status()
    if output.is_table:
        click.echo(_as_text(state))
    else:
        # By way of JSON, since paths are more than the plain values that YAML knows.
        data = json.loads(json.dumps(dataclasses.asdict(state), default=str))
        write(Screen.current(), output, data)
    sys.exit(0 if state.running else 1)


@dev.command(
    context_settings={
        "ignore_unknown_options": True,
        "help_option_names": [],
        "allow_interspersed_args": False,
    }
)
@home_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@explains_errors
def kubectl(home: Path, arguments: tuple[str, ...]) -> None:
    """Run the cluster's own kubectl against it. What follows is kubectl's; --home may come first."""
    cluster = _cluster(home)
    program, *rest = cluster.kubectl_program()
    # Not flags: kubectl takes none before the name of a plugin.
    environment = os.environ | {
        "KUBECONFIG": str(cluster.home.kubeconfig),
        "KUBECACHEDIR": str(cluster.home.kubectl_cache),
    }
    # Replacing this process passes on everything: exit code, signals, the terminal.
    os.execve(program, [program, *rest, *arguments], environment)  # noqa: S606 - no shell is wanted


@dev.command()
@home_option
@click.option("--raw", is_flag=True, help="Print the content. It holds the administrator's key.")
@look_flags
@explains_errors
def kubeconfig(home: Path, *, raw: bool) -> None:
    """Print the path of the cluster's kubeconfig, or its content."""
    cluster = _cluster(home)
    cluster.kubectl_program()  # raises where there is no cluster yet
    path = cluster.home.kubeconfig
    click.echo(path.read_text() if raw else path, nl=not raw)


def _cluster(home: Path, *, use_kind: bool = False) -> ControlPlane | KindCluster:
    own = ControlPlane(home)
    return KindCluster(home) if use_kind or load_state(own.home.state).kind else own


def _as_text(state: ControlPlaneStatus) -> str:
    said = {(True, True): "ready", (True, False): "not ready", (False, False): "stopped"}
    rows = {
        "Status": said[state.running, state.ready],
        "Version": state.version,
        "Server": state.server,
        "Process": state.pid,
        "Memory": f"{state.memory / MIB:.0f} MiB" if state.memory else "",
        "Home": state.home,
        "Kubeconfig": state.kubeconfig,
        "Log": state.log_file,
    }
    return "\n".join(f"{name + ':':<12}{value}" for name, value in rows.items() if value)
