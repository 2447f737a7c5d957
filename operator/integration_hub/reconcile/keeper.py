"""Keeping tokens: obtained once, renewed before they end, never lost, never sent twice where that is theft.

A refresh token that a provider rotates can be used once. Between sending it and storing the answer nobody can be sure,
so: the intent is stored first; the token is sent once; what comes back is stored; only then is it used. Who finds an
intent without an answer goes by the definition's policy (`Reuse`), never by hope. Every `yield` below is a point at
which the operator may die, and a test lets it die at each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integration_hub.auth.credentials import sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.auth.tokens import Acquisition, Reuse, Steps, TokenMethod, TokenRefused, TokenRules
from integration_hub.credentials.lifetime import consent_end, is_alive, renewal_time
from integration_hub.credentials.record import CredentialRecord, Ending, Intent, awaits
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import Tokens, token_hash
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.reconcile.execute import Exchanges
from integration_hub.reconcile.gates import Ready
from integration_hub.reconcile.inputs import (
    Answer,
    Effect,
    Inputs,
    Postponed,
    ReadRecord,
    RecordAnswer,
    WriteRecord,
)
from integration_hub.reconcile.schedule import phase_of
from integration_hub.reconcile.steps import Ended, Wire, drive
from integration_hub.reconcile.times import parse_timestamp

MAX_TRIES = {Reuse.GRACE: 2, Reuse.STRICT: 1}
"""How many times one refresh token is sent, as long as no answer is known."""

LOST_PAUSE = timedelta(seconds=20)
"""After an answer that was lost, or that another operator may still wait for: longer than any answer takes, from the
intent on (`shell/vault.py` bounds how long that takes to be stored, `adapters/traffic.py` the wait for the host's turn,
`adapters/http.py` the exchange); and shorter than the half minute for which providers accept a refresh token once more.
To be stored may take longer: an answer that was given up counts all the same, should it come."""

MAX_CONFLICTS = 5
"""Writes of new tokens that somebody else's got in the way of."""

SHORTEST = timedelta(seconds=10)
"""Between renewals, however short a provider lets tokens live; one that has ended is renewed when a test needs it."""

MAX_SPENT = 20
"""Refresh tokens of the Secret that are remembered as used up."""

TOO_FRESH = timedelta(seconds=60)
"""Tokens younger than this are not renewed because they were refused: they are not why."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How an attempt to come by tokens ended that brought none."""

    exchanges: Exchanges | None = None
    """For the diagnosis to explain."""
    said: str = ""
    """The method's own words, where they say more than the diagnosis can."""
    postponed: Postponed | None = None
    problem: CredentialProblem | None = None


