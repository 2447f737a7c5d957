"""What `hub connect` and `hub edit` read and write in a cluster.

Where a person may choose one, Secrets are read whole, since nothing less tells their keys; their values go to a test,
and no further.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from integration_hub.adapters.kube_api import (
    CONFLICT,
    DEFINITIONS,
    FORBIDDEN,
    INSTANCES,
    NOT_FOUND,
    ApiError,
    Resource,
)
from integration_hub.adapters.kube_blocking import APPLY, MERGE, METADATA_ONE
from integration_hub.adapters.shipped import definition_text
from integration_hub.catalog.index import Entry, entry_of
from integration_hub.cli.cluster import MANAGER, Cluster
from integration_hub.cli.errors import Exit, HubError, NotFoundError, UnreachableError
from integration_hub.cli.words import typed
from integration_hub.forms.naming import object_name_problem
from integration_hub.forms.ownership import keeper_of
from integration_hub.forms.surroundings import Current, SecretSeen, Surroundings
from integration_hub.reconcile.definition import CheckedDefinition, check_definition, listed
from integration_hub.reconcile.inputs import SecretAnswer, SecretState
from integration_hub.shell.explaining import POLICY, Deed, is_policy

Raw = dict[str, Any]

WHOLE_SECRETS: Final = Resource("v1", "secrets", "Secret")
INVALID: Final = 422

_CONTENT: Final = ("spec", "type", "data", "immutable")
"""What people write of an instance and of a Secret."""
_CHANGE_TRIES: Final = 5
"""For one change, while the operator writes the same object's status."""


class NotInstalledError(NotFoundError):
    """The cluster has no definition of the name, and the catalog has one."""


class Written(NamedTuple):
    """An object as the API server has taken it."""

    resource: Resource
    raw: Raw


