"""How an instance's tests stand: which verdicts still hold, which tests are due, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import TestStatus
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Reason
from integration_hub.probe.diagnose import spread, unknown
from integration_hub.reconcile.gates import PlannedTest
from integration_hub.reconcile.inputs import Inputs
from integration_hub.reconcile.schedule import longest_wait
from integration_hub.reconcile.times import parse_timestamp, timestamp
from integration_hub.reconcile.verdict import doubt


@dataclass(slots=True)
class Standing:
    """The verdicts of a suite while it is being tested."""

    suite: Sequence[PlannedTest]
    held: dict[str, TestStatus]
    """Verdicts about the inputs of now, by the test's name."""
    before: Mapping[str, TestStatus]
    """Verdicts about whichever inputs."""
    current: bool = True
    """Whether the status was about the inputs of now."""
    hinges_on_secret: bool = False
    """Whether the verdicts hold only if the Secret, of another version, still has the credentials they are about."""
    nexts: dict[str, datetime] = field(default_factory=dict)
    """When a test is made next, where that is known more precisely than the verdict says, or there is no verdict."""

    @property
    def default(self) -> PlannedTest:
        """The default test."""
        return self.suite[0]

    def blocked(self) -> bool:
        """Tell whether the default test's last result shows that no other can get through, so that none is made."""
        default = self.held.get(self.default.test.name)
        if default is None or default.last_result == "Success":
            return False
        reason = Reason(default.last_reason or default.reason)
        return _ended_at_token_url(default) or REASONS[reason].conditions[0] in {c.REACHABLE, c.AUTHENTICATED}

    def refused(self) -> bool:
        """Tell whether the default test's verdict is that the credentials are of no use."""
        default = self.held.get(self.default.test.name)
        return default is not None and default.reason in DEAD_CREDENTIALS

    def due(self, now: datetime) -> list[PlannedTest]:
        """Return the tests to make now, in the suite's order."""
        tests = self.suite[:1] if self.blocked() else self.suite
        return [planned for planned in tests if (moment := self.next_of(planned)) is None or moment <= now]

    def next_of(self, planned: PlannedTest) -> datetime | None:
        """Return when a test is made next, None where it is due since it was never made."""
        name = planned.test.name
        if name in self.nexts:
            return self.nexts[name]
        held = self.held.get(name)
        return parse_timestamp(held.next_time) if held else None

    def put_off(self, planned: PlannedTest, moment: datetime) -> None:
        """Let a test be made at that moment and not before."""
        name = planned.test.name
        self.nexts[name] = moment
        if name in self.held:
            self.held[name] = self.held[name].model_copy(update={"next_time": timestamp(moment)})

    def next_time(self) -> datetime | None:
        """Return when the next test is made."""
        tests = self.suite[:1] if self.blocked() else self.suite
        return min((moment for planned in tests if (moment := self.next_of(planned))), default=None)

    def statuses(self) -> list[TestStatus]:
        """Return the verdicts in the suite's order."""
        return [self.held[planned.test.name] for planned in self.suite if planned.test.name in self.held]

    def forget(self) -> None:
        """Take note that the verdicts are about other inputs than those of now."""
        self.held, self.nexts, self.current, self.hinges_on_secret = {}, {}, False, False

    def conditions(self) -> tuple[Condition, Condition, Condition, Condition]:
        """Return Ready, Reachable, Authenticated and Healthy as the required tests explain them.

        The first required test that does not succeed explains all of them, or the first that has no verdict yet.
        """
        required = [planned for planned in self.suite if planned.test.required]
        for planned in required:
            status = self.held.get(planned.test.name)
            if status is None:
                return _pending(known=planned is not self.default)
            if status.result != "Success":
                return _explained(status, default=planned.test.default)
        return _all_good([self.held[planned.test.name] for planned in required])


def _ended_at_token_url(status: TestStatus) -> bool:
    """Tell whether the last result of a test is about a token, so that nothing was asked of the system itself."""
    return status.last_result != "Success" and bool(status.stages) and status.stages[-1].name == "token"


