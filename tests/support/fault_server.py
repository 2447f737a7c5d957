"""Servers that misbehave on purpose, over real sockets on 127.0.0.1. Each keeps count of what reached it.

A behaviour is a coroutine that is given one accepted connection. What it leaves open is closed for it.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

Behaviour = Callable[["Connection"], Awaitable[None]]


class Connection:
    """One accepted connection, TLS already done."""

    def __init__(
        self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes | None:
        """Read one request, body included; None when the client has closed."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        whole = head + await self._reader.readexactly(length)
        self._server.requests.append(whole)
        self._server.asked.set()
        return whole

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        self._writer.transport.abort()


class FaultServer:
    """A server with one behaviour, by default on a free port."""

    def __init__(
        self,
        behaviour: Behaviour,
        context: ssl.SSLContext | None = None,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.connections = 0
        """How many were accepted and, with TLS, completed the handshake."""
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        """Set when there is a request."""
        self.port = port
        self._address = address
        self._behaviour = behaviour
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._address, self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._behaviour(Connection(self, reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client had enough, or the test has
        finally:
            self._tasks.discard(task)
            writer.close()


def response(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))
    return head.encode("utf-8") + b"\r\n\r\n" + body


def answering(data: bytes) -> Behaviour:
    """Answer each request of a connection with the same bytes."""

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(data)

    return behave


def answering_then_closing(data: bytes) -> Behaviour:
    """Answer one request with the same bytes, then close."""

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)

    return behave


async def closing_on_second_request(connection: Connection) -> None:
    """Do what a server does whose patience with an idle connection ends just as the next request arrives."""
    if await connection.request() is not None:
        await connection.send(response())
        await connection.request()


async def closing_at_once(connection: Connection) -> None:
    await connection.request()


async def resetting(connection: Connection) -> None:
    await connection.request()
    connection.reset()


async def silent(connection: Connection) -> None:
    """Take the request and never answer."""
    await connection.request()
    await asyncio.Event().wait()


async def dripping(connection: Connection) -> None:
    """Answer one byte at a time, for ever, so that no single read takes long."""
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        await connection.send(b".")
        await asyncio.sleep(0.02)


async def flooding(connection: Connection) -> None:
    """Answer with a body that never ends, as fast as it is taken."""
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        await connection.send(b"." * 16384)


def gzip_bomb(size: int) -> bytes:
    """A whole answer that is small on the wire and `size` bytes when decoded."""
    return response(gzip.compress(bytes(size), 9), "Content-Encoding: gzip")


@contextmanager
def alerting_port(context: ssl.SSLContext) -> Iterator[int]:
    """A port whose TLS says why it refuses a handshake, as servers do; asyncio's own just hangs up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=_refuse_all, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _refuse_all(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with (
            connection,
            context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls,
        ):
            with suppress(ssl.SSLError):
                tls.do_handshake()
            tls.shutdown(socket.SHUT_WR)
            # Closing with unread data would reset the connection and lose the alert on its way.
            while tls.recv(4096):
                pass


@contextmanager
def slow_to_shake_hands(context: ssl.SSLContext, seconds: float) -> Iterator[int]:
    """A port that accepts at once, begins TLS after a while, and then answers each connection's request with {}."""

    def serve(connection: socket.socket) -> None:
        time.sleep(seconds)
        with context.wrap_socket(connection, server_side=True) as tls:
            if tls.recv(65536):
                tls.sendall(response())

    with _serving(serve) as port:
        yield port


@contextmanager
def shaking_hands_once(context: ssl.SSLContext) -> Iterator[int]:
    """A port that does TLS for its first connection and drops all others."""
    known: list[None] = []

    def serve(connection: socket.socket) -> None:
        if not known:
            known.append(None)
            context.wrap_socket(connection, server_side=True).close()

    with _serving(serve) as port:
        yield port


@contextmanager
def counting_ends(context: ssl.SSLContext) -> Iterator[tuple[int, list[None]]]:
    """A port that does TLS, never hangs up, and notes each connection that the other side has ended."""
    ends: list[None] = []

    def serve(connection: socket.socket) -> None:
        connection.settimeout(5)
        with (
            suppress(ssl.SSLError, ConnectionError),
            context.wrap_socket(connection, server_side=True) as tls,
        ):
            while tls.recv(65536):
                pass
        ends.append(None)

    with _serving(serve) as port:
        yield port, ends


@contextmanager
def _serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port that serves one connection after the other, in a thread, with what blocks."""

    def serve_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                serve(connection)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve_all)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def unused_port() -> Iterator[int]:
    """A port that refuses connections: it is bound, so nobody else gets it, and nothing listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port where the kernel accepts connections and nobody says a word: no TLS handshake ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: the kernel drops further attempts to connect, like a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers: list[socket.socket] = []
        try:
            for _ in range(8):
                filler = socket.socket()
                fillers.append(filler)
                filler.settimeout(0.2)
                try:
                    filler.connect(address)
                except TimeoutError:
                    break  # this one was dropped, so the next one will be
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()
