"""What takes the space, pruning it, and how what is gone is told."""

from __future__ import annotations

from tests.api.conftest import COMMAND, World


def ended(world: World) -> int:
    number = world.running()
    world.log(number, "x" * 10_000)
    metrics = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    metrics.write_text('{"kind": "epoch"}\n')
    for name in ("a.csv", "model.pt"):
        world.artifact(number, name, b"x" * 10_000)
    world.finish(number)
    return number


def test_usage_names_kinds_people_and_the_biggest_jobs(world: World) -> None:
    number = ended(world)
    usage = world.client.get("/v1/usage").json()
    (job,) = usage["jobs"]
    assert (job["job"], job["state"], job["bytes"]) == (number, "SUCCEEDED", job["bytes"])
    assert set(usage["kinds"]) == {
        "logs", "checkpoints", "artifacts", "models", "other", "database",
    }  # fmt: skip
    assert usage["projects"] == {"default": job["bytes"]}
    assert sum(job["kinds"].values()) == job["bytes"]
    assert world.client.get("/v1/usage", params={"limit": 0}).json()["jobs"] == []


def test_what_was_pruned_is_told_in_words(world: World) -> None:
    number = ended(world)
    wish = {"older_than": 0.001, "what": ["logs", "artifacts"]}
    dry = world.client.post("/v1/prune", json={**wish, "dry_run": True}).json()
    assert (dry["dry_run"], dry["count"], dry["more"]) == (True, 2, False)
    assert world.client.get(f"/v1/jobs/{number}/logs").text == "x" * 10_000
    done = world.client.post("/v1/prune", json=wish).json()
    assert {**done, "dry_run": True} == dry
    for path in ("logs", "logs?follow=true", "metrics", "artifacts/a.csv"):
        answer = world.client.get(f"/v1/jobs/{number}/{path}")
        assert answer.status_code == 404, path
        assert f"of job {number} were pruned on" in answer.json()["detail"], path
    listed = world.client.get(f"/v1/jobs/{number}/artifacts").json()
    assert [one["name"] for one in listed["artifacts"]] == ["model.pt"]
    assert listed["pruned_at"] is not None
    assert world.client.get(f"/v1/jobs/{number}/artifacts/model.pt").content == b"x" * 10_000
    assert world.client.get(f"/v1/jobs/{number}/artifacts/{'x' * 3000}").status_code == 404
    assert world.client.get(f"/v1/jobs/{number}/events").json()["events"]


def test_only_admins_prune_and_a_limit_is_needed(world: World) -> None:
    from api.http.auth import Role, create_token

    token = create_token(world.folder, "ann", Role.USER)[0]
    wish = {"keep_bytes": "1GiB"}
    assert world.with_token(token).post("/v1/prune", json=wish).status_code == 403
    assert world.client.post("/v1/prune", json=wish).json()["count"] == 0
    for wrong in ({}, {"keep_bytes": 1, "what": ["database"]}, {"older_than": "soon"}):
        assert world.client.post("/v1/prune", json=wrong).status_code == 422
    assert world.client.post("/v1/jobs", json=COMMAND).status_code == 201
