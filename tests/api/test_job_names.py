"""Jobs by name, and references to jobs whose model others read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import Client, ConflictError, InvalidError, NotFoundError
from api.http.auth import create_token
from scheduler.domain.lifecycle import JobState
from tests.api.conftest import World, serving

TRAIN = {"kind": "cnn-train", "work": {"epochs": 1}}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data") as found:
        yield found


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with Client(world.url, world.token) as found:
        yield found


def trained(world: World, name: str, **work: Any) -> int:
    """A training that has left a model."""
    number = world.running(**{**TRAIN, "work": {"epochs": 1, **work}}, name=name)
    world.artifact(number, "model.pt")
    world.finish(number)
    return number


def refused(client: Client, **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidError) as error:
        client.submit(**fields)
    return dict(error.value.fields)


def infer(*models: int | str) -> dict[str, Any]:
    return {"kind": "cnn-infer", "work": {"models": list(models)}}


def start_from(job: int | str, **work: Any) -> dict[str, Any]:
    return {"kind": "cnn-train", "work": {"weights": {"job": job}, **work}}


def test_a_name_means_the_live_job_or_the_newest_that_ended(world: World, client: Client) -> None:
    first, second = trained(world, "cnn"), trained(world, "cnn")
    assert client.job("cnn").id == second
    assert client.job("CNN").id == second
    live = world.submit(**TRAIN, name="cnn")
    assert client.job("cnn").id == live
    assert client.job(str(first)).id == client.job(client.job(first)).id == first
    with pytest.raises(NotFoundError, match="no job is named 'cn'"):
        client.job("cn")


def test_an_ambiguous_name_lists_the_candidates(world: World, client: Client) -> None:
    numbers = [world.submit(name="twin") for _ in range(2)]
    with pytest.raises(ConflictError) as error:
        client.job("twin")
    assert all(f"{number} (" in str(error.value) for number in numbers)
    assert "several live jobs are named 'twin'" in refused(client, **infer("twin"))["work.models.0"]
    world.client.post(f"/v1/jobs/{numbers[1]}/cancel")
    world.until(numbers[1], JobState.CANCELLED)
    assert client.job("twin").id == numbers[0]
    assert client.cancel_jobs(["twin"]).jobs == (numbers[0],)


def test_ones_own_jobs_come_first(world: World, client: Client) -> None:
    mine = trained(world, "cnn")
    token, _ = create_token(world.context.data_dir, "ada")
    with Client(world.url, token) as other:
        assert other.job("cnn").id == mine
        theirs = other.submit(**TRAIN, name="cnn")
        assert other.job("cnn").id == theirs.id
        assert client.job("cnn").id == mine


def test_names_in_after_models_and_weights_become_numbers(world: World, client: Client) -> None:
    source = trained(world, "source")
    job = client.submit(**start_from("source"))
    assert job.info.work["weights"] == {"job": source}
    assert job.info.after == (source,)
    vote = client.submit(**infer("source"), after=["source"])
    assert (vote.info.work["models"], vote.info.after) == ([source], (source,))
    batch = client.submit_batch(
        [
            {**infer("tuned", "source"), "name": "vote"},
            {**start_from("source"), "name": "tuned"},
        ]
    )
    tuned = batch[1].id
    assert batch[0].info.work["models"] == [tuned, source]
    assert set(batch[0].info.after) == {tuned, source}


def test_a_job_that_leaves_no_model_is_refused_with_the_reason(
    world: World, client: Client
) -> None:
    command = world.running(name="cmd")
    assert "is a command job" in refused(client, **infer("cmd"))["work.models.0"]
    assert "is a command job" in refused(client, **start_from(command))["work.weights.job"]
    world.finish(command)

    failed = world.running(**TRAIN)
    world.executor.fail(f"{failed}.1", "exit code 3")
    world.until(failed, JobState.FAILED)
    problem = refused(client, **infer(failed))["work.models.0"]
    assert problem == f"job {failed} failed and left no model: exit code 3"

    cancelled = world.submit(**TRAIN, after=[world.submit()])
    world.client.post(f"/v1/jobs/{cancelled}/cancel")
    world.until(cancelled, JobState.CANCELLED)
    problem = refused(client, **start_from(cancelled))["work.weights.job"]
    assert problem == f"job {cancelled} was cancelled before it left a model"

    gone = trained(world, "gone")
    (world.service.folders.artifacts(gone) / "model.pt").unlink()
    problem = refused(client, **infer("gone"))["work.models.0"]
    assert problem == f"model.pt of job {gone} is missing from its artifacts"


def test_a_cancelled_training_that_left_a_model_can_be_used(world: World, client: Client) -> None:
    number = world.submit(**TRAIN, after=[world.submit()])
    world.client.post(f"/v1/jobs/{number}/cancel")
    world.until(number, JobState.CANCELLED)
    world.artifact(number, "model.pt")
    job = client.submit(**infer(number))
    assert job.info.after == ()
    world.until(job.id, JobState.RUNNING)


def test_weights_of_another_architecture_are_refused(world: World, client: Client) -> None:
    source = trained(world, "source")
    problem = refused(client, **start_from(source, model="resnet18"))["work.model"]
    assert problem == f"job {source} trains simple-cnn; legal: the same model"
