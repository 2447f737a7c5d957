"""How much of us one external host gets: how often, how much at once, and when nothing at all.

State machines without I/O: who calls says what time it is, in seconds of a clock that never goes back. Three things
stand between a request and its host, asked in this order: the pause that the host wished for, the breaker that opens
where it is down, and the line in which those wait who are too many.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from integration_hub.model.http import FailureKind, HttpResponse, Outcome
from integration_hub.probe.rate_limits import asked_pause


@dataclass(frozen=True, slots=True)
class Limits:
    """What one host is spared. Seconds, where not said otherwise."""

    concurrency: int = 8
    """Requests at once."""
    per_second: float = 10.0
    """Requests begun in a second, in the long run."""
    burst: int = 10
    """Requests begun at once after a time of rest."""
    open_after: int = 5
    """Failures in a row, of whatever instances, that say that the host is down."""
    first_open: float = 10.0
    longest_open: float = 300.0
    """For how long nobody knocks at a host that is down: at first, and after it has doubled again and again."""
    probe_spacing: float = 1.0
    """Between two requests that find out whether it is back, whoever waits for them."""
    first_pause: float = 5.0
    longest_doubled_pause: float = 300.0
    """The same for a host that answers 429 without saying for how long."""
    longest_pause: float = 3600.0
    """For how long a host is believed that wants to be left alone."""

    def __post_init__(self) -> None:
        """Refuse what would let nothing through."""
        if min(self.concurrency, self.burst, self.open_after) < 1 or self.per_second <= 0:
            raise ValueError("a host must be allowed at least one request")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may be sent now; `ended` must be told how it went, also where it was cancelled."""

    probe: bool = False
    """Whether it is the one that finds out whether a host that was down is back."""


@dataclass(frozen=True, slots=True)
class Later:
    """The request is one too many now. Who comes back after so many seconds has kept a place in the line."""

    seconds: float
    why: Literal["rate", "concurrency"]


@dataclass(frozen=True, slots=True)
class Refused:
    """The host is to be left alone. The phrase stays the same for as long as the cause does."""

    kind: FailureKind
    again_in: float
    detail: str


DOWN_FAILURES: dict[FailureKind, str] = {
    FailureKind.DNS_TIMEOUT: "its name could not be looked up in time",
    FailureKind.DNS_FAILED: "its name could not be looked up",
    FailureKind.CONNECTION_REFUSED: "it refused the connection",
    FailureKind.UNREACHABLE: "there was no route to it",
    FailureKind.CONNECT_TIMEOUT: "it did not answer the attempt to connect",
    FailureKind.TLS_TIMEOUT: "it did not finish the TLS handshake",
    FailureKind.RESPONSE_TIMEOUT: "it did not answer in time",
    FailureKind.CONNECTION_LOST: "it ended the connection without an answer",
}
"""What says that the host, rather than the request, is in trouble. A bad certificate, for one, comes from a host
that is up."""

DOWN_STATUSES: dict[int, str] = {
    502: "it answered 502 Bad Gateway",
    503: "it answered 503 Service Unavailable",
    504: "it answered 504 Gateway Timeout",
}
"""The same, said by what stands before the host. A 503 that says when to come back is no failure but a wish."""

NOT_SENT = frozenset(
    {
        FailureKind.HOST_NOT_ALLOWED,
        FailureKind.SCHEME_NOT_ALLOWED,
        FailureKind.ADDRESS_NOT_ALLOWED,
        FailureKind.TRUST_INVALID,
        FailureKind.HOST_UNAVAILABLE,
        FailureKind.HOST_PAUSED,
    }
)
"""What never reached the host: it says nothing about it and costs nothing of its budget."""

TOO_MANY_REQUESTS = 429

URGENT_IN_A_ROW = 4
"""So many that a person waits for may overtake the others; then one of those goes. Somebody may ask all the time."""
GRACE = 2.0
"""For how long after its time a place in the line is kept for who does not come."""
LONGEST_LINE = 10_000
"""Who comes to a line of this length is sent away without a place."""
SHORTEST_WAIT = 0.01
SHORTEST_WAIT_FOR_ROOM = 0.05
"""When one of those in flight ends can only be guessed, and each look costs something."""
PROBE_PATIENCE = 10.0
"""When the outcome of a probe is known at the latest, so that nobody asks before."""
FORGOTTEN_AFTER = 3600.0
"""A host that nobody has asked for so long is as good as new."""
_ALMOST_ONE = 1 - 1e-6
"""Who comes back exactly in time must not fail by a rounding error."""


