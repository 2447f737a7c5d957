"""A cluster as one person sees it, for commands that ask one thing after another. What is in the way becomes HubError.

Objects are plain dictionaries, as the API server has them: a command shows them and decides nothing about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import click

from integration_hub.adapters.kube_api import DEFINITIONS, FORBIDDEN, INSTANCES, ApiError, Resource
from integration_hub.adapters.kube_blocking import BlockingKube
from integration_hub.cli.connecting import connection_of
from integration_hub.cli.errors import Exit, HubError, NotFoundError, UnreachableError
from integration_hub.cli.words import typed
from integration_hub.shell.explaining import READ, Deed, absence, explanation, named, reading

Raw = dict[str, Any]

MANAGER = "kubectl-hub"
"""The field manager under which the command line writes."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""What an object can be called, after RFC 1123; anything else would be another path of the API."""

CLUSTER_WIDE = frozenset({DEFINITIONS})
"""Resources whose objects are in no namespace."""


_BAD_REQUEST = 400
_NOT_UNDERSTOOD = frozenset({_BAD_REQUEST, 422})
"""Statuses that mean a mistake in what was asked, such as labels that are none."""


def refuse_no_name(text: str, what: str) -> None:
    """Raise HubError where a text cannot be what an object is called; `what` is like "a namespace"."""
    if not _NAME.fullmatch(text):
        raise HubError(
            f"'{text}' cannot be the name of {what}: names have small letters, digits, '-' and '.'.",
            code=Exit.USAGE,
        )


class Cluster:
    """One API server, with the rights of whoever asks."""

    def __init__(self, kube: BlockingKube, namespace: str, *, selector: str = "") -> None:
        """`namespace` is the one that is meant where none is named; `selector` is what was typed after -l."""
        self.kube = kube
        self.namespace = namespace
        self._selector = selector

    @classmethod
    def of(cls, flags: Mapping[str, Any], *, timeout: float = 30.0) -> Self:
        """Return the cluster that --kubeconfig, --context and -n mean, until the command ends.

        `timeout` is in seconds, per call.
        """
        connection = connection_of(flags.get("kubeconfig"), flags.get("context"))
        namespace = flags.get("namespace")
        if namespace is not None:
            refuse_no_name(namespace, "a namespace")
        kube = BlockingKube(connection, timeout=timeout)
        click.get_current_context().call_on_close(kube.close)
        return cls(kube, namespace or connection.namespace, selector=flags.get("selector") or "")

    @contextmanager
    def asked(self, what: str, deed: Deed = READ) -> Iterator[None]:
        """Turn an ApiError within into words about `what` was asked for, such as "its version"."""
        try:
            yield
        except ApiError as error:
            raise self.explained(error, what, deed) from error

    @contextmanager
    def listed(self, resource: Resource, what: str = "") -> Iterator[None]:
        """Do so where a list is asked for; `what` it is, where that is not just the list."""
        deed = self.reading(resource, "list")
        with self.asked(what or f"the list of {resource.plural}", deed):
            yield

    def reading(self, resource: Resource, *verbs: str) -> Deed:
        """Return that objects of a resource are read where they are looked for, and the rights for that."""
        return reading(resource, *verbs, namespace=self.within(resource))

    def explained(self, error: ApiError, what: str, deed: Deed = READ) -> HubError:
        """Return why the API server did not read `what`, or do with it what it was asked to."""
        if error.status == _BAD_REQUEST and self._selector:
            return HubError(
                f"-l '{self._selector}' is no selector, like team=shop or 'team in (a,b)'.",
                why=f"The API server says: {error.why}",
                code=Exit.USAGE,
            )
        found = explanation(error, what, self.kube.server, deed)
        if error.status in _NOT_UNDERSTOOD:
            return HubError(found.what, code=Exit.USAGE)
        return UnreachableError(found.what, todo=found.todo)

    def object(self, resource: Resource, name: str, *, accept: str = "application/json") -> Raw:
        """Return an object; NotFoundError with names that are much like it where there is none."""
        refuse_no_name(name, f"an {resource.kind}")
        namespace = self.within(resource)
        try:
            return self.kube.read(resource, namespace, name, accept=accept)
        except ApiError as error:
            if not error.gone:
                raise self.explained(
                    error, self.named(resource, name), self.reading(resource, "get")
                ) from error
        raise self.missing(resource, name)

    def missing(self, resource: Resource, name: str) -> HubError:
        """Return that there is no such object, with what there is."""
        namespace = self.within(resource)
        try:
            names: list[str] | None = self.names(resource)
        except ApiError as error:
            if error.status != FORBIDDEN:
                return self.explained(error, f"the list of {resource.plural}", self.reading(resource, "list"))
            names = None
        return NotFoundError(
            absence(resource, name, namespace, names),
            todo=f"Name another namespace with -n; '{typed('get', '-A')}' lists all instances."
            if namespace
            else "",
        )

    def instance(self, name: str) -> Raw:
        """Return an instance of the namespace."""
        return self.object(INSTANCES, name)

    def names(self, resource: Resource) -> list[str]:
        """Return the names of all objects, in order. ApiError where they may not be listed."""
        return sorted(raw["metadata"]["name"] for raw in self.kube.items(resource, self.within(resource)))

    def within(self, resource: Resource) -> str:
        """Return the namespace that objects of this resource are looked for in; none for those that are in none."""
        return "" if resource in CLUSTER_WIDE else self.namespace

    def named(self, resource: Resource, name: str) -> str:
        """Return an object as a sentence names it."""
        return named(resource, name, self.within(resource))
