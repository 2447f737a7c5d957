"""An external system: a real HTTPS server with an authority of its own, scripted by the test, counting what it sees.

It answers below `/v1/<account>/`. Every account behaves on its own, so that many tests can share one server. What one
account answers can still concern all others at the same host: 429, or nothing at all. Such accounts go by a host of
their own; `hosts` are addresses of this one server.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from support.certificates import Authority

HOSTS = 8

GOOD_KEY = "the-right-key"
"""The API key that the server knows, as 'Authorization: Bearer ...', where a test says nothing else."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What to answer. Without a body, who is connected; with `hold`, nothing for as long as the client waits."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: bool = False


Script = Callable[[Seen], Answer]


def knows_its_key(seen: Seen) -> Answer:
    """Answer 200 to the good key and 401 to anything else."""
    is_known = seen.headers.get("authorization") == f"Bearer {GOOD_KEY}"
    return Answer() if is_known else Answer(401, {"error": "unauthorized"})


class TargetServer:
    """The server, in a thread of its own."""

    def __init__(self, *names: str) -> None:
        """Serve with a certificate for these names; 127.0.0.1 where none is given."""
        self.authority = Authority("Authority of the external system")
        self.hosts: list[str] = []
        """Addresses, without a path: to the operator each is a host with a budget of its own."""
        self._identity = self.authority.issue(*(names or ("127.0.0.1",)))
        self._scripts: dict[str, Script] = {}
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self._thread = threading.Thread(target=self._run, name="target-server", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30), "the external system did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    @property
    def port(self) -> int:
        """The port of the first host."""
        return int(self.hosts[0].rpartition(":")[2])

    @property
    def url(self) -> str:
        """The first host, which most tests share."""
        return self.hosts[0]

    @property
    def ca(self) -> str:
        """PEM certificate of the server's authority."""
        return self.authority.pem

    def script(self, account: str, answer: Answer | Script) -> None:
        """Answer so from now on below this account."""
        self._scripts[account] = answer if callable(answer) else lambda _: answer

    def seen(self, account: str) -> list[Seen]:
        """Return the requests that arrived for this account, the oldest first."""
        return list(self._seen[account])

    def count(self, account: str) -> int:
        """Return how many requests arrived for this account."""
        return len(self._seen[account])

    def total_for(self, prefix: str) -> int:
        """Return how many requests arrived for all accounts whose name begins so."""
        return sum(len(requests) for name, requests in list(self._seen.items()) if name.startswith(prefix))

    def total(self) -> int:
        """Return how many requests arrived for all accounts."""
        return sum(len(requests) for requests in list(self._seen.values()))

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/v1/{account}/{rest:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        context = self._identity.server_context()
        for _ in range(HOSTS):
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=512).start()
        self.hosts = [f"https://127.0.0.1:{address[1]}" for address in runner.addresses]
        self._started.set()
        await self._end.wait()
        await runner.cleanup()
        await asyncio.sleep(0.2)  # TLS connections say goodbye before they close

    async def _answer(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path, dict(request.query), headers)
        self._seen[account].append(seen)
        answer = self._scripts.get(account, knows_its_key)(seen)
        if answer.hold:
            await asyncio.Event().wait()
        body = answer.body if answer.body is not None else {"user": {"login": f"{account}@acme.example"}}
        return web.Response(
            status=answer.status,
            text=json.dumps(body),
            content_type="application/json",
            headers=answer.headers,
        )
