"""What the endpoints share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Annotated, Any

import anyio
from fastapi import Header, Path, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from agents.registry.registry import Registry
from api.http.auth import Caller, Role, TokenAuthenticator
from api.http.errors.problems import HttpError
from api.http.intake import Intake
from api.http.metrics.telemetry import Telemetry
from api.http.preflight_process import Preflight
from api.http.sessions import Sessions
from api.schemas.fields import MAX_ID
from scheduler import json_values
from scheduler.clock import Clock
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.domain.jobs import Job
from scheduler.domain.notifications import without_path
from scheduler.policies.schedules.library import Library
from scheduler.service.holder import ServiceHolder
from scheduler.service.service import Service
from scheduler.store import codec

MOST_WAITING = 256
"""Requests that may wait for a job's change or follow a log at the same time, each in a thread."""


@dataclass(slots=True)
class AppContext:
    """The service and everything that endpoints need beside it."""

    services: ServiceHolder
    data_dir: FilePath
    clock: Clock
    intake: Intake
    telemetry: Telemetry
    registry: Registry
    schedules: Library
    authenticator: TokenAuthenticator
    sessions: Sessions
    preflight: Preflight
    waiting: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(MOST_WAITING)
    )
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the server stops: requests that wait or follow end then."""

    @property
    def service(self) -> Service:
        """The service that answers now."""
        return self.services.current


def context_of(request: Request) -> AppContext:
    """The context of the application that got the request.

    A plain call where FastAPI would have a dependency: that costs each request a tenth of a
    millisecond, and a submission is to be quick.
    """
    found: AppContext = request.app.state.context
    return found


def submitter(request: Request) -> Caller:
    """The caller; raises `HttpError` unless they may submit."""
    identity: Caller = request.scope["fulcrum.identity"]
    if identity.role is Role.VIEWER:
        raise HttpError("forbidden", f"the token of {identity.user} is for viewing only")
    return identity


def admin(request: Request) -> Caller:
    """The caller; raises `HttpError` unless they are an admin."""
    identity: Caller = request.scope["fulcrum.identity"]
    if identity.role is not Role.ADMIN:
        raise HttpError("forbidden", f"{identity.user} is {identity.role}; this takes an admin")
    return identity


HIDDEN = "***"
"""Stands for what only a job's user and admins see."""
JobId = Annotated[int, Path(ge=1, le=MAX_ID, description="Number of the job.", examples=[17])]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any unique text: the same request with the same key is carried out once.",
        examples=["5f1f2c3e-8a1b-4b53-9f44-0b8a3e6a7c11"],
    ),
]


def reader(request: Request) -> Caller:
    """The caller; every token may read."""
    identity: Caller = request.scope["fulcrum.identity"]
    return identity


def visible(job: Job, identity: Caller) -> Job:
    """The job as `identity` may see it.

    Values of its variables, and paths of webhooks, are for its user and admins.
    """
    spec = job.spec
    variables = spec.work.get("env")
    hides = variables or spec.notify.to
    if not hides or identity.role is Role.ADMIN or identity.user == spec.user:
        return job
    work = {**spec.work, "env": dict.fromkeys(variables, HIDDEN)} if variables else spec.work
    notify = replace(spec.notify, to=tuple(map(without_path, spec.notify.to)))
    return replace(job, spec=replace(spec, work=work, notify=notify))


def require_owner(identity: Caller, what: str, owner: str) -> None:
    """Raise unless `identity` may change `what` (`job 3`) of `owner`."""
    if identity.role is not Role.ADMIN and identity.user != owner:
        raise HttpError("forbidden", f"{what} belongs to {owner}")


class Route(APIRoute):
    """A route that refuses unknown parameters: a misspelt filter would show the wrong jobs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind the check."""
        handle = super().get_route_handler()
        legal = [field.alias for field in self.dependant.query_params]

        async def checked(request: Request) -> Response:
            unknown = [name for name in request.query_params if name not in legal]
            if unknown:
                text = f"unknown parameter; legal: {', '.join(legal) or 'none'}"
                raise InputError(f"unknown parameter {unknown[0]!r}", dict.fromkeys(unknown, text))
            return await handle(request)

        return checked


@contextmanager
def naming() -> Iterator[None]:
    """Report what is wrong with a policy under the field `name` of the body."""
    try:
        yield
    except FulcrumError as error:
        if "policy" in error.fields:
            error.fields["name"] = error.fields.pop("policy")
        raise


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The response with the model as JSON; it is not validated again.

    Text that UTF-8 cannot hold, as older services stored it, is answered as its escapes.
    """
    try:
        text = model.model_dump_json()
    except PydanticSerializationError:
        text = codec.dumps(json_values.plain(model.model_dump(mode="json")))
    return Response(text.encode(), status, headers, media_type="application/json")
