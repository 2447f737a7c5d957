"""A journey that somebody watches: a person at a terminal, who wants to see each stage as it ends. No I/O.

It is a kind of its own, so that the thousands of journeys that nobody watches pay nothing for it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from integration_hub.adapters.journey import MAX_ADDRESSES, Journey, Peer
from integration_hub.model.http import Transport

OnProgress = Callable[[Transport], None]
"""Is told what was found so far: times of stages that have ended, None for what is under way or to come."""


class ToldJourney(Journey):
    """Tells after each stage of the way to a host what is known by then."""

    def __init__(self, tell: OnProgress, addresses: Callable[[], tuple[str, ...]], *, named: bool) -> None:
        """`addresses` returns what the host's name resolved to, once that is known."""
        self._told = (tell, addresses, named)

    def begins(self) -> None:
        """Start from the beginning, watched by the same."""
        told = self._told
        super().begins()
        self._told = told

    def tries(self, made: socket.socket) -> None:
        """Note an attempt to connect; with the first one, the lookup has ended."""
        is_first = self.is_looking_up
        super().tries(made)
        if is_first:
            self._tell()

    def begins_tls(self, tls: ssl.SSLObject) -> None:
        """Note that TCP is connected."""
        super().begins_tls(tls)
        self._tell()

    def arrives(self, peer: Peer) -> None:
        """Note that there is a new connection."""
        super().arrives(peer)
        self._tell()

    def goes_on(self, peer: Peer) -> None:
        """Note that there was a connection already."""
        super().goes_on(peer)
        self._tell()

    def _tell(self) -> None:
        tell, addresses, named = self._told
        connected = self._connected
        peer = self.peer
        if self.reused:
            found = Transport(
                peer.addresses,
                peer.address,
                reused=True,
                tls_version=peer.tls_version,
                certificate=peer.certificate,
            )
        else:
            found = Transport(
                peer.addresses or addresses()[:MAX_ADDRESSES],
                peer.address,
                dns=_between(self._began, self._looked_up) if named else None,
                connect=_between(self._connecting, self._shaking_hands or connected),
                tls=_between(self._shaking_hands, connected),
                tls_version=peer.tls_version,
                certificate=peer.certificate,
            )
        tell(found)


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start
