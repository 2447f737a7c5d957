"""The admission webhook's server: HTTPS for the API server alone. What it answers is the reviewer's to decide."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
import structlog
from aiohttp import web

from integration_hub.shell.reviewer import BadReviewError, Reviewer

PATH: Final = "/validate"
MAX_BODY: Final = 8 * 2**20
"""A review holds an object twice, and an object has at most about 1.5 MiB."""
LOOK_SECONDS: Final = 10.0
"""Between looks at the certificate's files."""

log = structlog.get_logger("integration_hub.webhook")


class CertificateFiles:
    """The server's certificate, read again when its files change: whoever rotates them need not restart anything."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read them.

        Raises:
            OSError: a file cannot be read, or (as ssl.SSLError) the two are no certificate and its private key.

        """
        self._paths = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._load()

    async def watch(self) -> None:
        """Look for ever. Files that cannot be used leave the certificate as it was."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Look once."""
        try:
            if self._contents() == self._seen:
                return
            self._seen = self._load()
        except OSError as error:
            log.warning("the new certificate cannot be used; the one before stays", error=_why(error))
        else:
            log.info("the certificate was read again")

    def _load(self) -> tuple[bytes, ...]:
        contents = self._contents()
        # Into a context of its own first: what does not fit together must not take the place of what does.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*self._paths)
        self.context.load_cert_chain(*self._paths)
        return contents

    def _contents(self) -> tuple[bytes, ...]:
        return tuple(path.read_bytes() for path in self._paths)


class WebhookServer:
    """Answers admission reviews, and probes, on one address."""

    def __init__(self, reviewer: Reviewer, files: CertificateFiles) -> None:
        """Listen nowhere yet."""
        self._reviewer = reviewer
        self._files = files
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses where 0 was asked for."""
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes([web.post(PATH, self._validate), web.get("/healthz", _ok), web.get("/readyz", _ok)])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=self._files.context).start()
        self._watch = asyncio.create_task(self._files.watch(), name="hub-certificate")
        return _port(self._runner.addresses)

    async def stop(self) -> None:
        """Answer what was asked already, then stop listening."""
        if self._watch is not None:
            self._watch.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

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


def _port(addresses: Sequence[tuple[str, int]]) -> int:
    return int(addresses[0][1])


async def _ok(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
