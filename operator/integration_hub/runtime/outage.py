"""Since when something has not worked, and what to do about it: said by /readyz, and once by the log."""

from __future__ import annotations

from collections.abc import Mapping

from integration_hub.adapters.kube import ApiError

WORTH_A_WORD_SECONDS = 90.0
"""Shorter failures heal by themselves: an API server whose node is replaced, a permission that is just being given."""
WORKS_AFTER_SECONDS = 1.0
"""A watch that ends sooner than this did not work, whatever it answered."""

HINTS: Mapping[int, str] = {
    0: "is the API server up, and are its address and certificate authority right in the kubeconfig?",
    401: "the API server does not accept the kubeconfig's credentials: log in again, or name another --context",
    403: "allow what deploy/rbac.yaml lists to this user, or run the operator as the service account in that file",
    404: "install the CRDs with 'kubectl apply --server-side -f crds/'",
}
"""What to do about an answer of the API server, by its status; 0 is none."""


def hint(error: ApiError) -> str:
    """Return what to do about a call that failed."""
    return HINTS.get(error.status, "is the API server up, and does it answer 'kubectl version'?")


class Outage:
    """Whether one resource is watched. Times are the loop's, in seconds."""

    def __init__(self, plural: str) -> None:
        """`plural` names the resource."""
        self._plural = plural
        self._since: float | None = None
        """When the first of the failures in a row was; None where the last attempt works."""
        self._answered: float | None = None
        """When the attempt that is under way was answered."""
        self._error: ApiError | None = None
        self._told = False

    def answered(self, now: float) -> None:
        """Take note that a watch was opened: it works when it lasts."""
        self._answered = now

    def failed(self, error: ApiError | None, now: float) -> bool:
        """Take note of a failure (None: a watch that ended at once); tell whether it is time to say so in the log."""
        if self._since is None or self._works(now):
            self._since, self._told = now, False
        self._answered = None
        self._error = error
        due = not self._told and now - self._since >= WORTH_A_WORD_SECONDS
        self._told = self._told or due
        return due

    def over(self) -> bool:
        """Take note of success; tell whether the log has said the contrary before."""
        told, self._told = self._told, False
        self._since = self._error = None
        return told

    def problem(self, now: float) -> str | None:
        """Say for how long the resource has not been watched, and what to do; None while that is not worth a word."""
        if self._since is None or now - self._since < WORTH_A_WORD_SECONDS or self._works(now):
            return None
        seconds = round(now - self._since)
        if self._error is None:
            return (
                f"{self._plural} cannot be watched for {seconds} s: every watch ends as soon as it is opened"
            )
        return f"{self._plural} cannot be watched for {seconds} s: {self._error}: {hint(self._error)}"

    def _works(self, now: float) -> bool:
        return self._answered is not None and now - self._answered >= WORKS_AFTER_SECONDS
