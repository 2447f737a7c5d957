"""A simulated vendor of the catalog as a standing server, for commands that run in processes of their own."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from integration_hub.adapters import shipped
from integration_hub.catalog.loader import read_object
from integration_hub.catalog.vendor import Case, Vendor
from integration_hub.catalog.vendor_rules import read_vendor
from integration_hub.simulation.scene import Scene
from integration_hub.simulation.server import LOOPBACK, SimulatedVendor


class StandingVendor:
    """The server, in a thread of its own. What it plays is chosen by `play`."""

    def __init__(self, name: str, folder: Path) -> None:
        """`folder` takes the certificate of the server's authority."""
        text = shipped.vendor_text(name)
        assert text is not None
        vendor = read_vendor(read_object(text))
        assert isinstance(vendor, Vendor)
        self.vendor = vendor
        self.authority_file = folder / "authority.pem"
        self._server = SimulatedVendor(vendor.hosts)
        self._thread = threading.Thread(target=self._run, name=f"vendor-{name}", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30), "the simulated vendor did not start"
        self.authority_file.write_text(self._server.authority, encoding="ascii")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    def play(self, method: str, case: str | None = None, *, redirect_uri: str = "") -> Scene:
        """Play a case with an auth method from now on, the first good one where none is named; return its scene.

        The scene has the good Secret (`scene.secret()`) and configuration, and afterwards what was asked for that the
        vendor does not know (`scene.notes`).
        """
        chosen: Case = next(
            one
            for one in self.vendor.cases
            if method in (one.methods or [method])
            and (one.kind == "good" if case is None else one.name == case)
        )
        self._server.scene = Scene(
            self.vendor,
            method,
            chosen,
            lambda: datetime.now(UTC),
            authority=self._server.authority,
            redirect_uri=redirect_uri,
            sign=self._server.client_pair,
        )
        return self._server.scene

    def flags(self) -> list[str]:
        """Return the flags of `hub run` and `hub test` that lead to it."""
        words = ["--allow-cidr", f"{LOOPBACK}/32"]
        for detour in self._server.detours():
            host = f"*.{detour.host}" if detour.below else detour.host
            words += ["--connect-to", f"{host}:{detour.port}={detour.address}:{detour.address_port}"]
        return words

    def environment(self) -> dict[str, str]:
        """Return what makes a process trust it, as a system's administrator would."""
        return {"SSL_CERT_FILE": str(self.authority_file)}

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._server:
            self._started.set()
            await self._end.wait()
            await asyncio.sleep(0.1)  # TLS connections say goodbye before they close
