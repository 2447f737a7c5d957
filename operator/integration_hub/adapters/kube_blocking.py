"""A client of the Kubernetes API for commands: one call after another on one connection, with the standard library.

The operator's client (`kube.py`) serves hundreds of calls at once; loading what it is made of takes longer than a whole
`hub get` may. A failed call raises ApiError, as there.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from integration_hub.adapters.kube_api import (
    CONNECT_SECONDS,
    ERROR_STATUS,
    PAGE,
    USER_AGENT,
    ApiError,
    Resource,
    answer_error,
    read_answer,
    status_error,
)
from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection

JSON = "application/json"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json"
"""Ask for the columns that the CRD names; a server that has none for a kind answers with the objects."""
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

WATCH_SECONDS = 300
"""After which a server is asked to end a watch; another follows."""
SILENT_SECONDS = WATCH_SECONDS + 30.0
"""After which a connection on which nothing arrives, not even a bookmark, is given up."""

_BUSY = 429
_TRIES = 6
_LONGEST_PAUSE = 2.0
_NO_ANSWER = (OSError, http.client.HTTPException, KubeconfigError)
"""All that can keep a call from getting an answer; the last: a credential plugin that fails."""

Raw = dict[str, Any]


class BlockingKube:
    """Calls of one API server."""

    def __init__(self, connection: KubeConnection, *, timeout: float = 30.0) -> None:
        """Open nothing yet. `timeout` is in seconds, per call."""
        self._connection = connection
        self._timeout = timeout
        address = urlsplit(connection.server)
        self._prefix = address.path.rstrip("/")  # of a server behind a gateway
        self._open: http.client.HTTPConnection | None = None

    @property
    def server(self) -> str:
        """The API server's address, for messages."""
        return self._connection.server

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def read(self, resource: Resource, namespace: str, name: str, *, accept: str = JSON) -> Raw:
        """Return an object as of now."""
        return self.call("GET", resource.path(namespace, name), accept=accept)

    def pages(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "",
    ) -> Iterator[Raw]:
        """Yield a list page by page, as the server answers. `query` may hold selectors."""
        asked = {"limit": str(PAGE), **(query or {})}
        form = accept or (METADATA_LIST if resource.metadata_only else JSON)
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = self.call("GET", resource.path(namespace), query=asked | more, accept=form)
            yield page
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def items(
        self, resource: Resource, namespace: str = "", *, query: Mapping[str, str] | None = None
    ) -> list[Raw]:
        """Return all objects of a list."""
        return [
            raw for page in self.pages(resource, namespace, query=query) for raw in page.get("items") or []
        ]

    def watch(
        self, path: str, query: Mapping[str, str], *, version: str, accept: str = JSON
    ) -> Iterator[Raw]:
        """Yield watch events from a resourceVersion on, bookmarks included, until the server ends the watch.

        ApiError 410 means that the version is too old: list again.
        """
        asked = {
            **query, "watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }  # fmt: skip
        connection = self._connect(SILENT_SECONDS)
        try:
            response = self._send(connection, "GET", path, asked, None, {"Accept": accept})
            if response.status >= ERROR_STATUS:
                raise _error(response, response.read())
            while line := response.readline():
                event = read_answer(line, "watch", path)
                if event["type"] == "ERROR":
                    raise status_error(event["object"])
                yield event
        except _NO_ANSWER as error:
            raise ApiError.unanswered(f"the watch of {path}", error) from error
        finally:
            connection.close()

    def merge(  # noqa: PLR0913
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        manager: str,
        dry: bool = False,
    ) -> Raw:
        """Change an object by JSON merge patch (RFC 7386) in a person's name, whatever version it has."""
        return self.call(
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": manager} | ({"dryRun": "All"} if dry else {}),
            body=patch,
            content_type=MERGE,
        )

    def call(  # noqa: PLR0913
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = JSON,
        content_type: str = JSON,
    ) -> Raw:
        """Make one call and return the object of its answer. A server that asks for patience is given some."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Accept": accept} | ({"Content-Type": content_type} if data is not None else {})
        for attempt in range(_TRIES):
            try:
                return read_answer(self._answer(method, path, query or {}, data, headers), method, path)
            except ApiError as error:
                if error.status != _BUSY or attempt == _TRIES - 1:
                    raise
                time.sleep(min(error.retry_after or 0.5, _LONGEST_PAUSE))
        raise AssertionError("the last attempt returns or raises")

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], data: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        is_old = self._open is not None
        if self._open is None:
            self._open = self._connect(self._timeout)
        try:
            response = self._send(self._open, method, path, query, data, headers)
            content = response.read()
        except _NO_ANSWER as error:
            self.close()
            if is_old and method == "GET" and isinstance(error, (ConnectionError, http.client.HTTPException)):
                return self._answer(method, path, query, data, headers)  # closed by the server while idle
            raise ApiError.unanswered(f"{method} {path}", error) from error
        except BaseException:
            self.close()  # in the middle of an answer, which the next call would take for its own
            raise
        if response.status >= ERROR_STATUS:
            raise _error(response, content)
        return content

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        address = urlsplit(self._connection.server)
        host = address.hostname or ""
        if address.scheme == "http":
            return http.client.HTTPConnection(host, address.port or 80, timeout=timeout)
        return _Connection(host, address.port or 443, self._connection, timeout)

    def _send(  # noqa: PLR0913, PLR0917
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str],
        data: bytes | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        token = self._connection.tokens.token()
        own = {"User-Agent": USER_AGENT} | ({"Authorization": f"Bearer {token}"} if token else {})
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        connection.request(method, target, body=data, headers={**headers, **own})
        return connection.getresponse()


class _Connection(http.client.HTTPSConnection):
    """HTTPS with a bound on connecting of its own, and the name that the kubeconfig may give the server."""

    def __init__(self, host: str, port: int, connection: KubeConnection, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout, context=connection.ssl_context)
        self._tls = connection.ssl_context
        self._name = connection.tls_server_name or host
        self._seconds = min(CONNECT_SECONDS, timeout)

    def connect(self) -> None:
        """Connect; what follows may take as long as the whole call."""
        raw = socket.create_connection((self.host, self.port), self._seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = self._tls.wrap_socket(raw, server_hostname=self._name)
        except BaseException:
            raw.close()
            raise
        self.sock.settimeout(self.timeout)


def _error(response: http.client.HTTPResponse, content: bytes) -> ApiError:
    return answer_error(response.status, response.reason, response.headers.get("Retry-After"), content)
