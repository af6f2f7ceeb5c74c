"""The server of the API's tests, and browsers that signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.auth import create_token
from tests.api.conftest import World, serving
from tests.web.visits import BROWSER, BROWSERS, DESK, FLAGS, Visit


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, world: World) -> Iterator[Visit]:
    """A visit whose console must stay silent, and where nothing planted may run."""
    context = browser.new_context(viewport=DESK)
    found = Visit(context.new_page(), world.url)
    yield found
    assert found.said == []
    assert found.page.evaluate("window.planted") is None
    context.close()


def signed_in(world: World, role: str = "admin", user: str = "ben") -> httpx.Client:
    """A client with a session's cookie and the page's header, as the page has them."""
    token = world.token if role == "admin" else create_token(world.folder, user, role)[0]
    client = world.with_token(None)
    answer = client.post("/v1/session", json={"token": token})
    assert answer.status_code == 200, answer.text
    client.headers["Fulcrum-Page"] = "1"
    return client
