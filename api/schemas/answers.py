"""Answers about jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import AwareDatetime, Field

from api.schemas.answer import Answer
from api.schemas.fields import instant
from scheduler.domain.jobs import Attempt, Job, JobKind
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.notifications import Occasion

if TYPE_CHECKING:
    from scheduler.service.queries.views import JobFigures

_ASKED = "null in answers to changes"
_FIGURES = ("dollars", "joules", "accuracy", "best_epoch", "running")
"""Fields of a job that only listings and single jobs have."""


class RequestOut(Answer):
    """The resources of one attempt."""

    devices: tuple[str, ...]
    min_width: int
    max_width: int
    memory_bytes: int


class RetryOut(Answer):
    """When a failed attempt is followed by another."""

    max_attempts: int
    backoff_s: float


class RunProgressOut(Answer):
    """How far the running attempt of a job is, and when it is expected to end."""

    attempt: int = Field(description="Its number.")
    fraction: float | None = Field(
        description="Share of the whole job that is done, 0 … 1; null: the work does not tell."
    )
    left_s: float = Field(
        description="Seconds until its end, by its measured speed and by the estimate."
    )
    end: AwareDatetime = Field(description="Expected end.")
    epoch: int | None = Field(description="The epoch that it works on, from 1.")
    epochs: int | None
    batch: int | None = Field(description="Batches done of that epoch.")
    batches: int | None
    samples_per_s: float | None = Field(description="Since its first sample.")
    reported_at: AwareDatetime | None = Field(description="Time of its newest report.")


class NotifyOut(Answer):
    """Who hears of a job, and of what."""

    to: tuple[str, ...]
    on: tuple[Occasion, ...]


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
    eligible_at: AwareDatetime | None = Field(
        description="Not started before (retry backoff, or the next run of a series)."
    )
    attempts: int = Field(description="Attempts made so far; the number of the newest.")
    failures: int = Field(description="Attempts that failed by themselves.")
    preemptions: int = Field(0, description="Attempts that were preempted.")
    progress: float = Field(
        0.0, description="Share of its work that checkpoints hold: 0 … 1; 1 if it succeeded."
    )
    lost_s: float = Field(0.0, description="Seconds of its attempts that preemption cost.")
    ran_s: float = Field(0.0, description="Seconds that its ended attempts ran.")
    retry_of: int | None = Field(description="The job that this one repeats.")
    resume_from: int | None = Field(
        None, description="The job from whose checkpoints it goes on; null: from the start."
    )
    array: int | None = Field(None, description="First job of the array that it belongs to.")
    parallel: int | None = Field(
        None, description="Jobs of its array that wait for devices or run at once, at most."
    )
    sweep: int | None = Field(None, description="The sweep of which it is a trial.")
    index: int | None = Field(None, description="Its index in the array, or number as a trial.")
    work: Mapping[str, Any]
    request: RequestOut
    priority: int
    preference: float | None
    deadline: AwareDatetime | None
    budget: float | None
    after: tuple[int, ...]
    retry: RetryOut
    max_duration_s: float | None
    dollars: float | None = Field(
        None, description=f"What its attempts have cost so far, running ones included; {_ASKED}."
    )
    joules: float | None = Field(None, description=f"The energy of the same; {_ASKED}.")
    accuracy: float | None = Field(
        None,
        description="That of the test, or of the labelled images of an inference; before, and of "
        "jobs that have none, the best of the validated epochs. 0 … 1.",
    )
    best_epoch: int | None = Field(
        None, description="The epoch of the accuracy, if it is that of a validated epoch."
    )
    running: RunProgressOut | None = Field(
        None, description=f"null: no attempt of it runs; {_ASKED}."
    )
    notify: NotifyOut
    secrets: Mapping[str, str] = Field(
        default_factory=dict, description="Variable to the name of the secret that it gets."
    )

    @classmethod
    def of(cls, job: Job, figures: JobFigures | None = None) -> Self:
        """From the service's values; without `figures` those fields are null."""
        return cls.from_values(job, job.spec, **_own(job, figures))


class SubmittedOut(JobOut):
    """A job as it was just submitted or changed."""

    warnings: tuple[str, ...] = Field(
        (), description="What it will probably not meet, such as its deadline; sentences."
    )

    @classmethod
    def submitted(cls, job: Job, warnings: Sequence[str]) -> Self:
        """From the domain's value."""
        return cls.from_values(job, job.spec, **_own(job, None), warnings=tuple(warnings))


class EstimateOut(Answer):
    """What was expected of an attempt when it was placed."""

    runtime_s: float
    dollars: float
    joules: float
    source: str = Field(description="`history`, `flops`, `learned`, `requested` or `default`.")


class AttemptOut(Answer):
    """One try of a job."""

    id: str = Field(description="`17.2`: the second attempt of job 17.")
    job: int
    number: int
    state: AttemptState
    pool: str
    devices: tuple[int, ...] = Field(description="Indices inside the pool.")
    nodes: tuple[str, ...] = Field((), description="Names of its machines, by rank.")
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
    lost_s: float = Field(0.0, description="Seconds of its run that preemption cost.")
    result: Mapping[str, Any] | None = Field(description="What the work reported at its end.")


class AttemptsOut(Answer):
    """Attempts of several jobs, the one that was placed last first."""

    attempts: tuple[AttemptOut, ...]


class JobDetail(JobOut):
    """A job with its attempts."""

    history: tuple[AttemptOut, ...] = Field(description="Its attempts, oldest first.")
    dollars: float = Field(description="What its attempts have cost so far, running ones included.")
    joules: float = Field(description="The energy of the same.")
    result: Mapping[str, Any] | None = Field(
        description="Of the attempt that succeeded, or else, once the job has ended, of the last."
    )

    @classmethod
    def with_attempts(cls, job: Job, attempts: list[Attempt], figures: JobFigures) -> Self:
        """From the service's values, attempts oldest first."""
        told = next((a for a in attempts if a.state is AttemptState.SUCCEEDED), None)
        if told is None and job.state.final and attempts:
            told = attempts[-1]
        return cls.from_values(
            job,
            job.spec,
            **_own(job, figures),
            history=tuple(map(AttemptOut.of, attempts)),
            result=told.result if told else None,
        )


class JobPage(Answer):
    """Jobs, newest first."""

    jobs: tuple[JobOut, ...]
    next_cursor: str | None = Field(description="For the next page; null: this is the last.")
    total: int | None = Field(default=None, description="Jobs on all pages; null unless asked for.")


class JobBatchOut(Answer):
    """The jobs of a batch, in the order in which they were sent."""

    jobs: tuple[SubmittedOut, ...]


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


class EventPage(Answer):
    """Events, oldest first."""

    events: tuple[EventOut, ...]
    next_after: int = Field(description="`after` of the next request.")


def _own(job: Job, figures: JobFigures | None) -> dict[str, Any]:
    """The fields of a job's answer that differ from its attributes."""
    found: dict[str, Any] = {
        "final": job.state.final,
        "progress": 1.0 if job.state is JobState.SUCCEEDED else job.progress,
        "eligible_at": instant(job.eligible_at or None),
    }
    if figures is None:
        return found | dict.fromkeys(_FIGURES)
    run = figures.running
    return found | {
        "dollars": figures.dollars,
        "joules": figures.joules,
        "accuracy": figures.accuracy,
        "best_epoch": figures.best_epoch,
        "running": None if run is None else RunProgressOut.of(run),
    }
