"""Signing in: what a session may do, and what a forged request with its cookie may not."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from api.http.auth import TokenAuthenticator, create_token, list_tokens, revoke_token
from api.http.sessions import LIFETIME_S, MOST, Sessions
from scheduler.domain.lifecycle import JobState
from scheduler.testing.clock import ManualClock
from tests.api.conftest import COMMAND, World, serving
from tests.web.conftest import signed_in


def test_a_session_does_what_its_token_does(world: World) -> None:
    client = signed_in(world)
    made = client.post("/v1/jobs", json=COMMAND)
    assert made.status_code == 201
    number = made.json()["id"]
    assert client.get("/v1/jobs").json()["jobs"][0]["id"] == number
    assert client.post(f"/v1/jobs/{number}/cancel", json={}).status_code == 200
    world.until(number, JobState.CANCELLED)
    assert client.get("/v1/session").json()["role"] == "admin"


def test_the_cookie_is_for_the_service_alone(world: World) -> None:
    client = world.with_token(None)
    answer = client.post("/v1/session", json={"token": world.token})
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
        assert part in cookie
    assert "Secure" not in cookie  # plain HTTP on loopback
    assert world.token not in cookie
    assert world.token not in answer.text
    behind_tls = world.with_token(None).post(
        "/v1/session", json={"token": world.token}, headers={"X-Forwarded-Proto": "https"}
    )
    assert "Secure" in behind_tls.headers["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Fulcrum-Page": ""},
        {"Sec-Fetch-Site": "cross-site", "Fulcrum-Page": "1"},
        {"Sec-Fetch-Site": "same-site", "Fulcrum-Page": "1"},
    ],
)
def test_a_forged_request_changes_nothing(world: World, headers: dict[str, str]) -> None:
    client = signed_in(world)
    if not headers["Fulcrum-Page"]:
        del client.headers["Fulcrum-Page"]
        headers = {}
    before = world.trace()
    answer = client.post("/v1/jobs", json=COMMAND, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert world.trace() == before


def test_pages_of_other_sites_and_ports_read_nothing(world: World) -> None:
    client = signed_in(world)
    for site in ("cross-site", "same-site"):
        assert client.get("/v1/jobs", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.get("/v1/jobs", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert "access-control-allow-origin" not in client.get("/v1/jobs").headers


def test_a_form_of_another_site_cannot_sign_in(world: World) -> None:
    stranger = world.with_token(None)
    answer = stranger.post("/v1/session", data={"token": world.token})
    assert answer.status_code == 415
    text = stranger.post(
        "/v1/session",
        content=f'{{"token": "{world.token}"}}',
        headers={"Content-Type": "text/plain"},
    )
    assert text.status_code == 415
    assert not stranger.cookies


def test_a_token_that_is_not_valid_opens_nothing(world: World) -> None:
    stranger = world.with_token(None)
    for token in ("x", world.token[:-1], f"{world.token} {world.token}"):
        answer = stranger.post("/v1/session", json={"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    assert stranger.get("/v1/session").json() == {"user": None, "role": None}
    assert stranger.get("/v1/jobs").status_code == 401
    name = f"fulcrum-session-{world.listener.getsockname()[1]}"
    stranger.cookies.set(name, "made-up")
    assert stranger.get("/v1/jobs").status_code == 401


def test_signing_out_ends_the_session(world: World) -> None:
    client = signed_in(world)
    stolen = dict(client.cookies)
    assert client.delete("/v1/session").status_code == 200
    assert not client.cookies
    thief = world.with_token(None)
    thief.cookies.update(stolen)
    assert thief.get("/v1/jobs").status_code == 401


def test_bearer_tokens_need_no_header_of_the_page(world: World) -> None:
    assert world.client.post("/v1/jobs", json=COMMAND).status_code == 201
    assert world.client.get("/v1/session").json()["role"] == "admin"


def test_roles_count_for_sessions(world: World) -> None:
    number = world.submit()
    viewer = signed_in(world, "viewer")
    assert viewer.get(f"/v1/jobs/{number}").status_code == 200
    assert viewer.post("/v1/jobs", json=COMMAND).status_code == 403
    assert viewer.post(f"/v1/jobs/{number}/cancel", json={}).status_code == 403
    user = signed_in(world, "user", "cleo")
    assert user.post("/v1/jobs", json=COMMAND).json()["user"] == "cleo"
    assert user.post(f"/v1/jobs/{number}/cancel", json={}).status_code == 403
    assert user.put("/v1/policies/active", json={"name": "sjf"}).status_code == 403


def test_a_session_ends_with_its_token_and_outlives_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as world:
        client = signed_in(world, "user")
        name, secret = next(iter(client.cookies.items()))
        stored = tmp_path / "data" / "sessions.json"
        assert stat.S_IMODE(stored.stat().st_mode) == 0o600
        assert secret not in stored.read_text()
    with serving(tmp_path / "data") as world:
        client = world.with_token(None)
        port = world.listener.getsockname()[1]
        client.cookies.set(f"fulcrum-session-{port}", secret)
        assert name.startswith("fulcrum-session-")
        assert client.get("/v1/session").json()["user"] == "ben"
        revoke_token(tmp_path / "data", list_tokens(tmp_path / "data")[0].id)
        assert client.get("/v1/jobs").status_code == 401


def test_sessions_end_with_their_time_and_are_not_without_number(tmp_path: Path) -> None:
    clock = ManualClock(1000.0)
    sessions = Sessions(tmp_path, TokenAuthenticator(tmp_path, owner="ann"), clock)
    text, _ = create_token(tmp_path, "ben")
    begun = sessions.begin(text)
    assert begun is not None
    secret, _ = begun
    assert sessions.caller(secret) is not None
    clock.advance(LIFETIME_S)
    assert sessions.caller(secret) is None
    for _ in range(3):
        assert sessions.begin(text) is not None
    assert len(Sessions(tmp_path, TokenAuthenticator(tmp_path), clock)._sessions) == 3
    assert MOST == 1000


def test_a_damaged_file_signs_everybody_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sessions.json").write_text("[1")
    with caplog.at_level(logging.ERROR):
        sessions = Sessions(tmp_path, TokenAuthenticator(tmp_path, owner="ann"), ManualClock())
    assert "everybody must sign in again" in caplog.text
    assert sessions.caller("x") is None


def test_no_token_or_session_reaches_a_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client = signed_in(world)
        client.get("/v1/jobs")
        client.post("/v1/session", json={"token": "wrong-but-secret"})
    secret = next(iter(client.cookies.values()))
    for text in (world.token, secret, "wrong-but-secret"):
        assert not [one for one in caplog.records if _own(one) and text in one.getMessage()]


def _own(record: logging.LogRecord) -> bool:
    """Whether the service wrote it, not the test's client."""
    return not record.name.startswith(("httpx", "httpcore"))
