"""The web page and its files; they need no token, for they hold no data."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.asgi.security_headers import ASSETS
from api.http.context import Route
from api.http.errors.problems import HttpError
from api.http.web.assets import INDEX, assets

router = APIRouter(route_class=Route, include_in_schema=False)


@router.get("/")
async def show_page(request: Request) -> Response:
    """Show the page, which then asks the HTTP API."""
    return _asset(request, INDEX)


@router.get(f"{ASSETS}{{name:path}}")
async def fetch_asset(request: Request, name: str) -> Response:
    """Fetch a file of the page."""
    return _asset(request, name)


def _asset(request: Request, name: str) -> Response:
    found = assets().get(name)
    if found is None:
        raise HttpError("not-found", f"there is no {request.url.path}")
    # A browser asks each time whether its copy is still right, so that an update is seen at once.
    headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(b"", 304, headers)
    return Response(found.content, 200, headers, found.media_type)
