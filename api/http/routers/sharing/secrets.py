"""Secrets of projects: they are set and removed, and never read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import Response

from api.http.context import Route, answer, context_of, submitter
from api.http.openapi import bodies, responses
from api.schemas import SecretIn, SecretOut, SecretsOut
from api.schemas.fields import PROJECT_PATTERN, VARIABLE_PATTERN

router = APIRouter(route_class=Route, prefix="/v1/secrets", tags=["cluster"])

Project = Annotated[
    str, Path(pattern=PROJECT_PATTERN, description="Name of the project.", examples=["vision"])
]
Name = Annotated[
    str, Path(pattern=VARIABLE_PATTERN, description="Name of the secret.", examples=["HF_TOKEN"])
]


@router.get("", response_model=SecretsOut, responses=responses.of("secrets", 401, 422, 503))
def list_secrets(
    request: Request,
    project: Annotated[str | None, Query(max_length=63, description="Of this one only.")] = None,
) -> Response:
    """List the secrets of projects, without their values."""
    entries = context_of(request).service.secrets.entries(project)
    return answer(SecretsOut(secrets=tuple(map(SecretOut.of, entries))))


@router.put(
    "/{project}/{name}",
    response_model=SecretOut,
    responses=responses.of("secret", 400, 401, 403, 413, 415, 422, 503),
)
def set_secret(
    request: Request,
    project: Project,
    name: Name,
    secret: Annotated[SecretIn, Body(openapi_examples=bodies.SECRETS)],
) -> Response:
    """Keep a secret, encrypted, in place of an earlier one of that name."""
    who = submitter(request)
    vault = context_of(request).service.secrets
    entry = vault.set(project, name, secret.value.get_secret_value(), actor=who.user)
    return answer(SecretOut.of(entry))


@router.delete(
    "/{project}/{name}",
    response_model=SecretsOut,
    responses=responses.of("secrets", 401, 403, 404, 422, 503),
)
def remove_secret(request: Request, project: Project, name: Name) -> Response:
    """Forget a secret; answers with those that the project has left."""
    submitter(request)
    context_of(request).service.secrets.remove(project, name)
    return list_secrets(request, project)
