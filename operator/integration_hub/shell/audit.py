"""Lines of the audit log: whose credentials were used or asked for, and how that ended; never a value."""

from __future__ import annotations

import structlog

from integration_hub.model.instance import TestStatus
from integration_hub.reconcile.inputs import Decision, Inputs
from integration_hub.shell.keys import Key

audit = structlog.get_logger("integration_hub.audit")


def audit_renewal(key: Key, inputs: Inputs, decision: Decision) -> None:
    """Write one line for every attempt to come by tokens: whose, and how it ended; never a value."""
    credential = decision.status.credential
    audit.info(
        "tokens asked for",
        instance=str(key),
        uid=inputs.instance.metadata.uid,
        definition=inputs.instance.spec.definition_ref.name,
        record_uid=credential.id if credential else None,
        result=decision.renewal,
    )


def audit_test(key: Key, inputs: Inputs, decision: Decision, made: TestStatus) -> None:
    """Write one line for every test: whose, with which version of which credential, how it ended; never a value."""
    credential = decision.status.credential
    audit.info(
        "connection tested",
        instance=str(key),
        uid=inputs.instance.metadata.uid,
        definition=inputs.instance.spec.definition_ref.name,
        secret_uid=credential.id if credential else None,
        secret_version=credential.secret_resource_version if credential else None,
        test=made.name,
        result=made.last_result,
        reason=made.last_reason,
    )
