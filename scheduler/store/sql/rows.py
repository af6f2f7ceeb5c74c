"""Values of the domain ⇄ rows of the tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from scheduler import json_values
from scheduler.domain import records
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Estimate, Job
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.store import codec
from scheduler.text import shown

Values = dict[str, Any]
"""Column name to value, as an insert or update takes it."""

# Numbers are made plain ints: a NumPy integer would be written as a blob by SQLite's driver.


def new_job(job: Job, spec: str) -> Values:
    """All columns of a job that was submitted just now, for `insert_rows`; `spec`: its JSON."""
    return {
        "id": job.id,
        "kind": job.spec.kind.value,
        "user_name": shown(job.spec.user),
        "project": shown(job.spec.project),
        "name_folded": shown(job.spec.name.casefold()),
        "submitted_at": job.submitted_at,
        "retry_of": job.retry_of,
        "nonce": job.nonce,
        "spec": spec,
        "state": job.state.value,
        "reason": job.reason,
        "version": job.version,
        "attempts": job.attempts,
        "failures": job.failures,
        "eligible_at": job.eligible_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "preemptions": job.preemptions,
        "progress": job.progress,
        "lost_s": job.lost_s,
        "ran_s": job.ran_s,
        "array_number": job.spec.array,
        "sweep": job.spec.sweep,
    }


def submitted(job: Job, actor: str) -> Values:
    """All columns of a new job's first event, for `insert_rows`; `actor`: as it can be stored."""
    return {
        "job": job.id,
        "name": EventName.SUBMITTED.value,
        "time": job.submitted_at,
        "actor": actor,
        "reason": "",
        "attempt": None,
        "state_before": None,
        "state_after": job.state.value,
        "data": "{}",
    }


def job_wishes(job: Job) -> Values:
    """The column that an update by a person changes."""
    return {"spec": codec.job_spec_json(job.spec)}


def job_changes(job: Job) -> Values:
    """The columns that a transition may change."""
    return {
        "state": job.state,
        "reason": job.reason,
        "version": int(job.version),
        "attempts": int(job.attempts),
        "failures": int(job.failures),
        "eligible_at": job.eligible_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "preemptions": int(job.preemptions),
        "progress": job.progress,
        "lost_s": job.lost_s,
        "ran_s": job.ran_s,
    }


def job(row: Row[Any]) -> Job:
    """From a row of `jobs`."""
    return Job(
        id=row.id,
        spec=codec.job_spec(row.spec),
        state=JobState(row.state),
        reason=row.reason,
        submitted_at=row.submitted_at,
        version=row.version,
        attempts=row.attempts,
        failures=row.failures,
        eligible_at=row.eligible_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        retry_of=row.retry_of,
        nonce=row.nonce,
        preemptions=row.preemptions,
        progress=row.progress,
        lost_s=row.lost_s,
        ran_s=row.ran_s,
    )


def attempt_values(attempt: Attempt) -> Values:
    """All columns of an attempt."""
    return {
        "job": int(attempt.job),
        "number": int(attempt.number),
        "state": attempt.state,
        "pool": attempt.pool,
        "width": attempt.width,
        "devices": [int(device) for device in attempt.devices],
        "memory_bytes": int(attempt.memory_bytes),
        "estimated_runtime_s": float(attempt.estimate.runtime_s),
        "estimated_dollars": float(attempt.estimate.dollars),
        "estimated_joules": float(attempt.estimate.joules),
        "estimate_source": attempt.estimate.source,
        "placed_at": attempt.placed_at,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "pid": attempt.pid,
        "exit_reason": attempt.exit_reason,
        "dollars": attempt.dollars,
        "joules": attempt.joules,
        "result": None if attempt.result is None else json_values.plain(attempt.result),
        "nonce": attempt.nonce,
        "lost_s": attempt.lost_s,
        "nodes": list(attempt.nodes),
    }


def attempt(row: Row[Any]) -> Attempt:
    """From a row of `attempts`."""
    return Attempt(
        job=row.job,
        number=row.number,
        state=AttemptState(row.state),
        pool=row.pool,
        devices=tuple(row.devices),
        estimate=Estimate(
            row.estimated_runtime_s,
            row.estimated_dollars,
            row.estimated_joules,
            row.estimate_source,
        ),
        memory_bytes=row.memory_bytes,
        placed_at=row.placed_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        pid=row.pid,
        exit_reason=row.exit_reason,
        dollars=row.dollars,
        joules=row.joules,
        result=row.result,
        nonce=row.nonce,
        lost_s=row.lost_s,
        nodes=tuple(row.nodes),
    )


def event_values(event: Event) -> Values:
    """All columns of an event but its number."""
    return {
        "job": int(event.job),
        "name": event.name,
        "time": event.time,
        "actor": event.actor,
        "reason": event.reason,
        "attempt": event.attempt,
        "state_before": event.before,
        "state_after": event.after,
        "data": json_values.plain(event.data),
    }


def event(row: Row[Any]) -> Event:
    """From a row of `events`."""
    return Event(
        job=row.job,
        name=EventName(row.name),
        time=row.time,
        actor=row.actor,
        reason=row.reason,
        attempt=row.attempt,
        before=None if row.state_before is None else JobState(row.state_before),
        after=JobState(row.state_after),
        data=row.data,
        seq=row.seq,
    )


def decision_values(decision: records.Decision) -> Values:
    """All columns of a decision but its id."""
    return {
        "job": int(decision.job),
        "attempt": None if decision.attempt is None else int(decision.attempt),
        "time": float(decision.time),
        "policy": decision.policy,
        "action": decision.action,
        "candidates": int(decision.rows),
        "chosen": codec.row_json(decision.chosen),
        "rivals": [codec.row_json(rival) for rival in decision.rivals],
        "reason": decision.reason,
    }


def decision(row: Row[Any]) -> records.Decision:
    """From a row of `decisions`."""
    return records.Decision(
        time=row.time,
        job=row.job,
        attempt=row.attempt,
        policy=row.policy,
        action=row.action,
        rows=row.candidates,
        chosen=codec.row(row.chosen),
        rivals=tuple(codec.row(rival) for rival in row.rivals),
        reason=row.reason,
    )


def measurement_values(measurement: records.Measurement) -> Values:
    """All columns of a measurement."""
    return {
        "job": int(measurement.job),
        "attempt": int(measurement.attempt),
        "time": float(measurement.time),
        "key": measurement.key,
        "pool": measurement.pool,
        "model": measurement.model,
        "width": int(measurement.width),
        "samples": float(measurement.samples),
        "seconds": float(measurement.seconds),
        "overhead_s": float(measurement.overhead_s),
        "estimated_s": float(measurement.estimated_s),
        "source": measurement.source,
        "flops_per_sample": float(measurement.flops_per_sample),
    }


def measurement(row: Row[Any]) -> records.Measurement:
    """From a row of `measurements`."""
    return records.Measurement(**row._mapping)
