"""What `hub status` says of an instance: the cause first, remedy, evidence, what to type next. No clock, no I/O.

It is worked out from what the API server has, as plain data; nothing is asked of the external system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from integration_hub.forms.ownership import keeper_of
from integration_hub.model import names as c
from integration_hub.model.reasons import REASONS, Reason

Raw = dict[str, Any]

NOT_SEEN = "NotSeen"
"""Our own word for an instance that no operator has said anything of."""

_CONSENT = frozenset(
    {
        Reason.AUTHORIZATION_REQUIRED,
        Reason.AUTHORIZATION_DENIED,
        Reason.AUTHORIZATION_FAILED,
        Reason.REAUTHENTICATION_REQUIRED,
    }
)
_COMMANDS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    NOT_SEEN: (("check",),),
    Reason.SUSPENDED: (("resume", "NAME", "-n", "NAMESPACE"),),
    Reason.DEFINITION_NOT_FOUND: (("get", "definitions"),),
    Reason.DEFINITION_INVALID: (("get", "definitions", "DEFINITION", "-o", "wide"),),
    Reason.CONNECTED: (("test", "NAME", "-n", "NAMESPACE"),),
    Reason.KEYRING_UNAVAILABLE: (("check",),),
    **dict.fromkeys(_CONSENT, (("authorize", "NAME", "-n", "NAMESPACE"),)),
}
"""What to type next, by the reason of Ready."""
_ELSE: tuple[tuple[str, ...], ...] = (("test", "NAME", "-n", "NAMESPACE"),)


def report_of(raw: Mapping[str, Any], now: datetime) -> Raw:
    """Return the report as data, in the order in which it is told."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    ready = ready_of(raw)
    is_behind = bool(ready) and status.get("observedGeneration") not in {None, metadata.get("generation")}
    reason = ready.get("reason") or NOT_SEEN
    names = {
        "NAME": metadata["name"],
        "NAMESPACE": metadata["namespace"],
        "DEFINITION": (spec.get("definitionRef") or {}).get("name", ""),
    }
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "definition": names["DEFINITION"],
        "ready": ready.get("status") or "Unknown",
        "reason": reason,
        "message": ready.get("message") or _unseen(is_new=not ready),
        "remedy": _remedy(reason, ready.get("message") or "", status.get("tests") or []),
        "since": ready.get("lastTransitionTime"),
        "upToDate": bool(ready) and not is_behind,
        "managedBy": keeper_of(raw["metadata"]),
        "identity": status.get("identity"),
        "authorization": status.get("authorization"),
        "test": failing_test(status, reason),
        "tests": [_test(test) for test in status.get("tests") or []],
        "credential": _credential(spec, status),
        "lastTested": status.get("lastTested"),
        "nextTest": status.get("nextTestTime"),
        "history": list(status.get("history") or []),
        "next": [[names.get(word, word) for word in words] for words in _next(reason)],
        "exitCode": 0 if is_ready(raw) else 1,
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def ready_of(raw: Mapping[str, Any]) -> Raw:
    """Return the condition Ready, empty where there is none."""
    conditions = (raw.get("status") or {}).get("conditions") or []
    return next((dict(entry) for entry in conditions if entry.get("type") == c.READY), {})


def is_ready(raw: Mapping[str, Any]) -> bool:
    """Tell whether the operator says that it works, of the object as it is now."""
    seen = (raw.get("status") or {}).get("observedGeneration")
    return ready_of(raw).get("status") == "True" and seen in {None, raw["metadata"].get("generation")}


def failing_test(status: Mapping[str, Any], reason: str) -> Raw | None:
    """Return the test that explains why an instance is not ready, with its stages; None where no test does."""
    tests = status.get("tests") or []
    found = next((t for t in tests if t.get("result") != "Success" and t.get("reason") == reason), None)
    return None if found is None else _test(found) | {"stages": list(found.get("stages") or [])}


def _unseen(*, is_new: bool) -> str:
    return "No operator has said anything of this instance yet." if is_new else ""


def _remedy(reason: str, message: str, tests: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what to do, where the message does not say it already, in these words or in those of a test."""
    if reason == NOT_SEEN:
        return "See whether the operator runs and watches this namespace."
    remedy = REASONS[Reason(reason)].remedy if reason in set(Reason) else ""
    told = [remedy, *(test["hint"] for test in tests if test.get("reason") == reason and test.get("hint"))]
    return remedy if remedy and not any(words in message for words in told) else None


def _next(reason: str) -> tuple[tuple[str, ...], ...]:
    own = _COMMANDS.get(reason, _ELSE)
    is_explained = reason in set(Reason) and reason != Reason.CONNECTED
    return (*own, ("explain", reason)) if is_explained else own


def _test(test: Mapping[str, Any]) -> Raw:
    kept = (
        "name",
        "result",
        "reason",
        "message",
        "since",
        "time",
        "durationMilliseconds",
        "streak",
        "lastResult",
    )
    return {key: test[key] for key in kept if test.get(key) is not None}


def _credential(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Raw | None:
    """Return where the credential is and when it ends; never what it is."""
    secret = ((spec.get("auth") or {}).get("secretRef") or {}).get("name")
    known = status.get("credential") or {}
    parts = {
        "secret": secret,
        "type": status.get("authType"),
        "expiresAt": known.get("expiresAt"),
        "renewsAt": known.get("renewsAt"),
        "authorizationExpiresAt": known.get("authorizationExpiresAt"),
        "scopes": known.get("scopes") or None,
    }
    found = {key: value for key, value in parts.items() if value is not None}
    return found or None
