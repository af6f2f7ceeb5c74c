"""Pure changes of a job: each builds the `Transition` for one event."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from scheduler.domain.errors import IllegalTransitionError
from scheduler.domain.events import Event, Transition
from scheduler.domain.jobs import Attempt, Estimate, Job
from scheduler.domain.lifecycle import AttemptState, EventName, JobState, next_state
from scheduler.domain.nodes import LOCAL
from scheduler.domain.pools import Pool
from scheduler.domain.units import duration


def placed(
    job: Job,
    pool: Pool,
    devices: tuple[int, ...],
    estimate: Estimate,
    now: float,
    reason: str,
    nonce: str = "",
    nodes: tuple[str, ...] = (LOCAL,),
) -> tuple[Transition, Attempt]:
    """QUEUED → STARTING with a new attempt on `devices`, which is returned too."""
    attempt = Attempt(
        job=job.id,
        number=job.attempts + 1,
        state=AttemptState.STARTING,
        pool=pool.name,
        devices=devices,
        estimate=estimate,
        memory_bytes=job.spec.request.memory_bytes,
        placed_at=now,
        nonce=nonce,
        nodes=nodes,
    )
    moved = replace(job, attempts=attempt.number, started_at=None)
    return _transition(moved, EventName.PLACED, now, "scheduler", reason, attempt), attempt


def started(job: Job, attempt: Attempt, pid: int, now: float) -> Transition:
    """STARTING → RUNNING."""
    changed = replace(attempt, state=AttemptState.RUNNING, started_at=now, pid=pid)
    reason = f"on {attempt.pool} × {attempt.width}"
    return _transition(
        replace(job, started_at=now), EventName.STARTED, now, "executor", reason, changed
    )


def succeeded(
    job: Job, attempt: Attempt, pool: Pool, result: Mapping[str, Any], now: float
) -> Transition:
    """→ SUCCEEDED, with the measured cost."""
    ended = _ended(attempt, AttemptState.SUCCEEDED, pool, "exit code 0", now, result)
    return _transition(
        replace(job, finished_at=now), EventName.SUCCEEDED, now, "executor", "exit code 0", ended
    )


def failed(
    job: Job,
    attempt: Attempt,
    pool: Pool,
    exit_reason: str,
    now: float,
    *,
    retriable: bool = True,
    result: Mapping[str, Any] | None = None,
) -> Transition:
    """→ QUEUED again while the retry policy allows it and the failure is `retriable`, else FAILED.

    A job that is being cancelled is CANCELLED, however its attempt ended.
    """
    if job.state is JobState.CANCELLING:
        return cancelled(job, now, "executor", exit_reason, attempt, pool, result)
    ended = _ended(attempt, AttemptState.FAILED, pool, exit_reason, now, result)
    failures = job.failures + 1
    most = job.spec.retry.max_attempts
    if retriable and failures < most:
        delay = job.spec.retry.delay(failures)
        again = replace(job, failures=failures, eligible_at=now + delay)
        reason = f"retry {failures} of {most - 1} in {delay:g} s after {exit_reason}"
        return _transition(again, EventName.RETRIED, now, "executor", reason, ended)
    final = replace(job, failures=failures, finished_at=now)
    return _transition(final, EventName.FAILED, now, "executor", exit_reason, ended)


def lost(job: Job, attempt: Attempt, pool: Pool, reason: str, now: float) -> Transition:
    """The attempt vanished: → QUEUED; CANCELLED if it was being cancelled."""
    if job.state is JobState.CANCELLING:
        return cancelled(job, now, "reconciler", reason, attempt, pool)
    ended = _ended(attempt, AttemptState.LOST, pool, f"lost: {reason}", now)
    return _transition(job, EventName.LOST, now, "reconciler", f"requeued: {reason}", ended)


def preempt_requested(
    job: Job, actor: str, reason: str, now: float, data: Mapping[str, Any]
) -> Transition:
    """RUNNING → PREEMPTING: the attempt is asked to save its work and stop.

    `data` says why: `by`, the job that gets the devices (absent if a person asked), and the
    figures that decided.
    """
    change = _transition(job, EventName.PREEMPT_REQUESTED, now, actor, reason)
    return replace(change, event=replace(change.event, data=data))


def preempted(
    job: Job,
    attempt: Attempt,
    pool: Pool,
    reason: str,
    now: float,
    result: Mapping[str, Any] | None = None,
) -> Transition:
    """PREEMPTING → QUEUED with its progress; CANCELLED if it was being cancelled.

    It counts neither as a failure nor as a loss, and there is no pause before the next attempt.
    """
    if job.state is JobState.CANCELLING:
        return cancelled(job, now, "executor", reason, attempt, pool, result)
    ended = _ended(attempt, AttemptState.PREEMPTED, pool, f"preempted: {reason}", now, result)
    said = f"preempted: {reason}; continues at {job.progress:.0%}, lost {duration(attempt.lost_s)}"
    again = replace(job, preemptions=job.preemptions + 1)
    change = _transition(again, EventName.PREEMPTED, now, "executor", said, ended)
    data = {"progress": job.progress, "lost_s": attempt.lost_s}
    return replace(change, event=replace(change.event, data=data))


def interrupted(job: Job, attempt: Attempt, progress: float, lost_s: float) -> tuple[Job, Attempt]:
    """Both with what an attempt that ended early leaves: saved share (0…1), lost seconds."""
    return (
        replace(job, progress=max(job.progress, progress), lost_s=job.lost_s + lost_s),
        replace(attempt, lost_s=attempt.lost_s + lost_s),
    )


def updated(job: Job, changes: Mapping[str, Any], actor: str, now: float) -> Transition:
    """QUEUED → QUEUED with other values of `jobs.CHANGEABLE` fields; old and new are its data."""
    data = {name: [getattr(job.spec, name), value] for name, value in changes.items()}
    said = ", ".join(
        f"{name} {_said(name, old)} → {_said(name, new)}" for name, (old, new) in data.items()
    )
    change = _transition(
        replace(job, spec=replace(job.spec, **changes)), EventName.UPDATED, now, actor, said
    )
    # The reason for waiting does not change.
    return replace(
        change,
        job=replace(change.job, reason=job.reason),
        event=replace(change.event, data=data),
    )


def cancel_requested(job: Job, actor: str, reason: str, now: float) -> Transition:
    """STARTING or RUNNING → CANCELLING: the attempt is asked to stop."""
    return _transition(job, EventName.CANCEL_REQUESTED, now, actor, reason)


def cancelled(
    job: Job,
    now: float,
    actor: str,
    reason: str,
    attempt: Attempt | None = None,
    pool: Pool | None = None,
    result: Mapping[str, Any] | None = None,
) -> Transition:
    """→ CANCELLED, with cost and result of the stopped attempt.

    A CANCELLING job must have such an attempt, and keeps the reason for which it was cancelled;
    `reason` is how its attempt ended.
    """
    ended = None
    if attempt is not None and pool is not None:
        ended = _ended(attempt, AttemptState.CANCELLED, pool, reason, now, result)
    said = job.reason if job.state is JobState.CANCELLING else reason
    return _transition(replace(job, finished_at=now), EventName.CANCELLED, now, actor, said, ended)


def unmet(job: Job, dependency: Job, now: float) -> Transition:
    """QUEUED → CANCELLED because a job it waits for ended without success."""
    reason = f"job {dependency.id} ended {dependency.state}"
    return _transition(replace(job, finished_at=now), EventName.UNMET, now, "scheduler", reason)


def _said(field: str, value: float | None) -> str:
    if value is None:
        return "none"
    if field == "deadline":
        with suppress(OverflowError, ValueError):  # beyond the calendar
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{value:.10g}"


def _ended(
    attempt: Attempt,
    state: AttemptState,
    pool: Pool,
    exit_reason: str,
    now: float,
    result: Mapping[str, Any] | None = None,
) -> Attempt:
    begun = attempt.started_at if attempt.started_at is not None else now
    dollars, joules = spent(attempt.width, now - begun, pool)
    return replace(
        attempt,
        state=state,
        finished_at=now,
        exit_reason=exit_reason,
        dollars=dollars,
        joules=joules,
        result=result,
    )


def spent(width: int, run_s: float, pool: Pool) -> tuple[float, float]:
    """Dollars and joules of `width` devices of a pool that ran for so many seconds."""
    device_seconds = max(0.0, run_s) * width
    return (
        device_seconds / 3600 * pool.dollars_per_device_hour,
        device_seconds * pool.watts_per_device,
    )


def _transition(
    job: Job,
    name: EventName,
    now: float,
    actor: str,
    reason: str,
    attempt: Attempt | None = None,
) -> Transition:
    after = next_state(job.state, name)
    if job.state.active and not after.active and (attempt is None or not attempt.state.final):
        raise IllegalTransitionError(
            f"job {job.id} cannot be {name}: its attempt still holds devices",
            {"attempt": "an attempt that has ended"},
        )
    event = Event(
        job=job.id,
        name=name,
        time=now,
        actor=actor,
        reason=reason,
        attempt=attempt.number if attempt else None,
        before=job.state,
        after=after,
    )
    ran_s = job.ran_s + (attempt.ran_s if attempt and attempt.state.final else 0.0)
    return Transition(
        replace(job, state=after, reason=reason, version=job.version + 1, ran_s=ran_s),
        event,
        attempt,
    )
