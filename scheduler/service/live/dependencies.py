"""Which live jobs wait for which others, and how those ended."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState


class JobEnding(NamedTuple):
    """How and when (Unix seconds) a job ended."""

    state: JobState
    at: float


class Dependencies:
    """Dependencies of live jobs. The outcome of a job is kept only while others wait for it."""

    def __init__(self, stored: Callable[[int], Job]) -> None:
        """`stored`: any job, from the store."""
        self._stored = stored
        self._dependents: dict[int, set[int]] = {}
        self._outcomes: dict[int, JobEnding] = {}
        self._arrays: dict[int, list[int]] = {}
        """The live jobs of each array of which only some may run at the same time, ascending."""

    def add(self, job: Job) -> None:
        """A job is live."""
        for dependency in job.spec.after:
            self._dependents.setdefault(dependency, set()).add(job.id)
        if job.spec.array is not None and job.spec.parallel is not None:
            insort(self._arrays.setdefault(job.spec.array, []), job.id)

    def remove(self, job: Job) -> list[int]:
        """A job has ended; returns the numbers of the live jobs that wait for it, ascending."""
        return sorted({*self._ended(job), *self._next_of_array(job)})

    def _next_of_array(self, job: Job) -> list[int]:
        """The job of the array whose turn it is as this one has ended."""
        array, parallel = job.spec.array, job.spec.parallel
        if array is None or parallel is None or array not in self._arrays:
            return []
        live = self._arrays[array]
        at = bisect_left(live, job.id)
        if live[at : at + 1] != [job.id]:
            return []
        del live[at]
        if not live:
            del self._arrays[array]
        return live[parallel - 1 : parallel] if at < parallel else []

    def turn(self, job: Job) -> tuple[int, ...]:
        """The jobs of its array that keep it waiting because enough of them have their turn."""
        array, parallel = job.spec.array, job.spec.parallel
        if array is None or parallel is None:
            return ()
        first = self._arrays.get(array, [])[:parallel]
        return tuple(first) if len(first) == parallel and job.id > first[-1] else ()

    def _ended(self, job: Job) -> list[int]:
        dependents = sorted(self._dependents.get(job.id, ()))
        if dependents:
            self._outcomes[job.id] = _ending(job)
        for dependency in job.spec.after:
            waiting = self._dependents.get(dependency, set())
            waiting.discard(job.id)
            if not waiting:
                self._dependents.pop(dependency, None)
                self._outcomes.pop(dependency, None)
        return dependents

    def outcome(self, job: int, live: Collection[int]) -> JobState | None:
        """How the job ended; None: it is one of the `live` jobs. Asks the store once."""
        if job in live:
            return None
        if job not in self._outcomes:
            stored = self._stored(job)
            if not stored.state.final:
                return None
            self._outcomes[job] = _ending(stored)
        return self._outcomes[job].state

    def ends(self, job: Job) -> Iterator[float]:
        """When the dependencies that have ended did so, Unix seconds."""
        return (self._outcomes[one].at for one in job.spec.after if one in self._outcomes)

    def shift(self, seconds: float) -> None:
        """The clock was set forward by `seconds` (back: negative)."""
        for job, outcome in self._outcomes.items():
            self._outcomes[job] = outcome._replace(at=outcome.at + seconds)

    def open(self, job: Job, live: Collection[int]) -> tuple[int, ...]:
        """The dependencies that have not succeeded."""
        return tuple(
            dependency
            for dependency in job.spec.after
            if self.outcome(dependency, live) is not JobState.SUCCEEDED
        )

    def unmet(self, job: Job, live: Collection[int]) -> Iterator[int]:
        """The dependencies that ended without success."""
        for dependency in job.spec.after:
            if self.outcome(dependency, live) not in (None, JobState.SUCCEEDED):
                yield dependency

    def faults(self, live: dict[int, Job]) -> Iterator[str]:
        """What is inconsistent with the live jobs."""
        links = {(dependency, job.id) for job in live.values() for dependency in job.spec.after}
        known = {(one, job) for one, jobs in self._dependents.items() for job in jobs}
        if links != known:
            yield f"dependencies differ: {sorted(links ^ known)}"
        if not self._outcomes.keys() <= self._dependents.keys():
            yield f"outcomes that no job waits for: {sorted(self._outcomes)}"
        members: dict[int, list[int]] = {}
        for job in sorted(live.values(), key=lambda each: each.id):
            if job.spec.array is not None and job.spec.parallel is not None:
                members.setdefault(job.spec.array, []).append(job.id)
        if members != self._arrays:
            yield f"arrays differ: {members} and {self._arrays}"


def _ending(job: Job) -> JobEnding:
    return JobEnding(job.state, job.finished_at or 0.0)
