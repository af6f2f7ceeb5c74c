"""A schedule that was tuned is served: its file is sent, the service opens none."""

from __future__ import annotations

import pytest

from scheduler.policies import lookup
from scheduler.policies.schedules.library import Library
from tests.policies.test_schedules import TEXT


@pytest.fixture(autouse=True)
def _served(monkeypatch, world):
    """As `fulcrum serve` does."""
    monkeypatch.setitem(lookup.DEFAULT.schemes, "wgc", Library(world.folder).policy)


def test_use_sends_the_file(fulcrum, world, tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text(TEXT)
    assert fulcrum.json("policy", "use", f"wgc:{file}")["name"] == "wgc:ours"
    listed = fulcrum.json("policy", "ls")["policies"]
    assert [one["name"] for one in listed if one["active"]] == ["wgc:ours"]
    assert world.service.store.setting("policy")["name"] == "wgc:ours"
    answer = world.client.put("/v1/policies/active", json={"name": f"wgc:{file}"})
    assert answer.status_code == 404
    assert "opens no file" in answer.json()["detail"]
    missing = fulcrum("policy", "use", "wgc:./none.toml")
    assert missing.exit_code == 2
    assert "cannot be read" in missing.stderr
    file.write_text("nonsense")
    assert fulcrum("policy", "use", f"wgc:{file}").exit_code == 4


def test_import_registers_it_in_the_data_folder(fulcrum, world, tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text(TEXT)
    data = ("--data", str(world.folder))
    assert fulcrum.json(*data, "policy", "import", str(file))["policy"] == "wgc:ours"
    assert fulcrum("policy", "use", "wgc:ours").exit_code == 0
    assert "wgc:lab-2" in fulcrum(*data, "policy", "import", str(file), "--as", "lab-2").stdout


def test_only_admins_register(world):
    from api.http.auth import Role, create_token

    token = create_token(world.folder, "ann", Role.USER)[0]
    body = {"text": TEXT}
    path = "/v1/policies/schedules/ours"
    assert world.with_token(token).put(path, json=body).status_code == 403
    assert world.client.put(path, json=body).json()["name"] == "wgc:ours"
    assert world.client.put("/v1/policies/schedules/random", json=body).status_code == 422
