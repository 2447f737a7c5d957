"""The external system of the benchmark: a small HTTPS server that knows one API key. Runs as a process of its own."""

from __future__ import annotations

import asyncio
import ssl
import sys

import uvloop
from aiohttp import web


async def whoami(request: web.Request) -> web.Response:
    """Say who the key belongs to, or 401."""
    if request.headers.get("Authorization") != f"Bearer {request.app[KEY]}":
        return web.json_response({"error": "unauthorized"}, status=401)
    return web.json_response({"user": {"login": "benchmark"}})


KEY = web.AppKey("KEY", str)


async def main(port: int, certificate: str, key_file: str) -> None:
    """Serve on loopback until killed. The API key comes from standard input, never from the command line."""
    app = web.Application()
    app[KEY] = sys.stdin.readline().strip()
    app.router.add_get("/v1/whoami", whoami)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key_file)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
