"""Sealed records in a real API server, where its keyring is, and ways to it that lead nowhere or not far."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from integration_hub.adapters.kube import SECRETS, KubeClient
from integration_hub.credentials.keyring import Keyring
from integration_hub.credentials.sealed import Binding, key_number, open_fields, seal_fields
from integration_hub.devcluster import ControlPlaneInfo
from integration_hub.shell.keyring_source import SecretKeyring, data_of, encoded
from integration_hub.shell.record_names import record_name
from integration_hub.shell.rewrap import Place
from support.hub_command import user_kubeconfig
from support.ports import free_port

NAME = "hub-keys"
"""Of the keyring's Secret."""
FIELDS = {"tokens": b'{"accessToken":"canary-of-a-token"}', "pending": b"x"}

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


def manifest(name: str, **data: bytes) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded(data)}


def source(kube: KubeClient, namespace: str) -> SecretKeyring:
    return SecretKeyring(kube, namespace, NAME, secrets.token_bytes)


def nobody_there(control_plane: ControlPlaneInfo, folder: Path) -> Path:
    server = f"https://127.0.0.1:{free_port()}"
    return user_kubeconfig(folder / "nobody-there", server=server, ca_file=control_plane.ca_file, token="t")


class Records:
    """Sealed records of instances that need not exist."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.places: list[Place] = []

    async def add(self, keyring: Keyring, count: int = 1, **fields: bytes) -> list[Place]:
        made = [self._place() for _ in range(count)]
        await asyncio.gather(*(self._create(place, keyring, FIELDS | fields) for place in made))
        self.places += made
        return made

    def _place(self) -> Place:
        uid = str(uuid4())
        return Place(self.namespace, record_name(uid), uid)

    async def _create(self, place: Place, keyring: Keyring, fields: dict[str, bytes]) -> None:
        data = seal_fields(fields, Binding(*place), keyring, secrets.token_bytes)
        secret = manifest(place.name, **data) | {"type": "integrationhub.dev/credential"}
        secret["metadata"]["labels"] = {"integrationhub.dev/credential-of": place.uid, "a-users": "label"}
        await self.kube.create_secret(place.namespace, secret)

    async def raw(self, place: Place) -> dict[str, Any]:
        return await self.kube.read(SECRETS, place.namespace, place.name)

    async def under(self) -> dict[Place, int | None]:
        raws = await asyncio.gather(*map(self.raw, self.places))
        return {place: key_number(data_of(raw)) for place, raw in zip(self.places, raws, strict=True)}

    async def opened(self, place: Place, keyring: Keyring) -> dict[str, bytes]:
        return open_fields(data_of(await self.raw(place)), Binding(*place), keyring)


class NarrowPipe:
    """A way to the API server that lets so many bytes through to it and no more."""

    def __init__(self, server: str, most: int) -> None:
        self._host, _, port = server.removeprefix("https://").rpartition(":")
        self._port = int(port)
        self._rest = most
        self.is_stuck = False
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._tasks.add(current)
        there, back = await asyncio.open_connection(self._host, self._port)
        try:
            with suppress(OSError):
                await asyncio.gather(self._pass(reader, back, narrow=True), self._pass(there, writer))
        finally:
            back.close()
            writer.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, narrow: bool = False
    ) -> None:
        while piece := await source.read(4096):
            if narrow:
                self._rest -= len(piece)
                if self._rest < 0:
                    self.is_stuck = True
                    continue
            sink.write(piece)
            await sink.drain()
        sink.close()
