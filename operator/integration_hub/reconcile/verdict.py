"""From a test's result to its verdict: what counts only after some results in a row, and since when it counts.

A verdict belongs to inputs. Thresholds compare a result with earlier ones about the same instance, definition and
Secret; after a change the first result decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from integration_hub.model.conditions import truncated
from integration_hub.model.instance import TestStatus, VerdictChange
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.probe.diagnose import Diagnosis
from integration_hub.reconcile.schedule import Pace
from integration_hub.reconcile.suite import SuiteTest, Thresholds
from integration_hub.reconcile.times import parse_timestamp, timestamp

MAX_HISTORY = 10

_SAME_MOMENT = timedelta(minutes=1)

NOT_TRIED = frozenset({Reason.HOST_UNAVAILABLE, Reason.WAITING_FOR_QUOTA})
"""Reasons of tests of which nothing was sent, because of what the host has done before."""


class Result(NamedTuple):
    """What a test has found, when it ended, and how long it took."""

    diagnosis: Diagnosis
    time: datetime
    seconds: float


def judge(
    test: SuiteTest, result: Result, *, held: TestStatus | None, before: TestStatus | None
) -> TestStatus:
    """Return how the test stands after a result.

    `held` is how it stood, if that was about the same inputs; `before` is how it stood about any. `next_time` is left
    to the schedule.
    """
    diagnosis, now = result.diagnosis, timestamp(result.time)
    streak = 1
    if held is not None and _succeeded(held.last_result) == _succeeded(diagnosis.result):
        streak = held.streak + 1
    made = {
        "last_result": diagnosis.result,
        "last_reason": diagnosis.reason,
        "credential_expires_at": _credential_end(diagnosis, held),
        "streak": streak,
        "time": now,
        "duration_ms": round(result.seconds * 1000),
        "stages": list(diagnosis.stages),
    }
    if held is not None and not _decides(held, diagnosis, streak, test.thresholds):
        return held.model_copy(update=made)
    same = before is not None and before.result == diagnosis.result
    return TestStatus(
        name=test.name,
        result=diagnosis.result,
        reason=diagnosis.reason,
        message=truncated(diagnosis.message),
        hint=diagnosis.hint,
        since=before.since if before is not None and same else now,
        **made,
    )


def _credential_end(diagnosis: Diagnosis, held: TestStatus | None) -> str | None:
    """Return when the credential ends as the test tells; what an answer does not tell stays as the last one told it."""
    end, before = diagnosis.credential_end, held.credential_expires_at if held is not None else None
    if end is None or end.unreadable:
        return before
    if end.ends_at is None:
        return None
    known = parse_timestamp(before)
    # Who reckons it anew at each answer is a second off; that is no news, and nothing to write.
    same = known is not None and abs(end.ends_at - known) < _SAME_MOMENT
    return before if same else timestamp(end.ends_at)


def next_time(status: TestStatus, pace: Pace, again_in: float | None) -> datetime:
    """Return when a test is made again that has just been made and now stands so."""
    if status.last_result != "Success":
        return pace.after_failure(Reason(status.last_reason or status.reason), status.streak, again_in)
    # A success that does not count yet is followed up soon, so that recovery takes no longer than it must.
    return pace.regular() if status.result == "Success" else pace.soon(status.streak)


def changed(before: TestStatus | None, after: TestStatus) -> VerdictChange | None:
    """Return what history says of a verdict that is another than before, None where it is the same."""
    if before is not None and (before.result, before.reason) == (after.result, after.reason):
        return None
    return VerdictChange(time=after.time, test=after.name, result=after.result, reason=after.reason)


def doubt(status: TestStatus) -> str:
    """Return what must be added where a verdict is shown that the last result does not support yet, else nothing."""
    if status.last_result == status.result or status.last_result is None:
        return ""
    if status.last_result == "Success":
        return "The last test succeeded; some more in a row are needed before this counts as mended."
    told = "could not tell" if status.last_result == "Unknown" else "failed"
    return f"The last test {told} ({status.last_reason}); some more in a row would change this verdict."


def _succeeded(result: str | None) -> bool:
    return result == "Success"


def _decides(held: TestStatus, diagnosis: Diagnosis, streak: int, thresholds: Thresholds) -> bool:
    """Tell whether a result changes the verdict that is held about the same inputs, or renews it."""
    if diagnosis.result == "Success":
        return held.result == "Success" or streak >= thresholds.recovery
    if held.result == "Success":
        if diagnosis.result == "Unknown":
            return streak >= thresholds.unknown
        # What only a person can mend is no passing weakness.
        return REASONS[diagnosis.reason].course is not Course.RETRYING or streak >= thresholds.failure
    if diagnosis.reason in NOT_TRIED and held.reason not in NOT_TRIED:
        # What the host did stays told. Else a host that is asked too often would be news at each test: limited,
        # not asked, limited.
        return False
    # Who could not tell takes nothing back that somebody could.
    return diagnosis.result == "Failure" or held.result == "Unknown"
