"""For those who watch the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import examples
from api.client import proof
from api.doors import Route, answer, doors_of
from api.schemas import HealthOut, ProofOut

router = APIRouter(route_class=Route, tags=["health"])


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
def check_readiness(request: Request) -> Response:
    """Tell whether jobs can be accepted and started; needs no token."""
    doors = doors_of(request)
    doors.service.ready()
    return answer(HealthOut(status="ok"))


@router.get(
    proof.PATH,
    response_model=ProofOut,
    responses=examples.responses("proof", 422),
    openapi_extra={"security": []},
)
async def prove_identity(
    request: Request,
    nonce: Annotated[
        str, Query(pattern="^[0-9a-f]{32,128}$", description="Random bytes.", examples=["5f" * 32])
    ],
) -> Response:
    """Prove that this service knows the token of its data folder; needs no token.

    `proof` is HMAC-SHA256 of `fulcrum proof PORT NONCE` with the SHA-256 of the token as the key.
    """
    _, port = request.scope["server"]
    return answer(ProofOut(proof=doors_of(request).gate.proof(nonce, port)))


@router.get("/metrics", response_class=Response, responses=examples.prometheus(401, 503))
def scrape(request: Request) -> Response:
    """Tell all figures in Prometheus' text format."""
    doors = doors_of(request)
    return Response(doors.telemetry.text(), media_type=CONTENT_TYPE_LATEST)
