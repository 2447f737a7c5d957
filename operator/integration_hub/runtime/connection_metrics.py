"""What the metrics read off the tables: copied in one moment by the loop, made into numbers by a thread.

So a page of ten thousand connections keeps the loop for as long as copying some tables takes, and a deleted object
leaves the metrics with the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, SECRETS
from integration_hub.model.reasons import Reason
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key
from integration_hub.shell.store import InstanceRecord, Store

MOST_TESTS = 30
"""Tests of one connection that have series of their own: as many as its status has room for."""

_Value = tuple[tuple[str, ...], float]
"""Label values, and the number."""

_READY = {"True": 1.0, "False": 0.0, "Unknown": 0.5}
_REASONS = frozenset(Reason)
_OTHER = "Other"
"""Stands for a reason that is none of ours: somebody else wrote the status, and may write anything."""


class TrafficSource(Protocol):
    """Counts requests to external systems by small fixed words that never name a host."""

    @property
    def sent(self) -> Mapping[str, int]:
        """Requests that went out."""

    @property
    def shared(self) -> Mapping[str, int]:
        """Requests that took the answer of an identical one."""

    @property
    def delayed(self) -> Mapping[str, int]:
        """Requests that had to wait for their host's budget."""

    @property
    def refused(self) -> Mapping[str, int]:
        """Requests that were not sent, because their host is down or asked for a pause."""

    def open_hosts(self) -> int:
        """Return how many hosts are taken to be down."""


class LastTests:
    """When each test of each connection last ended, exactly: statuses tell it seldom, since each write costs."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._ended: dict[Key, dict[str, float]] = {}
        """Inner tables are replaced, never changed: copies of the outer one share them."""

    def put(self, key: Key, test: str, at: float) -> None:
        """Take in that a test ended at a Unix time. Where a connection has too many, the oldest goes."""
        ended = {**self._ended.get(key, {}), test: at}
        if len(ended) > MOST_TESTS:
            del ended[min(ended, key=ended.__getitem__)]
        self._ended[key] = ended

    def keep(self, key: Key, tests: Collection[str]) -> None:
        """Forget the tests of a connection that are not among these."""
        ended = {test: at for test, at in self._ended.get(key, {}).items() if test in tests}
        if ended:
            self._ended[key] = ended
        else:
            self._ended.pop(key, None)

    def of(self, known: Collection[Key]) -> dict[Key, dict[str, float]]:
        """Return a copy, and forget connections that are not known: a test may end after its connection."""
        for key in [key for key in self._ended if key not in known]:
            del self._ended[key]
        return dict(self._ended)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to external systems, as counted at one moment."""

    sent: dict[str, int]
    shared: dict[str, int]
    delayed: dict[str, int]
    refused: dict[str, int]
    open_hosts: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tables as they were at one moment. Nothing in it changes, so a thread may read it."""

    instances: dict[Key, InstanceRecord]
    tested: dict[Key, dict[str, float]]
    objects: dict[str, int]
    waiting: int
    working: int
    api_calls: dict[str, int]
    traffic: Traffic

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of that moment."""
        yield _ready(self.instances)
        yield _reasons(self.instances)
        yield _last_tested(self.tested)
        yield _expiry(self.instances)
        objects = (((kind,), float(count)) for kind, count in self.objects.items())
        yield _Series("hub_objects", "Objects known to the operator.", ["kind"], objects)
        yield GaugeMetricFamily("hub_queue_depth", "Objects that wait for a reconcile.", value=self.waiting)
        yield GaugeMetricFamily("hub_queue_working", "Objects that are being reconciled.", value=self.working)
        yield _counter("hub_api_calls", "Calls of the Kubernetes API by kind.", "call", self.api_calls)
        yield from _traffic(self.traffic)


