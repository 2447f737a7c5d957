"""Where requests may go: hosts that a definition names, at addresses that the operator's policy allows.

Two independent gates. `HostRule` reads names, before anything is looked up. `EgressPolicy` reads addresses:
all that a name resolves to (`CheckedResolver`), and the one that a socket is made for (`checked_socket`),
which covers addresses in URLs too. Every socket is made there, so there is no way around it, and a pooled
connection costs nothing. A `Detour` of the policy takes the place of looking a name up, and of no gate.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic
from typing import Any
from weakref import WeakValueDictionary

import idna
from aiohttp.abc import AbstractResolver, ResolveResult

from integration_hub.adapters.journey import UNDER_WAY
from integration_hub.config.hosts import owned_domain

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
GetAddrInfo = Callable[..., list[Any]]
"""The signature of `socket.getaddrinfo`, so that a test can say what a name resolves to."""

DEFAULT_PORTS = {"https": 443, "http": 80}

_SPECIAL: dict[int, tuple[tuple[Network, str], ...]] = {
    version: tuple(
        (network, words) for text, words in rows if (network := ip_network(text)).version == version
    )
    for version, rows in (
        (
            4,
            (
                ("169.254.169.254/32", "the address of the cloud's metadata service"),
                ("168.63.129.16/32", "the address of the cloud's platform service"),
                ("0.0.0.0/8", "an unspecified address"),
                ("10.0.0.0/8", "a private address"),
                ("100.64.0.0/10", "a carrier-grade NAT address"),
                ("127.0.0.0/8", "a loopback address"),
                ("169.254.0.0/16", "a link-local address"),
                ("172.16.0.0/12", "a private address"),
                ("192.0.0.0/24", "a reserved address"),
                ("192.0.2.0/24", "a documentation address"),
                ("192.88.99.0/24", "a 6to4 relay address"),
                ("192.168.0.0/16", "a private address"),
                ("198.18.0.0/15", "a benchmarking address"),
                ("198.51.100.0/24", "a documentation address"),
                ("203.0.113.0/24", "a documentation address"),
                ("224.0.0.0/4", "a multicast address"),
                ("240.0.0.0/4", "a reserved address"),
            ),
        ),
        (
            6,
            (
                ("::/128", "the unspecified address"),
                ("::1/128", "a loopback address"),
                ("::ffff:0:0/96", "an IPv4-mapped address"),
                ("64:ff9b:1::/48", "a local NAT64 address"),
                ("2001::/32", "a Teredo address"),
                ("2001:db8::/32", "a documentation address"),
                ("2002::/16", "a 6to4 address"),
                ("3fff::/20", "a documentation address"),
                ("fc00::/7", "a unique local address"),
                ("fe80::/10", "a link-local address"),
                ("ff00::/8", "a multicast address"),
            ),
        ),
    )
}
"""What must not be reached, in words. A list of our own, because what `ipaddress` calls global differs
between versions of Python."""

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")


class AddressRefusedError(Exception):
    """The policy forbids an address. The message is `EgressPolicy.refusal`'s, and safe to show."""


