"""Projects and secrets over HTTP: who may change them, and what nobody sees."""

from __future__ import annotations

from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World


def test_an_admin_sets_shares_and_limits(world: World) -> None:
    body = {"share": 3, "hard": {"devices": 1}, "soft": {"dollars_per_day": 5}}
    answer = world.client.patch("/v1/projects/vision", json=body)
    assert answer.status_code == 200, answer.text
    found = world.client.get("/v1/projects/vision").json()
    assert (found["share"], found["hard"]["devices"], found["factor"]) == (3.0, 1, 1.0)
    assert found["soft"]["dollars_per_day"] == 5.0
    answer = world.client.patch("/v1/projects/vision", json={"hard": {"devices": None}})
    assert (answer.json()["hard"]["devices"], answer.json()["share"]) == (None, 3.0)
    listed = world.client.get("/v1/projects").json()["projects"]
    assert [project["name"] for project in listed] == ["vision"]


def test_figures_out_of_range_are_refused(world: World) -> None:
    for body in ({"share": 0}, {"hard": {"devices": -1}}, {"limits": {}}):
        answer = world.client.patch("/v1/projects/vision", json=body)
        assert answer.status_code == 422, answer.text
    assert world.client.get("/v1/projects/nlp").status_code == 404


def test_a_soft_limit_warns_once_in_a_submission(world: World) -> None:
    world.client.patch("/v1/projects/vision", json={"soft": {"devices": 0}})
    job = {"kind": "command", "project": "vision", "work": {"argv": ["true"]}}
    first = world.client.post("/v1/jobs", json=job).json()
    assert first["warnings"] == []
    world.until(first["id"], JobState.RUNNING)
    answer = world.client.post("/v1/jobs:batch", json={"jobs": [job, job]}).json()
    said = ["project vision uses 1 device, over its 0"]
    assert [one["warnings"] for one in answer["jobs"]] == [said, []]


def test_a_submission_over_the_quota_is_refused_with_the_numbers(world: World) -> None:
    world.client.patch("/v1/projects/vision", json={"hard": {"devices": 1}})
    job = {"kind": "command", "project": "vision", "width": 2, "work": {"argv": ["true"]}}
    answer = world.client.post("/v1/jobs", json=job)
    assert (answer.status_code, answer.json()["code"]) == (409, "over-quota")
    assert "may hold 1 at once" in answer.json()["detail"]


def test_a_secret_is_never_told(world: World) -> None:
    path = "/v1/secrets/vision/HF_TOKEN"
    answer = world.client.put(path, json={"value": "hunter2-secret"})
    assert answer.status_code == 200, answer.text
    job = {
        "kind": "command",
        "project": "vision",
        "secrets": ["HF_TOKEN"],
        "work": {"argv": ["true"]},
    }
    submitted = world.client.post("/v1/jobs", json=job)
    assert submitted.status_code == 201, submitted.text
    number = submitted.json()["id"]
    told = [answer, submitted]
    told += [world.client.get(address) for address in ("/v1/secrets", f"/v1/jobs/{number}")]
    assert not any("hunter2" in one.text for one in told)
    assert told[-1].json()["secrets"] == {"HF_TOKEN": "HF_TOKEN"}
    wrong = world.client.put(path, json={"value": "hunter2-secret" * 2000})
    assert wrong.status_code == 422
    assert "hunter2" not in wrong.text
    assert world.client.delete(path).json() == {"secrets": []}
    assert world.client.delete(path).status_code == 404


def test_a_secret_of_another_project_is_refused(world: World) -> None:
    world.client.put("/v1/secrets/vision/HF_TOKEN", json={"value": "x"})
    job = {"kind": "command", "secrets": ["HF_TOKEN"], "work": {"argv": ["true"]}}
    answer = world.client.post("/v1/jobs", json=job)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "secrets"
