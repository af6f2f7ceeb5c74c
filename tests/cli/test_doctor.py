from __future__ import annotations

import os
import sqlite3

import pytest

from api.auth import create_token
from api.cli import checks
from api.cli.checks import Finding, Verdict


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it takes seconds, and is tested by every training."""
    monkeypatch.setattr(checks, "torch", lambda: iter([Finding("torch", Verdict.OK, "2")]))


def lines(fulcrum, world, *args):
    findings = {}
    result = fulcrum("--data", str(world.folder), "doctor", *args)
    for line in result.stdout.splitlines():
        if not line.startswith(" "):
            verdict, name = line[:4].strip(), line[6:18].strip()
            findings[name] = verdict
    return result.exit_code, findings


def test_a_healthy_machine(fulcrum, world):
    code, found = lines(fulcrum, world)
    assert code == 0
    for name in ("python", "settings", "data folder", "token file", "service", "clock", "token"):
        assert found[name] == "ok"
    assert {"nvml", "/dev/shm", "disk", "database", "ready"} <= set(found)


def test_json(fulcrum, world):
    found = fulcrum.json("--data", str(world.folder), "doctor")
    assert {"name": "torch", "verdict": "ok", "text": "2", "advice": ""} in found


def test_a_damaged_database_and_an_open_folder(fulcrum, world):
    (world.folder / "fulcrum.sqlite").write_bytes(b"no database" * 500)
    world.folder.chmod(0o755)
    code, found = lines(fulcrum, world)
    assert code == 1
    assert found["database"] == "fail"
    assert found["data folder"] == "warn"


def test_a_row_that_refers_to_nothing(fulcrum, world):
    with sqlite3.connect(world.folder / "fulcrum.sqlite") as connection:
        connection.execute("create table a (id integer primary key)")
        connection.execute("create table b (a references a(id))")
        connection.execute("insert into b values (3)")
    connection.close()
    assert lines(fulcrum, world)[1]["database"] == "fail"


def test_other_people_who_may_submit_are_a_warning(fulcrum, world, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    create_token(world.folder, "vera", "viewer")
    assert lines(fulcrum, world)[1]["isolation"] == "ok"
    create_token(world.folder, "ben", "user")
    assert lines(fulcrum, world)[1]["isolation"] == "warn"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (world.folder / "tokens.json").unlink()
    assert lines(fulcrum, world)[1]["isolation"] == "warn"


def test_wrong_settings_end_the_examination(fulcrum, world, monkeypatch):
    monkeypatch.setenv("FULCRUM_PORT", "many")
    code, found = lines(fulcrum, world)
    assert code == 1
    assert found["settings"] == "fail"
    assert "service" not in found


def test_nobody_there_is_a_warning(fulcrum, world):
    fulcrum.world.url = "http://127.0.0.1:9"
    code, found = lines(fulcrum, world)
    assert (code, found["service"]) == (0, "warn")


def test_a_wrong_token_fails(fulcrum, world):
    fulcrum.world.token = "wrong-token-of-some-length"
    assert lines(fulcrum, world)[1]["token"] == "fail"


def test_tokens_are_made_and_revoked(fulcrum, world):
    data = ("--data", str(world.folder))
    made = fulcrum.json(*data, "token", "create", "ada", "--role", "viewer")
    assert fulcrum("ls", FULCRUM_TOKEN=made["token"]).exit_code == 0
    assert fulcrum("run", "--", "true", FULCRUM_TOKEN=made["token"]).exit_code == 4
    assert fulcrum.json(*data, "token", "ls")[0]["user"] == "ada"
    assert made["token"] not in fulcrum(*data, "token", "ls").stdout
    assert fulcrum(*data, "token", "revoke", made["id"]).exit_code == 0
    assert fulcrum("ls", FULCRUM_TOKEN=made["token"]).exit_code == 4
    assert fulcrum(*data, "token", "revoke", "none").exit_code == 3
    assert fulcrum(*data, "token", "create", "x", "--role", "god").exit_code == 2
    plain = fulcrum(*data, "token", "create", "bob").stdout
    assert len(plain.split()) == 1
