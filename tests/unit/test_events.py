"""Kubernetes Events: bounded, dropped before they are in the way, and never fatal. In virtual time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.model.conditions import MAX_MESSAGE
from integration_hub.runtime.events import BURST, PER_SECOND, WAITING, EventPoster, event_object
from integration_hub.runtime.metrics import Metrics
from integration_hub.shell.done import Announcement
from support import virtual_time
from support.virtual_time import settle

NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def news(number: int = 0, *, warning: bool = False, **changes: str) -> Announcement:
    known = {
        "kind": "IntegrationInstance",
        "namespace": "team-a",
        "name": f"prod-{number}",
        "uid": "i-1",
        "reason": "Connected",
        "message": "It works.",
    } | changes
    return Announcement(**known, warning=warning)


class Kube:
    """Takes Events, or refuses them."""

    def __init__(self, *errors: ApiError | None) -> None:
        self.errors = list(errors)
        self.posted: list[tuple[float, str, str]] = []

    async def create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        time = asyncio.get_running_loop().time() - virtual_time.START
        self.posted.append((time, namespace, event["regarding"]["name"]))


def posting(kube: Kube, plan: Callable[[EventPoster], Awaitable[None]]) -> Metrics:
    """Run the plan beside a poster."""
    metrics = Metrics()

    async def main() -> None:
        poster = EventPoster(cast("KubeClient", kube), metrics)
        running = asyncio.ensure_future(poster.run())
        await plan(poster)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual_time.run(main())
    return metrics


def count(metrics: Metrics, what: str) -> float | None:
    return metrics.registry.get_sample_value(f"hub_events_{what}_total")


def test_what_is_announced_is_posted_in_order() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        for number in range(3):
            poster.announce(news(number))
        await settle()

    metrics = posting(kube, plan)
    assert [name for _, _, name in kube.posted] == ["prod-0", "prod-1", "prod-2"]
    assert (count(metrics, "posted"), count(metrics, "dropped")) == (3, 0)


def test_after_the_burst_they_follow_at_a_bounded_rate() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        for number in range(BURST + 10):
            poster.announce(news(number))
        await settle(1000)
        assert len(kube.posted) == BURST
        await asyncio.sleep(60)

    posting(kube, plan)
    times = [time for time, _, _ in kube.posted]
    assert times[:BURST] == [0] * BURST
    assert times[BURST:] == pytest.approx([n / PER_SECOND for n in range(1, 11)])


def test_a_pause_fills_the_bucket_up_to_the_burst_and_no_further() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        for round_ in range(2):
            for number in range(BURST + 5):
                poster.announce(news(number))
            await settle(1000)
            assert len(kube.posted) == BURST + round_ * (BURST + 5)
            await asyncio.sleep(3600)

    posting(kube, plan)


def test_where_too_many_wait_the_newest_is_dropped_and_counted() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        for number in range(WAITING + 3):
            poster.announce(news(number))
        await asyncio.sleep(3600)

    metrics = posting(kube, plan)
    assert [name for _, _, name in kube.posted] == [f"prod-{number}" for number in range(WAITING)]
    assert (count(metrics, "posted"), count(metrics, "dropped")) == (WAITING, 3)


def test_a_warning_takes_the_place_of_the_oldest_that_is_none() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        poster.announce(news(0, warning=True))
        for number in range(1, WAITING):
            poster.announce(news(number))
        poster.announce(news(1000, warning=True))
        await asyncio.sleep(3600)

    metrics = posting(kube, plan)
    names = [name for _, _, name in kube.posted]
    assert names[:2] == ["prod-0", "prod-2"]
    assert names[-1] == "prod-1000"
    assert (len(names), count(metrics, "dropped")) == (WAITING, 1)


def test_a_warning_pushes_no_other_warning_out() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        for number in range(WAITING + 1):
            poster.announce(news(number, warning=True))
        await asyncio.sleep(3600)

    metrics = posting(kube, plan)
    assert [name for _, _, name in kube.posted] == [f"prod-{number}" for number in range(WAITING)]
    assert count(metrics, "dropped") == 1


def test_one_that_is_refused_is_counted_and_the_next_is_posted() -> None:
    kube = Kube(ApiError(403, "Forbidden", "no"), ApiError(0, "ClientError", "no answer"), None)

    async def plan(poster: EventPoster) -> None:
        for number in range(3):
            poster.announce(news(number))
        await settle()

    metrics = posting(kube, plan)
    assert [name for _, _, name in kube.posted] == ["prod-2"]
    assert (count(metrics, "posted"), count(metrics, "dropped")) == (1, 2)


def test_events_of_a_cluster_scoped_object_are_in_the_namespace_default() -> None:
    kube = Kube()

    async def plan(poster: EventPoster) -> None:
        poster.announce(news(namespace="", kind="IntegrationDefinition"))
        await settle()

    posting(kube, plan)
    assert kube.posted == [(0, "default", "prod-0")]


class TestObject:
    def test_says_what_was_announced(self) -> None:
        event = event_object(news(warning=True), "team-a", NOW)
        assert (event["type"], event["reason"], event["note"]) == ("Warning", "Connected", "It works.")
        assert event_object(news(), "team-a", NOW)["type"] == "Normal"
        assert event["eventTime"] == "2026-03-01T12:00:00.000005Z"
        assert event["regarding"] == {
            "apiVersion": "integrationhub.dev/v1alpha1",
            "kind": "IntegrationInstance",
            "name": "prod-0",
            "namespace": "team-a",
            "uid": "i-1",
        }
        # events.k8s.io/v1 asks for these.
        assert event["action"]
        assert event["reportingController"] == "integrationhub.dev/operator"
        assert 0 < len(event["reportingInstance"]) <= 128

    def test_two_of_the_same_have_different_names(self) -> None:
        assert len({event_object(news(), "team-a", NOW)["metadata"]["name"] for _ in range(50)}) == 50

    @pytest.mark.parametrize(
        "name", ["a", "a" * 253, "a" * 219 + "-" + "b" * 30, "a" * 218 + ".-" + "b" * 30]
    )
    def test_the_name_is_one_that_kubernetes_takes(self, name: str) -> None:
        made = event_object(news(name=name), "team-a", NOW)["metadata"]["name"]
        assert len(made) <= 253
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", made)

    def test_a_long_message_is_cut(self) -> None:
        assert len(event_object(news(message="x" * 5000), "team-a", NOW)["note"]) == MAX_MESSAGE
