"""A workload: the jobs that will arrive, with their true runtimes.

True runtimes exist only here and in the simulator; decisions get estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scheduler.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class WorkloadRun:
    """One way in which a job can run."""

    device: str
    """`any`, a kind (`cpu`, `cuda`) or a device model, as a job's request names them."""
    width: int
    """Devices."""
    runtime_s: float
    """True seconds."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job as the simulator knows it."""

    id: int
    """From 1, in order of arrival."""
    submitted_at: float
    """Seconds from the start of the workload."""
    runs: tuple[WorkloadRun, ...]
    """At least one."""
    requested_s: float | None = None
    """The user's limit in seconds on its first run's device and width."""
    memory_bytes: int = 0
    kind: str = "job"
    """Jobs of equal kind do equal work: what a history-based estimator groups by."""
    user: str = "user"
    project: str = "default"
    priority: float = 50.0
    deadline: float | None = None
    """Seconds from the start of the workload."""
    preference: float | None = None
    """0 cheapest … 1 fastest; None: the scenario's."""
    expected_s: float | None = None
    """Seconds that the scheduler expected when it arrived, on its first run's device and width, if
    that is on record."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Jobs in order of arrival."""

    name: str
    jobs: tuple[Arrival, ...]
    source: str = ""
    """Where it comes from: file and digest, or model, parameters and seed."""
    skipped: Sequence[str] = ()
    """Rows that could not be used, each with its line and reason."""
    origin: float = 0.0
    """Where formulas count submissions from (s): below 0 in a window of a longer history."""
    rows: tuple[int, int] | None = None
    """(first, beyond) rows of the trace that the jobs come from; None: not from a trace."""

    def window(self, start: int, count: int, *, aged: bool = False) -> Workload:
        """`count` consecutive jobs from row `start` (0-based), with times from 0 and ids from 1.

        `aged`: formulas still count submissions from the beginning of the whole workload. Raises
        `InputError` if there are fewer.
        """
        if not 0 <= start <= start + count <= len(self.jobs):
            raise InputError(
                f"{self.name} has {len(self.jobs)} jobs, not {start}..{start + count}",
                {"window": f"0 ≤ start, start + count ≤ {len(self.jobs)}"},
            )
        chosen = self.jobs[start : start + count]
        origin = chosen[0].submitted_at if chosen else 0.0
        return replace(
            self,
            name=f"{self.name}[{start}:{start + count}]",
            jobs=tuple(_shifted(job, origin, number) for number, job in enumerate(chosen, 1)),
            origin=self.origin - origin if aged else 0.0,
        )


def _shifted(job: Arrival, origin: float, number: int) -> Arrival:
    return replace(
        job,
        id=number,
        submitted_at=job.submitted_at - origin,
        deadline=None if job.deadline is None else job.deadline - origin,
    )
