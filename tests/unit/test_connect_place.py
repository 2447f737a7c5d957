"""What `hub connect` reads of a cluster: of Secrets, no more than it needs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from integration_hub.adapters.kube_api import ApiError, Resource
from integration_hub.adapters.kube_blocking import METADATA_ONE, BlockingKube
from integration_hub.cli.cluster import Cluster
from integration_hub.cli.connect.place import Place


class Kube:
    """Has no instances and these Secrets, and remembers what of Secrets is asked."""

    def __init__(self, *names: str, status: int = 404) -> None:
        self._names = names
        self._status = status
        self.asked: list[tuple[str, str]] = []

    def items(self, resource: Resource, namespace: str) -> list[dict[str, Any]]:
        if resource.plural != "secrets":
            return []
        self.asked.append(("list", namespace))
        return [{"metadata": {"name": name}, "data": {}} for name in self._names]

    def read(self, resource: Resource, namespace: str, name: str, *, accept: str) -> dict[str, Any]:
        assert (resource.plural, namespace, accept) == ("secrets", "shop", METADATA_ONE)
        self.asked.append(("get", name))
        if name not in self._names:
            raise ApiError(self._status, "Refused", "It is refused.")
        return {"metadata": {"name": name}}


def place(kube: Kube) -> Place:
    return Place(Cluster(cast("BlockingKube", kube), "shop"))


def test_where_nobody_chooses_a_secret_each_is_looked_for_once_and_none_is_listed() -> None:
    kube = Kube("taken")
    around = place(kube).surroundings(asks=False)
    assert kube.asked == []
    assert [around.has_secret(name) for name in ("taken", "free", "taken", "free")] == [True, False] * 2
    assert kube.asked == [("get", "taken"), ("get", "free")]


def test_where_one_is_named_no_other_is_looked_for() -> None:
    kube = Kube("taken", "named")
    around = place(kube).surroundings("named", asks=False)
    assert (around.has_secret("taken"), around.has_secret("named")) == (False, True)
    assert kube.asked == [("get", "named")]


@pytest.mark.parametrize("status", [403, 404])
def test_one_that_may_not_be_seen_is_as_none(status: int) -> None:
    assert not place(Kube(status=status)).surroundings(asks=False).has_secret("any")


def test_a_name_that_is_none_is_no_path_of_the_api() -> None:
    kube = Kube()
    assert not place(kube).surroundings(asks=False).has_secret("../configmaps/any")
    assert kube.asked == []


def test_a_person_chooses_from_all() -> None:
    kube = Kube("one", "other")
    around = place(kube).surroundings("one", asks=True)
    assert around.has_secret("other")
    assert not around.has_secret("free")
    assert kube.asked == [("list", "shop")]
