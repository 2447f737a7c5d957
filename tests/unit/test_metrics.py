"""Metrics: what is counted, what is read off the tables, and that labels are bounded."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from integration_hub import __version__
from integration_hub.adapters.egress import EgressPolicy
from integration_hub.adapters.http import HttpClient
from integration_hub.adapters.traffic import Traffic
from integration_hub.runtime.connection_metrics import MOST_TESTS
from integration_hub.runtime.metrics import CONSENTS, RENEWALS, Metrics
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key, Priority
from integration_hub.shell.store import Store
from support.builders import definition, instance, secret

METRICS_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
KEY = Key("integrationinstances", "team-a", "prod")


def families(page: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(page)}


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

    def last_tested(self, name: str, test: str) -> float | None:
        metric = "hub_connection_last_tested_timestamp_seconds"
        return self.value(metric, namespace="team-a", name=name, test=test)

    def expiry(self, name: str) -> float | None:
        metric = "hub_credential_expiry_timestamp_seconds"
        return self.value(metric, namespace="team-a", name=name, definition="acme")

    def reasons(self) -> set[tuple[str, str]]:
        return {
            (sample.labels["name"], sample.labels["reason"])
            for family in self.metrics.registry.collect()
            if family.name == "hub_connection_reason"
            for sample in family.samples
        }


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


# What is told


def test_a_test_is_counted_timed_and_dated() -> None:
    watched = Watched()
    watched.metrics.tested("team-a", "up", "acme", "ping", "Connected", 0.3, 1_800_000_000.25)
    assert watched.value("hub_connection_test_total", definition="acme", reason="Connected") == 1
    assert watched.value("hub_connection_test_duration_seconds_sum", definition="acme") == 0.3
    assert watched.last_tested("up", "ping") == 1_800_000_000.25


def test_the_time_of_each_test_is_its_last() -> None:
    watched = Watched()
    for test, at in (("ping", 1.0), ("orders", 2.0), ("ping", 3.0)):
        watched.metrics.tested("team-a", "up", "acme", test, "Connected", 0.1, at)
    assert (watched.last_tested("up", "ping"), watched.last_tested("up", "orders")) == (3, 2)


def test_a_test_that_no_longer_exists_leaves_the_metrics() -> None:
    watched = Watched()
    for test in ("ping", "orders"):
        watched.metrics.tested("team-a", "up", "acme", test, "Connected", 0.1, 1.0)
    watched.metrics.keep_tests("team-a", "up", ["ping"])
    assert (watched.last_tested("up", "ping"), watched.last_tested("up", "orders")) == (1, None)


def test_tests_that_are_renamed_again_and_again_do_not_pile_up() -> None:
    watched = Watched()
    for number in range(MOST_TESTS + 5):
        watched.metrics.tested("team-a", "up", "acme", f"test-{number}", "Connected", 0.1, float(number))
    assert watched.last_tested("up", "test-4") is None
    assert watched.last_tested("up", "test-5") == 5


def test_a_deleted_connections_tests_leave_the_metrics_also_when_one_ends_after_it() -> None:
    watched = Watched()
    watched.metrics.tested("team-a", "up", "acme", "ping", "Connected", 0.1, 1.0)
    watched.metrics.forget("team-a", "up")
    assert watched.last_tested("up", "ping") is None
    watched.store.remove_instance(Key("integrationinstances", "team-a", "up"))
    watched.metrics.tested("team-a", "up", "acme", "ping", "Connected", 0.1, 2.0)
    assert watched.last_tested("up", "ping") is None
    watched.store.put_instance(instance("up", uid="another", version=9))
    assert watched.last_tested("up", "ping") is None, "the next of its name begins anew"


def test_a_deleted_definition_leaves_the_metrics() -> None:
    watched = Watched()
    for name in ("acme", "other"):
        watched.metrics.tested("team-a", "up", name, "ping", "Connected", 0.3, 1.0)
    watched.metrics.forget_definition("acme")
    assert watched.value("hub_connection_test_total", definition="acme", reason="Connected") is None
    assert watched.value("hub_connection_test_duration_seconds_count", definition="acme") is None
    assert watched.value("hub_connection_test_duration_seconds_count", definition="other") == 1


def test_lateness_is_counted_and_a_test_before_its_time_is_not_late() -> None:
    watched = Watched()
    for seconds in (-0.2, 0.3, 70.0):
        watched.metrics.late(seconds)
    assert watched.value("hub_connection_test_lateness_seconds_sum") == 70.3
    assert watched.value("hub_connection_test_lateness_seconds_bucket", le="0.05") == 1
    assert watched.value("hub_connection_test_lateness_seconds_bucket", le="60.0") == 2


def test_traffic_is_read_off() -> None:
    watched = Watched()
    assert watched.value("hub_hosts_open") == 0
    traffic = Traffic(HttpClient(EgressPolicy()))
    watched.metrics.watch_traffic(traffic)
    traffic.sent["test"] += 3
    traffic.refused["host-paused"] += 1
    assert watched.value("hub_requests_sent_total", what="test") == 3
    assert watched.value("hub_requests_refused_total", what="host-paused") == 1
    assert watched.value("hub_requests_shared_total", what="running") is None
    assert watched.value("hub_hosts_open") == 0


def test_counters_that_alerts_look_at_are_there_before_they_first_count() -> None:
    # Prometheus sees no increase in a counter that begins with 1.
    value = Metrics().registry.get_sample_value
    for kind in ("integrationinstances", "integrationdefinitions"):
        assert value("hub_reconcile_total", {"kind": kind, "result": "internal-error"}) == 0
    for kind in ("IntegrationInstance", "IntegrationDefinition", "Secret"):
        assert value("hub_watch_failures_total", {"kind": kind}) == 0


# Credentials


def test_renewals_and_consents_are_counted_by_what_came_of_them() -> None:
    watched = Watched()
    for result in ("renewed", "renewed", "unanswered"):
        watched.metrics.count_renewal("acme", result)
    watched.metrics.count_consent("acme", "connected")
    renewals = [
        watched.value("hub_credential_renewals_total", definition="acme", result=each) for each in RENEWALS
    ]
    consents = [watched.value("hub_consents_total", definition="acme", result=each) for each in CONSENTS]
    assert renewals == [2, 0, 1]
    assert consents == [1, 0, 0, 0], "those that come later have begun at 0"


def test_what_came_of_a_renewal_is_one_of_a_few_words() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError, match="'maybe' is none of renewed, refused, unanswered"):
        metrics.count_renewal("acme", "maybe")
    with pytest.raises(ValueError, match="'anything' is none of connected"):
        metrics.count_consent("acme", "anything")


def test_the_renewals_of_a_deleted_definition_leave_the_metrics() -> None:
    watched = Watched()
    watched.metrics.count_renewal("acme", "refused")
    watched.metrics.count_consent("acme", "failed")
    watched.metrics.forget_definition("acme")
    assert watched.value("hub_credential_renewals_total", definition="acme", result="refused") is None
    assert watched.value("hub_consents_total", definition="acme", result="failed") is None


NEAR, FAR, RENEWAL = "2026-03-01T12:00:00Z", "2027-03-01T12:00:00Z", "2026-02-28T12:00:00Z"


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        ({"expiresAt": NEAR}, NEAR),
        ({"expiresAt": NEAR, "renewsAt": RENEWAL}, None),
        ({"expiresAt": NEAR, "renewsAt": RENEWAL, "authorizationExpiresAt": FAR}, FAR),
        ({"expiresAt": FAR, "authorizationExpiresAt": NEAR}, NEAR),
        ({"id": "s-1"}, None),
        ({"expiresAt": "one day"}, None),
        (None, None),
    ],
    ids=[
        "a certificate",
        "tokens that the operator renews",
        "tokens that it renews until the consent ends",
        "tokens that nobody renews, and consent that ends sooner",
        "an API key",
        "what somebody else wrote",
        "no credential yet",
    ],
)
def test_a_credential_has_the_end_by_which_a_person_must_act(
    credential: dict[str, str] | None, expected: str | None
) -> None:
    watched = Watched()
    watched.store.put_own_write(
        instance("up", uid="up", version=2, status=ready("True") | {"credential": credential})
    )
    end = datetime.fromisoformat(expected).timestamp() if expected else None
    assert watched.expiry("up") == end


def test_the_end_of_a_credential_leaves_the_metrics_with_the_connection_and_moves_with_the_status() -> None:
    watched = Watched()
    for version, moment in ((2, NEAR), (3, FAR)):
        status = ready("True") | {"credential": {"expiresAt": moment}}
        watched.store.put_instance(instance("up", uid="up", version=version, status=status))
        assert watched.expiry("up") == datetime.fromisoformat(moment).timestamp()
    watched.store.remove_instance(Key("integrationinstances", "team-a", "up"))
    assert watched.expiry("up") is None


# Reasons


def test_a_connection_that_is_not_ready_has_its_reason_and_one_that_is_has_none() -> None:
    watched = Watched()
    down = {"type": "Ready", "status": "False", "reason": "CredentialsRejected"}
    watched.store.put_own_write(instance("down", uid="down", version=2, status={"conditions": [down]}))
    assert watched.reasons() == {("down", "CredentialsRejected")}
    up = {"type": "Ready", "status": "True", "reason": "Connected"}
    watched.store.put_own_write(instance("down", uid="down", version=3, status={"conditions": [up]}))
    assert watched.reasons() == set()


def test_a_reason_that_somebody_else_wrote_is_no_label() -> None:
    watched = Watched()
    strange = {"type": "Ready", "status": "False", "reason": "x" * 1000}
    watched.store.put_own_write(instance("down", uid="down", version=2, status={"conditions": [strange]}))
    assert watched.reasons() == {("down", "Other")}


# Pages


async def test_a_page_is_in_the_format_and_the_encoding_that_are_accepted() -> None:
    metrics = Watched().metrics
    plain = await metrics.page()
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert "Content-Encoding" not in plain.headers
    packed = await metrics.page("application/openmetrics-text; version=1.0.0", "deflate, gzip;q=0.5")
    assert packed.headers["Content-Type"].startswith("application/openmetrics-text")
    assert packed.headers["Content-Encoding"] == "gzip"
    opened = gzip.decompress(packed.body).decode()
    assert opened.endswith("# EOF\n")
    # The older format has no place for times of creation, so they are families of their own.
    in_text = {name for name in families(plain.body.decode()) if not name.endswith("_created")}
    assert set(re.findall(r"(?m)^# TYPE (\w+)", opened)) == in_text


async def test_a_page_has_everything_once_and_each_value_of_the_tables() -> None:
    watched = Watched()
    text = (await watched.metrics.page()).body.decode()
    names = re.findall(r"(?m)^# TYPE (\w+)", text)
    assert len(names) == len(set(names)) == text.count("# HELP")
    assert 'hub_connection_ready{definition="acme",name="asked",namespace="team-a"} 0.5\n' in text
    assert text.count("hub_connection_ready{") == 4


async def test_label_values_are_escaped() -> None:
    watched = Watched()
    watched.metrics.tested("team-a", "up", "acme", 'a "quoted"\\\nname', "Connected", 0.1, 1.0)
    parsed = text_string_to_metric_families((await watched.metrics.page()).body.decode())
    samples = [sample for family in parsed for sample in family.samples]
    assert 'a "quoted"\\\nname' in {sample.labels.get("test") for sample in samples}


async def test_operators_without_tables_have_a_page_too() -> None:
    assert b"hub_build_info" in (await Metrics().page()).body


async def test_the_loop_goes_on_while_a_page_is_written_of_the_moment_it_was_begun() -> None:
    watched = Watched()
    for number in range(3000):
        watched.store.put_instance(instance(f"many-{number}", uid=str(number)))
    pages = [asyncio.create_task(watched.metrics.page()) for _ in range(2)]
    turns = 0
    while not pages[0].done():
        await asyncio.sleep(0)
        if turns == 0:
            for number in range(3000):
                watched.store.remove_instance(Key("integrationinstances", "team-a", f"many-{number}"))
        turns += 1
    assert turns > 1
    first, second = [(await page).body.count(b"hub_connection_ready{") for page in pages]
    assert (first, second) == (3004, 4)


# Documentation


def test_the_page_of_metrics_has_each_metric_with_its_type_and_labels() -> None:
    watched = Watched()
    watched.metrics.tested("team-a", "up", "acme", "ping", "Connected", 0.1, 1.0)
    watched.metrics.seconds.labels("integrationinstances").observe(0.1)
    watched.metrics.count_renewal("acme", "renewed")
    watched.metrics.count_consent("acme", "connected")
    down = {"type": "Ready", "status": "False", "reason": "HostNotFound"}
    status = {"conditions": [down], "credential": {"expiresAt": NEAR}}
    watched.store.put_own_write(instance("down", uid="down", version=2, status=status))
    traffic = Traffic(HttpClient(EgressPolicy()))
    for tally in (traffic.sent, traffic.shared, traffic.delayed, traffic.refused):
        tally["word"] += 1
    watched.metrics.watch_traffic(traffic)
    found = {
        (
            family.name + "_total" * (family.type == "counter"),
            family.type,
            frozenset(next(iter(family.samples)).labels) - {"le"},
        )
        for family in watched.metrics.registry.collect()
        if family.name.startswith("hub_")
    }
    rows = re.findall(r"(?m)^\| `(hub_\w+)` \| (\w+) \|([^|]*)\|", METRICS_PAGE.read_text(encoding="utf-8"))
    told = {(name, type_, frozenset(re.findall(r"`(\w+)`", labels))) for name, type_, labels in rows}
    assert told == found
