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
from integration_hub.auth.tokens import TokenMethod
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.http import Outcome
from integration_hub.model.instance import TestedInputs
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.reconcile.authentication import Kept, has_token_work, keep_tokens
from integration_hub.reconcile.consent import Consent
from integration_hub.reconcile.credential_fields import (
    accepted,
    available,
    credential_fields,
    credentials_known,
    token_fields,
    with_news,
)
from integration_hub.reconcile.deciding import awaited_at, decide, with_kept
from integration_hub.reconcile.delivery import (
    Delivery,
    at_rest,
    carried,
    deliver,
    is_due,
    rests_until,
    tried_again_at,
)
from integration_hub.reconcile.ends import attention, earliest
from integration_hub.reconcile.execute import Exchanges, make_test, read_secret, use_secret
from integration_hub.reconcile.gates import GateResult, PlannedTest, pass_gates, undecided
from integration_hub.reconcile.inputs import (
    Answer,
    AskTurn,
    Decision,
    Effect,
    Inputs,
    Postponed,
)
from integration_hub.reconcile.keeper import Keeper
from integration_hub.reconcile.proving import heal, in_use, prove_candidate
from integration_hub.reconcile.run import Run, fingerprint_of
from integration_hub.reconcile.schedule import phase_of
from integration_hub.reconcile.standing import pending
from integration_hub.reconcile.summary import headline, ready_condition
from integration_hub.reconcile.times import timestamp
from integration_hub.reconcile.verdict import MAX_HISTORY

Story = Generator[Effect, Answer, Decision]

SHORT_WAIT_SECONDS = 5.0
"""Who waits for its turn no longer than this says nothing of it in status."""

STORE_AGAIN = timedelta(minutes=1)
"""After the operator could not store what it obtains, or had no keys to seal it."""


def reconcile(inputs: Inputs) -> Story:
    """Decide an instance's status, asking on the way for its turn, for the Secret and for the tests' outcomes."""
    gates = pass_gates(inputs)
    if inputs.instance.spec.suspend:
        return (yield from _suspended(inputs, gates))
    if gates.passed is None:
        delivery = yield from at_rest(inputs)
        return replace(_stopped(inputs, gates, gates.conditions, delivery), due=rests_until(inputs))
    run = Run(inputs, gates.passed)
    if run.standing.hinges_on_secret:
        # Before a turn is asked for: where there is none, that would be told instead of what was refused.
        credentials = yield from _read_credentials(run)
        if isinstance(credentials, CredentialProblem):
            return (yield from _withheld(run, gates, credentials))
        run.compare(credentials)
    return (yield from _go_on(run, gates))


def _go_on(run: Run, gates: GateResult) -> Story:
    """Do what is due of an instance that the gates let through."""
    due = run.due()
    if run.method is not None and (due or has_token_work(run.inputs) or is_due(run.inputs)):
        return (yield from _with_tokens(run, gates, run.method))
    if due:
        return (yield from _take_turn(run, gates, due))
    if is_due(run.inputs):
        credentials = yield from _read_credentials(run)
        if isinstance(credentials, CredentialProblem):
            return (yield from _withheld(run, gates, credentials))
    return _unchanged(run) if run.secret is None else (yield from _tested(run, gates))


def _with_tokens(run: Run, gates: GateResult, method: TokenMethod) -> Story:
    """Bring tokens up to date, or ask a person for them; then make the tests that are due with them."""
    credentials = yield from _read_credentials(run)
    if isinstance(credentials, CredentialProblem):
        return (yield from _withheld(run, gates, credentials))
    rules = method.token_rules(run.passed.settings, credentials, run.passed.context)
    keeper = run.keeper = Keeper(run.inputs, run.passed, method, rules, credentials)
    consent = run.consent = Consent(keeper)
    run.kept = yield from keep_tokens(keeper, consent)
    if run.kept.is_candidate:
        run.kept = yield from prove_candidate(run, keeper, consent, credentials)
    if run.kept.problem is not None:
        return (yield from _withheld(run, gates, run.kept.problem))
    if run.kept.postponed is not None:
        return _postponed(run, gates, run.kept.postponed.seconds)
    if run.kept.failed is not None:
        # With the tokens, so that none of them is repeated that the other side says.
        shown = in_use(keeper.record.tokens, credentials)
        run.fingerprint = fingerprint_of(credentials, run.inputs.fingerprint_key)
        run.take(run.standing.default, run.kept.failed, shown, said=run.kept.said)
        return (yield from _tested(run, gates))
    run.credentials = in_use(run.kept.tokens, credentials)
    due = [planned for planned in run.due() if planned.test.name not in run.made]
    return (yield from _take_turn(run, gates, due)) if due else (yield from _tested(run, gates))