class _Line:
    """Those who were told to come back, in their order, each with the time until which its place is kept."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def drop_expired(self, now: float) -> None:
        """Forget those at the front who did not come; one behind them goes when it has come to the front."""
        while self._kept and next(iter(self._kept.values())) < now:
            del self._kept[next(iter(self._kept))]

    def ahead_of(self, who: Hashable) -> int:
        """Return how many stand before somebody: all of them where he is not in the line."""
        if who not in self._kept:
            return len(self._kept)
        # Who comes back in time stands near the front, so this ends soon.
        return next(place for place, other in enumerate(self._kept) if other == who)

    def keep(self, who: Hashable, until: float) -> None:
        """Give somebody the last place, or let him keep the one that he has."""
        if who in self._kept or len(self._kept) < LONGEST_LINE:
            self._kept[who] = until

    def leave(self, who: Hashable) -> None:
        """Give up a place, if there is one."""
        self._kept.pop(who, None)

    def clear(self) -> None:
        """Send everybody away."""
        self._kept.clear()


class _Breaker:
    """Counts failures in a row, and lets one request at a time find out whether a host that was down is back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.failures = 0
        self._since = ""
        self._words = ""
        self._open_for = 0.0
        """0 while closed."""
        self._open_until = 0.0
        self._probing = False
        self._early = False
        self._probed_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._open_for > 0

    def refusal(self, now: float, *, urgent: bool) -> Refused | None:
        """Return why nothing may be sent now, None where the next request may be sent."""
        if not self.is_open:
            return None
        waits = self._open_until - now
        if self._probing:
            waits = max(waits, self._probed_at + PROBE_PATIENCE - now)
        elif urgent or waits <= 0:
            waits = self._probed_at + self._limits.probe_spacing - now
            if waits <= 0:
                return None
        detail = f"{self._words}, and nothing better since {self._since}"
        return Refused(FailureKind.HOST_UNAVAILABLE, max(waits, SHORTEST_WAIT), detail)

    def begin_probe(self, now: float) -> None:
        """Let one request find out."""
        self._probing = True
        self._early = now < self._open_until
        self._probed_at = now

    def probe_ended(self) -> None:
        """Let the next one find out, if need be."""
        self._probing = False

    def succeeded(self) -> bool:
        """Close. Tell whether it was open."""
        was_open, self.failures, self._open_for = self.is_open, 0, 0.0
        return was_open

    def failed(self, now: float, wall: datetime, words: str, *, was_probe: bool) -> bool:
        """Count. Tell whether that has opened it, or opened it anew."""
        if self.failures == 0:
            self._since = f"{wall:%Y-%m-%dT%H:%M:%SZ}"
        self.failures += 1
        self._words = words
        if not self.is_open:
            if self.failures < self._limits.open_after:
                return False
            self._open_for = self._limits.first_open
        elif was_probe and not self._early:
            # One that was sent early, because a person waits, must not put off the next of all others.
            self._open_for = min(self._open_for * 2, self._limits.longest_open)
        else:
            return False
        self._open_until = now + self._open_for
        # Time for a look at what the failures had in common, also for who waits.
        self._probed_at = now
        return True


