"""Answering admission reviews (admission.k8s.io/v1): what is asked of the cluster for one, and the answer's form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from integration_hub.adapters.kube import DEFINITIONS, ApiError, KubeClient, Requester
from integration_hub.reconcile.admission import (
    Verdict,
    definition_named_by,
    is_unchanged,
    secret_to_ask_about,
    verdict_on_definition,
    verdict_on_instance,
)
from integration_hub.reconcile.definition import CheckedDefinition, check_definition

API: Final = "admission.k8s.io/v1"
INVALID: Final = (422, "Invalid")
FORBIDDEN: Final = (403, "Forbidden")
"""Code and reason of the Status that a refused request is answered with."""
LONGEST_WARNING: Final = 250
"""The API server may drop what is longer than 256 characters."""

log = structlog.get_logger("integration_hub.admission")

Raw = dict[str, Any]


_PARTS: Final = {
    "uid": str,
    "kind": dict,
    "object": dict,
    "oldObject": dict | None,
    "namespace": str,
    "userInfo": dict,
}
"""What of a request is relied on, and its types: who asks is known by nothing but the network."""


class BadReviewError(Exception):
    """What was sent is no AdmissionReview; the message says what is missing."""


class Reviewer:
    """Reviews what is about to be stored."""

    def __init__(self, kube: KubeClient, *, checks_secrets: bool) -> None:
        """`checks_secrets`: whether who names a Secret in an instance must have the right to read it."""
        self._kube = kube
        self._checks_secrets = checks_secrets

    async def review(self, review: object) -> Raw:
        """Return the AdmissionReview with the answer to the one that was sent.

        Raises:
            BadReviewError: it is none.

        """
        request = _request_in(review)
        kind, new, old = request["kind"].get("kind"), request["object"], request.get("oldObject")
        if is_unchanged(new, old) or new.get("metadata", {}).get("deletionTimestamp"):
            verdict, status = Verdict(), INVALID
        elif kind == "IntegrationDefinition":
            verdict, status = verdict_on_definition(new), INVALID
        elif kind == "IntegrationInstance":
            verdict, status = await self._instance(new), INVALID
            if verdict.refusal is None and (refused := await self._secret(request, new, old)):
                verdict, status = Verdict(refused, verdict.warning), FORBIDDEN
        else:
            verdict, status = Verdict(), INVALID
        log.debug("reviewed", kind=kind, name=request.get("name"), allowed=verdict.refusal is None)
        return _answer(request["uid"], verdict, status)

    async def _instance(self, raw: Raw) -> Verdict:
        name = definition_named_by(raw)
        definition: CheckedDefinition | None = None
        if name is not None:
            try:
                definition = check_definition(await self._kube.read(DEFINITIONS, "", name))
            except ApiError as error:
                if not error.gone:
                    log.warning("a definition cannot be read", definition=name, error=str(error))
                    said = (
                        f"IntegrationDefinition '{name}' could not be read, so only the operator checks this"
                    )
                    return Verdict(warning=f"{said}.")
        return verdict_on_instance(raw, definition, datetime.now(UTC))

    async def _secret(self, request: Mapping[str, Any], new: Raw, old: Raw | None) -> str | None:
        """Return why the Secret may not be used: whoever can name it lets the connection send what is in it."""
        name = secret_to_ask_about(new, old) if self._checks_secrets else None
        if name is None:
            return None
        namespace, requester = request["namespace"], Requester.of(request.get("userInfo") or {})
        try:
            if await self._kube.may_read_secret(requester, namespace, name):
                return None
        except ApiError as error:
            log.warning("it cannot be asked who may read a Secret", namespace=namespace, error=str(error))
            return (
                "spec.auth.secretRef.name: it could not be asked whether you may read this Secret; try again, and if"
                " that does not help, tell who runs the operator."
            )
        return (
            f"spec.auth.secretRef.name: '{requester.user}' may not 'get' Secret '{name}' in namespace '{namespace}',"
            " and a connection sends what is in it. Ask for that right, or have it applied by somebody who has it."
        )


def _request_in(review: object) -> Mapping[str, Any]:
    """Return the request of a review whose parts are of the types that are relied on."""
    request = review.get("request") if isinstance(review, dict) and review.get("apiVersion") == API else None
    if not isinstance(request, dict):
        raise BadReviewError(f"not an AdmissionReview of {API} with a request")
    whole = {"namespace": "", "userInfo": {}, "oldObject": None, **request}
    for name, kinds in _PARTS.items():
        if not isinstance(whole.get(name), kinds):
            raise BadReviewError(f"request.{name} is missing, or not what it should be")
    for name in ("object", "oldObject"):
        for part in ("metadata", "spec"):
            if not isinstance((whole[name] or {}).get(part), dict | None):
                raise BadReviewError(f"request.{name}.{part} is no object")
    return whole


def _answer(uid: str, verdict: Verdict, status: tuple[int, str]) -> Raw:
    response: Raw = {"uid": uid, "allowed": verdict.refusal is None}
    if verdict.refusal is not None:
        code, reason = status
        response["status"] = {"code": code, "reason": reason, "message": verdict.refusal}
    if verdict.warning is not None:
        response["warnings"] = [_cut(verdict.warning)]
    return {"apiVersion": API, "kind": "AdmissionReview", "response": response}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WARNING else f"{text[: LONGEST_WARNING - 1]}…"
