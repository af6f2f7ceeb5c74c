"""Which policy suits this cluster: replays, and a candidate that looks on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response

from api.http.context import Route, admin, answer, context_of, naming
from api.http.openapi import bodies, responses
from api.schemas import FitIn, PolicyOut, PolicySummary, ScheduleIn, ShadowIn

router = APIRouter(route_class=Route, prefix="/v1/policies", tags=["policies"])


@router.post(
    "/fit",
    response_model=PolicyOut,
    responses=responses.of("fit", 400, 401, 403, 404, 409, 413, 415, 422, 503),
)
def fit_policy(
    request: Request, fit: Annotated[FitIn, Body(openapi_examples=bodies.FITS)]
) -> Response:
    """Replay jobs with a policy and with wgc on this cluster's pools; the better will decide."""
    who = admin(request)
    service = context_of(request).service
    with naming():
        active = service.policy_control.evaluate(fit.name, actor=who.user)
    return answer(PolicyOut.of(active))


@router.put(
    "/schedules/{name}",
    response_model=PolicySummary,
    responses=responses.of("schedule", 400, 401, 403, 413, 415, 422, 503),
)
def register_schedule(
    request: Request,
    name: Annotated[str, Path(max_length=60, examples=["our-lab"])],
    schedule: Annotated[ScheduleIn, Body(openapi_examples=bodies.SCHEDULES)],
) -> Response:
    """Register a schedule of wgc under a name, in place of one of that name: `wgc:NAME`.

    A policy that decides already goes on as it was, until it is chosen once more.
    """
    admin(request)
    context = context_of(request)
    context.schedules.add(name, schedule.text)
    return answer(PolicySummary.tuned(name, context.service.policy_control.view().name))


@router.put(
    "/shadow",
    response_model=PolicyOut,
    responses=responses.of("fit", 400, 401, 403, 404, 413, 415, 422, 503),
)
def shadow_policy(
    request: Request, shadow: Annotated[ShadowIn, Body(openapi_examples=bodies.FITS)]
) -> Response:
    """Let a candidate see every decision and change none; it is remembered over restarts."""
    who = admin(request)
    service = context_of(request).service
    with naming():
        active = service.policy_control.follow(shadow.name, actor=who.user)
    return answer(PolicyOut.of(active))


@router.delete("/shadow", response_model=PolicyOut, responses=responses.of("fit", 401, 403, 503))
def end_shadow(request: Request) -> Response:
    """Let no candidate look on any longer."""
    who = admin(request)
    return answer(
        PolicyOut.of(context_of(request).service.policy_control.follow(None, actor=who.user))
    )


@router.post(
    "/shadow/score",
    response_model=PolicyOut,
    responses=responses.of("fit", 401, 403, 404, 409, 503),
)
def score_shadow(request: Request) -> Response:
    """Replay the jobs since the shadow began with it and with the active policy."""
    admin(request)
    return answer(PolicyOut.of(context_of(request).service.policy_control.score()))
