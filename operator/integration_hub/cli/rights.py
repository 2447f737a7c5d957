"""Asking an API server what somebody may do, before it is tried."""

from __future__ import annotations

from collections.abc import Mapping

from integration_hub.adapters.kube_blocking import BlockingKube

_REVIEWS = "/apis/authorization.k8s.io/v1/"


def is_allowed(kube: BlockingKube, attributes: Mapping[str, str], *, user: str = "") -> bool:
    """Tell whether whoever asks may do that, or a user that is named (authorization.k8s.io/v1, ResourceAttributes).

    Raises:
        ApiError: it may not be asked, or cannot be.

    """
    kind = "subjectaccessreviews" if user else "selfsubjectaccessreviews"
    spec = {"resourceAttributes": dict(attributes)} | ({"user": user} if user else {})
    answer = kube.call("POST", _REVIEWS + kind, body={"spec": spec})
    return bool((answer.get("status") or {}).get("allowed"))
