"""Trainings, tunings, studies and promotions: jobs of the cluster that work on policies."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response

from api.http import log_tail
from api.http.auth import Caller
from api.http.context import (
    AppContext,
    JobId,
    Key,
    Route,
    admin,
    answer,
    context_of,
    naming,
    reader,
    submitter,
    visible,
)
from api.http.openapi import bodies, responses
from api.http.routers.jobs import created_headers, submit
from api.policy_jobs import NAME_PREFIX, PolicyJob, Task, policy_job
from api.schemas import JOB, JobOut
from api.schemas.policy_jobs import (
    PolicyJobDetail,
    PolicyJobOut,
    PolicyJobRequest,
    PolicyJobsOut,
    PromotionIn,
    StudyIn,
    TrainingIn,
    TuningIn,
)
from scheduler import jsonlines
from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.jobs import Job, JobKind
from scheduler.store.base import JobQuery

FOLDER = "trainings"
"""In the data folder: what trainings and studies leave, each in its own folder."""
PAGE = 500
"""Jobs that a listing reads at a time."""
LINES, BYTES = 1000, 4 * 1024**2
"""The end of a job's metrics that is looked at."""
_CREATED = (400, 401, 403, 404, 409, 413, 415, 422, 503)

router = APIRouter(route_class=Route, prefix="/v1/policies", tags=["policies"])


@router.post(
    "/trainings",
    status_code=201,
    response_model=JobOut,
    responses=responses.of("training", *_CREATED, created=True),
)
def train_policy(
    request: Request,
    training: Annotated[TrainingIn, Body(openapi_examples=bodies.TRAININGS)],
    idempotency_key: Key = None,
) -> Response:
    """Train a policy in the simulator, as a job of the cluster, and register it.

    Everything that `fulcrum policy train` would refuse is refused here with the same sentence, and
    no job is made.
    """
    who = admin(request) if training.from_history else submitter(request)
    context = context_of(request)
    context.registry.check(training.name)
    about = {"folder": _folder(request, training.name), "data_dir": str(context.data_dir)}
    return _created(request, Task.TRAINING, training, training.name, who, idempotency_key, about)


@router.post(
    "/studies",
    status_code=201,
    response_model=JobOut,
    responses=responses.of("training", *_CREATED, created=True),
)
def tune_hyperparameters(
    request: Request,
    study: Annotated[StudyIn, Body(openapi_examples=bodies.STUDIES)],
    idempotency_key: Key = None,
) -> Response:
    """Search hyper-parameters of trainings, as a job of the cluster.

    The best configuration is in `best.json` of the job's artifacts.
    """
    about = {"folder": _folder(request, study.name)}
    who = submitter(request)
    return _created(request, Task.STUDY, study, study.name, who, idempotency_key, about)


@router.post(
    "/tunings",
    status_code=201,
    response_model=JobOut,
    responses=responses.of("training", *_CREATED, created=True),
)
def tune_heuristic(
    request: Request,
    tuning: Annotated[TuningIn, Body(openapi_examples=bodies.TUNINGS)],
    idempotency_key: Key = None,
) -> Response:
    """Tune the constants of `wgc` for a scenario, as a job of the cluster.

    The schedule is `NAME.toml` among the job's artifacts; `PUT /v1/policies/schedules/{name}`
    registers it.
    """
    about = {"folder": _folder(request, tuning.name)}
    who = submitter(request)
    return _created(request, Task.TUNING, tuning, tuning.name, who, idempotency_key, about)


@router.post(
    "/{name}:promote",
    status_code=201,
    response_model=JobOut,
    responses=responses.of("training", *_CREATED, created=True),
)
def promote_policy(
    request: Request,
    name: str,
    promotion: Annotated[PromotionIn, Body(openapi_examples=bodies.PROMOTIONS)],
    idempotency_key: Key = None,
) -> Response:
    """Test whether a registered policy may become the incumbent, as a job; promote it if so.

    The verdict with its figures is in `test` of `GET /v1/policies/jobs/{id}`. The job fails, with
    exit code 4, if the promotion is refused.
    """
    who, registry = admin(request), context_of(request).registry
    with naming():
        entry = registry.find(name)
        if entry.promoted:
            raise StateError(
                f"{entry.reference} is the incumbent already",
                {"policy": "one that is not promoted"},
            )
    about = {"policy": entry.reference}
    return _created(request, Task.PROMOTION, promotion, entry.name, who, idempotency_key, about)


