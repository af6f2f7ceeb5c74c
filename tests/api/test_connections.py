"""Idle connections do not block other clients."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from api.http.asgi import connections, middleware
from tests.api.conftest import ENDLESS, World, serving


def connected(world: World) -> socket.socket:
    host, port = world.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=ENDLESS)


def ended(one: socket.socket) -> bool:
    """Waits until the service has closed it."""
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_oldest_silent_ones_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MOST", 8)
    with serving(tmp_path / "data") as world:
        world.client.get("/healthz").raise_for_status()
        silent = [connected(world) for _ in range(30)]
        assert world.client.get("/v1/jobs").status_code == 200
        assert all(ended(one) for one in silent[:20])
        for one in silent:
            one.close()
    said = [record for record in caplog.records if "ask for nothing" in record.message]
    assert len(said) == 1, "one line, not one a connection"
    assert said[0].levelno == logging.WARNING


def test_half_a_head_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.1)
    with serving(tmp_path / "data") as world, connected(world) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        assert ended(one)


def test_half_a_body_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_S", 0.1)
    with serving(tmp_path / "data") as world:
        status, body = world.raw(
            f"POST /v1/jobs HTTP/1.1\nHost: localhost\nAuthorization: Bearer {world.token}\n"
            "Content-Type: application/json\nContent-Length: 50",
            b'{"kind"',
        )
        assert (status, b"too-slow" in body) == (408, True)
