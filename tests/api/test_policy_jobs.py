"""Trainings, tunings and promotions over HTTP: checked at once, then jobs of the cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.registry.registry import Entry, Registry
from api.http import preflight_process
from api.http.auth import Role, create_token
from api.http.preflight_process import Preflight
from api.policy_jobs import PolicyJob, Task
from scheduler.domain.errors import OutageError
from tests.api.conftest import World, serving
from tests.support.learning_world import saved

FEW = {"scenario": "lab", "steps": 64}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("policies") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def entry(world: World) -> Entry:
    return Registry(world.folder).import_file(saved(world.folder / "run"), "ours")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are not checked in another process, which takes seconds."""

    def command(_: Preflight, task: Task, asked: Any, **about: str) -> list[str]:
        words = {Task.TRAINING: "train", Task.PROMOTION: "promote"}
        return ["policy", words[task], *about.values()]

    monkeypatch.setattr(Preflight, "command", command)


def user(world: World, role: Role) -> Any:
    return world.with_token(create_token(world.folder, f"a-{role.value}", role)[0])


def work(world: World, number: int) -> PolicyJob:
    found = PolicyJob.of(world.client.get(f"/v1/jobs/{number}").json()["work"]["argv"])
    assert found is not None
    return found


def test_a_training_becomes_a_job_once(world: World) -> None:
    body = {
        "name": "mine",
        "options": {"learning_rate": 0.0005, "alternatives": ["sjf", "saf"]},
        "job": {"width": 2, "project": "vision"},
        **FEW,
    }
    headers = {"Idempotency-Key": "training-1"}
    answer = world.client.post("/v1/policies/trainings", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["name"], job["project"]) == ("policy-mine", "vision")
    assert job["request"]["devices"] == ["cpu"]
    assert job["request"]["min_width"] == job["request"]["max_width"] == 2
    found = work(world, job["id"])
    assert (found.task, found.name) == (Task.TRAINING, "mine")
    assert Path(found.subject).is_relative_to(world.folder / "trainings")
    assert not Path(found.subject).exists()
    again = world.client.post("/v1/policies/trainings", json=body, headers=headers)
    assert again.json()["id"] == job["id"]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_training_every_day_says_so(world: World) -> None:
    body = {"name": "nightly", "from_history": True, "every": "1d", "algo": "cmaes"}
    answer = world.client.post("/v1/policies/trainings", json=body)
    assert answer.status_code == 201, answer.text
    found = work(world, answer.json()["id"])
    assert (found.every_s, found.option("--algo")) == (86_400.0, "cmaes")
    shown = world.client.get(f"/v1/policies/jobs/{answer.json()['id']}").json()
    assert (shown["every_s"], shown["name"]) == (86_400.0, "nightly")


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("trainings", {"name": "x", "options": {"gama": 1}}, 422, "gama"),
        ("trainings", {"name": "x", "scenario": "labb"}, 404, "unknown scenario 'labb'"),
        ("trainings", {"name": "x", "scenario": "lab", "every": "1d"}, 422, "from_history"),
        ("trainings", {"name": "x", "from_history": True, "every": "5m"}, 422, "1h or more"),
        ("trainings", {"name": "x", "from_history": True, "every": "now"}, 422, "duration"),
        ("trainings", {"name": "Bad name"}, 422, "name"),
        ("trainings", {"name": "x", "algo": "cmaes", "options": {"base": "drf"}}, 422, "base"),
        ("trainings", {"name": "x", "algo": "search", "options": {"sigma": 1}}, 422, "sigma"),
        ("trainings", {"name": "fulcrum"}, 409, "the name of a shipped policy"),
        ("trainings", {"name": "x", "from_history": True, "scenario": "lab"}, 422, "scenario"),
        ("trainings", {"name": "x", "job": {"width": 0}}, 422, "width 0"),
        ("studies", {"name": "../x"}, 422, "name"),
        ("nobody:promote", {}, 404, "there is no learned policy 'nobody'"),
        ("fulcrum:promote", {}, 409, "is the incumbent already"),
        ("ours:promote", {"scenario": "labb"}, 404, "unknown scenario 'labb'"),
        ("ours:promote", {"workloads": 5}, 422, "workloads"),
    ],
)
def test_what_the_command_refuses_is_refused_before_there_is_a_job(
    world: World, entry: Entry, path: str, body: dict[str, Any], status: int, told: str
) -> None:
    before = world.trace()
    answer = world.client.post(f"/v1/policies/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert told in answer.text
    assert world.trace() == before


def test_who_may_train_and_who_may_promote(world: World, entry: Entry, unchecked: None) -> None:
    viewer, submitter = user(world, Role.VIEWER), user(world, Role.USER)
    training = {"name": "theirs", **FEW}
    assert viewer.post("/v1/policies/trainings", json=training).status_code == 403
    assert submitter.post("/v1/policies/trainings", json=training).status_code == 201
    history = {"name": "theirs", "from_history": True}
    assert submitter.post("/v1/policies/trainings", json=history).status_code == 403
    assert submitter.post("/v1/policies/ours:promote", json={}).status_code == 403
    assert submitter.put("/v1/policies/ours/file", content=b"x").status_code == 403
    assert viewer.get("/v1/policies/ours").status_code == 200


def test_studies_and_tunings_become_jobs(world: World) -> None:
    study = world.client.post("/v1/policies/studies", json={"name": "first", "trials": 2, **FEW})
    assert study.status_code == 201, study.text
    found = work(world, study.json()["id"])
    assert (found.task, found.name, found.option("--trials")) == (Task.STUDY, "first", "2")
    body = {"name": "our-lab", "scenario": "lab", "preferences": ["cheap", 1]}
    tuning = world.client.post("/v1/policies/tunings", json=body)
    assert tuning.status_code == 201, tuning.text
    found = work(world, tuning.json()["id"])
    assert (found.task, found.subject, found.name) == (Task.TUNING, "lab", "our-lab")
    assert found.option("--preferences") == "0.0,1.0"


def test_jobs_tell_how_they_go_and_what_they_found(
    world: World, entry: Entry, unchecked: None
) -> None:
    body = {"workloads": 6, "jobs": 4, "use": True}
    answer = world.client.post("/v1/policies/ours:promote", json=body)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    shown = world.client.get(f"/v1/policies/jobs/{number}").json()
    assert (shown["task"], shown["name"]) == ("promotion", entry.reference)
    assert shown["progress"] is shown["test"] is shown["promoted"] is None
    lines = [
        {"time": 1.0, "kind": "progress", "fraction": 0.25},
        {"time": 2.0, "kind": "progress", "fraction": 1.0},
        {
            "time": 3.0,
            "kind": "promotion",
            "policy": entry.reference,
            "promoted": False,
            "trial": {"passed": False},
        },
    ]
    path = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shown = world.client.get(f"/v1/policies/jobs/{number}").json()
    assert (shown["progress"], shown["promoted"]) == (1.0, False)
    assert (shown["policy"], shown["test"]) == (entry.reference, {"passed": False})
    other = world.submit()
    assert world.client.get(f"/v1/policies/jobs/{other}").status_code == 404
    listed = world.client.get("/v1/policies/jobs").json()["jobs"]
    assert number in [one["job"]["id"] for one in listed]
    assert other not in [one["job"]["id"] for one in listed]
    query = {"task": "promotion", "limit": 1}
    (only,) = world.client.get("/v1/policies/jobs", params=query).json()["jobs"]
    assert only["job"]["id"] == number


def test_a_registered_policy_is_shown_exported_and_imported(world: World, entry: Entry) -> None:
    shown = world.client.get("/v1/policies/ours").json()
    assert (shown["name"], shown["state"]) == (entry.reference, "candidate")
    assert shown["manifest"]["scenario"] == "mixed-cloud"
    assert [event["action"] for event in shown["history"]] == ["registered"]
    assert world.client.get("/v1/policies/nobody").status_code == 404
    file = world.client.get(f"/v1/policies/{entry.reference.removeprefix('learned:')}/file")
    assert file.headers["ETag"] == f'"{entry.digest}"'
    taken = world.client.put("/v1/policies/others/file", content=file.content)
    assert taken.status_code == 200, taken.text
    assert taken.json()["state"] == "candidate"
    again = world.client.put("/v1/policies/others/file", content=file.content)
    assert again.json() == taken.json()
    assert world.client.get("/v1/policies/others/file").content == file.content


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("broken", b"no network", 422),
        ("Bad name", b"x", 422),
        ("fulcrum", b"x", 409),
        ("huge", b"x" * (4 * 2**20 + 1), 413),
    ],
)
def test_what_is_no_policy_is_not_registered(
    world: World, name: str, content: bytes, status: int
) -> None:
    before = Registry(world.folder).entries()
    answer = world.client.put(f"/v1/policies/{name}/file", content=content)
    assert answer.status_code == status, answer.text
    assert Registry(world.folder).entries() == before


def test_the_scenarios_are_listed(world: World) -> None:
    found = world.client.get("/v1/scenarios").json()["scenarios"]
    assert "mixed-cloud" in [one["name"] for one in found]
    assert all(one["digest"] and one["version"] >= 1 for one in found)


def test_the_service_loads_no_simulator_for_its_checks() -> None:
    code = (
        "import sys, api.http.app, api.http.preflight_process as p;"
        "p.Preflight().scenarios();"
        "print(sorted({'simpy', 'torch', 'stable_baselines3', 'gymnasium'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_too_many_checks_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_process, "WAIT_S", 0.01)
    preflight = Preflight(threading.Semaphore(0))
    with pytest.raises(OutageError, match="try again later"):
        preflight.scenarios()
