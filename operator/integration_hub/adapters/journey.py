"""What an exchange finds on its way, noted at the places where it happens. No I/O.

Lookups, sockets and TLS are done by libraries that know nothing of our requests, partly in tasks and callbacks of
their own. They reach the journey of the request that they work for through a context variable: tasks and callbacks
get copies of the context, and all copies hold the same journey.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic

from integration_hub.model.http import Certificate, Transport

MAX_ADDRESSES = 10


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection; remembered as long as the connection lives."""

    addresses: tuple[str, ...] = ()
    address: str = ""
    tls_version: str = ""
    certificate: Certificate | None = None


NOBODY = Peer()


class Journey:
    """How far one exchange has got, and when. Times are of the monotonic clock, None for what has not happened."""

    # Defaults of the class, because most journeys get a connection that is there already and set three of these.
    tls: ssl.SSLObject | None = None
    """The handshake under way, or the one that failed."""
    peer = NOBODY
    is_named = False
    """Whether the host is a name, which has to be looked up, and not an address."""
    reused = False
    received: int | None = None
    _began = 0.0
    _looked_up: float | None = None
    _connecting: float | None = None
    _shaking_hands: float | None = None
    _connected: float | None = None
    _sockets: tuple[socket.socket, ...] = ()

    def begins(self) -> None:
        """Start from the beginning, which happens again where a pooled connection turned out to be closed."""
        if self._connected is not None:
            vars(self).clear()
        self._began = monotonic()

    def tries(self, made: socket.socket) -> None:
        """Note that this socket is about to connect; several may be tried at once, or one after the other."""
        now = monotonic()
        if self._looked_up is None:
            self._looked_up = now
        if self._connecting is None or self._shaking_hands is not None:
            # The first one, or the first after a handshake that failed: that address is given up.
            self._connecting, self._shaking_hands, self.tls = now, None, None
            self._sockets = ()
        self._sockets += (made,)

    def begins_tls(self, tls: ssl.SSLObject) -> None:
        """Note that TCP is connected, and to which address."""
        self._shaking_hands = monotonic()
        self.tls = tls
        self.peer = Peer(address=_connected_address(self._sockets))

    def goes_on(self, peer: Peer) -> None:
        """Note that the request goes out on a connection that was made for an earlier one."""
        self.reused = True
        self.peer = peer
        self._connected = monotonic()

    def arrives(self, peer: Peer) -> None:
        """Note that there is a new connection to send the request on."""
        self._connected = monotonic()
        self.peer = peer
        self.tls = None
        self._sockets = ()

    def fails_to_arrive(self, addresses: Sequence[str]) -> None:
        """Note what was known of the host when the attempt to connect ended."""
        self.peer = Peer(tuple(addresses[:MAX_ADDRESSES]), self.peer.address)
        self._sockets = ()

    @property
    def is_looking_up(self) -> bool:
        """Whether no address was tried yet."""
        return self._looked_up is None and self._connected is None

    @property
    def is_shaking_hands(self) -> bool:
        """Whether TCP is connected and TLS is not."""
        return self._shaking_hands is not None and self._connected is None

    @property
    def has_connected(self) -> bool:
        """Whether there was a connection to send the request on."""
        return self._connected is not None

    def ended(self, now: float) -> Transport:
        """Return what was found; a stage that was under way has lasted until now."""
        peer, connected = self.peer, self._connected
        if self.reused and connected is not None:
            return Transport(
                peer.addresses,
                peer.address,
                reused=True,
                request=now - connected,
                tls_version=peer.tls_version,
                certificate=peer.certificate,
                received=self.received,
            )
        arrived = now if connected is None else connected
        looked_up, connecting, shaking_hands = self._looked_up, self._connecting, self._shaking_hands
        self.tls = None  # contexts, and so journeys, live as long as the connections that were made in them
        return Transport(
            peer.addresses,
            peer.address,
            dns=_between(self._began, looked_up or arrived) if self.is_named else None,
            connect=_between(connecting, shaking_hands or arrived),
            tls=_between(shaking_hands, arrived),
            request=_between(connected, now),
            tls_version=peer.tls_version,
            certificate=peer.certificate,
            received=self.received,
        )


UNDER_WAY: ContextVar[Journey | None] = ContextVar("journey", default=None)
"""The journey of the request that is being sent."""


def _between(start: float | None, end: float) -> float | None:
    return None if start is None else end - start


def _connected_address(sockets: Sequence[socket.socket]) -> str:
    """Return the address that was reached: of sockets that race each other, all but the first one are closed."""
    for made in sockets:
        try:
            return str(made.getpeername()[0])
        except OSError:
            continue
    return ""
