"""The Secret for workloads, kept as it should be: created, replaced where it differs, and taken away again.

Nothing is written over that is not this instance's: whoever has a Secret of that name already, keeps it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import structlog

from integration_hub.adapters.kube import SECRETS, ApiError, KubeClient
from integration_hub.adapters.kube_api import CONFLICT, NOT_FOUND
from integration_hub.auth.flow import CredentialProblem
from integration_hub.model.base import API_VERSION, GROUP
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import BindingAnswer, KeepBinding
from integration_hub.shell.record_names import uid_of_record
from integration_hub.shell.vault import LABELS, Owner

BINDING_OF_LABEL: Final = f"{GROUP}/binding-of"

MAX_CONFLICTS: Final = 5
"""Writes that somebody else's got in the way of, before it is looked at anew."""

_TOO_MANY, _SERVER = 429, 500
_KEPT = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
)
"""Of the metadata of a Secret of ours: what others have added, like an annotation of a reloader, stays."""

log = structlog.get_logger("integration_hub.binding")


class BindingKeeper:
    """Keeps Secrets for workloads, each for one instance."""

    def __init__(self, kube: KubeClient, *, keyring: tuple[str, str] | None = None) -> None:
        """`keyring` is namespace and name of the Secret with the operator's keys, None where no Secret holds them."""
        self._kube = kube
        self._keyring = keyring

    async def keep(self, owner: Owner, effect: KeepBinding, *, source: str | None = None) -> BindingAnswer:
        """Let the Secret hold exactly this, or take it away.

        ApiError where the API server cannot tell.

        Args:
            owner: the instance that it is for.
            effect: what it holds; without data it is taken away, unless it is not the instance's.
            source: name of the Secret that the credentials are from (spec.auth.secretRef).

        """
        reserved = self._reserved(owner, effect.name, source)
        if reserved:
            return BindingAnswer() if effect.data is None else _taken(effect.name, reserved)
        for _ in range(MAX_CONFLICTS):
            try:
                return await self._once(owner, effect)
            except ApiError as error:
                if error.status in {CONFLICT, NOT_FOUND}:
                    continue  # it has changed, or come, or gone, since it was read
                if error.status == _TOO_MANY or not error.status or error.status >= _SERVER:
                    raise
                return _forbidden(owner, effect, error)
        raise ApiError(CONFLICT, "Conflict", f"Secret '{effect.name}' changes all the time")

    def _reserved(self, owner: Owner, name: str, source: str | None) -> str | None:
        """Return what else a Secret of that name is for, None where it is free for workloads."""
        if name == source:
            return "holds the credentials that this connection is made with (spec.auth.secretRef)"
        if uid_of_record(name) is not None:
            return "has a name that the operator keeps for what it obtains itself"
        if (owner.namespace, name) == self._keyring:
            return "holds the operator's keys"
        return None

    async def _once(self, owner: Owner, effect: KeepBinding) -> BindingAnswer:
        found = await self._read(owner.namespace, effect.name)
        if found is not None and not _is_of(owner, found):
            return BindingAnswer() if effect.data is None else _taken(effect.name, _holder(owner, found))
        if effect.data is None:
            if found is not None:
                await self._delete(owner, found)
                log.info("a Secret for workloads was taken away", secret=f"{owner.namespace}/{effect.name}")
            return BindingAnswer()
        wanted = _manifest(owner, effect.name, effect.type, effect.data)
        if found is not None and _says(found, wanted):
            return BindingAnswer(version=found["metadata"]["resourceVersion"])
        if found is not None and _is_fixed(found, wanted):
            await self._delete(owner, found)
            found = None
        if found is None:
            written = await self._kube.create_secret(owner.namespace, wanted)
        else:
            written = await self._kube.replace_secret(owner.namespace, _merged(found, wanted))
        log.info("a Secret for workloads was written", secret=f"{owner.namespace}/{effect.name}")
        return BindingAnswer(version=written["metadata"]["resourceVersion"])

    async def _read(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the Secret as it is now: what the store knows of it may be what somebody has changed since."""
        try:
            return await self._kube.read(SECRETS, namespace, name)
        except ApiError as error:
            if error.gone:
                return None
            raise

    async def _delete(self, owner: Owner, found: Mapping[str, Any]) -> None:
        metadata = found["metadata"]
        await self._kube.delete_secret(
            owner.namespace, metadata["name"], uid=metadata["uid"], version=metadata["resourceVersion"]
        )


def _manifest(owner: Owner, name: str, type_: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": type_,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {**LABELS, BINDING_OF_LABEL: owner.uid},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "IntegrationInstance",
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def _is_of(owner: Owner, found: Mapping[str, Any]) -> bool:
    """Tell whether a Secret is the instance's.

    By its UID, since another of the same name is another instance; and as its controller, of which there is one: people
    let Secrets of their own be deleted with an instance, too.
    """
    return any(one.get("uid") == owner.uid and one.get("controller") for one in _references(found))


def _says(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a Secret of ours is as it should be, byte for byte."""
    labels = found["metadata"].get("labels") or {}
    return (
        found.get("type") == wanted["type"]
        and (found.get("data") or {}) == wanted["data"]
        and all(labels.get(name) == value for name, value in wanted["metadata"]["labels"].items())
    )


def _is_fixed(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether the API server lets nobody turn one into the other: a Secret's type can never be changed."""
    return found.get("type") != wanted["type"] or bool(found.get("immutable"))


def _merged(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Secret of ours with the data that it should have, in place of the one that was read."""
    metadata = {name: found["metadata"][name] for name in _KEPT if name in found["metadata"]}
    labels = {**metadata.get("labels", {}), **wanted["metadata"]["labels"]}
    return {**wanted, "metadata": {**metadata, "labels": labels}}


def _references(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    references: list[dict[str, Any]] = found["metadata"].get("ownerReferences") or []
    return references


def _holder(owner: Owner, found: Mapping[str, Any]) -> str:
    """Return whose a Secret is, as far as it tells."""
    references = _references(found)
    holder = next((one for one in references if one.get("controller")), references[0] if references else None)
    if holder is not None and holder.get("uid") == owner.uid:
        return "was made by somebody else, who lets it be deleted with this connection"
    if holder is not None and holder.get("kind") == "IntegrationInstance":
        return f"belongs to IntegrationInstance '{holder.get('name')}' with the UID {holder.get('uid')}"
    if holder is not None:
        return f"belongs to {holder.get('kind')} '{holder.get('name')}'"
    manager = (found["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by")
    return (
        f"is managed by '{manager}'" if manager else "exists already and does not belong to this connection"
    )


def _taken(name: str, why: str) -> BindingAnswer:
    message = f"spec.binding.secretName: Secret '{name}' {why}; it is left as it is."
    return BindingAnswer(CredentialProblem(Reason.BINDING_NAME_TAKEN, message))


def _forbidden(owner: Owner, effect: KeepBinding, error: ApiError) -> BindingAnswer:
    """Say that it may not be done; the API server's own words could repeat what was to be written."""
    verb = "take away" if effect.data is None else "keep"
    message = f"The operator may not {verb} Secret '{effect.name}' in namespace '{owner.namespace}' ({error.reason})."
    return BindingAnswer(CredentialProblem(Reason.BINDING_FORBIDDEN, message))
