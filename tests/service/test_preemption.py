"""A running job saves its work, frees its devices, queues again and goes on: live."""

import os

import pytest

from scheduler.domain.errors import IllegalTransitionError, MissingError, StateError
from scheduler.domain.jobs import Retry
from scheduler.domain.resources import Request
from scheduler.estimates.estimator import OVERHEAD_S
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, train, wide

RESUMABLE = {"argv": ["true"], "resumable": True}


@pytest.fixture
def running(build):
    """Job 1, a training, on both CPUs for 60 s; its checkpoint of 20 s ago holds 40 %."""
    world = build(policy="priority")
    world.submit(train(request=wide(2)))
    world.settle()
    world.after(40.0)
    world.checkpoint("1.1", 0.4)
    world.after(20.0)
    return world


@pytest.fixture
def unsaved(build):
    """Job 1, a training, for 60 s without a checkpoint."""
    world = build()
    world.submit(train(request=wide(2)))
    world.settle()
    world.after(60.0)
    return world


def test_a_preempted_job_queues_again_with_its_progress_and_goes_on(running):
    running.executor.obeys = False
    running.preempt(1, "maintenance")
    assert running.state(1) == "PREEMPTING"
    running.submit(train(request=wide(2), priority=100))
    assert running.state(2) == "QUEUED", "its devices are not free yet"
    running.clock.advance(5.0)
    running.executor.stop_preempted("1.1")
    running.settle()
    job, first = running.job(1), running.store.attempts(1)[0]
    assert running.state(2) == "RUNNING", "the more important one goes first"
    assert (job.state, job.preemptions, job.failures, job.progress) == ("QUEUED", 1, 0, 0.4)
    assert job.reason == "preempted: by ann: maintenance; continues at 40%, lost 25 s"
    assert (first.state, first.exit_reason) == ("PREEMPTED", "preempted: by ann: maintenance")
    running.finish("2.1")
    assert running.executor.running == ["1.2"]
    running.finish("1.2")
    assert running.state(1) == "SUCCEEDED"
    after = ["preempt-requested", "preempted", "placed", "started", "succeeded"]
    assert running.names(1)[-5:] == after


def test_what_was_not_saved_and_the_restart_are_lost_and_paid_for(running):
    running.preempt(1)
    first = running.store.attempts(1)[0]
    assert first.lost_s == pytest.approx(20.0)
    assert first.dollars == pytest.approx(60 * 2 / 3600 * CPU.dollars_per_device_hour)
    running.clock.advance(30.0)
    running.finish("1.2", overhead_s=3.0, samples=600.0)
    second = running.attempt(1)
    assert second.lost_s == pytest.approx(3.0)
    assert running.job(1).lost_s == pytest.approx(23.0)
    assert running.service.cluster.statistics()["lost_seconds"] == pytest.approx(23.0)
    assert running.service.cluster.statistics()["preemptions"] == 1


def test_without_a_checkpoint_all_of_it_is_lost(unsaved):
    unsaved.preempt(1)
    assert unsaved.store.attempts(1)[0].lost_s == pytest.approx(60.0)
    assert unsaved.job(1).progress == 0.0


def test_the_next_attempt_may_have_another_device_and_width_and_is_estimated_from_the_rest(build):
    world = build((CPU, GPU), policy="priority")
    world.submit(train(request=Request(("cuda", "cpu"), 1, 2), preference=1.0))
    world.settle()
    world.after(5.0)
    world.checkpoint("1.1", 0.5)
    world.executor.obeys = False
    world.preempt(1)
    world.submit(*[train(request=wide(1, "cuda"), priority=100)] * 3)
    world.executor.stop_preempted("1.1")
    world.settle()
    first, second = world.store.attempts(1)
    assert [(one.pool, one.width) for one in (first, second)] == [("gpu", 1), ("cpu", 2)]
    half_s = 100.0 / (2 * 0.85) / 2
    assert second.estimate.runtime_s == pytest.approx(OVERHEAD_S + half_s)


def test_a_job_that_could_not_go_on_is_never_preempted(world):
    world.submit(job_spec())
    world.settle()
    with pytest.raises(StateError, match="it would begin again from nothing") as caught:
        world.preempt(1)
    assert caught.value.fields.keys() == {"work.resumable"}
    assert (world.state(1), world.executor.preempts) == ("RUNNING", [])


def test_only_a_running_job_can_be_preempted(world):
    with pytest.raises(MissingError):
        world.preempt(1)
    world.submit(*[train(request=wide(2))] * 2)
    with pytest.raises(IllegalTransitionError, match="job 1 is STARTING"):
        world.preempt(1)
    world.settle()
    with pytest.raises(IllegalTransitionError, match="job 2 is QUEUED"):
        world.preempt(2)
    world.finish("1.1")
    with pytest.raises(IllegalTransitionError, match="job 1 is SUCCEEDED already"):
        world.preempt(1)


