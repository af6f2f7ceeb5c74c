"""The cluster and its queue at one instant, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.preemption import JobProgress, RunningJob
from scheduler.decisions.state.world import World
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a round may know. Nothing in it changes."""

    now: float
    """Unix seconds."""
    world: World
    """Copy it to try something out."""
    committed: tuple[Reservation, ...] = ()
    """Reservations of the round before, which some modes keep."""
    claims: tuple[Reservation, ...] = ()
    """Claims of the round before: served first, in every mode."""
    running_jobs: tuple[RunningJob, ...] = ()
    """The jobs of `running`. A job that is missing here is never preempted."""
    progress: Mapping[int, JobProgress] = field(default_factory=dict)
    """Waiting job → its progress, for those that have run before."""

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools of the cluster."""
        return self.world.pools
