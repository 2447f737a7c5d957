"""One pass over an instance's tests: which are due, and what they have found so far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from integration_hub.auth.flow import Credentials
from integration_hub.auth.tokens import TokenMethod, token_method
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.instance import VerdictChange
from integration_hub.model.reasons import Reason
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.reconcile.authentication import Kept
from integration_hub.reconcile.consent import Consent
from integration_hub.reconcile.execute import Exchanges
from integration_hub.reconcile.gates import PlannedTest, Ready
from integration_hub.reconcile.inputs import Inputs, Notice, SecretAnswer
from integration_hub.reconcile.keeper import Keeper
from integration_hub.reconcile.schedule import Pace, phase_of
from integration_hub.reconcile.standing import standing_of
from integration_hub.reconcile.times import parse_timestamp, timestamp
from integration_hub.reconcile.verdict import Result, changed, judge, next_time

_ABOUT_A_SECRET = frozenset(
    {Reason.CREDENTIALS_REJECTED, Reason.CREDENTIALS_EXPIRED, Reason.AUTH_SCHEME_WRONG}
)
"""Reasons whose remedy is another value in the Secret, which is no help where the operator obtained the token."""

SECOND_LOOK = timedelta(seconds=60)
"""After the first refusal of tokens that nobody can renew. A gateway's mood passes; a token that has ended does not."""

NARROW = (
    "Have the external system's administrator permit the client these scopes, or take them out of spec.auth.scopes;"
    " then run 'hub authorize NAME --again'."
)
OBTAINED = (
    "The operator obtained this token itself, so the Secret is not to blame: compare the scopes, the audience and the"
    " address in the definition with what the external system asks for. 'hub authorize NAME --again' obtains another."
)


