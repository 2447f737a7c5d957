"""Consent that browsers bring back: handed in by the callback server, taken and settled by the reconcile.

Nothing here asks the API server or the external system, and nothing here grows without end. An instance's UID stands in
each link that was ever shown, so it proves nothing: once a reconcile has told which links are out, whatever else is
brought is refused here, and a flood of made-up callbacks costs nothing. Before that, as after a restart, it costs one
reconcile. Who waits for an outcome may go away at any time: an answer that was handed in is used all the same.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from typing import Literal
from urllib.parse import parse_qs
from uuid import UUID

from integration_hub.model.tokens import ConsentAnswer
from integration_hub.shell.keys import Key

ConsentResult = Literal[
    "connected",
    "not-connected",
    "stored",
    "refused",
    "unknown-link",
    "outdated",
    "not-taken",
    "pending",
    "busy",
]

PATIENCE_SECONDS = 20.0
"""How long a browser waits for what came of it before it is told that the work goes on."""
KEPT_SECONDS = 600.0
"""How long an answer waits to be taken, and its outcome for a page that is loaded again: codes live no longer."""
MOST_ANSWERS = 256
"""Answers that wait at once, for all instances together."""
MOST_FOR_ONE = 4
"""Answers that wait at once for one instance: who knows nothing but its UID takes no more room than this."""
MOST_SETTLED = 256
"""Outcomes that are remembered for pages that are loaded again."""

_STATE = re.compile(r"([0-9a-f]{32})\.[A-Za-z0-9_-]{20,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConsentOutcome:
    """What came of a consent: what a person is told. Nothing in it is the provider's own text or a secret."""

    result: ConsentResult
    """connected; not-connected: consent was given and the connection does not work all the same; stored: it could not
    be tested yet; refused: by the person, an administrator or the provider; unknown-link: never given out, or used
    already; outdated: the connection has changed since, or the link's time is over; not-taken: something must be
    mended before it can be used; pending: the work goes on; busy: the answer was not taken in, and may be handed in
    again."""
    reason: str = ""
    """Of Ready, where there is one."""
    message: str = ""
    namespace: str = ""
    name: str = ""
    display_name: str = ""
    """Of the instance."""
    system: str = ""
    """The definition's display name."""
    identity: str = ""
    """Who the external system says we are, where that is known."""


@dataclass(slots=True, eq=False)
class _Case:
    """One answer, until it is settled."""

    key: Key
    answer: ConsentAnswer
    ends: float
    taken: bool = False
    waiting: int = 0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: ConsentOutcome | None = None


