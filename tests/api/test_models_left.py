"""What a training that did not end well leaves: its result, and a model for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World, serving

LEFT = {"kept_epoch": 3, "validation": {"accuracy": 0.9}, "error": "stopped by SIGTERM"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path) as made:
        yield made


def cancelled_training(world: World) -> int:
    world.executor.obeys = False
    training = world.running(kind="cnn-train", work={"epochs": 9})
    world.client.post(f"/v1/jobs/{training}/cancel")
    world.executor.fail(f"{training}.1", "cancelled", result=LEFT)
    world.until(training, JobState.CANCELLED)
    return training


def test_a_cancelled_training_tells_which_epoch_it_has_kept(world: World) -> None:
    training = cancelled_training(world)
    told = world.client.get(f"/v1/jobs/{training}").json()
    assert told["state"] == "CANCELLED"
    assert told["result"] == LEFT == told["history"][0]["result"]


def test_its_model_can_be_used_if_it_has_left_one(world: World) -> None:
    training = cancelled_training(world)
    inference = {"kind": "cnn-infer", "work": {"models": [training]}}
    refused = world.client.post("/v1/jobs", json=inference)
    assert refused.status_code == 422
    problem = f"job {training} was cancelled before it left a model"
    assert problem in refused.text
    assert "work.models" in refused.text

    world.artifact(training, "model.pt")
    number = world.submit(**inference)
    world.until(number, JobState.RUNNING)
    (folder,) = world.executor.specs[f"{number}.1"].work["models"]
    assert folder == str(world.service.folders.artifacts(training))


def test_a_retry_goes_on_unless_it_is_to_begin_again(world: World) -> None:
    training = cancelled_training(world)
    folder = world.service.folders.checkpoints(training)
    folder.mkdir(parents=True)
    (folder / "epoch-000003.ckpt").write_bytes(b"x")
    path = f"/v1/jobs/{training}/retry"
    assert world.client.post(path).json()["resume_from"] == training
    assert world.client.post(path, json={"from_scratch": False}).json()["resume_from"] == training
    assert world.client.post(path, json={"from_scratch": True}).json()["resume_from"] is None
    assert world.client.post(path, json={"from_scratch": "yes"}).status_code == 422
    (folder / "epoch-000003.ckpt").unlink()
    world.service.retention._pruned[training, "checkpoints"] = 4e9
    refused = world.client.post(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "--from-scratch" in refused.text
