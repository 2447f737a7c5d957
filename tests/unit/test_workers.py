"""The workers: what follows a reconcile, however it ended. In virtual time, with a reconciler that does as told."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from integration_hub.adapters.kube import ApiError, KubeClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.model.instance import TestResult, TestStatus
from integration_hub.model.reasons import Reason
from integration_hub.reconcile.inputs import Timing
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.runtime.timetable import Timetable
from integration_hub.runtime.workers import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Workers
from integration_hub.shell import sensitive
from integration_hub.shell.done import Announcement, Done
from integration_hub.shell.keys import Key, Priority
from integration_hub.shell.outside import PATIENCE_SECONDS, Outside
from integration_hub.shell.reconciler import Reconciler
from integration_hub.shell.store import Store
from support import virtual_time
from support.auth import parts
from support.builders import CANARY, definition, found, instance, secret
from support.virtual_time import settle

A, B = (Key("integrationinstances", "team-a", name) for name in ("prod", "test"))
UNAVAILABLE = ApiError(503, "ServiceUnavailable", "try later")
NEWS = Announcement(
    "IntegrationInstance", "team-a", "prod", "i-1", warning=False, reason="Connected", message="m"
)


class Told:
    """A reconciler that does what it is told, one thing after the other; after the last it does nothing."""

    def __init__(self, *steps: Done | Exception | Callable[[], Awaitable[Done]]) -> None:
        self.steps = list(steps)
        self.seen: list[tuple[float, Key]] = []
        self.forgotten: list[Key] = []
        self.outside = Outside()

    async def reconcile(self, key: Key) -> Done:
        self.seen.append((asyncio.get_running_loop().time(), key))
        step = self.steps.pop(0) if self.steps else Done()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Done) else await step()

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)

    @property
    def pauses(self) -> list[float]:
        times = [time for time, _ in self.seen]
        return [after - before for before, after in itertools.pairwise(times)]


class Shop:
    """Queue, timetable and one worker, running."""

    def __init__(self, reconciler: Any, workers: int = 1, places: float = math.inf) -> None:
        self.queue, self.metrics = WorkQueue(places=places), Metrics()
        self.timetable = Timetable(self.queue.add)
        self.announced: list[Announcement] = []
        self.workers = Workers(self.queue, self.timetable, reconciler, self.metrics, self.announced.append)
        self.tasks = [asyncio.ensure_future(self.workers.run()) for _ in range(workers)]
        self.clock = asyncio.ensure_future(self.timetable.run())

    async def close(self) -> None:
        self.queue.close()
        await asyncio.gather(*self.tasks)
        self.clock.cancel()
        await asyncio.gather(self.clock, return_exceptions=True)

    def count(self, result: str) -> float:
        return self.sample("hub_reconcile_total", kind="integrationinstances", result=result)

    def sample(self, metric: str, /, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0


def shop_run(reconciler: Any, plan: Callable[[Shop], Awaitable[None]], workers: int = 1) -> None:
    async def main() -> None:
        shop = Shop(reconciler, workers)
        await plan(shop)
        await shop.close()

    virtual_time.run(main())


def made(name: str, result: TestResult = "Success", reason: Reason = Reason.CONNECTED) -> TestStatus:
    """A test that works and has ended, this once perhaps with something else."""
    return TestStatus(
        name=name,
        result="Success",
        reason="Connected",
        message="m",
        last_result=result,
        last_reason=reason,
        time="2026-03-01T12:00:00Z",
        duration_ms=250,
    )


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


class TestApiErrors:
    def test_are_retried_with_pauses_that_grow_to_a_bound(self) -> None:
        told = Told(*[UNAVAILABLE] * 12)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(3600)
            assert len(told.seen) == 13
            assert shop.count("api-error") == 12
            for number, pause in enumerate(told.pauses):
                middle = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**number)
                assert 0.75 * middle <= pause <= 1.25 * middle + 0.001

        shop_run(told, plan)

    def test_begin_anew_after_a_success(self) -> None:
        told = Told(*[UNAVAILABLE] * 8, Done(), UNAVAILABLE)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(3600)
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(3600)
            assert told.pauses[-1] <= 1.25 * FIRST_PAUSE_SECONDS + 0.001

        shop_run(told, plan)

    @pytest.mark.parametrize(("retry_after", "least"), [(30.0, 30.0), (0.0, 0.3), (None, 0.3)])
    def test_wait_for_as_long_as_the_api_server_asks(self, retry_after: float | None, least: float) -> None:
        told = Told(ApiError(429, "TooManyRequests", "slow down", retry_after))

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(60)
            (pause,) = told.pauses
            assert least <= pause <= max(least, 1) + 0.001

        shop_run(told, plan)

    def test_keep_their_priority(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            assert shop.timetable._due[A][1] is Priority.USER

        shop_run(Told(UNAVAILABLE), plan)

    def test_hold_up_nobody_else(self) -> None:
        told = Told(UNAVAILABLE)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            shop.queue.add(B, Priority.PERIODIC)
            await settle()
            assert [key for _, key in told.seen] == [A, B]
            assert told.pauses == [0]

        shop_run(told, plan)


class Willing:
    """Traffic in which it is everybody's turn."""

    def turn(self, _url: str, **_: bool) -> None:
        return None


