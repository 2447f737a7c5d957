"""The operator's own small HTTP server: /healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from integration_hub.runtime.listening import Listener, Patience
from integration_hub.runtime.metrics import Page

Check = Callable[[], str | None]
"""Returns what is wrong, None where nothing is."""


class HealthServer:
    """Answers probes and metrics on one address."""

    def __init__(
        self,
        page: Callable[[str, str], Awaitable[Page]],
        *,
        alive: Sequence[Check],
        ready: Sequence[Check],
        patience: Patience = Patience(),  # noqa: B008 - never changes
    ) -> None:
        """Take what /metrics shows, and what decides over /healthz (a restart helps) and /readyz (waiting helps).

        `page` writes the metrics for the values of an Accept and an Accept-Encoding header.
        """
        self._page = page
        self._alive = alive
        self._ready = ready
        self._patience = patience
        self._listener: Listener | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses where 0 was asked for."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._probe(self._alive)),
                web.get("/readyz", self._probe(self._ready)),
                web.get("/metrics", self._metrics),
            ]
        )
        self._listener = Listener(app, self._patience)
        return await self._listener.start(host, port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await self._listener.stop()

    @staticmethod
    def _probe(checks: Sequence[Check]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(_request: web.Request) -> web.StreamResponse:
            wrong = [problem for problem in (check() for check in checks) if problem]
            return web.Response(status=503 if wrong else 200, text="\n".join(wrong) or "ok")

        return handle

    async def _metrics(self, request: web.Request) -> web.Response:
        headers = request.headers
        page = await self._page(headers.get("Accept", ""), headers.get("Accept-Encoding", ""))
        return web.Response(body=page.body, headers=page.headers)
