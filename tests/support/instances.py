"""What a user has to do with the hub: objects to apply, and a hand that applies, reads and deletes them for real.

The hand speaks HTTP to the API server, since a kubectl process for each of some thousand calls would take minutes.
It applies as kubectl and Argo CD do: on the server's side, under a field manager's name.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from integration_hub.adapters.kubeconfig import load
from integration_hub.model.base import API_VERSION
from support.target_server import GOOD_KEY
from support.waiting import DEADLINE, wait_until

Object = dict[str, Any]

MANAGER = "a-user"
"""The field manager under which tests apply."""

DEFINITIONS_PATH = f"/apis/{API_VERSION}/integrationdefinitions"

_PATHS = {
    "IntegrationDefinition": DEFINITIONS_PATH,
    "IntegrationInstance": f"/apis/{API_VERSION}/namespaces/{{}}/integrationinstances",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Namespace": "/api/v1/namespaces",
}


# Objects


def ready_status(status: str, reason: str, message: str = "") -> Object:
    """A status as the operator writes it, with Ready alone."""
    condition = {
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return {"status": {"conditions": [condition]}}


class Reached(Protocol):
    """A system that tests connect to."""

    @property
    def url(self) -> str: ...

    @property
    def ca(self) -> str: ...


def definition(name: str, target: Reached, **spec: Any) -> Object:
    """A definition of the target: API key as bearer token; 'account' is configured and stands in the path."""
    whole = {
        "displayName": "Acme",
        "configSchema": {
            "type": "object",
            "required": ["account"],
            "additionalProperties": False,
            "properties": {
                "account": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                "server": {"type": "string", "format": "uri", "default": target.url},
                "ca": {"type": "string", "default": target.ca},
            },
        },
        "baseURL": "{{ config.server }}",
        "allowedHosts": ["{{ config.server }}"],
        "trust": {"caBundle": "{{ config.ca }}"},
        "authMethods": [{"name": "key", "type": "apiKey", "settings": {"prefix": "Bearer"}}],
        "tests": [
            {
                "name": "whoami",
                "default": True,
                "request": {"path": "/v1/{{ config.account }}/whoami"},
                "identity": "response.json.user.login",
            }
        ],
    } | spec
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationDefinition",
        "metadata": {"name": name},
        "spec": {key: value for key, value in whole.items() if value is not None},
    }


def instance(namespace: str, name: str, of: str, *, secret: str | None = "key", **spec: Any) -> Object:
    """An instance of a definition; its account at the target is 'namespace-name' where no config is given."""
    whole: Object = {"definitionRef": {"name": of}, "config": {"account": account(namespace, name)}}
    if secret:
        whole["auth"] = {"secretRef": {"name": secret}}
    return {
        "apiVersion": API_VERSION,
        "kind": "IntegrationInstance",
        "metadata": {"name": name, "namespace": namespace},
        "spec": whole | spec,
    }


def account(namespace: str, name: str) -> str:
    """The account at the target that `instance()` configures."""
    return f"{namespace}-{name}"


def secret(namespace: str, name: str = "key", **data: str) -> Object:
    """A Secret; with the key that the target knows where no data is given."""
    values = data or {"apiKey": GOOD_KEY}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": encoded,
    }


# Questions to an object as the API server shows it


def _version_of(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def condition(obj: Object, type_: str = "Ready") -> Object:
    """Return a condition, empty where there is none."""
    conditions: list[Object] = obj.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), {})


def verdict(obj: Object) -> tuple[str, str]:
    """Return status and reason of Ready, empty where there is none."""
    ready = condition(obj)
    return ready.get("status", ""), ready.get("reason", "")


def kstatus(obj: Object) -> str:
    """Return what kstatus, and with it Flux, `kapp` and `kustomize`, make of an object.

    After cli-utils' `status.Compute` for kinds that it does not know: deletion, generation, Reconciling and Stalled,
    Ready, in this order.
    """
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"]:
        return "InProgress"
    for item in obj["status"].get("conditions", []):
        if item["status"] == "True" and item["type"] in {"Reconciling", "Stalled"}:
            return "InProgress" if item["type"] == "Reconciling" else "Failed"
    return "Current" if verdict(obj)[0] in {"True", ""} else "InProgress"


class Version(NamedTuple):
    """One state that an object was in: what a watch tells."""

    event: str
    obj: Object


class Refused(Exception):  # noqa: N818 - a wrong answer, not a wrong program
    """The API server refused a call."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """An API server, as users' tools reach it."""

    def __init__(self, kubeconfig: Path) -> None:
        self._connection = load(kubeconfig)

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> str:
        """Make one call and return its answer's text; Refused where it is an error. Bytes are sent as they are.

        An API server that has just started asks for patience (429); this has it, as kubectl has.
        """
        for _ in range(30):
            try:
                return self._call(method, path, body, content_type)
            except Refused as refusal:
                if refusal.status != 429:
                    raise
                time.sleep(0.3)
        raise AssertionError("the API server asks for patience, and goes on asking")

    def _call(self, method: str, path: str, body: Any, content_type: str) -> str:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self._connection.server + path,
            method=method,
            data=data,
            headers={"Content-Type": content_type},
        )
        if token := self._connection.tokens.token():
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(
                request, context=self._connection.ssl_context, timeout=60
            ) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode()) from None

    def apply(self, *objects: Object, manager: str = MANAGER) -> list[Object]:
        """Apply objects on the server's side and return them as they are now."""
        query = urlencode({"fieldManager": manager, "force": "true"})
        applied = [
            self.call("PATCH", f"{path_of(obj)}?{query}", obj, "application/apply-patch+yaml")
            for obj in objects
        ]
        return [json.loads(text) for text in applied]

    def get(self, obj: Object) -> Object:
        """Return the object of that kind and name as it is now."""
        found: Object = json.loads(self.call("GET", path_of(obj)))
        return found

    def exists(self, obj: Object) -> bool:
        """Tell whether there is an object of that kind and name."""
        try:
            self.get(obj)
        except Refused as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def delete(self, *objects: Object) -> None:
        """Delete objects; none of them may have been gone."""
        for obj in objects:
            self.call("DELETE", path_of(obj))

    def merge(self, obj: Object, patch: Object, sub: str = "") -> Object:
        """Change an object by a merge patch."""
        merged: Object = json.loads(
            self.call("PATCH", path_of(obj) + sub, patch, "application/merge-patch+json")
        )
        return merged

    def collection(self, path: str) -> Object:
        """Return a collection."""
        found: Object = json.loads(self.call("GET", path))
        return found

    def instances(self, namespace: str) -> dict[str, Object]:
        """Return all instances of a namespace by name."""
        items = self.collection(_PATHS["IntegrationInstance"].format(namespace))["items"]
        return {item["metadata"]["name"]: item for item in items}

    def events(self, namespace: str) -> list[Object]:
        """Return all Events of a namespace."""
        items: list[Object] = self.collection(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")[
            "items"
        ]
        return items

    def history(self, path: str, since: str) -> list[Version]:
        """Return what happened in a collection after a resourceVersion, as the API server remembers it."""
        newest = max((_version_of(obj) for obj in self.collection(path)["items"]), default=0)
        for seconds in (1, 5, 30):  # a watch has no end; a busy server has told little of it after one second
            query = urlencode({"watch": "true", "resourceVersion": since, "timeoutSeconds": str(seconds)})
            events = [json.loads(line) for line in self.call("GET", f"{path}?{query}").splitlines()]
            assert not [event for event in events if event["type"] == "ERROR"], events[-1]
            versions = [Version(event["type"], event["object"]) for event in events]
            if newest <= max((_version_of(version.obj) for version in versions), default=int(since)):
                return versions
        raise AssertionError(f"the API server has not told all that happened in {path} since {since}")

    def writes(self, namespace: str, since: str) -> dict[str, list[Version]]:
        """Return what happened to the instances of a namespace after a resourceVersion, by name."""
        found: dict[str, list[Version]] = {}
        for version in self.history(_PATHS["IntegrationInstance"].format(namespace), since):
            found.setdefault(version.obj["metadata"]["name"], []).append(version)
        return found

    def now(self, namespace: str) -> str:
        """Return the resourceVersion of now."""
        version: str = self.collection(_PATHS["IntegrationInstance"].format(namespace))["metadata"][
            "resourceVersion"
        ]
        return version

    # Waiting

    def wait_for_verdict(self, obj: Object, status: str, reason: str, *, seconds: float = DEADLINE) -> Object:
        """Wait until Ready has this status and reason for the object's present generation; return the object."""

        def accept(found: Object) -> bool:
            generation = found["metadata"]["generation"]
            return (
                verdict(found) == (status, reason) and found["status"].get("observedGeneration") == generation
            )

        name = obj["metadata"]["name"]
        return wait_until(lambda: self.get(obj), accept, f"{name} is Ready={status}, {reason}", seconds)

    def wait_for_all(
        self, namespace: str, expected: Mapping[str, tuple[str, str]], *, seconds: float = DEADLINE
    ) -> dict[str, Object]:
        """Wait until the instances of a namespace have these verdicts; return them by name."""

        def wrong(found: Mapping[str, Object]) -> dict[str, Any]:
            return {
                name: (verdict(found[name]), condition(found[name]).get("message"))
                if name in found
                else "is not there"
                for name, wanted in expected.items()
                if name not in found or verdict(found[name]) != wanted
            }

        found: dict[str, Object] = {}

        def look() -> dict[str, Any]:
            found.clear()
            found.update(self.instances(namespace))
            return wrong(found)

        wait_until(look, lambda missing: not missing, f"the verdicts in {namespace}", seconds)
        return found


def path_of(obj: Object) -> str:
    """Return the URL path of an object."""
    metadata = obj["metadata"]
    return f"{_PATHS[obj['kind']].format(metadata.get('namespace', ''))}/{quote(metadata['name'])}"