@dataclass(frozen=True, slots=True)
class Detour:
    """Connections to a host go to another address, as with curl's --connect-to.

    Only the connection: requests, TLS and the name that a certificate must be for are those of the host, and the
    address must be one that the policy allows.
    """

    host: str
    """Normalised; of a wildcard the part below which every name goes there."""
    port: int
    address: str
    """Where connections go: an address, no name."""
    address_port: int
    below: bool = False
    """Whether it is names below `host` that are meant, rather than `host`."""

    @classmethod
    def parse(cls, text: str) -> Detour:
        """Read 'HOST:PORT=ADDRESS:PORT', like 'api.example.com:443=10.0.0.7:8443'; HOST may be '*.example.com'.

        Raises:
            ValueError: the text is not so; the message says why.

        """
        match = _DETOUR.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not written HOST:PORT=ADDRESS:PORT, like 'api.example.com:443=10.0.0.7:8443'"
            )
        try:
            host, address = normalise_host(match["host"]), normalise_host(match["address"])
        except ValueError:
            raise ValueError(f"{text!r} does not name a host or an address in its usual spelling") from None
        if is_address(host):
            raise ValueError(f"{text!r} begins with an address: what is to be reached elsewhere is a name")
        if not is_address(address):
            raise ValueError(f"{text!r} leads to a name: write its address, since no name is looked up here")
        ports = int(match["port"]), int(match["address_port"])
        if not all(0 < port <= _MAX_PORT for port in ports):
            raise ValueError(f"{text!r} has no port between 1 and {_MAX_PORT}")
        return cls(host, ports[0], address, ports[1], below=match["below"] is not None)

    def applies(self, host: str, port: int) -> bool:
        """Tell whether connections to a normalised host and port go there."""
        return port == self.port and (host.endswith(f".{self.host}") if self.below else host == self.host)


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The operator's own rule, which no definition can widen."""

    allowed_cidrs: tuple[Network, ...] = ()
    allow_http: bool = False
    detours: tuple[Detour, ...] = ()
    """Where connections go instead; the first that applies counts."""
    only_detours: bool = False
    """Whether nothing is connected to but the addresses of detours, each at its port."""

    def detour(self, host: str, port: int) -> Detour | None:
        """Return where connections to a host go instead, None where they go to the host."""
        return next((detour for detour in self.detours if detour.applies(host, port)), None)

    def port_at_address(self, host: str, port: int) -> int:
        """Return the port at the address that connections to a host and port go to."""
        detour = self.detour(host, port)
        return port if detour is None else detour.address_port

    def refusal(self, address: Address) -> str | None:
        """Return why an address must not be reached, like '10.0.0.1 is a private address', or None."""
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return f"{address} has a zone"
        embedded = _embedded(address)
        if any(address in network or embedded in network for network in self.allowed_cidrs):
            return None
        # A NAT64 gateway connects to the embedded address, so that is the one to judge: in a cluster without
        # IPv4 every public IPv4 host has such an address. Nothing needs the other transitional forms today.
        judged = embedded if address in _NAT64 else address
        for network, words in _SPECIAL[judged.version]:
            if judged in network:
                return f"{address} is {words}"
        if not judged.is_global or (isinstance(judged, IPv6Address) and judged not in _GLOBAL_UNICAST):
            return f"{address} is a reserved address"
        return None

    def refusal_at(self, address: Address, port: int) -> str | None:
        """Return why no connection may be made to an address and port, or None."""
        refusal = self.refusal(address)
        if refusal is not None or not self.only_detours:
            return refusal
        # Of an IPv6 address it is this one that counts, and not the IPv4 address in it: a gateway takes that elsewhere.
        if any((ip_address(each.address), each.address_port) == (address, port) for each in self.detours):
            return None
        return f"{address} is no address that connections are led to"


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that a mapped or NAT64 address stands for, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def parse_detours(values: Iterable[str]) -> tuple[Detour, ...]:
    """Read the detours of the operator's configuration.

    Raises:
        ValueError: a value is not one; the message says which, and how it is written.

    """
    return tuple(Detour.parse(value) for value in values)


def parse_cidrs(values: Iterable[str]) -> tuple[Network, ...]:
    """Read the networks of the operator's configuration; a bare address is a network of one.

    Raises:
        ValueError: a value is not a network; the message says which, and what was probably meant.

    """
    networks: list[Network] = []
    for value in values:
        text = value.strip()
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                f"{text!r} is not a network: write one like '10.0.0.0/8' or 'fd00::/8'"
            ) from None
        if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
            raise ValueError(
                f"{text!r} has bits set below its prefix: write '{network}', or the address without a prefix"
            )
        if "/" not in text and int(network.network_address) & 0xFF == 0:
            raise ValueError(
                f"{text!r} is one address, and looks like a network without its prefix: write one like"
                f" '{text}/{24 if isinstance(network, IPv4Network) else 64}', or '{network}' for the address alone"
            )
        networks.append(network)
    return tuple(networks)


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_HOST = 253


