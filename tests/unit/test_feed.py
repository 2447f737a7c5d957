"""The way in: what a watch tells, and what a list finds that no watch told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, SECRETS, ApiError, KubeClient, Resource
from integration_hub.runtime.feed import WATCHED, Feed
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key, Priority
from integration_hub.shell.store import Store, definition_key
from support.builders import definition, instance, secret

Raw = dict[str, Any]
PROD = Key("integrationinstances", "team-a", "prod")
ACME = definition_key("acme")


class Cluster:
    """What lists answer. Its version grows with every page, as a real one may."""

    def __init__(self, *, version: int = 100, page: int = 500) -> None:
        self.objects: dict[str, list[Raw]] = {resource.plural: [] for resource in WATCHED}
        self.version, self.page = version, page
        self.asked: list[str] = []

    def put(self, resource: Resource, *raws: Raw) -> None:
        self.objects[resource.plural] = list(raws)

    async def list_page(self, resource: Resource, token: str = "") -> tuple[list[Raw], str, str]:
        self.asked.append(resource.plural)
        start = int(token or 0)
        objects, version = self.objects[resource.plural], str(self.version)
        self.version += 1
        page, rest = objects[start : start + self.page], objects[start + self.page :]
        return page, str(start + self.page) if rest else "", version


class Kit:
    """A feed with all that it feeds."""

    def __init__(self) -> None:
        self.store, self.queue, self.metrics = Store(), WorkQueue(), Metrics()
        self.forgotten: list[Key] = []
        self.listed: dict[str, str] = {}
        self.feed = Feed(self.store, self.queue, self.metrics, forget=self.forgotten.append)
        self.cluster = Cluster()

    async def relist(self, *, first: bool = False) -> float:
        """List every resource as the operator does at its start; return how many repairs were counted."""
        before = self.repaired()
        for resource in WATCHED:
            self.listed[resource.plural] = await self.feed.relist(
                cast("KubeClient", self.cluster), resource, first=first
            )
        return self.repaired() - before

    def repaired(self) -> float:
        return sum(self.repairs(resource.kind) or 0.0 for resource in WATCHED)

    def repairs(self, kind: str) -> float | None:
        return self.metrics.registry.get_sample_value("hub_relist_repairs_total", {"kind": kind})

    async def woken(self) -> dict[Key, Priority]:
        """What waits, taken from the queue."""
        woken: dict[Key, Priority] = {}
        while len(self.queue):
            key, priority = await self.queue.get()
            self.queue.done(key)
            woken[key] = priority
        return woken


@pytest.fixture
async def kit() -> Kit:
    """A feed whose store and cluster agree on one object of each kind, at versions 1 to 3."""
    kit = Kit()
    kit.cluster.put(DEFINITIONS, definition(version=1))
    kit.cluster.put(SECRETS, secret(version=2))
    kit.cluster.put(INSTANCES, instance(version=3))
    await kit.relist(first=True)
    await kit.woken()
    return kit


class TestWatch:
    @pytest.mark.parametrize(
        ("resource", "event", "raw", "expected", "reason"),
        [
            (
                INSTANCES,
                "ADDED",
                instance("new", uid="n", version=9),
                {"new": Priority.USER},
                "a person made it",
            ),
            (
                INSTANCES,
                "MODIFIED",
                instance(version=9, generation=2),
                {"prod": Priority.USER},
                "a person changed it",
            ),
            (
                DEFINITIONS,
                "MODIFIED",
                definition(version=9, generation=2),
                {"acme": Priority.INPUT, "prod": Priority.INPUT},
                "its instances too",
            ),
            (SECRETS, "MODIFIED", secret(version=9), {"prod": Priority.INPUT}, "whoever uses it"),
            (SECRETS, "MODIFIED", secret("other", version=9), {}, "nobody uses it"),
            (
                INSTANCES,
                "DELETED",
                instance(version=9),
                {"prod": Priority.INPUT},
                "a last look, that clears up",
            ),
            (
                DEFINITIONS,
                "DELETED",
                definition(version=9),
                {"prod": Priority.INPUT},
                "its instances must say so",
            ),
            (SECRETS, "DELETED", secret(version=9), {"prod": Priority.INPUT}, "whoever uses it must say so"),
            (SECRETS, "DELETED", secret("other", version=9), {}, "nobody knew it"),
        ],
    )
    async def test_wakes(  # noqa: PLR0917 - one for each column of the table
        self, kit: Kit, resource: Resource, event: str, raw: Raw, expected: dict[str, Priority], reason: str
    ) -> None:
        kit.feed.take(resource, event, raw)
        assert {key.name: priority for key, priority in (await kit.woken()).items()} == expected, reason

    async def test_a_deleted_object_leaves_every_table_and_is_forgotten(self, kit: Kit) -> None:
        for resource, raw in ((INSTANCES, instance()), (DEFINITIONS, definition()), (SECRETS, secret())):
            kit.feed.take(resource, "DELETED", raw)
            assert kit.store.versions(resource.plural) == {}
        assert kit.forgotten == [PROD, ACME]


class TestRelist:
    async def test_asks_for_definitions_and_secrets_before_instances(self, kit: Kit) -> None:
        # Else an instance would be told at the start that its definition is missing.
        assert kit.cluster.asked == ["integrationdefinitions", "secrets", "integrationinstances"]

    async def test_fills_an_empty_store_and_counts_no_repairs_at_the_start(self) -> None:
        kit = Kit()
        kit.cluster.put(DEFINITIONS, definition())
        kit.cluster.put(INSTANCES, instance())
        await kit.relist(first=True)
        assert await kit.woken() == {PROD: Priority.STARTUP, ACME: Priority.STARTUP}
        assert kit.repaired() == 0

    async def test_where_nothing_was_lost_wakes_nobody(self, kit: Kit) -> None:
        assert await kit.relist() == 0
        assert await kit.woken() == {}

    async def test_finds_a_lost_update(self, kit: Kit) -> None:
        kit.cluster.put(INSTANCES, instance(version=9, generation=2))
        assert await kit.relist() == 1
        assert await kit.woken() == {PROD: Priority.USER}
        assert kit.repairs("IntegrationInstance") == 1

    async def test_finds_a_lost_change_of_a_secret(self, kit: Kit) -> None:
        kit.cluster.put(SECRETS, secret(version=9))
        assert await kit.relist() == 1
        assert await kit.woken() == {PROD: Priority.STARTUP}

    async def test_finds_a_lost_creation(self, kit: Kit) -> None:
        kit.cluster.put(INSTANCES, instance(version=3), instance("new", uid="n", version=9))
        assert await kit.relist() == 1
        assert [key.name for key in await kit.woken()] == ["new"]

    @pytest.mark.parametrize("resource", WATCHED)
    async def test_finds_a_lost_deletion(self, kit: Kit, resource: Resource) -> None:
        kit.cluster.put(resource)
        assert await kit.relist() == 1
        assert kit.store.versions(resource.plural) == {}
        assert PROD in await kit.woken()
        assert kit.repairs(resource.kind) == 1

    @pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
    async def test_reads_every_page(self, page: int) -> None:
        kit = Kit()
        kit.cluster.page = page
        kit.cluster.put(INSTANCES, *(instance(f"i-{n}", uid=f"u-{n}") for n in range(7)))
        await kit.relist(first=True)
        assert len(kit.store.instances) == 7
        assert kit.cluster.asked.count("integrationinstances") == -(-7 // page)
        kit.cluster.put(INSTANCES, *(instance(f"i-{n}", uid=f"u-{n}") for n in range(6)))
        assert await kit.relist() == 1

    async def test_passes_an_api_error_on_and_loses_nothing(self, kit: Kit) -> None:
        async def refuse(*_: object) -> Any:
            raise ApiError(410, "Expired", "the continue token is too old")

        kit.cluster.list_page = refuse  # type: ignore[method-assign, assignment]
        with pytest.raises(ApiError, match="Expired"):
            await kit.relist()
        assert PROD in kit.store.instances

    async def test_tells_where_to_watch_from_as_of_the_first_page(self) -> None:
        # What happened between the first page and the last is in the watch, and may not be in the list.
        kit = Kit()
        kit.cluster.page = 2
        kit.cluster.put(INSTANCES, *(instance(f"i-{n}", uid=f"u-{n}") for n in range(7)))
        await kit.relist(first=True)
        assert kit.listed == {
            "integrationdefinitions": "100",
            "secrets": "101",
            "integrationinstances": "102",
        }

    async def test_an_answer_to_our_own_write_is_not_undone_by_a_list_that_was_asked_for_before(
        self, kit: Kit
    ) -> None:
        answer = kit.cluster.list_page

        async def slowly(resource: Resource, token: str = "") -> tuple[list[Raw], str, str]:
            page = await answer(resource, token)
            kit.store.put_own_write(instance(version=200, status={"phase": "Connected"}))
            return page

        kit.cluster.list_page = slowly  # type: ignore[method-assign]
        assert await kit.feed.relist(cast("KubeClient", kit.cluster), INSTANCES) == "103"
        assert await kit.woken() == {}
        assert kit.store.instances[PROD].raw()["status"] == {"phase": "Connected"}


class TestRestoredFromABackup:
    """Versions are counted from the backup's again: what is told from then on is news although it is older."""

    @pytest.fixture
    async def kit(self) -> Kit:
        """A feed that knows one object of each kind as of version 1000 and later."""
        kit = Kit()
        kit.cluster.version = 1100
        kit.cluster.put(DEFINITIONS, definition(version=1001, generation=3))
        kit.cluster.put(SECRETS, secret(version=1002))
        kit.cluster.put(INSTANCES, instance(version=1003, generation=3, config={"region": "us"}))
        await kit.relist(first=True)
        await kit.woken()
        return kit

    def restore(self, kit: Kit, *, version: int) -> None:
        kit.cluster.version = version
        kit.cluster.put(DEFINITIONS, definition(version=1, generation=2))
        kit.cluster.put(SECRETS, secret(version=2))
        kit.cluster.put(INSTANCES, instance(version=3, generation=2))

    @pytest.mark.parametrize(
        ("version", "reason"),
        [
            (500, "the list itself is older than an object was"),
            (9000, "much was written since, so that only the objects show it"),
        ],
    )
    async def test_the_list_is_believed(self, kit: Kit, version: int, reason: str) -> None:
        self.restore(kit, version=version)
        await kit.relist()
        assert kit.store.instances[PROD].raw()["spec"]["config"] == {"region": "eu"}, reason
        assert kit.store.definitions["acme"].checked.generation == 2, reason
        assert kit.store.secret_version("team-a", "acme-key") == "2", reason
        assert await kit.woken() == {PROD: Priority.STARTUP, ACME: Priority.STARTUP}, reason

    async def test_a_watch_from_there_on_is_heard(self, kit: Kit) -> None:
        self.restore(kit, version=500)
        await kit.relist()
        await kit.woken()
        kit.feed.take(INSTANCES, "MODIFIED", instance(version=501, generation=3))
        assert await kit.woken() == {PROD: Priority.USER}

    async def test_an_object_that_came_later_than_the_backup_is_gone(self, kit: Kit) -> None:
        self.restore(kit, version=500)
        kit.cluster.put(INSTANCES)
        await kit.relist()
        assert kit.store.instances == {}

    async def test_another_object_of_the_same_version_is_found_with_the_rest(self, kit: Kit) -> None:
        # Its number was reached again, with another content.
        kit.cluster.version = 500
        kit.cluster.put(INSTANCES, instance(version=1003, generation=3, config={"region": "eu"}))
        await kit.feed.relist(cast("KubeClient", kit.cluster), INSTANCES)
        assert kit.store.instances[PROD].raw()["spec"]["config"] == {"region": "eu"}

    async def test_a_definition_is_checked_anew_although_its_generation_is_the_same(self, kit: Kit) -> None:
        self.restore(kit, version=500)
        kit.cluster.put(DEFINITIONS, definition(version=4, generation=3, baseURL="nonsense"))
        before = kit.store.definitions["acme"].checked
        await kit.relist()
        assert kit.store.definitions["acme"].checked is not before

    async def test_the_next_list_wakes_nobody(self, kit: Kit) -> None:
        self.restore(kit, version=500)
        await kit.relist()
        await kit.woken()
        assert await kit.relist() == 0
        assert await kit.woken() == {}
