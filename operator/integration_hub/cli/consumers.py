"""Who uses a Secret: workloads that mount it or take variables from it. Finding them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from integration_hub.adapters.kube_api import FORBIDDEN, ApiError, Resource
from integration_hub.adapters.kube_blocking import BlockingKube
from integration_hub.cli.cluster import Cluster

Raw = Mapping[str, Any]

_POD = ("spec",)
_TEMPLATE = ("spec", "template", "spec")
WORKLOADS: tuple[tuple[Resource, tuple[str, ...]], ...] = (
    (Resource("apps/v1", "deployments", "Deployment"), _TEMPLATE),
    (Resource("apps/v1", "statefulsets", "StatefulSet"), _TEMPLATE),
    (Resource("apps/v1", "daemonsets", "DaemonSet"), _TEMPLATE),
    (Resource("apps/v1", "replicasets", "ReplicaSet"), _TEMPLATE),
    (Resource("batch/v1", "cronjobs", "CronJob"), ("spec", "jobTemplate", *_TEMPLATE)),
    (Resource("batch/v1", "jobs", "Job"), _TEMPLATE),
    (Resource("v1", "pods", "Pod"), _POD),
)
"""What can use a Secret, and where it says so."""
_SERVICE_BINDINGS = Resource("servicebinding.io/v1", "servicebindings", "ServiceBinding")


class Consumer(NamedTuple):
    """A workload, and how it uses a Secret: 'mounts' or 'reads variables from'."""

    kind: str
    name: str
    how: str


class Consumers(NamedTuple):
    """Those that were found, and the kinds that could not be looked at."""

    found: list[Consumer]
    hidden: list[str]


def seen_consumers(cluster: Cluster, secret: str, instance: str, selector: str = "") -> Consumers:
    """Return who uses a Secret of the namespace, of those with some labels. HubError where that cannot be had."""
    with cluster.asked("the workloads of the namespace"):
        return consumers_of(cluster.kube, cluster.namespace, secret, instance, {"labelSelector": selector})


def consumers_of(
    kube: BlockingKube, namespace: str, secret: str, instance: str, query: Mapping[str, str]
) -> Consumers:
    """Return who uses a Secret, or asks for an instance's by a ServiceBinding: owners, not the Pods that they make.

    `query` may hold a selector.
    """
    found: list[Consumer] = []
    hidden: list[str] = []
    for resource, path in WORKLOADS:
        objects = _listed(kube, resource, namespace, query)
        if objects is None:
            hidden.append(resource.kind)
            continue
        for raw in objects:
            how = how_used(_at(raw, path), secret)
            if how is not None and not _is_owned(raw):
                found.append(Consumer(resource.kind, raw["metadata"]["name"], how))
    for raw in _listed(kube, _SERVICE_BINDINGS, namespace, query) or ():
        service = (raw.get("spec") or {}).get("service") or {}
        if (service.get("kind"), service.get("name")) == ("IntegrationInstance", instance):
            found.append(Consumer(_SERVICE_BINDINGS.kind, raw["metadata"]["name"], "asks for"))
    return Consumers(found, hidden)


def how_used(pod: Raw, secret: str) -> str | None:
    """Return how a Pod's spec uses a Secret, None where it does not."""
    if secret in set(_mounted(pod.get("volumes") or ())):
        return "mounts"
    containers = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    if any(secret in set(_variables(container)) for container in containers):
        return "reads variables from"
    return None


def _mounted(volumes: Iterable[Raw]) -> Iterator[str]:
    for volume in volumes:
        yield (volume.get("secret") or {}).get("secretName") or ""
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield (source.get("secret") or {}).get("name") or ""


def _variables(container: Raw) -> Iterator[str]:
    for entry in container.get("envFrom") or ():
        yield (entry.get("secretRef") or {}).get("name") or ""
    for entry in container.get("env") or ():
        yield ((entry.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") or ""


def _is_owned(raw: Raw) -> bool:
    """Tell whether one of the other workloads has made this one, and stands for it."""
    kinds = {resource.kind for resource, _ in WORKLOADS}
    owners = raw["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("kind") in kinds for owner in owners)


def _at(raw: Any, path: Iterable[str]) -> Raw:
    for part in path:
        raw = (raw or {}).get(part)
    return raw or {}


def _listed(
    kube: BlockingKube, resource: Resource, namespace: str, query: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """Return a list; none of what the API server does not serve, None where it may not be looked at."""
    try:
        return kube.items(resource, namespace, query=query)
    except ApiError as error:
        if error.gone:
            return []
        if error.status == FORBIDDEN:
            return None
        raise
