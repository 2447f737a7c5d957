"""Waiting for what the operator decides about a connection that was just written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from integration_hub.cli.asking import change, wait_until
from integration_hub.cli.connect.place import Place
from integration_hub.cli.connect.result import Raw
from integration_hub.cli.errors import Exit
from integration_hub.cli.terminal import OF_READY, Screen, State
from integration_hub.config.plain_text import one_line
from integration_hub.model.conditions import Condition
from integration_hub.model.instance import IntegrationInstance
from integration_hub.model.names import REQUEST_ANNOTATION
from integration_hub.model.reasons import REASONS, Course, Reason
from integration_hub.shell.wishes import is_handled, new_request


@dataclass
class Waiting:
    """Waits until the operator has decided about a connection, or it cannot do so without somebody."""

    place: Place
    screen: Screen
    timeout: timedelta
    _last: str = ""
    """What the operator has said last."""

    def until_decided(self, name: str, *, asks: bool) -> Condition:
        """Return Ready as it is for the objects as they are now.

        The operator tells by the instance's generation which instance it has decided about. Where only the Secret was
        changed, that is the same as before: then it `asks` the operator for a test, and waits for the answer to that.

        Raises:
            HubError: the connection is gone, may not be seen any more, or the operator decides nothing in time.

        """
        request = self._asked(name) if asks else None
        raw = wait_until(
            self.place.cluster,
            name,
            self.timeout.total_seconds(),
            lambda raw: self._decided(raw, request) is not None,
            begun=time.monotonic(),
            screen=self.screen,
            what="the connection is Ready",
            said=lambda: self._last,
        )
        ready = self._decided(raw, request)
        if ready is None:
            raise ValueError("nothing is waited for any longer once it is decided")
        return ready

    def told(self, ready: Condition) -> Exit:
        """Say what was decided, and return the exit code."""
        word = self.screen.status(
            OF_READY.get(ready.status, State.UNKNOWN), "Ready" if ready.status == "True" else "Not ready"
        )
        self.screen.note(f"{word}, {ready.reason}: {one_line(ready.message)}")
        return Exit.OK if ready.status == "True" else Exit.FAILED

    def _asked(self, name: str) -> str:
        request = new_request()
        patch = {"metadata": {"annotations": {REQUEST_ANNOTATION: request}}}
        change(self.place.cluster, name, patch, dry_run=None)
        return request

    def _decided(self, raw: Raw, request: str | None) -> Condition | None:
        """Return what the operator has decided about the objects as they are now; None while it has not."""
        instance = IntegrationInstance.model_validate(raw)
        ready = instance.status.condition("Ready")
        if ready is None or instance.status.observed_generation != instance.metadata.generation:
            return None
        if request is not None and not is_handled(raw, request):
            return None
        self._last = one_line(f"{ready.reason}: {ready.message}")
        is_final = ready.reason in set(Reason) and REASONS[Reason(ready.reason)].course in {
            Course.GOOD, Course.STALLED, Course.PAUSED,
        }  # fmt: skip
        return ready if is_final or ready.reason == Reason.AUTHORIZATION_REQUIRED else None
