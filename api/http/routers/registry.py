"""Registered policies, each in one file, and the scenarios that they are trained on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from agents.registry.registry import Entry
from api.http.context import AppContext, Route, admin, answer, context_of, naming
from api.http.openapi import responses
from api.schemas import PolicySummary
from api.schemas.registry import AuditEventOut, RegisteredPolicyOut, ScenariosOut

MEDIA_TYPE = "application/octet-stream"
router = APIRouter(route_class=Route, prefix="/v1", tags=["policies"])

Name = Annotated[
    str,
    Path(max_length=200, description="`NAME` or `NAME@DIGEST`.", examples=["our-lab@3f9a0c1d2e4b"]),
]


@router.get(
    "/policies/{name}",
    response_model=RegisteredPolicyOut,
    responses=responses.of("registered", 401, 404, 422, 503),
)
def show_registered_policy(request: Request, name: Name) -> Response:
    """Show a registered policy: its manifest, its validation beside the heuristics, its history."""
    context = context_of(request)
    with naming():
        entry = context.registry.find(name)
    return answer(_registered(context, entry))


@router.get(
    "/policies/{name}/file",
    response_class=Response,
    responses=responses.policy_file(401, 404, 422, 503),
)
def export_policy(request: Request, name: Name) -> Response:
    """Fetch a registered policy as one file, to import it elsewhere."""
    with naming():
        entry, content = context_of(request).registry.export(name)
    headers = {
        "Content-Disposition": f'attachment; filename="{entry.name}.onnx"',
        "ETag": f'"{entry.digest}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, 200, headers, MEDIA_TYPE)


@router.put(
    "/policies/{name}/file",
    response_model=PolicySummary,
    responses=responses.of("imported", 400, 401, 403, 409, 413, 415, 422, 503),
    openapi_extra=responses.POLICY_BODY,
)
async def import_policy(
    request: Request,
    name: Annotated[str, Path(max_length=60, examples=["our-lab"])],
) -> Response:
    """Register a policy from its file; nothing in it is run. The same file again changes nothing.

    Its state is `candidate`: it decides nothing until it is promoted or chosen.
    """
    who = admin(request)
    context = context_of(request)
    content = await request.body()
    entry = await anyio.to_thread.run_sync(
        context.registry.add, name, content, f"PUT {request.url.path} by {who.user}"
    )
    active = await anyio.to_thread.run_sync(context.service.policy_control.view)
    return answer(PolicySummary.learned(entry, active.name))


@router.get(
    "/scenarios",
    response_model=ScenariosOut,
    responses=responses.of("scenarios", 401, 503),
)
def list_scenarios(request: Request) -> Response:
    """List the scenarios that come with Fulcrum, by name."""
    return answer(
        ScenariosOut.model_validate({"scenarios": context_of(request).preflight.scenarios()})
    )


def _registered(context: AppContext, entry: Entry) -> RegisteredPolicyOut:
    fault = entry.fault()
    return RegisteredPolicyOut.from_values(
        entry,
        name=entry.reference,
        active=entry.reference == context.service.policy_control.view().name,
        fault=fault,
        manifest=None if fault else asdict(entry.manifest()),
        history=tuple(map(AuditEventOut.of, context.registry.history(entry))),
    )
