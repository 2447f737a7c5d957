"""`hub example`: run an example of the repository. Words and exit codes only; `examples` does the work."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import click

from integration_hub.cli.errors import NotFoundError
from integration_hub.cli.flags import look_flags
from integration_hub.cli.terminal import Screen
from integration_hub.config.values import did_you_mean
from integration_hub.devcluster import DevClusterError, default_home
from integration_hub.examples import ExampleError, Runner, Settings
from integration_hub.flags import Command, PatienceType

_PACKAGE = Path(__file__).parents[1]
_REPOSITORY = _PACKAGE.parents[1]


@click.command(cls=Command)
@click.argument("name")
@click.option(
    "--once", is_flag=True, help="End with the verdicts: exit code 0 if they are as promised, else 1."
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_home,
    help="Folder of the control plane; what the example needs goes there too. "
    "[default: $HUB_DEV_HOME, else the user's state folder]",
)
@click.option(
    "--examples-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=_REPOSITORY / "examples",
    help="Folder of the examples. [default: the repository's]",
)
@click.option(
    "--timeout",
    type=PatienceType(timedelta(seconds=1)),
    default="60s",
    show_default=True,
    help="How long verdicts may take, like 30s or 5m.",
)
@look_flags
def example(name: str, *, once: bool, home: Path, examples_dir: Path, timeout: timedelta) -> None:
    """Run an example of the repository from start to end.

    Starts a control plane and the operator on this machine, applies the example's manifests, and waits for
    the verdicts that the example promises. Keeps running until Ctrl-C, then ends all that it started.
    """
    screen = Screen.current()
    home = home.expanduser().absolute()
    settings = Settings(
        folder=_example_folder(examples_dir, name),
        crds=_crds(),
        home=home,
        hub_kubectl=_hub_kubectl(home),
        once=once,
        timeout=timeout.total_seconds(),
    )
    try:
        code = Runner(settings, screen.out, moves=screen.moves and screen.is_terminal).run()
    except (ExampleError, DevClusterError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


def _example_folder(examples: Path, name: str) -> Path:
    known = sorted(path.parent.name for path in examples.glob("*/example.yaml"))
    if name not in known:
        which = (
            f"Name one of these: {', '.join(known)}."
            if known
            else "Name the folder that has some with --examples-dir."
        )
        raise NotFoundError(
            f"There is no example '{name}' in {examples}{did_you_mean(name, known)}.", todo=which
        )
    return (examples / name).absolute()


def _crds() -> Path:
    """Return the folder of the CRDs: inside an installed package, or at the repository's root."""
    inside = _PACKAGE / "crds"
    return inside if inside.is_dir() else _REPOSITORY / "crds"


def _hub_kubectl(home: Path) -> str:
    """Return what to type in another terminal, which may lack our PATH and our HUB_DEV_HOME."""
    words = [_hub(), "dev", "kubectl"]
    return shlex.join(words if home == default_home({}) else [*words, "--home", str(home)])


def _hub() -> str:
    script = Path(sys.executable).with_name("hub")
    if shutil.which("hub") == str(script):
        return "hub"
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
