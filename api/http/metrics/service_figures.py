"""What the service is asked for at each scrape."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from api.http.metrics.history import FAILURES, EventHistory
from api.http.metrics.labels import BoundedLabels
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.domain.nodes import NodeState
from scheduler.domain.records import Cost
from scheduler.service.holder import ServiceHolder
from scheduler.service.policy_control.views import ActivePolicyView
from scheduler.service.queries.queue_lengths import queue_lengths
from scheduler.service.queries.views import PoolView
from scheduler.service.service import Service

COSTS_S = 60.0
"""Costs are sums over all attempts: they are read again after so many seconds."""
DECISIONS = ("start", "backfill", "reserve", "wait")
"""What a decision may do."""
DISPATCHER = ("rounds", "launches", "messages", "stale_events", "conflicts", "failed_steps")
"""Counters of the dispatcher."""


class ServiceFigures(Collector):
    """Reads the service at each scrape."""

    def __init__(self, services: ServiceHolder) -> None:
        self._services = services
        self._history = EventHistory(services.current.store)
        self._queue_labels, self._cost_labels = BoundedLabels(), BoundedLabels()
        self._costs: dict[str, Sequence[Cost]] = {}
        self._costs_until = 0.0

    @property
    def _service(self) -> Service:
        return self._services.current

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering reads no store."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The current figures."""
        self._history.catch_up()
        yield InfoMetricFamily(
            "fulcrum_build", "The running version.", {"version": version("fulcrum-scheduler")}
        )
        yield from self._jobs()
        view = self._service.cluster.view()
        yield from self._queue(view.now)
        yield from self._decisions(view.policy)
        yield from self._cluster(view.pools)
        yield from self._spent()
        yield from self._problems()

    def _jobs(self) -> Iterator[Metric]:
        history = self._history
        yield _gauge(
            "fulcrum_jobs",
            "Jobs by state.",
            "state",
            {state.value: history.states[state] for state in JobState},
        )
        yield _counter(
            "fulcrum_events",
            "Events in the whole history.",
            "name",
            {name.value: history.events[name] for name in EventName},
        )
        yield _counter(
            "fulcrum_attempt_failures",
            "Attempts that failed or were lost, by reason.",
            "reason",
            {name: history.failures[name] for name in FAILURES},
        )
        waits = history.waits
        yield HistogramMetricFamily(
            "fulcrum_job_wait_seconds",
            "Time from the submission of a job to its first start.",
            buckets=waits.buckets(),
            sum_value=waits.total,
        )
        runs = HistogramMetricFamily(
            "fulcrum_attempt_run_seconds", "Run time of ended attempts.", labels=["outcome"]
        )
        for outcome, found in history.runs.items():
            runs.add_metric([outcome], found.buckets(), found.total)
        yield runs

    def _queue(self, now: float) -> Iterator[Metric]:
        queue = queue_lengths(self._service.live_jobs)
        waits = {
            name.removeprefix("jobs_"): count
            for name, count in self._service.cluster.statistics().items()
            if name.startswith("jobs_") and name != "jobs_active"
        }
        yield GaugeMetricFamily(
            "fulcrum_queue_depth", "Jobs that wait, for any reason.", value=queue.depth
        )
        yield _gauge(
            "fulcrum_queue_jobs_by_cause",
            "Jobs that wait, by what for; devices: they compete.",
            "cause",
            waits,
        )
        yield _gauge(
            "fulcrum_queue_jobs_by_pool",
            "Jobs that compete and accept this pool; a job counts at each pool that it accepts.",
            "pool",
            queue.by_pool,
        )
        yield _gauge(
            "fulcrum_queue_jobs_by_project",
            "Jobs that wait, by project; beyond 50 projects: other.",
            "project",
            self._queue_labels.sums(queue.by_project),
        )
        yield GaugeMetricFamily(
            "fulcrum_queue_oldest_wait_seconds",
            "Time since the submission of the job that has waited longest.",
            value=0.0 if queue.oldest is None else max(0.0, now - queue.oldest),
        )

    def _decisions(self, policy: ActivePolicyView) -> Iterator[Metric]:
        known = self._service.cluster.statistics()
        yield _counter(
            "fulcrum_decisions",
            "Decisions since the start of the service.",
            "action",
            {name: known.get(f"decided_{name}", 0) for name in DECISIONS},
        )
        yield _counter(
            "fulcrum_dispatcher_events",
            "What the dispatcher did since the start of the service.",
            "event",
            {name: known.get(name, 0) for name in DISPATCHER},
        )
        yield CounterMetricFamily(
            "fulcrum_commits", "Commits of submissions.", value=known["commits"]
        )
        yield CounterMetricFamily(
            "fulcrum_preemptions", "Attempts preempted.", value=known.get("preemptions", 0)
        )
        yield CounterMetricFamily(
            "fulcrum_preemption_lost_seconds",
            "Run time of attempts that preemption cost.",
            value=known["lost_seconds"],
        )
        yield _counter(
            "fulcrum_policy_faults",
            "Answers of the policy that did not count, by fault.",
            "fault",
            {str(fault): count for fault, count in policy.faults.items()},
        )
        info = InfoMetricFamily("fulcrum_policy", "The policy in charge.")
        info.add_metric([], {"name": policy.name, "mode": policy.mode})
        yield info
        yield GaugeMetricFamily(
            "fulcrum_policy_preference", "0 cheapest, 1 fastest.", value=policy.preference
        )

    def _cluster(self, pools: Sequence[PoolView]) -> Iterator[Metric]:
        for name, text, values in (
            ("devices", "Devices of a pool.", {one.pool.name: one.pool.count for one in pools}),
            (
                "busy_devices",
                "Devices of a pool that a job holds.",
                {one.pool.name: one.busy for one in pools},
            ),
            (
                "available",
                "1: the machine has the devices of the pool.",
                {one.pool.name: int(one.available) for one in pools},
            ),
            (
                "dollars_per_device_hour",
                "Price of a pool.",
                {one.pool.name: one.pool.dollars_per_device_hour for one in pools},
            ),
            (
                "watts_per_device",
                "Power of a busy device of a pool.",
                {one.pool.name: one.pool.watts_per_device for one in pools},
            ),
        ):
            yield _gauge(f"fulcrum_pool_{name}", text, "pool", values)
        tally = Counter(node.state for node in self._service.nodes.all())
        yield _gauge(
            "fulcrum_nodes",
            "Nodes by state.",
            "state",
            {state.value: tally[state] for state in NodeState},
        )

    def _spent(self) -> Iterator[Metric]:
        if time.monotonic() >= self._costs_until:
            store = self._service.store
            self._costs = {"pool": store.costs("pool"), "project": store.costs("project")}
            self._costs_until = time.monotonic() + COSTS_S
        for name, text, field in (
            ("cost_dollars", "Cost of ended attempts", "dollars"),
            ("energy_joules", "Energy of ended attempts, by the power of their pool", "joules"),
            ("device_seconds", "Device time of ended attempts", "device_seconds"),
        ):
            pools = {one.group: getattr(one, field) for one in self._costs["pool"]}
            yield _counter(f"fulcrum_{name}", f"{text}.", "pool", pools)
            projects = {one.group: getattr(one, field) for one in self._costs["project"]}
            yield _counter(
                f"fulcrum_project_{name}",
                f"{text}; beyond 50 projects: other.",
                "project",
                self._cost_labels.sums(projects),
            )

    def _problems(self) -> Iterator[Metric]:
        found = self._service.problems()
        ready = not any(problem.fatal for problem in found)
        yield GaugeMetricFamily("fulcrum_ready", "1: as /readyz says.", value=float(ready))
        gauge = GaugeMetricFamily(
            "fulcrum_problems", "Problems that /readyz tells, by part.", labels=["part", "fatal"]
        )
        tally = Counter((problem.part, str(problem.fatal).lower()) for problem in found)
        for labels, count in tally.items():
            gauge.add_metric(labels, count)
        yield gauge


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(name, text, labels=[label]), values.items())


def _counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(name, text, labels=[label]), values.items())


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Iterable[tuple[str, float]]
) -> Metric:
    for name, value in values:
        family.add_metric([name], value)
    return family
