"""For those who watch the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.client import proof
from api.http.context import Route, answer, context_of
from api.http.openapi import responses
from api.schemas import HealthOut, LeaderOut, ProblemOut, ProofOut
from scheduler.domain.errors import OutageError
from scheduler.problems import HealthProblem
from scheduler.validation import pattern

router = APIRouter(route_class=Route, tags=["health"])


@router.get(
    "/healthz",
    response_model=HealthOut,
    responses=responses.of("health"),
    openapi_extra={"security": []},
)
async def check_health() -> Response:
    """Tell that the process answers; needs no token."""
    return answer(HealthOut(status="ok"))


@router.get(
    "/readyz",
    response_model=HealthOut,
    responses=responses.of("health", 503),
    openapi_extra={"security": []},
)
def check_readiness(request: Request) -> Response:
    """Tell whether jobs can be accepted and started, and what is not well; needs no token.

    If they cannot, `errors` of the problem document names each reason by the part it lies in.
    """
    service = context_of(request).service
    problems = service.problems()
    if any(problem.fatal for problem in problems):
        raise not_ready(problems)
    leader = service.sharing.leader()
    return answer(
        HealthOut(
            status="ok",
            problems=tuple(map(ProblemOut.model_validate, problems)),
            leader=None if leader is None else LeaderOut.of(leader),
        )
    )


def not_ready(problems: Sequence[HealthProblem]) -> OutageError:
    """The error that names the part of each problem, those of one part in order."""
    fields: dict[str, str] = {}
    for one in problems:
        told = sum(name.partition(".")[0] == one.part for name in fields)
        name = f"{one.part}.{told + 1}" if told else one.part
        fields[name] = f"{one.text}; {one.advice}" if one.advice else one.text
    fatal = "; ".join(one.text for one in problems if one.fatal)
    return OutageError(f"the service is not ready: {fatal}", fields)


@router.get(
    proof.PATH,
    response_model=ProofOut,
    responses=responses.of("proof", 422),
    openapi_extra={"security": []},
)
async def prove_identity(
    request: Request,
    nonce: Annotated[
        str,
        Query(
            pattern=pattern("^[0-9a-f]{32,128}$", "32 to 128 hexadecimal digits"),
            description="Random bytes.",
            examples=["5f" * 32],
        ),
    ],
) -> Response:
    """Prove that this service knows the token of its data folder; needs no token.

    `proof` is HMAC-SHA256 of `fulcrum proof PORT NONCE` with the SHA-256 of the token as the key.
    """
    _, port = request.scope["server"]
    return answer(ProofOut(proof=context_of(request).authenticator.proof(nonce, port)))


@router.get("/metrics", response_class=Response, responses=responses.prometheus(401, 503))
def scrape(request: Request) -> Response:
    """Tell all figures in Prometheus' text format."""
    context = context_of(request)
    return Response(context.telemetry.text(), media_type=CONTENT_TYPE_LATEST)
