"""A job in the simulated cluster: the truth about it, and what anyone can see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from envs.simulator.placements import PlacementSet
from envs.workloads.base import Arrival
from envs.workloads.runtime_estimates import SHORTEST_S, RuntimeEstimator
from scheduler.decisions.state.entries import Nodes


class HeldDevices(NamedTuple):
    """The devices of an attempt, from their allocation to their release."""

    job: int
    pool: int
    nodes: Nodes
    memory: int
    start: float
    end: float


@dataclass(slots=True)
class SimulatedJob:
    """A job that has arrived, with the state of its newest attempt."""

    arrival: Arrival
    placements: PlacementSet
    estimates: Sequence[float]
    """Estimated seconds of a whole run, by position of the placement."""
    ideal: float
    """Least true runtime anywhere (s)."""
    counted: bool = True
    """Whether figures are about it."""
    started: float = np.nan
    ended: float = np.nan
    place: int = -1
    """Position of its last placement."""
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
    preemptions: int = 0
    failed: bool = False
    """Whether its last allowed attempt has failed."""
    wasted: float = 0.0
    """Seconds of attempts that were restarts or lost work."""
    service: float = 0.0
    """Device-seconds of earlier attempts."""
    done: float = 0.0
    """True share of the work that is kept."""
    known: float = 0.0
    """Estimated share of the work that is kept; may exceed 1."""
    running: bool = False
    drawing: bool = False
    """Whether the meter counts the attempt."""
    placed: float = 0.0
    """When the attempt got its devices."""
    ready: float = 0.0
    """When its devices had booted."""
    begun: float = 0.0
    """When useful work began, after the restart."""

    def remaining(self, place: int, estimator: RuntimeEstimator, working_s: float = 0.0) -> float:
        """Estimated seconds left, `working_s` seconds after the last checkpoint."""
        estimate = self.estimates[place]
        elapsed = self.known * estimate + working_s
        if elapsed < estimate:
            return max(SHORTEST_S, estimate - elapsed) if elapsed else estimate
        return max(SHORTEST_S, estimator.corrected(self.arrival, estimate, elapsed) - elapsed)

    def keep(self, worked_s: float) -> None:
        """Add `worked_s` seconds of the attempt to the work that is kept."""
        self.done = min(1.0, self.done + worked_s / self.runtime) if self.runtime else 1.0
        self.known += worked_s / max(self.estimates[self.place], 1e-9)
