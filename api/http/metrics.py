"""Metrics for Prometheus, in their own registry."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scheduler.domain.lifecycle import EventName, JobState
from scheduler.service.holder import ServiceHolder
from scheduler.service.service import Service
from scheduler.store.base import Store

PAGE = 1000
MOST_PAGES = 20
"""Read in one scrape; a longer history is caught up with over several."""

_BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class Telemetry:
    """Counts requests and submissions; asks the service for the rest when it is scraped."""

    def __init__(self, services: ServiceHolder) -> None:
        self._services = services
        self._scraping = threading.Lock()
        self._observed = services.current
        """The service whose rounds are counted."""
        self._rounds = 0
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "fulcrum_http_request_seconds",
            "Time from a request's head to its answer's end.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._decisions = Histogram(
            "fulcrum_decision_seconds",
            "Time of one scheduling round.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._submitted = Counter(
            "fulcrum_submitted_jobs",
            "Jobs accepted over HTTP.",
            ["kind"],
            registry=self._registry,
        )
        self._registry.register(_ServiceFigures(services))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def submitted(self, kinds: Mapping[str, int]) -> None:
        """Count accepted jobs by kind."""
        for kind, count in kinds.items():
            self._submitted.labels(kind).inc(count)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        with self._scraping:
            self._observe_rounds()
            return generate_latest(self._registry)

    def _observe_rounds(self) -> None:
        """The dispatcher keeps the times of its newest rounds; take those not yet seen."""
        if self._observed is not self._services.current:
            self._observed, self._rounds = self._services.current, 0
        dispatcher = self._observed.dispatcher
        rounds, seconds = dispatcher.counters["rounds"], list(dispatcher.decision_s)
        fresh = min(rounds - self._rounds, len(seconds))
        for value in seconds[len(seconds) - fresh :]:
            self._decisions.observe(value)
        self._rounds = rounds


class _ServiceFigures(Collector):
    """Reads the service at each scrape."""

    def __init__(self, services: ServiceHolder) -> None:
        self._services = services
        self._history = _History(services.current.store)

    @property
    def _service(self) -> Service:
        return self._services.current

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering reads no store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The current figures."""
        self._history.catch_up()
        yield from self._jobs()
        yield from self._cluster()
        yield from self._problems()
        known = self._service.statistics()
        numbers = GaugeMetricFamily(
            "fulcrum_service", "Counters and gauges of the service, by name.", labels=["name"]
        )
        for name, value in known.items():
            numbers.add_metric([name], value)
        yield numbers

    def _jobs(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("fulcrum_jobs", "Jobs by state.", labels=["state"])
        for state in JobState:
            states.add_metric([state.value], self._history.states[state])
        yield states
        events = CounterMetricFamily(
            "fulcrum_events", "Events in the whole history.", labels=["name"]
        )
        for name in EventName:
            events.add_metric([name.value], self._history.events[name])
        yield events

    def _problems(self) -> Iterator[Metric]:
        found = self._service.problems()
        ready = not any(problem.fatal for problem in found)
        yield GaugeMetricFamily("fulcrum_ready", "1: as /readyz says.", value=float(ready))
        gauge = GaugeMetricFamily(
            "fulcrum_problems", "Problems that /readyz tells, by part.", labels=["part", "fatal"]
        )
        tally = Tally((problem.part, str(problem.fatal).lower()) for problem in found)
        for labels, count in tally.items():
            gauge.add_metric(labels, count)
        yield gauge

    def _cluster(self) -> Iterator[Metric]:
        view = self._service.cluster()
        yield GaugeMetricFamily("fulcrum_queue_depth", "Jobs that wait.", value=view.queued)
        total = GaugeMetricFamily("fulcrum_pool_devices", "Devices of a pool.", labels=["pool"])
        busy = GaugeMetricFamily(
            "fulcrum_pool_busy_devices", "Devices that a job holds.", labels=["pool"]
        )
        for pool in view.pools:
            total.add_metric([pool.pool.name], pool.pool.count)
            busy.add_metric([pool.pool.name], pool.busy)
        yield total
        yield busy
        policy = GaugeMetricFamily(
            "fulcrum_policy", "1 for the policy that decides.", labels=["name", "mode"]
        )
        policy.add_metric([view.policy.name, view.policy.mode], 1)
        yield policy


class _History:
    """Jobs by state and events by name, told from the event log alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = 0
        self.states: Tally[JobState] = Tally()
        self.events: Tally[EventName] = Tally()

    def catch_up(self) -> None:
        """Read what happened since the last scrape."""
        for _ in range(MOST_PAGES):
            page = self._store.events(after=self._seen, limit=PAGE)
            for event in page:
                if event.before is not None:
                    self.states[event.before] -= 1
                self.states[event.after] += 1
                self.events[event.name] += 1
                self._seen = event.seq
            if len(page) < PAGE:
                return
