"""Tests of one connection made by hand: the operator's own engine, driven for somebody who watches.

Gates, Secret, tests and diagnosis are those of a reconcile; what is other is who drives them: nothing is queued, no
earlier verdict counts, nothing is written, and each stage is told to an observer as it ends. Nothing here prints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from integration_hub.adapters.traffic import Traffic
from integration_hub.auth.credentials import secret_values, sensitive_values
from integration_hub.auth.flow import AuthContext, CredentialProblem, Credentials
from integration_hub.auth.tokens import Acquisition, TokenMethod, TokenRefused, token_method
from integration_hub.config.redaction import redact_text
from integration_hub.model.http import Failure, FailureKind, HttpResponse, Outcome, Transport
from integration_hub.model.instance import IntegrationInstance, Stage, TestResult, TestStatus
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.model.tokens import Tokens
from integration_hub.probe.diagnose import diagnose
from integration_hub.probe.facts import Facts
from integration_hub.probe.finding import Finding
from integration_hub.probe.stages import stages
from integration_hub.reconcile.execute import Exchanges, make_test, read_secret, use_secret
from integration_hub.reconcile.gates import PlannedTest, Ready, pass_gates
from integration_hub.reconcile.inputs import Inputs, ReadSecret, SecretAnswer, Send
from integration_hub.reconcile.standing import Standing
from integration_hub.reconcile.steps import Ended, Wire, drive
from integration_hub.reconcile.verdict import Result, judge
from integration_hub.shell import sensitive
from integration_hub.shell.exchange import ShownExchange, exposed, public_texts, secrets_in, secrets_of, shown
from integration_hub.shell.hands import send

MAX_WAIT_SECONDS = 60.0
"""The longest that a test waits for its turn at a host; no budget of one person's tests takes longer."""

SecretReader = Callable[[str], Awaitable[SecretAnswer]]
"""Reads a Secret by its name in the instance's namespace, with the rights of whoever asks."""