@lru_cache(maxsize=4096)
def normalise_host(text: str) -> str:
    """Return the one spelling of a host: lower case, ASCII, canonical addresses, no trailing dot or brackets.

    Spellings of an IPv4 address that only `inet_aton` reads ('2130706433', '0x7f.1', '0177.0.0.1', '127.1')
    are refused rather than read: nobody needs them, and programs disagree about them.

    Raises:
        ValueError: the text is not a host.

    """
    if text.startswith("["):
        if not text.endswith("]") or "%" in text:
            raise ValueError("not an IPv6 address in brackets, without a zone")
        return IPv6Address(text[1:-1]).compressed
    host = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return IPv4Address(host).compressed
    if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("not a host name")
    return host


_RULE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<below>\*\.)?"
    r"(?P<host>\[[^\[\]]*\]|[^\[\]:/@*?#\s]+)(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_PORT = 65535
_DETOUR = re.compile(
    r"(?P<below>\*\.)?(?P<host>[^\[\]:/@*?#\s=]+):(?P<port>[0-9]{1,5})"
    r"=(?P<address>\[[^\[\]]*\]|[^\[\]:/@*?#\s=]+):(?P<address_port>[0-9]{1,5})"
)


@dataclass(frozen=True, slots=True)
class HostRule:
    """One entry of a definition's `allowedHosts`, after its template was rendered."""

    scheme: str
    host: str
    """Normalised; of a wildcard the part below which every name is allowed."""
    port: int
    below: bool = False
    """Whether it is names below `host` that are allowed, rather than `host`."""

    @classmethod
    def parse(cls, text: str) -> HostRule:
        """Read an entry: a host, a port if it is not the scheme's, and 'http://' before it if not https.

        For instance 'api.example.com', '*.example.com:8443', 'http://127.0.0.1:8080', '[::1]:8443'.

        Raises:
            ValueError: the text is not such an entry; the message says why.

        """
        match = _RULE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is not a host: write it like 'api.example.com', '*.example.com', 'a.example:8443'"
            )
        scheme = match["scheme"] or "https"
        port = int(match["port"]) if match["port"] else DEFAULT_PORTS[scheme]
        if not 0 < port <= _MAX_PORT:
            raise ValueError(f"{text!r} has no port between 1 and {_MAX_PORT}")
        try:
            host = normalise_host(match["host"])
        except ValueError:
            raise ValueError(f"{text!r} does not name a host or an address in its usual spelling") from None
        below = match["below"] is not None
        if below and ("." not in host or is_address(host)):
            raise ValueError(
                f"{text!r} allows too much: name the domain below the top one, like '*.example.com'"
            )
        return cls(scheme, host, port, below)

    def allows(self, scheme: str, host: str, port: int) -> bool:
        """Tell whether a request may go there. The host may be written in any spelling."""
        if scheme != self.scheme or port != self.port:
            return False
        try:
            host = normalise_host(f"[{host}]" if ":" in host and not host.startswith("[") else host)
        except ValueError:
            return False
        return host.endswith(f".{self.host}") if self.below else host == self.host


def is_address(host: str) -> bool:
    """Tell whether a normalised host is an address, not a name: no name may end in a number."""
    return ":" in host or _NUMERIC.fullmatch(host.rpartition(".")[2]) is not None


class LookupTimeoutError(socket.gaierror):
    """The name servers did not answer in time."""


