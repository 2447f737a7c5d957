"""How a resource is followed when its watch fails: what is listed again, how long is waited, and what is said."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from integration_hub.adapters.kube import INSTANCES, ApiError, KubeClient
from integration_hub.adapters.kubeconfig import KubeConnection, TokenSource
from integration_hub.runtime import reflector as module
from integration_hub.runtime.feed import Feed
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.outage import WORTH_A_WORD_SECONDS, Outage
from integration_hub.runtime.queue import WorkQueue
from integration_hub.runtime.reflector import LONGEST_ASKED_SECONDS, Reflector, pause_before
from integration_hub.shell.store import Store
from support.builders import instance

FORBIDDEN = ApiError(403, "Forbidden", "instances is forbidden")


@dataclass
class ApiServer:
    """A real server that lists one instance and answers watches from a script, whose last answer is given for ever."""

    answers: list[web.Response | dict[str, Any]]
    """A response, or one event with which the watch ends."""
    asked: list[str] = field(default_factory=list)
    url: str = ""
    enough: int = 0
    has_enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self._ask("list")
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [instance(version=3)]})
        self._ask(f"watch {request.query['resourceVersion']}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(json.dumps(answer).encode() + b"\n")
        return stream

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if len(self.asked) >= self.enough:
            self.has_enough.set()


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    server = ApiServer([])
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
async def reflector(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reflector]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    kube = KubeClient(KubeConnection(server.url, ssl.create_default_context(), TokenSource()))
    metrics = Metrics()
    feed = Feed(Store(), WorkQueue(), metrics, forget=lambda _: None)
    yield Reflector(INSTANCES, kube, feed, metrics, relist_seconds=3600)
    await kube.close()


async def follow(reflector: Reflector, server: ApiServer, requests: int) -> list[str]:
    """Let it run until the server has seen as many requests, and return them."""
    task = asyncio.create_task(reflector.run())
    server.enough = requests
    async with asyncio.timeout(20):
        await server.has_enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return server.asked[:requests]


def status(code: int, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": "Because", "message": "of it", "details": details}


def refusal(code: int) -> web.Response:
    return web.Response(status=code, body=json.dumps(status(code)).encode())


class TestAnAnswerToAWatch:
    @pytest.mark.parametrize("code", [400, 410, 503, 504])
    @pytest.mark.parametrize("as_event", [False, True])
    async def test_that_the_same_watch_would_get_again_forces_a_list(
        self, server: ApiServer, reflector: Reflector, code: int, as_event: bool
    ) -> None:
        server.answers = [{"type": "ERROR", "object": status(code)} if as_event else refusal(code)]
        assert await follow(reflector, server, 4) == ["list", "watch 7", "list", "watch 7"]

    @pytest.mark.parametrize("code", [403, 429, 500])
    async def test_that_may_be_another_the_next_time_forces_none(
        self, server: ApiServer, reflector: Reflector, code: int
    ) -> None:
        server.answers = [refusal(code)]
        assert await follow(reflector, server, 4) == ["list", "watch 7", "watch 7", "watch 7"]

    async def test_that_never_comes_twice_in_a_row_forces_a_list(
        self, server: ApiServer, reflector: Reflector
    ) -> None:
        # An API server that was away may have been put back to an older state.
        server.answers = [web.Response(text="not an event\n")]
        assert await follow(reflector, server, 5) == ["list", "watch 7", "watch 7", "list", "watch 7"]

    async def test_that_ends_as_soon_as_it_was_opened_forces_a_list(
        self, server: ApiServer, reflector: Reflector
    ) -> None:
        server.answers = [{"type": "BOOKMARK", "object": instance(version=9)}]
        assert await follow(reflector, server, 4) == ["list", "watch 7", "list", "watch 7"]


class TestPause:
    @pytest.mark.parametrize(
        ("failures", "asked", "expected", "reason"),
        [
            (1, None, 0.5, "the first is short"),
            (2, None, 1.0, "each is twice as long"),
            (100, None, 15.0, "but not for ever"),
            (1, 7.0, 7.0, "the server asks for more"),
            (100, 1.0, 15.0, "the server asks for less than we would wait anyhow"),
            (1, 1e9, LONGEST_ASKED_SECONDS, "nobody can ask for a day"),
        ],
    )
    def test_is_the_longer_of_ours_and_of_what_the_server_asks(
        self, failures: int, asked: float | None, expected: float, reason: str
    ) -> None:
        assert pause_before(failures, asked, 0.5) == expected, reason

    @pytest.mark.parametrize("as_event", [False, True])
    async def test_is_what_the_server_asks_for(self, server: ApiServer, as_event: bool) -> None:
        told = status(429, retryAfterSeconds=17)
        server.answers = [
            {"type": "ERROR", "object": told}
            if as_event
            else web.Response(status=429, body=json.dumps(told).encode(), headers={"Retry-After": "17"})
        ]
        kube = KubeClient(KubeConnection(server.url, ssl.create_default_context(), TokenSource()))
        with pytest.raises(ApiError) as refused:
            async for _ in kube.watch(INSTANCES, "7", seconds=5, silence=5):
                pass
        await kube.close()
        assert refused.value.retry_after == 17.0


class TestOutage:
    """Times are given; nobody waits for them."""

    def test_failures_that_last_are_said_once_with_what_to_do(self) -> None:
        outage = Outage("integrationinstances")
        said = [outage.failed(FORBIDDEN, now) for now in range(0, 200, 10)]
        assert said.count(True) == 1
        assert said.index(True) == WORTH_A_WORD_SECONDS / 10
        words = outage.problem(95.0)
        assert words is not None
        assert words.startswith("integrationinstances cannot be watched for 95 s: 403 Forbidden")
        assert "deploy/rbac.yaml" in words

    def test_less_is_not_worth_a_word(self) -> None:
        outage = Outage("secrets")
        assert outage.problem(0.0) is None
        assert not outage.failed(FORBIDDEN, 10.0)
        assert outage.problem(99.0) is None

    def test_a_watch_that_is_open_ends_it_and_one_that_only_opens_does_not(self) -> None:
        outage = Outage("secrets")
        outage.failed(FORBIDDEN, 0.0)
        outage.failed(None, 100.0)
        outage.answered(101.0)
        assert outage.problem(101.5) is not None, "it may end at once, like the one before"
        assert outage.problem(103.0) is None
        assert not outage.failed(FORBIDDEN, 110.0), "counted from here: the watch had worked"
        assert outage.problem(110.0) is None

    def test_watches_that_end_at_once_are_an_outage_too(self) -> None:
        outage = Outage("secrets")
        for now in range(100):
            outage.answered(now)
            outage.failed(None, now + 0.1)
        assert "as soon as it is opened" in str(outage.problem(100.0))

    def test_its_end_is_worth_a_word_only_where_its_beginning_was(self) -> None:
        outage = Outage("secrets")
        outage.failed(FORBIDDEN, 0.0)
        assert not outage.over()
        outage.failed(FORBIDDEN, 0.0)
        outage.failed(FORBIDDEN, 100.0)
        assert outage.over()
        assert outage.problem(999.0) is None

    async def test_the_log_says_once_what_is_not_watched_and_readiness_as_long_as_it_lasts(
        self, server: ApiServer, reflector: Reflector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("integration_hub.runtime.outage.WORTH_A_WORD_SECONDS", 0.02)
        server.answers = [refusal(403)]
        with capture_logs() as lines:
            await follow(reflector, server, 7)
        warnings = [line for line in lines if line["log_level"] == "warning"]
        assert len(warnings) == 1
        assert "integrationinstances cannot be watched" in warnings[0]["problem"]
        assert "deploy/rbac.yaml" in str(reflector.problem())
