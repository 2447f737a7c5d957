"""What `hub keys` repeats of others' words."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from integration_hub.cli.keys.command import keys
from support.certificates import Authority


class _Hostile(BaseHTTPRequestHandler):
    """An API server, or what stands before one, that would like to steer the terminal."""

    def do_GET(self) -> None:
        body = json.dumps(
            {"kind": "Status", "reason": "InternalError", "message": "\x1b]0;pwned\x07\x1b[2J"}
        ).encode()
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing into the test's output."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        authority = Authority("cluster")
        server.socket = (
            authority.issue("127.0.0.1").server_context().wrap_socket(server.socket, server_side=True)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = {
            "server": f"https://127.0.0.1:{server.server_port}",
            "certificate-authority-data": base64.b64encode(authority.pem.encode()).decode(),
        }
        cluster = {"name": "c", "cluster": place}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {}}
        path = tmp_path / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "clusters": [cluster],
                    "contexts": [context],
                    "users": [user],
                }
            )
        )
        yield path
        server.shutdown()


def test_what_an_api_server_says_steers_no_terminal(kubeconfig: Path) -> None:
    result = CliRunner().invoke(keys, ["list", "--kubeconfig", str(kubeconfig)])
    assert result.exit_code == 1
    assert "failed: " in result.stderr
    assert "pwned" in result.stderr
    assert all(sign.isprintable() or sign == "\n" for sign in result.output)
