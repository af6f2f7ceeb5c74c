"""Compares the store with what really runs, at the start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from scheduler.clock import Clock
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.executors.base import Executor, ExecutorEvent, Exited, LaunchSpec, Started
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.paths import Paths

_log = logging.getLogger(__name__)
MOST_EVENTS = 1_000_000
"""No job has more."""


def reconcile(
    live_jobs: LiveJobs,
    executor: Executor,
    folders: Paths,
    order: Callable[[Job, Attempt], LaunchSpec | None],
    deliver: Callable[[ExecutorEvent], None],
    events: Callable[..., Sequence[Event]],
    clock: Clock,
    grace: GracePeriods,
) -> dict[str, int]:
    """Adopt what still runs, launch what was placed but never started, requeue what is lost.

    The executor learns of every attempt that the store believes active, and then watches it.
    `events`: see `Store.events`. Returns how many were adopted, launched and lost.
    """
    attempts = dict(live_jobs.attempts)
    known = executor.alive([folders.key(attempt) for attempt in attempts.values()])
    counts = {"adopted": 0, "launched": 0, "lost": 0}
    for attempt in attempts.values():
        job = live_jobs.jobs[attempt.job]
        if attempt.id in known:
            counts["adopted"] += 1
            pid = known[attempt.id]
            if job.state is JobState.STARTING and isinstance(pid, int):
                deliver(Started(attempt.id, pid, clock.now()))
            if job.state is JobState.CANCELLING:
                executor.cancel(attempt.id, grace_s=grace.cancel_s)
            if job.state is JobState.PREEMPTING:
                preemptor = _preemptor(events(job.id, limit=MOST_EVENTS))
                with live_jobs.lock:
                    live_jobs.active.stop(job.id, clock.now() + grace.preempt_s, preemptor)
                executor.preempt(attempt.id, grace_s=grace.preempt_s)
            continue
        again = order(job, attempt) if job.state is JobState.STARTING else None
        if again is not None:
            # Committed, but the service died before the launch.
            counts["launched"] += 1
            executor.launch(again)
        else:
            counts["lost"] += 1
            deliver(
                Exited(
                    attempt.id,
                    clock.now(),
                    "lost: no trace of it on this machine",
                    success=False,
                    lost=True,
                )
            )
    if attempts:
        _log.info("after the restart: %s", counts)
    return counts


def _preemptor(events: Iterable[Event]) -> int:
    """The job for which an attempt was last asked to stop; 0: for none."""
    asked = [one.data for one in events if one.name is EventName.PREEMPT_REQUESTED]
    return int(asked[-1].get("by", 0)) if asked else 0
