"""Tests that decide about tokens: new ones before they take the place of the old, and old ones that are refused."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta

from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.credentials.lifetime import is_alive
from integration_hub.credentials.record import Ending
from integration_hub.model import conditions as c
from integration_hub.model.http import Outcome
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Course, Reason
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import Diagnosis
from integration_hub.reconcile.authentication import Kept, go_on
from integration_hub.reconcile.consent import Consent
from integration_hub.reconcile.execute import Exchanges, make_test
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.inputs import Answer, ConsentResult, Effect, Notice, Postponed
from integration_hub.reconcile.keeper import TOO_FRESH, Keeper, Renewal
from integration_hub.reconcile.run import SECOND_LOOK, Run
from integration_hub.reconcile.times import parse_timestamp

_UNAUTHORIZED = 401

_SHARE_OF_LIFE = 0.2
"""New tokens that could not be tested wait no larger part of their life for the next test."""


def prove_candidate(
    run: Run, keeper: Keeper, consent: Consent, credentials: Credentials
) -> Generator[Effect, Answer, Kept]:
    """Test new tokens. They take the place of those in use once they succeed, or where there are no others.

    Where nobody could tell, the tokens in use stay for now and the new ones are tested again.
    """
    kept, tokens = run.kept, run.kept.tokens
    if tokens is None:
        raise ValueError("there is no candidate")
    if consent.result is not ConsentResult.TAKEN and not is_alive(tokens, run.inputs.now):
        return (yield from _too_late(run, keeper, consent))
    if kept.fallback is not None and _is_too_early(run, consent):
        run.candidate_at = run.inputs.awaited_at
        return kept.fallback
    return (yield from _try(run, keeper, consent, credentials, tokens))


def _try(
    run: Run, keeper: Keeper, consent: Consent, credentials: Credentials, tokens: Tokens
) -> Generator[Effect, Answer, Kept]:
    """Test new tokens, and act upon what that shows."""
    planned, fallback = run.standing.default, run.kept.fallback
    with_tokens = credentials.with_tokens(tokens)
    exchanges = yield from make_test(
        planned, run.passed, with_tokens, run.passed.context, urgent=True, fresh=True
    )
    if isinstance(exchanges, Postponed):
        _wait(run, consent, run.inputs.now + timedelta(seconds=exchanges.seconds))
        return fallback or Kept(postponed=exchanges)
    diagnosis = run.diagnose(planned, exchanges, with_tokens, run.inputs.now)
    succeeds = diagnosis.result == "Success"
    if succeeds or fallback is None:
        problem = yield from _promote(run, keeper, consent, proven=succeeds)
        if problem is not None:
            return Kept(problem=problem)
        run.take(planned, exchanges, with_tokens)
        return Kept(tokens)
    if _tells_nothing(diagnosis):
        _wait(run, consent, _again_at(run, tokens, diagnosis))
        return fallback
    why = f"The new authorization does not work. {diagnosis.message}"
    return (yield from _drop(run, consent, fallback, why))


def _wait(run: Run, consent: Consent, until: datetime) -> None:
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


def _too_late(run: Run, keeper: Keeper, consent: Consent) -> Generator[Effect, Answer, Kept]:
    """Go on without a test of new tokens that have ended: it would only tell that they have."""
    if run.kept.fallback is not None:
        ended = "The new authorization could not be tested before its token ended."
        return (yield from _drop(run, consent, run.kept.fallback, ended))
    problem = yield from _promote(run, keeper, consent, proven=False)
    return Kept(problem=problem) if problem is not None else (yield from go_on(keeper, consent))


def _promote(
    run: Run, keeper: Keeper, consent: Consent, *, proven: bool
) -> Generator[Effect, Answer, CredentialProblem | None]:
    """Let new tokens take the place of those in use, if there are any."""
    if run.kept.tokens is None:
        raise ValueError("there is no candidate")
    handled = consent.wanted or keeper.record.handled
    problem = yield from keeper.promote(run.kept.tokens, handled=handled, proven=proven)
    if problem is None:
        run.standing.forget()  # verdicts so far are about other tokens
    return problem


def _drop(run: Run, consent: Consent, fallback: Kept, why: str) -> Generator[Effect, Answer, Kept]:
    """Go on with the tokens in use, and say why new ones have not taken their place."""
    message = f"{why} The one before stays in use."
    trouble = yield from consent.refuse(Reason.AUTHORIZATION_FAILED, message)
    if trouble is not None and trouble.problem is not None:
        return Kept(problem=trouble.problem)
    run.notices.append(Notice(Reason.AUTHORIZATION_FAILED, message, warning=True))
    return fallback


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
