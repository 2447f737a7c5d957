"""The operator with a death built in: `dying_operator.py FILE run ...` is `hub run ...` that may die at a step.

FILE is looked at before and after every step. It holds, as JSON, at which step which instances wait for the end, like
`{"shop/billing": "after:send"}`; once all of them wait, the process ends as by SIGKILL.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from integration_hub import wiring
from integration_hub.cli.main import main
from integration_hub.credentials.record import CredentialRecord
from integration_hub.model.instance import IntegrationInstance
from integration_hub.reconcile.inputs import Answer, Effect, ReadRecord, Send, WriteRecord
from integration_hub.shell.keys import Key
from integration_hub.shell.reconciler import Reconciler

DIED = 9
"""The exit code."""

_FILE = Path(sys.argv.pop(1)) if __name__ == "__main__" else Path()
_waiting: set[str] = set()


def step_of(effect: Effect) -> str:
    """Return the name of the step that an effect is; '' for those that have nothing to do with tokens."""
    match effect:
        case ReadRecord():
            return "read"
        case WriteRecord(record):
            return _writing(record)
        case Send():
            return "test" if effect.request.purpose == "test" else "send"
        case _:
            return ""


def _writing(record: CredentialRecord) -> str:
    if record.intent is not None:
        return "intent"
    if record.candidate is not None:
        return "store-candidate"
    return "store" if record.tokens is not None else "use-state"


async def perhaps_die(who: str, step: str) -> None:
    """Die where that is the step, once everybody who is to die has come so far."""
    try:
        planned: dict[str, str] = json.loads(_FILE.read_bytes())
    except FileNotFoundError:
        return
    if planned.get(who) != step:
        return
    _waiting.add(who)
    if _waiting == set(planned):
        os._exit(DIED)
    await asyncio.Event().wait()


class Dying(Reconciler):
    """Reconciles until it dies."""

    async def _perform(self, instance: IntegrationInstance, effect: Effect) -> Answer:
        who, step = f"{instance.metadata.namespace}/{instance.metadata.name}", step_of(effect)
        await perhaps_die(who, f"before:{step}")
        answer = await super()._perform(instance, effect)
        await perhaps_die(who, f"after:{step}")
        return answer

    async def _write(self, key: Key, *rest: Any) -> None:
        who = f"{key.namespace}/{key.name}"
        await perhaps_die(who, "before:status")
        await super()._write(key, *rest)
        await perhaps_die(who, "after:status")


if __name__ == "__main__":
    vars(wiring)["Reconciler"] = Dying
    main()