def _take_turn(run: Run, gates: GateResult, due: list[PlannedTest]) -> Story:
    """Make the tests where the host may be asked now; else come back, or say why it must not be asked."""
    turn = yield from _ask_turn(run, due[0])
    if isinstance(turn, Postponed):
        return _postponed(run, gates, turn.seconds)
    if turn is not None:
        run.take(due[0], Exchanges((turn,), due[0].plan.request), Credentials({}))
        return (yield from _tested(run, gates))
    return (yield from _make_tests(run, gates, due))


def _make_tests(run: Run, gates: GateResult, due: list[PlannedTest]) -> Story:
    """Read the Secret and make the tests, one after the other; one that cannot get through spares the others."""
    credentials = yield from _read_credentials(run)
    if isinstance(credentials, CredentialProblem):
        return (yield from _withheld(run, gates, credentials))
    run.fingerprint = fingerprint_of(credentials, run.inputs.fingerprint_key)
    due = run.due_with(run.secret, due)
    for number, planned in enumerate(due):
        if run.standing.blocked() and not planned.test.default:
            break
        exchanges = yield from _make_test(run, planned)
        if isinstance(exchanges, Kept):
            run.kept = exchanges
            return (yield from _unable(run, gates))
        if isinstance(exchanges, Postponed):
            if not run.made:
                return _postponed(run, gates, exchanges.seconds)
            run.put_off(due[number:], exchanges.seconds)
            break
        run.take(planned, exchanges, run.credentials or credentials)
        due += run.freed(due)  # the loop goes on with them
    return (yield from _tested(run, gates))


def _make_test(run: Run, planned: PlannedTest) -> Generator[Effect, Answer, Exchanges | Kept | Postponed]:
    """Make one test; where tokens are refused before their time, renew them and make it again."""
    credentials = run.credentials or Credentials({})
    exchanges = yield from make_test(
        planned, run.passed, credentials, run.passed.context, urgent=run.urgent, fresh=run.requested
    )
    if isinstance(exchanges, Postponed):
        return exchanges
    return (yield from heal(run, planned, exchanges, credentials))


def _unable(run: Run, gates: GateResult) -> Story:
    """Say why there are no tokens any more."""
    if run.kept.problem is not None:
        return (yield from _withheld(run, gates, run.kept.problem))
    if run.kept.failed is not None and run.credentials is not None:
        run.take(run.standing.default, run.kept.failed, run.credentials, said=run.kept.said)
        return (yield from _tested(run, gates))
    seconds = run.kept.postponed.seconds if run.kept.postponed is not None else SHORT_WAIT_SECONDS
    return _postponed(run, gates, seconds)


def _read_credentials(run: Run) -> Generator[Effect, Answer, Credentials | CredentialProblem]:
    """Read the Secret, unless that was done, and take from it what the auth method needs."""
    if run.credentials is not None:
        return run.credentials
    instance = run.inputs.instance
    if run.secret is None:
        run.secret = yield from read_secret(instance, run.passed)
    found = use_secret(instance, run.passed, run.secret)
    if isinstance(found, Credentials):
        run.credentials = found
    return found


def _ask_turn(run: Run, planned: PlannedTest) -> Generator[Effect, Answer, Outcome | Postponed | None]:
    """Ask whether the host may be asked now, so that no Secret is read in vain; None where it may.

    Where the Secret is missing, that is what matters.
    """
    if run.inputs.instance.spec.auth.secret_ref is not None and run.inputs.secret_version is None:
        return None
    answer = yield AskTurn(planned.plan.request.url, run.urgent)
    if answer is not None and not isinstance(answer, Outcome | Postponed):
        raise TypeError("a turn was asked for")
    return answer


def _suspended(inputs: Inputs, gates: GateResult) -> Story:
    """Say that nothing is tested."""
    ready = Condition(
        type=c.READY,
        status="Unknown",
        reason=Reason.SUSPENDED,
        message=f"{REASONS[Reason.SUSPENDED].meaning} {REASONS[Reason.SUSPENDED].remedy}",
    )
    decided = tuple(condition for condition in gates.conditions if condition.status == "True")
    delivered, binding = yield from at_rest(inputs)
    found = (*decided, *undecided(decided), *_told(delivered))
    # Who the connection would be connected as may have changed while it is suspended.
    decision = decide(
        inputs, ready, found, identity=None, next_test_time=None, authorization=None, binding=binding
    )
    return replace(decision, due=rests_until(inputs))


def _told(condition: Condition | None) -> tuple[Condition, ...]:
    return (condition,) if condition is not None else ()


def _look_again(inputs: Inputs, reason: Reason) -> datetime | None:
    """Return when to look again: a watch tells of changes of Secrets, but none of a permission that was given."""
    spread = 0.9 + 0.2 * phase_of(inputs.instance)
    if reason is Reason.SECRET_FORBIDDEN:
        return inputs.now + inputs.timing.interval * spread
    if REASONS[reason].course is Course.RETRYING:
        return inputs.now + min(inputs.timing.interval, STORE_AGAIN) * spread
    return None


