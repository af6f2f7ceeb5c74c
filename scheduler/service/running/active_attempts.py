"""The attempts that hold devices: when they are expected to end, and what they have saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scheduler.decisions.state.entries import RunningAttempt, Waiting
from scheduler.decisions.state.preemption import JobProgress, RunningJob
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import JobState
from scheduler.domain.pools import Pool
from scheduler.service.clock_corrections import ClockCorrections
from scheduler.service.running.running_attempts import running_attempts
from scheduler.service.running.running_jobs import saved_at
from scheduler.service.running.saved_work import SavedWork

OVERDUE = 0.1
"""An attempt past its estimated end is expected to need this share of its run time more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """An attempt is being preempted."""

    until: float
    """Unix seconds at which its grace is over."""
    preemptor: int
    """The job that gets its devices; 0: none."""


class ActiveAttempts:
    """Active attempts by job. The owner holds a lock around every call."""

    def __init__(self, corrections: ClockCorrections) -> None:
        self._corrections = corrections
        self.attempts: dict[int, Attempt] = {}
        self.ends: dict[int, float] = {}
        """Estimated ends, Unix seconds, refined while they run."""
        self.stops: dict[int, Stop] = {}
        """Those that are being preempted."""
        self.saved: dict[int, SavedWork] = {}
        """The newest checkpoints of those that wrote one."""

    def hold(self, attempt: Attempt, boot_s: float = 0.0) -> None:
        """Add an attempt, or take over its change; `boot_s`: until its nodes are up."""
        self.attempts[attempt.job] = attempt
        begun = self._corrections.begun_at(attempt)
        if attempt.job not in self.ends or attempt.started_at is not None:
            self.ends[attempt.job] = begun + boot_s + attempt.estimate.runtime_s

    def release(self, job: int) -> None:
        """Its attempt has ended, or is read again."""
        for known in (self.attempts, self.ends, self.stops, self.saved):
            known.pop(job, None)

    def refine(self, job: int, end: float, saved: SavedWork | None) -> None:
        """A better estimate of an attempt's end, and its newest checkpoint, if it was found."""
        if job in self.ends:
            self.ends[job] = end
            if saved is not None:
                self.saved[job] = saved

    def stop(self, job: int, until: float, preemptor: int) -> None:
        """Its attempt is being preempted for another job (0: for none)."""
        if job in self.attempts:
            self.stops.setdefault(job, Stop(until, preemptor))

    def shift(self, seconds: float) -> None:
        """The clock was set forward (back: negative)."""
        self.ends = {job: end + seconds for job, end in self.ends.items()}
        self.stops = {
            job: Stop(stop.until + seconds, stop.preemptor) for job, stop in self.stops.items()
        }

    def elapsed(self, attempt: Attempt, now: float) -> float:
        """Seconds since the attempt began, whatever the clock was set to meanwhile."""
        return max(0.0, now - self._corrections.begun_at(attempt))

    def end(self, attempt: Attempt, now: float) -> float:
        """Estimated end, Unix seconds, later than `now`."""
        end = self.ends[attempt.job]
        if end <= now:
            end = now + max(1.0, OVERDUE * self.elapsed(attempt, now))
        stop = self.stops.get(attempt.job)
        return end if stop is None else min(end, max(stop.until, now + 1.0))

    def running(self, pools: Sequence[Pool], now: float) -> tuple[RunningAttempt, ...]:
        """The attempts as decisions see them."""
        attempts = self.attempts.values()
        ends = {attempt.job: self.end(attempt, now) for attempt in attempts}
        return running_attempts(attempts, pools, ends)

    def victims(self, preemptor: int) -> list[int]:
        """Jobs whose attempts are being stopped for another job."""
        return [job for job, stop in self.stops.items() if stop.preemptor == preemptor]

    def running_job(self, job: Job, waiting: Waiting, state: JobProgress, now: float) -> RunningJob:
        """A job whose attempt has started, as decisions see it.

        `waiting`: as it would be in the queue if it were preempted now.
        """
        attempt, stop = self.attempts[job.id], self.stops.get(job.id)
        begun_at = now - self.elapsed(attempt, now) + state.restart_s
        return RunningJob(
            job=waiting,
            progress=state,
            placed_at=attempt.placed_at,
            begun_at=begun_at,
            saved_at=saved_at(job, self.saved.get(job.id), begun_at, now),
            stopping=job.state in (JobState.PREEMPTING, JobState.CANCELLING),
            preemptor=0 if stop is None else stop.preemptor,
        )

    def faults(self) -> Iterator[str]:
        """Invariants that do not hold."""
        if self.ends.keys() != self.attempts.keys():
            yield f"estimated ends without an attempt: {sorted(self.ends)}"
        if not {*self.stops, *self.saved} <= self.attempts.keys():
            yield "attempts that do not run are being stopped, or have saved something"
        claims = [(one.pool, at) for one in self.attempts.values() for at in one.devices]
        if len(claims) != len(set(claims)):
            yield f"devices held twice: {sorted(claims)}"
