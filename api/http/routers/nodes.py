"""The nodes of the cluster: what they are, and whether jobs may start on them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import Response

from api.http.context import Route, admin, answer, context_of
from api.http.openapi import bodies, responses
from api.schemas import DrainIn, NodeEventOut, NodeEventPage, NodeOut, NodesOut
from scheduler.service.dispatch.messages import NodeChange

router = APIRouter(route_class=Route, prefix="/v1/nodes", tags=["cluster"])

Name = Annotated[str, Path(max_length=253, description="Name of the node.", examples=["gpu-a"])]


@router.get("", response_model=NodesOut, responses=responses.of("nodes", 401, 503))
def list_nodes(request: Request) -> Response:
    """List the nodes with their states, pools and jobs."""
    views = context_of(request).service.node_control.views()
    return answer(NodesOut(nodes=tuple(map(NodeOut.of, views))))


@router.get(
    "/events", response_model=NodeEventPage, responses=responses.of("node-events", 401, 422, 503)
)
def list_node_events(
    request: Request,
    node: Annotated[str | None, Query(max_length=253, description="Of this node only.")] = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Response:
    """Tell what happened to nodes, oldest first; also to nodes that were retired."""
    events = context_of(request).service.store.node_events(node, after=after, limit=limit)
    return answer(
        NodeEventPage(
            events=tuple(map(NodeEventOut.of, events)),
            next_after=events[-1].seq if events else after,
        )
    )


@router.post(
    "/{name}/drain",
    response_model=NodesOut,
    responses=responses.of("nodes", 400, 401, 403, 404, 413, 415, 422, 503),
)
def drain_node(
    request: Request, name: Name, wish: Annotated[DrainIn, Body(openapi_examples=bodies.DRAINS)]
) -> Response:
    """Let no further job start on a node; those that run there go on."""
    return _changed(request, name, NodeChange.DRAIN, wish.reason)


@router.post(
    "/{name}/resume",
    response_model=NodesOut,
    responses=responses.of("nodes", 401, 403, 404, 503),
)
def resume_node(request: Request, name: Name) -> Response:
    """Let jobs start on a drained node again."""
    return _changed(request, name, NodeChange.RESUME)


@router.post(
    "/{name}/retire",
    response_model=NodesOut,
    responses=responses.of("nodes", 401, 403, 404, 409, 503),
)
def retire_node(request: Request, name: Name) -> Response:
    """Forget a node that is gone for good. Its history stays."""
    return _changed(request, name, NodeChange.RETIRE)


def _changed(request: Request, name: str, change: NodeChange, reason: str = "") -> Response:
    who = admin(request)
    service = context_of(request).service
    service.node_control.change(name, change, actor=who.user, reason=reason)
    return list_nodes(request)
