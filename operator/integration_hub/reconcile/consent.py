"""Awaiting a person's consent: the link or the code that is shown, and what a browser brings back."""

from __future__ import annotations

import base64
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest

from integration_hub.auth.flow import CredentialProblem
from integration_hub.auth.tokens import Acquisition, DevicePending, TokenRefused
from integration_hub.credentials.record import Ending, without_consent
from integration_hub.model.base import AUTHORIZE_ANNOTATION
from integration_hub.model.instance import Authorization
from integration_hub.model.reasons import REASONS, SELECTABLE, Course, Reason
from integration_hub.model.tokens import ConsentAnswer, ConsentAttempt, DeviceCode, Tokens
from integration_hub.reconcile.execute import Exchanges
from integration_hub.reconcile.inputs import Answer, ConsentResult, Effect, Inputs
from integration_hub.reconcile.keeper import MAX_CONFLICTS, Keeper, Renewal
from integration_hub.reconcile.steps import Ended, drive
from integration_hub.reconcile.times import timestamp

LINK_SHOWN = timedelta(minutes=20)
"""How long a link is shown before another takes its place."""

LINK_ACCEPTED = timedelta(minutes=30)
"""How long what it brings is accepted, counted from when it was made: a person may be on the way."""

PATIENCE = 20
"""A code is asked about after this part of the time for which somebody has been awaited, if that is longer than its
interval: who comes soon is noticed soon, and codes that nobody attends to, one after the other, cost little."""

MOST_PATIENT = timedelta(seconds=60)
"""The longest that somebody who has typed a code waits to be noticed."""

LONGEST_PAUSE = 60.0
"""Seconds between polls at most, where they fail."""

MOST_REFUSED = 4
"""So many polls in a row that are refused without a word of why end a code: one may be a gateway's mood."""

_DENIED = frozenset(
    {
        "access_denied",
        "consent_required",
        "interaction_required",
        "login_required",
        "account_selection_required",
    }
)
"""Error codes that say that a person has not consented (RFC 6749 section 4.1.2.1; OpenID Connect Core 3.1.2.6)."""


