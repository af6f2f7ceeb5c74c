"""Requests about many jobs at once: cancel them, or plan them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response

from api.http.auth import Caller, Role
from api.http.context import Route, answer, context_of, submitter
from api.http.errors.problems import HttpError
from api.http.openapi import bodies, responses
from api.http.routers.jobs import as_sent
from api.schemas import CancelJobsIn, CancelledOut, JobBatchIn, OutlookOut, PlanOut, PlansOut
from scheduler.domain.errors import FulcrumError
from scheduler.service.jobs.bulk_cancel import BulkCancel
from scheduler.store.base import JobQuery

router = APIRouter(route_class=Route, prefix="/v1", tags=["jobs"])


@router.post(
    "/jobs:cancel",
    response_model=CancelledOut,
    responses=responses.of("cancelled", 400, 401, 403, 413, 415, 422, 503),
)
def cancel_jobs(
    request: Request,
    cancel: Annotated[CancelJobsIn, Body(openapi_examples=bodies.CANCEL_JOBS)],
) -> Response:
    """Take all live jobs that match from the queue, or stop them; those that wait first."""
    who = submitter(request)
    service = context_of(request).service
    bulk = BulkCancel(service.store, service.post)
    ids = frozenset(cancel.ids)
    found = bulk.live(
        JobQuery(
            states=cancel.state,
            kinds=cancel.kind,
            user=_whose(who, cancel.user),
            project=cancel.project,
            name=cancel.name,
            array=cancel.array,
        ),
        ids,
    )
    done = [job.id for job in found]
    if not cancel.dry_run:
        done = bulk.cancel(found, actor=who.user, reason=cancel.reason)
    passed = tuple(number for number in cancel.ids if number not in set(done))
    return answer(CancelledOut(count=len(done), jobs=tuple(done), passed_over=passed))


def _whose(who: Caller, wanted: str | None) -> str | None:
    """Whose jobs are meant; None: everybody's. Raises `HttpError` unless they may be changed."""
    if who.role is Role.ADMIN:
        return wanted
    if wanted not in (None, who.user):
        raise HttpError("forbidden", f"{who.user} may cancel jobs of {who.user} only")
    return who.user


@router.post(
    "/jobs:plan",
    response_model=PlansOut,
    responses=responses.of("plans", 400, 401, 403, 413, 415, 422, 503),
)
def plan_jobs(
    request: Request, batch: Annotated[JobBatchIn, Body(openapi_examples=bodies.BATCHES)]
) -> Response:
    """Tell what would happen to each of several jobs if it were the only one that is submitted."""
    who = submitter(request)
    context = context_of(request)
    specs = context.intake.several(batch.jobs, who.user)
    plans = []
    for position, spec in zip(specs.order, specs.specs, strict=True):
        try:
            outlooks = context.service.queries.plan(spec)
        except FulcrumError as error:
            raise as_sent(error, [position]) from None
        plans.append(PlanOut(outlooks=tuple(map(OutlookOut.of, outlooks))))
    return answer(PlansOut(plans=tuple(specs.as_sent(plans))))