def test_asking_again_changes_nothing(running):
    running.executor.obeys = False
    running.preempt(1)
    running.preempt(1)
    assert running.executor.preempts == ["1.1"]
    assert running.names(1).count("preempt-requested") == 1


def test_preemptions_use_no_retry_and_are_no_losses(build):
    world = build()
    world.submit(job_spec(work=RESUMABLE, retry=Retry(2, 0.0)))
    world.settle()
    for number in range(1, 8):
        world.preempt(1)
        assert (world.state(1), world.job(1).attempts) == ("RUNNING", number + 1)
    world.lose("1.8")
    world.fail("1.9")
    assert world.state(1) == "RUNNING"
    world.fail("1.10")
    job = world.job(1)
    assert (job.state, job.preemptions, job.failures) == ("FAILED", 7, 2)


def test_work_that_was_done_before_the_request_reached_it_has_succeeded(running):
    running.executor.obeys = False
    running.preempt(1)
    running.finish("1.1")
    assert (running.state(1), running.job(1).preemptions) == ("SUCCEEDED", 0)


def test_a_job_that_is_cancelled_while_it_stops_is_cancelled(running):
    running.executor.obeys = False
    running.preempt(1)
    running.cancel(1)
    assert running.state(1) == "CANCELLING"
    running.executor.stop_preempted("1.1")
    running.settle()
    assert (running.state(1), running.attempt(1).state) == ("CANCELLED", "CANCELLED")


def test_an_attempt_that_is_lost_while_it_stops_is_lost(running):
    running.executor.obeys = False
    running.preempt(1)
    running.checkpoint("1.1", 0.7)
    running.clock.advance(1.0)
    running.lose("1.1")
    job = running.job(1)
    assert (job.preemptions, job.attempts, job.progress) == (0, 2, 0.7)
    assert running.store.attempts(1)[0].state == "LOST"


def test_a_restart_of_the_service_goes_on_with_the_preemption(running):
    running.executor.obeys = False
    running.preempt(1)
    running.executor.obeys = True
    running.restart()
    assert running.executor.preempts == ["1.1"]
    assert (running.job(1).preemptions, running.job(1).attempts) == (1, 2)


def test_the_end_of_a_preemption_that_nobody_heard_counts(running):
    running.executor.obeys = False
    running.preempt(1)
    running.executor.close()
    running.executor.stop_preempted("1.1")
    running.restart()
    assert (running.job(1).preemptions, running.state(1)) == (1, "RUNNING")


def test_a_preemption_without_a_trace_is_a_loss(running):
    running.executor.obeys = False
    running.preempt(1)
    running.executor._machine.clear()
    running.restart()
    assert (running.job(1).preemptions, running.store.attempts(1)[0].state) == (0, "LOST")


def test_a_preemption_that_only_the_machine_knows_counts(running):
    """An older database was restored: in it the job still runs."""
    running.executor.preempt("1.1", grace_s=5.0)
    running.settle()
    assert (running.job(1).preemptions, running.job(1).attempts) == (1, 2)


def test_a_request_whose_answer_was_lost_is_carried_out(failing):
    world, store = failing
    world.submit(train())
    world.settle()
    store.lose = 1
    with pytest.raises(Exception, match="the connection broke"):
        world.preempt(1)
    world.settle()
    assert world.executor.preempts == ["1.1"]
    assert world.job(1).preemptions == 1


def test_a_pool_that_is_removed_meanwhile_does_not_keep_the_job(build):
    world = build((CPU, GPU))
    world.submit(train(request=wide(1, "cuda", "cpu"), preference=1.0))
    world.settle()
    assert world.attempt(1).pool == "gpu"
    world.checkpoint("1.1", 0.5)
    world.executor.obeys = False
    world.preempt(1)
    world.executor.obeys = True
    world.restart((CPU,))
    assert (world.attempt(1).number, world.attempt(1).pool) == (2, "cpu")


def test_an_executor_that_cannot_be_asked_is_asked_again(running, monkeypatch):
    def full(_attempt, *, grace_s):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(running.executor, "preempt", full)
        with pytest.raises(OSError, match="no space"):
            running.preempt(1)
    assert running.state(1) == "PREEMPTING"
    running.settle()
    assert running.job(1).preemptions == 1


def test_a_command_that_writes_no_report_has_saved_when_a_file_changed(build):
    world = build()
    world.submit(job_spec(work=RESUMABLE))
    world.settle()
    begun = world.clock.now()
    world.after(60.0)
    world.progress("1.1", 0.25)
    folder = world.service.folders.checkpoints(1)
    folder.mkdir(parents=True)
    (folder / "state").write_text("25")
    os.utime(folder / "state", (begun + 60.0, begun + 60.0))
    world.clock.advance(10.0)
    world.preempt(1)
    job = world.job(1)
    assert (job.progress, job.lost_s) == (0.25, pytest.approx(10.0))
    world.finish("1.2", samples=1.0)
    (measurement,) = world.store.measurements()
    assert measurement.samples == 0.75, "the rest is what the last attempt did"
