"""Lines of the audit log: whose credentials were used or asked for, and how that ended; never a value.

They go where all lines of the log go, and are sealed on the way: see `credentials.audit_chain`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from integration_hub.credentials.audit_chain import FIELD, Link, linked
from integration_hub.credentials.envelope import Random
from integration_hub.model.instance import TestStatus
from integration_hub.reconcile.inputs import Decision, Inputs
from integration_hub.shell.keyring_source import KeyringSource, KeyringUnavailableError
from integration_hub.shell.keys import Key

LOGGER: Final = "integration_hub.audit"
ENDS: Final = "audit log ends"
"""The last line of a chain."""

audit = structlog.get_logger(LOGGER)


class AuditSeal:
    """Seals each line of the audit log on its way out; a processor of structlog, for one run of the operator.

    Without a keyring lines go out as they are, and `hub audit verify` names them.
    """

    def __init__(self, random: Random) -> None:
        """`random` returns so many random bytes."""
        self.keyring: KeyringSource | None = None
        """Where keys come from, once that is known."""
        self._chain = random(8).hex()
        self._before: Link | None = None

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Return the line with its link, if it belongs to the audit log."""
        if self.keyring is None or event.get("logger") != LOGGER:
            return event
        try:
            keyring = self.keyring.current()
        except KeyringUnavailableError:
            return event
        last = event.get("event") == ENDS
        self._before = linked(event, keyring, chain=self._chain, before=self._before, last=last)
        event[FIELD] = self._before.to_wire()
        return event


def audit_begins(version: str) -> None:
    """Write the line that a run of the operator begins with."""
    audit.info("audit log begins", version=version)


def audit_ends() -> None:
    """Write the line after which this run of the operator writes none."""
    audit.info(ENDS)


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
