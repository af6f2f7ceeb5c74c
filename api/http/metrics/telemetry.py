"""Metrics for Prometheus, in their own registry."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from api.http.metrics.buckets import ANSWERS
from api.http.metrics.service_figures import ServiceFigures
from scheduler.service.holder import ServiceHolder


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
            buckets=ANSWERS,
            registry=self._registry,
        )
        self._decisions = Histogram(
            "fulcrum_decision_seconds",
            "Time of one scheduling round.",
            buckets=ANSWERS,
            registry=self._registry,
        )
        self._submitted = Counter(
            "fulcrum_submitted_jobs",
            "Jobs accepted over HTTP.",
            ["kind"],
            registry=self._registry,
        )
        self._registry.register(ServiceFigures(services))
        ProcessCollector(registry=self._registry)

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
