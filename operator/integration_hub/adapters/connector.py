"""Makes and keeps connections, as aiohttp does, and tells each journey which one it got and who is at the other end."""

from __future__ import annotations

from functools import partial
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from integration_hub.adapters.certificate import read_certificate
from integration_hub.adapters.egress import CheckedResolver, EgressPolicy, checked_socket, is_address
from integration_hub.adapters.journey import MAX_ADDRESSES, NOBODY, UNDER_WAY, Peer

KEEPALIVE_SECONDS = 15.0


class WatchedConnector(aiohttp.TCPConnector):
    """A connector whose every socket the policy allows. What it finds is noted in the journey that is under way.

    aiohttp's tracing would tell less, since it sees connecting and TLS as one, and cost more: objects and calls for
    each request, most of which get a connection that is there already.
    """

    def __init__(self, policy: EgressPolicy, resolver: CheckedResolver, *, pooled: bool) -> None:
        super().__init__(
            resolver=resolver,
            socket_factory=partial(checked_socket, policy),
            limit=0,  # the client limits, outside of the time that a request has
            # aiohttp takes no keepalive timeout together with force_close
            **({"keepalive_timeout": KEEPALIVE_SECONDS} if pooled else {"force_close": True}),
        )
        self._names = resolver
        self._peers: WeakKeyDictionary[object, Peer] = WeakKeyDictionary()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        """Return a connection from the pool, or a new one."""
        journey = UNDER_WAY.get()
        if journey is None:
            return await super().connect(req, traces, timeout)
        journey.begins()
        host = req.url.raw_host or ""
        try:
            connection = await super().connect(req, traces, timeout)
        except BaseException:
            journey.is_named = not is_address(host)
            journey.fails_to_arrive(self._names.known(host))
            raise
        peer = self._peers.get(connection.protocol)
        if peer is None:
            journey.is_named = not is_address(host)
            journey.arrives(self._meet(connection, host))
        else:
            journey.goes_on(peer)
        return connection

    def _meet(self, connection: Connection, host: str) -> Peer:
        transport = connection.transport
        if transport is None:
            return NOBODY  # it is gone already; sending will say so
        tls = transport.get_extra_info("ssl_object")
        address = transport.get_extra_info("peername")
        peer = self._peers[connection.protocol] = Peer(
            self._names.known(host)[:MAX_ADDRESSES],
            str(address[0]) if address else "",
            (tls and tls.version()) or "",
            read_certificate(tls.getpeercert(binary_form=True)) if tls else None,
        )
        return peer
