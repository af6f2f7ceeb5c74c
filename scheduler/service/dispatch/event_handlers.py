"""Turns messages into changes of jobs, by the one transition table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from scheduler.domain import transitions
from scheduler.domain.errors import (
    FulcrumError,
    IllegalTransitionError,
    MissingError,
    StateError,
)
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import JobState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import Exited, NodesChanged, Started
from scheduler.service.dispatch.messages import (
    Cancel,
    ChangeNode,
    NodeChange,
    Preempt,
    Request,
    Update,
)
from scheduler.service.dispatch.transaction import Transaction
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.workloads.spec.specs import resumable

MOST_LOSSES = 5
"""A job whose attempts are lost this often has failed: perhaps it crashes its machine."""


def requested(
    message: Request, changes: Transaction, stored: Callable[[int], Job], now: float
) -> FulcrumError | None:
    """Add the change that a person asks for; returns the error if it is refused."""
    match message:
        case Cancel():
            return cancel(message, changes, stored, now)
        case Update():
            return update(message, changes, stored, now)
        case Preempt():
            return preempt(message, changes, stored, now)


def cancel(
    message: Cancel, changes: Transaction, stored: Callable[[int], Job], now: float
) -> FulcrumError | None:
    """Add the change of a cancellation; returns the error if it is refused."""
    job = changes.job(message.job)
    if job is None:
        return _gone(message.job, changes, stored, "only a job that has not ended can be cancelled")
    reason = message.reason or f"cancelled by {message.actor}"
    if job.state is JobState.QUEUED:
        changes.add(transitions.cancelled(job, now, message.actor, reason))
    elif job.state is not JobState.CANCELLING:
        changes.add(transitions.cancel_requested(job, message.actor, reason, now))
    return None


def update(
    message: Update, changes: Transaction, stored: Callable[[int], Job], now: float
) -> FulcrumError | None:
    """Add the change of a waiting job; returns the error if it is refused."""
    legal = "only a job that waits can be changed"
    job = changes.job(message.job)
    if job is None:
        return _gone(message.job, changes, stored, legal)
    if job.state is not JobState.QUEUED:
        return IllegalTransitionError(f"job {job.id} is {job.state}", {"state": legal})
    other = {
        name: value for name, value in message.changes.items() if getattr(job.spec, name) != value
    }
    if other:
        changes.add(transitions.updated(job, other, message.actor, now))
    return None


def preempt(
    message: Preempt, changes: Transaction, stored: Callable[[int], Job], now: float
) -> FulcrumError | None:
    """Add the change of a preemption that a person wants; returns the error if it is refused."""
    legal = "only a running job can be preempted"
    job = changes.job(message.job)
    if job is None:
        return _gone(message.job, changes, stored, legal)
    if job.state is JobState.PREEMPTING:
        return None
    if job.state is not JobState.RUNNING:
        return IllegalTransitionError(f"job {job.id} is {job.state}", {"state": legal})
    if not resumable(job.spec.kind, job.spec.work):
        return StateError(
            f"job {job.id} cannot be preempted: it would begin again from nothing",
            {"work.resumable": "true, for a command that goes on from what it saved"},
        )
    reason = f"by {message.actor}" + (f": {message.reason}" if message.reason else "")
    changes.add(transitions.preempt_requested(job, message.actor, reason, now, {}))
    return None


def started(event: Started, changes: Transaction) -> None:
    """Add the start, unless it is known already or of an older attempt."""
    job, attempt = _current(event.attempt, changes)
    if job is not None and attempt is not None and job.state is JobState.STARTING:
        changes.add(
            transitions.started(job, attempt, event.pid, max(event.time, attempt.placed_at))
        )


def exited(
    event: Exited,
    changes: Transaction,
    pool_of: Callable[[str], Pool | None],
    settle: Callable[[Job, Attempt, Exited], tuple[Job, Attempt]],
) -> bool:
    """Add the end of an attempt; False if the event is about an older or ended attempt.

    `settle` adds what the attempt has saved and lost.
    """
    job, attempt = _current(event.attempt, changes)
    if job is None or attempt is None:
        return False
    if event.started_at is not None:
        # The clock of its node may be behind: nothing is before the placement, and the duration,
        # which no clock shows, stays.
        behind_s = max(0.0, attempt.placed_at - event.started_at)
        begun, end = event.started_at + behind_s, event.time + behind_s
        event = replace(event, started_at=begun, time=end)
        # The executor knows best: the start may be missing, or late after an adoption.
        attempt = replace(attempt, started_at=begun)
        job = replace(job, started_at=begun)
    pool = pool_of(attempt.pool) or removed_pool(attempt)
    time = max(event.time, attempt.started_at or attempt.placed_at)
    job, attempt = settle(job, attempt, event)
    losses = job.attempts - job.failures - job.preemptions
    if event.success:
        changes.add(transitions.succeeded(job, attempt, pool, event.result, time))
    elif event.preempted:
        why = job.reason if job.state is JobState.PREEMPTING else event.reason
        changes.add(transitions.preempted(job, attempt, pool, why, time, event.result))
    elif event.lost and losses < MOST_LOSSES:
        changes.add(transitions.lost(job, attempt, pool, event.reason.removeprefix("lost: "), time))
    else:
        # Another attempt would meet the same time limit, or crash its machine again.
        retriable = event.retriable and not event.lost and event.reason != "time limit"
        changes.add(
            transitions.failed(
                job,
                attempt,
                pool,
                _why(event),
                time,
                retriable=retriable,
                result=event.result,
            )
        )
    return True


def node_changed(
    message: NodesChanged | ChangeNode, nodes: ClusterNodes, live_jobs: LiveJobs, now: float
) -> None:
    """Take over what the executor tells of nodes, or do what a person asks, and answer it.

    Raises `OutageError` if the store does not answer; nothing is changed then.
    """
    before = nodes.inventory
    if isinstance(message, NodesChanged):
        nodes.hear(message.nodes, now)
    else:
        try:
            _change(message, nodes, live_jobs, now)
        except (MissingError, StateError) as error:
            message.answer.set_exception(error)
            return
        message.answer.set_result(None)
    if nodes.inventory.present != before.present:
        live_jobs.change_pools(nodes.inventory.present, now)


def _change(message: ChangeNode, nodes: ClusterNodes, live_jobs: LiveJobs, now: float) -> None:
    match message.change:
        case NodeChange.DRAIN:
            nodes.drain(message.node, message.actor, message.reason, now)
        case NodeChange.RESUME:
            nodes.resume(message.node, message.actor, now)
        case NodeChange.RETIRE:
            nodes.retire(message.node, message.actor, live_jobs.jobs_on, now)


def _gone(
    job_id: int, changes: Transaction, stored: Callable[[int], Job], legal: str
) -> FulcrumError:
    try:
        ended = changes.ended(job_id) or stored(job_id)
    except MissingError as error:
        return error
    return IllegalTransitionError(f"job {ended.id} is {ended.state} already", {"state": legal})


def _current(attempt_id: str, changes: Transaction) -> tuple[Job | None, Attempt | None]:
    """The job and attempt an event is about; nothing if a newer attempt exists."""
    job_id, _, number = attempt_id.partition(".")
    job, attempt = changes.job(int(job_id)), changes.attempt(int(job_id))
    if job is None or attempt is None or attempt.number != int(number):
        return None, None
    return job, attempt


def _why(event: Exited) -> str:
    error = event.result.get("error")
    if not isinstance(error, str) or not error or error == event.reason:
        return event.reason
    return f"{event.reason}: {error}"


def removed_pool(attempt: Attempt) -> Pool:
    """A pool that is no longer configured, with the rates of the attempt's estimate."""
    estimate = attempt.estimate
    device_seconds = max(estimate.runtime_s, 1e-9) * max(attempt.width, 1)
    return Pool(
        name=attempt.pool,
        kind=DeviceKind.CPU,
        model="removed",
        devices_per_node=max(attempt.devices, default=0) + 1,
        dollars_per_device_hour=estimate.dollars / device_seconds * 3600,
        watts_per_device=estimate.joules / device_seconds,
    )