class Tables(Collector):
    """Reads what is known now. Used by the loop, as all tables are."""

    def __init__(
        self,
        store: Store,
        queue: WorkQueue,
        api_calls: Mapping[str, int],
        tests: LastTests,
        traffic: Callable[[], TrafficSource | None],
    ) -> None:
        """`traffic` is asked at each snapshot: its source may come later than the tables."""
        self._store = store
        self._queue = queue
        self._api_calls = api_calls
        self._tests = tests
        self._traffic = traffic

    def describe(self) -> Iterator[Metric]:
        """Describe nothing beforehand: the families are made when they are collected."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of now."""
        return self.snapshot().collect()

    def snapshot(self) -> Snapshot:
        """Copy what the metrics need of the tables. A record is replaced when it changes, so the copy may share it."""
        store = self._store
        return Snapshot(
            instances=dict(store.instances),
            tested=self._tests.of(store.instances.keys()),
            objects={
                INSTANCES.kind: len(store.instances),
                DEFINITIONS.kind: len(store.definitions),
                SECRETS.kind: store.secret_count(),
            },
            waiting=len(self._queue),
            working=self._queue.working,
            api_calls=dict(self._api_calls),
            traffic=_counted(self._traffic()),
        )


def _counted(source: TrafficSource | None) -> Traffic:
    if source is None:
        return Traffic({}, {}, {}, {}, 0)
    return Traffic(
        dict(source.sent),
        dict(source.shared),
        dict(source.delayed),
        dict(source.refused),
        source.open_hosts(),
    )


class _Series(Metric):
    """Gauges by labels, each made when it is written.

    Ten thousand in a list would make the garbage collector look through everything, and the loop wait for it.
    """

    def __init__(self, name: str, words: str, labels: Sequence[str], values: Iterable[_Value]) -> None:
        super().__init__(name, words, "gauge")
        made = (Sample(name, dict(zip(labels, found, strict=True)), value) for found, value in values)
        self.samples = cast("list[Sample]", made)


def _ready(instances: Mapping[Key, InstanceRecord]) -> Metric:
    return _Series(
        "hub_connection_ready",
        "Whether a connection is Ready: 1 True, 0 False, 0.5 Unknown.",
        ["namespace", "name", "definition"],
        (
            ((key.namespace, key.name, record.definition), _READY.get(record.ready, 0.5))
            for key, record in instances.items()
        ),
    )


def _reasons(instances: Mapping[Key, InstanceRecord]) -> Metric:
    return _Series(
        "hub_connection_reason",
        "Why a connection is not Ready: 1 for the reason of Ready, nothing while Ready is True.",
        ["namespace", "name", "definition", "reason"],
        (
            ((key.namespace, key.name, record.definition, reason), 1.0)
            for key, record in instances.items()
            if record.ready != "True" and (reason := _reason(record))
        ),
    )


def _reason(record: InstanceRecord) -> str:
    """Return the reason of Ready; nothing where the status has none yet."""
    reason = record.ready_reason()
    return reason if reason in _REASONS or not reason else _OTHER


def _last_tested(tested: Mapping[Key, Mapping[str, float]]) -> Metric:
    return _Series(
        "hub_connection_last_tested_timestamp_seconds",
        "Unix time at which a test of a connection last ended, whatever its result.",
        ["namespace", "name", "test"],
        (
            ((key.namespace, key.name, test), at)
            for key, ended in tested.items()
            for test, at in ended.items()
        ),
    )


def _expiry(instances: Mapping[Key, InstanceRecord]) -> Metric:
    return _Series(
        "hub_credential_expiry_timestamp_seconds",
        "Unix time at which a credential ends, or the consent to it, where the operator does not renew it by itself.",
        ["namespace", "name", "definition"],
        (
            ((key.namespace, key.name, record.definition), record.act_by)
            for key, record in instances.items()
            if record.act_by is not None
        ),
    )


def _traffic(traffic: Traffic) -> Iterator[Metric]:
    yield _counter("hub_requests_sent", "Requests sent to external systems.", "what", traffic.sent)
    yield _counter(
        "hub_requests_shared", "Requests that took an identical one's answer.", "what", traffic.shared
    )
    yield _counter(
        "hub_requests_delayed", "Requests that waited for their host's budget.", "what", traffic.delayed
    )
    yield _counter(
        "hub_requests_refused",
        "Requests not sent, because their host is down or asked for a pause.",
        "what",
        traffic.refused,
    )
    yield GaugeMetricFamily(
        "hub_hosts_open",
        "External hosts that are taken to be down, so that one request at a time asks them.",
        value=traffic.open_hosts,
    )


def _counter(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
