"""The server of the API's tests, and browsers that signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.http.auth import create_token
from tests.api.conftest import World, serving


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data") as found:
        yield found


def signed_in(world: World, role: str = "admin", user: str = "ben") -> httpx.Client:
    """A client with a session's cookie and the page's header, as the page has them."""
    token = world.token if role == "admin" else create_token(world.folder, user, role)[0]
    client = world.with_token(None)
    answer = client.post("/v1/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    client.headers["Fulcrum-Page"] = "1"
    return client
