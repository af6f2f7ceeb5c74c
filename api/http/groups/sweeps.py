"""Submitting, listing, showing and cancelling sweeps."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import Response

from api.http.context import Key, Route, answer, context_of, require_owner, submitter
from api.http.groups.sweep_intake import sweep_spec
from api.http.openapi import bodies, responses
from api.http.routers.jobs import created_headers, digest_of
from api.http.routers.queries import Cursor, Part, cursor_of, place_of, some_of
from api.schemas.fields import MAX_ID
from api.schemas.groups.sweep_answers import SubmittedSweepOut, SweepDetail, SweepOut, SweepPage
from api.schemas.groups.sweep_requests import SweepJobIn
from api.schemas.jobs import CancelIn
from scheduler.domain.groups.sweeps import SweepState
from scheduler.store.sweeps import SweepQuery

router = APIRouter(route_class=Route, prefix="/v1/sweeps", tags=["sweeps"])

SweepId = Annotated[int, Path(ge=1, le=MAX_ID, description="Number of the sweep.", examples=[3])]


@router.post(
    "",
    status_code=201,
    response_model=SubmittedSweepOut,
    responses=responses.of("submitted-sweep", 400, 401, 403, 409, 413, 415, 422, 503, created=True),
)
def submit_sweep(
    request: Request,
    sweep: Annotated[SweepJobIn, Body(openapi_examples=bodies.SWEEPS)],
    idempotency_key: Key = None,
) -> Response:
    """Submit a sweep: a job, and in `sweep` the search over its parameters.

    Its trials become jobs of the caller as the search goes on. `Idempotency-Key` as for a job.
    """
    who = submitter(request)
    context = context_of(request)
    job = context.intake.one(sweep, who.user)
    spec = sweep_spec(sweep, job, context.service.paths.look(job.request))
    context.service.admission.check(spec.job)
    (warnings,) = context.service.queries.warnings([spec.job])
    digest = "" if idempotency_key is None else digest_of(sweep)
    made, replayed = context.service.sweeps.submit(
        spec, actor=who.user, key=idempotency_key, digest=digest
    )
    found = SubmittedSweepOut.submitted(made, warnings)
    return answer(found, 201, created_headers(f"/v1/sweeps/{made.id}", replayed))


@router.get("", response_model=SweepPage, responses=responses.of("sweeps", 401, 422, 503))
def list_sweeps(
    request: Request,
    state: Annotated[
        list[str], Query(description="Several: repeated, or with commas.", examples=["RUNNING"])
    ] = [],  # noqa: B006 — FastAPI copies it
    user: Part = None,
    project: Part = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List sweeps, newest first, page by page."""
    query = SweepQuery(some_of(state, SweepState, "state"), user, project)
    store = context_of(request).service.store.sweeps
    found = store.sweeps(query, before=place_of(cursor), limit=limit + 1)
    following = cursor_of(found[limit - 1].id) if len(found) > limit else None
    return answer(
        SweepPage.model_construct(
            sweeps=tuple(map(SweepOut.of, found[:limit])), next_cursor=following
        )
    )


@router.get(
    "/{number:int}",
    response_model=SweepDetail,
    responses=responses.of("sweep-detail", 401, 404, 422, 503),
)
def show_sweep(
    request: Request,
    number: SweepId,
    curves: Annotated[bool, Query(description="Tell the values of each epoch, too.")] = False,
) -> Response:
    """Show a sweep with its trials, the best first, and what pruning saved."""
    view = context_of(request).service.sweeps.view(number)
    return answer(SweepDetail.with_trials(view, curves=curves))


@router.post(
    "/{number:int}/cancel",
    response_model=SweepOut,
    responses=responses.of("sweep", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def cancel_sweep(
    request: Request,
    number: SweepId,
    cancel: Annotated[CancelIn | None, Body(openapi_examples=bodies.CANCELS)] = None,
) -> Response:
    """Make no further trials, and cancel those that wait or run."""
    who = submitter(request)
    service = context_of(request).service
    owner = service.store.sweeps.sweep(number).spec.job.user
    require_owner(who, f"sweep {number}", owner)
    reason = cancel.reason if cancel else ""
    return answer(SweepOut.of(service.sweeps.cancel(number, actor=who.user, reason=reason)))
