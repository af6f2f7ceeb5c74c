"""A simulation in compiled code, used as `envs.simulator.Simulation` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envs.clock.columns import ENDED, TIME
from envs.clock.episode import Episode
from envs.clock.records import held_of, reading_of, result_of
from envs.clock.support import check
from envs.clock.trace import Trace
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Reading
from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import HeldDevices
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
from envs.workloads.streams import Seed


class CompiledSimulation:
    """One workload on one cluster. Equal arguments and choices give equal results."""

    def __init__(
        self,
        workload: Workload,
        spec: ClusterSpec,
        estimator: RuntimeEstimator | None = None,
        *,
        seed: Seed = 0,
        restart: Callable[[Arrival], float] | None = None,
        meters: bool = False,
        record: bool = False,
    ) -> None:
        estimator = estimator or Exact()
        check(workload, estimator)
        self.spec = spec
        trace = Trace(
            workload, spec, estimator, seed=seed, restart=restart, meters=meters, record=record
        )
        self.episode = Episode(trace)
        self._record = record

    @property
    def now(self) -> float:
        """Simulated seconds since the start of the workload."""
        return float(self.episode.figure[TIME])

    @property
    def finished(self) -> int:
        """Jobs that have ended, well or not."""
        return int(self.episode.count[ENDED])

    @property
    def held(self) -> Sequence[HeldDevices] | None:
        """Every attempt that has ended, in order of its end; None unless recorded."""
        return held_of(self.episode) if self._record else None

    def reading(self) -> Reading:
        """The meter's totals until now."""
        return reading_of(self.episode)

    def outcome(self) -> SimulationResult:
        """The record of all jobs so far."""
        return result_of(self.episode)
