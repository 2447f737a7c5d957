"""When what we have ends, when it is renewed ahead of that, and when a person is warned. Arithmetic on given times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from integration_hub.model.tokens import Tokens

WARNINGS: Final = (14, 3)
"""How many days ahead of an end a person is warned, the earliest first."""

_JITTER: Final = 0.05
"""Renewals are spread by this share of the life to either side: tokens obtained together are not renewed together."""
_SHORT_LIFE: Final = timedelta(seconds=60)
_SHORT_LIFE_SHARE: Final = 0.5
"""Of a short life at least this much is used: to renew earlier would ask the token URL without end."""
_LEEWAY: Final = timedelta(seconds=30)
"""A token that ends sooner could end on its way, or be judged by a clock that is ahead of ours."""
_LEEWAY_SHARE: Final = 0.02
"""The leeway is at most this part of a life: less than what the latest renewal leaves of it."""
_SAME_END: Final = timedelta(hours=1)
"""One end that is told anew as 'so many seconds from now' is never quite the same."""


def renewal_time(tokens: Tokens, share: float, phase: float) -> datetime | None:
    """Return when tokens are renewed: once `share` of their life is over, a little sooner or later by `phase`.

    `phase` is from 0 up to 1 and the instance's own, so the time is the same after a restart. It is always within the
    life. None where there is no such time: no end is known, or the tokens were over when they came, and must be
    obtained anew when they are needed. Whether they can be renewed at all is not asked here.
    """
    if tokens.expires_at is None or tokens.expires_at <= tokens.obtained_at:
        return None
    life = tokens.expires_at - tokens.obtained_at
    spread = min(_JITTER, (1 - share) / 2)  # so that even the latest leaves something of the life
    part = share + spread * (2 * phase - 1)
    if life < _SHORT_LIFE:
        part = max(part, _SHORT_LIFE_SHARE)
    return tokens.obtained_at + life * part


def is_alive(tokens: Tokens, now: datetime, leeway: timedelta = _LEEWAY) -> bool:
    """Return whether the access token can still be used. Where no end is known only its refusal tells otherwise."""
    if tokens.expires_at is None:
        return True
    life = max(tokens.expires_at - tokens.obtained_at, timedelta(0))
    return now < tokens.expires_at - min(leeway, life * _LEEWAY_SHARE)


def consent_end(tokens: Tokens, before: Tokens | None = None) -> datetime | None:
    """Return when a person must consent again, where that is known. `before` were renewed to these.

    A refresh token's end that each renewal puts off is no such end: the operator goes on for as long as it renews.
    Before the first renewal nobody can tell; then an end that is nearer than the first warning is taken for one that
    will be put off. Ends of sessions are, and are hours or days away; ends of consent are months away.
    """
    ends_at = tokens.refresh_expires_at
    if ends_at is None:
        return None
    if before is None or before.refresh_expires_at is None:
        return ends_at if ends_at - tokens.obtained_at > timedelta(days=WARNINGS[0]) else None
    put_off = ends_at - before.refresh_expires_at > (tokens.obtained_at - before.obtained_at) / 2
    return None if put_off else ends_at


def act_by(
    expires_at: datetime | None, renews_at: datetime | None, authorization_expires_at: datetime | None
) -> datetime | None:
    """Return by when a person must act, of the times that `status.credential` has; None where nobody must.

    What the operator renews by itself is nobody's concern; what it cannot renew for ever is, even while it does.
    """
    ends = (expires_at if renews_at is None else None, authorization_expires_at)
    return min((end for end in ends if end is not None), default=None)


def warning_due(ends_at: datetime, now: datetime, warned: int | None) -> int | None:
    """Return of which warning (14 or 3 days ahead) a person must be told now, None for none.

    `warned` is the last warning about this end: hand in what `still_warned` returns. An end that is seen for the first
    time in its last three days is warned of once; one that is over is not: it shows by what it breaks.
    """
    left = ends_at - now
    due = min((days for days in WARNINGS if left <= timedelta(days=days)), default=None)
    if due is None or left <= timedelta(0):
        return None
    # A warning that is not due yet was about another end, or our clock was put back a little.
    if warned is not None and warned <= due and left <= timedelta(days=warned) + _SAME_END:
        return None
    return due


def still_warned(
    warned: int | None,
    before: datetime | None,
    ends_at: datetime | None,
    passed: timedelta = timedelta(0),
) -> int | None:
    """Return what was warned of this end: nothing where `warned` is about `before` and that was another end.

    `passed` is the time since `before` was told. An end that is put off by as much is the same: so many days after the
    last use, say.
    """
    if before is None or ends_at is None:
        return None
    return warned if -_SAME_END <= ends_at - before <= _SAME_END + passed else None


def next_warning(ends_at: datetime, now: datetime) -> datetime | None:
    """Return when the next warning falls due after now, None where none is left."""
    return min((at for days in WARNINGS if (at := ends_at - timedelta(days=days)) > now), default=None)


def end_words(ends_at: datetime) -> str:
    """Return when something ends, for a message: the date alone. A count of days would change it every day."""
    return f"on {ends_at.astimezone(UTC):%Y-%m-%d} (UTC)"
