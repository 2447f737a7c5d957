"""The story of one reconcile, top to bottom.

It is a generator: where it needs the outside it yields an effect and is resumed with the answer. The operator and the
command line drive the same story with their own hands, and a test drives it with none.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.model import conditions as c
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.conditions import Condition
from integration_hub.model.http import Outcome
from integration_hub.model.instance import CredentialStatus, InstanceStatus, TestedInputs
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.reconcile.execute import Exchanges, make_test, read_secret, use_secret
from integration_hub.reconcile.gates import GateResult, PlannedTest, pass_gates, undecided
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    Decision,
    Effect,
    Inputs,
    Postponed,
    SecretAnswer,
)
from integration_hub.reconcile.run import Run, fingerprint_of
from integration_hub.reconcile.schedule import phase_of
from integration_hub.reconcile.standing import pending
from integration_hub.reconcile.summary import headline, ready_condition, says_the_same, summarise
from integration_hub.reconcile.times import parse_timestamp, timestamp
from integration_hub.reconcile.verdict import MAX_HISTORY

Story = Generator[Effect, Answer, Decision]

SHORT_WAIT_SECONDS = 5.0
"""Who waits for its turn no longer than this says nothing of it in status."""


def reconcile(inputs: Inputs) -> Story:
    """Decide an instance's status, asking on the way for its turn, for the Secret and for the tests' outcomes."""
    gates = pass_gates(inputs)
    if inputs.instance.spec.suspend:
        return _suspended(inputs, gates)
    if gates.passed is None:
        return _stopped(inputs, gates, gates.conditions)
    run = Run(inputs, gates.passed)
    if run.standing.hinges_on_secret:
        # Before a turn is asked for: where there is none, that would be told instead of what was refused.
        credentials = yield from _read_credentials(run)
        if isinstance(credentials, CredentialProblem):
            return _withheld(run, gates, credentials)
        run.compare(credentials)
    due = run.due()
    if not due:
        return _unchanged(run) if run.secret is None else _tested(run, gates)
    return (yield from _take_turn(run, gates, due))


def _take_turn(run: Run, gates: GateResult, due: list[PlannedTest]) -> Story:
    """Make the tests where the host may be asked now; else come back, or say why it must not be asked."""
    turn = yield from _ask_turn(run, due[0])
    if isinstance(turn, Postponed):
        return _postponed(run, gates, turn.seconds)
    if turn is not None:
        run.take(due[0], Exchanges((turn,), due[0].plan.request), Credentials({}))
        return _tested(run, gates)
    return (yield from _make_tests(run, gates, due))


def _make_tests(run: Run, gates: GateResult, due: list[PlannedTest]) -> Story:
    """Read the Secret and make the tests, one after the other; one that cannot get through spares the others."""
    credentials = yield from _read_credentials(run)
    if isinstance(credentials, CredentialProblem):
        return _withheld(run, gates, credentials)
    run.fingerprint = fingerprint_of(credentials, run.inputs.fingerprint_key)
    due = run.due_with(run.secret, due)
    for number, planned in enumerate(due):
        if run.standing.blocked() and not planned.test.default:
            break
        exchanges = yield from make_test(
            planned, run.passed, credentials, run.inputs.context, urgent=run.urgent, fresh=run.requested
        )
        if isinstance(exchanges, Postponed):
            if not run.made:
                return _postponed(run, gates, exchanges.seconds)
            run.put_off(due[number:], exchanges.seconds)
            break
        run.take(planned, exchanges, credentials)
        due += run.freed(due)  # the loop goes on with them
    return _tested(run, gates)


def _read_credentials(run: Run) -> Generator[Effect, Answer, Credentials | CredentialProblem]:
    """Read the Secret, unless that was done, and take from it what the auth method needs."""
    instance = run.inputs.instance
    if run.secret is None:
        run.secret = yield from read_secret(instance)
    return use_secret(instance, run.passed, run.secret)


def _ask_turn(run: Run, planned: PlannedTest) -> Generator[Effect, Answer, Outcome | Postponed | None]:
    """Ask whether the host may be asked now, so that no Secret is read in vain; None where it may.

    Where the Secret is missing, that is what matters.
    """
    if run.inputs.instance.spec.auth.secret_ref is not None and run.inputs.secret_version is None:
        return None
    answer = yield AskTurn(planned.plan.request.url, run.urgent)
    if isinstance(answer, SecretAnswer):
        raise TypeError("a turn was asked for")
    return answer


def _suspended(inputs: Inputs, gates: GateResult) -> Decision:
    ready = Condition(
        type=c.READY,
        status="Unknown",
        reason=Reason.SUSPENDED,
        message=f"{REASONS[Reason.SUSPENDED].meaning} {REASONS[Reason.SUSPENDED].remedy}",
    )
    decided = tuple(condition for condition in gates.conditions if condition.status == "True")
    # Who the connection would be connected as may have changed while it is suspended.
    return _decide(inputs, ready, (*decided, *undecided(decided)), identity=None, next_test_time=None)


def _look_again(inputs: Inputs, reason: Reason) -> datetime | None:
    """Return when to read the Secret again: a watch tells of its changes, but none of a permission that was given."""
    if reason is not Reason.SECRET_FORBIDDEN:
        return None
    return inputs.now + inputs.timing.interval * (0.9 + 0.2 * phase_of(inputs.instance))


def _stopped(
    inputs: Inputs, gates: GateResult, decided: tuple[Condition, ...], *, due: datetime | None = None
) -> Decision:
    """Say which gate is not True: no test is made, and no verdict about other inputs is shown."""
    ready = ready_condition(headline(decided))
    auth_type = gates.method.type if gates.method else None
    return _decide(
        inputs,
        ready,
        (*decided, *undecided(decided)),
        auth_type=auth_type,
        identity=None,
        next_test_time=timestamp(due) if due else None,
    )


def _unchanged(run: Run) -> Decision:
    """Leave the status as it is, but for times that were put off."""
    standing = run.standing
    status, due = run.inputs.instance.status, standing.next_time()
    if standing.nexts:
        update = {"tests": standing.statuses(), "next_test_time": timestamp(due) if due else None}
        status = status.model_copy(update=update)
    return Decision(status=status, write=False, due=due, made=(), reason_changed=False)


def _withheld(run: Run, gates: GateResult, problem: CredentialProblem) -> Decision:
    """Say why there are no credentials to test with."""
    condition = Condition(
        type=c.CREDENTIALS_AVAILABLE,
        status="False",
        reason=problem.reason,
        message=problem.message,
    )
    again = _look_again(run.inputs, problem.reason)
    return _stopped(run.inputs, gates, (*gates.conditions, condition), due=again)


def _postponed(run: Run, gates: GateResult, seconds: float) -> Decision:
    """Come back when it is this instance's turn; say so where there is no verdict and it takes a while."""
    inputs, again = run.inputs, run.inputs.now + timedelta(seconds=seconds)
    if run.standing.held or seconds < SHORT_WAIT_SECONDS:
        decision = Decision(
            status=inputs.instance.status, write=False, due=again, made=(), reason_changed=False
        )
    else:
        decision = _decide(
            inputs,
            pending(),
            (*gates.conditions, *undecided(gates.conditions)),
            handled=False,
            auth_type=run.passed.method.type,
            identity=None,
            next_test_time=timestamp(again),
        )
    return replace(decision, postponed=True)


