"""Finding what a test by hand is about in a cluster, with the rights of whoever asks, and saying what is in the way."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, ApiError, KubeClient, Resource
from integration_hub.adapters.kube_api import FORBIDDEN
from integration_hub.model.instance import IntegrationInstance
from integration_hub.reconcile.definition import CheckedDefinition, check_definition, listed, parse_violation
from integration_hub.reconcile.inputs import Inputs
from integration_hub.reconcile.times import timestamp
from integration_hub.shell.draft import DRAFT_UID
from integration_hub.shell.explaining import (
    CannotAskError,
    Deed,
    Explanation,
    NoSuchObjectError,
    absence,
    explanation,
    named,
    reading,
)
from integration_hub.shell.store import Store, instance_key

Raw = dict[str, Any]

__all__ = [
    "CannotAskError",
    "Cluster",
    "NoSuchObjectError",
    "as_if_applied",
    "inputs_of",
]


class Cluster:
    """A cluster as one person sees it."""

    def __init__(self, kube: KubeClient, server: str) -> None:
        """`server` is the API server's address, for messages."""
        self.kube = kube
        self.server = server

    async def instance(self, namespace: str, name: str) -> Raw:
        """Return an instance; NoSuchObjectError with names that are much like it where there is none."""
        try:
            return await self.kube.read(INSTANCES, namespace, name)
        except ApiError as error:
            if not error.gone:
                what = named(INSTANCES, name, namespace)
                raise self.explained(error, what, reading(INSTANCES, "get", namespace=namespace)) from error
        what = absence(INSTANCES, name, namespace, await self._names(namespace))
        raise NoSuchObjectError(Explanation(what, "Name another namespace with -n."))

    async def _names(self, namespace: str) -> list[str] | None:
        """Return the names of a namespace's instances, None where they may not be listed."""
        try:
            objects, _, _ = await self.kube.list_page(INSTANCES, namespace=namespace)
        except ApiError as error:
            if error.status == FORBIDDEN:
                return None
            deed = reading(INSTANCES, "list", namespace=namespace)
            raise self.explained(error, "the list of instances", deed) from error
        return sorted(raw["metadata"]["name"] for raw in objects)

    async def definition(self, name: str) -> CheckedDefinition | None:
        """Return a definition, checked; None where there is none."""
        try:
            return check_definition(await self.kube.read(DEFINITIONS, "", name))
        except ApiError as error:
            if error.gone:
                return None
            raise self.explained(error, named(DEFINITIONS, name, ""), reading(DEFINITIONS, "get")) from error

    async def similar_definitions(self, name: str) -> tuple[str, ...]:
        """Return the names of definitions that are spelt like this one; none where they may not be listed."""
        store = Store()
        try:
            async for raw in self._all(DEFINITIONS):
                store.put_definition(raw)
        except CannotAskError:
            return ()
        return store.similar_definitions(name)

    async def name_owner(self, instance: Raw) -> str | None:
        """Return the older instance that has the same display name; None where instances may not be listed, too."""
        store = Store()
        try:
            async for raw in self._all(INSTANCES, instance["metadata"]["namespace"]):
                store.put_instance(raw)
        except CannotAskError:
            return None
        store.put_instance(instance)
        return store.name_owner(instance_key(instance))

    async def _all(self, resource: Resource, namespace: str = "") -> AsyncIterator[Raw]:
        token = ""
        while True:
            try:
                objects, token, _ = await self.kube.list_page(resource, token, namespace)
            except ApiError as error:
                deed = reading(resource, "list", namespace=namespace)
                raise self.explained(error, f"the list of {resource.plural}", deed) from error
            for raw in objects:
                yield raw
            if not token:
                return

    def explained(self, error: ApiError, what: str, deed: Deed) -> CannotAskError:
        """Return why the API server did not give what was asked for."""
        return CannotAskError(explanation(error, what, self.server, deed))


async def inputs_of(
    raw: Raw, definition: CheckedDefinition | None, cluster: Cluster | None, *, now: datetime | None = None
) -> Inputs:
    """Return what a test of an instance is decided from. Without a cluster, nothing is known of others.

    Raises:
        NoSuchObjectError: the instance is of another version of this program.

    """
    try:
        instance = IntegrationInstance.model_validate(raw)
    except ValidationError as error:
        problems = listed(parse_violation(p) for p in error.errors(include_url=False, include_input=False))
        what = f"IntegrationInstance '{raw['metadata']['name']}' cannot be read by this version: {problems}."
        raise NoSuchObjectError(Explanation(what)) from None
    wanted = instance.spec.definition_ref.name
    missing = cluster is not None and definition is None
    return Inputs(
        instance=instance,
        definition=definition,
        secret_version=None,
        name_owner=await cluster.name_owner(raw) if cluster is not None else None,
        similar_definitions=await cluster.similar_definitions(wanted) if cluster and missing else (),
        now=now or datetime.now(UTC),
        random=secrets.token_bytes,
    )


def as_if_applied(raw: Raw, applied: Raw | None) -> Raw:
    """Return a draft with the metadata that it would have: of the object that it changes, or of a new one."""
    metadata = {
        "uid": DRAFT_UID,
        "generation": 1,
        "creationTimestamp": timestamp(datetime.now(UTC)),
        **((applied or {}).get("metadata") or {}),
        **raw["metadata"],
        "resourceVersion": str(2**62),  # newer than whatever it stands in for
    }
    return {**{name: part for name, part in raw.items() if name != "status"}, "metadata": metadata}