class TestMistakes:
    def test_of_ours_end_no_worker_and_are_retried_with_pauses(self) -> None:
        told = Told(ValueError("oops"), KeyError("oops"), RuntimeError("oops"))

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(60)
            assert len(told.seen) == 4
            assert told.pauses[2] > told.pauses[0]
            assert (shop.count("internal-error"), shop.count("unchanged")) == (3, 1)
            assert not shop.tasks[0].done()
            assert shop.queue.idle

        shop_run(told, plan)

    def test_of_ours_are_logged_while_the_credentials_are_still_known(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Else a secret in an exception's text would reach the log unmasked.
        known: list[tuple[str, ...]] = []
        monkeypatch.setattr(
            "integration_hub.runtime.workers.log.exception",
            lambda *_, **__: known.append(sensitive.in_use.get()),
        )

        class Kube:
            async def read_secret(self, _namespace: str, _name: str, **_: Any) -> Any:
                return found()

        class Fails(Willing):
            async def send(self, *_: Any, **__: Any) -> Any:
                raise ValueError(f"cannot send {CANARY}")

        store = Store()
        store.put_definition(definition())
        store.put_secret(secret(version=7))
        store.put_instance(instance())
        reconciler = Reconciler(
            store, cast("KubeClient", Kube()), cast("Traffic", Fails()), Timing(), **parts()
        )

        async def plan(shop: Shop) -> None:
            left: list[tuple[str, ...]] = []
            shop.queue.add(A, Priority.USER)
            await settle()
            assert known == [(CANARY,)]

            async def look(_: Key) -> Done:
                left.append(sensitive.in_use.get())
                return Done()

            monkeypatch.setattr(reconciler, "reconcile", look)
            # The same worker, that is the same context.
            shop.queue.add(B, Priority.USER)
            await settle()
            assert left == [()]

        shop_run(reconciler, plan)

    def test_before_the_request_is_made_are_masked_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # What an auth method raises while it puts the credentials into the request.
        known: list[tuple[str, ...]] = []
        monkeypatch.setattr(
            "integration_hub.runtime.workers.log.exception",
            lambda *_, **__: known.append(sensitive.in_use.get()),
        )
        monkeypatch.setattr("integration_hub.auth.api_key.ApiKey.flow", lambda *_: 1 / 0)

        class Kube:
            async def read_secret(self, _namespace: str, _name: str, **_: Any) -> Any:
                return found()

        store = Store()
        store.put_definition(definition())
        store.put_instance(instance())
        reconciler = Reconciler(
            store, cast("KubeClient", Kube()), cast("Traffic", Willing()), Timing(), **parts()
        )

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            assert known == [(CANARY,)]

        shop_run(reconciler, plan)


class Hanging(Told):
    """A reconciler of a system that never answers: every reconcile waits for as long as a test may take."""

    def __init__(self, *, may_end: bool = True) -> None:
        super().__init__()
        self.may_end = may_end

    async def reconcile(self, key: Key) -> Done:
        await super().reconcile(key)
        async with self.outside.waiting(key, may_end=self.may_end):
            await asyncio.sleep(10)
        return Done()


class TestSlowSystems:
    def test_that_hang_by_the_hundred_do_not_hold_up_a_change(self) -> None:
        hanging = Hanging()

        async def main() -> None:
            shop = Shop(hanging, workers=250, places=40)
            for number in range(200):
                shop.queue.add(Key("integrationinstances", "team-a", f"hangs-{number}"), Priority.PERIODIC)
            await asyncio.sleep(0.1)
            assert shop.queue.working == 40, "the places bound what is begun at once"
            added = asyncio.get_running_loop().time()
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(5)
            (begun,) = [time for time, key in hanging.seen if key == A]
            assert begun - added <= PATIENCE_SECONDS
            assert len(hanging.seen) == 201, "nor each other"
            await shop.close()

        virtual_time.run(main())

    def test_are_left_alone_when_what_is_tested_has_changed(self) -> None:
        hanging = Hanging()

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.PERIODIC)
            await asyncio.sleep(1)
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(0.1)
            assert hanging.pauses == [1]
            assert shop.count("overtaken") == 1

        shop_run(hanging, plan)

    def test_are_waited_for_where_the_request_may_be_made_only_once(self) -> None:
        hanging = Hanging(may_end=False)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.PERIODIC)
            await asyncio.sleep(1)
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(15)
            assert hanging.pauses == [10]

        shop_run(hanging, plan)

    def test_are_tested_to_the_end_in_time_though_news_never_end(self) -> None:
        hanging = Hanging()

        async def plan(shop: Shop) -> None:
            for _ in range(40):
                shop.queue.add(A, Priority.INPUT)
                await asyncio.sleep(1)
            assert shop.count("unchanged") >= 2
            await asyncio.sleep(60)

        shop_run(hanging, plan)


