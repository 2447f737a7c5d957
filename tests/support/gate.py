"""A way to the API server that a test opens and shuts: it is away, or an answer is lost when the deed is done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self

from integration_hub.adapters.kube import KubeClient
from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlaneInfo
from support.hub_command import user_kubeconfig


class Gate:
    """Passes connections on while it is open. What goes through is TLS, so it looks at nothing."""

    def __init__(self, control_plane: ControlPlaneInfo, folder: Path) -> None:
        """`folder` is where its kubeconfig is put."""
        self._info = control_plane
        self._folder = folder
        host, _, port = control_plane.server.removeprefix("https://").rpartition(":")
        self._server = (host, int(port))
        self._is_open = True
        self._to_lose = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.lost = 0
        """Answers that were lost."""

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.kubeconfig = user_kubeconfig(
            self._folder / f"gate-{port}",
            server=f"https://127.0.0.1:{port}",
            ca_file=self._info.ca_file,
            like=self._info.kubeconfig,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def client(self) -> KubeClient:
        """Return a client that goes through here. Who takes it closes it."""
        return KubeClient(load(self.kubeconfig))

    def shut(self) -> None:
        """Break off all connections and accept none."""
        self._is_open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        """Let everything through again."""
        self._is_open = True
        self._flows.set()

    def lose_answers(self, count: int = 1) -> None:
        """Let what is asked next arrive and break off when its answer comes. A connection must be open already."""
        assert self._writers, "the next answer would be that of a handshake"
        self._to_lose = count

    def hold_back(self) -> None:
        """Let what is asked arrive, and its answers wait until it is opened again."""
        self._flows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._tasks.add(current)
        if not self._is_open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._server)
        self._writers |= {writer, back}
        try:
            with suppress(OSError):
                await asyncio.gather(self._pass(reader, back), self._return(there, writer))
        finally:
            self._writers -= {writer, back}
            back.transport.abort()
            writer.transport.abort()

    @staticmethod
    async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
        sink.close()

    async def _return(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(65536):
            await self._flows.wait()
            if self._to_lose:
                self._to_lose -= 1
                self.lost += 1
                sink.transport.abort()
                return
            sink.write(piece)
            await sink.drain()
        sink.close()
