"""Signing in on the web page, and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import Response

from api.http import sessions
from api.http.context import Route, answer, context_of
from api.http.errors.problems import HttpError
from api.http.openapi import bodies, responses
from api.schemas import SessionIn, SessionOut

router = APIRouter(route_class=Route, prefix="/v1", tags=["session"])

OPEN: dict[str, Any] = {"security": []}


@router.get(
    "/session",
    response_model=SessionOut,
    responses=responses.of("session"),
    openapi_extra=OPEN,
)
async def show_session(request: Request) -> Response:
    """Tell who the caller is, by token or session; nulls for a stranger."""
    caller = request.scope["fulcrum.identity"]
    if caller is None:
        return answer(SessionOut(user=None, role=None))
    return answer(SessionOut(user=caller.user, role=caller.role.value))


@router.post(
    "/session",
    response_model=SessionOut,
    responses=responses.of("session", 400, 401, 413, 415, 422),
    openapi_extra=OPEN,
)
def sign_in(
    request: Request, session: Annotated[SessionIn, Body(openapi_examples=bodies.SESSIONS)]
) -> Response:
    """Begin a session: its cookie stands for the token, and no script can read it.

    A request that changes something with the cookie must also have the header `Fulcrum-Page: 1`.
    """
    begun = context_of(request).sessions.begin(session.token)
    if begun is None:
        raise HttpError("unauthorized", "the token is not valid", {"token": "a valid token"})
    secret, caller = begun
    response = answer(SessionOut(user=caller.user, role=caller.role.value))
    response.set_cookie(
        sessions.cookie_name(_port(request)),
        secret,
        max_age=int(sessions.LIFETIME_S),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete(
    "/session",
    response_model=SessionOut,
    responses=responses.of("session", 403),
    openapi_extra=OPEN,
)
def sign_out(request: Request) -> Response:
    """End the session of the request's cookie; without one, nothing happens."""
    name = sessions.cookie_name(_port(request))
    secret = request.cookies.get(name)
    if secret:
        context_of(request).sessions.end(secret)
    response = answer(SessionOut(user=None, role=None))
    response.delete_cookie(name, httponly=True, samesite="strict")
    return response


def _port(request: Request) -> int:
    port: int = request.scope["server"][1]
    return port
