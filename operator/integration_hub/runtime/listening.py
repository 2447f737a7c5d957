"""Listening for HTTP requests such that who connects and says nothing holds no connection for long."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import NamedTuple

from aiohttp import web


class Patience(NamedTuple):
    """For how many seconds a connection is kept on which nothing comes."""

    handshake: float = 10.0
    """In which TLS must be agreed upon. An API server that asks needs a fraction of a second."""
    idle: float = 75.0
    """Without a whole request, the first one included. Longer than Prometheus waits between two, so that it may keep
    the connection; whoever comes later makes another one."""


class Listener:
    """Serves one application at one address."""

    def __init__(self, app: web.Application, patience: Patience) -> None:
        """Listen nowhere yet."""
        self._patience = patience
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, keepalive_timeout=patience.idle
        )
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, context: SSLContext | None = None) -> int:
        """Listen, with TLS where there is a context; return the port, which the system chooses where 0 was asked for.

        Raises:
            OSError: the address cannot be had.

        """
        await self._runner.setup()
        handler = self._runner.server
        if handler is None:
            raise ValueError("a runner that is set up has a server")
        # Not a site of aiohttp's, which would leave asyncio's 60 seconds for a handshake.
        self._server = await asyncio.get_running_loop().create_server(
            handler,
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=self._patience.handshake if context else None,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Answer what was asked already, then stop listening."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
