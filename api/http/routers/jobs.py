"""Submitting, listing, changing, cancelling and repeating jobs; what would happen, and why."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.http.asgi.direct_route import DirectRoute
from api.http.auth import Caller
from api.http.context import (
    AppContext,
    JobId,
    Key,
    Route,
    answer,
    context_of,
    reader,
    require_owner,
    submitter,
    visible,
)
from api.http.long_poll import MOST_WAIT_S, changed
from api.http.openapi import bodies, responses
from api.http.routers.queries import Cursor, Group, Part, cursor_of, place_of, some_of, unix
from api.schemas import (
    CancelIn,
    EventOut,
    EventPage,
    ExplanationOut,
    JobBatchIn,
    JobBatchOut,
    JobDetail,
    JobIn,
    JobOut,
    JobPage,
    JobUpdateIn,
    OutlookOut,
    PlanOut,
    PreemptIn,
    RepeatIn,
    SubmittedOut,
)
from api.schemas.fields import Instant
from scheduler.domain.errors import FulcrumError, InfeasibleError, InputError
from scheduler.domain.jobs import Job, JobKind, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import JobQuery

direct = APIRouter(route_class=DirectRoute, prefix="/v1", tags=["jobs"])
router = APIRouter(route_class=Route, prefix="/v1", tags=["jobs"])


@direct.post(
    "/jobs",
    status_code=201,
    response_model=SubmittedOut,
    responses=responses.of("submitted", 400, 401, 403, 409, 413, 415, 422, 503, created=True),
)
def submit_job(
    request: Request,
    job: Annotated[JobIn, Body(openapi_examples=bodies.JOBS)],
    idempotency_key: Key = None,
) -> Response:
    """Submit a job.

    It is durable when the answer arrives. A repeated request with the same `Idempotency-Key` and
    body makes no second job: it is answered with the first, marked `Idempotency-Replayed: true`.
    A deadline that cannot be met is no error: `warnings` has the earliest expected end.
    """
    who = submitter(request)
    context = context_of(request)
    spec = context.intake.one(job, who.user)
    (warnings,) = context.service.queries.warnings([spec])
    jobs, replayed = submit(context, [spec], who.user, idempotency_key, job)
    found = SubmittedOut.submitted(jobs[0], warnings)
    return answer(found, 201, created_headers(f"/v1/jobs/{jobs[0].id}", replayed))


@direct.post(
    "/jobs:batch",
    status_code=201,
    response_model=JobBatchOut,
    responses=responses.of("batch", 400, 401, 403, 409, 413, 415, 422, 503, created=True),
)
def submit_batch(
    request: Request,
    batch: Annotated[JobBatchIn, Body(openapi_examples=bodies.BATCHES)],
    idempotency_key: Key = None,
) -> Response:
    """Submit several jobs, all or none.

    A job may name another one of the batch in `after`, in `work.models` of an inference and in
    `work.weights` of a training. One with `array` becomes a job of each index; its name stands
    for all of them.
    """
    who = submitter(request)
    context = context_of(request)
    specs = context.intake.several(batch.jobs, who.user)
    warnings = context.service.queries.warnings(specs.specs)
    try:
        jobs, replayed = submit(context, specs.specs, who.user, idempotency_key, batch)
    except FulcrumError as error:
        raise as_sent(error, specs.origins) from None
    pairs = specs.as_sent(list(zip(jobs, warnings, strict=True)))
    found = JobBatchOut.model_construct(jobs=tuple(SubmittedOut.submitted(*pair) for pair in pairs))
    return answer(found, 201, created_headers("/v1/jobs", replayed))


@router.post(
    "/jobs/plan",
    response_model=PlanOut,
    responses=responses.of("plan", 400, 401, 403, 413, 415, 422, 503),
)
def plan_job(
    request: Request, job: Annotated[JobIn, Body(openapi_examples=bodies.JOBS)]
) -> Response:
    """Tell what would happen to a job, for fast, balanced and cheap; nothing is submitted."""
    who = submitter(request)
    context = context_of(request)
    outlooks = context.service.queries.plan(context.intake.one(job, who.user))
    return answer(PlanOut(outlooks=tuple(OutlookOut.of(one) for one in outlooks)))


@router.get("/jobs", response_model=JobPage, responses=responses.of("page", 401, 422, 503))
def list_jobs(
    request: Request,
    state: Annotated[
        list[str], Query(description="Several: repeated, or with commas.", examples=["RUNNING"])
    ] = [],  # noqa: B006 — FastAPI copies it
    kind: Annotated[list[str], Query(examples=["cnn-train"])] = [],  # noqa: B006
    user: Part = None,
    project: Part = None,
    name: Annotated[Part, Query(description="Part of the name.")] = None,
    array: Annotated[Group, Query(description="Jobs of this array.")] = None,
    sweep: Annotated[Group, Query(description="Trials of this sweep.")] = None,
    submitted_from: Annotated[Instant | None, Query(description="Inclusive.")] = None,
    submitted_to: Annotated[Instant | None, Query(description="Exclusive.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    count: Annotated[bool, Query(description="Also tell how many there are in `total`.")] = False,
) -> Response:
    """List jobs, newest first, page by page.

    Pages are stable: jobs submitted meanwhile neither shift nor repeat what follows. The address
    of the next page stands in the `Link` header, its cursor in the body.
    """
    context, who = context_of(request), reader(request)
    query = JobQuery(
        states=some_of(state, JobState, "state"),
        kinds=some_of(kind, JobKind, "kind"),
        user=user,
        project=project,
        name=name,
        array=array,
        sweep=sweep,
        submitted_from=unix(submitted_from),
        submitted_to=unix(submitted_to),
    )
    jobs = context.service.store.jobs(query, before=place_of(cursor), limit=limit + 1)
    more = len(jobs) > limit
    following = cursor_of(jobs[limit - 1].id) if more else None
    shown = [visible(job, who) for job in jobs[:limit]]
    page = JobPage.model_construct(
        jobs=tuple(map(JobOut.of, shown, context.service.queries.figures(shown))),
        next_cursor=following,
        total=context.service.store.count(query) if count else None,
    )
    headers = {}
    if following:
        given = [(key, value) for key, value in request.query_params.multi_items()]
        kept = [(key, value) for key, value in given if key != "cursor"]
        address = f"{request.url.path}?{urlencode([*kept, ('cursor', following)])}"
        headers["Link"] = f'<{address}>; rel="next"'
    return answer(page, headers=headers)


@router.get(
    "/jobs:find",
    response_model=JobDetail,
    responses=responses.of("detail", 401, 404, 409, 422, 503),
)
def find_job(
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=200, description="The whole name.")],
) -> Response:
    """Find the job that a name means, for names need not be unique.

    Your own jobs come before those of others. Among them it is the live job of that name; if none
    is live, the newest that has ended. If several are live, the answer 409 lists them.
    """
    context, who = context_of(request), reader(request)
    return _detail(context, context.service.names.find(name, who.user).id, who)


@router.get(
    "/jobs/{job_id:int}",
    response_model=JobDetail,
    responses=responses.of("detail", 401, 404, 422, 503),
)
async def show_job(
    request: Request,
    job_id: JobId,
    wait_s: Annotated[
        float,
        Query(ge=0, le=MOST_WAIT_S, description="Wait up to so many seconds for a change."),
    ] = 0.0,
    version: Annotated[
        int | None,
        Query(ge=-1, description="Any version above it is a change; default: the current one."),
    ] = None,
) -> Response:
    """Show a job with its attempts; with `wait_s`, as soon as it has changed or ended.

    Only the job's user and admins see the values in `work.env`; others see `***`.
    """
    context = context_of(request)
    if wait_s:
        await changed(context, job_id, version, wait_s)
    return await anyio.to_thread.run_sync(_detail, context, job_id, reader(request))


@router.get(
    "/jobs/{job_id:int}/events",
    response_model=EventPage,
    responses=responses.of("events", 401, 404, 422, 503),
)
def list_job_events(
    request: Request,
    job_id: JobId,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """Tell the history of a job, oldest first."""
    context = context_of(request)
    store = context.service.store
    store.job(job_id)
    events = store.events(job_id, after=after, limit=limit)
    return answer(
        EventPage.model_construct(
            events=tuple(map(EventOut.of, events)), next_after=events[-1].seq if events else after
        )
    )


@router.get(
    "/jobs/{job_id:int}/explain",
    response_model=ExplanationOut,
    responses=responses.of("explanation", 401, 404, 422, 503),
)
def explain_job(request: Request, job_id: JobId) -> Response:
    """Tell why a job is where it is: one dominant reason with its evidence."""
    context = context_of(request)
    explanation = context.service.queries.explain(job_id)
    job = visible(explanation.job, reader(request))
    return answer(ExplanationOut.of(replace(explanation, job=job)))


@router.patch(
    "/jobs/{job_id:int}",
    response_model=SubmittedOut,
    responses=responses.of("submitted", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def update_job(
    request: Request,
    job_id: JobId,
    update: Annotated[JobUpdateIn, Body(openapi_examples=bodies.UPDATES)],
) -> Response:
    """Make a waiting job more or less important, urgent or fast, from the next round on.

    A deadline that cannot be met is no error: `warnings` has the earliest expected end.
    """
    who = submitter(request)
    context = context_of(request)
    require_owner(who, f"job {job_id}", context.service.store.job(job_id).spec.user)
    changes = context.intake.changes(update)
    job = context.service.jobs.update(job_id, changes, actor=who.user)
    return answer(SubmittedOut.submitted(job, context.service.queries.late(job)))


@router.post(
    "/jobs/{job_id:int}/cancel",
    response_model=JobOut,
    responses=responses.of("job", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def cancel_job(
    request: Request,
    job_id: JobId,
    cancel: Annotated[CancelIn | None, Body(openapi_examples=bodies.CANCELS)] = None,
) -> Response:
    """Take a job from the queue, or stop its attempt; it is CANCELLED when that has ended."""
    who = submitter(request)
    context = context_of(request)
    require_owner(who, f"job {job_id}", context.service.store.job(job_id).spec.user)
    reason = cancel.reason if cancel else ""
    return answer(JobOut.of(context.service.jobs.cancel(job_id, actor=who.user, reason=reason)))


@router.post(
    "/jobs/{job_id:int}/preempt",
    response_model=JobOut,
    responses=responses.of("job", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def preempt_job(
    request: Request,
    job_id: JobId,
    preempt: Annotated[PreemptIn | None, Body(openapi_examples=bodies.PREEMPTIONS)] = None,
) -> Response:
    """Let a running job save its work, free its devices and queue again with its progress.

    It is PREEMPTING until its attempt has stopped. Refused for a job that could not go on.
    """
    who = submitter(request)
    context = context_of(request)
    require_owner(who, f"job {job_id}", context.service.store.job(job_id).spec.user)
    reason = preempt.reason if preempt else ""
    return answer(JobOut.of(context.service.jobs.preempt(job_id, actor=who.user, reason=reason)))


@router.post(
    "/jobs/{job_id:int}/retry",
    status_code=201,
    response_model=JobOut,
    responses=responses.of("job", 400, 401, 403, 404, 409, 413, 415, 422, 503, created=True),
)
def retry_job(
    request: Request,
    job_id: JobId,
    repeat: Annotated[RepeatIn | None, Body(openapi_examples=bodies.REPEATS)] = None,
    idempotency_key: Key = None,
) -> Response:
    """Submit an ended job once more, as a new job; `Idempotency-Key` as for a submission.

    It goes on from the last checkpoint of the old job, unless that succeeded or saved nothing.
    Refused if the checkpoints are gone.
    """
    who = submitter(request)
    context = context_of(request)
    require_owner(who, f"job {job_id}", context.service.store.job(job_id).spec.user)
    from_scratch = repeat is not None and repeat.from_scratch
    digest = f"retry:{job_id}" + (":from-scratch" if from_scratch else "")
    job, replayed = context.service.jobs.retry(
        job_id, actor=who.user, from_scratch=from_scratch, key=idempotency_key, digest=digest
    )
    return answer(JobOut.of(job), 201, created_headers(f"/v1/jobs/{job.id}", replayed))


def submit(
    context: AppContext, specs: Sequence[JobSpec], user: str, key: str | None, body: BaseModel
) -> tuple[list[Job], bool]:
    """Submit jobs once per idempotency key; the jobs, and whether an earlier request made them."""
    digest = "" if key is None else digest_of(body)
    jobs, replayed = context.service.jobs.submit(specs, actor=user, key=key, digest=digest)
    if not replayed:
        context.telemetry.submitted(Counter(spec.kind.value for spec in specs))
    return jobs, replayed


def digest_of(body: BaseModel) -> str:
    """Of what the request means: key order, spaces and `2` or `"2"` make no difference."""
    text = json.dumps(body.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def created_headers(location: str, replayed: bool) -> dict[str, str]:
    """Headers of an answer that tells what was created, by this request or an earlier one."""
    headers = {"Location": location}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def as_sent(error: FulcrumError, origins: Sequence[int]) -> FulcrumError:
    """The service counts specs in their own order; the client, jobs as it sent them."""
    if not isinstance(error, InfeasibleError | InputError):
        return error
    fields = {}
    for name, legal in error.fields.items():
        match = re.match(r"jobs\[(\d+)\]\.", name)
        position = origins[int(match[1])] if match else 0
        fields[f"jobs.{position}.{name[match.end() if match else 0 :]}"] = legal
    return type(error)(error.message, fields)


def _detail(context: AppContext, job_id: int, who: Caller) -> Response:
    store = context.service.store
    job = visible(store.job(job_id), who)
    attempts = store.attempts(job_id) if job.attempts else []
    (figures,) = context.service.queries.figures([job])
    return answer(JobDetail.with_attempts(job, attempts, figures))