class CheckedResolver(AbstractResolver):
    """Looks names up and answers only when the policy allows every address of a name.

    One forbidden address spoils all: a name with public and private addresses at once is how DNS rebinding
    looks. The connector connects to exactly the addresses returned here: nothing can change between check and
    use.
    """

    # A lookup blocks a thread for as long as the C library retries. The threads are our own, so that dead
    # name servers cannot starve others of the loop's, and enough for other names to get through meanwhile.
    THREADS = 32
    SHARE = 8
    """How many of them look up names of one domain: where its name servers are silent, each keeps its thread for long
    after its time, and whoever has many such names would leave none to others."""
    KNOWN = 4096
    """How many names' addresses are remembered, to be told; what is connected to comes from no memory of ours."""
    SHORTEST_TIMEOUT = 0.9
    """A C library says that it has no answer when name servers fail as well as when they are silent. It counts its
    patience in whole seconds, so that what it says before is never about silence."""

    def __init__(
        self, policy: EgressPolicy, *, timeout: float = 3.0, getaddrinfo: GetAddrInfo = socket.getaddrinfo
    ) -> None:
        self._policy = policy
        self._timeout = timeout
        self._getaddrinfo = getaddrinfo
        self._threads = ThreadPoolExecutor(self.THREADS, thread_name_prefix="dns")
        self._known: dict[str, tuple[str, ...]] = {}
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Of each domain that is being looked up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: the lookup failed, as `socket.gaierror`; as `LookupTimeoutError` when it took too long.
            AddressRefusedError: the policy forbids an address.

        """
        self._known.pop(host, None)
        detour = self._policy.detour(host, port)
        if detour is not None:
            self._remember(host, [detour.address])
            _check(self._policy, detour.address)
            return [_result(host, detour.address, detour.address_port, _family(detour.address))]
        started = monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                infos = await self._look_up(host, port, family)
        except TimeoutError as error:
            raise LookupTimeoutError(socket.EAI_AGAIN, "timed out") from error
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN and monotonic() - started >= self.SHORTEST_TIMEOUT:
                raise LookupTimeoutError(socket.EAI_AGAIN, "timed out") from error
            raise
        self._remember(host, [info[4][0] for info in infos])
        # In an order of their own: name servers turn the addresses round, and a refusal names the first one of them.
        for address in sorted(info[4][0] for info in infos):
            _check(self._policy, address)
        results = [
            _result(host, sockaddr[0], port, found_family, proto)
            for found_family, _, proto, _, sockaddr in infos
        ]
        if not results:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return results

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[Any]:
        """Wait for a thread of the domain's share, and for what it finds."""
        loop = asyncio.get_running_loop()
        share = self._shares.setdefault(owned_domain(host) or host, asyncio.Semaphore(self.SHARE))
        await share.acquire()

        def ended(_: object) -> None:
            # The thread has ended, which may be long after whoever waited for it.
            with suppress(RuntimeError):  # even after the loop
                loop.call_soon_threadsafe(share.release)

        lookup = self._threads.submit(self._getaddrinfo, host, port, family, socket.SOCK_STREAM)
        lookup.add_done_callback(ended)
        return await asyncio.wrap_future(lookup)

    def known(self, host: str) -> tuple[str, ...]:
        """Return the addresses that the name had when it was last looked up, forbidden ones too; none if that failed.

        An address is its own only one.
        """
        return (host,) if is_address(host) else self._known.get(host, ())

    def _remember(self, host: str, addresses: Iterable[str]) -> None:
        if len(self._known) >= self.KNOWN:
            del self._known[next(iter(self._known))]
        self._known[host] = tuple(dict.fromkeys(addresses))

    async def close(self) -> None:
        """Let go of the threads; a lookup that is still under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _result(host: str, address: str, port: int, family: int, proto: int = 0) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=family,
        proto=proto,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def checked_socket(policy: EgressPolicy, info: AddressInfo) -> socket.socket:
    """Make the socket for one address, or none at all.

    Raises:
        AddressRefusedError: the policy forbids the address.

    """
    family, kind, proto, _, sockaddr = info
    _raise(policy.refusal_at(ip_address(sockaddr[0]), sockaddr[1]))
    made = socket.socket(family, kind, proto)
    journey = UNDER_WAY.get()
    if journey is not None:
        journey.tries(made)
    return made


def _check(policy: EgressPolicy, address: str) -> None:
    _raise(policy.refusal(ip_address(address)))


def _raise(refusal: str | None) -> None:
    if refusal is not None:
        raise AddressRefusedError(refusal)
