"""What must be known of a cluster from one command to the next: how it was started."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from integration_hub.devcluster.files import write_private


@dataclass(frozen=True, slots=True)
class State:
    """How the cluster was last started."""

    port: int = 0
    """The API server's port; 0 where there is none yet."""

    kubectl: tuple[str, ...] = ()
    """The command that runs a kubectl of the server's version."""

    controllers: bool = True
    """Whether controllers run beside the API server."""

    kind: str = ""
    """The name of the kind cluster; empty for one of our own."""


def load_state(path: Path) -> State:
    """Return what `path` holds; an empty state if it is absent or damaged: all of it can be chosen anew."""
    try:
        content = json.loads(path.read_bytes())
        return State(
            port=int(content["port"]),
            kubectl=tuple(map(str, content["kubectl"])),
            controllers=bool(content["controllers"]),
            kind=str(content["kind"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return State()


def save_state(path: Path, state: State) -> None:
    """Replace what `path` holds."""
    write_private(path, json.dumps(dataclasses.asdict(state)).encode())
