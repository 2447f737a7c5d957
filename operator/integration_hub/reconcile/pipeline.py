"""The story of one reconcile, top to bottom.

It is a generator: where it needs the outside it yields an effect and is resumed with the answer. The operator and the
command line drive the same story with their own hands, and a test drives it with none.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

from integration_hub.auth.credentials import read_credentials, secret_values, sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.model import conditions as c
from integration_hub.model.base import REQUEST_ANNOTATION
from integration_hub.model.conditions import Condition
from integration_hub.model.http import Outcome
from integration_hub.model.instance import CredentialStatus, TestedInputs, TestStatus
from integration_hub.model.reasons import REASONS, Reason
from integration_hub.probe.diagnose import Diagnosis, diagnose
from integration_hub.reconcile.gates import GateResult, Ready, pass_gates, undecided
from integration_hub.reconcile.inputs import (
    Answer,
    Decision,
    Effect,
    Inputs,
    ReadSecret,
    SecretAnswer,
    SecretState,
    Send,
)
from integration_hub.reconcile.schedule import (
    interval_of,
    is_requested,
    next_test,
    parse_timestamp,
    pause_after,
    timestamp,
    verdict_is_current,
)
from integration_hub.reconcile.summary import headline, ready_condition, says_the_same, summarise

Story = Generator[Effect, Answer, Decision]


def reconcile(inputs: Inputs) -> Story:
    """Decide an instance's status, asking on the way for the Secret and for the test's outcome."""
    gates = pass_gates(inputs)
    if inputs.instance.spec.suspend:
        return _suspended(inputs, gates)
    if gates.passed is None:
        return _stopped(inputs, gates, gates.conditions)
    due = next_test(inputs)
    if (
        verdict_is_current(inputs)
        and not is_requested(inputs, REQUEST_ANNOTATION)
        and due
        and inputs.now < due
    ):
        return _unchanged(inputs)

    secret = yield from _read_secret(inputs)
    credentials = _use(inputs, gates.passed, secret)
    if isinstance(credentials, CredentialProblem):
        condition = Condition(
            type=c.CREDENTIALS_AVAILABLE,
            status="False",
            reason=credentials.reason,
            message=credentials.message,
        )
        return _stopped(
            inputs, gates, (*gates.conditions, condition), due=_look_again(inputs, credentials.reason)
        )

    outcome = yield from _execute(gates.passed, credentials)
    return _tested(
        inputs, gates, secret, outcome, diagnose(gates.passed.plan, outcome, secret_values(credentials))
    )


def _read_secret(inputs: Inputs) -> Generator[Effect, Answer, SecretAnswer | None]:
    """Ask for the Secret that the instance names; None where it names none."""
    reference = inputs.instance.spec.auth.secret_ref
    if reference is None:
        return None
    answer = yield ReadSecret(reference.name)
    if not isinstance(answer, SecretAnswer):
        raise TypeError("a Secret was asked for")
    return answer


def _use(inputs: Inputs, passed: Ready, secret: SecretAnswer | None) -> Credentials | CredentialProblem:
    """Take from the Secret what the auth method needs, or say why that cannot be."""
    keys = passed.method_type.secret_keys(passed.method.settings)
    reference = inputs.instance.spec.auth.secret_ref
    if secret is None or reference is None:
        names = ", ".join(f"'{key.name}'" for key in keys if key.required)
        if not names:
            return Credentials({})
        word = "keys" if ", " in names else "key"
        method = passed.method.name
        message = (
            f"spec.auth.secretRef names no Secret; auth method '{method}' needs one with the {word} {names}."
        )
        return CredentialProblem(Reason.SECRET_REF_MISSING, message)
    where = f"Secret '{reference.name}' in namespace '{inputs.instance.metadata.namespace}'"
    match secret.state:
        case SecretState.NOT_FOUND:
            return CredentialProblem(Reason.SECRET_NOT_FOUND, f"{where} does not exist.")
        case SecretState.FORBIDDEN:
            return CredentialProblem(Reason.SECRET_FORBIDDEN, f"The operator may not read {where}.")
        case SecretState.FOUND:
            found = read_credentials(keys, secret.data, secret_name=reference.name)
            if isinstance(found, CredentialProblem):
                return found
            problem = passed.method_type.credential_problem(passed.method.settings, found)
            return CredentialProblem(Reason.SECRET_VALUE_INVALID, f"{where}: {problem}") if problem else found


def _execute(passed: Ready, credentials: Credentials) -> Generator[Effect, Answer, Outcome]:
    """Drive the auth method's flow to its last request, the test itself; stop at the first that gets no answer."""
    sensitive = sensitive_values(credentials)
    flow = passed.method_type.flow(passed.method.settings, credentials, passed.plan.request)
    request = next(flow)
    while True:
        outcome = yield Send(request, passed.plan.allowed_hosts, passed.plan.ca_bundle, sensitive)
        if not isinstance(outcome, Outcome):
            raise TypeError("an outcome was asked for")
        if outcome.response is None:
            flow.close()
            return outcome
        try:
            request = flow.send(outcome.response)
        except StopIteration:
            return outcome


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
    return inputs.now + pause_after(
        reason, 1, interval=interval_of(inputs), jitter=inputs.jitter, timing=inputs.timing
    )


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


