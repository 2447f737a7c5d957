"""The way to the cluster that a command takes, and leaving it; whichever client it uses."""

from __future__ import annotations

from pathlib import Path

from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection, load
from integration_hub.cli.errors import Exit, HubError

_FAREWELL_SECONDS = 0.1


def connection_of(kubeconfig: Path | None, context: str | None) -> KubeConnection:
    """Return what --kubeconfig and --context mean; HubError where that is no way to a cluster."""
    try:
        return load(kubeconfig, context)
    except KubeconfigError as error:
        is_named = kubeconfig is not None or context is not None
        raise HubError(str(error), code=Exit.USAGE if is_named else Exit.UNREACHABLE) from error


async def farewell() -> None:
    """Let TLS connections say goodbye; aiohttp closes them without waiting for that."""
    from asyncio import sleep  # noqa: PLC0415 - the blocking client needs none of it, and it takes long to load

    await sleep(_FAREWELL_SECONDS)
