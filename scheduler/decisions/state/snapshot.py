"""The cluster and its queue at one instant, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.preemption import JobProgress, RunningJob
from scheduler.decisions.state.queue import Queue
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a round may know. Nothing in it changes."""

    now: float
    """Unix seconds."""
    queue: Queue
    pools: tuple[Pool, ...]
    running: tuple[RunningAttempt, ...]
    committed: tuple[Reservation, ...] = ()
    """Reservations of the round before, which a sticky mode keeps."""
    claims: tuple[Reservation, ...] = ()
    """Claims of the round before: served first, in every mode."""
    running_jobs: tuple[RunningJob, ...] = ()
    """The jobs of `running`. A job that is missing here is never preempted."""
    progress: Mapping[int, JobProgress] = field(default_factory=dict)
    """Waiting job → its progress, for those that have run before."""

    def cluster(self) -> Cluster:
        """The pools with what runs in them, ready to be changed."""
        return Cluster(self.pools, self.running)
