"""Which policy suits this cluster: replays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response

from api import examples
from api.doors import Route, admin, answer, doors_of
from api.schemas import FitIn, PolicyOut

router = APIRouter(route_class=Route, prefix="/v1/policies", tags=["policies"])


@router.post(
    "/fit",
    response_model=PolicyOut,
    responses=examples.responses("fit", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def fit_policy(
    request: Request, fit: Annotated[FitIn, Body(openapi_examples=examples.FITS)]
) -> Response:
    """Replay jobs with a policy and with wgc on this cluster's pools; the better will decide."""
    who = admin(request)
    service = doors_of(request).service
    return answer(PolicyOut.of(service.fit_policy(fit.name, actor=who.user)))