def _tested(run: Run, gates: GateResult) -> Decision:
    """Say what the tests have shown."""
    inputs, standing, secret = run.inputs, run.standing, run.secret
    if inputs.definition is None:
        raise ValueError("a test is made only of what passed the gates")
    available = Condition(
        type=c.CREDENTIALS_AVAILABLE,
        status="True",
        reason=Reason.FOUND,
        message="The credentials are complete.",
    )
    credentials = (available,) if _credentials_known(run) else ()
    decided = (*gates.conditions, *credentials)
    ready, *domain = standing.conditions()
    if not credentials:
        domain = [condition for condition in domain if condition.status != "True"]
    default = standing.held.get(standing.default.test.name)
    fields: dict[str, Any] = {}
    if default is not None and standing.default.test.name in run.made:
        fields = {"last_tested": default.time, "last_test_result": default.last_result}
        if default.result != "Success":
            fields["identity"] = None
        elif default.last_result == "Success":
            fields["identity"] = run.identity
    if secret is not None:
        fields["credential"] = CredentialStatus(id=secret.uid, secret_resource_version=secret.version)
    due = standing.next_time()
    decision = _decide(
        inputs,
        ready,
        (*decided, *domain, *undecided((*decided, *domain))),
        tested=TestedInputs(
            generation=inputs.instance.metadata.generation,
            definition_generation=inputs.definition.generation,
            definition_uid=inputs.definition.uid,
            secret_resource_version=(secret.version if secret else inputs.secret_version) or "",
        ),
        auth_type=run.passed.method.type,
        tests=standing.statuses(),
        history=[*run.history, *inputs.instance.status.history][:MAX_HISTORY],
        next_test_time=timestamp(due) if due else None,
        **fields,
    )
    # Status has whole seconds; what is done every ten of them must not be done a second early.
    return replace(
        decision,
        due=due,
        made=tuple(standing.held[name] for name in run.made),
        fingerprint=run.fingerprint if standing.refused() else None,
    )


def _credentials_known(run: Run) -> bool:
    """Tell whether the Secret has what is needed. Without a turn it is not read: it is as it is known from before."""
    if run.secret is not None or run.inputs.instance.spec.auth.secret_ref is None:
        return True
    before = run.inputs.instance.status.condition(c.CREDENTIALS_AVAILABLE)
    return run.standing.current and before is not None and before.status == "True"


def _decide(
    inputs: Inputs, ready: Condition, domain: tuple[Condition, ...], *, handled: bool = True, **fields: Any
) -> Decision:
    """Make the status and see whether it is worth a write. `handled` says that a person's request was acted upon."""
    previous = inputs.instance.status
    asked = inputs.instance.metadata.annotations.get(REQUEST_ANNOTATION) if handled else None
    status = summarise(
        previous,
        ready,
        domain,
        generation=inputs.instance.metadata.generation,
        now=timestamp(inputs.now),
        **fields,
        last_handled_request=asked or previous.last_handled_request,
    )
    write = not says_the_same(previous, status) or ("tested" in fields and not _is_fresh(inputs, previous))
    before = previous.condition(c.READY)
    return Decision(
        # Not written: keep the time of the last write, from which the next refresh is counted.
        status=status if write else status.model_copy(update={"updated_at": previous.updated_at}),
        write=write,
        due=parse_timestamp(status.next_test_time),
        made=(),
        reason_changed=before is None or (before.status, before.reason) != (ready.status, ready.reason),
    )


def _is_fresh(inputs: Inputs, status: InstanceStatus) -> bool:
    """Tell whether the status was written so lately that times alone are not worth another write."""
    updated = parse_timestamp(status.updated_at)
    return updated is not None and inputs.now - updated < inputs.timing.status_refresh
