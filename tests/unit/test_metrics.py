"""Metrics: what is counted, what is read off the tables, and that labels are bounded."""

from __future__ import annotations

import re

from prometheus_client import generate_latest

from integration_hub import __version__
from integration_hub.runtime.metrics import Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key, Priority
from integration_hub.shell.store import Store
from support.builders import definition, instance, secret

KEY = Key("integrationinstances", "team-a", "prod")


def ready(status: str) -> dict[str, object]:
    return {"conditions": [{"type": "Healthy", "status": "Unknown"}, {"type": "Ready", "status": status}]}


class Watched:
    """Metrics of a store with one connection for each status of Ready."""

    def __init__(self) -> None:
        self.store, self.queue, self.calls = (
            Store(),
            WorkQueue(),
            {"GET": 3, "PATCH integrationinstances/status": 1},
        )
        self.metrics = Metrics()
        self.metrics.watch(self.store, self.queue, self.calls)
        for name, status in (("up", "True"), ("down", "False"), ("asked", "Unknown")):
            self.store.put_instance(instance(name, uid=name, status=ready(status)))
        self.store.put_instance(instance("new", uid="new"))
        self.store.put_definition(definition())
        self.store.put_secret(secret())

    def value(self, metric: str, /, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(metric, labels)

    def connection(self, name: str) -> float | None:
        return self.value("hub_connection_ready", namespace="team-a", name=name, definition="acme")


def test_a_connections_state_is_a_number() -> None:
    watched = Watched()
    assert [watched.connection(name) for name in ("up", "down", "asked", "new")] == [1, 0, 0.5, 0.5]


def test_a_deleted_connection_leaves_the_metrics() -> None:
    watched = Watched()
    watched.store.remove_instance(Key("integrationinstances", "team-a", "up"))
    assert watched.connection("up") is None


def test_a_status_that_we_wrote_shows_at_once() -> None:
    watched = Watched()
    watched.store.put_own_write(instance("down", uid="down", version=2, status=ready("True")))
    assert watched.connection("down") == 1


def test_objects_queue_and_calls_are_read_off() -> None:
    watched = Watched()
    watched.queue.add(KEY, Priority.USER)
    assert watched.value("hub_objects", kind="IntegrationInstance") == 4
    assert watched.value("hub_objects", kind="IntegrationDefinition") == 1
    assert watched.value("hub_objects", kind="Secret") == 1
    assert (watched.value("hub_queue_depth"), watched.value("hub_queue_working")) == (1, 0)
    assert watched.value("hub_api_calls_total", call="GET") == 3
    watched.calls["GET"] += 1
    assert watched.value("hub_api_calls_total", call="GET") == 4
    assert watched.value("hub_build_info", version=__version__) == 1


def test_two_operators_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.events_posted.inc()
    assert other.registry.get_sample_value("hub_events_posted_total") == 0


def test_every_metric_of_ours_is_named_and_described_and_has_known_labels() -> None:
    text = generate_latest(Watched().metrics.registry).decode()
    ours = set(re.findall(r"^# HELP (hub_\w+) (.+)$", text, re.MULTILINE))
    assert len(ours) >= 10
    assert all(words.endswith(".") for _, words in ours)
    labels = {
        label
        for line in re.findall(r"^hub_\w+\{(.*)\}", text, re.MULTILINE)
        for label in re.findall(r"(\w+)=", line)
    }
    assert labels <= {"kind", "result", "definition", "reason", "namespace", "name", "call", "version", "le"}
