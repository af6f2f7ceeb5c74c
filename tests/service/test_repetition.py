"""What a job that repeats another one goes on from."""

from __future__ import annotations

import json
import shutil

import pytest

from scheduler.domain.errors import StateError
from scheduler.domain.lifecycle import JobState
from scheduler.service.maintenance.retention import Kind, RetentionRule
from tests.support.service_worlds import train

ALL_CHECKPOINTS = RetentionRule((Kind.CHECKPOINTS,))


def failed(world, spec=None, *, saved=True):
    """A training that failed; its metrics say that a checkpoint holds 40 % of it."""
    job = world.submit(spec or train())[-1].id
    attempt = world.service.folders.attempt(job, 1)
    attempt.mkdir(parents=True, exist_ok=True)
    if saved:
        folder = world.service.folders.checkpoints(job)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "epoch-000001.ckpt").write_bytes(b"x")
        line = {"kind": "checkpoint", "fraction": 0.4, "time": world.clock.now()}
        (attempt / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    world.fail(f"{job}.1")
    return job


def test_it_goes_on_from_the_old_jobs_checkpoints(world):
    old = failed(world)
    again, _ = world.service.jobs.retry(old, actor="ann")
    assert (again.retry_of, again.spec.resume_from, again.progress) == (old, old, 0.4)
    world.service.quiesce()
    spec = world.executor.specs[f"{again.id}.1"]
    assert spec.resume_from == world.service.folders.checkpoints(old)


def test_from_scratch_it_begins_again(world):
    again, _ = world.service.jobs.retry(failed(world), actor="ann", from_scratch=True)
    assert (again.spec.resume_from, again.progress) == (None, 0.0)


def test_a_job_that_saved_nothing_or_succeeded_begins_again(world):
    again, _ = world.service.jobs.retry(failed(world, saved=False), actor="ann")
    assert (again.spec.resume_from, again.progress) == (None, 0.0)
    world.service.quiesce()
    (world.service.folders.checkpoints(again.id)).mkdir(parents=True)
    (world.service.folders.checkpoints(again.id) / "epoch-000001.ckpt").write_bytes(b"x")
    world.finish(f"{again.id}.1")
    third, _ = world.service.jobs.retry(again.id, actor="ann")
    assert (third.spec.resume_from, third.progress) == (None, 0.0)


def test_a_job_that_never_began_hands_on_what_it_was_to_go_on_from(world):
    old = failed(world)
    again, _ = world.service.jobs.retry(old, actor="ann")
    world.service.quiesce()
    world.fail(f"{again.id}.1", "could not start: no space")
    third, _ = world.service.jobs.retry(again.id, actor="ann")
    assert (third.retry_of, third.spec.resume_from, third.progress) == (again.id, old, 0.4)


def test_checkpoints_that_are_gone_are_refused_with_what_helps(world):
    old = failed(world)
    world.service.retention.prune(ALL_CHECKPOINTS, "ann")
    with pytest.raises(StateError, match=f"checkpoints of job {old} were pruned on") as caught:
        world.service.jobs.retry(old, actor="ann")
    assert "--from-scratch" in caught.value.fields["from_scratch"]
    assert world.service.jobs.retry(old, actor="ann", from_scratch=True)[0].retry_of == old
    other = failed(world)
    shutil.rmtree(world.service.folders.checkpoints(other))
    with pytest.raises(StateError, match=f"checkpoints of job {other} are gone"):
        world.service.jobs.retry(other, actor="ann")


def test_checkpoints_that_a_live_job_needs_are_not_pruned(world):
    old = failed(world)
    again, _ = world.service.jobs.retry(old, actor="ann")
    world.service.quiesce()
    assert not world.service.retention.prune(ALL_CHECKPOINTS, "ann").items
    world.finish(f"{again.id}.1")
    assert world.job(again.id).state is JobState.SUCCEEDED
    assert [item.job for item in world.service.retention.prune(ALL_CHECKPOINTS, "ann").items]