class ConsentDesk:
    """Where answers change hands. Not safe for threads: the operator's loop is its only user."""

    def __init__(
        self,
        find: Callable[[str], Key | None],
        wake: Callable[[Key], object],
        shown: Callable[[Key], str],
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Nothing is expected yet, and none of these may block.

        Args:
            find: returns the instance of a `metadata.uid`.
            wake: has an instance reconciled soon.
            shown: returns the link that an instance's status shows, '' where it shows none: another operator may have
                made it.
            patience: seconds.

        """
        self._find = find
        self._wake = wake
        self._shown = shown
        self._patience = patience
        self._cases: dict[str, _Case] = {}
        """By state, the oldest first."""
        self._taken: dict[Key, _Case] = {}
        """What each instance's reconcile has taken last."""
        self._settled: OrderedDict[str, _Case] = OrderedDict()
        """By state, the oldest first. A state is of no use any more by then."""
        self._expected: dict[Key, tuple[str, ...]] = {}
        """The states of the links that are out, of each instance whose record was looked at."""

    # The callback server's side

    async def hand_in(self, answer: ConsentAnswer) -> ConsentOutcome:
        """Hand in what a browser has brought, and wait for what comes of it; 'pending' where that takes long.

        Whoever brings the same state once more, at once or later, is told the same: the answer is used once.
        """
        key = self._key_of(answer.state)
        if key is None:
            return ConsentOutcome("unknown-link")
        now = _now()
        self._drop_old(now)
        told = self._settled.get(answer.state)
        if told is not None and told.outcome is not None:
            return told.outcome
        case = self._cases.get(answer.state)
        if case is None and self._is_made_up(key, answer.state):
            return ConsentOutcome("unknown-link")
        case = case or self._open(key, answer, now)
        if case is None:
            return _about(key, "busy")
        case.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await case.settled.wait()
        except TimeoutError:
            pass
        finally:
            case.waiting -= 1
        return case.outcome or _about(key, "pending")

    def close(self) -> None:
        """Let nobody wait any longer: the operator stops. What was not taken by now is lost with it."""
        self._patience = 0.0
        for case in self._cases.values():
            case.settled.set()

    def _key_of(self, state: str) -> Key | None:
        match = _STATE.fullmatch(state)
        return self._find(str(UUID(match[1]))) if match else None

    def _is_made_up(self, key: Key, state: str) -> bool:
        """Tell whether a state is certainly in no link that may still come back."""
        expected = self._expected.get(key)
        if expected is None:
            return False
        query = self._shown(key).partition("?")[2].partition("#")[0]
        known = (*expected, *parse_qs(query).get("state", ()))
        return not any(compare_digest(state.encode(), one.encode()) for one in known)

    def _open(self, key: Key, answer: ConsentAnswer, now: float) -> _Case | None:
        """Take an answer in and wake its instance; None where there is no room."""
        if not self._has_room(key):
            return None
        case = self._cases[answer.state] = _Case(key, answer, now + KEPT_SECONDS)
        self._wake(key)
        return case

    def _has_room(self, key: Key) -> bool:
        waiting = sum(not case.taken for case in self._cases.values() if case.key == key)
        if waiting >= MOST_FOR_ONE:
            return False
        if len(self._cases) < MOST_ANSWERS:
            return True
        idle = next((state for state, case in self._cases.items() if case.taken and not case.waiting), None)
        if idle is not None:
            self._drop(idle)
        return idle is not None

    def _drop_old(self, now: float) -> None:
        """Drop what nobody will come for any more."""
        for cases in (self._cases, self._settled):
            for state in [state for state, case in cases.items() if case.ends <= now and not case.waiting]:
                del cases[state]
        self._taken = {key: case for key, case in self._taken.items() if case.answer.state in self._cases}

    def _drop(self, state: str) -> None:
        case = self._cases.pop(state)
        if self._taken.get(case.key) is case:
            del self._taken[case.key]

    # The reconcile's side

    def expect(self, key: Key, states: Iterable[str]) -> None:
        """Learn the states of an instance's links that may still come back; nothing else is taken in from now on.

        Those who wait with another one are told so, and cost no reconcile.
        """
        self._expected[key] = tuple(states)
        waiting = [case for case in self._cases.values() if case.key == key and not case.taken]
        for case in waiting:
            if self._is_made_up(key, case.answer.state):
                del self._cases[case.answer.state]
                self._end(case, ConsentOutcome("unknown-link"))

    def take(self, key: Key) -> ConsentAnswer | None:
        """Return an answer that waits for an instance, the oldest first; each of them only once."""
        case = next((case for case in self._cases.values() if case.key == key and not case.taken), None)
        if case is None:
            return None
        case.taken = True
        self._taken[key] = case
        return case.answer

    def settle(self, key: Key, outcome: ConsentOutcome) -> None:
        """Tell whoever waits what came of the answer that was taken last; nothing where none was.

        Names that the outcome leaves out are the instance's own. Where another answer waits, the instance is woken for
        it.
        """
        case = self._taken.pop(key, None)
        if case is None:
            return
        del self._cases[case.answer.state]
        self._end(case, outcome)
        if outcome.result not in {"unknown-link", "not-taken", "pending", "busy"}:
            # A page that is loaded again shows the same, unless the state is still good. Of a made-up one there is
            # nothing to remember.
            self._settled[case.answer.state] = case
            if len(self._settled) > MOST_SETTLED:
                self._settled.popitem(last=False)
        if any(other.key == key and not other.taken for other in self._cases.values()):
            self._wake(key)

    def forget(self, key: Key) -> None:
        """Drop all that is about a deleted instance; whoever waits is told that the link is of no use."""
        for cases in (self._cases, self._settled):
            for state in [state for state, case in cases.items() if case.key == key]:
                self._end(cases.pop(state), ConsentOutcome("unknown-link"))
        self._taken.pop(key, None)
        self._expected.pop(key, None)

    @staticmethod
    def _end(case: _Case, outcome: ConsentOutcome) -> None:
        is_named = outcome.name or outcome.result == "unknown-link"
        case.outcome = (
            outcome if is_named else replace(outcome, namespace=case.key.namespace, name=case.key.name)
        )
        case.ends = _now() + KEPT_SECONDS
        case.settled.set()


def _about(key: Key, result: ConsentResult) -> ConsentOutcome:
    return ConsentOutcome(result, namespace=key.namespace, name=key.name)


def _now() -> float:
    return asyncio.get_running_loop().time()
