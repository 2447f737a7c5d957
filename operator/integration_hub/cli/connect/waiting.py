"""Waiting for what the operator decides about a connection that was just written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from integration_hub.cli.asking import wait_until
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connect.result import Raw
from integration_hub.cli.errors import Exit
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.config.plain_text import one_line
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.reasons import REASONS, Course, Reason


@dataclass
class Waiting:
    """Waits until a connection is Ready, or cannot be without somebody."""

    place: Place
    screen: Screen
    timeout: timedelta
    _last: str = ""
    """What the operator has said last."""

    def until_ready(self, name: str, *, secret_version: str | None = None) -> Exit:
        """Return the exit code. `secret_version` is that of the Secret which was changed, None where none was.

        Raises:
            HubError: the connection is gone, may not be seen any more, or the operator decides nothing in time.

        """
        raw = wait_until(
            self.place.cluster,
            name,
            self.timeout.total_seconds(),
            lambda raw: self._decided(raw, secret_version) is not None,
            begun=time.monotonic(),
            screen=self.screen,
            what="the connection is Ready",
            said=lambda: self._last,
        )
        ready = self._decided(raw, secret_version)
        if ready is None:
            raise ValueError("nothing is waited for any longer once it is decided")
        word = self.screen.status(
            OF_READY.get(ready.status, State.UNKNOWN), "Ready" if ready.status == "True" else "Not ready"
        )
        self.screen.note(f"{word}, {ready.reason}: {one_line(ready.message)}")
        return Exit.OK if ready.status == "True" else Exit.FAILED

    def _decided(self, raw: Raw, secret_version: str | None) -> Condition | None:
        """Return what the operator has decided about the objects as they are now; None while it has not."""
        instance = IntegrationInstance.model_validate(raw)
        ready = instance.status.condition("Ready")
        if ready is None or instance.status.observed_generation != instance.metadata.generation:
            return None
        self._last = one_line(f"{ready.reason}: {ready.message}")
        tested = instance.status.tested
        if secret_version is not None and (
            tested is None or tested.secret_resource_version != secret_version
        ):
            return None
        is_final = ready.reason in set(Reason) and REASONS[Reason(ready.reason)].course in {
            Course.GOOD, Course.STALLED, Course.PAUSED,
        }  # fmt: skip
        return ready if is_final else None
