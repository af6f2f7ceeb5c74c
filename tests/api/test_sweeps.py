"""Sweeps and arrays over HTTP."""

import json

import pytest

from api.http.auth import create_token
from tests.support.waiting import until

TRAIN = {"kind": "cnn-train", "work": {"epochs": 3}, "name": "digits"}
RATES = {"parameters": {"work.learning_rate": [0.1, 0.01]}, "method": "grid"}


def shown(world, ready):
    """The sweep, once `ready` holds for it."""

    def look():
        world.executor.deliver()
        return ready(world.client.get("/v1/sweeps/1").json())

    until(look)
    return world.client.get("/v1/sweeps/1").json()


def test_a_sweep_is_submitted_once_shown_and_cancelled(world):
    body = {**TRAIN, "sweep": {**RATES, "pruner": "median"}}
    answers = [
        world.client.post("/v1/sweeps", json=body, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].headers["Location"] == "/v1/sweeps/1"
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    made = answers[0].json()
    assert (made["state"], made["trials"], made["parallel"]) == ("RUNNING", 2, 2)
    assert (made["metric"], made["direction"], made["pruner"]) == (
        "validation_accuracy", "maximize", "median",
    )  # fmt: skip
    detail = shown(world, lambda sweep: all(one["job"] for one in sweep["listing"] or [{"job": 0}]))
    assert [one["parameters"] for one in detail["listing"]] == [
        {"work.learning_rate": 0.1},
        {"work.learning_rate": 0.01},
    ]
    assert [one["curve"] for one in detail["listing"]] == [None, None]
    told = world.client.get("/v1/sweeps/1?curves=true").json()
    assert [one["curve"] for one in told["listing"]] == [[], []]
    jobs = world.client.get("/v1/jobs?sweep=1").json()["jobs"]
    assert [(job["id"], job["sweep"], job["index"]) for job in jobs] == [(2, 1, 2), (1, 1, 1)]
    asked = world.client.post("/v1/sweeps/1/cancel", json={"reason": "enough"})
    assert asked.json()["state"] == "CANCELLING"
    shown(world, lambda sweep: sweep["final"])
    (listed,) = world.client.get("/v1/sweeps?state=cancelled").json()["sweeps"]
    assert (listed["reason"], listed["final"]) == ("enough", True)
    again = world.client.post("/v1/sweeps/1/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "illegal-transition")
    assert world.client.get("/v1/sweeps/2").status_code == 404


def test_sweeps_are_listed_page_by_page(world):
    for _ in range(3):
        world.client.post("/v1/sweeps", json={**TRAIN, "sweep": RATES})
    page = world.client.get("/v1/sweeps?limit=2").json()
    assert [sweep["id"] for sweep in page["sweeps"]] == [3, 2]
    rest = world.client.get("/v1/sweeps", params={"cursor": page["next_cursor"]}).json()
    assert ([sweep["id"] for sweep in rest["sweeps"]], rest["next_cursor"]) == ([1], None)
    assert world.client.get("/v1/sweeps?user=nobody").json()["sweeps"] == []


@pytest.mark.parametrize(
    ("sweep", "field", "says"),
    [
        ({"method": "random"}, "sweep.trials", "is required"),
        ({"metric": "test_accuracy"}, "sweep.metric", "validation_accuracy"),
        ({"pruner": "asah"}, "sweep.pruner.kind", "'asha'"),
        ({"parameters": {}}, "sweep.parameters", "should not be empty"),
        ({"parameters": {"work.epoch": [1]}}, "sweep.parameters.work.epoch", "'epochs'"),
        ({"parameters": {"work.epochs": [0]}}, "sweep.parameters.work.epochs", "at least 1"),
        (
            {"parameters": {"work.epochs": {"uniform": [1, 5]}}, "method": "tpe", "trials": 3},
            "sweep.parameters.work.epochs",
            "whole number",
        ),
        ({"parameters": {"rate": [1]}}, "sweep.parameters.rate", "{rate} stands nowhere"),
        ({"parameters": {"work.model.x": [1]}}, "sweep.parameters.work.model.x", "no field"),
        (
            {"parameters": {"work.learning_rate": {"log": [0, 1]}}},
            "sweep.parameters.work.learning_rate",
            "above 0",
        ),
        (
            {"parameters": {"work.learning_rate": {"log": [1e-4, 1], "unifrom": [0, 1]}}},
            "sweep.parameters.work.learning_rate.unifrom",
            "'uniform'",
        ),
        (
            {"parameters": {"work.learning_rate": {"log": [1e-4, 1]}}},
            "sweep.parameters.work.learning_rate",
            "`points`",
        ),
        (
            {"parameters": {"work.epochs": {"integer": [1, 2000]}}},
            "sweep.parameters",
            "2000 points",
        ),
    ],
)
def test_a_wrong_sweep_is_refused_by_field(world, sweep, field, says):
    answer = world.client.post("/v1/sweeps", json={**TRAIN, "sweep": {**RATES, **sweep}})
    assert answer.status_code == 422
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert says in errors[field]
    assert world.service.store.sweeps.trials(1) == []


def test_what_has_no_place_beside_a_sweep_is_refused(world):
    def errors(path, body):
        answer = world.client.post(path, json=body)
        assert answer.status_code == 422
        return {error["field"]: error["message"] for error in answer.json()["errors"]}

    with_array = {**TRAIN, "array": "0-2", "sweep": RATES}
    assert "makes several jobs" in errors("/v1/sweeps", with_array)["array"]
    no_validation = {"kind": "cnn-train", "work": {"validation_fraction": 0}, "sweep": RATES}
    assert "above 0" in errors("/v1/sweeps", no_validation)["work.validation_fraction"]
    inference = {"kind": "cnn-infer", "work": {"models": [1]}, "sweep": RATES}
    assert "legal: cnn-train, command" in errors("/v1/sweeps", inference)["kind"]
    command = {
        "kind": "command",
        "work": {"argv": ["true"]},
        "sweep": {"parameters": {"work.env.A": ["1"]}},
    }
    assert "is required" in errors("/v1/sweeps", command)["sweep.metric"]
    assert "sweep" in errors("/v1/jobs", {**TRAIN, "sweep": RATES})


def test_others_may_look_at_a_sweep_and_not_cancel_it(world):
    body = {**TRAIN, "sweep": RATES}
    world.client.post("/v1/sweeps", json=body)
    other = world.with_token(create_token(world.folder, "bob")[0])
    assert other.get("/v1/sweeps/1").status_code == 200
    assert other.post("/v1/sweeps/1/cancel").status_code == 403


def test_an_array_is_one_job_of_each_index(world):
    run = {"kind": "command", "name": "part-{index}", "array": "0-4:2,7",
           "work": {"argv": ["echo", "{index}", "x{index}.txt"]}}  # fmt: skip
    answer = world.client.post("/v1/jobs:batch", json={"jobs": [{**TRAIN}, run]})
    assert answer.status_code == 201, answer.text
    _, *made = answer.json()["jobs"]
    assert [(job["name"], job["array"], job["index"]) for job in made] == [
        ("part-0", 2, 0),
        ("part-2", 2, 2),
        ("part-4", 2, 4),
        ("part-7", 2, 7),
    ]
    assert made[3]["work"]["argv"] == ["echo", "7", "x7.txt"]
    listed = world.client.get("/v1/jobs?array=2").json()["jobs"]
    assert [job["id"] for job in listed] == [5, 4, 3, 2]
    world.until(2, "RUNNING")
    assert world.executor.specs["2.1"].env == {
        "FULCRUM_ARRAY": "2",
        "FULCRUM_ARRAY_INDEX": "0",
    }
    done = world.client.post("/v1/jobs:cancel", json={"array": 2}).json()
    assert sorted(done["jobs"]) == [2, 3, 4, 5]


def test_the_name_of_an_array_stands_for_all_its_jobs(world):
    members = {**TRAIN, "name": "member", "array": [0, 1], "work": {"seed": 5}}
    vote = {"kind": "cnn-infer", "work": {"models": ["member"]}}
    late = {"kind": "command", "work": {"argv": ["true"]}, "after": ["member"]}
    answer = world.client.post("/v1/jobs:batch", json={"jobs": [late, members, vote]})
    assert answer.status_code == 201, answer.text
    waits, first, second, votes = answer.json()["jobs"]
    assert [job["work"]["seed"] for job in (first, second)] == [5, 6]
    assert votes["work"]["models"] == votes["after"] == [first["id"], second["id"]]
    assert waits["after"] == [first["id"], second["id"]]
    assert first["array"] == second["array"] == first["id"]


def test_a_wrong_array_is_refused_by_field(world):
    def errors(path, body):
        answer = world.client.post(path, json=body)
        assert answer.status_code == 422, json.dumps(answer.json())
        return {error["field"]: error["message"] for error in answer.json()["errors"]}

    run = {"kind": "command", "work": {"argv": ["true"]}}
    assert "belongs into a batch" in errors("/v1/jobs", {**run, "array": "0-3"})["array"]
    for wrong in ("0-3%0", "0-3%x", "5-1", "", [], "a", [1, 1], "0-5000", [-1]):
        found = errors("/v1/jobs:batch", {"jobs": [{**run, "array": wrong}]})
        assert any(name.startswith("jobs.0.array") for name in found)
    many = {"jobs": [{**run, "array": "0-600"}, {**run, "array": "0-600"}]}
    assert "1202 jobs" in errors("/v1/jobs:batch", many)["jobs"]
    infeasible = {"jobs": [run, {**run, "array": "0-1", "width": 9}]}
    assert "jobs.1.width" in errors("/v1/jobs:batch", infeasible)
    place = {"jobs": [{**run, "work": {"argv": ["/no/such-{index}"]}, "array": [3]}]}
    assert "'/no/such-3'" in errors("/v1/jobs:batch", place)["jobs.0.work.argv.0"]
