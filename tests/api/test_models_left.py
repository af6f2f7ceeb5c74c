"""What a training that did not end well leaves: its result, and a model for others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def ended_training(world: World, classes: list[str], **work: Any) -> int:
    """A training that has succeeded and left a model with these classes."""
    number = world.running(kind="cnn-train", work={"epochs": 1, **work})
    world.artifact(number, "model.pt")
    world.artifact(number, "model.json", json.dumps({"classes": classes}).encode())
    world.finish(number)
    return number


def test_models_with_different_classes_do_not_vote(world: World, tmp_path: Path) -> None:
    for name in "ab":
        for image in range(2):
            file = tmp_path / "pictures" / name / f"{image}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
    data = f"folder:{tmp_path / 'pictures'}"
    classes = [["a", "b"], ["a", "b"], ["b", "a"]]
    first, same, other = (ended_training(world, each, dataset=data) for each in classes)
    answer = world.client.post("/v1/jobs", json=vote(first, same, other))
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["work.models.2"]
    assert f"job {other} knows the classes b, a, job {first} the classes a, b" in answer.text
    assert world.submit(**vote(first, same))


def test_trainings_on_different_datasets_are_known_before_they_run(world: World) -> None:
    train = {"kind": "cnn-train", "work": {"epochs": 1}}
    jobs = [
        {**train, "name": "digits"},
        {**train, "name": "colour", "work": {"epochs": 1, "dataset": "cifar10"}},
        vote("digits", "colour"),
    ]
    answer = world.client.post("/v1/jobs:batch", json={"jobs": jobs})
    assert [each["field"] for each in answer.json()["errors"]] == ["jobs.2.work.models.1"]


def test_weights_of_another_image_size_are_refused_with_the_size(world: World) -> None:
    number = ended_training(world, list("0123456789"))
    work = {"epochs": 1, "dataset": "mnist", "weights": {"job": number}}
    answer = world.client.post("/v1/jobs", json={"kind": "cnn-train", "work": work})
    assert [each["field"] for each in answer.json()["errors"]] == ["work.image_size"]
    assert "legal: image_size 8" in answer.text
    assert world.submit(kind="cnn-train", work={**work, "image_size": 8})


def vote(*models: int | str) -> dict[str, Any]:
    return {"kind": "cnn-infer", "work": {"models": list(models)}}