def _stopped(
    inputs: Inputs,
    gates: GateResult,
    decided: tuple[Condition, ...],
    delivery: Delivery,
    *,
    due: datetime | None = None,
    **fields: Any,
) -> Decision:
    """Say which gate is not True: no test is made, and no verdict about other inputs is shown."""
    ready = ready_condition(headline(decided))
    auth_type = gates.method.type if gates.method else None
    delivered, binding = delivery
    found = (*decided, *undecided(decided), *_told(delivered))
    given = {"authorization": None, "identity": None, **fields}
    return decide(
        inputs,
        ready,
        found,
        auth_type=auth_type,
        next_test_time=timestamp(due) if due else None,
        binding=binding,
        **given,
    )


def _unchanged(run: Run) -> Decision:
    """Leave the status as it is, but for times that were put off."""
    standing = run.standing
    status, due = run.inputs.instance.status, standing.next_time()
    if standing.nexts:
        update = {"tests": standing.statuses(), "next_test_time": timestamp(due) if due else None}
        status = status.model_copy(update=update)
    awaited = run.inputs.awaited_at
    due = earliest((due, attention(status, run.inputs.now), awaited))
    return Decision(status=status, write=False, due=due, made=(), reason_changed=False, awaited_at=awaited)


def _withheld(run: Run, gates: GateResult, problem: CredentialProblem) -> Story:
    """Say why there are no credentials to test with."""
    awaited = REASONS[problem.reason].course is Course.WAITING and run.kept.authorization is not None
    condition = Condition(
        type=c.CREDENTIALS_AVAILABLE,
        status="Unknown" if awaited else "False",
        reason=problem.reason,
        message=problem.message,
    )
    decided = (*gates.conditions, condition)
    again = _look_again(run.inputs, problem.reason)
    delivery: Delivery
    if run.keeper is not None:
        delivery = yield from deliver(run, ready_condition(condition))
    else:
        delivery = yield from at_rest(run.inputs, uri=run.passed.base_url)
    decision = _stopped(run.inputs, gates, decided, delivery, due=again, **token_fields(run))
    return with_kept(run, decision)


def _postponed(run: Run, gates: GateResult, seconds: float) -> Decision:
    """Come back when it is this instance's turn; say so where there is no verdict and it takes a while."""
    inputs, again = run.inputs, run.inputs.now + timedelta(seconds=seconds)
    if run.standing.held or seconds < SHORT_WAIT_SECONDS:
        decision = Decision(
            status=inputs.instance.status, write=False, due=again, made=(), reason_changed=False
        )
    else:
        delivered, _ = carried(inputs)
        known = (*gates.conditions, *(one for one in _told(delivered) if one.status == "True"))
        decision = decide(
            inputs,
            pending(),
            (*known, *undecided(gates.conditions)),
            handled=False,
            auth_type=run.passed.method.type,
            identity=None,
            next_test_time=timestamp(again),
            **token_fields(run),
        )
    return replace(with_kept(run, decision), postponed=True, due=again)


def _tested(run: Run, gates: GateResult) -> Story:
    """Say what the tests have shown."""
    inputs, standing, secret = run.inputs, run.standing, run.secret
    if inputs.definition is None:
        raise ValueError("a test is made only of what passed the gates")
    credentials = (available(run),) if credentials_known(run) else ()
    ready, *domain = standing.conditions()
    ready, domain = with_news(run, ready), [accepted(run, condition) for condition in domain]
    delivered, binding = yield from deliver(run, ready)
    if delivered is not None:
        domain.append(delivered)
        if ready.status == "True" and delivered.status == "False":
            ready = ready_condition(delivered)
    if not credentials:
        domain = [condition for condition in domain if condition.status != "True"]
    decided = (*gates.conditions, *credentials)
    default = standing.held.get(standing.default.test.name)
    fields: dict[str, Any] = {}
    if default is not None and standing.default.test.name in run.made:
        fields = {"last_tested": default.time, "last_test_result": default.last_result}
        if default.result != "Success":
            fields["identity"] = None
        elif default.last_result == "Success":
            fields["identity"] = run.identity
    due = standing.next_time()
    decision = decide(
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
        binding=binding,
        **fields,
        **credential_fields(run),
    )
    # Status has whole seconds; what is done every ten of them must not be done a second early.
    return replace(
        with_kept(run, decision),
        due=earliest(
            (
                due,
                attention(decision.status, inputs.now),
                awaited_at(run),
                tried_again_at(delivered, inputs.now),
            )
        ),
        made=tuple(standing.held[name] for name in run.made),
        fingerprint=run.fingerprint if standing.refused() else None,
    )
