"""Prometheus metrics. Label values are bounded: reasons, results, definitions and instances; never URLs or messages."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.registry import Collector

from integration_hub import __version__
from integration_hub.adapters.kube import DEFINITIONS, INSTANCES, SECRETS
from integration_hub.runtime.connection_metrics import LastTests, Snapshot, Tables, TrafficSource
from integration_hub.runtime.queue import WorkQueue
from integration_hub.shell.keys import Key
from integration_hub.shell.store import Store

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEST_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LATENESS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
_RESULTS = ("written", "unchanged", "overtaken", "api-error", "internal-error")
RENEWALS = ("renewed", "refused", "unanswered")
"""How asking for tokens ends: with them, with a refusal, or without an answer that tells either."""
CONSENTS = ("connected", "refused", "failed", "expired")
"""What comes of a link or code for a person: tokens, a no, a mistake of somebody's, or nothing in its time."""
_COMPRESSION = 1
"""The quickest: a page is mostly repetition, and the next levels save little more."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of metrics, as it is sent."""

    body: bytes
    headers: dict[str, str]


class Metrics:
    """The operator's metrics, in a registry of their own. Called by the loop only."""

    def __init__(self) -> None:
        """Register what is counted as it happens; `watch` adds what is read off on demand."""
        self._counted = CollectorRegistry()
        self.registry = CollectorRegistry()
        """Everything, for whoever asks for single values; pages come from `page`."""
        self.registry.register(_Parts(self._counted))
        self._tables: Tables | None = None
        self._traffic: TrafficSource | None = None
        self._last_tests = LastTests()
        self._one_page = asyncio.Lock()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._counted)
        self._count_reconciles()
        self._count_tests()
        self._count_credentials()
        self._count_api_work()
        build = Gauge("hub_build_info", "The operator's version.", ["version"], registry=self._counted)
        build.labels(__version__).set(1)

    def _count_reconciles(self) -> None:
        self.reconciles = Counter(
            "hub_reconcile", "Reconciles by kind and result.", ["kind", "result"], registry=self._counted
        )
        for resource in (INSTANCES, DEFINITIONS):
            for result in _RESULTS:
                self.reconciles.labels(
                    resource.plural, result
                )  # a counter that begins at 1 has no first increase
        self.seconds = Histogram(
            "hub_reconcile_duration_seconds",
            "Time of one reconcile.",
            ["kind"],
            buckets=_BUCKETS,
            registry=self._counted,
        )

    def _count_tests(self) -> None:
        self.tests = Counter(
            "hub_connection_test",
            "Connection tests by definition and reason.",
            ["definition", "reason"],
            registry=self._counted,
        )
        self.test_seconds = Histogram(
            "hub_connection_test_duration_seconds",
            "Time of one connection test, waiting for a host's budget not included.",
            ["definition"],
            buckets=_TEST_BUCKETS,
            registry=self._counted,
        )
        self.lateness = Histogram(
            "hub_connection_test_lateness_seconds",
            "Time from when a periodic test was due until it began.",
            buckets=_LATENESS_BUCKETS,
            registry=self._counted,
        )

    def _count_credentials(self) -> None:
        self.renewals = Counter(
            "hub_credential_renewals",
            "Tokens that the operator asked for by itself, by definition and result.",
            ["definition", "result"],
            registry=self._counted,
        )
        self.consents = Counter(
            "hub_consents",
            "Consents that people were asked for, by definition and result.",
            ["definition", "result"],
            registry=self._counted,
        )

    def _count_api_work(self) -> None:
        self.events_posted = Counter("hub_events_posted", "Kubernetes Events posted.", registry=self._counted)
        self.events_dropped = Counter(
            "hub_events_dropped",
            "Kubernetes Events dropped because too many waited, or refused.",
            registry=self._counted,
        )
        self.watch_failures = Counter(
            "hub_watch_failures",
            "Watches and lists that broke off or were refused.",
            ["kind"],
            registry=self._counted,
        )
        self.relist_repairs = Counter(
            "hub_relist_repairs",
            "Changes that a relist found and no watch had told.",
            ["kind"],
            registry=self._counted,
        )
        for resource in (INSTANCES, DEFINITIONS, SECRETS):
            self.watch_failures.labels(resource.kind)
            self.relist_repairs.labels(resource.kind)

    # What is read off

    def watch(self, store: Store, queue: WorkQueue, api_calls: Mapping[str, int]) -> None:
        """Add the metrics that are read off the store, the queue and the API client when they are asked for."""
        self._tables = Tables(store, queue, api_calls, self._last_tests, lambda: self._traffic)
        self.registry.register(self._tables)

    def watch_traffic(self, source: TrafficSource) -> None:
        """Add the counts of requests to external systems."""
        self._traffic = source

    # What is told

    def tested(  # noqa: PLR0913, PLR0917 - all that there is to say of a test
        self, namespace: str, name: str, definition: str, test: str, reason: str, seconds: float, at: float
    ) -> None:
        """Count a test of a connection that took `seconds` and ended `at` a Unix time."""
        self.tests.labels(definition, reason).inc()
        self.test_seconds.labels(definition).observe(seconds)
        self._last_tests.put(_key(namespace, name), test, at)

    def count_renewal(self, definition: str, result: str) -> None:
        """Count that the operator asked for tokens by itself, and which of RENEWALS came of it."""
        _count(self.renewals, definition, result, RENEWALS)

    def count_consent(self, definition: str, result: str) -> None:
        """Count that a person was asked for consent, and which of CONSENTS came of it."""
        _count(self.consents, definition, result, CONSENTS)

    def late(self, seconds: float) -> None:
        """Count a periodic test that began so long after it was due."""
        self.lateness.observe(max(seconds, 0.0))

    def keep_tests(self, namespace: str, name: str, tests: Collection[str]) -> None:
        """Drop the series of a connection's tests that are not among these: the others no longer exist."""
        self._last_tests.keep(_key(namespace, name), tests)

    def forget(self, namespace: str, name: str) -> None:
        """Drop the series of a deleted connection."""
        self._last_tests.keep(_key(namespace, name), ())

    def forget_definition(self, name: str) -> None:
        """Drop the series of a deleted definition."""
        for metric in (self.tests, self.test_seconds, self.renewals, self.consents):
            metric.remove_by_labels({"definition": name})

    # What is asked for

    async def page(self, accept: str = "", accept_encoding: str = "") -> Page:
        """Return everything in the format and encoding that the request's headers accept.

        The tables are copied here and written out in a thread: the loop goes on meanwhile. One page at a time, so that
        many who ask cost no more memory than one.
        """
        async with self._one_page:
            parts = _Parts(self._counted, *([self._tables.snapshot()] if self._tables else []))
            return await asyncio.to_thread(_written, parts, accept, gzip_accepted(accept_encoding))


class _Parts(Collector):
    """Several sources of metrics, one after the other."""

    def __init__(self, *parts: CollectorRegistry | Snapshot) -> None:
        self._parts = parts

    def describe(self) -> Iterator[Metric]:
        """Describe nothing beforehand: names are unique within each part, and parts do not share any."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()


def _written(parts: _Parts, accept: str, compress: bool) -> Page:
    encode, content_type = choose_encoder(accept)
    body, headers = encode(parts), {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if not compress:
        return Page(body, headers)
    return Page(gzip.compress(body, _COMPRESSION), {**headers, "Content-Encoding": "gzip"})


def _count(counter: Counter, definition: str, result: str, results: Collection[str]) -> None:
    if result not in results:
        raise ValueError(f"'{result}' is none of {', '.join(results)}")
    for each in results:
        counter.labels(definition, each)  # those that come later then do not begin at 1, which is no increase
    counter.labels(definition, result).inc()


def _key(namespace: str, name: str) -> Key:
    return Key(INSTANCES.plural, namespace, name)
