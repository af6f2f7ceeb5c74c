"""A workload on a cluster as columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from envs.clock import draws
from envs.clock.kernel import columns
from envs.clock.kernel.columns import AMORTISED, BUSY, UP, WorkloadColumns
from envs.clock.support import estimator_code
from envs.scenarios.supply import Billing
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.placements import FeasiblePlacements
from envs.simulator.random_events import RandomEvents
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import (
    SHORTEST_KNOWN_S,
    Learned,
    RuntimeEstimator,
    RuntimeHistory,
    groups_of,
)
from envs.workloads.streams import Seed
from scheduler.compilation.columns import Ints
from scheduler.compilation.handles import handle_of
from scheduler.decisions.kernel.arithmetic import ln
from scheduler.decisions.state.entries import Shape
from scheduler.decisions.state.node_parts import MixPart, asked
from scheduler.decisions.state.node_placement import BEST_FIT, rule
from scheduler.decisions.state.world import World

_BILLING = {Billing.BUSY: BUSY, Billing.UP: UP, Billing.AMORTISED: AMORTISED}


class Trace(WorkloadColumns):
    """One workload on one cluster, with everything that is drawn; shared by its simulations.

    Raises `InfeasibleError` if a job fits no pool.
    """

    def __init__(
        self,
        workload: Workload,
        spec: ClusterSpec,
        estimator: RuntimeEstimator,
        *,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        meters: bool = False,
        record: bool = False,
    ) -> None:
        self.workload, self.spec, self.estimator = workload, spec, estimator
        self.shapes: dict[Shape, int] = {Shape(-1, 0, 0): 0}
        self._events = RandomEvents(seed)
        self._handle: Trace | None = None
        self.memory = estimator.memory if isinstance(estimator, RuntimeHistory) else 1
        """Ends of each kind that the estimator remembers."""
        self.setting, self.number = np.zeros(8, dtype=np.int64), np.zeros(8)
        self.setting[columns.ESTIMATOR] = estimator_code(estimator)
        self.setting[columns.RETRIES] = spec.failures.retries
        self.setting[columns.METERS], self.setting[columns.RECORDS] = meters, record
        self.setting[columns.EVERY_EVENT] = spec.every_event
        counted = workload.counted_slice
        self.setting[columns.COUNTED], self.setting[columns.BEYOND] = counted.start, counted.stop
        self.setting[columns.NODE_DEVICES] = max(pool.devices_per_node for pool in spec.pools)
        self.number[columns.PER_ATTEMPT] = spec.failures.per_attempt
        self.number[columns.CHECKPOINT_S] = spec.failures.checkpoint_s
        self.number[columns.REPAIR_S] = spec.failures.repair_s
        time = workload.counted_time
        self.number[columns.COUNTED_START], self.number[columns.COUNTED_END] = time
        self._describe_jobs(restart)
        learns = isinstance(estimator, Learned)
        groups = [group for job in workload.jobs for group in groups_of(job)] if learns else []
        self.job_group = _numbers(groups)
        self._describe_rows(estimator)
        self._describe_pools()
        self.failure_share = np.empty((0, len(workload.jobs)))
        nodes = sum(pool.nodes for pool in spec.pools)
        self.life_s = np.empty((0, nodes))
        self.life_breaks = np.empty((0, nodes), dtype=np.uint8)
        self.draw_attempts()
        self.draw_lives()

    @property
    def handle(self) -> Trace:
        """What compiled functions take; valid until more is drawn."""
        if self._handle is None:
            self._handle = handle_of(self, WorkloadColumns)
        return self._handle

    def world(self) -> World:
        """A new world: the empty cluster, with all shapes of the workload."""
        world = World(self.spec.pools, origin=self.workload.origin, rule=rule(self.spec.placement))
        for shape in self.shapes:
            world.shape(shape)
        for part in self.parts:
            world.part(part)
        return world

    def draw_attempts(self) -> None:
        """Draw the failures of one more attempt of each job."""
        known = len(self.failure_share)
        ids, risk = self.job_id.tolist(), self.spec.failures.per_attempt
        more = draws.failure_shares(self._events, ids, risk, range(known + 1, known + 2))
        self.failure_share = np.concatenate([self.failure_share, more])
        self._handle = None

    def draw_lives(self) -> None:
        """Draw as many lives of each node as there are, and one more."""
        known = len(self.life_s)
        lasts, breaks = draws.lives(self._events, self.spec, range(known + 1, 2 * known + 2))
        self.life_s = np.concatenate([self.life_s, lasts])
        self.life_breaks = np.concatenate([self.life_breaks, breaks])
        self._handle = None

    def _describe_jobs(self, restart: Callable[[Arrival], float] | None) -> None:
        jobs, spec = self.workload.jobs, self.spec
        self.job_id = np.array([job.id for job in jobs], dtype=np.int64)
        self.job_submitted = np.array([float(job.submitted_at) for job in jobs])
        self.job_priority = np.array([float(job.priority) for job in jobs])
        self.job_deadline = np.array(
            [np.inf if job.deadline is None else float(job.deadline) for job in jobs]
        )
        self.own_preferences = np.array(
            [np.nan if job.preference is None else job.preference for job in jobs], dtype=np.float64
        )
        """(jobs,) NaN: the cluster's."""
        unset = np.isnan(self.own_preferences)
        self.job_preference = np.where(unset, spec.preference, self.own_preferences)
        self.users = tuple(job.user for job in jobs)
        self.job_ideal = np.array([float(min(run.runtime_s for run in job.runs)) for job in jobs])
        lengths = np.maximum(self.job_ideal, SHORTEST_KNOWN_S).tolist()
        self.job_length = np.array([ln(length) for length in lengths])
        self.done = np.array([float(job.done) for job in jobs])
        """(jobs,) Share of each job's work that was done before."""
        self.job_restart = np.array(
            [spec.failures.restart_s if restart is None else float(restart(job)) for job in jobs]
        )
        self.job_requested = np.array([float(job.requested_s or np.inf) for job in jobs])
        self.job_user = _numbers(self.users)
        self.job_kind = _numbers([job.kind for job in jobs])

    def _describe_rows(self, estimator: RuntimeEstimator) -> None:
        placements = FeasiblePlacements(self.spec.pools)
        rows: list[tuple[int, int, int, int]] = []
        times: list[tuple[float, float]] = []
        first, asks, ask = [0], list[tuple[MixPart, float]](), [0]
        learns = self.spec.placement != BEST_FIT.name
        for job in self.workload.jobs:
            found = placements.of(job)
            for (pool, width), at in found.places.items():
                run = job.runs[found.run[at]]
                shape = Shape(pool, width, job.memory_bytes)
                index = self.shapes.setdefault(shape, len(self.shapes))
                rows.append((index, pool, width, job.memory_bytes))
                times.append((run.runtime_s, estimator.estimate(job, run)))
            if learns:
                asks.extend(asked(self.spec.pools, found.places, job.memory_bytes))
            first.append(len(rows))
            ask.append(len(asks))
        self.job_first = np.array(first[:-1], dtype=np.int64)
        bounds = np.array(first, dtype=np.int64)
        self.job_count = bounds[1:] - bounds[:-1]
        table = np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy()
        self.row_shape, self.row_pool, self.row_width, self.row_memory = map(np.copy, table)
        seconds = np.array(times, dtype=np.float64).reshape(-1, 2).T
        self.row_runtime, self.row_estimate = map(np.copy, seconds)
        self.parts: dict[MixPart, int] = {}
        indices = [self.parts.setdefault(part, len(self.parts)) for part, _ in asks]
        self.job_ask = np.array(ask, dtype=np.int64)
        self.ask_part = np.array(indices, dtype=np.int64)
        self.ask_weight = np.array([weight for _, weight in asks], dtype=np.float64)

    def _describe_pools(self) -> None:
        spec = self.spec
        supplies = [spec.supply(index) for index in range(len(spec.pools))]
        changing = set(spec.changing())
        self.pool_changes = np.array([i in changing for i in range(len(supplies))], dtype=np.uint8)
        self.pool_elastic = np.array([each.elastic for each in supplies], dtype=np.uint8)
        self.pool_min_nodes = np.array([each.min_nodes for each in supplies], dtype=np.int64)
        self.pool_idle_s = np.array([float(each.idle_timeout_s) for each in supplies])
        self.pool_billing = np.array([_BILLING[each.billing] for each in supplies], dtype=np.int64)
        self.pool_idle_watts = np.array([float(each.idle_watts_per_device) for each in supplies])


def _numbers(names: Sequence[Hashable]) -> Ints:
    """Equal numbers for equal names."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
