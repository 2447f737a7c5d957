"""The external system of the benchmark: a small HTTPS server that knows one API key, which is a client's secret, too.

Runs as a process of its own.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import sys

import uvloop
from aiohttp import encode_basic_auth, web


async def whoami(request: web.Request) -> web.Response:
    """Say who the key or token belongs to, or 401."""
    known = request.app[TOKENS]
    if request.headers.get("Authorization", "").removeprefix("Bearer ") not in known:
        return web.json_response({"error": "unauthorized"}, status=401)
    return web.json_response({"user": {"login": "benchmark"}})


async def token(request: web.Request) -> web.Response:
    """Give the client a token of its own (RFC 6749 section 4.4), or 401."""
    given = request.headers.get("Authorization", "")
    if given != encode_basic_auth("benchmark", request.app[KEY]):
        return web.json_response({"error": "invalid_client"}, status=401)
    made = secrets.token_urlsafe(32)
    request.app[TOKENS].add(made)
    return web.json_response({"access_token": made, "token_type": "Bearer", "expires_in": 3600})


KEY = web.AppKey("KEY", str)
TOKENS = web.AppKey("TOKENS", set[str])


async def main(port: int, certificate: str, key_file: str) -> None:
    """Serve on loopback until killed. The API key comes from standard input, never from the command line."""
    app = web.Application()
    app[KEY] = sys.stdin.readline().strip()
    app[TOKENS] = {app[KEY]}
    app.router.add_get("/v1/whoami", whoami)
    app.router.add_post("/token", token)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key_file)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
