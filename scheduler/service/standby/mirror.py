"""The leader's live jobs, policy and estimates, as a follower reads them from the store."""

from __future__ import annotations

import threading
import time
from typing import Any

from scheduler.clock import Clock
from scheduler.estimates.estimator import Estimator
from scheduler.service.dispatch.dispatcher import TICK_S
from scheduler.service.dispatch.observation import ProgressReader
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.policy_control.controller import (
    EVALUATION,
    POLICY,
    PREFERENCES,
    PolicyController,
)
from scheduler.store.base import Store

FRESH_S = 0.5
"""What was read so many seconds ago is not read again."""


class Mirror:
    """Brings a follower's live jobs and policy up to date when somebody asks. Thread-safe."""

    def __init__(
        self,
        store: Store,
        live_jobs: LiveJobs,
        policy_control: PolicyController,
        estimator: Estimator,
        clock: Clock,
        nodes: ClusterNodes,
        progress: ProgressReader,
    ) -> None:
        self._store = store
        self._live_jobs = live_jobs
        self._policy_control = policy_control
        self._estimator = estimator
        self._clock = clock
        self._nodes = nodes
        self._progress = progress
        self._lock = threading.Lock()
        self._read_at = self._progress_read_at = -float("inf")
        self._chosen: tuple[Any, ...] | None = None
        """The settings on which the policy depends, as they were read last."""
        self._measured_at = max((one.time for one in store.measurements(limit=1)), default=0.0)

    def refresh(self) -> None:
        """Read what has changed, unless it was just read. Raises `OutageError`."""
        with self._lock:
            if time.monotonic() - self._read_at < FRESH_S:
                return
            self._read_policy()
            self._read_nodes(self._clock.now())
            self._read_jobs(self._clock.now())
            self._read_at = time.monotonic()
            if self._read_at >= self._progress_read_at + TICK_S:
                self._progress_read_at = self._read_at
                self._progress.read(self._clock.now())

    def learn(self) -> None:
        """Take over the measurements that are new."""
        with self._lock:
            found = self._store.measurements(limit=1000)
            for measurement in found:
                if measurement.time > self._measured_at:
                    self._estimator.observe(measurement)
            self._measured_at = max([self._measured_at, *(one.time for one in found)])

    def _read_policy(self) -> None:
        names = (POLICY, PREFERENCES, EVALUATION)
        chosen = tuple(self._store.setting(name) for name in names)
        if chosen != self._chosen:
            self._policy_control.recall()
            self._chosen = chosen

    def _read_nodes(self, now: float) -> None:
        self._nodes.read()
        pools = self._nodes.inventory.present
        if pools != self._live_jobs.pools:
            self._live_jobs.change_pools(pools, now)

    def _read_jobs(self, now: float) -> None:
        live_jobs, store = self._live_jobs, self._store
        live = {job.id: job for job in store.live()[0]}
        known = {job.id: job.version for job in live_jobs.jobs.values()}
        live_jobs.admit([job for number, job in live.items() if number not in known], now)
        for number, job in live.items():
            if job.attempts if number not in known else job.version != known[number]:
                live_jobs.restore(job, store.attempts(number), now)
        for number in known.keys() - live.keys():
            live_jobs.restore(store.job(number), store.attempts(number), now)
