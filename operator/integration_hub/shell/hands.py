"""Doing the effects that go to external systems, for whoever drives a story: the operator or the command line."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from integration_hub.adapters.budget import Later
from integration_hub.adapters.egress import HostRule
from integration_hub.adapters.progress import OnProgress
from integration_hub.adapters.traffic import Traffic
from integration_hub.model.http import Failure, FailureKind, Outcome
from integration_hub.reconcile.inputs import AskTurn, Postponed, Send


def ask_turn(traffic: Traffic, effect: AskTurn, who: Hashable) -> Outcome | Postponed | None:
    """Ask whether a request to the host may be sent now; None where it may."""
    answer = traffic.turn(effect.url, who=who, urgent=effect.urgent)
    return Postponed(answer.seconds) if isinstance(answer, Later) else answer


async def send(
    traffic: Traffic, effect: Send, who: Hashable = None, *, on_progress: OnProgress | None = None
) -> Outcome | Postponed:
    """Send a request, in the turn of who asked for it; an unreadable host rule allows nothing.

    `on_progress` is told after each stage of the way to the host.
    """
    try:
        rules = [_host_rule(text) for text in effect.allowed_hosts]
    except ValueError as error:
        host = effect.request.url.split("/", 3)[2]
        return Outcome(
            None, Failure(FailureKind.HOST_NOT_ALLOWED, host, str(error)), 0.0, effect.request.purpose
        )
    answer = await traffic.send(
        effect.request,
        allowed_hosts=rules,
        ca_bundle=effect.ca_bundle,
        urgent=effect.urgent,
        fresh=effect.fresh,
        who=who,
        on_progress=on_progress,
    )
    return Postponed(answer.seconds) if isinstance(answer, Later) else answer


@lru_cache(maxsize=4096)
def _host_rule(text: str) -> HostRule:
    return HostRule.parse(text)
