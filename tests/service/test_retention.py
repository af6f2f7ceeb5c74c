"""What goes and what stays: nothing of a live job, nothing outside a job's folder, no history."""

from __future__ import annotations

import json

import pytest

from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.jobs import JobKind
from scheduler.service.maintenance import disk_usage
from scheduler.service.maintenance.retention import Kind, Retention, RetentionRule, rules
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import train

EVERYTHING = RetentionRule(
    tuple(Kind(kind) for kind in ("logs", "checkpoints", "artifacts", "models"))
)
DAY = 86_400.0


def furnish(world, job, attempt=1):
    """All kinds of files, of 8 KiB each."""
    folders = world.service.folders
    files = {
        "logs": [folders.attempt(job, attempt) / name for name in ("log.txt", "work/deep/x")],
        "checkpoints": [folders.job(job) / "checkpoints/3.pt"],
        "artifacts": [folders.artifacts(job) / name for name in ("a.csv", "sub/model.pt")],
        "models": [folders.artifacts(job) / name for name in ("model.pt", "model.json")],
        "other": [folders.attempt(job, attempt) / "exit.json"],
    }
    for path in [path for paths in files.values() for path in paths]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 8192)
    return {Kind(kind): paths for kind, paths in files.items()}


def left(files):
    return {kind for kind, paths in files.items() if all(path.exists() for path in paths)}


def ended(world, spec=None, fail=False):
    job = world.submit(*([spec] if spec else []))[-1].id
    files = furnish(world, job)
    (world.fail if fail else world.finish)(f"{job}.1")
    return job, files


def test_each_kind_goes_alone_and_records_stay(world):
    for kind in EVERYTHING.kinds:
        job, files = ended(world)
        pruning = world.service.retention.prune(RetentionRule((kind,)), "ann")
        assert [(item.job, item.kind) for item in pruning.items] == [(job, kind)]
        assert left(files) == set(files) - {kind}
        assert not any(path.exists() for path in files[kind])
        world.service.retention.prune(EVERYTHING, "ann")
        assert left(files) == {Kind.OTHER}
    assert len(world.store.events(job)) > 2
    assert world.store.attempts(job)


def test_live_jobs_and_what_they_read_stay(world):
    running = world.submit()[0].id
    kept = furnish(world, running)
    source, read = ended(world, train())
    folder = world.service.folders.job(source)
    for work in ({"argv": ["cat", f"{folder}/artifacts/a.csv"]}, {"models": [source]}):
        world.submit(job_spec(work=work, request=job_spec().request))
    waits = world.submit(job_spec(after=(running,)))[0].id
    waiting = furnish(world, waits)
    assert not world.service.retention.prune(EVERYTHING, "ann").items
    assert left(kept) == left(read) == left(waiting) == set(kept)


def test_age_and_size_and_a_dry_run(world):
    now = world.clock.now()
    old, _ = ended(world)
    world.clock.advance(2 * DAY)
    new, files = ended(world)
    keep = world.service.retention
    by_age = RetentionRule((Kind.LOGS,), older_than_s=DAY)
    (told,) = keep.prune(by_age, "ann", dry_run=True).items
    assert (told.job, told.ended) == (old, now)
    assert disk_usage.of_job(world.service.folders, old)[Kind.LOGS] == told.bytes
    total = 2 * told.bytes
    assert not keep.prune(RetentionRule((Kind.LOGS,), keep_bytes=total), "ann").items
    assert [
        one.job for one in keep.prune(RetentionRule((Kind.LOGS,), keep_bytes=1), "a", most=1).items
    ] == [old]
    assert keep.prune(EVERYTHING, "ann", most=1).more
    assert Kind.LOGS in left(files)
    assert new != old


