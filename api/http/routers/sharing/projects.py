"""Projects: shares, quotas and usage."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response

from api.http.context import Route, admin, answer, context_of
from api.http.openapi import bodies, responses
from api.schemas import ProjectIn, ProjectOut, ProjectsOut
from api.schemas.fields import PROJECT_PATTERN

router = APIRouter(route_class=Route, prefix="/v1/projects", tags=["cluster"])

Name = Annotated[
    str, Path(pattern=PROJECT_PATTERN, description="Name of the project.", examples=["vision"])
]


@router.get("", response_model=ProjectsOut, responses=responses.of("projects", 401, 503))
def list_projects(request: Request) -> Response:
    """List the projects with their shares, quotas and usage."""
    views = context_of(request).service.projects.views()
    return answer(ProjectsOut(projects=tuple(map(ProjectOut.of, views))))


@router.get(
    "/{name}", response_model=ProjectOut, responses=responses.of("project", 401, 404, 422, 503)
)
def show_project(request: Request, name: Name) -> Response:
    """Show one project."""
    return answer(ProjectOut.of(context_of(request).service.projects.view(name)))


@router.patch(
    "/{name}",
    response_model=ProjectOut,
    responses=responses.of("project", 400, 401, 403, 413, 415, 422, 503),
)
def change_project(
    request: Request,
    name: Name,
    change: Annotated[ProjectIn, Body(openapi_examples=bodies.PROJECTS)],
) -> Response:
    """Change a project's share and quotas from the next round on; it need not exist before."""
    who = admin(request)
    projects = context_of(request).service.projects
    hard, soft = change.hard.changes(), change.soft.changes()
    return answer(ProjectOut.of(projects.change(name, change.share, hard, soft, actor=who.user)))
