"""For those who watch the service."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import examples
from api.doors import Door, answer
from api.schemas import HealthOut

router = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    response_model=HealthOut,
    responses=examples.responses("health"),
    openapi_extra={"security": []},
)
async def check_health() -> Response:
    """Tell that the process answers; needs no token."""
    return answer(HealthOut(status="ok"))


@router.get(
    "/readyz",
    response_model=HealthOut,
    responses=examples.responses("health", 503),
    openapi_extra={"security": []},
)
def check_readiness(doors: Door) -> Response:
    """Tell whether jobs can be accepted and started; needs no token."""
    doors.service.ready()
    return answer(HealthOut(status="ok"))


@router.get("/metrics", response_class=Response, responses=examples.prometheus(401, 503))
def scrape(doors: Door) -> Response:
    """Tell all figures in Prometheus' text format."""
    return Response(doors.telemetry.text(), media_type=CONTENT_TYPE_LATEST)
