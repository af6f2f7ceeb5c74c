"""What takes the space in the data folder, and removing it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response

from api.http.context import Route, admin, answer, context_of
from api.http.openapi import bodies, responses
from api.schemas import PruneIn, PruneOut, UsageOut
from scheduler.service.maintenance.retention import Kind, RetentionRule

router = APIRouter(route_class=Route, prefix="/v1", tags=["storage"])


@router.get("/usage", response_model=UsageOut, responses=responses.of("usage", 401, 422, 503))
def show_usage(
    request: Request,
    limit: Annotated[int, Query(ge=0, le=1000, description="Of single jobs.")] = 10,
) -> Response:
    """Show what takes the space: by kind of file, by user, by project, the biggest jobs."""
    return answer(UsageOut.of(context_of(request).service.retention.usage(limit)))


@router.post(
    "/prune",
    response_model=PruneOut,
    responses=responses.of("prune", 400, 401, 403, 413, 415, 422, 503),
)
def prune(
    request: Request, wish: Annotated[PruneIn, Body(openapi_examples=bodies.PRUNES)]
) -> Response:
    """Remove files of ended jobs; their history stays, and nothing of a live job is touched.

    One request removes at most 500 items: repeat it while `more` is true.
    """
    who = admin(request)
    rule = RetentionRule(tuple(map(Kind, wish.what)), wish.older_than, wish.keep_bytes)
    pruning = context_of(request).service.retention.prune(rule, who.user, dry_run=wish.dry_run)
    return answer(PruneOut.of_pruning(pruning, dry_run=wish.dry_run))
