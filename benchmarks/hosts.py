"""External hosts, each with an address and a certificate of its own. They remember every request. A process of its own.

Standard input has a JSON object in each line: first the plan, then orders; each is answered by a line. The API key
comes with the plan, never on the command line. All times are of the machine's clock, which the benchmark reads as well.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import uvloop
from aiohttp import web

SYN, ACK = 0x02, 0x10


class Host:
    """One host: what it answers now, who knocks, and what it has seen."""

    def __init__(self, address: str, port: int, context: ssl.SSLContext, key: str, seconds: float) -> None:
        """`seconds` is what an answer takes."""
        self.address, self._port, self._context = address, port, context
        self._authorization, self._seconds = f"Bearer {key}", seconds
        self.status, self.headers = 200, dict[str, str]()
        self.requests: list[tuple[str, float, float, int]] = []
        """Account, when it arrived and was answered, with which status. Cancelled ones have status 0."""
        self.knocks: list[tuple[float, float]] = []
        """Attempts to connect while it was dead: from when to when."""
        self.counts_refused = True
        """Whether this process may see the connections that the kernel refuses."""
        self._in_flight = 0
        self.most_in_flight = 0
        self._runner: web.AppRunner | None = None
        self._undo: Callable[[], None] | None = None

    async def live(self) -> None:
        """Serve, as at the start."""
        if self._undo is not None:
            self._undo()
            self._undo = None
        app = web.Application()
        app.router.add_get("/v1/{account}/whoami", self._whoami)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self._port, ssl_context=self._context).start()

    async def die(self, how: str) -> None:
        """Close all connections. From now on connecting is refused, or ('hang') accepted and never answered."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if how == "hang":
            server = await asyncio.start_server(self._hold, self.address, self._port)
            self._undo = server.close
        else:
            self._undo = self._watch_refusals()

    async def _whoami(self, request: web.Request) -> web.Response:
        arrived = time.time()
        status = 0
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self._seconds)
            known = request.headers.get("Authorization") == self._authorization
            status = self.status if known else 401
            body = {"user": {"login": "benchmark"}} if status == 200 else {"error": "no"}
            return web.json_response(body, status=status, headers=self.headers)
        finally:
            self._in_flight -= 1
            self.requests.append((request.match_info["account"], arrived, time.time(), status))

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = time.time()
        try:
            while await reader.read(4096):
                pass
        except OSError:
            pass  # they give up as they like
        finally:
            self.knocks.append((came, time.time()))
            writer.close()

    def _watch_refusals(self) -> Callable[[], None]:
        """Count what the kernel refuses. No socket of the host's own sees that, and a raw one needs a right."""
        try:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        except PermissionError:
            self.counts_refused = False
            return lambda: None
        raw.settimeout(0)
        raw.bind((self.address, 0))  # only what is sent to this address
        loop = asyncio.get_running_loop()
        loop.add_reader(raw, self._read_raw, raw)

        def undo() -> None:
            loop.remove_reader(raw)
            self._read_raw(raw)
            raw.close()

        return undo

    def _read_raw(self, raw: socket.socket) -> None:
        """Read all packets that are there and count those that would open a connection."""
        while True:
            try:
                packet = raw.recv(128)
            except BlockingIOError:
                return
            tcp = packet[(packet[0] & 0x0F) * 4 :]
            if int.from_bytes(tcp[2:4]) == self._port and tcp[13] & (SYN | ACK) == SYN:
                now = time.time()
                self.knocks.append((now, now))

    def report(self) -> dict[str, Any]:
        """Return all that it has seen."""
        return {
            "requests": self.requests,
            "knocks": self.knocks,
            "most_in_flight": self.most_in_flight,
            "counts_refused": self.counts_refused,
        }


async def obey(hosts: Mapping[str, Host], order: Mapping[str, Any]) -> Any:
    """Do what an order says and return the answer to it."""
    match order["do"]:
        case "answer":
            host = hosts[order["address"]]
            host.status, host.headers = order["status"], order["headers"]
        case "die":
            await hosts[order["address"]].die(order["how"])
        case "live":
            await hosts[order["address"]].live()
        case "served":
            # How many accounts have had a good answer since then.
            return len(
                {
                    account
                    for host in hosts.values()
                    for account, _, answered, status in host.requests
                    if status == 200 and answered >= order["since"]
                }
            )
        case "report":
            return {address: host.report() for address, host in hosts.items()}
    return None


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    plan = json.loads(await lines.readline())
    hosts: dict[str, Host] = {}
    for address, certificate, key_file in plan["hosts"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key_file)
        host = Host(address, plan["port"], context, plan["key"], plan["seconds"])
        await host.live()
        hosts[address] = host
    print("ready", flush=True)
    while line := await lines.readline():
        answer = await obey(hosts, json.loads(line))
        print(json.dumps({"at": time.time(), "answer": answer}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
