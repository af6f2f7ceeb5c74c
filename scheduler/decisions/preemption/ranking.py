"""Rankings: the order of all jobs, running and waiting, under a policy that preempts."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.preemption import JobProgress, RunningJob


class JobRank(NamedTuple):
    """The rank of a job under a policy."""

    key: tuple[float, ...]
    """The least key goes first. Among equal keys running jobs go before waiting ones, then the
    oldest, then the one of higher priority, then the one of nearer deadline."""
    lasts_s: float = inf
    """Seconds of running after which the key changes although nothing happens."""
    yields: bool = False
    """Among equal keys, whether the job goes by its age although it runs."""


Ranking = Callable[[JobProgress, int], JobRank]
"""(a job's progress, devices) → its rank. The devices are those of its shortest placement for the
key, so that a start does not change it, and those that it holds for `lasts_s`."""


class RankedJob(NamedTuple):
    """A job's place in the order. Sorts by it."""

    turn: int
    """0: it starves and goes before all others; else 1, or its place when projects take turns."""
    key: tuple[float, ...]
    waits: bool
    """Or runs and yields to jobs that wait."""
    submitted_at: float
    calm: float
    """Minus the priority of a waiting job; -inf for one that runs: otherwise two jobs of one age
    could take the devices from each other for ever."""
    deadline: float
    job: int


class RankedAttempt(NamedTuple):
    """A running attempt and what ranks it."""

    attempt: RunningAttempt
    submitted_at: float
    progress: JobProgress
    details: Callable[[], RunningJob]
    """Computed only for attempts that may be stopped."""

    def ranked(self, ranking: Ranking) -> RankedJob:
        """Its place in the order."""
        rank = ranking(self.progress, self.progress.width)
        return RankedJob(1, rank.key, rank.yields, self.submitted_at, -inf, inf, self.attempt.job)


class RankedQueue:
    """The waiting jobs in the order of a ranking. A rank must not change while its job waits."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        self._order: list[RankedJob] = []
        self._jobs: dict[int, tuple[RankedJob, Waiting, JobProgress]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[RankedJob]:
        return iter(self._order)

    def add(
        self, job: Waiting, progress: JobProgress | None = None, *, starves: bool = False
    ) -> None:
        """A job enters. `progress`: of a job that has run before."""
        first = shortest(job)
        progress = progress or JobProgress(first.runtime_s, width=first.width)
        # Starving jobs go by their age alone.
        key = () if starves else self._ranking(progress, progress.width).key
        urgency = job.submitted_at, -job.priority, job.deadline
        entry = RankedJob(0 if starves else 1, key, True, *urgency, job.id)
        insort(self._order, entry)
        self._jobs[job.id] = entry, job, progress

    def remove(self, job: int) -> None:
        """A job leaves. Raises `KeyError` if it is not here."""
        entry, *_ = self._jobs.pop(job)
        del self._order[bisect_left(self._order, entry)]

    def job(self, job: int) -> Waiting:
        """A waiting job. Raises `KeyError` if it is not here."""
        return self._jobs[job][1]

    def progress(self, job: int) -> JobProgress:
        """The progress of a waiting job. Raises `KeyError` if it is not here."""
        return self._jobs[job][2]


def shortest_first(job: Waiting) -> Sequence[EstimatedPlacement]:
    """The job's placements, the one with the least estimated runtime first."""
    return sorted(job.options, key=_length)


def shortest(job: Waiting) -> EstimatedPlacement:
    """The job's placement with the least estimated runtime."""
    return min(job.options, key=_length)


def _length(option: EstimatedPlacement) -> tuple[float, int]:
    return option.runtime_s, option.width