def test_nothing_outside_the_folder_goes(world, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("x")
    job, files = ended(world)
    folders = world.service.folders
    for path in (files[Kind.CHECKPOINTS][0], files[Kind.ARTIFACTS][0], files[Kind.LOGS][0]):
        path.with_name("link").symlink_to(outside)
        path.with_name("file").symlink_to(outside / "precious.txt")
    world.service.retention.prune(EVERYTHING, "ann")
    assert left(files) == {Kind.OTHER}
    second, _ = ended(world)
    (folders.job(second) / "checkpoints/3.pt").unlink()
    (folders.job(second) / "checkpoints").rmdir()
    (folders.job(second) / "checkpoints").symlink_to(outside)
    third, _ = ended(world)
    folders.job(third).rename(tmp_path / "moved")
    folders.job(third).symlink_to(outside)
    world.service.retention.prune(EVERYTHING, "ann")
    assert [path.name for path in outside.iterdir()] == ["precious.txt"]
    assert job < second < third


def test_a_success_keeps_its_model_and_not_its_checkpoints(world):
    keep = world.service.retention
    done, files = ended(world, train())
    failed, resumable = ended(world, train(), fail=True)
    program, results = ended(world)
    other, unfinished = ended(world, train())
    unfinished[Kind.MODELS][0].unlink()
    keep.sweep()
    assert Kind.CHECKPOINTS not in left(files)
    assert left(files) == set(files) - {Kind.CHECKPOINTS}
    assert Kind.CHECKPOINTS in left(resumable) & left(results) & left(unfinished)
    assert keep.pruned(world.job(done), Kind.CHECKPOINTS) == world.clock.now()
    keep.success_checkpoints = True
    again, files = ended(world, train())
    keep.sweep()
    assert left(files) == set(files)
    assert len({done, failed, program, other, again}) == 5


def test_the_settings_rules_are_applied(build):
    world = build(retention={"logs": {"days": 1}, "artifacts": {"bytes": 0}})
    _, files = ended(world)
    world.service.retention.sweep()
    assert left(files) == set(files) - {Kind.ARTIFACTS}
    world.clock.advance(DAY + 1)
    world.service.retention.sweep()
    assert left(files) == set(files) - {Kind.ARTIFACTS, Kind.LOGS}
    assert rules({Kind.LOGS: (None, None)}) == ()


def test_what_is_pruned_is_remembered_and_said(world, tmp_path):
    job, _ = ended(world, train())
    keep = world.service.retention
    keep.prune(EVERYTHING, "ann")
    log = world.service.folders.attempt(job, 1) / "log.txt"
    with pytest.raises(MissingError, match=rf"the logs of job {job} were pruned on 1970-01-12"):
        keep.require(world.job(job), Kind.LOGS, log)
    infer = job_spec(kind=JobKind.CNN_INFER, work={"models": [job]}, after=(job,))
    with pytest.raises(InputError, match="the models of job 1 were pruned") as caught:
        world.service.jobs.submit([infer], actor="ann")
    assert set(caught.value.fields) == {"work.models.0"}
    assert world.service.jobs.retry(job, actor="ann")[0].id == job + 1
    with (tmp_path / "pruned.jsonl").open("a") as ledger:
        ledger.write('{"job": 1, "ki\n[]\n"x"\n')
    again = Retention(keep.store, keep.live_jobs, keep.folders, keep.clock, tmp_path)
    assert again.pruned(world.job(job), Kind.LOGS) == keep.pruned(world.job(job), Kind.LOGS)


def test_a_job_of_another_database_is_not_told_as_pruned(world, tmp_path):
    line = {"job": 1, "kind": "logs", "time": world.clock.now() - 1, "bytes": 1, "by": "ann"}
    (tmp_path / "pruned.jsonl").write_text(json.dumps(line) + "\n")
    job, _ = ended(world)
    keep = world.service.retention
    again = Retention(keep.store, keep.live_jobs, keep.folders, keep.clock, tmp_path)
    assert job == 1
    assert again.pruned(world.job(job), Kind.LOGS) is None


def test_folders_of_unknown_jobs_and_other_things_are_counted_and_left(world):
    folders = world.service.folders
    for name in ("99/checkpoints", "12.before-1", "notes"):
        (folders.root / name).mkdir(parents=True)
        (folders.root / name / "x").write_bytes(b"x" * 8192)
    assert not world.service.retention.prune(EVERYTHING, "ann").items
    told = world.service.retention.usage(10)
    assert told.kinds[Kind.CHECKPOINTS] >= 8192
    assert told.kinds[Kind.OTHER] >= 16384
    assert not told.jobs


def test_usage_adds_up(world):
    first, _ = ended(world, job_spec(user="ann", project="a"))
    second, files = ended(world, job_spec(user="bob", project="a"))
    (files[Kind.ARTIFACTS][0]).write_bytes(b"x" * 10**6)
    hard = files[Kind.ARTIFACTS][0].with_name("twice")
    hard.hardlink_to(files[Kind.ARTIFACTS][0])
    told = world.service.retention.usage(1)
    assert [one.job.id for one in told.jobs] == [second]
    assert told.jobs[0].bytes < 1.2e6
    assert told.users["bob"] == told.jobs[0].bytes
    assert sum(told.users.values()) == told.projects["a"]
    assert first < second


def test_what_cannot_be_removed_is_told(world, monkeypatch):
    def refuse(folder, kind):
        raise PermissionError(13, "Permission denied")

    job, _ = ended(world)
    monkeypatch.setattr("scheduler.service.maintenance.retention.remove", refuse)
    pruning = world.service.retention.prune(RetentionRule((Kind.LOGS,)), "ann")
    assert pruning.failed == [f"logs of job {job}: Permission denied"]
    assert not pruning.items
