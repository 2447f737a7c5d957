"""Tests that decide about tokens: new ones before they take the place of the old, and old ones that are refused."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.credentials.lifetime import is_alive
from integration_hub.credentials.record import Ending
from integration_hub.model import conditions as c
from integration_hub.model.http import Outcome
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Course, Reason
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import Diagnosis
from integration_hub.reconcile.authentication import Kept, go_on, keep_alive
from integration_hub.reconcile.consent import Consent
from integration_hub.reconcile.execute import Exchanges, make_test
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.inputs import Answer, ConsentResult, Effect, Notice, Postponed
from integration_hub.reconcile.keeper import LOST_PAUSE, TOO_FRESH, Keeper, Renewal
from integration_hub.reconcile.run import SECOND_LOOK, Run
from integration_hub.reconcile.times import parse_timestamp

_UNAUTHORIZED = 401

_SHARE_OF_LIFE = 0.2
"""New tokens that could not be tested wait no larger part of their life for the next test."""


class _Shown(NamedTuple):
    """What is known of new tokens."""

    succeeds: bool = False
    why: str = ""
    """Why they are of no use; '' where nothing tells."""
    again_at: datetime | None = None
    """When they are tested next, where nothing tells."""
    exchanges: Exchanges | Postponed | None = None
    """The test, where one was made."""


def prove_candidate(
    run: Run, keeper: Keeper, consent: Consent, credentials: Credentials
) -> Generator[Effect, Answer, Kept]:
    """Test new tokens. They take the place of those in use once they succeed, or where one cannot go on with those.

    Where nobody could tell, the tokens in use stay for now and the new ones are tested again. Only then are those in
    use renewed, where that is due: at some systems a new consent ends the one before, and to use that again ends both.
    """
    tokens = run.kept.tokens
    if tokens is None:
        raise ValueError("there is no candidate")
    shown = yield from _try(run, keeper, consent, credentials, tokens)
    others = None if shown.succeeds else (yield from keep_alive(keeper))
    if keeper.record.candidate != tokens:
        # Somebody else has stored another record, which is looked at next.
        return others or Kept(postponed=Postponed(LOST_PAUSE.total_seconds()))
    if others is None:
        return (yield from _use(run, keeper, consent, credentials.with_tokens(tokens), shown))
    if shown.why:
        return (yield from _drop(run, consent, others, shown.why))
    _wait(run, consent, shown.again_at)
    return others


def _try(
    run: Run, keeper: Keeper, consent: Consent, credentials: Credentials, tokens: Tokens
) -> Generator[Effect, Answer, _Shown]:
    """Test new tokens, unless that tells nothing or is too early."""
    if consent.result is not ConsentResult.TAKEN and not is_alive(tokens, run.inputs.now):
        return _Shown(why="The new authorization could not be tested before its token ended.")
    if keeper.lasts and _is_too_early(run, consent):
        return _Shown(again_at=run.inputs.awaited_at)
    planned, with_tokens = run.standing.default, credentials.with_tokens(tokens)
    exchanges = yield from make_test(
        planned, run.passed, with_tokens, run.passed.context, urgent=True, fresh=True
    )
    if isinstance(exchanges, Postponed):
        return _Shown(again_at=run.inputs.now + timedelta(seconds=exchanges.seconds), exchanges=exchanges)
    diagnosis = run.diagnose(planned, exchanges, with_tokens, run.inputs.now)
    if diagnosis.result == "Success":
        return _Shown(succeeds=True, exchanges=exchanges)
    if _tells_nothing(diagnosis):
        return _Shown(again_at=_again_at(run, tokens, diagnosis), exchanges=exchanges)
    return _Shown(why=f"The new authorization does not work. {diagnosis.message}", exchanges=exchanges)


def _use(
    run: Run, keeper: Keeper, consent: Consent, with_tokens: Credentials, shown: _Shown
) -> Generator[Effect, Answer, Kept]:
    """Let new tokens take the place of those in use: they have succeeded, or there are no others."""
    tokens = with_tokens.tokens
    if tokens is None:
        raise ValueError("there is no candidate")
    if isinstance(shown.exchanges, Postponed):
        _wait(run, consent, shown.again_at)
        return Kept(postponed=shown.exchanges)
    handled = consent.wanted or keeper.record.handled
    problem = yield from keeper.promote(tokens, handled=handled, proven=shown.succeeds)
    if problem is not None:
        return Kept(problem=problem)
    run.standing.forget()  # verdicts so far are about other tokens
    if shown.exchanges is None:
        return (yield from go_on(keeper, consent))
    run.take(run.standing.default, shown.exchanges, with_tokens)
    return Kept(tokens)


def _wait(run: Run, consent: Consent, until: datetime | None) -> None:
    """Take note that new tokens are still to be tested."""
    run.candidate_at = until
    if consent.result is ConsentResult.TAKEN:
        consent.result = ConsentResult.STORED


def _is_too_early(run: Run, consent: Consent) -> bool:
    """Tell whether new tokens were tested a moment ago, and nobody asks for a test."""
    awaited = run.inputs.awaited_at
    is_news = run.requested or consent.result is ConsentResult.TAKEN
    return not is_news and awaited is not None and run.inputs.now < awaited


def _tells_nothing(diagnosis: Diagnosis) -> bool:
    """Tell whether a test says nothing of the tokens that it was made with: it got nowhere, or that may pass."""
    info = REASONS[diagnosis.reason]
    return diagnosis.result == "Unknown" or info.course is Course.RETRYING or c.REACHABLE in info.conditions


def _again_at(run: Run, tokens: Tokens, diagnosis: Diagnosis) -> datetime:
    """Return when new tokens are tested again: after as long as they have waited, so that pauses double.

    They are tested several times within their life, however short it is.
    """
    now, timing = run.inputs.now, run.inputs.timing
    longest = run.standing.default.test.interval
    if tokens.expires_at is not None:
        longest = min(longest, (tokens.expires_at - tokens.obtained_at) * _SHARE_OF_LIFE)
    pause = max(min(now - tokens.obtained_at, longest), timing.retry_first)
    # Who was told to come back at the same time comes back spread out.
    asked = timedelta(seconds=diagnosis.again_in or 0) * (1 + run.phase / 10)
    return now + max(pause, asked)


def _drop(run: Run, consent: Consent, others: Kept, why: str) -> Generator[Effect, Answer, Kept]:
    """Go on with the tokens in use, and say why new ones have not taken their place."""
    message = f"{why} The one before stays in use."
    trouble = yield from consent.refuse(Reason.AUTHORIZATION_FAILED, message)
    if trouble is not None and trouble.problem is not None:
        return Kept(problem=trouble.problem)
    run.notices.append(Notice(Reason.AUTHORIZATION_FAILED, message, warning=True))
    return others


def heal(
    run: Run, planned: PlannedTest, exchanges: Exchanges, credentials: Credentials
) -> Generator[Effect, Answer, Exchanges | Kept | Postponed]:
    """Where tokens in use are refused before their time, renew them and test once more.

    Whether it is the tokens the default test tells: another one may be refused for what it asks. Tokens that nobody can
    renew are given up when they are refused a second time, since a person must replace them.

    Returns the exchanges to go by: those that came in, those of the second test, or those of the renewal where that
    got nowhere. Kept where a person must consent anew, Postponed where it is looked at again.
    """
    keeper, consent, tokens = run.keeper, run.consent, credentials.tokens
    if keeper is None or consent is None or tokens is None or not _is_refused(exchanges.outcomes):
        return exchanges
    # A moment that is still to come is of a clock that was wrong, and says nothing.
    is_fresh = keeper.fresh or abs(run.inputs.now - tokens.obtained_at) < TOO_FRESH
    if is_fresh or keeper.is_awaited or keeper.tokens is None:
        return exchanges
    if not planned.test.default:
        return (yield from _by_default_test(run, planned, exchanges, credentials))
    if not keeper.renewable(tokens) and not _was_refused_before(run, tokens):
        run.in_doubt = True
        return exchanges
    return (yield from _with_others(run, keeper, consent, exchanges, credentials))


def _with_others(
    run: Run, keeper: Keeper, consent: Consent, exchanges: Exchanges, credentials: Credentials
) -> Generator[Effect, Answer, Exchanges | Kept | Postponed]:
    """Renew tokens that the default test was refused with, or give them up, and make it again with what there is."""
    tokens, default = credentials.tokens, run.standing.default
    if tokens is None:
        raise ValueError("nothing was refused")
    trouble = yield from keeper.renew() if keeper.renewable(tokens) else _end(keeper)
    if trouble is not None and trouble.problem is not None:
        kept = yield from go_on(keeper, consent)
        if kept.tokens is None:
            return kept
        if kept.tokens == tokens:
            return Kept(problem=trouble.problem)
        trouble = None  # somebody else was faster, and has stored others
    renewed = keeper.usable
    if trouble is not None or renewed is None:
        return (trouble.exchanges if trouble is not None else None) or exchanges
    run.credentials = credentials.with_tokens(renewed)
    return (
        yield from make_test(
            default, run.passed, run.credentials, run.passed.context, urgent=run.urgent, fresh=True
        )
    )


def _by_default_test(
    run: Run, planned: PlannedTest, exchanges: Exchanges, credentials: Credentials
) -> Generator[Effect, Answer, Exchanges | Kept | Postponed]:
    """Have the default test tell whether another one was refused because of the tokens, unless it has told already."""
    default = run.standing.default
    if default.test.name in run.made:
        return exchanges
    shown = yield from make_test(
        default, run.passed, credentials, run.passed.context, urgent=run.urgent, fresh=True
    )
    if isinstance(shown, Postponed):
        return shown
    healed = yield from heal(run, default, shown, credentials)
    if not isinstance(healed, Exchanges):
        return healed
    used = run.credentials or credentials
    run.take(default, healed, used)
    if run.in_doubt:
        return Postponed(SECOND_LOOK.total_seconds())  # what this test has shown is in doubt, too
    if used.tokens == credentials.tokens:
        return exchanges
    return (
        yield from make_test(planned, run.passed, used, run.passed.context, urgent=run.urgent, fresh=True)
    )


def _was_refused_before(run: Run, tokens: Tokens) -> bool:
    """Tell whether the default test was refused with the same tokens before, long enough ago to count."""
    held = run.standing.held.get(run.standing.default.test.name)
    tested = parse_timestamp(held.time) if held is not None else None
    if held is None or tested is None or (held.last_reason or held.reason) not in DEAD_CREDENTIALS:
        return False
    # Status has whole seconds.
    pause = run.inputs.now - tested + timedelta(seconds=1)
    return tested >= tokens.obtained_at.replace(microsecond=0) and pause >= SECOND_LOOK


def _end(keeper: Keeper) -> Generator[Effect, Answer, Renewal | None]:
    """Take note that tokens are of no use that nobody but a person can renew."""
    message = "The external system does not accept the token any more (HTTP 401), and there is none to renew it with."
    ending = Ending(Reason.REAUTHENTICATION_REQUIRED, message, keeper.inputs.now)
    problem = yield from keeper.write(replace(keeper.record, ending=ending))
    return Renewal(problem=problem or CredentialProblem(Reason.REAUTHENTICATION_REQUIRED, message))


def _is_refused(outcomes: tuple[Outcome, ...]) -> bool:
    last = outcomes[-1]
    return last.purpose == "test" and last.response is not None and last.response.status == _UNAUTHORIZED


def in_use(tokens: Tokens | None, credentials: Credentials) -> Credentials:
    """Return the credentials with the tokens to test with."""
    return credentials.with_tokens(tokens) if tokens is not None else credentials
