"""A new version of a definition, and the connections that there are: which of them it would break. Pure.

The judges are the operator's own gates. A connection breaks that they let through with the definition as it is and not
with the new one. What no gate can see before a Secret is read is said too: keys that a method did not need until now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from integration_hub.adapters.egress import HostRule
from integration_hub.model.http import HttpRequest
from integration_hub.model.instance import IntegrationInstance
from integration_hub.reconcile.definition import CheckedDefinition
from integration_hub.reconcile.gates import Ready, pass_gates
from integration_hub.reconcile.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Broken:
    """A connection that a new version breaks, and how, in a sentence."""

    namespace: str
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}: {self.message}"


def broken(
    instances: Iterable[Mapping[str, Any]], old: CheckedDefinition, new: CheckedDefinition, *, now: datetime
) -> list[Broken]:
    """Return the instances, as the API server sends them, that work with the old version and not with the new one."""
    return [found for raw in instances for found in _broken(raw, old, new, now)]


def _broken(
    raw: Mapping[str, Any], old: CheckedDefinition, new: CheckedDefinition, now: datetime
) -> Iterator[Broken]:
    namespace, name = raw["metadata"].get("namespace", ""), raw["metadata"]["name"]
    try:
        instance = IntegrationInstance.model_validate(raw)
    except ValidationError:
        return  # no version of the definition helps it
    before = pass_gates(_inputs(instance, old, now))
    if before.passed is None:
        return
    after = pass_gates(_inputs(instance, new, now))
    if after.passed is None:
        yield Broken(namespace, name, after.conditions[-1].message)
        return
    for message in (*_keys(before.passed, after.passed), *_hosts(before.passed, after.passed)):
        yield Broken(namespace, name, message)


def _inputs(instance: IntegrationInstance, definition: CheckedDefinition, now: datetime) -> Inputs:
    return Inputs(instance=instance, definition=definition, secret_version=None, name_owner=None, now=now)


def _keys(before: Ready, after: Ready) -> Iterator[str]:
    had = {key.name for key in before.method_type.secret_keys(before.settings) if key.required}
    needed = [key.name for key in after.method_type.secret_keys(after.settings) if key.required]
    for key in needed:
        if key not in had:
            yield f"auth method '{after.method.name}' needs the key '{key}' in the Secret, and did not until now."


def _hosts(before: Ready, after: Ready) -> Iterator[str]:
    """Yield that requests go to a host that is not allowed, where that was not so."""
    for was, will_be in zip(before.tests[:1], after.tests[:1], strict=True):
        if _is_allowed(was.plan.request, was.plan.allowed_hosts) and not _is_allowed(
            will_be.plan.request, will_be.plan.allowed_hosts
        ):
            host = will_be.plan.request.url.split("/", 3)[2]
            yield f"{host} is not among the definition's allowedHosts any more."


def _is_allowed(request: HttpRequest, hosts: Iterable[str]) -> bool:
    scheme, _, rest = request.url.partition("://")
    name, separator, port = rest.split("/", 1)[0].rpartition(":")
    host = name if separator and port.isdigit() else rest.split("/", 1)[0]
    number = int(port) if separator and port.isdigit() else {"https": 443, "http": 80}.get(scheme, 0)
    return any(HostRule.parse(text).allows(scheme, host, number) for text in hosts)