class Observer:
    """Who watches. All that it is told is masked already; this one does not look."""

    def test_began(self, planned: PlannedTest) -> None:
        """Hear that a test begins."""

    def waiting(self, planned: PlannedTest, seconds: float) -> None:
        """Hear that a test waits for its turn: the host is asked only so often."""

    def stage_ended(self, planned: PlannedTest, stage: Stage) -> None:
        """Hear that a stage has ended, or in the end turned out to have ended in another way than it seemed."""

    def exchange_ended(self, planned: PlannedTest, exchange: ShownExchange) -> None:
        """Hear how a request was answered, or that it was not."""

    def test_ended(self, tried: Tried) -> None:
        """Hear how a test has ended."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How one test ended."""

    status: TestStatus
    """As the operator would write it after a first test."""
    counts: bool
    """Whether the whole depends on it: it is required, or was asked for by name."""
    identity: str | None
    exchanges: tuple[ShownExchange, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A result in words."""

    result: TestResult
    reason: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found of a connection."""

    verdict: Verdict
    """The worst of all that counts; where no test could be made, why."""
    suite: tuple[PlannedTest, ...] = ()
    """The connection's tests, as far as the gates let any through."""
    tests: tuple[Tried, ...] = ()
    """Those that were made."""
    spared: tuple[str, ...] = ()
    """Names of tests that were not made: none can get through while the default one does not."""
    secret_version: str | None = None
    """resourceVersion of the Secret that was used."""
    for_operator: str = ""
    """Why only the operator can test it, as a clause after which ', so the operator is asked to test' can follow."""
    exposed: tuple[str, ...] = ()
    """Paths of the manifest at which a credential stands in clear, for everybody to read who may read the instance."""


class UnknownTestError(Exception):
    """A test was asked for that the connection does not have."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        """`known` are the names of those that it has."""
        super().__init__(name)
        self.name = name
        self.known = tuple(known)


def refuse_unknown(tests: Sequence[PlannedTest], only: Collection[str]) -> None:
    """Raise UnknownTestError where `only` names a test that is not among these."""
    known = [planned.test.name for planned in tests]
    for name in only:
        if name not in known:
            raise UnknownTestError(name, known)


_SEVERITY: Mapping[TestResult, int] = {"Success": 0, "Unknown": 1, "Failure": 2}


class Tryout:
    """Makes the tests of connections, one after the other."""

    def __init__(
        self,
        traffic: Traffic,
        read: SecretReader,
        *,
        observer: Observer | None = None,
        bodies: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`bodies` says whether exchanges are shown with their bodies; `clock` returns the moment of now, in UTC."""
        self._traffic = traffic
        self._read = read
        self._observer = observer or Observer()
        self._bodies = bodies
        self._clock = clock

    async def run(self, inputs: Inputs, only: Collection[str] = ()) -> Trial:
        """Test a connection as it is described; `only` names the tests to make, all of them where it is empty.

        Raises:
            UnknownTestError: `only` names a test that there is not.

        """
        gates = pass_gates(inputs)
        if gates.passed is None:
            return Trial(_stopped(gates.conditions[-1].reason, gates.conditions[-1].message))
        passed = gates.passed
        refuse_unknown(passed.tests, only)
        secret = await self._secret(inputs, passed)
        credentials = use_secret(inputs.instance, passed, secret)
        if isinstance(credentials, CredentialProblem):
            return Trial(
                _stopped(credentials.reason, credentials.message),
                passed.tests,
                for_operator=_why_operator(inputs.instance, credentials),
            )
        method = token_method(passed.method_type, passed.settings)
        try:
            if method is not None:
                rules = method.token_rules(passed.settings, credentials, passed.context)
                if rules.acquisition is not Acquisition.BY_ITSELF or rules.consumes:
                    return Trial(
                        _HELD, passed.tests, for_operator="Only the operator holds this connection's tokens"
                    )
                obtained = await self._obtain(passed, method, credentials)
                if isinstance(obtained, Trial):
                    return obtained
                credentials = credentials.with_tokens(obtained)
            return await self._make(inputs, passed, credentials, secret, only)
        finally:
            sensitive.in_use.set(())

    async def _obtain(self, passed: Ready, method: TokenMethod, credentials: Credentials) -> Tokens | Trial:
        """Obtain tokens of this test's own, with what the Secret has; a trial that says why there are none."""
        planned = passed.tests[0]
        watch = _Watch(self._observer, planned, credentials, self._clock)
        wire = Wire(
            planned.plan.allowed_hosts, planned.plan.ca_bundle, sensitive_values(credentials), urgent=True
        )
        story = drive(method.obtain(passed.settings, credentials, passed.context), wire)
        try:
            effect = next(story)
            while True:
                if not isinstance(effect, Send):
                    raise TypeError("a token method sends requests and nothing else")
                effect = story.send(await self._send(effect, planned, watch))
        except StopIteration as end:
            ended: Ended[Tokens | TokenRefused] = end.value
        finally:
            story.close()
        if isinstance(ended.result, Tokens):
            return ended.result
        if ended.exchanges is None:
            said = ended.result.message if ended.result is not None else ""
            return Trial(_stopped(Reason.AUTHORIZATION_FAILED, said), passed.tests)
        now = self._clock()
        diagnosis = diagnose(
            planned.plan, ended.outcomes, now=now, credentials=credentials, sent=ended.exchanges.sent
        )
        seconds = sum(outcome.seconds for outcome in ended.outcomes)
        status = judge(planned.test, Result(diagnosis, now, seconds), held=None, before=None)
        self._observer.test_began(planned)
        for stage in diagnosis.stages:
            watch.ended(stage)
        tried = Tried(_masked(status, secret_values(credentials)), counts=True, identity=None, exchanges=())
        self._observer.test_ended(tried)
        spared = tuple(other.test.name for other in passed.tests[1:])
        return Trial(_worst([tried]), passed.tests, (tried,), spared)

    async def _secret(self, inputs: Inputs, passed: Ready) -> SecretAnswer | None:
        story = read_secret(inputs.instance, passed)
        try:
            effect = next(story)
            if not isinstance(effect, ReadSecret):
                raise TypeError("only a Secret is asked for")
            story.send(await self._read(effect.name))
        except StopIteration as end:
            secret: SecretAnswer | None = end.value
            return secret
        raise RuntimeError("a Secret is asked for once")

    async def _make(
        self,
        inputs: Inputs,
        passed: Ready,
        credentials: Credentials,
        secret: SecretAnswer | None,
        only: Collection[str],
    ) -> Trial:
        standing = Standing(passed.tests, {}, {})
        wanted = [planned for planned in passed.tests if not only or planned.test.name in only]
        known = secrets_of(
            secret.data if secret else {},
            used=sensitive_values(credentials),
            public=public_texts(inputs.instance),
        )
        made: list[Tried] = []
        for planned in wanted:
            if standing.blocked() and not planned.test.default:
                break
            tried = await self._try(planned, passed, credentials, passed.context, known, asked_for=bool(only))
            standing.held[planned.test.name] = tried.status
            made.append(tried)
            self._observer.test_ended(tried)
        return Trial(
            verdict=_worst(made),
            suite=passed.tests,
            tests=tuple(made),
            spared=tuple(planned.test.name for planned in wanted[len(made) :]),
            secret_version=secret.version if secret else None,
            exposed=tuple(exposed(inputs.instance.spec.to_wire(), secret_values(credentials), "spec")),
        )

    async def _try(  # noqa: PLR0913 - what a test needs
        self,
        planned: PlannedTest,
        passed: Ready,
        credentials: Credentials,
        context: AuthContext,
        secrets: frozenset[str],
        *,
        asked_for: bool,
    ) -> Tried:
        """Make one test. Each stage is told once, as soon as it is known to have ended."""
        watch = _Watch(self._observer, planned, credentials, self._clock)
        self._observer.test_began(planned)
        exchanges: list[ShownExchange] = []
        story = make_test(planned, passed, credentials, context, urgent=True, fresh=True)
        answer: Outcome | None = None
        try:
            while True:
                effect = next(story) if answer is None else story.send(answer)
                if not isinstance(effect, Send):
                    raise TypeError("a test sends requests and nothing else")
                answer = await self._send(effect, planned, watch)
                secrets |= secrets_in(planned.plan.request, effect.request, answer)
                exchange = shown(planned.plan.request, effect.request, answer, secrets, bodies=self._bodies)
                exchanges.append(exchange)
                self._observer.exchange_ended(planned, exchange)
        except StopIteration as end:
            ended: Exchanges = end.value
        finally:
            story.close()
        now = self._clock()
        diagnosis = diagnose(
            planned.plan,
            ended.outcomes,
            now=now,
            credentials=credentials,
            sent=ended.sent,
            control=ended.control,
        )
        status = judge(planned.test, Result(diagnosis, now, ended.seconds), held=None, before=None)
        for stage in diagnosis.stages:
            watch.ended(stage)
        return Tried(
            status=_masked(status, secret_values(credentials)),
            counts=planned.test.required or asked_for,
            identity=diagnosis.identity,
            exchanges=tuple(exchanges),
        )

    async def _send(self, effect: Send, planned: PlannedTest, watch: _Watch) -> Outcome:
        """Send, when it is this request's turn."""
        sensitive.in_use.set(effect.sensitive)
        on_progress = watch.progressed if effect.request.purpose == "test" else None
        waited = 0.0
        while True:
            answer = await send(self._traffic, effect, on_progress=on_progress)
            if isinstance(answer, Outcome):
                return answer
            if waited + answer.seconds > MAX_WAIT_SECONDS:
                host = effect.request.url.split("/", 3)[2]
                failure = Failure(FailureKind.HOST_PAUSED, host, "its turn is too far away", answer.seconds)
                return Outcome(None, failure, 0.0, effect.request.purpose)
            self._observer.waiting(planned, answer.seconds)
            await asyncio.sleep(answer.seconds)
            waited += answer.seconds


class _Watch:
    """Tells an observer of a test's stages while it is made: each once, or again where it ended otherwise."""

    def __init__(
        self,
        observer: Observer,
        planned: PlannedTest,
        credentials: Credentials,
        now: Callable[[], datetime],
    ) -> None:
        self._observer = observer
        self._now = now
        self._planned = planned
        self._credentials = credentials
        self._told: dict[str, str] = {}

    def progressed(self, transport: Transport) -> None:
        """Tell of the stages that have ended by now, as the diagnosis would if all went well from here on."""
        ended = {"config", "dns"}
        ended |= {"connect"} if transport.connect is not None or transport.reused else set()
        ended |= {"tls"} if transport.tls is not None or transport.reused else set()
        outcome = Outcome(HttpResponse(200, {}, b""), None, 0.0, transport=transport)
        facts = Facts(self._planned.plan, [outcome], now=self._now(), credentials=self._credentials)
        for stage in stages(facts, _ALL_WELL):
            if stage.name in ended:
                self.ended(stage)

    def ended(self, stage: Stage) -> None:
        """Tell of a stage, unless that was done."""
        if self._told.get(stage.name) != stage.result:
            self._told[stage.name] = stage.result
            self._observer.stage_ended(self._planned, stage)


_HELD = Verdict(
    "Unknown",
    Reason.AUTHORIZATION_REQUIRED,
    "This connection works with a person's consent, and only the operator holds the tokens that came of it.",
    "Apply the connection, consent with 'hub authorize NAME', and let the operator test it: 'hub test NAME'.",
)
"""Of a connection whose tokens cannot be obtained here."""


def _why_operator(instance: IntegrationInstance, problem: CredentialProblem) -> str:
    """Return why somebody cannot test a connection, where the operator can."""
    reference = instance.spec.auth.secret_ref
    if problem.reason is not Reason.SECRET_FORBIDDEN or reference is None:
        return ""
    return f"You may not read Secret '{reference.name}' in namespace '{instance.metadata.namespace}'"


_ALL_WELL = Finding(None, "identity", Reason.CONNECTED, "Success", "", None)
"""What is found where every stage passes."""


def _masked(status: TestStatus, secrets: Collection[str]) -> TestStatus:
    """Return the status without secrets: a path into which somebody has pasted one stands in the message."""
    hint = redact_text(status.hint, secrets) if status.hint else status.hint
    return status.model_copy(update={"message": redact_text(status.message, secrets), "hint": hint})


def _stopped(reason: str, message: str) -> Verdict:
    """Return the verdict where no test can be made."""
    info = REASONS[Reason(reason)]
    return Verdict("Failure", reason, message, info.remedy or None)


def _worst(made: Sequence[Tried]) -> Verdict:
    """Return the verdict of the first test among those that went worst; of all tests where none of them counts."""
    counted = [tried for tried in made if tried.counts]
    worst = max(counted or made[:1], key=lambda tried: _SEVERITY[tried.status.result])
    status = worst.status
    message = status.message if worst is made[0] else f"Test '{status.name}': {status.message}"
    return Verdict(status.result, status.reason, message, status.hint)
