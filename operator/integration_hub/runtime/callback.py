"""The callback server: where a browser comes back to with a person's consent. It parses, hands over, and shows a page.

It knows no secret and decides nothing; no cookie, no script. Nothing of a request is logged or shown: neither the code
and state, nor the provider's own words. It speaks plain HTTP: TLS is for an ingress in front of it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from integration_hub.model.tokens import ConsentAnswer
from integration_hub.runtime.callback_url import CALLBACK_PATH
from integration_hub.runtime.pages import HOME, Fault, Page, consent_page, fault_page, render, style_hash
from integration_hub.shell.consent import ConsentOutcome

log = structlog.get_logger("integration_hub.callback")

HandIn = Callable[[ConsentAnswer], Awaitable[ConsentOutcome]]

MAX_QUERY = 8 * 1024
MAX_BODY = 16 * 1024
MAX_HEADERS = 16 * 1024
"""Bytes. Codes are sometimes whole signed documents of one or two thousand."""
MOST_FIELDS = 50
MOST_CONNECTIONS = 256
READ_SECONDS = 10.0
"""In which a request must have come. A browser needs a fraction of that; who holds a connection open loses it."""
RETRY_AFTER_SECONDS = 5

_READ = ("state", "code", "iss", "error")
"""The parameters that count. `error_description` and `error_uri` are the provider's text, and shown to nobody."""
_LONGEST = {"state": 256, "code": 6 * 1024, "iss": 1024}
_ERROR = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
UNREADABLE_ERROR = "unreadable_error"
"""In place of an error code that has not the form of one."""

_FORM = "application/x-www-form-urlencoded"

_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The address of the page has the code in it: it is kept nowhere, and told to nobody."""


class BadCallbackError(Exception):
    """What has come is not the end of a sign-in."""


def read_answer(fields: str) -> ConsentAnswer:
    """Return what a query or a form says of a consent.

    Raises:
        BadCallbackError: it says nothing of one, or says something twice (RFC 6749 section 3.1).

    """
    try:
        pairs = parse_qsl(
            fields, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise BadCallbackError from None
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise BadCallbackError
    values = {name: value for name, value in pairs if name in _READ and value}
    if not all(
        value.isprintable() and len(value) <= _LONGEST.get(name, MAX_BODY) for name, value in values.items()
    ):
        raise BadCallbackError
    # Either a code or an error: with both, or neither, nobody knows what it means.
    if "state" not in values or ("code" in values) == ("error" in values):
        raise BadCallbackError
    error = values.get("error")
    if error is not None and not _ERROR.fullmatch(error):
        error = UNREADABLE_ERROR
    return ConsentAnswer(values["state"], code=values.get("code"), iss=values.get("iss"), error=error)


def callback_app(hand_in: HandIn, path: str = CALLBACK_PATH) -> Starlette:
    """Return the application. It answers at `path`, and at the usual path where an ingress rewrites that."""

    async def callback(request: Request) -> Response:
        if request.method == "HEAD":
            return _response(HOME)  # whoever only looks, like a scanner of links, uses nothing
        try:
            answer = read_answer(await _fields(request))
        except BadCallbackError:
            return _response(fault_page("incomplete"))
        outcome = await hand_in(answer)
        instance = f"{outcome.namespace}/{outcome.name}" if outcome.name else None
        (log.info if instance else log.debug)("callback", result=outcome.result, instance=instance)
        return _response(consent_page(outcome))

    async def home(_request: Request) -> Response:
        return _response(HOME)

    paths = dict.fromkeys((CALLBACK_PATH, path))
    app = Starlette(
        routes=[
            Route("/", _guarded(home), methods=["GET"]),
            *(Route(each, _guarded(callback), methods=["GET", "POST"]) for each in paths),
        ],
        exception_handlers={HTTPException: _explained},
    )
    # A redirect would repeat what the request says of its host and its query.
    app.router.redirect_slashes = False
    return app


def _guarded(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Wrap an answer so that too large requests are refused, and a mistake of ours tells a browser nothing."""

    async def guarded(request: Request) -> Response:
        if _is_too_large(request):
            return _response(fault_page("too-large"))
        try:
            return await answer(request)
        except HTTPException:
            raise
        except ClientDisconnect:
            return _response(
                fault_page("incomplete")
            )  # to nobody; else it would be logged as a mistake of ours
        except Exception:
            log.exception("a callback could not be answered")
            return _response(fault_page("mistake"))

    return guarded


def _is_too_large(request: Request) -> bool:
    headers = sum(len(name) + len(value) for name, value in request.scope["headers"])
    return len(request.scope["query_string"]) > MAX_QUERY or headers > MAX_HEADERS


async def _fields(request: Request) -> str:
    """Return the text that says what came of it: the query's, or the form's (response_mode=form_post)."""
    if request.method == "GET":
        raw: bytes = request.scope["query_string"]
    else:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _FORM:
            raise HTTPException(415)
        raw = await _body(request)
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise BadCallbackError from None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HTTPException(413)
    return bytes(body)


_FAULT_OF: Mapping[int, Fault] = {404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-type"}


async def _explained(_request: Request, error: Exception) -> Response:
    """Answer what the framework or a limit refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    allowed = (getattr(error, "headers", None) or {}).get("Allow")
    return _response(fault_page(_FAULT_OF.get(status, "mistake")), {"Allow": allowed} if allowed else {})


def _response(page: Page, more: Mapping[str, str] | None = None) -> Response:
    headers = {name: value.format(style=style_hash()) for name, value in _SECURITY_HEADERS.items()}
    headers |= {"Date": formatdate(usegmt=True), "Connection": "close", **(more or {})}
    if page.status == 503:  # noqa: PLR2004
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Response(render(page), page.status, headers, media_type="text/html")


class CallbackServer:
    """Listens on one address, in the operator's own loop."""

    def __init__(self, hand_in: HandIn, url: str | None = None) -> None:
        """`url` is where browsers think that this is; its path is answered."""
        path = urlsplit(url).path if url else CALLBACK_PATH
        self._config = Config(
            callback_app(hand_in, path),
            interface="asgi3",
            http=_Connection,
            ws="none",
            lifespan="off",
            # Ours says what is worth saying. Whatever a stranger sends would be a warning of uvicorn's.
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=MAX_HEADERS,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses where 0 was asked for. OSError where it cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> asyncio.Protocol:
        return _Connection(self._config, self._state, {})

    def close(self) -> None:
        """Take no more connections; those that there are may end."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    async def stop(self, seconds: float) -> None:
        """Take no more connections, and end those that there are within a time."""
        self.close()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=seconds)
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks)


class _Connection(H11Protocol):
    """One connection, for one request, which must come in time."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._limit = self.loop.call_later(READ_SECONDS, self._end_if_unread)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def _end_if_unread(self) -> None:
        cycle: Any = self.cycle
        if cycle is None or cycle.more_body:
            self.transport.abort()

    def shutdown(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()
