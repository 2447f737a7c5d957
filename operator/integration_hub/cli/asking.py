"""Asking the operator for something, and waiting until it has answered: changes of one instance in a person's name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from integration_hub.adapters.kube_api import FORBIDDEN, INSTANCES, UNAUTHORIZED, ApiError
from integration_hub.cli.cluster import MANAGER, Cluster
from integration_hub.cli.errors import Exit, HubError, NotFoundError, UnreachableError
from integration_hub.cli.output import Raw
from integration_hub.cli.terminal import Screen
from integration_hub.cli.words import typed
from integration_hub.shell.explaining import CHANGE, POLICY, is_policy

LOOK_SECONDS = 0.25
"""Between two looks whether the operator has answered."""


def change(cluster: Cluster, name: str, patch: Mapping[str, Any], *, dry_run: str | None) -> Raw | None:
    """Change an instance and return it as it is then; None where nothing is sent ('client').

    With 'server', the API server says what would be, and nothing changes.
    """
    if dry_run == "client":
        return None
    try:
        return cluster.kube.merge(
            INSTANCES, cluster.namespace, name, patch, manager=MANAGER, dry=dry_run == "server"
        )
    except ApiError as error:
        if error.gone:
            raise cluster.missing(INSTANCES, name) from error
        what = cluster.named(INSTANCES, name)
        if error.status == FORBIDDEN and not is_policy(error):
            raise UnreachableError(
                f"You may not change {what}.",
                why=f"The API server says: {error}",
                todo="Ask for the right to 'patch' integrationinstances.",
            ) from error
        if error.status and error.status < 500:  # noqa: PLR2004
            todo = POLICY if is_policy(error) else ""
            raise HubError(
                f"{what} was not changed.", why=f"The API server says: {error}", todo=todo
            ) from error
        raise cluster.explained(error, what, CHANGE) from error


def wait_until(  # noqa: PLR0913
    cluster: Cluster,
    name: str,
    seconds: float,
    is_done: Callable[[Raw], bool],
    *,
    begun: float,
    screen: Screen,
    what: str,
    said: Callable[[], str] = str,
) -> Raw:
    """Look at an instance until it is as wanted, and return it. HubError with Exit.TIMEOUT where that takes too long.

    The seconds run from `begun` on, on the clock `time.monotonic`. `what` is waited for, as in "the operator tests". An
    API server that is away for a moment is waited for as well. `said` returns what the operator has said last about the
    objects as they are now, '' where that is nothing.
    """
    deadline = begun + seconds
    with screen.busy(what):
        while True:
            raw = _look(cluster, name)
            if raw is not None and is_done(raw):
                return raw
            if time.monotonic() >= deadline:
                raise _too_late(
                    cluster, name, f"Within {seconds:g} s it has not come so far that {what}.", said()
                )
            time.sleep(LOOK_SECONDS)


def _too_late(cluster: Cluster, name: str, what: str, said: str) -> HubError:
    if said:
        why = f"The operator says: {said}"
        look = typed("status", name, "-n", cluster.namespace)
        todo = f"Look at it with '{look}'; --timeout gives it longer."
    else:
        why = "The operator has not answered, or the API server could not be asked."
        todo = f"See with '{typed('check')}' whether the operator runs; --timeout gives it longer."
    return HubError(what, why=why, todo=todo, code=Exit.TIMEOUT)


def _look(cluster: Cluster, name: str) -> Raw | None:
    try:
        return cluster.kube.read(INSTANCES, cluster.namespace, name)
    except ApiError as error:
        named = cluster.named(INSTANCES, name)
        if error.gone:
            raise NotFoundError(f"{named} was deleted meanwhile.") from error
        if error.status in {FORBIDDEN, UNAUTHORIZED}:
            raise cluster.explained(error, named, cluster.reading(INSTANCES, "get")) from error
        return None
