"""The simulated vendor as an HTTPS server on loopback, with a certificate of an authority that is made for the run."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from integration_hub.adapters.egress import Detour, parse_detours
from integration_hub.adapters.issuing import Leaf, Pair, certificate_pem, make_ca, make_leaf, private_pem
from integration_hub.simulation.asked import Asked
from integration_hub.simulation.scene import Scene

LIFE = timedelta(days=2)
"""Of the certificate. A case may look some hours ahead, and the machine's clock is what certificates go by."""
LOOPBACK = "127.0.0.1"
_HTTPS = 443


class SimulatedVendor:
    """Answers at all hosts of one vendor file, as the scene says that is on. In use as an async context manager."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """`hosts` are those of the vendor file, perhaps with a port, '*.' for all below one."""
        self._hosts = tuple(dict.fromkeys(hosts))
        self._runner: web.ServerRunner | None = None
        self._port = 0
        self._authority: Pair | None = None
        self.authority = ""
        """The certificate of the authority, as PEM."""
        self.scene: Scene | None = None
        """What is played now."""

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0, ssl_context=self._context()).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def client_pair(self) -> tuple[str, str]:
        """Return a new certificate for a client that the authority has signed, and its private key, as PEM."""
        if self._authority is None:
            raise ValueError("there is an authority once the server listens")
        leaf = Leaf("client", "A client", ExtendedKeyUsageOID.CLIENT_AUTH)
        certificate, key = make_leaf(leaf, self._authority, datetime.now(UTC), LIFE)
        return certificate_pem(certificate).decode("ascii"), private_pem(key).decode("ascii")

    def detours(self) -> tuple[Detour, ...]:
        """Return what leads connections to the vendor's hosts here."""
        return parse_detours(
            f"{host if _has_port(host) else f'{host}:{_HTTPS}'}={LOOPBACK}:{self._port}"
            for host in self._hosts
        )

    def _context(self) -> ssl.SSLContext:
        now = datetime.now(UTC)
        authority = self._authority = make_ca("Authority of a simulated vendor", now, LIFE)
        names = [x509.DNSName(host.partition(":")[0]) for host in self._hosts]
        leaf = Leaf(
            "vendor", "Simulated vendor", ExtendedKeyUsageOID.SERVER_AUTH, alternative_names=tuple(names)
        )
        certificate, key = make_leaf(leaf, authority, now, LIFE)
        self.authority = certificate_pem(authority[0]).decode("ascii")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Python reads them from a file only; it is gone before anybody is answered.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "vendor.pem")
            path.touch(mode=0o600)
            path.write_bytes(private_pem(key) + certificate_pem(certificate))
            context.load_cert_chain(path)
        # Whoever has a certificate may show it; whether it is wanted, the vendor file says.
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority)
        return context

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if self.scene is None:
            return web.Response(status=503)
        asked = Asked(
            method=request.method,
            host=request.headers.get("Host", "").lower().removesuffix(f":{_HTTPS}"),
            path=request.raw_path.partition("?")[0],
            query=request.raw_path.partition("?")[2],
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            certificate=_shown(request),
        )
        answered = self.scene.answer(asked)
        response = web.Response(status=answered.status, body=answered.body)
        with suppress(KeyError):
            del response.headers["Content-Type"]
        for name, value in answered.headers.items():
            response.headers[name] = value
        return response


def _shown(request: web.BaseRequest) -> bytes | None:
    """Return the certificate that the client has shown, as DER."""
    tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    shown: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None
    return shown


def _has_port(host: str) -> bool:
    return ":" in host
