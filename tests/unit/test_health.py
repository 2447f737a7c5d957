"""The operator's own HTTP server, asked over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from integration_hub.runtime.health import HealthServer
from integration_hub.runtime.listening import Patience
from integration_hub.runtime.metrics import Metrics

PROBLEMS: dict[str, str | None] = {}


@pytest.fixture
async def server() -> AsyncIterator[str]:
    PROBLEMS.clear()
    health = HealthServer(
        Metrics().page,
        alive=[lambda: PROBLEMS.get("task"), lambda: PROBLEMS.get("watch")],
        ready=[lambda: PROBLEMS.get("sync")],
    )
    port = await health.start("127.0.0.1", 0)
    assert port > 0
    yield f"http://127.0.0.1:{port}"
    await health.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(f"http://127.0.0.1:{port}/healthz")


async def ask(url: str, **headers: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text(), response.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_all_is_well(server: str, path: str) -> None:
    assert (await ask(server + path))[:2] == (200, "ok")


async def test_every_problem_is_told_and_only_to_the_probe_that_it_concerns(server: str) -> None:
    PROBLEMS.update({"task": "ended: worker-1", "watch": "no watch is running"})
    assert (await ask(f"{server}/healthz"))[:2] == (503, "ended: worker-1\nno watch is running")
    assert (await ask(f"{server}/readyz"))[0] == 200
    PROBLEMS.clear()
    PROBLEMS["sync"] = "not yet synced"
    assert (await ask(f"{server}/readyz"))[:2] == (503, "not yet synced")
    assert (await ask(f"{server}/healthz"))[0] == 200


async def test_a_problem_that_passes_is_gone(server: str) -> None:
    PROBLEMS["task"] = "ended"
    await ask(f"{server}/healthz")
    PROBLEMS.clear()
    assert (await ask(f"{server}/healthz"))[0] == 200


async def test_metrics_in_the_format_that_is_asked_for(server: str) -> None:
    status, text, kind = await ask(f"{server}/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert "hub_events_posted_total 0.0" in text
    _, text, kind = await ask(f"{server}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.split(";")[0] == "application/openmetrics-text"
    assert text.endswith("# EOF\n")


async def test_there_is_nothing_else(server: str) -> None:
    assert (await ask(f"{server}/"))[0] == 404


async def test_who_connects_and_says_nothing_loses_the_connection() -> None:
    health = HealthServer(Metrics().page, alive=[], ready=[], patience=Patience(idle=0.2))
    port = await health.start("127.0.0.1", 0)
    try:
        silent, one = await asyncio.open_connection("127.0.0.1", port)
        halfway, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert [await asyncio.wait_for(reader.read(), 10) for reader in (silent, halfway)] == [b"", b""]
        for writer in (one, other):
            writer.close()
        assert (await ask(f"http://127.0.0.1:{port}/healthz"))[:2] == (200, "ok")
    finally:
        await health.stop()


async def test_stopped_before_it_was_started_nothing_happens() -> None:
    await HealthServer(Metrics().page, alive=[], ready=[]).stop()
