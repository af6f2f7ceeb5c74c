"""A workload: the jobs that will arrive, with their true runtimes.

True runtimes exist only here and in the simulator; decisions get estimates.

Jobs may be simulated without being counted: those that are there at the start, those that warm the
cluster up, and those that keep it loaded until the last counted job has ended. Figures then hold
for the cluster in its regime, and not for how it fills and drains (deletion of the initial
transient: Law, "Simulation Modeling and Analysis", 5th ed., 2015, sec. 9.5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

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
    done: float = 0.0
    """Share of its work that was done before the workload starts, below 1: a job that ran then has
    been submitted at 0, and works for the rest of its runtimes."""


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
    counted: tuple[int, int] | None = None
    """(first, beyond) of the jobs, by position, that figures are about; None: all of them."""

    def __post_init__(self) -> None:
        """Raises `InputError` if jobs count that are not there or were under way at the start."""
        first, beyond = counted = self.counted_range
        if self.counted is not None and not 0 <= first < beyond <= len(self.jobs):
            raise InputError(
                f"the counted jobs are {counted} of {len(self.jobs)}",
                {"counted": "(first, beyond) with 0 ≤ first < beyond ≤ the number of jobs"},
            )
        if any(job.done for job in self.jobs[first:beyond]):
            raise InputError(
                "a job counts that was under way at the start: how long it has waited is not known",
                {"counted": "only jobs that the simulation sees from their submission on"},
            )

    @property
    def counted_range(self) -> tuple[int, int]:
        """(first, beyond) of the counted jobs, by position."""
        return self.counted or (0, len(self.jobs))

    @property
    def counted_slice(self) -> slice:
        """The counted jobs, by position."""
        return slice(*self.counted_range)

    @property
    def counted_time(self) -> tuple[float, float]:
        """(start, end) of the time that counts, in seconds.

        From the first to the last submission of a counted job, which no policy can change; where
        all jobs count, from 0 to the end of the simulation, whenever that is (inf).
        """
        if self.counted is None:
            return 0.0, inf
        first, beyond = self.counted
        return self.jobs[first].submitted_at, self.jobs[beyond - 1].submitted_at

    def window(
        self,
        start: int,
        count: int,
        *,
        before: int = 0,
        after: int = 0,
        since: int | None = None,
        aged: bool = False,
    ) -> Workload:
        """`count` consecutive jobs from row `start` (0-based), with times from 0 and ids from 1.

        `before`, `after`: so many neighbouring jobs come with them and do not count. `since`: a
        row; jobs from there on that would still run when the window begins, had they never waited,
        are under way then; None: no job is. `aged`: formulas still count submissions from the
        beginning of the whole workload. Raises `InputError` if there are fewer jobs.
        """
        first, beyond = start - before, start + count + after
        if not 0 <= first <= start <= start + count <= beyond <= len(self.jobs):
            raise InputError(
                f"{self.name} has {len(self.jobs)} jobs, not {first}..{beyond}",
                {"window": f"0 ≤ start - before, start + count + after ≤ {len(self.jobs)}"},
            )
        origin = self.jobs[first].submitted_at if first < beyond else 0.0
        earlier = () if since is None else self.jobs[since:first]
        there = [job for job in earlier if origin - job.submitted_at < job.runs[0].runtime_s]
        chosen = (*there, *self.jobs[first:beyond])
        counts = (len(there) + before, len(there) + before + count)
        return replace(
            self,
            name=f"{self.name}[{start}:{start + count}]",
            jobs=tuple(_shifted(job, origin, number) for number, job in enumerate(chosen, 1)),
            origin=self.origin - origin if aged else 0.0,
            counted=None if count == len(chosen) else counts,
        )


def _shifted(job: Arrival, origin: float, number: int) -> Arrival:
    """The job as a simulation from `origin` on meets it."""
    age = max(0.0, origin - job.submitted_at)
    return replace(
        job,
        id=number,
        submitted_at=job.submitted_at + age - origin,
        deadline=None if job.deadline is None else job.deadline - origin,
        done=age / job.runs[0].runtime_s if age else job.done,
    )
