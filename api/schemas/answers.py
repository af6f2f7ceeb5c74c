"""What the doors answer about jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.fields import instant
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Estimate, Job, JobKind, Retry
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.resources import Request


class Answer(BaseModel):
    """Base of all answers: unknown fields are ignored, so that older clients read newer ones."""

    model_config = ConfigDict(frozen=True, from_attributes=True, defer_build=True)


class RequestOut(Answer):
    """The resources of one attempt."""

    devices: tuple[str, ...]
    min_width: int
    max_width: int
    memory_bytes: int

    @classmethod
    def of(cls, request: Request) -> Self:
        """From the domain's value."""
        return cls.model_construct(
            devices=request.devices,
            min_width=request.min_width,
            max_width=request.max_width,
            memory_bytes=request.memory_bytes,
        )


class RetryOut(Answer):
    """When a failed attempt is followed by another."""

    max_attempts: int
    backoff_s: float

    @classmethod
    def of(cls, retry: Retry) -> Self:
        """From the domain's value."""
        return cls.model_construct(max_attempts=retry.max_attempts, backoff_s=retry.backoff_s)


class JobOut(Answer):
    """A job as it stands."""

    id: int
    kind: JobKind
    name: str
    user: str
    project: str
    state: JobState
    reason: str = Field(description="Why it is in that state.")
    version: int = Field(description="Rises with every change.")
    final: bool = Field(description="Whether it never changes again.")
    submitted_at: AwareDatetime
    started_at: AwareDatetime | None = Field(description="Start of the newest attempt.")
    finished_at: AwareDatetime | None
    eligible_at: AwareDatetime | None = Field(description="Not started before (retry backoff).")
    attempts: int = Field(description="Attempts made so far; the number of the newest.")
    failures: int = Field(description="Attempts that failed by themselves.")
    retry_of: int | None = Field(description="The job that this one repeats.")
    work: Mapping[str, Any]
    request: RequestOut
    priority: int
    preference: float | None
    deadline: AwareDatetime | None
    budget: float | None
    after: tuple[int, ...]
    retry: RetryOut
    max_duration_s: float | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the domain's value."""
        return cls.model_construct(**_job(job))


class EstimateOut(Answer):
    """What was expected of an attempt when it was placed."""

    runtime_s: float
    dollars: float
    joules: float
    source: str = Field(description="`history`, `flops`, `requested` or `default`.")

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """From the domain's value."""
        return cls.model_validate(estimate)


class AttemptOut(Answer):
    """One try of a job."""

    id: str = Field(description="`17.2`: the second attempt of job 17.")
    number: int
    state: AttemptState
    pool: str
    devices: tuple[int, ...] = Field(description="Indices inside the pool.")
    width: int
    memory_bytes: int
    estimate: EstimateOut
    placed_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    pid: int | None
    exit_reason: str | None
    dollars: float | None = Field(description="Measured: run time × width × price.")
    joules: float | None = Field(description="Measured run time × width × power.")
    result: Mapping[str, Any] | None = Field(description="What the work reported at its end.")

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """From the domain's value."""
        return cls.model_construct(
            id=attempt.id,
            number=attempt.number,
            state=attempt.state,
            pool=attempt.pool,
            devices=attempt.devices,
            width=attempt.width,
            memory_bytes=attempt.memory_bytes,
            estimate=EstimateOut.of(attempt.estimate),
            placed_at=instant(attempt.placed_at),
            started_at=instant(attempt.started_at),
            finished_at=instant(attempt.finished_at),
            pid=attempt.pid,
            exit_reason=attempt.exit_reason,
            dollars=attempt.dollars,
            joules=attempt.joules,
            result=attempt.result,
        )


class JobDetail(JobOut):
    """A job with its attempts."""

    history: tuple[AttemptOut, ...] = Field(description="Its attempts, oldest first.")
    dollars: float = Field(description="Measured, of all ended attempts.")
    joules: float = Field(description="Of all ended attempts.")
    result: Mapping[str, Any] | None = Field(description="Of the attempt that succeeded.")

    @classmethod
    def with_attempts(cls, job: Job, attempts: list[Attempt]) -> Self:
        """From the domain's values, attempts oldest first."""
        succeeded = next((a for a in attempts if a.state is AttemptState.SUCCEEDED), None)
        return cls.model_construct(
            **_job(job),
            history=tuple(AttemptOut.of(attempt) for attempt in attempts),
            dollars=math.fsum(attempt.dollars or 0.0 for attempt in attempts),
            joules=math.fsum(attempt.joules or 0.0 for attempt in attempts),
            result=succeeded.result if succeeded else None,
        )


class JobPage(Answer):
    """Jobs, newest first."""

    jobs: tuple[JobOut, ...]
    next_cursor: str | None = Field(description="For the next page; null: this is the last.")
    total: int | None = Field(default=None, description="Jobs on all pages; null unless asked for.")


class JobBatchOut(Answer):
    """The jobs of a batch, in the order in which they were sent."""

    jobs: tuple[JobOut, ...]


class CancelledOut(Answer):
    """What became of a request to cancel several jobs."""

    count: int = Field(description="Jobs that were cancelled, or would be (`dry_run`).")
    jobs: tuple[int, ...] = Field(description="Their numbers.")
    passed_over: tuple[int, ...] = Field(
        description="Numbers in `ids` that no live job has to which the rest applies."
    )


class EventOut(Answer):
    """One thing that happened to a job."""

    seq: int = Field(description="Position in the whole history, strictly rising.")
    job: int
    name: EventName
    time: AwareDatetime
    actor: str = Field(description="A user, `scheduler`, `executor` or `reconciler`.")
    reason: str
    attempt: int | None
    before: JobState | None
    after: JobState
    data: Mapping[str, Any]

    @classmethod
    def of(cls, event: Event) -> Self:
        """From the domain's value."""
        return cls.model_construct(
            seq=event.seq,
            job=event.job,
            name=event.name,
            time=instant(event.time),
            actor=event.actor,
            reason=event.reason,
            attempt=event.attempt,
            before=event.before,
            after=event.after,
            data=event.data,
        )


class EventPage(Answer):
    """Events, oldest first."""

    events: tuple[EventOut, ...]
    next_after: int = Field(description="`after` of the next request.")


def _job(job: Job) -> dict[str, Any]:
    spec = job.spec
    return {
        "id": job.id,
        "kind": spec.kind,
        "name": spec.name,
        "user": spec.user,
        "project": spec.project,
        "state": job.state,
        "reason": job.reason,
        "version": job.version,
        "final": job.state.final,
        "submitted_at": instant(job.submitted_at),
        "started_at": instant(job.started_at),
        "finished_at": instant(job.finished_at),
        "eligible_at": instant(job.eligible_at or None),
        "attempts": job.attempts,
        "failures": job.failures,
        "retry_of": job.retry_of,
        "work": spec.work,
        "request": RequestOut.of(spec.request),
        "priority": spec.priority,
        "preference": spec.preference,
        "deadline": instant(spec.deadline),
        "budget": spec.budget,
        "after": spec.after,
        "retry": RetryOut.of(spec.retry),
        "max_duration_s": spec.max_duration_s,
    }
