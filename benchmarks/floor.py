"""The floor: what a bare asyncio client needs for the same creates, the same requests and the same status writes.

No queue, no watch, no checks, no retries: whatever an operator does beyond this is its cost.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Collection:
    """Where instances of one namespace are created: the API server's session and the collection's URL."""

    session: aiohttp.ClientSession
    url: str

    async def create(self, body: bytes) -> dict[str, Any]:
        """Create one instance."""
        async with self.session.post(self.url, data=body, headers=JSON) as response:
            created: dict[str, Any] = orjson.loads(await response.read())
            if response.status != 201:
                raise RuntimeError(f"create answered {response.status}: {created.get('message')}")
            return created

    async def write_status(self, name: str, body: bytes) -> None:
        """Write one status."""
        async with self.session.patch(
            f"{self.url}/{name}/status", data=body, headers=MERGE_PATCH
        ) as response:
            await response.read()
            response.raise_for_status()

    async def delete_all(self) -> None:
        """Delete every instance of the namespace, in one call: kubectl deletes them one by one."""
        async with self.session.delete(self.url) as response:
            await response.read()
            response.raise_for_status()


async def for_each(items: Iterable[Any], work: Callable[[Any], Awaitable[None]], concurrency: int) -> None:
    """Do the work for every item, so many at a time."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


async def run_floor(  # noqa: PLR0913, PLR0917
    collection: Collection,
    bodies: list[bytes],
    statuses: list[bytes],
    target: str,
    key: str,
    ca_file: str,
    concurrency: int,
) -> float:
    """Create, request and write for every body; return the seconds from the first create to the last write."""
    trust = ssl.create_default_context(cafile=ca_file)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as outside:

        async def one(pair: tuple[bytes, bytes]) -> None:
            body, status = pair
            created = await collection.create(body)
            async with outside.get(target, headers=headers) as response:
                orjson.loads(await response.read())
                response.raise_for_status()
            await collection.write_status(created["metadata"]["name"], status)

        started = time.perf_counter()
        await for_each(list(zip(bodies, statuses, strict=True)), one, concurrency)
        return time.perf_counter() - started
