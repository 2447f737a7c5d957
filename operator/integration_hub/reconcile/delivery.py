"""What workloads get: the credentials that were last proven, and never any that are of no use."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta

from integration_hub.credentials.binding import binding_data, binding_type
from integration_hub.credentials.lifetime import is_alive
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import BindingStatus
from integration_hub.model.reasons import DEAD_CREDENTIALS, REASONS, Course, Reason
from integration_hub.reconcile.inputs import Answer, BindingAnswer, Effect, Inputs, KeepBinding
from integration_hub.reconcile.run import Run
from integration_hub.reconcile.times import parse_timestamp

AGAIN = timedelta(minutes=1)
"""After the Secret could not be written."""

_SAYS_NOTHING = frozenset(
    {Reason.KEYRING_UNAVAILABLE, Reason.CREDENTIAL_UNREADABLE, Reason.CREDENTIAL_NOT_STORED}
)
"""Problems of the operator's own: whatever workloads have works as long as it did without them."""

Delivery = tuple[Condition | None, BindingStatus | None]


def deliver(run: Run, ready: Condition) -> Generator[Effect, Answer, Delivery]:
    """Bring the Secret for workloads up to date, and say how it stands."""
    yield from drop_former(run.inputs)
    binding = run.inputs.instance.spec.binding
    if binding is None:
        return None, None
    data = _data(run, ready)
    if data is None:
        return carried(run.inputs)
    condition = _WITHDRAWN
    if not _is_withdrawn(run, ready):
        message = f"Secret '{binding.secret_name}' is up to date."
        condition = _condition("True", Reason.DELIVERED, message)
    return (yield from _keep(run.inputs, binding.secret_name, data, condition))


def _keep(
    inputs: Inputs, name: str, data: Mapping[str, str], done: Condition
) -> Generator[Effect, Answer, Delivery]:
    """Write the Secret where it differs; `done` is what is said of it then."""
    answer = yield KeepBinding(name, binding_type(inputs.instance.spec.definition_ref.name), data)
    if not isinstance(answer, BindingAnswer):
        raise TypeError("a binding was to be kept")
    if answer.problem is not None:
        return _condition("False", answer.problem.reason, answer.problem.message), None
    return done, BindingStatus(name=name)


def carried(inputs: Inputs) -> Delivery:
    """Return how the Secret for workloads stood, where nothing is known that would change it."""
    before, binding = inputs.instance.status, inputs.instance.spec.binding
    if binding is None or (before.binding is not None and before.binding.name != binding.secret_name):
        return None, None
    return before.condition(c.DELIVERED), before.binding


def at_rest(inputs: Inputs, *, uri: str = "") -> Generator[Effect, Answer, Delivery]:
    """Leave the Secret for workloads as it is while nothing is tested, but for a token that has ended meanwhile."""
    yield from drop_former(inputs)
    told, status = carried(inputs)
    if told is None or status is None or told.reason == Reason.BINDING_WITHDRAWN or not _has_ended(inputs):
        return told, status
    return (yield from _keep(inputs, status.name, _contents(inputs, uri, {}), _WITHDRAWN))


def rests_until(inputs: Inputs) -> datetime | None:
    """Return when what workloads have ends, None where they have nothing, or that is not known, or it has ended."""
    told, status = carried(inputs)
    if told is None or status is None or told.reason == Reason.BINDING_WITHDRAWN or _has_ended(inputs):
        return None
    return _end(inputs)


def drop_former(inputs: Inputs) -> Generator[Effect, Answer, None]:
    """Take away the Secret of a name that spec.binding does not have any more."""
    before, binding = inputs.instance.status.binding, inputs.instance.spec.binding
    if before is not None and (binding is None or binding.secret_name != before.name):
        yield KeepBinding(before.name, "", None)


def is_due(inputs: Inputs) -> bool:
    """Tell whether the Secret for workloads was taken away by somebody, or could not be written before."""
    if inputs.instance.spec.binding is None:
        return False
    status = inputs.instance.status
    told = status.condition(c.DELIVERED)
    tried = (
        told is not None and told.status == "False" and REASONS[Reason(told.reason)].course is Course.RETRYING
    )
    return tried or (status.binding is not None and inputs.binding_version is None)


def tried_again_at(condition: Condition | None, now: datetime) -> datetime | None:
    """Return when a Secret is tried again that could not be written; None where it could, or that cannot help."""
    if condition is None or REASONS[Reason(condition.reason)].course is not Course.RETRYING:
        return None
    return now + AGAIN


def _data(run: Run, ready: Condition) -> Mapping[str, str] | None:
    """Return what workloads get; None where what they have stays."""
    inputs, passed = run.inputs, run.passed
    if _is_withdrawn(run, ready):
        if inputs.binding_version is None and inputs.instance.status.binding is None:
            return None  # a Pod that needs it waits for the Secret, and would start with one that is empty
        delivered: Mapping[str, str] = {}
    elif run.credentials is None or not (ready.status == "True" or _was_renewed(run)):
        return None
    else:
        delivered = passed.method_type.delivered(passed.settings, run.credentials)
    return _contents(inputs, passed.base_url, delivered)


def _contents(inputs: Inputs, uri: str, delivered: Mapping[str, str]) -> Mapping[str, str]:
    spec = inputs.definition.spec if inputs.definition is not None else None
    return binding_data(
        type_=inputs.instance.spec.definition_ref.name,
        provider=(spec.vendor or "") if spec is not None else "",
        uri=uri,
        delivered=delivered,
    )


def _is_withdrawn(run: Run, ready: Condition) -> bool:
    """Tell whether there is nothing that a workload could use: tokens are gone, or what there is was refused."""
    if ready.status == "True":
        return False
    problem = run.kept.problem
    is_gone = problem is not None and problem.reason not in _SAYS_NOTHING
    is_refused = ready.reason in DEAD_CREDENTIALS and not run.in_doubt
    return is_gone or is_refused or _have_ended(run)


def _have_ended(run: Run) -> bool:
    """Tell whether tokens have ended, as far as is known: a record that does not open tells no more than the status."""
    keeper, now = run.keeper, run.inputs.now
    if keeper is None:
        return False
    if keeper.stored.problem is None:
        tokens = keeper.record.tokens
        return tokens is not None and not is_alive(tokens, now)
    return _has_ended(run.inputs)


def _has_ended(inputs: Inputs) -> bool:
    """Tell whether the credential has ended, as far as the status tells."""
    ends_at = _end(inputs)
    return ends_at is not None and ends_at <= inputs.now


def _end(inputs: Inputs) -> datetime | None:
    before = inputs.instance.status.credential
    return parse_timestamp(before.expires_at) if before is not None else None


def _was_renewed(run: Run) -> bool:
    """Tell whether tokens were renewed that had been proven: what workloads have ends soon."""
    keeper = run.keeper
    return (
        keeper is not None
        and keeper.result == "renewed"
        and not keeper.record.unproven
        and run.inputs.instance.status.binding is not None
    )


def _condition(status: str, reason: str, message: str) -> Condition:
    told = {"True": "True", "False": "False"}[status]
    return Condition.model_validate(
        {"type": c.DELIVERED, "status": told, "reason": reason, "message": message}
    )


_WITHDRAWN = _condition("False", Reason.BINDING_WITHDRAWN, REASONS[Reason.BINDING_WITHDRAWN].meaning)