class Consent:
    """A person's consent to one instance, during one reconcile."""

    def __init__(self, keeper: Keeper) -> None:
        """Use the keeper's record."""
        self.keeper = keeper
        self.inputs = keeper.inputs
        self.result: ConsentResult | None = None
        """What became of what a browser has brought."""

    @property
    def wanted(self) -> str | None:
        """A person's wish to authorise anew that is not fulfilled yet."""
        return wish(self.inputs, self.keeper.record.handled)

    def shown(self) -> Authorization | None:
        """Return what a person is shown, while it is any good."""
        record = self.keeper.record
        device = record.device
        if (
            device is not None
            and device.grant == self.keeper.rules.grant
            and device.expires_at > self.inputs.now
        ):
            url = device.verification_uri_complete or device.verification_uri
            return Authorization(url=url, user_code=device.user_code, expires_at=timestamp(device.expires_at))
        attempt = next(iter(record.attempts), None)
        if attempt is not None and self._shows(attempt):
            return Authorization(url=attempt.url, expires_at=timestamp(attempt.expires_at))
        return None

    # What a browser brings

    def take(self, answer: ConsentAnswer) -> Generator[Effect, Answer, Renewal | None]:
        """Act upon what a browser has brought; `result` says what became of it."""
        keeper, record = self.keeper, self.keeper.record
        attempt = next((made for made in record.attempts if compare_digest(made.state, answer.state)), None)
        if attempt is None:
            self.result = ConsentResult.UNKNOWN
            return None
        if not self._accepts(attempt):
            self.result = ConsentResult.OUTDATED
            return None
        # Used up before anything is done with it: whoever brings it again is refused, even if we die in the middle.
        problem = yield from keeper.write(without_consent(record))
        if problem is not None:
            return Renewal(problem=problem)
        steps = keeper.method.exchange(
            keeper.passed.settings, keeper.credentials, attempt, answer, keeper.passed.context
        )
        brought = tuple(filter(None, (answer.code, attempt.verifier)))
        ended = yield from drive(steps, keeper.wire._replace(sensitive=(*brought, *keeper.wire.sensitive)))
        if isinstance(ended.result, Tokens):
            return (yield from self.put(ended.result))
        if ended.postponed is not None:
            # The code has not been shown to anybody, so the browser may bring it again.
            self.result = ConsentResult.BUSY
            problem = yield from keeper.write(
                replace(keeper.record, attempts=record.attempts, device=record.device)
            )
            return Renewal(problem=problem) if problem else None
        reason, message = self._explained(answer, ended)
        return (yield from self.refuse(reason, message))

    def _explained(self, answer: ConsentAnswer, ended: Ended[Tokens | TokenRefused]) -> tuple[Reason, str]:
        """Return why a consent came to nothing. Only codes that the method lets through are repeated."""
        refused = ended.result if isinstance(ended.result, TokenRefused) else TokenRefused()
        if refused.message:
            return Reason.AUTHORIZATION_FAILED, self.keeper.with_words(refused.message, ended.exchanges)
        if answer.error is not None:
            code = f"'{refused.code}'" if refused.code else "a code that is none"
            if refused.code in _DENIED:
                return Reason.AUTHORIZATION_DENIED, f"The external system says {code}."
            said = f"The external system has refused the request for consent with {code}."
            return Reason.AUTHORIZATION_FAILED, said
        said = "Consent was given, but no token came of it."
        if ended.exchanges is not None:
            diagnosis = self.keeper.explain(ended.exchanges)
            said = " ".join(filter(None, (said, diagnosis.message, diagnosis.hint)))
        return Reason.AUTHORIZATION_FAILED, said

    def put(self, tokens: Tokens) -> Generator[Effect, Answer, Renewal | None]:
        """Store new tokens, to be tested before they take the place of those in use."""
        self.result, self.keeper.fresh = ConsentResult.TAKEN, True
        keeper = self.keeper
        for _ in range(MAX_CONFLICTS):
            record = replace(without_consent(keeper.record), candidate=tokens, refusal=None)
            problem = yield from keeper.write(record)
            if problem is None or not keeper.stored.conflict:
                break
            # Whatever somebody else has stored: tokens that were received are put beside it, never dropped.
        return Renewal(problem=problem) if problem else None

    def refuse(self, reason: Reason, message: str) -> Generator[Effect, Answer, Renewal | None]:
        """Store that a consent has come to nothing."""
        self.result = ConsentResult.REFUSED
        refusal = Ending(reason, message, self.inputs.now, self.keeper.about)
        handled = self.wanted or self.keeper.record.handled  # a wish was answered, if there was one
        record = replace(
            without_consent(self.keeper.record), refusal=refusal, candidate=None, handled=handled
        )
        problem = yield from self.keeper.write(record)
        return Renewal(problem=problem) if problem else None

    def settle(self, trouble: Renewal | None) -> Generator[Effect, Answer, Renewal | None]:
        """Answer a wish to authorise anew: with new tokens, or with why there are none and can be none.

        A wish that was only put off is left for later, and so is one of which nothing can be stored: what came of it
        may be held, and nothing must be stored in its place.
        """
        keeper = self.keeper
        if trouble is None:
            problem = yield from keeper.write(replace(keeper.record, handled=self.wanted, refusal=None))
            return Renewal(problem=problem) if problem else None
        is_unstored = trouble.problem is not None and trouble.problem.reason is Reason.CREDENTIAL_NOT_STORED
        if trouble.postponed is not None or is_unstored:
            return trouble
        return (yield from self.refuse(*self._why(trouble))) or trouble

    def _why(self, trouble: Renewal) -> tuple[Reason, str]:
        """Return why there are no tokens, as it is kept of a consent that came to nothing."""
        if trouble.problem is not None:
            return trouble.problem.reason, trouble.problem.message
        if trouble.said or trouble.exchanges is None:
            return Reason.AUTHORIZATION_FAILED, self.keeper.with_words(trouble.said, trouble.exchanges)
        diagnosis = self.keeper.explain(trouble.exchanges)
        return Reason.AUTHORIZATION_FAILED, " ".join(filter(None, (diagnosis.message, diagnosis.hint)))

    # What a person is shown

    def offer(self) -> Generator[Effect, Answer, Renewal | None]:
        """See to it that there is a link or code that a person can use."""
        if self.shown() is not None:
            return None
        if self.keeper.rules.acquisition is Acquisition.DEVICE:
            return (yield from self._offer_code())
        return (yield from self._make_link())

    def _offer_code(self) -> Generator[Effect, Answer, Renewal | None]:
        """Have a code to show. Where the one before was refused for its client, this one is asked about first.

        Nobody is to type it in vain.
        """
        trouble = yield from self._start_device()
        refusal, device = self.keeper.refusal, self.keeper.record.device
        if trouble is not None or device is None or refusal is None or refusal.reason not in SELECTABLE:
            return trouble
        trouble = yield from self._ask_about(device)
        if trouble is not None or self.keeper.record.device is None:
            return trouble
        problem = yield from self.keeper.write(replace(self.keeper.record, refusal=None))
        return Renewal(problem=problem) if problem else None

    def _make_link(self) -> Generator[Effect, Answer, Renewal | None]:
        keeper, now = self.keeper, self.inputs.now
        if not self.inputs.redirect_uri:
            message = "The operator's callback server is switched off, or has no address that browsers reach."
            return Renewal(problem=CredentialProblem(Reason.AUTHORIZATION_UNAVAILABLE, message))
        secret = base64.urlsafe_b64encode(self.inputs.random(32)).rstrip(b"=").decode()
        state = f"{self.inputs.instance.metadata.uid.replace('-', '')}.{secret}"
        steps = keeper.method.authorization_link(
            keeper.passed.settings, keeper.credentials, state, keeper.passed.context
        )
        ended = yield from drive(steps, keeper.wire)
        if not isinstance(ended.result, ConsentAttempt):
            return self._no_offer(ended.result, Renewal(ended.exchanges, postponed=ended.postponed))
        attempt = replace(
            ended.result, generation=self.inputs.instance.metadata.generation, expires_at=now + LINK_SHOWN
        )
        # The link before this one may be open in somebody's browser.
        former = tuple(made for made in keeper.record.attempts if self._accepts(made))[:1]
        problem = yield from keeper.write(replace(keeper.record, attempts=(attempt, *former), device=None))
        return Renewal(problem=problem) if problem else None

    def _start_device(self) -> Generator[Effect, Answer, Renewal | None]:
        keeper = self.keeper
        steps = keeper.method.start_device(keeper.passed.settings, keeper.credentials, keeper.passed.context)
        ended = yield from drive(steps, keeper.wire)
        if not isinstance(ended.result, DeviceCode):
            return self._no_offer(ended.result, Renewal(ended.exchanges, postponed=ended.postponed))
        former = keeper.record.device
        is_next = former is not None and former.grant == keeper.rules.grant
        since = former.awaited_since if former is not None and is_next else None
        device = replace(ended.result, awaited_since=since or self.inputs.now)
        device = replace(device, next_poll=self._next_poll(device))
        problem = yield from keeper.write(replace(keeper.record, device=device, attempts=()))
        return Renewal(problem=problem) if problem else None

    def _no_offer(self, result: object, renewal: Renewal) -> Renewal:
        """Say why there is no link or code, in the method's own words where it has some."""
        if isinstance(result, TokenRefused) and result.message:
            said = self.keeper.with_words(result.message, renewal.exchanges)
            return Renewal(problem=CredentialProblem(Reason.AUTHORIZATION_FAILED, said))
        return renewal

    def poll(self) -> Generator[Effect, Answer, Renewal | None]:
        """Ask whether the person has typed the code, if it is time."""
        device = self._as_asked_last()
        if device is None or not self._is_poll_due(device):
            return None
        return (yield from self._ask_about(device))

    def _ask_about(self, device: DeviceCode) -> Generator[Effect, Answer, Renewal | None]:
        """Ask whether the person has typed the code, and go on as the answer says."""
        keeper = self.keeper
        steps = keeper.method.poll_device(
            keeper.passed.settings, keeper.credentials, device, keeper.passed.context
        )
        ended = yield from drive(steps, keeper.wire)
        match ended.result:
            case Tokens() as tokens:
                return (yield from self.put(tokens))
            case TokenRefused(code="expired_token", ended=True):
                # Nobody came: the next code takes its place.
                return (yield from self._start_device())
            case TokenRefused(code, ended=True):
                reason = Reason.AUTHORIZATION_DENIED if code in _DENIED else Reason.AUTHORIZATION_FAILED
                said = keeper.with_words(f"The external system says '{code}'.", ended.exchanges)
                return (yield from self.refuse(reason, said))
            case DevicePending(interval):
                return (yield from self._poll_later(device, interval))
            case TokenRefused() as refused if ended.exchanges:
                return (yield from self._refused(device, refused, ended.exchanges))
            case _:
                # RFC 8628 section 3.5: where the connection fails, wait longer each time.
                return (yield from self._poll_later(device, min(device.interval * 2, LONGEST_PAUSE)))

    def _refused(
        self, device: DeviceCode, refused: TokenRefused, exchanges: Exchanges
    ) -> Generator[Effect, Answer, Renewal | None]:
        """Give the code up where a poll was refused for what no person at it can mend, like a wrong client secret.

        A refusal without a code may be a gateway's mood, so it counts only once it has come several times.
        """
        diagnosis, count = self.keeper.explain(exchanges), device.refused
        if REASONS[diagnosis.reason].course is not Course.RETRYING:
            count += 1
            is_told = bool(refused.code or refused.message) or diagnosis.by_rule
            if is_told or count >= MOST_REFUSED:
                return (yield from self._stop_asking(refused, exchanges))
        return (yield from self._poll_later(device, min(device.interval * 2, LONGEST_PAUSE), refused=count))

    def _stop_asking(self, refused: TokenRefused, exchanges: Exchanges) -> Generator[Effect, Answer, Renewal]:
        """Give up the code (RFC 8628 section 3.5); the refusal is told and tried again as any other of credentials."""
        renewal = Renewal(exchanges, refused.message)
        _, message = self._why(renewal)
        return (yield from self.refuse(self.keeper.explain(exchanges).reason, message)) or renewal

    def _as_asked_last(self) -> DeviceCode | None:
        """Return the code with when to ask about it next: polls that brought nothing new are in no record."""
        device, awaited = self.keeper.record.device, self.inputs.awaited_at
        if (
            device is None
            or awaited is None
            or (device.next_poll is not None and device.next_poll >= awaited)
        ):
            return device
        device = replace(device, next_poll=awaited)
        self._know(device)
        return device

    def _know(self, device: DeviceCode) -> None:
        """Go on with a code of which only the time has changed: that is worth no write."""
        self.keeper.stored = replace(self.keeper.stored, record=replace(self.keeper.record, device=device))

    def _is_poll_due(self, device: DeviceCode) -> bool:
        now = self.inputs.now
        is_live = device.grant == self.keeper.rules.grant and device.expires_at > now
        return is_live and (device.next_poll is None or device.next_poll <= now)

    def _next_poll(self, device: DeviceCode) -> datetime:
        """Return when to ask about a code that was given out, or asked about, just now."""
        now = self.inputs.now
        waited = now - (device.awaited_since or now)
        return now + max(timedelta(seconds=device.interval), min(waited / PATIENCE, MOST_PATIENT))

    def _poll_later(
        self, device: DeviceCode, interval: float, *, refused: int = 0
    ) -> Generator[Effect, Answer, Renewal | None]:
        keeper = self.keeper
        later = replace(device, interval=interval, refused=refused)
        is_known = later == device
        later = replace(later, next_poll=self._next_poll(later))
        if is_known:
            # The decision says when to ask next, and the operator remembers that. Another one may ask once too early.
            self._know(later)
            return None
        problem = yield from keeper.write(replace(keeper.record, device=later))
        return Renewal(problem=problem) if problem else None

    def _shows(self, attempt: ConsentAttempt) -> bool:
        leads_here = attempt.redirect_uri == self.inputs.redirect_uri
        return leads_here and self._accepts(attempt) and attempt.expires_at > self.inputs.now

    def _accepts(self, attempt: ConsentAttempt) -> bool:
        return (
            attempt.generation == self.inputs.instance.metadata.generation
            and attempt.grant == self.keeper.rules.grant
            and attempt.expires_at + (LINK_ACCEPTED - LINK_SHOWN) > self.inputs.now
        )


def wish(inputs: Inputs, handled: str | None) -> str | None:
    """Return a person's wish to authorise anew, None where there is none, or it was fulfilled."""
    asked = inputs.instance.metadata.annotations.get(AUTHORIZE_ANNOTATION)
    return asked if asked and asked != handled else None
