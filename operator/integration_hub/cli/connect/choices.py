"""What can be done once the answers are there: what `hub connect` and `hub edit` ask after each test."""

from __future__ import annotations

from integration_hub.cli.connect.result import Result
from integration_hub.cli.connect.wish import Wish

Choice = tuple[str, str]
"""What it is called in code, and to people."""


def choices(result: Result, wish: Wish, *, failed: bool, managed: bool) -> list[Choice]:
    """Return what can be done, the likeliest first.

    `failed`: the answers were tested in vain; `managed`: a tool keeps the connection, so that it is written for Git.
    """
    edits = result.interview.current is not None
    change = [("answer", "Change an answer")]
    change += [("all", "Go through all questions")] if edits else []
    if result.interview.keys(result.answers):
        change.append(("credentials", "Change the credentials"))
    again = [("test", "Test again" if failed else "Test it")] if failed or edits else []
    stop = [("stop", "Stop, and write nothing")]
    if not result.writes:
        return [*change, *again, *stop]
    go = _ways_to_write(result, wish, on=" all the same" if failed else "", managed=managed)
    return [*change, *again, *go, *stop] if failed else [*go, *change, *again, *stop]


def _ways_to_write(result: Result, wish: Wish, *, on: str, managed: bool) -> list[Choice]:
    loses_values = result.secret_patch is not None  # in a folder
    if wish.has_target:
        return [] if loses_values and wish.folder is not None else [("target", f"Go on{on}")]
    may_apply = result.missing is None or not result.missing.lacks
    ways = [("apply", f"Apply it to the cluster{on}")] if may_apply else []
    ways += [] if loses_values else [("folder", f"Write manifests for Git{on}")]
    return ways[::-1] if managed else ways