class TestAfterwards:
    def test_what_is_due_later_comes_then_as_periodic(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            when, priority = shop.timetable._due[A]
            assert priority is Priority.PERIODIC
            assert when > asyncio.get_running_loop().time() + 3000

        shop_run(Told(Done(due=in_seconds(3600))), plan)

    def test_what_was_due_in_the_past_comes_at_once(self) -> None:
        told = Told(Done(due=in_seconds(-3600)))

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            assert len(told.seen) == 2

        shop_run(told, plan)

    def test_where_nothing_is_due_an_older_time_is_dropped(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.timetable.set(A, asyncio.get_running_loop().time() + 50)
            shop.queue.add(A, Priority.USER)
            await settle()
            assert len(shop.timetable) == 0

        shop_run(Told(Done()), plan)

    def test_news_are_announced_and_tests_counted(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            assert shop.announced == [NEWS]
            assert shop.count("written") == 1
            assert shop.sample("hub_connection_test_total", definition="acme", reason="Connected") == 1

        done = Done(
            announcement=NEWS, reason="Connected", definition="acme", made=(made("account"),), wrote=True
        )
        shop_run(Told(done), plan)

    def test_each_test_counts_as_it_ended_whatever_its_verdict(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            assert shop.sample("hub_connection_test_total", definition="acme", reason="Connected") == 1
            assert shop.sample("hub_connection_test_total", definition="acme", reason="ServerError") == 1
            assert shop.sample("hub_connection_test_duration_seconds_sum", definition="acme") == 0.5

        both = (made("account"), made("orders", "Failure", Reason.SERVER_ERROR))
        shop_run(Told(Done(reason="Connected", definition="acme", made=both)), plan)

    def test_how_late_a_periodic_test_began_is_counted(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.timetable.set(A, asyncio.get_running_loop().time() + 5)
            await asyncio.sleep(6)
            assert shop.sample("hub_connection_test_lateness_seconds_count") == 1
            assert shop.sample("hub_connection_test_lateness_seconds_sum") <= 0.001

        shop_run(Told(Done(definition="acme", made=(made("account"),))), plan)

    def test_what_a_person_asked_for_is_never_late(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.timetable.set(A, asyncio.get_running_loop().time() + 5, Priority.USER)
            await asyncio.sleep(6)
            assert shop.sample("hub_connection_test_lateness_seconds_count") == 0

        shop_run(Told(Done(definition="acme", made=(made("account"),))), plan)


class TestForgetting:
    def test_drops_what_is_planned_and_remembered(self) -> None:
        told = Told(*[UNAVAILABLE] * 6)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await asyncio.sleep(5)
            tries = len(told.seen)
            shop.workers.forget(A)
            await asyncio.sleep(3600)
            assert len(told.seen) == tries
            assert told.forgotten == [A]
            assert (len(shop.timetable), shop.workers._failed) == (0, {})

        shop_run(told, plan)

    def test_of_what_is_unknown_is_harmless(self) -> None:
        async def plan(shop: Shop) -> None:
            shop.workers.forget(B)

        shop_run(Told(), plan)


class TestShutdown:
    def test_what_is_under_way_is_finished_and_nothing_more_begun(self) -> None:
        finished: list[str] = []

        async def slow() -> Done:
            await asyncio.sleep(10)
            finished.append("slow")
            return Done()

        told = Told(slow)

        async def plan(shop: Shop) -> None:
            shop.queue.add(A, Priority.USER)
            await settle()
            shop.queue.add(B, Priority.USER)
            shop.queue.close()
            await asyncio.gather(*shop.tasks)
            assert finished == ["slow"]
            assert [key for _, key in told.seen] == [A]

        shop_run(told, plan)

    def test_cancelled_midway_a_worker_gives_its_key_back(self) -> None:
        async def forever() -> Done:
            await asyncio.Event().wait()
            return Done()

        async def main() -> None:
            shop = Shop(Told(forever))
            shop.queue.add(A, Priority.USER)
            await settle()
            assert shop.queue.working == 1
            shop.tasks[0].cancel()
            ends = await asyncio.gather(*shop.tasks, return_exceptions=True)
            assert isinstance(ends[0], asyncio.CancelledError)
            assert shop.queue.working == 0
            shop.clock.cancel()
            await asyncio.gather(shop.clock, return_exceptions=True)

        virtual_time.run(main())

    def test_every_idle_worker_ends(self) -> None:
        async def plan(shop: Shop) -> None:
            await settle()
            shop.queue.close()
            await asyncio.gather(*shop.tasks)

        shop_run(Told(), plan, workers=40)
