"""What jobs left, where a storage has it and the data folder only a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.http import artifacts
from scheduler.domain.errors import MissingError, OutageError
from scheduler.domain.jobs import JobKind
from scheduler.service.maintenance.disk_usage import Kind
from scheduler.service.maintenance.retention import RetentionRule
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import FolderWriter, newest, write_stub
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import World, memory_store, train

FILES = {"model.pt": "weights", "model.json": "{}", "tables/classes.csv": "a,b"}


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    return ObjectStorage(f"file://{tmp_path}/storage")


@pytest.fixture
def world(tmp_path: Path, storage: ObjectStorage):
    made = World(tmp_path / "data", memory_store(), storage=storage)
    yield made
    made.service.stop()


def trained(world: World, storage: ObjectStorage, *, fails: bool = False) -> int:
    """A training that has ended, as executors without a shared folder leave it."""
    (job,) = world.submit(train())
    folders = world.service.folders
    for kind, files in (("artifacts", FILES), ("checkpoints", {"epoch-1.ckpt": "state"})):
        left = world.folder / "node" / kind
        for name, text in files.items():
            (left / name).parent.mkdir(parents=True, exist_ok=True)
            (left / name).write_text(text)
        name = f"jobs/{job.id}/{kind}"
        FolderWriter(storage, name, 1, left, world.folder / "spare").save(lambda: None)
        write_stub(folders.job(job.id) / kind, *newest(storage, name))
    storage.put(f"jobs/{job.id}/attempt-1/log.txt/000000", b"said\n")
    folders.attempt(job.id, 1).mkdir(parents=True)
    (folders.attempt(job.id, 1) / "log.txt").write_text("said\n")
    (world.fail if fails else world.finish)(f"{job.id}.1")
    return job.id


def names(world: World, job: int) -> list[str]:
    folder = world.service.folders.artifacts(job)
    return [file.name for file in artifacts.list_files(folder)]


def test_artifacts_are_listed_and_fetched_when_somebody_asks(world: World, storage) -> None:
    job = trained(world, storage)
    folder = world.service.folders.artifacts(job)
    assert names(world, job) == sorted(FILES)
    for name, text in FILES.items():
        assert not (folder / name).exists()
        world.service.outputs.bring(job, name)
        path, figures, _ = artifacts.find(folder, name)
        assert (path.read_text(), figures.st_size) == (text, len(text))
    assert names(world, job) == sorted(FILES)
    world.service.outputs.bring(job, "../../secret")
    with pytest.raises(MissingError):
        artifacts.find(folder, "../../secret")


def test_a_storage_that_does_not_answer_is_an_outage(world: World, storage, monkeypatch) -> None:
    job = trained(world, storage)

    def away(*_: object) -> None:
        raise OSError("the bucket is away")

    monkeypatch.setattr(storage, "get_file", away)
    with pytest.raises(OutageError, match="the bucket is away"):
        world.service.outputs.bring(job, "model.pt")


def test_other_jobs_may_read_a_stored_model(world: World, storage) -> None:
    job = trained(world, storage)
    reader = job_spec(kind=JobKind.CNN_INFER, work={"models": [job], "data": "digits"})
    (waiting,) = world.submit(reader)
    assert world.executor.specs[f"{waiting.id}.1"].work["models"] == [
        str(world.service.folders.artifacts(job))
    ]


def test_a_job_goes_on_from_stored_checkpoints(world: World, storage) -> None:
    job = trained(world, storage, fails=True)
    again, _ = world.service.jobs.retry(job, actor="ann")
    assert again.spec.resume_from == job


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (Kind.MODELS, ["tables/classes.csv"]),
        (Kind.ARTIFACTS, ["model.json", "model.pt"]),
        (Kind.CHECKPOINTS, sorted(FILES)),
        (Kind.LOGS, sorted(FILES)),
    ],
)
def test_what_is_pruned_is_gone_from_the_storage_too(
    world: World, storage, kind: Kind, left: list[str]
) -> None:
    job = trained(world, storage, fails=True)
    retention = world.service.retention
    before = retention.usage(0).kinds
    assert before[Kind.MODELS] == len("weights") + len("{}")
    assert before[Kind.CHECKPOINTS] >= len("state")
    (item,) = retention.prune(RetentionRule([kind], keep_bytes=0), "ann").items
    assert (item.job, item.kind) == (job, kind)
    assert names(world, job) == left
    assert len(storage.sizes(f"jobs/{job}/artifacts")) == len(left) + 1
    assert bool(storage.sizes(f"jobs/{job}/checkpoints")) == (kind is not Kind.CHECKPOINTS)
    assert bool(storage.sizes(f"jobs/{job}/attempt-1")) == (kind is not Kind.LOGS)
    assert not retention.prune(RetentionRule([kind], keep_bytes=0), "ann").items


def test_a_training_that_succeeded_keeps_no_checkpoints(world: World, storage) -> None:
    job = trained(world, storage)
    world.service.retention.sweep()
    assert not storage.sizes(f"jobs/{job}/checkpoints")
    assert names(world, job) == sorted(FILES)
