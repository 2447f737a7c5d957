"""Prometheus metrics. Label values are bounded: reasons, results, definitions and instances; never URLs or messages."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from integration_hub import __version__
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.store import Store

_READY = {"True": 1.0, "False": 0.0, "Unknown": 0.5}
_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Register what is counted as it happens; `watch` adds what is read off on demand."""
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.reconciles = Counter(
            "hub_reconcile", "Reconciles by kind and result.", ["kind", "result"], registry=self.registry
        )
        self.seconds = Histogram(
            "hub_reconcile_duration_seconds",
            "Time of one reconcile.",
            ["kind"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.tests = Counter(
            "hub_connection_test",
            "Connection tests by definition and reason.",
            ["definition", "reason"],
            registry=self.registry,
        )
        self.events_posted = Counter("hub_events_posted", "Kubernetes Events posted.", registry=self.registry)
        self.events_dropped = Counter(
            "hub_events_dropped",
            "Kubernetes Events dropped because too many waited, or refused.",
            registry=self.registry,
        )
        self.watch_failures = Counter(
            "hub_watch_failures",
            "Watches and lists that broke off or were refused.",
            ["kind"],
            registry=self.registry,
        )
        self.relist_repairs = Counter(
            "hub_relist_repairs",
            "Changes that a relist found and no watch had told.",
            ["kind"],
            registry=self.registry,
        )

    def watch(self, store: Store, queue: WorkQueue, api_calls: Mapping[str, int]) -> None:
        """Add the metrics that are read off the store, the queue and the API client when they are asked for."""
        self.registry.register(_State(store, queue, api_calls))


class _State(Collector):
    """Reads gauges off the tables, so that a deleted object leaves the metrics with the tables."""

    def __init__(self, store: Store, queue: WorkQueue, api_calls: Mapping[str, int]) -> None:
        self._store = store
        self._queue = queue
        self._api_calls = api_calls

    def describe(self) -> Iterator[Metric]:
        """Describe nothing beforehand: the families are made when they are collected."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of now."""
        build = GaugeMetricFamily("hub_build_info", "The operator's version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        ready = GaugeMetricFamily(
            "hub_connection_ready",
            "Whether a connection is Ready: 1 True, 0 False, 0.5 Unknown.",
            labels=["namespace", "name", "definition"],
        )
        for key, record in self._store.instances.items():
            ready.add_metric([key.namespace, key.name, record.definition], _READY.get(record.ready, 0.5))
        yield ready
        objects = GaugeMetricFamily("hub_objects", "Objects known to the operator.", labels=["kind"])
        objects.add_metric(["IntegrationInstance"], len(self._store.instances))
        objects.add_metric(["IntegrationDefinition"], len(self._store.definitions))
        objects.add_metric(["Secret"], self._store.secret_count())
        yield objects
        depth = GaugeMetricFamily("hub_queue_depth", "Objects that wait for a reconcile.")
        depth.add_metric([], len(self._queue))
        yield depth
        working = GaugeMetricFamily("hub_queue_working", "Objects that are being reconciled.")
        working.add_metric([], self._queue.working)
        yield working
        calls = CounterMetricFamily("hub_api_calls", "Calls of the Kubernetes API by kind.", labels=["call"])
        for call, count in Tally(self._api_calls).items():
            calls.add_metric([call], count)
        yield calls
