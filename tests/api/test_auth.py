"""Tokens and roles, requests without a token, foreign hosts, unexpected errors."""

from __future__ import annotations

import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.http.auth import (
    Role,
    TokenAuthenticator,
    admin_token,
    create_token,
    list_tokens,
    revoke_token,
)
from scheduler.domain.errors import InputError, MissingError
from tests.api.conftest import COMMAND, World, serving


def test_the_first_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ThreadPoolExecutor(8) as threads:
        tokens = set(threads.map(lambda _: admin_token(folder), range(8)))
    assert len(tokens) == 1
    assert len(tokens.pop()) >= 40
    file = folder / "token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["token"]
    file.chmod(0o644)
    admin_token(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_empty_token_file_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(InputError):
        admin_token(tmp_path)


def test_further_tokens_come_and_go(tmp_path: Path) -> None:
    gate = TokenAuthenticator(tmp_path, owner="ann")
    text, token = create_token(tmp_path, "ben", "viewer")
    create_token(tmp_path, "cleo")
    found = gate.identify(f"Bearer {text}")
    assert found is not None
    assert (found.user, found.role) == ("ben", Role.VIEWER)
    kept = (tmp_path / "tokens.json").read_text()
    assert text not in kept
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    assert [one.user for one in list_tokens(tmp_path)] == ["ben", "cleo"]
    revoke_token(tmp_path, token.id)
    assert gate.identify(f"Bearer {text}") is None
    with pytest.raises(MissingError):
        revoke_token(tmp_path, token.id)
    with pytest.raises(InputError):
        create_token(tmp_path, "dora", "emperor")
    with pytest.raises(InputError):
        create_token(tmp_path, "")


def test_only_the_whole_token_is_honoured(tmp_path: Path) -> None:
    gate = TokenAuthenticator(tmp_path, owner="ann")
    token = admin_token(tmp_path)
    owner = gate.identify(f"bearer {token}")
    assert owner is not None
    assert (owner.user, owner.role) == ("ann", Role.ADMIN)
    for header in (
        None, "", token, f"Basic {token}", "Bearer", "Bearer ", f"Bearer {token[:-1]}",
        f"Bearer {token}x", f"Bearer {token} {token}", "Bearer \udcff", f"Bearer {token * 50}",
    ):  # fmt: skip
        assert gate.identify(header) is None, header


def test_nothing_but_health_and_the_proof_works_without_a_token(world: World) -> None:
    stranger = world.with_token(None)
    document = world.client.get("/openapi.json").json()
    open_paths = {"/healthz": 200, "/readyz": 200, "/v1/proof": 422}  # it takes a nonce
    for path, operations in document["paths"].items():
        for method in operations:
            answer = stranger.request(method, path.replace("{job_id}", "1"))
            expected = open_paths.get(path, 401)
            if path == "/v1/session":  # who signs in has no token yet, and must send one
                expected = 422 if method == "post" else 200
            assert answer.status_code == expected, (method, path)
    for path in ("/openapi.json", "/docs", "/nothing"):
        refused = stranger.get(path)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_roles_bound_what_a_token_may_do(world: World) -> None:
    number = world.running()
    viewer = world.with_token(create_token(world.folder, "vera", "viewer")[0])
    user = world.with_token(create_token(world.folder, "ursa", "user")[0])
    assert viewer.get(f"/v1/jobs/{number}").status_code == 200
    for client, path, body in (
        (viewer, "/v1/jobs", COMMAND),
        (viewer, "/v1/jobs:batch", {"jobs": [COMMAND]}),
        (viewer, f"/v1/jobs/{number}/cancel", {}),
        (user, f"/v1/jobs/{number}/cancel", {}),
        (viewer, f"/v1/jobs/{number}/preempt", {}),
        (user, f"/v1/jobs/{number}/preempt", {}),
        (user, f"/v1/jobs/{number}/retry", None),
    ):
        before = world.trace()
        answer = client.post(path, json=body)
        assert answer.status_code == 403, path
        assert answer.json()["code"] == "forbidden"
        assert world.trace() == before
    assert user.put("/v1/policies/active", json={"name": "sjf"}).status_code == 403
    own = user.post("/v1/jobs", json=COMMAND).json()
    assert own["user"] == "ursa"
    assert user.post(f"/v1/jobs/{own['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8470", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8470", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost@evil.example", 400),
        ("[::1", 400),
    ],
)
def test_only_loopback_names_are_answered(world: World, host: str, status: int) -> None:
    assert world.raw(f"GET /healthz HTTP/1.1\nHost: {host}\nConnection: close")[0] == status


def test_a_service_told_to_listen_elsewhere_goes_by_any_name(tmp_path: Path) -> None:
    with serving(tmp_path / "data", host="0.0.0.0") as world:
        head = "GET /healthz HTTP/1.1\nHost: gpu-box.lab\nConnection: close"
        assert world.raw(head)[0] == 200


def test_an_error_nobody_foresaw_tells_its_log_id_only(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(type(world.service.cluster), "view", fail)
    with caplog.at_level(logging.ERROR, "api.http.errors.problems"):
        answer = world.client.get("/v1/cluster")
    assert answer.status_code == 500
    problem = answer.json()
    assert problem["code"] == "internal"
    assert "secret" not in answer.text
    assert problem["id"] in caplog.text
    assert "the secret of the house" in caplog.text


def test_a_service_that_is_not_ready_says_so(world: World) -> None:
    assert world.with_token(None).get("/readyz").status_code == 200
    world.service.dispatcher.stop()
    answer = world.with_token(None).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert world.with_token(None).get("/healthz").status_code == 200


def test_a_stated_length_is_refused_before_the_body_comes(world: World) -> None:
    head = (
        "POST /v1/jobs HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
        f"Authorization: Bearer {world.token}\nContent-Length: 99999999999\nConnection: close"
    )
    assert world.raw(head)[0] == 413


def test_values_of_a_jobs_variables_are_for_its_user_and_admins(world) -> None:
    names = {"user": "ann", "other": "ben", "viewer": "vera"}
    clients = {
        who: world.with_token(
            create_token(world.folder, name, "viewer" if who == "viewer" else "user")[0]
        )
        for who, name in names.items()
    }
    body = {"kind": "command", "work": {"argv": ["true"], "env": {"API_KEY": "s3cret"}}}
    sent = clients["user"].post("/v1/jobs", json=body)
    number = sent.json()["id"]
    assert sent.json()["work"]["env"] == {"API_KEY": "s3cret"}
    pages = (f"/v1/jobs/{number}", "/v1/jobs", f"/v1/jobs/{number}/explain")
    for client, value in (
        (clients["user"], "s3cret"),
        (world.client, "s3cret"),
        (clients["other"], "***"),
        (clients["viewer"], "***"),
    ):
        for page in pages:
            answer = client.get(page)
            found = answer.json()
            job = found.get("job") or found.get("jobs", [found])[0]
            assert job["work"]["env"] == {"API_KEY": value}, page
            assert ("s3cret" in answer.text) == (value == "s3cret")