def _unchanged(inputs: Inputs) -> Decision:
    return Decision(
        status=inputs.instance.status,
        write=False,
        due=next_test(inputs),
        tested=False,
        failures=inputs.failures,
        reason_changed=False,
    )


def _tested(
    inputs: Inputs, gates: GateResult, secret: SecretAnswer | None, outcome: Outcome, diagnosis: Diagnosis
) -> Decision:
    if inputs.definition is None or gates.passed is None:
        raise ValueError("a test is made only of what passed the gates")
    credentials_available = Condition(
        type=c.CREDENTIALS_AVAILABLE,
        status="True",
        reason=Reason.FOUND,
        message="The credentials are complete.",
    )
    domain = (
        *gates.conditions, credentials_available, diagnosis.reachable, diagnosis.authenticated, diagnosis.healthy
    )  # fmt: skip
    if diagnosis.reason is Reason.CONNECTED:
        ready = Condition(type=c.READY, status="True", reason=Reason.CONNECTED, message=diagnosis.message)
    else:
        ready = ready_condition(headline(domain))
    failures = 0 if diagnosis.result == "Success" else inputs.failures + 1
    pause = pause_after(
        diagnosis.reason, failures, interval=interval_of(inputs), jitter=inputs.jitter, timing=inputs.timing
    )
    now = timestamp(inputs.now)
    return _decide(
        inputs,
        ready,
        domain,
        failures=failures,
        tested=TestedInputs(
            generation=inputs.instance.metadata.generation,
            definition_generation=inputs.definition.generation,
            definition_uid=inputs.definition.uid,
            secret_resource_version=secret.version if secret else "",
        ),
        auth_type=gates.passed.method.type,
        credential=CredentialStatus(id=secret.uid, secret_resource_version=secret.version)
        if secret
        else None,
        identity=diagnosis.identity,
        last_tested=now,
        last_test_result=diagnosis.result,
        tests=[
            TestStatus(
                name=gates.passed.plan.test.name,
                result=diagnosis.result,
                reason=diagnosis.reason,
                message=diagnosis.message,
                hint=diagnosis.hint,
                time=now,
                duration_ms=round(outcome.seconds * 1000),
            )
        ],
        next_test_time=timestamp(inputs.now + pause),
    )


def _decide(
    inputs: Inputs, ready: Condition, domain: tuple[Condition, ...], *, failures: int = 0, **fields: Any
) -> Decision:
    """Make the status and see whether it is worth a write."""
    previous = inputs.instance.status
    asked = inputs.instance.metadata.annotations.get(REQUEST_ANNOTATION)
    status = summarise(
        previous,
        ready,
        domain,
        generation=inputs.instance.metadata.generation,
        now=timestamp(inputs.now),
        **fields,
        last_handled_request=asked or previous.last_handled_request,
    )
    updated = parse_timestamp(previous.updated_at)
    fresh = updated is not None and inputs.now - updated < inputs.timing.status_refresh
    tested = "tested" in fields
    write = not says_the_same(previous, status) or (tested and not fresh)
    before = previous.condition(c.READY)
    return Decision(
        # Not written: keep the time of the last write, from which the next refresh is counted.
        status=status if write else status.model_copy(update={"updated_at": previous.updated_at}),
        write=write,
        due=parse_timestamp(status.next_test_time),
        tested=tested,
        failures=failures,
        reason_changed=before is None or (before.status, before.reason) != (ready.status, ready.reason),
    )
