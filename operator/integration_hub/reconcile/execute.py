"""Making one test: from credentials to the outcomes of its exchanges. Operator and command line both drive this."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from integration_hub.auth.credentials import read_credentials, sensitive_values
from integration_hub.auth.flow import CredentialProblem, Credentials
from integration_hub.model.http import HttpRequest, Outcome
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import Reason
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


def read_secret(instance: IntegrationInstance) -> Generator[Effect, Answer, SecretAnswer | None]:
    """Ask for the Secret that the instance names; None where it names none."""
    reference = instance.spec.auth.secret_ref
    if reference is None:
        return None
    answer = yield ReadSecret(reference.name)
    if not isinstance(answer, SecretAnswer):
        raise TypeError("a Secret was asked for")
    return answer


def use_secret(
    instance: IntegrationInstance, passed: Ready, secret: SecretAnswer | None
) -> Credentials | CredentialProblem:
    """Take from the Secret what the auth method needs, or say why that cannot be."""
    keys = passed.method_type.secret_keys(passed.method.settings)
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
            found = read_credentials(keys, secret.data, secret_name=reference.name)
            if isinstance(found, CredentialProblem):
                return found
            problem = passed.method_type.credential_problem(passed.method.settings, found)
            return CredentialProblem(Reason.SECRET_VALUE_INVALID, f"{where}: {problem}") if problem else found


def make_test(
    planned: PlannedTest,
    passed: Ready,
    credentials: Credentials,
    *,
    urgent: bool = False,
    fresh: bool = False,
) -> Generator[Effect, Answer, Exchanges | Postponed]:
    """Drive the auth method's flow to its last request, the test itself; stop at the first that gets no answer.

    Return Postponed where the host's budget allows no request now.
    """
    plan = planned.plan
    sensitive = sensitive_values(credentials)
    flow = passed.method_type.flow(passed.method.settings, credentials, plan.request)
    outcomes: list[Outcome] = []
    request = next(flow)
    try:
        while True:
            outcome = yield Send(
                request,
                plan.allowed_hosts,
                plan.ca_bundle,
                sensitive,
                test=planned.test.name,
                urgent=urgent,
                fresh=fresh,
            )
            if isinstance(outcome, Postponed):
                return outcome
            if not isinstance(outcome, Outcome):
                raise TypeError("an outcome was asked for")
            outcomes.append(outcome)
            if outcome.response is None:
                return Exchanges(tuple(outcomes), request)
            try:
                request = flow.send(outcome.response)
            except StopIteration:
                return Exchanges(tuple(outcomes), request)
    finally:
        flow.close()
