"""What status tells of the credential in use, when it needs attention, and when a person is warned of its end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from integration_hub.credentials.lifetime import act_by, end_words, next_warning, still_warned, warning_due
from integration_hub.model.instance import CredentialStatus, InstanceStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Notice
from integration_hub.reconcile.times import parse_timestamp, timestamp

STORE_ANEW: Final = "Before then, store a new one in the Secret."


def told(
    before: CredentialStatus | None,
    now_known: CredentialStatus,
    now: datetime,
    passed: timedelta = timedelta(0),
    *,
    remedy: str = STORE_ANEW,
) -> tuple[CredentialStatus, Notice | None]:
    """Return what status says of the credential, and the warning that has fallen due.

    `passed` is the time since what was known before was found; `remedy` is what a person does about this credential.
    """
    ends_at = ends(now_known)
    warned = still_warned(before.warned_days, ends(before), ends_at, passed) if before is not None else None
    if ends_at is None:
        return now_known, None
    days = warning_due(ends_at, now, warned)
    status = now_known.model_copy(update={"warned_days": days or warned})
    if days is None:
        return status, None
    message = f"The credential ends {end_words(ends_at)}, and the operator cannot renew it. {remedy}"
    return status, Notice(Reason.CREDENTIAL_EXPIRES_SOON, message, warning=True)


def ends(credential: CredentialStatus) -> datetime | None:
    """Return by when a person must act, None where nobody must, or nobody knows."""
    return act_by(
        parse_timestamp(credential.expires_at),
        parse_timestamp(credential.renews_at),
        parse_timestamp(credential.authorization_expires_at),
    )


def attention(status: InstanceStatus, now: datetime) -> datetime | None:
    """Return when credentials need attention next: renewed, asked for anew, warned of, or at their end.

    What was due before was seen to just now, or cannot be: whoever came back for it at once would never rest.
    """
    moments: list[datetime | None] = []
    if status.authorization is not None:
        moments.append(parse_timestamp(status.authorization.expires_at))
    if status.credential is not None:
        moments.append(parse_timestamp(status.credential.renews_at))
        moments.append(parse_timestamp(status.credential.expires_at))
        ends_at = ends(status.credential)
        # To the second: as early as its last one, the warning would not be due yet.
        moments.append(next_warning(ends_at, now) if ends_at is not None else None)
    return earliest(moment for moment in moments if moment is not None and moment > now)


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """Return the first of the moments that are known."""
    return min((moment for moment in moments if moment is not None), default=None)


def written(moment: datetime | None) -> str | None:
    """Return a moment as status has it."""
    return timestamp(moment) if moment is not None else None
