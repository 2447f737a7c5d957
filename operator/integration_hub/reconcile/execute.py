"""Making one test: from credentials to the outcomes of its exchanges. Operator and command line both drive this."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

from integration_hub.auth.credentials import read_credentials, sensitive_values
from integration_hub.auth.flow import AuthContext, CredentialProblem, Credentials
from integration_hub.model.http import HttpRequest, Outcome
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import Reason
from integration_hub.probe.facts import Facts
from integration_hub.probe.finding import find
from integration_hub.reconcile.gates import PlannedTest, Ready
from integration_hub.reconcile.inputs import (
    Answer,
    Effect,
    Postponed,
    ReadSecret,
    SecretAnswer,
    SecretState,
    Send,
)


class Exchanges(NamedTuple):
    """How a test went: its outcomes in order, and the last request as it was sent."""

    outcomes: tuple[Outcome, ...]
    sent: HttpRequest
    control: Outcome | None = None
    """How the same request was answered without the credential, where that was tried."""

    @property
    def seconds(self) -> float:
        """How long all of it has taken."""
        return sum(outcome.seconds for outcome in (*self.outcomes, self.control) if outcome is not None)


def read_secret(
    instance: IntegrationInstance, passed: Ready
) -> Generator[Effect, Answer, SecretAnswer | None]:
    """Ask for the Secret that the instance names; None where it names none, or the auth method reads none."""
    reference = instance.spec.auth.secret_ref
    if reference is None or not passed.method_type.secret_keys(passed.settings):
        return None
    answer = yield ReadSecret(reference.name)
    if not isinstance(answer, SecretAnswer):
        raise TypeError("a Secret was asked for")
    return answer


def use_secret(
    instance: IntegrationInstance, passed: Ready, secret: SecretAnswer | None
) -> Credentials | CredentialProblem:
    """Take from the Secret what the auth method needs, or say why that cannot be."""
    keys = passed.method_type.secret_keys(passed.settings)
    reference = instance.spec.auth.secret_ref
    if secret is None or reference is None:
        names = ", ".join(f"'{key.name}'" for key in keys if key.required)
        if not names:
            return Credentials({})
        word = "keys" if ", " in names else "key"
        needs = f"auth method '{passed.method.name}' needs one with the {word} {names}"
        message = f"spec.auth.secretRef names no Secret; {needs}."
        return CredentialProblem(Reason.SECRET_REF_MISSING, message)
    where = f"Secret '{reference.name}' in namespace '{instance.metadata.namespace}'"
    match secret.state:
        case SecretState.NOT_FOUND:
            return CredentialProblem(Reason.SECRET_NOT_FOUND, f"{where} does not exist.")
        case SecretState.FORBIDDEN:
            return CredentialProblem(Reason.SECRET_FORBIDDEN, f"The operator may not read {where}.")
        case SecretState.FOUND:
            return _taken(passed, secret, name=reference.name, where=where)


def _taken(passed: Ready, secret: SecretAnswer, *, name: str, where: str) -> Credentials | CredentialProblem:
    """Take what is needed from a Secret that is there."""
    fault = _type_fault(passed, secret)
    if fault:
        return CredentialProblem(Reason.SECRET_TYPE_WRONG, f"{where} {fault}.")
    keys = passed.method_type.secret_keys(passed.settings)
    found = read_credentials(keys, secret.data, secret_name=name)
    if isinstance(found, CredentialProblem):
        return found
    problem = passed.method_type.credential_problem(passed.settings, found)
    return CredentialProblem(Reason.SECRET_VALUE_INVALID, f"{where}: {problem}") if problem else found


_NEVER_CREDENTIALS = ("integrationhub.dev/", "helm.sh/", "bootstrap.kubernetes.io/", "kubernetes.io/dockerc")
"""Types of Secrets that hold no credentials of external systems; the first, what the operator itself keeps: a token
that it obtained, or its keys, must not be sent as somebody's API key."""


def _type_fault(passed: Ready, secret: SecretAnswer) -> str | None:
    wanted = passed.method_type.secret_type(passed.settings)
    if wanted is not None and secret.type != wanted:
        return (
            f"is of type '{secret.type}', and auth method '{passed.method.name}' needs one of type '{wanted}'"
        )
    if secret.type.startswith(_NEVER_CREDENTIALS):
        return f"is of type '{secret.type}', which holds no credentials for an external system; use 'Opaque'"
    return None


def make_test(  # noqa: PLR0913 - what a test needs, and its manner by name
    planned: PlannedTest,
    passed: Ready,
    credentials: Credentials,
    context: AuthContext,
    *,
    urgent: bool = False,
    fresh: bool = False,
) -> Generator[Effect, Answer, Exchanges | Postponed]:
    """Drive the auth method's flow to its last request, the test itself; stop at the first that gets no answer.

    Where a test is to prove the credential and succeeds otherwise, the request is made once more without it.

    Return Postponed where the host's budget allows no request now.
    """
    plan = planned.plan
    sensitive = sensitive_values(credentials)

    def send(request: HttpRequest) -> Generator[Effect, Answer, Outcome | Postponed]:
        outcome = yield Send(
            request,
            plan.allowed_hosts,
            plan.ca_bundle,
            sensitive,
            test=planned.test.name,
            urgent=urgent,
            fresh=fresh,
        )
        if not isinstance(outcome, Outcome | Postponed):
            raise TypeError("an outcome was asked for")
        return outcome

    flow = passed.method_type.flow(passed.settings, credentials, plan.request, context)
    outcomes: list[Outcome] = []
    request = next(flow)
    try:
        while True:
            outcome = yield from send(request)
            if isinstance(outcome, Postponed):
                return outcome
            outcomes.append(outcome)
            if outcome.response is None:
                return Exchanges(tuple(outcomes), request)
            try:
                request = flow.send(outcome.response)
            except StopIteration:
                break
    finally:
        flow.close()
    made = Exchanges(tuple(outcomes), request)
    facts = Facts(plan, made.outcomes, now=context.now, credentials=credentials, sent=request)
    if find(facts).reason is not Reason.PROOF_PENDING:
        return made
    control = yield from send(replace(plan.request, purpose="control"))
    return made if isinstance(control, Postponed) else made._replace(control=control)
