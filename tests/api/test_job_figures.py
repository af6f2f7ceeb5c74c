"""What listings and single jobs say of progress, cost and accuracy."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.api.conftest import World

REPORT = {
    "kind": "progress",
    "fraction": 0.43,
    "samples_per_s": 100.0,
    "epoch": 3,
    "epochs": 7,
    "batch": 2,
    "batches": 9,
    "best_epoch": 2,
    "best_accuracy": 0.9,
}
TRAINING = {"kind": "cnn-train", "work": {"epochs": 7}}


def report(world: World, number: int, **changes: Any) -> None:
    path = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**REPORT, "time": time.time(), **changes}) + "\n")


def shown(world: World, number: int) -> dict[str, Any]:
    """The job, which the list must show alike."""
    (listed,) = [one for one in world.client.get("/v1/jobs").json()["jobs"] if one["id"] == number]
    single: dict[str, Any] = world.client.get(f"/v1/jobs/{number}").json()
    assert listed["accuracy"] == single["accuracy"]
    assert (listed["running"] is None) == (single["running"] is None)
    return single


def test_a_running_training_says_how_far_it_is(world: World) -> None:
    number = world.running(**TRAINING)
    report(world, number)
    job = shown(world, number)
    run = job["running"]
    assert (run["attempt"], run["fraction"]) == (1, 0.43)
    assert [run[name] for name in ("epoch", "epochs", "batch", "batches")] == [3, 7, 2, 9]
    assert run["left_s"] > 0
    assert (job["accuracy"], job["best_epoch"]) == (0.9, 2)
    assert job["dollars"] > 0
    world.executor.finish(f"{number}.1", result={"metrics": {"accuracy": 0.95}})
    world.until(number, "SUCCEEDED")
    job = shown(world, number)
    assert job["running"] is None
    assert (job["accuracy"], job["best_epoch"]) == (0.95, None)


def test_a_job_that_reports_nothing_has_no_share(world: World) -> None:
    number = world.running()
    run = shown(world, number)["running"]
    assert (run["fraction"], run["epoch"], run["reported_at"]) == (None, None, None)
    assert run["left_s"] > 0


def test_a_job_that_never_ran_costs_nothing(world: World) -> None:
    number = world.submit(priority=1, width=2, after=[world.running()])
    job = shown(world, number)
    assert (job["dollars"], job["accuracy"], job["running"]) == (0, None, None)


def test_a_failed_training_keeps_the_accuracy_that_it_reached(world: World) -> None:
    number = world.running(**TRAINING)
    report(world, number)
    world.executor.fail(f"{number}.1", "exit code 3")
    world.until(number, "FAILED")
    assert shown(world, number)["accuracy"] == 0.9


def test_answers_to_changes_leave_the_figures_out(world: World) -> None:
    number = world.running()
    answer = world.client.post(f"/v1/jobs/{number}/cancel").json()
    assert [answer[name] for name in ("dollars", "accuracy", "running")] == [None, None, None]


@pytest.mark.parametrize("line", ["", "[1]", '{"kind": "progress", "fraction": "x"}'])
def test_what_is_no_report_is_passed_over(world: World, line: str) -> None:
    number = world.running()
    path = world.service.folders.attempt(number, 1) / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n")
    assert shown(world, number)["running"]["fraction"] is None
