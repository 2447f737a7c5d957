"""The admission webhook's server: HTTPS for the API server alone. What it answers is the reviewer's to decide."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from integration_hub.runtime.listening import Listener, Patience
from integration_hub.runtime.webhook_certificates import CertificateFiles
from integration_hub.shell.reviewer import BadReviewError, Reviewer

PATH: Final = "/validate"
MAX_BODY: Final = 8 * 2**20
"""A review holds an object twice, and an object has at most about 1.5 MiB."""

log = structlog.get_logger("integration_hub.webhook")


class WebhookServer:
    """Answers admission reviews, and probes, on one address; probes on another one, too, without TLS."""

    def __init__(
        self,
        reviewer: Reviewer,
        files: CertificateFiles,
        client_names: Collection[str] = (),
        *,
        patience: Patience = Patience(),  # noqa: B008 - never changes
    ) -> None:
        """Listen nowhere yet. With names, only a caller whose certificate has one of them is answered."""
        self._reviewer = reviewer
        self._files = files
        self._client_names = frozenset(client_names)
        self._patience = patience
        self._listeners: list[Listener] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses where 0 was asked for."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._admit])
        app.add_routes([web.post(PATH, self._validate), *_probes()])
        found = await self._listener(app).start(host, port, self._files.context)
        self._watch = asyncio.create_task(self._files.watch(), name="hub-certificate")
        return found

    async def start_health(self, host: str, port: int) -> int:
        """Answer probes here, for who has no certificate to show; return the port."""
        app = web.Application()
        app.add_routes(_probes())
        return await self._listener(app).start(host, port)

    async def stop(self) -> None:
        """Answer what was asked already, then stop listening."""
        if self._watch is not None:
            self._watch.cancel()
        for listener in self._listeners:
            await listener.stop()

    def _listener(self, app: web.Application) -> Listener:
        self._listeners.append(Listener(app, self._patience))
        return self._listeners[-1]

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self._client_names:
            names = common_names(request.get_extra_info("peercert") or {})
            if not names & self._client_names:
                log.warning(
                    "a caller was refused: its certificate's common name is none of those given by --client-name",
                    names=sorted(names),
                    caller=request.remote,
                )
                return web.Response(status=403, text="Your certificate is for none who may call.")
        # Who keeps a connection would never be asked for a certificate of the new authority.
        is_over = not self._files.are_those_of(request.get_extra_info("ssl_object"))
        try:
            response = await handler(request)
        except web.HTTPException as error:
            if is_over:
                error.force_close()
            raise
        if is_over:
            response.force_close()
        return response

    async def _validate(self, request: web.Request) -> web.Response:
        try:
            review = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            return web.Response(status=400, text="The body is no JSON.")
        try:
            answer = await self._reviewer.review(review)
        except BadReviewError as error:
            return web.Response(status=400, text=f"This is {error}.")
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


def common_names(shown: Mapping[str, Any]) -> frozenset[str]:
    """Return the common names of a certificate, in the form in which `ssl` gives it.

    No alternative names: an authority may sign whichever of these somebody asks for, and an e-mail address is none of
    a caller. The API server's own `--requestheader-allowed-names` goes by the common name, too.
    """
    subject = (part for parts in shown.get("subject", ()) for part in parts)
    return frozenset(value for key, value in subject if key == "commonName")


def _probes() -> list[web.RouteDef]:
    return [web.get("/healthz", _ok), web.get("/readyz", _ok)]


async def _ok(_request: web.Request) -> web.Response:
    return web.Response(text="ok")