class Keeper:
    """One instance's tokens during one reconcile."""

    def __init__(
        self, inputs: Inputs, passed: Ready, method: TokenMethod, rules: TokenRules, credentials: Credentials
    ) -> None:
        """Know the record only once it was read."""
        self.inputs = inputs
        self.passed = passed
        self.method = method
        self.rules = rules
        self.credentials = credentials
        self.stored = RecordAnswer()
        self.result: str | None = None
        """How renewing went, for metrics: renewed, refused or unanswered."""
        self.fresh = False
        """Whether tokens were obtained in this reconcile."""

    @property
    def record(self) -> CredentialRecord:
        """What is stored, as it is known now."""
        return self.stored.record or CredentialRecord()

    @property
    def about(self) -> str:
        """What a consent is asked for: the instance, its Secret and the grant as they are now."""
        generation = self.inputs.instance.metadata.generation
        return f"{generation}/{self.inputs.secret_version}/{self.rules.grant}"

    @property
    def refusal(self) -> Ending | None:
        """Why the last consent came to nothing; None once what it was asked for has changed."""
        refusal = self.record.refusal
        return refusal if refusal is not None and refusal.about == self.about else None

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use, if they are of today's grant and of any use."""
        tokens = self._living
        return tokens if tokens is not None and tokens.grant == self.rules.grant else None

    @property
    def _living(self) -> Tokens | None:
        """The stored tokens, of whatever grant, unless it is known that they are of no use."""
        ending, tokens = self.record.ending, self.record.tokens
        is_over = tokens is not None and ending is not None and ending.about in {"", tokens.grant}
        return None if is_over else tokens

    @property
    def ending(self) -> Ending | None:
        """Why today's grant is over: that of tokens, or of what the Secret has; None where it is not."""
        ending, tokens = self.record.ending, self.record.tokens
        if ending is None:
            return None
        about = ending.about or (tokens.grant if tokens is not None else "")
        return ending if about == self.rules.grant else None

    @property
    def is_spent(self) -> bool:
        """Whether what the Secret has was used up, so that it is not sent again unless a person wants it to be.

        Not while an answer to it may still come, nor where the system has given out no other one in its place.
        """
        record, shown = self.record, self.rules.consumes
        if shown not in record.spent or (record.intent is not None and record.intent.token_hash == shown):
            return False
        kept = self._living.refresh_token if self._living is not None else None
        return kept is None or token_hash(kept) != shown

    @property
    def usable(self) -> Tokens | None:
        """The tokens in use that have not ended."""
        tokens = self.tokens
        return tokens if tokens is not None and is_alive(tokens, self.inputs.now) else None

    @property
    def lasts(self) -> bool:
        """Tell whether one can go on with the tokens in use: they have not ended, or can be renewed."""
        tokens = self.tokens
        return tokens is not None and (self.usable is not None or self.renewable(tokens))

    @property
    def _are_proven(self) -> bool:
        """Whether the tokens in use have passed a test, as far as the record and the status tell."""
        tokens = self.tokens
        if tokens is None or not self.record.unproven:
            return tokens is not None
        default = next(iter(self.inputs.instance.status.tests), None)
        tested = parse_timestamp(default.time) if default is not None else None
        # Status has whole seconds.
        since = tokens.obtained_at.replace(microsecond=0)
        return (
            default is not None
            and default.last_result == "Success"
            and tested is not None
            and tested >= since
        )

    @property
    def wire(self) -> Wire:
        """Where token requests may go: where tests may."""
        plan = self.passed.tests[0].plan
        return Wire(plan.allowed_hosts, plan.ca_bundle, self.sensitive(), urgent=True)

    def sensitive(self) -> tuple[str, ...]:
        """Return what must not be logged while requests are under way."""
        found = set(sensitive_values(self.credentials))
        for tokens in (self.record.tokens, self.record.candidate):
            if tokens is not None:
                found |= {tokens.access_token, tokens.refresh_token or ""}
        found |= {attempt.state for attempt in self.record.attempts}
        found |= {attempt.verifier or "" for attempt in self.record.attempts}
        if self.record.device is not None:
            found.add(self.record.device.device_code)
        return tuple(sorted(filter(None, found), key=lambda value: (-len(value), value)))

    # Storing

    def read(self) -> Generator[Effect, Answer, CredentialProblem | None]:
        """Open the record."""
        answer = yield ReadRecord()
        self.stored = _record_answer(answer)
        return self.stored.problem

    def begin_anew(self, problem: CredentialProblem) -> bool:
        """Go on without a record that nothing opens, where all that it may have held can be had again; tell whether."""
        if problem.reason is not Reason.CREDENTIAL_UNREADABLE or not self._obtains_freely:
            return False
        self.stored = replace(self.stored, problem=None)
        return True

    @property
    def _obtains_freely(self) -> bool:
        """Whether tokens can be obtained as often as they are needed, with what the Secret has."""
        return self.rules.acquisition is Acquisition.BY_ITSELF and not self.rules.consumes

    def write(
        self, record: CredentialRecord, *, attempt: str = ""
    ) -> Generator[Effect, Answer, CredentialProblem | None]:
        """Store a record. Where somebody else was faster, theirs counts, and what was to be done is not."""
        answer = _record_answer((yield WriteRecord(record, self.stored, attempt)))
        if answer.problem is not None:
            return answer.problem
        self.stored = answer
        if answer.conflict:
            message = (
                "Somebody else has stored another credential at the same moment; that one is looked at next."
            )
            return CredentialProblem(Reason.CREDENTIAL_NOT_STORED, message)
        return None

    def promote(
        self, tokens: Tokens, *, handled: str | None, proven: bool
    ) -> Generator[Effect, Answer, CredentialProblem | None]:
        """Let new tokens take the place of those in use. `proven`: they have passed a test."""
        record = replace(
            self.record,
            tokens=tokens,
            unproven=not proven,
            candidate=None,
            consent_ends_at=consent_end(tokens),
            intent=None,
            ending=None,
            refusal=None,
            handled=handled,
        )
        return (yield from self.write(record))

    # Renewing

    def renews_at(self) -> datetime | None:
        """Return when the tokens in use are renewed; None where they are not by themselves.

        Of tokens that have ended it is the moment at which they should have been: they are renewed when a test is made.
        """
        tokens = self.tokens
        if tokens is None or not self.renewable(tokens):
            return None
        if self.is_awaited:
            return self.inputs.now + LOST_PAUSE
        moment = self._planned(tokens)
        if moment is None or moment > self.inputs.now or self.usable is None:
            return moment
        # It is overdue, so it was tried just now: again after a part of what is left.
        ends_at = tokens.expires_at or self.inputs.now
        pause = min(max((ends_at - self.inputs.now) / 4, timedelta(seconds=15)), timedelta(minutes=5))
        return min(self.inputs.now + pause, ends_at)

    def _planned(self, tokens: Tokens) -> datetime | None:
        """Return when tokens are renewed, if all goes well."""
        moment = renewal_time(tokens, self.rules.refresh_share, phase_of(self.inputs.instance))
        # To the second, as status has it: else it would be due there before it is here.
        return None if moment is None else max(moment, tokens.obtained_at + SHORTEST).replace(microsecond=0)

    def renewable(self, tokens: Tokens) -> bool:
        """Tell whether the operator can renew tokens without a person."""
        return tokens.refresh_token is not None or self._obtains_freely

    def due(self) -> bool:
        """Tell whether the tokens in use should be renewed now."""
        tokens = self.tokens
        if tokens is None or not self.renewable(tokens):
            return False
        if self.is_awaited:
            return False
        if self.usable is None or self.record.intent is not None:
            return True
        moment = self._planned(tokens)
        return moment is not None and moment <= self.inputs.now

    @property
    def is_awaited(self) -> bool:
        """Tell whether an answer may still come to what was sent: it may be another operator that waits for it."""
        intent = self.record.intent
        if intent is None:
            return False
        # To the second, as status has it: else it would be due there before it is here.
        return abs(self.inputs.now - intent.started_at) + timedelta(seconds=1) < LOST_PAUSE

    def renew(self) -> Generator[Effect, Answer, Renewal | None]:
        """Renew the tokens in use. None where that is done: they are stored, and can be used."""
        tokens = self.tokens
        if tokens is None:
            raise ValueError("there are no tokens to renew")
        if tokens.refresh_token is None:
            return (yield from self.obtain())
        return (
            yield from self._send_once(
                lambda: self.method.refresh(
                    self.passed.settings, self.credentials, tokens, self.passed.context
                ),
                token_hash(tokens.refresh_token),
            )
        )

    def obtain(self) -> Generator[Effect, Answer, Renewal | None]:
        """Obtain tokens with what the Secret has. None where that is done."""

        def steps() -> Steps[Tokens | TokenRefused]:
            return self.method.obtain(self.passed.settings, self.credentials, self.passed.context)

        if self.rules.consumes:
            return (yield from self._send_once(steps, self.rules.consumes))
        ended = yield from drive(steps(), self.wire)
        return (yield from self._taken(ended))

    def _send_once(
        self, steps: Callable[[], Steps[Tokens | TokenRefused]], shown: str
    ) -> Generator[Effect, Answer, Renewal | None]:
        """Store the intent, send what can be used once, store what comes back."""
        before = self.record.intent
        if before is not None and before.token_hash != shown:
            before = None
        if before is not None and self.is_awaited:
            return Renewal(postponed=Postponed(LOST_PAUSE.total_seconds()))
        tries = before.tries if before is not None else 0
        if before is not None and tries >= MAX_TRIES.get(self.rules.reuse, tries + 1):
            return (yield from self._end(_LOST, given_up=before.attempt))
        attempt = self.inputs.random(16).hex()
        intent = Intent(attempt, self.inputs.now, shown, tries + 1)
        ended = yield from drive(steps(), self.wire, lambda: self.write(replace(self.record, intent=intent)))
        if ended.problem is not None:
            return Renewal(problem=ended.problem)
        return (yield from self._taken(ended, attempt=attempt, before=before))

    def _taken(
        self, ended: Ended[Tokens | TokenRefused], *, attempt: str = "", before: Intent | None = None
    ) -> Generator[Effect, Answer, Renewal | None]:
        """Store what came of a request for tokens. `before` is the doubt that there was before it was sent."""
        result = ended.result
        if isinstance(result, Tokens):
            return (yield from self._renewed(result, attempt))
        if isinstance(result, TokenRefused) and result.ended:
            return (yield from self._refused(ended, result))
        self.result = "unanswered" if result is None else "refused"
        intent = self.record.intent
        if intent is not None and (intent.attempt == attempt or not attempt) and not ended.maybe_done:
            # Nothing was sent, or it was answered: there is no more to be in doubt about than there was.
            problem = yield from self.write(replace(self.record, intent=before), attempt=attempt)
            if problem is not None:
                return Renewal(problem=problem)
        said = result.message if isinstance(result, TokenRefused) else ""
        if said and ended.exchanges is None:
            return Renewal(problem=CredentialProblem(Reason.AUTHORIZATION_FAILED, said))
        return Renewal(ended.exchanges, said, ended.postponed)

    def _renewed(self, tokens: Tokens, attempt: str) -> Generator[Effect, Answer, Renewal | None]:
        """Store tokens that have come, in place of those that they were obtained with."""
        self.result, self.fresh = "renewed", True
        problem: CredentialProblem | None = None
        unproven = not self._are_proven
        for _ in range(MAX_CONFLICTS):
            record = replace(
                self.record,
                tokens=tokens,
                unproven=unproven,
                consent_ends_at=consent_end(tokens, self.record.tokens),
                intent=None,
                ending=None,
                refusal=None,
                spent=self._spent(),
            )
            problem = yield from self.write(record, attempt=attempt)
            # What somebody else has stored meanwhile, like an untested consent, stays beside them.
            if problem is None or not (self.stored.conflict and awaits(self.record, attempt)):
                break
        return Renewal(problem=problem) if problem else None

    def _refused(
        self, ended: Ended[Tokens | TokenRefused], refused: TokenRefused
    ) -> Generator[Effect, Answer, Renewal | None]:
        """Take note that a refresh token is of no use, unless somebody else has put another in its place."""
        self.result = "refused"
        sent = self.record.tokens
        problem = yield from self.read()
        if problem is not None:
            return Renewal(problem=problem)
        now = self.record.tokens
        if now is not None and (sent is None or now.refresh_token != sent.refresh_token):
            return None
        if self._obtains_freely:
            # What the Secret has was refused, and what that means the diagnosis says best.
            if self.record.intent is not None:
                problem = yield from self.write(replace(self.record, intent=None))
            return Renewal(ended.exchanges, problem=problem)
        code = f" ({refused.code})" if refused.code else ""
        said = f"The external system does not renew the authorization any more{code}."
        return (yield from self._end(self.with_words(said, ended.exchanges)))

    def _end(self, message: str, *, given_up: str = "") -> Generator[Effect, Answer, Renewal | None]:
        """Take note that today's grant is over. Tokens of another one that is not stay: somebody may go back to it.

        `given_up` is the attempt whose answer is not waited for any longer, if that is why.
        """
        ending = Ending(
            Reason.REAUTHENTICATION_REQUIRED, message, self.inputs.now, self.rules.grant, given_up
        )
        record = replace(self.record, intent=None, ending=ending)
        if record.tokens is not None and record.tokens.grant != self.rules.grant:
            record = replace(record, tokens=self._living)
        if given_up:
            record = replace(record, spent=self._spent())
        problem = yield from self.write(record)
        return Renewal(problem=problem or CredentialProblem(Reason.REAUTHENTICATION_REQUIRED, message))

    def _spent(self) -> tuple[str, ...]:
        """Return what was used up of the Secret, with what it has now."""
        now = self.rules.consumes
        former = tuple(one for one in self.record.spent if one != now)
        return (now, *former)[:MAX_SPENT] if now else former

    def with_words(self, said: str, exchanges: Exchanges | None) -> str:
        """Return a sentence with what the definition says of a refused token request, where one of its rules does.

        A person is asked for consent whatever that is: the method's codes alone decide what has ended, and rules tell.
        """
        diagnosis = self.explain(exchanges) if exchanges is not None else None
        if diagnosis is None or not diagnosis.by_rule:
            return said
        return " ".join(filter(None, (said, diagnosis.message, diagnosis.own_hint)))

    def explain(self, exchanges: Exchanges) -> Diagnosis:
        """Return what exchanges of token requests mean."""
        return diagnose(
            self.passed.tests[0].plan,
            exchanges.outcomes,
            now=self.inputs.now,
            credentials=self.credentials,
            sent=exchanges.sent,
        )


_LOST = (
    "It is not known whether the last renewal has arrived, and to send its refresh token again could be taken for"
    " theft."
)


def _record_answer(answer: Answer) -> RecordAnswer:
    if not isinstance(answer, RecordAnswer):
        raise TypeError("a record was asked for")
    return answer