class _Pause:
    """What the host has asked for: until when, and in which words."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.until = 0.0
        self._words = ""
        self.next_guess = limits.first_pause

    def refusal(self, now: float) -> Refused | None:
        """Return why nothing may be sent now."""
        if now >= self.until:
            return None
        return Refused(FailureKind.HOST_PAUSED, max(self.until - now, SHORTEST_WAIT), self._words)

    def read(self, now: float, wall: datetime, response: HttpResponse) -> bool:
        """Take in what an answer says. Tell whether it asks for a pause."""
        asked = asked_pause(response, wall, longest=self._limits.longest_pause)
        # What was sent before a pause and is answered in it belongs to what has led to it, and teaches nothing.
        paused = now < self.until
        if response.status != TOO_MANY_REQUESTS and not paused:
            self.next_guess = self._limits.first_pause
        if asked is not None:
            words = f"it answered {response.status} and said for how long to wait"
        elif response.status == TOO_MANY_REQUESTS and not paused:
            asked, words = self.next_guess, "it answered 429 without saying for how long to wait"
            self.next_guess = min(self.next_guess * 2, self._limits.longest_doubled_pause)
        else:
            return False
        if now + asked > self.until:
            self.until, self._words = now + asked, words
        return True


class HostBudget:
    """The budget of one host, shared by all who ask it."""

    def __init__(self, limits: Limits, now: float) -> None:
        """Start with all that a host at rest allows."""
        self._limits = limits
        self._tokens = float(limits.burst)
        self._refilled_at = now
        self._in_flight = 0
        self._mean_seconds = 0.1
        """What a request takes, roughly: when one of those in flight will make room."""
        self._urgent, self._others = _Line(), _Line()
        self._overtaken = 0
        """Urgent requests that have gone since one of the others did, while others waited."""
        self._breaker = _Breaker(limits)
        self._pause = _Pause(limits)
        self._used_at = now

    @property
    def is_open(self) -> bool:
        """Whether the host is taken to be down."""
        return self._breaker.is_open

    @property
    def in_flight(self) -> int:
        """How many requests were admitted and have not ended."""
        return self._in_flight

    def admit(self, now: float, who: Hashable, *, urgent: bool) -> Admitted | Later | Refused:
        """Say whether a request may be sent now.

        `who` is what the same asker gives again when it comes back, and never kept for longer than its place is. An
        urgent one, for which a person waits, overtakes all that are not. It may also be the probe before its time.
        """
        answer = self.turn(now, who, urgent=urgent)
        if answer is not None:
            return answer
        self.leave(who)
        self._overtaken = self._overtaken + 1 if urgent and self._others else 0
        self._tokens -= 1
        self._in_flight += 1
        if self.is_open:
            self._breaker.begin_probe(now)
        return Admitted(probe=self.is_open)

    def turn(self, now: float, who: Hashable, *, urgent: bool) -> Later | Refused | None:
        """Say why a request may not be sent now, as `admit` does, without admitting it; None where it may."""
        self._refill(now)
        refusal = self._pause.refusal(now) or self._breaker.refusal(now, urgent=urgent)
        if refusal is not None:
            self.leave(who)
            return refusal
        later = self._later(who, urgent=urgent)
        if later is not None:
            (self._urgent if urgent else self._others).keep(who, now + later.seconds + GRACE)
        return later

    def admit_control(self, now: float) -> Admitted | Refused:
        """Say whether what was just asked with a credential may be asked without: at once, and paid for afterwards.

        Had it to wait in line, the answer that it belongs to would be in vain, and be asked for again and again where
        many wait. Those in line wait a little longer for it.
        """
        self._refill(now)
        refusal = self._pause.refusal(now) or self._breaker.refusal(now, urgent=False)
        if refusal is not None:
            return refusal
        self._tokens -= 1
        self._in_flight += 1
        return Admitted()

    def control_ended(self) -> None:
        """Take note of its end. How it ended is no sign: who comes without a credential has limits of its own."""
        self._in_flight -= 1

    def leave(self, who: Hashable) -> None:
        """Give up the place of somebody who no longer needs to be admitted."""
        self._urgent.leave(who)
        self._others.leave(who)

    def ended(self, now: float, wall: datetime, outcome: Outcome | None, *, was_probe: bool) -> None:
        """Take in how an admitted request ended; None where it was cancelled, which says nothing of the host.

        `wall` is the time of day at `now`, in UTC.
        """
        self._refill(now)
        self._in_flight -= 1
        if was_probe:
            self._breaker.probe_ended()
        if outcome is None:
            return
        if outcome.failure is not None and outcome.failure.kind in NOT_SENT:
            self._tokens = min(self._tokens + 1, self._limits.burst)
            return
        self._mean_seconds += (outcome.seconds - self._mean_seconds) / 4
        wished = outcome.response is not None and self._pause.read(now, wall, outcome.response)
        words = None if wished else _down_words(outcome)
        if words is None:
            changed = self._breaker.succeeded()
        else:
            changed = self._breaker.failed(now, wall, words, was_probe=was_probe)
        if changed or wished:
            self._begin_slowly(now)

    def is_forgettable(self, now: float) -> bool:
        """Tell whether nothing would be lost if this were replaced by a new one."""
        if self._in_flight:
            return False
        if now - self._used_at > FORGOTTEN_AFTER and now >= self._pause.until:
            return True
        self._refill(now, used=False)
        return (
            self._tokens >= self._limits.burst
            and not self._urgent
            and not self._others
            and not self._breaker.failures
            and now >= self._pause.until
            and self._pause.next_guess == self._limits.first_pause
        )

    def _later(self, who: Hashable, *, urgent: bool) -> Later | None:
        """Return when a place in the line will have come to the front; None where it has."""
        # Its turn is kept beside that of an urgent one, so there must be room for two.
        has_room = min(self._limits.burst, self._limits.concurrency) > 1
        others_turn = has_room and self._overtaken >= URGENT_IN_A_ROW and bool(self._others)
        if urgent:
            ahead = self._urgent.ahead_of(who) + others_turn
        else:
            ahead = self._others.ahead_of(who) + (0 if others_turn else len(self._urgent))
        room = self._limits.concurrency - self._in_flight
        if min(self._tokens, room) - ahead >= _ALMOST_ONE:
            return None
        rate_wait = (1 + ahead - self._tokens) / self._limits.per_second
        room_wait = (1 + ahead - room) * self._mean_seconds / self._limits.concurrency
        if room_wait > rate_wait:
            return Later(max(room_wait, SHORTEST_WAIT_FOR_ROOM), "concurrency")
        return Later(max(rate_wait, SHORTEST_WAIT), "rate")

    def _refill(self, now: float, *, used: bool = True) -> None:
        if now > self._refilled_at:
            filled = self._tokens + (now - self._refilled_at) * self._limits.per_second
            self._tokens = min(filled, float(self._limits.burst))
            self._refilled_at = now
        for line in (self._urgent, self._others):
            line.drop_expired(now)
        if used:
            self._used_at = now

    def _begin_slowly(self, now: float) -> None:
        """Let a host that comes back be asked at the usual rate, without a burst of all who have waited for it."""
        self._tokens = min(self._tokens, 1.0)
        self._refilled_at = max(now, self._pause.until)
        self._urgent.clear()
        self._others.clear()


def _down_words(outcome: Outcome) -> str | None:
    """Return in words what says that the host is down; None where it is not."""
    if outcome.failure is not None:
        return DOWN_FAILURES.get(outcome.failure.kind)
    return DOWN_STATUSES.get(outcome.response.status) if outcome.response is not None else None


class Budgets:
    """The budgets of all hosts. A host at rest has none: it gets a new one, which is the same."""

    def __init__(self, limits: Limits, *, most: int = 10_000) -> None:
        """Start without hosts, and never remember more than `most` of them."""
        self._limits = limits
        self._most = most
        self._table: dict[str, HostBudget] = {}
        self._sweep_at = min(256, most)

    def __len__(self) -> int:
        """Return how many hosts are remembered."""
        return len(self._table)

    def of(self, origin: str, now: float) -> HostBudget:
        """Return the budget of a host, like 'api.example.com:443'."""
        budget = self._table.pop(origin, None)
        if budget is None:
            if len(self._table) >= self._sweep_at:
                self._sweep(now)
            budget = HostBudget(self._limits, now)
        self._table[origin] = budget  # at the end: the first is the one not asked for the longest
        return budget

    def open_hosts(self) -> int:
        """Return how many hosts are taken to be down."""
        return sum(budget.is_open for budget in self._table.values())

    def _sweep(self, now: float) -> None:
        """Forget hosts at rest; where that is not enough, those not asked for the longest, save what is in flight."""
        for origin in [origin for origin, budget in self._table.items() if budget.is_forgettable(now)]:
            del self._table[origin]
        if len(self._table) >= self._most:
            excess = len(self._table) - self._most * 9 // 10  # a tenth at once, so that this is rare
            idle = (origin for origin, budget in self._table.items() if not budget.in_flight)
            for origin in list(islice(idle, excess)):
                del self._table[origin]
        self._sweep_at = min(max(256, 2 * len(self._table)), self._most)