@router.get(
    "/jobs",
    response_model=PolicyJobsOut,
    responses=responses.of("policy-jobs", 401, 422, 503),
)
def list_policy_jobs(
    request: Request,
    task: Annotated[Task | None, Query(description="Default: all.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the jobs that work on policies, newest first."""
    context, who = context_of(request), reader(request)
    found = (
        PolicyJobOut.from_values(job=JobOut.of(visible(job, who)), **_facts(work))
        for job, work in _jobs(context)
        if task in (None, work.task)
    )
    return answer(PolicyJobsOut(jobs=tuple(islice(found, limit))))


@router.get(
    "/jobs/{job_id:int}",
    response_model=PolicyJobDetail,
    responses=responses.of("policy-job", 401, 404, 422, 503),
)
def show_policy_job(request: Request, job_id: JobId) -> Response:
    """Show how a job that works on policies goes, and what it found."""
    context, who = context_of(request), reader(request)
    job = context.service.store.job(job_id)
    work = _work(job)
    if work is None:
        raise MissingError(
            f"job {job_id} does not work on policies", {"job_id": "one of GET /v1/policies/jobs"}
        )
    last = _last_lines(context, job)
    verdict = last.get("promotion", {})
    registered = last.get("registered", verdict).get("policy")
    return answer(
        PolicyJobDetail.from_values(
            job=JobOut.of(visible(job, who)),
            **_facts(work),
            progress=last.get("progress", {}).get("fraction"),
            validation=_without(last.get("validation")),
            policy=registered if isinstance(registered, str) else None,
            promoted=bool(verdict["promoted"]) if "promoted" in verdict else None,
            test=verdict.get("trial"),
        )
    )


def _created(
    request: Request,
    task: Task,
    body: PolicyJobRequest,
    name: str,
    who: Caller,
    key: str | None,
    about: Mapping[str, str],
) -> Response:
    """Check the work as its command does, submit it as a job, and answer with the job."""
    context = context_of(request)
    asked = body.model_dump(mode="json", exclude={"job"})
    given = {name: value for name, value in asked.items() if value is not None}
    words = context.preflight.command(task, given, **about)
    fields = body.job.model_dump(mode="json", exclude_unset=True)
    job = policy_job(
        fields.pop("name", None) or name,
        words,
        data_dir=context.data_dir,
        cwd=context.data_dir,
        config=os.environ.get("FULCRUM_CONFIG"),
    )
    spec = context.intake.one(JOB.validate_python({**job, **fields}), who.user)
    jobs, replayed = submit(context, [spec], who.user, key, body)
    return answer(JobOut.of(jobs[0]), 201, created_headers(f"/v1/jobs/{jobs[0].id}", replayed))


def _folder(request: Request, name: str) -> str:
    """The name of a new folder in the data folder; the job makes it."""
    return str(context_of(request).data_dir / FOLDER / secrets.token_hex(6) / name)


def _jobs(context: AppContext) -> Iterator[tuple[Job, PolicyJob]]:
    """All jobs that work on policies, newest first, read page by page."""
    query = JobQuery(kinds=[JobKind.COMMAND], name=NAME_PREFIX)
    before = None
    while page := context.service.store.jobs(query, before=before, limit=PAGE):
        for job in page:
            if (work := _work(job)) is not None:
                yield job, work
        before = page[-1].id


def _work(job: Job) -> PolicyJob | None:
    return PolicyJob.of(job.spec.work.get("argv", ()))


def _facts(work: PolicyJob) -> Mapping[str, Any]:
    return {
        "task": work.task.value, "name": work.name, "folder": work.folder, "every_s": work.every_s
    }  # fmt: skip


def _last_lines(context: AppContext, job: Job) -> Mapping[str, Mapping[str, Any]]:
    """The last line of each kind in the metrics of the newest attempt."""
    path = context.service.folders.attempt(job.id, max(job.attempts, 1)) / "metrics.jsonl"
    pieces = log_tail.tail(path, LINES, BYTES)
    content = b"".join(log_tail.read(path, pieces)) if pieces else b""
    rows = filter(None, map(jsonlines.record, content.splitlines()))
    return {str(row.get("kind")): row for row in rows}


def _without(row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A line of metrics without what every line has."""
    if row is None:
        return None
    return {name: value for name, value in row.items() if name not in ("time", "kind")}