class Place:
    """A namespace, with the rights of whoever asks."""

    def __init__(self, cluster: Cluster) -> None:
        """Ask nothing yet."""
        self.cluster = cluster
        self.namespace = cluster.namespace

    # Reading

    def entries(self) -> list[Entry]:
        """Return the definitions of the cluster in short."""
        with self.cluster.listed(DEFINITIONS):
            return [entry_of(raw) for raw in self.cluster.kube.items(DEFINITIONS)]

    def definition(self, name: str) -> CheckedDefinition:
        """Return a definition of the cluster that can be used.

        Raises:
            NotInstalledError: there is none, and the catalog has it.
            HubError: there is none, or it has mistakes.

        """
        try:
            raw = self.cluster.object(DEFINITIONS, name)
        except NotFoundError as error:
            if definition_text(name) is None:
                raise
            raise NotInstalledError(
                f"IntegrationDefinition '{name}' is not installed in this cluster.",
                todo=f"The catalog has it: '{typed('catalog', 'install', name)}' installs it, if you may.",
            ) from error
        checked = check_definition(raw)
        if checked.violations:
            raise HubError(
                f"IntegrationDefinition '{name}' cannot be used: it has mistakes.",
                why=f"{listed(checked.violations)}.",
                todo="Tell whoever keeps the catalog.",
            )
        return checked

    def surroundings(self, decided: str | None = None, *, asks: bool) -> Surroundings:
        """Return what there is in the namespace: names of instances, and Secrets less their values.

        Where no person is asked to choose one (`asks`), no Secret is listed: whether there is one is looked for by its
        name, and by that of the `decided` one alone where it is clear already which is used.
        """
        with self.cluster.listed(INSTANCES):
            instances = self.cluster.kube.items(INSTANCES, self.namespace)
        names = {
            raw["metadata"]["name"]: str(raw["spec"].get("displayName") or raw["metadata"]["name"])
            for raw in instances
        }
        users: dict[str, tuple[str, ...]] = {}
        for raw in instances:
            secret = _secret_of(raw)
            if secret is not None:
                users[secret] = (*users.get(secret, ()), raw["metadata"]["name"])
        if asks:
            return Surroundings(self.namespace, names, self._secrets(), users)

        @cache
        def is_there(name: str) -> bool:
            is_meant = decided in {None, name}
            return is_meant and self._has_secret(name)

        return Surroundings(self.namespace, names, None, users, looked_for=is_there)

    def _has_secret(self, name: str) -> bool:
        """Tell whether there is a Secret of that name; not where that may not be seen. No value is asked for."""
        if object_name_problem(name) is not None:
            return False  # it would be another path of the API
        try:
            self.cluster.kube.read(WHOLE_SECRETS, self.namespace, name, accept=METADATA_ONE)
        except ApiError as error:
            if error.status in {NOT_FOUND, FORBIDDEN}:
                return False
            raise self.cluster.explained(error, f"Secret '{name}'") from error
        return True

    def _secrets(self) -> dict[str, SecretSeen] | None:
        try:
            found = self.cluster.kube.items(WHOLE_SECRETS, self.namespace)
        except ApiError as error:
            if error.status == FORBIDDEN:
                return None
            raise self.cluster.explained(error, "the list of Secrets") from error
        return {raw["metadata"]["name"]: _seen(raw) for raw in found}

    def current(self, name: str) -> Current:
        """Return a connection with the Secret that it names, as far as that may be read."""
        raw = self.cluster.instance(name)
        reference = _secret_of(raw)
        if reference is None:
            return Current(raw)
        try:
            return Current(raw, _seen(self.cluster.kube.read(WHOLE_SECRETS, self.namespace, reference)))
        except ApiError as error:
            if error.status not in {NOT_FOUND, FORBIDDEN}:
                raise self.cluster.explained(error, f"Secret '{reference}'") from error
            return Current(raw, is_secret_gone=error.gone)

    def secret(self, name: str) -> Raw | None:
        """Return a Secret with its values, None where there is none or it may not be read."""
        try:
            return self.cluster.kube.read(WHOLE_SECRETS, self.namespace, name)
        except ApiError as error:
            if error.status in {NOT_FOUND, FORBIDDEN}:
                return None
            raise self.cluster.explained(error, f"Secret '{name}'") from error

    def secret_answer(self, name: str) -> SecretAnswer:
        """Return a Secret's decoded data, to test with."""
        try:
            raw = self.cluster.kube.read(WHOLE_SECRETS, self.namespace, name)
        except ApiError as error:
            if error.gone:
                return SecretAnswer(SecretState.NOT_FOUND)
            if error.status == FORBIDDEN:
                return SecretAnswer(SecretState.FORBIDDEN)
            raise self.cluster.explained(error, f"Secret '{name}'") from error
        return SecretAnswer(
            SecretState.FOUND,
            uid=raw["metadata"]["uid"],
            version=raw["metadata"]["resourceVersion"],
            type=raw.get("type") or "",
            data={key: base64.b64decode(value or "") for key, value in (raw.get("data") or {}).items()},
        )

    def exists(self, resource: Resource, name: str) -> bool:
        """Tell whether there is an object of that name; not where that may not be seen."""
        try:
            self.cluster.kube.read(resource, self.namespace, name)
        except ApiError as error:
            if error.status in {NOT_FOUND, FORBIDDEN}:
                return False
            raise self.cluster.explained(error, f"{resource.kind} '{name}'") from error
        return True

    # Writing

    def create_secret(self, manifest: Mapping[str, Any], *, dry: bool = False) -> Written:
        """Create a Secret. One that exists is never overwritten: HubError."""
        raw = self._write(
            "POST", WHOLE_SECRETS, manifest, WHOLE_SECRETS.path(self.namespace), query=_query(dry=dry)
        )
        return Written(WHOLE_SECRETS, raw)

    def delete_secret(self, written: Written) -> None:
        """Delete a Secret that this run has created, and no other of its name."""
        metadata = written.raw["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": metadata["uid"]},
        }
        path = WHOLE_SECRETS.path(self.namespace, metadata["name"])
        self.cluster.kube.call("DELETE", path, body=options)

    def apply_instance(
        self, manifest: Mapping[str, Any], *, dry: bool = False, with_secret: bool = False
    ) -> Written:
        """Apply a new instance on the server's side, as ours; `with_secret`: a Secret is to be created besides."""
        path = INSTANCES.path(self.namespace, manifest["metadata"]["name"])
        rights = f"'create' and 'patch' {INSTANCES.plural}"  # an apply is a PATCH of what there is not yet
        raw = self._write(
            "PATCH",
            INSTANCES,
            manifest,
            path,
            query=_query(dry=dry),
            content_type=APPLY,
            deed=Deed("create", rights + (", and to 'create' secrets" if with_secret else "")),
        )
        return Written(INSTANCES, raw)

    def change(
        self,
        resource: Resource,
        before: Mapping[str, Any],
        patch: Mapping[str, Any],
        *,
        dry: bool = False,
    ) -> Written:
        """Change fields of an object whose content nobody has changed since it was read.

        What others have written into its status or metadata meanwhile, as the operator does at each test, is no
        obstacle: it stays as they wrote it.
        """
        metadata = before["metadata"]
        path = resource.path(self.namespace, metadata["name"])
        version: str | None = metadata["resourceVersion"]
        for left in reversed(range(_CHANGE_TRIES)):
            whole = {"metadata": {"resourceVersion": version}, **patch}
            try:
                raw = self._write(
                    "PATCH", resource, whole, path,
                    query=_query(dry=dry), content_type=MERGE, name=metadata["name"],
                )  # fmt: skip
            except HubError as error:
                is_conflict = isinstance(error.__cause__, ApiError) and error.__cause__.status == CONFLICT
                version = self._version_if_same(resource, before) if is_conflict and left else None
                if version is None:
                    raise
            else:
                return Written(resource, raw)
        raise AssertionError("the last attempt returns or raises")

    def _version_if_same(self, resource: Resource, before: Mapping[str, Any]) -> str | None:
        """Return the version that an object has now, None where its content is not the same any more."""
        try:
            now = self.cluster.kube.read(resource, self.namespace, before["metadata"]["name"])
        except ApiError:
            return None
        same = all(now.get(field) == before.get(field) for field in _CONTENT)
        is_it = now["metadata"]["uid"] == before["metadata"]["uid"]
        return str(now["metadata"]["resourceVersion"]) if same and is_it else None

    def _write(  # noqa: PLR0913
        self,
        method: str,
        resource: Resource,
        body: Mapping[str, Any],
        path: str,
        *,
        query: Mapping[str, str],
        content_type: str = "application/json",
        name: str = "",
        deed: Deed | None = None,
    ) -> Raw:
        named = f"{resource.kind} '{name or body['metadata']['name']}' in namespace '{self.namespace}'"
        try:
            return self.cluster.kube.call(method, path, query=query, body=body, content_type=content_type)
        except ApiError as error:
            verb = "create" if method == "POST" else "patch"
            deed = deed or Deed(verb, f"'{verb}' {resource.plural}")
            raise self._refused(error, method, resource, named, deed) from error

    def _refused(self, error: ApiError, method: str, resource: Resource, named: str, deed: Deed) -> HubError:
        """Return why an object was not written. The API server's words about a Secret are not repeated."""
        is_secret = resource is WHOLE_SECRETS
        if error.status == INVALID or is_policy(error):
            return HubError(
                f"The API server refuses {named}.",
                why="" if is_secret else str(error),
                todo=POLICY if is_policy(error) else "",
            )
        if error.status == FORBIDDEN:
            return UnreachableError(
                f"You may not {deed.verb} {named}.",
                todo=f"Ask for the right to {deed.rights}, or write manifests for Git with -o DIR.",
            )
        if error.status == CONFLICT and method == "POST":
            return HubError(
                f"{named} exists already, and is not overwritten.",
                todo="Take another name with --secret-name, or leave --secret-from-file and --secret-from-env out to"
                " use it as it is.",
                code=Exit.USAGE,
            )
        if error.status == CONFLICT:
            return HubError(
                f"{named} was changed by somebody else meanwhile, or is managed by somebody else.",
                why="" if is_secret else str(error),
                todo="Run the command again to see it as it is now.",
            )
        if error.status == NOT_FOUND and not is_secret:
            return HubError(
                f"{named} cannot be written: there is no such namespace, or it is gone.",
                todo=f"Create the namespace with 'kubectl create namespace {self.namespace}', or name another with -n.",
                code=Exit.USAGE,
            )
        return self.cluster.explained(error, named, deed)


def _query(*, dry: bool) -> dict[str, str]:
    return {"fieldManager": MANAGER} | ({"dryRun": "All"} if dry else {})


def _secret_of(instance: Mapping[str, Any]) -> str | None:
    """Return the name of the Secret that an instance names."""
    name: str | None = ((instance["spec"].get("auth") or {}).get("secretRef") or {}).get("name")
    return name


def _seen(raw: Mapping[str, Any]) -> SecretSeen:
    metadata = raw["metadata"]
    times = [entry["time"] for entry in metadata.get("managedFields") or () if entry.get("time")]
    return SecretSeen(
        metadata["name"],
        frozenset(raw.get("data") or {}),
        raw.get("type") or "",
        max(times, default=metadata.get("creationTimestamp", "")),
        keeper_of(metadata),
        any(owner.get("kind") == INSTANCES.kind for owner in metadata.get("ownerReferences") or ()),
    )
