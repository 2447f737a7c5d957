"""The operator's client of the Kubernetes API: few calls, straight on aiohttp and orjson (docs/decisions/0003).

Every call is bounded in time and in connections. A failed call raises ApiError; nothing here
retries, since the queue does.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import orjson

from integration_hub.adapters.kube_api import (
    CONNECT_SECONDS,
    DEFINITIONS,
    ERROR_STATUS,
    EVENTS,
    FORBIDDEN,
    INSTANCES,
    PAGE,
    SECRETS,
    USER_AGENT,
    ApiError,
    Resource,
    answer_error,
    read_answer,
    status_error,
)
from integration_hub.adapters.kubeconfig import KubeconfigError, KubeConnection
from integration_hub.reconcile.inputs import SecretAnswer, SecretState

__all__ = [
    "DEFINITIONS",
    "EVENTS",
    "FIELD_MANAGER",
    "INSTANCES",
    "SECRETS",
    "ApiError",
    "KubeClient",
    "Resource",
    "new_session",
]

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
FIELD_MANAGER = "integration-hub"
"""Who `kubectl get --show-managed-fields` says has written a status; left out, it would be the HTTP library's name."""
CONNECTIONS = 50
ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview")


@dataclass(frozen=True, slots=True)
class Requester:
    """Who has sent a request to the API server, as an admission review tells."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """Return who `userInfo` says it was (authentication.k8s.io/v1)."""
        groups = tuple(info.get("groups") or ())
        return cls(info.get("username") or "", info.get("uid") or "", groups, info.get("extra") or {})


class KubeClient:
    """Calls of one API server over a bounded pool of connections."""

    def __init__(self, connection: KubeConnection, *, timeout: float = 30.0) -> None:
        """Sockets are opened with the first call, inside the running loop. `timeout` is in seconds, per call."""
        self._connection = connection
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None
        self.calls: dict[str, int] = {}
        """Calls made so far by kind, like 'PATCH integrationinstances/status': the benchmark and metrics read it."""

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def list_page(
        self, resource: Resource, token: str = "", namespace: str = ""
    ) -> tuple[list[dict[str, Any]], str, str]:
        """Return one page of a list: its objects, the token of the next page ('' at the end), the resourceVersion."""
        query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
        accept = METADATA_LIST if resource.metadata_only else "application/json"
        answer = await self._call("GET", resource.path(namespace), query=query, headers={"Accept": accept})
        metadata = answer.get("metadata") or {}
        return (
            answer.get("items") or [],
            metadata.get("continue") or "",
            metadata.get("resourceVersion") or "",
        )

    async def watch(
        self,
        resource: Resource,
        version: str,
        *,
        seconds: int,
        silence: float,
        opened: Callable[[], object] = lambda: None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield watch events from a resourceVersion on, bookmarks included, until the server ends the watch.

        The server ends it after `seconds`; a connection on which nothing arrives for `silence` seconds is given up,
        since a load balancer may have forgotten it. ApiError 410 means that the version is too old: list again.
        `opened` is called when the server has agreed to the watch, which may be long before the first event.
        """
        query = {
            "watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)
        }  # fmt: skip
        accept = METADATA_ONE if resource.metadata_only else "application/json"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        self._count("WATCH")
        path = resource.path()
        try:
            async with self.session().get(
                self._connection.server + path, params=query, headers={"Accept": accept}, timeout=timeout
            ) as response:
                if response.status >= ERROR_STATUS:
                    raise _api_error(response, await response.read())
                opened()
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event: dict[str, Any] = read_answer(line, "watch", path)
                        if event["type"] == "ERROR":
                            raise status_error(event["object"])
                        yield event
        except _NO_ANSWER as error:
            raise ApiError.unanswered(f"the watch of {path}", error) from error

    async def read_secret(
        self, namespace: str, name: str, *, not_older_than: str | None = None
    ) -> SecretAnswer:
        """Return a Secret's decoded data.

        With `not_older_than`, a resourceVersion that a watch has told, the API server may answer from its cache as soon
        as that is as new; without it, it asks etcd for the state of now, which costs it several times as much.
        """
        query = {"resourceVersion": not_older_than} if not_older_than else None
        try:
            raw = await self._call("GET", SECRETS.path(namespace, name), query=query)
        except ApiError as error:
            if error.gone:
                return SecretAnswer(SecretState.NOT_FOUND)
            if error.status == FORBIDDEN:
                return SecretAnswer(SecretState.FORBIDDEN)
            raise
        metadata = raw["metadata"]
        data = {key: base64.b64decode(value or "") for key, value in (raw.get("data") or {}).items()}
        return SecretAnswer(
            SecretState.FOUND,
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            type=raw.get("type") or "",
            data=data,
        )

    async def read(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """Return an object as of now."""
        return await self._call("GET", resource.path(namespace, name))

    async def patch_status(
        self, resource: Resource, namespace: str, name: str, version: int, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write a status by JSON merge patch (RFC 7386) and return the object as it now is.

        The resourceVersion that the decision was made from goes along: where the object has changed since, or is
        another one of the same name, the API server answers 409 and nothing is written. (It ignores a UID in a patch
        of the status subresource: measured on v1.36.3.)
        """
        body = orjson.dumps({"metadata": {"resourceVersion": str(version)}, "status": status})
        return await self._call(
            "PATCH",
            resource.path(namespace, name, "status"),
            query={"fieldManager": FIELD_MANAGER},
            body=body,
            headers={"Content-Type": "application/merge-patch+json"},
            counted_as=f"PATCH {resource.plural}/status",
        )

    async def merge(
        self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> dict[str, Any]:
        """Change an object by JSON merge patch (RFC 7386) in a person's name, whatever version it has."""
        return await self._call(
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": manager},
            body=orjson.dumps(patch),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    async def apply(
        self, resource: Resource, namespace: str, obj: Mapping[str, Any], *, manager: str
    ) -> dict[str, Any]:
        """Apply fields on the server's side. ApiError 409 where somebody else manages one of them."""
        return await self._call(
            "PATCH",
            resource.path(namespace, obj["metadata"]["name"]),
            query={"fieldManager": manager},
            body=orjson.dumps(obj),  # JSON is YAML
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    async def create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Post an Event."""
        await self._call("POST", EVENTS.path(namespace), body=orjson.dumps(event), counted_as="POST events")

    async def may_read_secret(self, requester: Requester, namespace: str, name: str) -> bool:
        """Tell whether somebody may 'get' a Secret (authorization.k8s.io/v1, SubjectAccessReview)."""
        attributes = {"namespace": namespace, "verb": "get", "resource": "secrets", "name": name}
        who = {"user": requester.user, "uid": requester.uid, "groups": requester.groups}
        spec = {**who, "extra": requester.extra, "resourceAttributes": attributes}
        review = {"apiVersion": ACCESS_REVIEWS.api, "kind": ACCESS_REVIEWS.kind, "spec": spec}
        answer = await self._call("POST", ACCESS_REVIEWS.path(), body=orjson.dumps(review))
        return bool((answer.get("status") or {}).get("allowed"))

    async def version(self) -> str:
        """Return the API server's version, like 'v1.36.3'."""
        return str((await self._call("GET", "/version")).get("gitVersion", ""))

    def session(self) -> aiohttp.ClientSession:
        """Return the session, made on first use. Its requests carry the credentials of now."""
        if self._session is None:
            self._session = new_session(self._connection)
        return self._session

    def _count(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1

    async def _call(  # noqa: PLR0913
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        counted_as: str = "",
    ) -> dict[str, Any]:
        self._count(counted_as or method)
        sent = (
            {"Content-Type": "application/json", **(headers or {})}
            if body is not None
            else dict(headers or {})
        )
        try:
            async with self.session().request(
                method,
                self._connection.server + path,
                params=query,
                data=body,
                headers=sent,
                timeout=self._timeout,
            ) as response:
                content = await response.read()
                if response.status >= ERROR_STATUS:
                    raise _api_error(response, content)
        except _NO_ANSWER as error:
            raise ApiError.unanswered(f"{method} {path}", error) from error
        return read_answer(content, method, path)

    async def create_secret(self, namespace: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create a Secret and return it as it now is. ApiError 409 where one of that name exists."""
        return await self._call(
            "POST",
            SECRETS.path(namespace),
            query={"fieldManager": FIELD_MANAGER},
            body=orjson.dumps(manifest),
            counted_as="POST secrets",
        )

    async def replace_secret(self, namespace: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write a whole Secret and return it as it now is.

        With a resourceVersion in its metadata, ApiError 409 where it has changed since; with a uid, also where it is
        another one of the same name. 404 where it is gone: nothing is created anew.
        """
        return await self._put_secret(namespace, manifest, {})

    async def would_replace_secret(self, namespace: str, manifest: Mapping[str, Any]) -> None:
        """Let the API server check what `replace_secret` would do, with the same errors. Nothing changes."""
        await self._put_secret(namespace, manifest, {"dryRun": "All"})

    async def _put_secret(
        self, namespace: str, manifest: Mapping[str, Any], query: Mapping[str, str]
    ) -> dict[str, Any]:
        return await self._call(
            "PUT",
            SECRETS.path(namespace, manifest["metadata"]["name"]),
            query={"fieldManager": FIELD_MANAGER, **query},
            body=orjson.dumps(manifest),
            counted_as="PUT secrets",
        )

    async def delete_secret(self, namespace: str, name: str, *, uid: str, version: str | None = None) -> None:
        """Delete this one Secret. ApiError 409 where it is another one or has another version, 404 where it is gone."""
        preconditions = {"uid": uid} | ({"resourceVersion": version} if version else {})
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        await self._call(
            "DELETE",
            SECRETS.path(namespace, name),
            body=orjson.dumps(options),
            counted_as="DELETE secrets",
        )


def new_session(connection: KubeConnection) -> aiohttp.ClientSession:
    """Return a session for an API server: bounded, without proxies or cookies, with the credentials of now."""

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        tokens = connection.tokens
        # An exec plugin blocks for as long as it runs, so it must not run on the loop.
        token = await asyncio.to_thread(tokens.token) if tokens.command else tokens.token()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        request.server_hostname = connection.tls_server_name  # None: the name in the address
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=connection.ssl_context, keepalive_timeout=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
        trust_env=False,
        middlewares=(authorize,),
    )


_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError, KubeconfigError)
"""All that can keep a call from getting an answer; the last: a credential plugin that fails."""


def _api_error(response: aiohttp.ClientResponse, content: bytes) -> ApiError:
    return answer_error(response.status, response.reason, response.headers.get("Retry-After"), content)
