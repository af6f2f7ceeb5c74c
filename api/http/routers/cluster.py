"""The cluster, who decides, what it cost, how good the estimates were, all that happened."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import Field

from api.http.context import Route, admin, answer, context_of, naming
from api.http.openapi import bodies, responses
from api.http.routers.queries import unix
from api.schemas import (
    AttemptOut,
    AttemptsOut,
    ClusterOut,
    CostsOut,
    ErrorOut,
    EstimatesOut,
    EventOut,
    EventPage,
    ForecastOut,
    MeasurementOut,
    NotificationsOut,
    PendingMessageOut,
    PoliciesOut,
    PolicyIn,
    PolicyOut,
    PolicySummary,
    PreferencesIn,
    PreferencesOut,
)
from api.schemas.fields import MAX_ID, Instant
from scheduler.domain.records import CostGroup
from scheduler.estimates import accuracy

router = APIRouter(route_class=Route, prefix="/v1", tags=["cluster"])

_GROUPS = {"source": accuracy.source, "kind": accuracy.kind}


@router.get(
    "/cluster",
    response_model=ClusterOut,
    responses=responses.of("cluster", 401, 503),
)
def show_cluster(request: Request) -> Response:
    """Show pools, devices, who holds them, and who decides."""
    context = context_of(request)
    return answer(ClusterOut.of(context.service.cluster.view()))


@router.get(
    "/forecast",
    response_model=ForecastOut,
    responses=responses.of("forecast", 401, 503),
)
def show_forecast(request: Request) -> Response:
    """Show expected ends of running jobs and expected starts of waiting ones.

    The forecast is made once for all callers of some seconds: `now` says when.
    """
    return answer(ForecastOut.of(context_of(request).service.queries.forecast()))


@router.get(
    "/attempts",
    response_model=AttemptsOut,
    responses=responses.of("attempts", 401, 422, 503),
)
def list_attempts(
    request: Request,
    job: Annotated[
        list[Annotated[int, Field(ge=1, le=MAX_ID)]],
        Query(max_length=1000, description="Of these jobs only; repeated."),
    ] = [],  # noqa: B006 — FastAPI copies it
    since: Annotated[Instant | None, Query(description="Not those that ended before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """List attempts of several jobs, the one that was placed last first."""
    store = context_of(request).service.store
    found = store.find_attempts(jobs=job or None, since=unix(since), limit=limit)
    return answer(AttemptsOut(attempts=tuple(map(AttemptOut.of, found))))


@router.get(
    "/policies",
    response_model=PoliciesOut,
    responses=responses.of("policies", 401, 503),
)
def list_policies(request: Request) -> Response:
    """List the policies by name, and the active one."""
    context = context_of(request)
    active = context.service.policy_control.view()
    found = tuple(
        PolicySummary(name=name, summary=summary, active=name == active.name)
        for name, summary in sorted(context.service.policies.items())
    )
    tuned = (PolicySummary.tuned(name, active.name) for name in context.schedules.names())
    learned = (PolicySummary.learned(entry, active.name) for entry in context.registry.entries())
    return answer(PoliciesOut(active=PolicyOut.of(active), policies=(*found, *tuned, *learned)))


@router.get(
    "/policies/active",
    response_model=PolicyOut,
    responses=responses.of("policy", 401, 503),
)
def show_policy(request: Request) -> Response:
    """Show who decides, in which mode, and how often the guard had to."""
    return answer(PolicyOut.of(context_of(request).service.policy_control.view()))


@router.put(
    "/policies/active",
    response_model=PolicyOut,
    responses=responses.of("policy", 400, 401, 403, 404, 413, 415, 422, 503),
)
def use_policy(
    request: Request, policy: Annotated[PolicyIn, Body(openapi_examples=bodies.POLICIES)]
) -> Response:
    """Let another policy decide from the next round on; it is remembered over restarts."""
    who = admin(request)
    context = context_of(request)
    with naming():
        active = context.service.policy_control.use(
            policy.name, mode=policy.mode, preference=policy.preference, actor=who.user
        )
    return answer(PolicyOut.of(active))


@router.get(
    "/notifications",
    response_model=NotificationsOut,
    responses=responses.of("notifications", 401, 403, 503),
)
def show_notifications(request: Request) -> Response:
    """Show notifications that have not arrived yet; for admins."""
    admin(request)
    found = map(PendingMessageOut.of, context_of(request).service.notifier.pending())
    return answer(NotificationsOut(pending=tuple(found)))


@router.get(
    "/preferences",
    response_model=PreferencesOut,
    responses=responses.of("preferences", 401, 503),
)
def show_preferences(request: Request) -> Response:
    """Show how much speed is worth to jobs that do not say."""
    return answer(PreferencesOut.of(context_of(request).service.policy_control.preferences()))


@router.put(
    "/preferences",
    response_model=PreferencesOut,
    responses=responses.of("preferences", 400, 401, 403, 413, 415, 422, 503),
)
def set_preferences(
    request: Request,
    preferences: Annotated[PreferencesIn, Body(openapi_examples=bodies.PREFERENCES)],
) -> Response:
    """Change the cluster's or projects' preferences from the next round on; remembered."""
    who = admin(request)
    now = context_of(request).service.policy_control.prefer(
        preferences.cluster, preferences.projects, actor=who.user
    )
    return answer(PreferencesOut.of(now))


@router.get("/costs", response_model=CostsOut, responses=responses.of("costs", 401, 422, 503))
def sum_costs(
    request: Request,
    by: Annotated[CostGroup, Query()] = "user",
    since: Annotated[Instant | None, Query(description="By its end; inclusive.")] = None,
    until: Annotated[Instant | None, Query(description="Exclusive.")] = None,
) -> Response:
    """Sum measured device time, dollars and joules of ended attempts."""
    context = context_of(request)
    start, end = unix(since), unix(until)
    costs = context.service.store.costs(by, since=start, until=end)
    idle = context.service.cluster.idle_costs(start, end)
    return answer(CostsOut.of_groups(by, costs, idle))


@router.get(
    "/estimates",
    response_model=EstimatesOut,
    responses=responses.of("estimates", 401, 422, 503),
)
def show_estimates(
    request: Request,
    by: Annotated[Literal["source", "kind"], Query(description="Group errors by this.")] = "source",
    limit: Annotated[int, Query(ge=0, le=10_000, description="Of single measurements.")] = 100,
) -> Response:
    """Show how far the estimates of runtimes were from the truth."""
    context = context_of(request)
    measured = context.service.store.measurements()
    errors = accuracy.errors(measured, _GROUPS[by], context.service.estimator.learned.covered())
    newest = measured[len(measured) - min(limit, len(measured)) :]
    return answer(
        EstimatesOut(
            by=by,
            errors=tuple(map(ErrorOut.model_validate, errors)),
            measurements=tuple(MeasurementOut.of(one) for one in reversed(newest)),
        )
    )


@router.get(
    "/events",
    response_model=EventPage,
    responses=responses.of("events", 401, 422, 503),
)
def list_events(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """Tell all that happened to all jobs, oldest first."""
    context = context_of(request)
    events = context.service.store.events(after=after, limit=limit)
    return answer(
        EventPage.model_construct(
            events=tuple(map(EventOut.of, events)), next_after=events[-1].seq if events else after
        )
    )
