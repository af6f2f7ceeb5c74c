"""Series of trainings: one follows another at its time, until the waiting one is cancelled."""

import logging

import pytest

from api.http.recurring import Recurrence
from api.policy_jobs import PolicyJob, policy_job
from scheduler.domain.errors import OutageError
from scheduler.domain.lifecycle import JobState
from scheduler.service.holder import ServiceHolder
from scheduler.store.base import JobQuery
from scheduler.testing.samples import job_spec

DAY_S = 86_400.0


def nightly(folder, every="1d", name="ours", **fields):
    words = ["policy", "train", f"{folder}/{name}", "--from-history", "--every", every]
    body = policy_job(name, [*words, "--name", name], data_dir=folder, cwd=folder)
    return job_spec(work=body["work"], name=body["name"], **fields)


def look(world, recurrence=None):
    """One look of a service that has just started, or of one that goes on."""
    (recurrence or Recurrence(ServiceHolder(world.service), world.clock)).look()
    world.settle()


def jobs(world):
    return sorted(job.id for job in world.store.jobs(JobQuery()))


def test_the_next_training_waits_visibly_for_its_time(world):
    world.submit(nightly(world.folder, deadline=world.clock.now() + 3600.0))
    begun = world.clock.now()
    recurrence = Recurrence(ServiceHolder(world.service), world.clock)
    look(world, recurrence)
    assert jobs(world) == [1]
    world.after(100.0)
    world.finish("1.1")
    look(world, recurrence)
    look(world, recurrence)
    assert jobs(world) == [1, 2]
    following = world.job(2)
    assert following.state is JobState.QUEUED
    assert following.eligible_at == begun + DAY_S
    assert following.reason == "waiting for its time"
    assert following.spec.deadline == begun + DAY_S + 3600.0
    assert following.spec.work == world.job(1).spec.work
    explained = world.service.queries.explain(2)
    assert (explained.cause, explained.start) == ("scheduled", begun + DAY_S)
    world.after(DAY_S - 101.0)
    assert world.state(2) == "QUEUED"
    world.after(1.0)
    assert world.state(2) == "RUNNING"
    look(world, recurrence)
    assert jobs(world) == [1, 2]
    world.finish("2.1")
    look(world, recurrence)
    assert world.job(3).eligible_at == begun + 2 * DAY_S


def test_a_series_survives_restarts_and_keeps_its_time(world):
    world.submit(nightly(world.folder))
    begun = world.clock.now()
    world.finish("1.1")
    world.restart()
    look(world)
    assert world.job(2).eligible_at == begun + DAY_S
    world.restart()
    assert world.job(2).eligible_at == begun + DAY_S
    look(world)
    assert jobs(world) == [1, 2]
    # Clocks that are set do not move a time of day.
    world.clock.set_by(3600.0)
    world.step()
    assert world.job(2).eligible_at == begun + DAY_S
    assert world.state(2) == "QUEUED"


def test_a_service_that_was_off_for_days_trains_once(world):
    world.submit(nightly(world.folder))
    world.finish("1.1")
    world.after(5 * DAY_S)
    world.restart()
    look(world)
    assert jobs(world) == [1, 2]
    assert world.state(2) == "RUNNING"
    world.finish("2.1")
    look(world)
    assert world.job(3).eligible_at == world.clock.now() + DAY_S


@pytest.mark.parametrize("restarted", [False, True])
def test_cancelling_the_waiting_job_ends_the_series(world, restarted, caplog):
    recurrence = Recurrence(ServiceHolder(world.service), world.clock)
    world.submit(nightly(world.folder))
    world.finish("1.1")
    look(world, recurrence)
    world.cancel(2)
    if restarted:
        world.restart()
    with caplog.at_level(logging.INFO):
        look(world, None if restarted else recurrence)
    assert "job 2 was cancelled: its series ends" in caplog.text
    world.after(2 * DAY_S)
    look(world, None if restarted else recurrence)
    assert jobs(world) == [1, 2]
    # The same command begins it again.
    world.submit(nightly(world.folder))
    world.finish("3.1")
    look(world, None if restarted else recurrence)
    assert jobs(world) == [1, 2, 3, 4]


def test_a_training_that_failed_is_followed_all_the_same(world):
    world.submit(nightly(world.folder))
    world.fail("1.1")
    look(world)
    assert jobs(world) == [1, 2]


def test_a_retry_and_the_waiting_job_have_one_successor(world):
    recurrence = Recurrence(ServiceHolder(world.service), world.clock)
    world.submit(nightly(world.folder))
    world.fail("1.1")
    look(world, recurrence)
    world.service.jobs.retry(1, actor="ann")
    world.settle()
    world.finish("3.1")
    look(world, recurrence)
    assert jobs(world) == [1, 2, 3]
    world.after(DAY_S)
    world.finish("2.1")
    look(world, recurrence)
    look(world)
    assert jobs(world) == [1, 2, 3, 4]


def test_series_do_not_mix_and_other_jobs_are_left_alone(world):
    once = ["policy", "train", f"{world.folder}/once", "--from-history", "--name", "once"]
    body = policy_job("once", once, data_dir=world.folder, cwd=world.folder)
    world.submit(nightly(world.folder))
    world.finish("1.1")
    world.submit(nightly(world.folder, "2d", "theirs"))
    world.finish("2.1")
    world.submit(job_spec(work=body["work"], name=body["name"]))
    world.finish("3.1")
    world.submit(nightly(world.folder, "soon"), nightly(world.folder, "0"))
    world.finish("4.1")
    world.finish("5.1")
    look(world)
    following = [world.job(number).spec.work["argv"] for number in jobs(world)[5:]]
    assert sorted(PolicyJob.of(argv).name for argv in following) == ["ours", "theirs"]


def test_one_series_that_cannot_go_on_does_not_stop_others(world, monkeypatch, caplog):
    for at, name in enumerate(("ours", "theirs"), 1):
        world.submit(nightly(world.folder, name=name))
        world.finish(f"{at}.1")
    submit = world.service.jobs.submit

    def refused(specs, **options):
        if "ours" in specs[0].name:
            raise OutageError("not now")
        return submit(specs, **options)

    recurrence = Recurrence(ServiceHolder(world.service), world.clock)
    with monkeypatch.context() as patch:
        patch.setattr(
            type(world.service.jobs), "submit", lambda _, specs, **more: refused(specs, **more)
        )
        look(world, recurrence)
    assert "no job can follow job 1 yet: not now" in caplog.text
    assert jobs(world) == [1, 2, 3]
    look(world, recurrence)
    assert jobs(world) == [1, 2, 3, 4]
