"""A gateway before a real API server: it passes on what is asked of it, less what a test spoils."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from integration_hub.adapters.kubeconfig import load
from integration_hub.devcluster import ControlPlaneInfo
from support.certificates import Authority


@dataclass
class Asked:
    """A request. What is changed in its query and its headers is passed on so."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


Spoil = Callable[[Asked], int | None]
"""Returns the status of an error to answer with, in place of what the API server would say."""


class Gateway:
    """Answers on loopback, with the rights of an administrator, whoever asks."""

    def __init__(self, info: ControlPlaneInfo, folder: Path, namespace: str, spoil: Spoil) -> None:
        """`kubeconfig` is a file in `folder` then; the namespace of its context is `namespace`."""
        self._upstream = load(info.kubeconfig)
        self._spoil = spoil
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        authority = Authority("gateway")
        tls = authority.issue("127.0.0.1").server_context()
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.kubeconfig = folder / "gateway"
        place = {
            "server": f"https://127.0.0.1:{self._server.server_port}",
            "certificate-authority-data": base64.b64encode(authority.pem.encode()).decode(),
        }
        context = {"cluster": "gateway", "user": "nobody", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "gateway", "cluster": place}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "gateway", "context": context}],
            "current-context": "gateway",
        }
        self.kubeconfig.write_text(json.dumps(config))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway._pass_on(self)

            do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                """Write nothing into the test's output."""

        return Handler

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        target = urlsplit(handler.path)
        kept = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
        asked = Asked(handler.command, target.path, dict(parse_qsl(target.query)), kept)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)) or None
        status = self._spoil(asked)
        if status is not None:
            words = {
                "kind": "Status",
                "status": "Failure",
                "message": "the gateway is broken",
                "code": status,
            }
            self._answer(handler, status, json.dumps(words).encode())
            return
        address = urlsplit(self._upstream.server)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=60, context=self._upstream.ssl_context
        )
        try:
            query = f"?{urlencode(asked.query)}" if asked.query else ""
            connection.request(asked.method, f"{asked.path}{query}", body, asked.headers)
            response = connection.getresponse()
            if "watch" in asked.query:
                self._stream(handler, response)
            else:
                self._answer(handler, response.status, response.read())
        except OSError:
            handler.close_connection = True  # one of the two has gone
        finally:
            connection.close()

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, content: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _stream(self, handler: BaseHTTPRequestHandler, response: http.client.HTTPResponse) -> None:
        """Pass on what comes as it comes; the end of the connection is the end of the answer."""
        handler.send_response(response.status)
        handler.end_headers()
        while piece := response.read1(65536):
            handler.wfile.write(piece)


def counted(number: int, status: int, is_meant: Callable[[Asked], Any]) -> Spoil:
    """Return what spoils only the request of that number, from 1 on, of those that are meant."""
    seen: list[Asked] = []

    def spoil(asked: Asked) -> int | None:
        if not is_meant(asked):
            return None
        seen.append(asked)
        return status if len(seen) == number else None

    return spoil
