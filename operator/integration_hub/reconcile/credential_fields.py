"""What status says of the credentials: where they are from, when they end, and what a person is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from integration_hub.auth.tokens import Acquisition
from integration_hub.model import conditions as c
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import CredentialStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.ends import STORE_ANEW, earliest, told, written
from integration_hub.reconcile.run import Run
from integration_hub.reconcile.times import parse_timestamp

MAX_SHOWN_SCOPES = 100
"""As many as the CRD takes."""


WAITS = "A new consent is stored and not tested yet; until a test has succeeded with it, the one before stays in use."


def available(run: Run) -> Condition:
    """Return the condition that everything is there which the auth method needs."""
    if _sends_none(run):
        return _not_needed(c.CREDENTIALS_AVAILABLE)
    return Condition(
        type=c.CREDENTIALS_AVAILABLE,
        status="True",
        reason=Reason.FOUND,
        message="The credentials are complete.",
    )


def accepted(run: Run, condition: Condition) -> Condition:
    """Return a condition as it is, but for one that credentials were accepted of which none were sent."""
    is_said = condition.type == c.AUTHENTICATED and condition.status == "True"
    return _not_needed(c.AUTHENTICATED) if is_said and _sends_none(run) else condition


def _sends_none(run: Run) -> bool:
    return not run.passed.method_type.secret_keys(run.passed.settings)


def _not_needed(type_: str) -> Condition:
    return Condition(
        type=type_, status="True", reason=Reason.NOT_NEEDED, message="The auth method sends no credential."
    )


def with_news(run: Run, ready: Condition) -> Condition:
    """Say what became of authorising a connection anew, where that was not done: it waits, or came to nothing."""
    refusal = run.keeper.refusal if run.keeper is not None else None
    if run.candidate_at is not None:
        words = WAITS
    elif refusal is not None and ready.status == "True":
        words = f"Authorising it anew came to nothing ({refusal.reason}): {refusal.message}"
    else:
        return ready
    return ready.model_copy(update={"message": f"{ready.message} {words}"})


def credential_fields(run: Run) -> dict[str, Any]:
    """Return what status says of the credentials, and take note of a warning; nothing where they were not looked at."""
    if run.keeper is not None:
        return token_fields(run)
    if run.secret is None or run.method is not None:
        return {}  # of tokens their record tells, and not the Secret
    ends = [parse_timestamp(status.credential_expires_at) for status in run.standing.statuses()]
    if run.credentials is not None:
        ends.append(run.passed.method_type.ends_at(run.passed.settings, run.credentials))
    known = CredentialStatus(
        id=run.secret.uid, expires_at=written(earliest(ends)), secret_resource_version=run.secret.version
    )
    return {"credential": _warned(run, known), "authorization": None}


def token_fields(run: Run) -> dict[str, Any]:
    """Return what status says of tokens; nothing new where the record could not be opened."""
    keeper = run.keeper
    if keeper is None or keeper.stored.problem is not None:
        return {}
    tokens = keeper.tokens
    known = CredentialStatus(
        id=keeper.stored.uid or None,
        expires_at=written(tokens.expires_at) if tokens is not None else None,
        renews_at=written(keeper.renews_at()),
        authorization_expires_at=written(keeper.record.consent_ends_at) if tokens is not None else None,
        scopes=list(tokens.scopes or ())[:MAX_SHOWN_SCOPES] if tokens is not None else [],
        secret_resource_version=run.secret.version if run.secret is not None else None,
    )
    before, handled = run.inputs.instance.status, keeper.record.handled
    result = before.last_authorize_result
    if handled is not None and handled != before.last_handled_authorize:
        result = "Completed" if keeper.record.refusal is None else "Refused"
    return {
        "credential": _warned(run, known),
        "authorization": run.kept.authorization,
        "last_handled_authorize": handled or before.last_handled_authorize,
        "last_authorize_result": result,
    }


def _warned(run: Run, known: CredentialStatus) -> CredentialStatus:
    before, now = run.inputs.instance.status, run.inputs.now
    tested = parse_timestamp(before.last_tested) or now
    status, notice = told(before.credential, known, now, max(now - tested, timedelta(0)), remedy=_remedy(run))
    if notice is not None:
        run.notices.append(notice)
    return status


def _remedy(run: Run) -> str:
    """Return what a person does before the credential ends: only where one has consented, consent is of any use."""
    if run.keeper is None or run.keeper.rules.acquisition is Acquisition.BY_ITSELF:
        return STORE_ANEW
    name = run.inputs.instance.metadata.name
    return f"Before then, authorise the connection anew with 'hub authorize {name} --again'."


def credentials_known(run: Run) -> bool:
    """Tell whether the Secret has what is needed. Without a turn it is not read: it is as it is known from before."""
    if run.secret is not None or run.inputs.instance.spec.auth.secret_ref is None or _sends_none(run):
        return True
    before = run.inputs.instance.status.condition(c.CREDENTIALS_AVAILABLE)
    return run.standing.current and before is not None and before.status == "True"
