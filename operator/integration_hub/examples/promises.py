"""Compare what an example promises with what the instances say. Pure: no cluster, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from integration_hub.examples.declaration import Promise

Key = tuple[str, str]
"""Namespace and name."""

NO_VERDICT = "no verdict yet"


class Verdict(NamedTuple):
    """What an instance says of itself."""

    ready: str
    reason: str
    identity: str
    message: str


def verdicts(instances: Iterable[Mapping[str, Any]]) -> dict[Key, Verdict]:
    """Return the verdict of each instance that has one about its current generation."""
    found: dict[Key, Verdict] = {}
    for instance in instances:
        metadata, status = instance["metadata"], instance.get("status", {})
        ready = next((item for item in status.get("conditions", ()) if item["type"] == "Ready"), None)
        # A verdict about an older generation says nothing of what was applied just now.
        if ready is not None and status.get("observedGeneration") == metadata["generation"]:
            found[metadata["namespace"], metadata["name"]] = Verdict(
                ready["status"], ready["reason"], status.get("identity", ""), ready["message"]
            )
    return found


def is_kept(promise: Promise, found: Verdict | None) -> bool:
    """Whether the instance says what was promised."""
    return (
        found is not None
        and (found.ready, found.reason) == (promise.ready, promise.reason)
        and promise.identity in {None, found.identity}
        and all(text in found.message for text in promise.message)
    )


def broken(promises: Iterable[Promise], found: Mapping[Key, Verdict]) -> list[Promise]:
    """Return the promises that are not kept."""
    return [
        promise for promise in promises if not is_kept(promise, found.get((promise.namespace, promise.name)))
    ]


def comparison(promises: Iterable[Promise], found: Mapping[Key, Verdict]) -> str:
    """Return a table of promised and found. Messages are long, so they stand below one another."""
    lines = []
    for promise in promises:
        key = (promise.namespace, promise.name)
        verdict = found.get(key)
        kept = is_kept(promise, verdict)
        lines.append(f"{'kept' if kept else 'BROKEN':<8}{'/'.join(key)}")
        promised = _text(promise.ready, promise.reason, promise.identity or "", " ... ".join(promise.message))
        lines.append(f"{'':8}promised  {promised}")
        lines.append(f"{'':8}found     {_text(*verdict) if verdict else NO_VERDICT}")
    return "\n".join(lines)


def _text(ready: str, reason: str, identity: str, message: str) -> str:
    return (
        f"Ready={ready} {reason}"
        + (f" as {identity}" if identity else "")
        + (f": {message}" if message else "")
    )
