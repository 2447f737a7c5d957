"""Ask the API server whether it is there. Only that: the rest is a Kubernetes client's work."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from integration_hub.devcluster.paths import Home

_TIMEOUT = 5.0

# "Ready" means that what a person does next works, in `default` and as a service account too.
_SERVER_PATHS = ("/readyz", "/api/v1/namespaces/default")
_CONTROLLER_PATHS = ("/api/v1/namespaces/default/serviceaccounts/default",)


def is_ready(home: Home, port: int, *, controllers: bool) -> bool:
    """Whether the server on `port` answers, is ours, and `controllers`, if any, have furnished `default`."""
    paths = _SERVER_PATHS + (_CONTROLLER_PATHS if controllers else ())
    return all(_get(home, port, path) is not None for path in paths)


def version_of_server(home: Home, port: int) -> str:
    """Return the server's version, such as `v1.36.3`; empty if it does not answer."""
    body = _get(home, port, "/version")
    if body is None:
        return ""
    answer: dict[str, Any] = json.loads(body)
    return str(answer.get("gitVersion", ""))


def _get(home: Home, port: int, path: str) -> bytes | None:
    """Return the body of a successful answer, else None. A foreign server on the port fails the handshake."""
    try:
        trust = ssl.create_default_context(cafile=str(home.ca_file))
        trust.load_cert_chain(home.pki / "admin.crt", home.pki / "admin.key")
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT, context=trust)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None
    return body if answer.status == http.client.OK else None
