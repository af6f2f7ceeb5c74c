"""A job on its way through the simulated cluster: the truth, and what can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envs.workloads.base import Arrival, WorkloadRun
from envs.workloads.runtime_estimates import SHORTEST_S, RuntimeEstimator
from scheduler.decisions.state.occupancy import Nodes

Place = tuple[int, int]
"""(pool, width)."""


class HeldDevices(NamedTuple):
    """An attempt's devices, from when they were taken to when they were given back."""

    job: int
    pool: int
    nodes: Nodes
    memory: int
    start: float
    end: float


class SimulatedProgress(NamedTuple):
    """What anyone can see of a job; nothing of it tells its true runtime."""

    job: int
    submitted_at: float
    started_at: float
    """First start; nan: never."""
    running: bool
    service_s: float
    """Device-seconds that its attempts have had, restarts included."""
    remaining_s: float
    """Seconds it needs yet where it needs least, by estimates: wherever it runs, if it does, so
    that starting a job does not change its rank."""


@dataclass(slots=True)
class JobState:
    """One job."""

    job: Arrival
    runs: dict[Place, WorkloadRun]
    """The truth."""
    estimates: dict[Place, float]
    """Seconds of a whole run."""
    started: float = np.nan
    ended: float = np.nan
    pool: int = -1
    width: int = 0
    nodes: Nodes = ()
    memory: int = 0
    runtime: float = np.nan
    """True seconds of a whole run where it was placed last."""
    dollars: float = 0.0
    joules: float = 0.0
    attempts: int = 0
    failures: int = 0
    failed: bool = False
    """For good."""
    wasted: float = 0.0
    """Seconds of attempts that were not kept work."""
    service: float = 0.0
    """Device-seconds of earlier attempts."""
    done: float = 0.0
    """Share of the work that is kept: the truth."""
    known: float = 0.0
    """The same by estimates; may exceed 1."""
    running: bool = False
    drawing: bool = False
    """Whether the meter counts it."""
    placed: float = 0.0
    """When the attempt took its devices."""
    ready: float = 0.0
    """When they had booted."""
    begun: float = 0.0
    """When useful work began, after the restart."""

    @property
    def ideal(self) -> float:
        """Least true runtime anywhere (s)."""
        return min(run.runtime_s for run in self.job.runs)

    @property
    def place(self) -> Place:
        """Where it was placed last."""
        return self.pool, self.width

    def remaining(self, place: Place, estimator: RuntimeEstimator, working_s: float = 0.0) -> float:
        """Seconds left at a place by estimates, after so much work since the last checkpoint."""
        estimate = self.estimates[place]
        elapsed = self.known * estimate + working_s
        if elapsed < estimate:
            return max(SHORTEST_S, estimate - elapsed) if elapsed else estimate
        return max(SHORTEST_S, estimator.corrected(self.job, estimate, elapsed) - elapsed)

    def keep(self, worked_s: float) -> None:
        """So many seconds of the attempt's work need not be done again."""
        self.done = min(1.0, self.done + worked_s / self.runtime) if self.runtime else 1.0
        self.known += worked_s / max(self.estimates[self.place], 1e-9)
