"""The floor of watching: a bare client that asks the same URLs at the same pace, and says what CPU that takes.

One task for each URL, one pool of connections; no Kubernetes, no checks, no verdicts, no budget. A process of its own,
which gets its plan as JSON from standard input and prints its CPU seconds, seconds and requests.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import sys
import time
from typing import Any

import aiohttp
import orjson
import uvloop


async def run(plan: dict[str, Any]) -> dict[str, float]:
    """Ask each URL once in each interval at its phase, for some seconds after a first round."""
    trust = ssl.create_default_context(cadata=plan["ca"])
    headers, interval = {"Authorization": f"Bearer {plan['key']}"}, float(plan["interval"])
    requests = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust, limit=0)) as outside:

        async def watch(url: str, phase: float) -> None:
            nonlocal requests
            while True:
                now = time.time() / interval
                await asyncio.sleep((math.floor(now - phase) + 1 + phase - now) * interval)
                async with outside.get(url, headers=headers) as response:
                    response.raise_for_status()
                    orjson.loads(await response.read())
                requests += 1

        tasks = [asyncio.create_task(watch(url, phase)) for url, phase in plan["urls"]]
        await asyncio.sleep(interval)
        requests, cpu, started = 0, time.process_time(), time.perf_counter()
        await asyncio.sleep(plan["seconds"])
        cpu, seconds = time.process_time() - cpu, time.perf_counter() - started
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return {"cpu_seconds": cpu, "seconds": seconds, "requests": requests}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.readline())))))
