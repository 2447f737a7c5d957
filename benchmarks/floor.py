"""The floor: what a bare asyncio client needs for the same creates, the same requests and the same writes.

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


@dataclass(frozen=True)
class Work:
    """What is done for every instance."""

    status: bytes
    """What is written to it."""
    url: str
    """The external system's, without a path."""
    key: str
    ca_file: str
    secrets: Collection
    """Where records of tokens are stored."""
    record: dict[str, Any] | None = None
    """With tokens: a record of the real size, for each to store under a name of its own."""


async def run_floor(collection: Collection, bodies: list[bytes], work: Work, concurrency: int) -> float:
    """Create, request and write for every body; return the seconds from the first create to the last write."""
    trust = ssl.create_default_context(cafile=work.ca_file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as outside:

        async def obtained(name: str, record: dict[str, Any]) -> str:
            form = {"grant_type": "client_credentials"}
            client = {"Authorization": aiohttp.encode_basic_auth("benchmark", work.key)}
            async with outside.post(f"{work.url}/token", data=form, headers=client) as response:
                response.raise_for_status()
                token: str = orjson.loads(await response.read())["access_token"]
            await work.secrets.create(orjson.dumps({**record, "metadata": {"name": f"record-{name}"}}))
            return token

        async def one(body: bytes) -> None:
            name = (await collection.create(body))["metadata"]["name"]
            key = await obtained(name, work.record) if work.record is not None else work.key
            headers = {"Authorization": f"Bearer {key}"}
            async with outside.get(f"{work.url}/v1/whoami", headers=headers) as response:
                orjson.loads(await response.read())
                response.raise_for_status()
            await collection.write_status(name, work.status)

        started = time.perf_counter()
        await for_each(bodies, one, concurrency)
        return time.perf_counter() - started
