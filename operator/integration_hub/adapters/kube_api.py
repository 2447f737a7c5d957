"""What every client of the Kubernetes API shares: resources and their paths, answers, and errors. No sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote

import orjson

from integration_hub import __version__
from integration_hub.adapters.no_answer import why_no_answer
from integration_hub.adapters.wire import parsed
from integration_hub.model.names import API_VERSION

USER_AGENT = f"integration-hub-operator/{__version__}"
CONNECT_SECONDS = 5.0
PAGE = 500
"""Objects of one page of a list: kopf's and client-go's default, and a bound on what is parsed at once."""

ERROR_STATUS = 400
"""The first HTTP status that means that a call was refused, or failed."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
"""What an API server refuses calls with."""

_IN_NAMES: Final = ":"
"""What names of roles and users have besides what every path may have."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API. `metadata_only` asks the server to leave out spec, status and data."""

    api: str
    plural: str
    kind: str
    metadata_only: bool = False

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """Return the URL path of the collection, or of one object, or of a subresource.

        A name that others have written, and that is none, is another path nowhere: no such object is found.
        """
        root = f"/api/{self.api}" if "/" not in self.api else f"/apis/{self.api}"
        within = f"namespaces/{quote(namespace, safe=_IN_NAMES)}" if namespace else ""
        parts = [root, within, self.plural, quote(name, safe=_IN_NAMES), sub]
        return "/".join(part for part in parts if part)


INSTANCES = Resource(API_VERSION, "integrationinstances", "IntegrationInstance")
DEFINITIONS = Resource(API_VERSION, "integrationdefinitions", "IntegrationDefinition")
SECRETS = Resource("v1", "secrets", "Secret", metadata_only=True)
EVENTS = Resource("events.k8s.io/v1", "events", "Event")


class ApiError(Exception):
    """A call that the API server refused, or that did not reach it (status 0)."""

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None, *, why: str = ""
    ) -> None:
        """`reason` is the Status object's; `retry_after` is in seconds; `why` there is no answer, in a few words."""
        super().__init__(f"{status} {reason}: {message}" if status else message)
        self.why = why or message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @classmethod
    def unanswered(cls, call: str, error: BaseException) -> Self:
        """Return that a call, like 'GET /version', got no answer, since `error` was in the way."""
        why = why_no_answer(error)
        return cls(0, "NoAnswer", f"no answer to {call}: {why}", why=why)

    @property
    def gone(self) -> bool:
        """Whether the object does not exist (any more)."""
        return self.status == NOT_FOUND


def read_answer(content: bytes, method: str, path: str) -> dict[str, Any]:
    """Return an object of an answer. What is none came from something in between: as good as no answer."""
    try:
        answer = parsed(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError(0, "Unreadable", f"{method} {path} was answered with something that is no JSON object")
    return answer


def status_error(status: Mapping[str, Any]) -> ApiError:
    """Return the error that a Status object in a watch stands for."""
    return ApiError(
        int(status.get("code") or 0),
        str(status.get("reason") or ""),
        str(status.get("message") or ""),
        _seconds((status.get("details") or {}).get("retryAfterSeconds")),
    )


def answer_error(status: int, phrase: str | None, retry_after: str | None, content: bytes) -> ApiError:
    """Read the API server's Status object, or make do with the HTTP status where a proxy answered instead.

    `phrase` is HTTP's reason phrase, `retry_after` the header of that name.
    """
    try:
        said = orjson.loads(content)
        reason, message = str(said.get("reason") or ""), str(said.get("message") or "")
    except (orjson.JSONDecodeError, AttributeError):
        reason, message = phrase or "", "the answer is not a Kubernetes Status"
    return ApiError(status, reason or "Unknown", message, _seconds(retry_after))


def _seconds(value: object) -> float | None:
    """Return what a server asks to wait; None where it asks for nothing, or for no whole number of seconds."""
    text = str(value)
    return float(text) if text.isascii() and text.isdigit() else None