def standing_of(inputs: Inputs, suite: Sequence[PlannedTest]) -> Standing:
    """Return how an instance's tests stand according to its status, before any test is made."""
    before = {status.name: status for status in inputs.instance.status.tests}
    same_secret = _same_secret(inputs)
    standing = Standing(suite, dict(before), before, hinges_on_secret=not same_secret)
    if not (
        _same_objects(inputs)
        and _consistent(inputs, standing)
        and (same_secret or _may_be_spared(inputs, standing))
    ):
        standing.forget()
    for planned in suite:
        moment = standing.next_of(planned)
        if moment and moment > inputs.now + longest_wait(planned.test.interval, inputs.timing):
            # Of a clock that was wrong, or an operator with longer intervals: believed, it would be made never.
            name = planned.test.name
            standing.held[name] = standing.held[name].model_copy(update={"next_time": None})
    return standing


def _same_objects(inputs: Inputs) -> bool:
    """Tell whether the verdicts in status are about exactly the instance and the definition of now."""
    status, tested = inputs.instance.status, inputs.instance.status.tested
    generation = inputs.instance.metadata.generation
    return (
        tested is not None
        and inputs.definition is not None
        and status.observed_generation == generation
        and tested.generation == generation
        and tested.definition_generation == inputs.definition.generation
        and tested.definition_uid == inputs.definition.uid
    )


def _same_secret(inputs: Inputs) -> bool:
    """Tell whether the verdicts in status are about exactly the Secret of now."""
    tested = inputs.instance.status.tested
    return tested is not None and tested.secret_resource_version == (inputs.secret_version or "")


def _may_be_spared(inputs: Inputs, standing: Standing) -> bool:
    """Tell whether another version of the Secret is no reason to test, as long as the credentials are the same.

    A label changes the version, too, and each try with credentials that were refused can lock an account.
    """
    return inputs.tested_fingerprint is not None and standing.refused()


def _consistent(inputs: Inputs, standing: Standing) -> bool:
    """Tell whether status says of Ready what its own verdicts say; somebody else may have written it.

    Reasons of another version of the operator make it inconsistent, too: a test then tells in today's words.
    """
    if any(status.reason not in REASONS for status in standing.held.values()):
        return False
    told, *_ = standing.conditions()
    ready = inputs.instance.status.condition(c.READY)
    if standing.default.test.name not in standing.held or ready is None:
        return False
    return (told.status, told.reason) == (ready.status, ready.reason)


def pending() -> Condition:
    """Return Ready of a connection whose verdict waits for a test's turn."""
    info = REASONS[Reason.TEST_PENDING]
    message = f"{info.meaning} {info.remedy}"
    return Condition(type=c.READY, status="Unknown", reason=Reason.TEST_PENDING, message=message)


def _pending(*, known: bool) -> tuple[Condition, Condition, Condition, Condition]:
    """Return the conditions while a test waits. `known` says that the default test has succeeded."""
    if not known:
        return pending(), unknown(c.REACHABLE), unknown(c.AUTHENTICATED), unknown(c.HEALTHY)
    reachable, authenticated, _ = spread("Success", Reason.CONNECTED, "")
    return pending(), reachable, authenticated, unknown(c.HEALTHY)


def _explained(status: TestStatus, *, default: bool) -> tuple[Condition, Condition, Condition, Condition]:
    """Return the conditions that a test which does not succeed explains."""
    message = status.message if default else f"Test '{status.name}': {status.message}"
    reachable, authenticated, healthy = spread(status.result, Reason(status.reason), message)
    if not default and reachable.status == "True" and authenticated.reason == Reason.NOT_YET_KNOWN:
        # An error answer says nothing of the credentials; that the default test succeeds does.
        _, authenticated, _ = spread("Success", Reason.CONNECTED, "")
    shown = " ".join(filter(None, (message, status.hint, doubt(status))))
    told = "False" if status.result == "Failure" else "Unknown"
    ready = Condition(type=c.READY, status=told, reason=status.reason, message=shown)
    return ready, reachable, authenticated, healthy


def _all_good(verdicts: Sequence[TestStatus]) -> tuple[Condition, Condition, Condition, Condition]:
    """Return the conditions where all required tests succeed; the default one comes first and tells the identity."""
    default, *others = verdicts
    doubts = [f"Test '{status.name}': {words}" for status in others if (words := doubt(status))]
    message = " ".join(filter(None, (default.message, doubt(default), *doubts)))
    ready = Condition(type=c.READY, status="True", reason=Reason.CONNECTED, message=message)
    return ready, *spread("Success", Reason.CONNECTED, default.message)
