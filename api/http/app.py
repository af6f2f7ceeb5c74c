"""The HTTP interface: one ASGI application over a service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware

from agents.registry.registry import Registry
from api.http.asgi.middleware import (
    LOOPBACK,
    Authentication,
    BodyLimit,
    Hosts,
    LastResort,
    Observation,
)
from api.http.asgi.security_headers import SecurityHeaders
from api.http.auth import TokenAuthenticator
from api.http.context import AppContext
from api.http.errors import problems
from api.http.groups import sweeps
from api.http.intake import Intake
from api.http.metrics.telemetry import Telemetry
from api.http.openapi import responses
from api.http.preflight_process import Preflight
from api.http.recurring import LOOK_S, Recurrence
from api.http.routers import (
    bulk,
    cluster,
    health,
    jobs,
    nodes,
    outputs,
    page,
    policies,
    policy_jobs,
    registry,
    sessions,
    storage,
)
from api.http.routers.sharing import projects, secrets
from api.http.sessions import Sessions
from api.schemas import Problem
from scheduler.clock import Clock, SystemClock
from scheduler.policies.schedules.library import Library
from scheduler.service.holder import ServiceHolder
from scheduler.service.maintenance.housekeeping import Housekeeping, PeriodicTask
from scheduler.service.service import Service
from scheduler.settings import Settings

TITLE = "Fulcrum"
DESCRIPTION = """Schedules a team's CNN training and inference jobs on its own GPUs and CPUs.

Every path but `/healthz`, `/readyz`, `/v1/proof` and `/v1/session` takes `Authorization: Bearer
TOKEN`, or the cookie of a session. Every error is a problem document (RFC 9457) with a stable
`code`."""


def create_app(
    service: Service | ServiceHolder,
    settings: Settings,
    *,
    clock: Clock | None = None,
    allowed_hosts: Sequence[str] | None = None,
) -> FastAPI:
    """The application; its lifespan starts and stops the service, or those that a holder holds.

    `allowed_hosts` are the Host headers answered (`*`: all). Default: loopback names if the
    service listens on loopback only; all if it was told to listen elsewhere, for then it goes by
    names it does not know, and each request needs a token that no web page has.
    """
    services = service if isinstance(service, ServiceHolder) else ServiceHolder(service)
    context = _context(services, settings, clock or SystemClock())
    app = FastAPI(
        title=TITLE,
        version=version("fulcrum-scheduler"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        openapi_url="/openapi.json",
        docs_url=None,  # these pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        generate_unique_id_function=lambda route: route.name,
        middleware=[
            Middleware(Observation, telemetry=context.telemetry),
            Middleware(SecurityHeaders),
            Middleware(LastResort),
            Middleware(Hosts, allowed=allowed_hosts or _hosts(settings)),
            Middleware(
                Authentication,
                authenticator=context.authenticator,
                sessions=context.sessions,
            ),
            Middleware(BodyLimit, most=int(settings.max_body_bytes)),
        ],
    )
    app.state.context = context
    problems.install(app)
    # Paths with a policy's name come after those that say what they are.
    parts = (
        *(jobs, bulk, outputs, cluster, nodes, policies, policy_jobs, registry, storage, health),
        *(projects, secrets, sessions, sweeps, page),
    )
    routers = [jobs.direct, *(part.router for part in parts)]
    app.state.routes = [route for router in routers for route in router.routes]
    for router in routers:
        app.include_router(router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _context(services: ServiceHolder, settings: Settings, clock: Clock) -> AppContext:
    authenticator = TokenAuthenticator(settings.data_dir)
    return AppContext(
        services=services,
        data_dir=settings.data_dir.absolute(),
        clock=clock,
        intake=Intake(lambda: services.current, clock),
        telemetry=Telemetry(services),
        registry=Registry(settings.data_dir),
        schedules=Library(settings.data_dir),
        authenticator=authenticator,
        sessions=Sessions(settings.data_dir, authenticator, clock),
        preflight=Preflight(),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: AppContext = app.state.context
    recurrence = Recurrence(context.services, context.clock)
    periodic = Housekeeping([PeriodicTask("the look at series", LOOK_S, recurrence.look)])
    await anyio.to_thread.run_sync(context.services.start)
    periodic.start()
    try:
        yield
    finally:
        context.closing.set()
        await anyio.to_thread.run_sync(periodic.stop)
        await anyio.to_thread.run_sync(context.services.stop)


def _hosts(settings: Settings) -> Sequence[str]:
    host = settings.host
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host in LOOPBACK
    return (*LOOPBACK, host) if local else ("*",)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with what FastAPI does not know: the token and the problem document."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        responses.complete(document)
        components = document.setdefault("components", {})
        model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        definitions = model.pop("$defs")
        components.setdefault("schemas", {}).update({"Problem": model, **definitions})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema
