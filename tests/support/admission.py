"""Whoever is asked by the API server before it writes: a real admission webhook, with which a test denies or delays."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from support.certificates import Authority


class Admission:
    """A webhook of one namespace for writes of one kind. What is only tried (dry run), it lets pass."""

    def __init__(self, namespace: str, resource: str, *, denies: bool = False) -> None:
        """`resource` is a plural with its group and version, as "v1/secrets"; without `denies`, it holds the writes."""
        self._namespace = namespace
        self._group, self._version, self._plural = _split(resource)
        self._denies = denies
        self.asked = threading.Event()
        """Set once a write is held, or was denied."""
        self.released = threading.Event()
        """To be set by the test: what is held goes on."""
        self._authority = Authority("Authority of a webhook")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = self._authority.issue("127.0.0.1").server_context()
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    @property
    def manifest(self) -> dict[str, Any]:
        """What makes the API server ask."""
        rule = {
            "apiGroups": [self._group], "apiVersions": [self._version], "resources": [self._plural],
            "operations": ["CREATE", "UPDATE"],
        }  # fmt: skip
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": f"{self._namespace}-{self._plural}"},
            "webhooks": [
                {
                    "name": "held.tests.example.com",
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{self._server.server_address[1]}/",
                        "caBundle": _encoded(self._authority.pem),
                    },
                    "rules": [rule],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self._namespace}},
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 20,
                }
            ],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        admission = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
                body = json.dumps(admission.review(request)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def review(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one request of the API server."""
        allowed = True
        if not request["dryRun"]:
            self.asked.set()
            allowed = not self._denies
            if allowed:
                self.released.wait(20)
        response: dict[str, Any] = {"uid": request["uid"], "allowed": allowed}
        if not allowed:
            response["status"] = {"code": 403, "message": "not in this house"}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _split(resource: str) -> tuple[str, str, str]:
    *group, version, plural = resource.split("/")
    return "/".join(group), version, plural


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