class Run:
    """The tests of one reconcile."""

    def __init__(self, inputs: Inputs, passed: Ready) -> None:
        """See which verdicts still hold."""
        self.inputs = inputs
        self.passed = passed
        self.standing = standing_of(inputs, passed.tests)
        self.phase = phase_of(inputs.instance)
        self.requested = is_requested(inputs)
        self.urgent = self.requested or not self.standing.held
        """Whether a person waits: for a test that was asked for, or for the first verdict about a change."""
        self.secret: SecretAnswer | None = None
        """The Secret, once it was read."""
        self.credentials: Credentials | None = None
        """What the auth method needs of it, with tokens where it keeps some."""
        self.keeper: Keeper | None = None
        """Of methods that keep tokens, once they were looked at."""
        self.consent: Consent | None = None
        self.kept = Kept()
        self.candidate_at: datetime | None = None
        """When new tokens are tested next that could not be tested yet."""
        self.in_doubt = False
        """Whether tokens that nobody can renew were refused for the first time: perhaps not by the system itself."""
        self.notices: list[Notice] = []
        self.fingerprint = inputs.tested_fingerprint
        """Of the credentials that the default test was last made with."""
        self.made: list[str] = []
        """Names of the tests that were made."""
        self.history: list[VerdictChange] = []
        """Verdicts that changed, the newest first."""
        self.identity: str | None = None
        """Who the default test says we are."""
        self._seconds = 0.0
        """How long all tests have taken."""

    @property
    def method(self) -> TokenMethod | None:
        """The auth method as one that keeps tokens; None where it does not."""
        return token_method(self.passed.method_type, self.passed.settings)

    def missing_scopes(self, tokens: Tokens) -> tuple[str, ...]:
        """Return the scopes that are required and were not granted. What was not told was granted (RFC 6749 5.1)."""
        required = self.keeper.rules.required_scopes if self.keeper is not None else ()
        return tuple(scope for scope in required if tokens.scopes is not None and scope not in tokens.scopes)

    def due(self) -> list[PlannedTest]:
        """Return the tests to make now, in the suite's order."""
        if self.requested:
            return list(self.standing.suite)
        due = self.standing.due(self.inputs.now)
        return self._spread_overdue(due) if self.inputs.first_look else due

    def compare(self, credentials: Credentials) -> None:
        """Let verdicts that hinge on the Secret hold if they are about these credentials, and forget them if not."""
        if fingerprint_of(credentials, self.inputs.fingerprint_key) != self.inputs.tested_fingerprint:
            self.standing.forget()
            self.urgent = True

    def due_with(self, secret: SecretAnswer | None, due: list[PlannedTest]) -> list[PlannedTest]:
        """Return the tests to make once the Secret was read: all, where it is another than the verdicts are about."""
        tested = self.inputs.instance.status.tested
        if secret is None or tested is None or secret.version == tested.secret_resource_version:
            return due
        self.standing.forget()
        return list(self.standing.suite)

    def freed(self, due: Sequence[PlannedTest]) -> list[PlannedTest]:
        """Return the tests that have fallen due besides, because the default test gets through again."""
        known = {planned.test.name for planned in due}
        return [planned for planned in self.standing.due(self.inputs.now) if planned.test.name not in known]

    def take(
        self, planned: PlannedTest, exchanges: Exchanges, credentials: Credentials, *, said: str = ""
    ) -> None:
        """Take in how a test ended. `said` takes the place of what the diagnosis says, unless a rule has said it."""
        test, standing = planned.test, self.standing
        seconds = exchanges.seconds
        self._seconds += seconds
        now = self.inputs.now + timedelta(seconds=self._seconds)
        diagnosis = self.diagnose(planned, exchanges, credentials, now)
        if said and not diagnosis.by_rule:
            diagnosis = replace(diagnosis, message=said)
        before = standing.before.get(test.name)
        result = Result(diagnosis, now, seconds)
        status = judge(test, result, held=standing.held.get(test.name), before=before)
        moment = next_time(status, self._pace(planned, now), diagnosis.again_in)
        if self.in_doubt and test.default:
            moment = now + SECOND_LOOK
        standing.held[test.name] = status.model_copy(update={"next_time": timestamp(moment)})
        standing.nexts[test.name] = moment
        self.made.append(test.name)
        change = changed(before, status)
        if change is not None:
            self.history.insert(0, change)
        if test.default:
            self.identity = diagnosis.identity

    def diagnose(
        self, planned: PlannedTest, exchanges: Exchanges, credentials: Credentials, now: datetime
    ) -> Diagnosis:
        """Return what a test's exchanges mean. One that succeeds without a scope that is required fails for that."""
        diagnosis = diagnose(
            planned.plan,
            exchanges.outcomes,
            now=now,
            credentials=credentials,
            sent=exchanges.sent,
            control=exchanges.control,
        )
        # What a token URL refuses is what the Secret has, whatever tokens there were before.
        if credentials.tokens is None or exchanges.outcomes[-1].purpose == "token":
            return diagnosis
        if diagnosis.reason in _ABOUT_A_SECRET:
            # A hint of the definition's own is about this very refusal, and stays.
            return diagnosis if diagnosis.own_hint else replace(diagnosis, hint=OBTAINED)
        missing = self.missing_scopes(credentials.tokens)
        if diagnosis.result != "Success" or not missing:
            return diagnosis
        names = ", ".join(f"'{scope}'" for scope in missing)
        word = "scope" if len(missing) == 1 else "scopes"
        return replace(
            diagnosis,
            result="Failure",
            reason=Reason.INSUFFICIENT_SCOPE,
            message=f"The token was granted without the {word} {names}.",
            hint=NARROW,
            identity=None,
        )

    def put_off(self, tests: Sequence[PlannedTest], seconds: float) -> None:
        """Let tests be made so many seconds later."""
        for planned in tests:
            self.standing.put_off(planned, self.inputs.now + timedelta(seconds=seconds))

    def _spread_overdue(self, due: Sequence[PlannedTest]) -> list[PlannedTest]:
        """Put off what fell due while the operator was away; return what must be made now all the same."""
        for planned in due:
            held = self.standing.held.get(planned.test.name)
            if held is not None:
                pace = self._pace(planned, self.inputs.now)
                moment = pace.catch_up(parse_timestamp(held.time), works=held.result == "Success")
                self.standing.put_off(planned, moment)
        return [planned for planned in due if planned.test.name not in self.standing.held]

    def _pace(self, planned: PlannedTest, now: datetime) -> Pace:
        return Pace(now, planned.test.interval, self.phase, self.inputs.timing)


def is_requested(inputs: Inputs) -> bool:
    """Tell whether a person has asked for tests that were not yet made."""
    wanted = inputs.instance.metadata.annotations.get(REQUEST_ANNOTATION)
    return bool(wanted) and wanted != inputs.instance.status.last_handled_request


def fingerprint_of(credentials: Credentials, key: bytes | None) -> bytes | None:
    """Return what is the same for the same credentials and tells nothing of them without the key."""
    if not key:
        return None
    text = orjson.dumps(dict(credentials), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, key=key, digest_size=32).digest()
