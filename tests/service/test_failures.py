"""A store or an executor that fails once loses nothing and blocks nobody."""

import pytest

from scheduler.domain.errors import MissingError, OutageError, StateError
from scheduler.domain.resources import Request
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.messages import Cancel
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import wide


def step_twice(world):
    """One step that fails, and the next."""
    with pytest.raises((OutageError, StateError)):
        world.step()
    world.step()


def test_an_end_that_could_not_be_written_is_heard_again(failing):
    world, store = failing
    world.submit()
    world.settle()
    world.executor.finish("1.1")
    store.fail["record"] = 2
    for _ in range(2):
        with pytest.raises(OutageError):
            world.step()
    assert world.state(1) == "RUNNING"
    world.step()
    assert world.state(1) == "SUCCEEDED"
    assert len(world.store.measurements()) == 1


def test_a_submission_the_store_refuses_is_refused_and_the_next_accepted(failing):
    world, store = failing
    store.fail["submit"] = 1
    with pytest.raises(OutageError):
        world.service.jobs.submit([job_spec()], actor="ann")
    world.submit()
    assert world.state(1) == "STARTING"


def test_a_placement_that_could_not_be_written_is_decided_anew(failing):
    world, store = failing
    world.service.jobs.submit([job_spec()], actor="ann")
    store.fail["record"] = 1
    step_twice(world)
    assert world.executor.launches == ["1.1"]


def test_a_measurement_that_could_not_be_kept_is_kept_later(failing):
    world, store = failing
    world.submit(job_spec(), job_spec(after=(-1,)))
    world.settle()
    world.executor.finish("1.1")
    store.fail["measure"] = 1
    step_twice(world)
    assert [one.job for one in world.store.measurements()] == [1]
    assert world.state(2) == "STARTING"


def test_dependents_are_given_up_although_the_store_failed_in_between(failing):
    world, store = failing
    world.submit(job_spec(), job_spec(after=(-1,)), job_spec(after=(-2,)))
    world.settle()
    world.executor.fail("1.1")
    store.fail["job"] = 1
    step_twice(world)
    assert [world.state(job) for job in (1, 2, 3)] == ["FAILED", "CANCELLED", "CANCELLED"]


def test_a_new_job_is_not_forgotten_when_its_dependency_cannot_be_looked_up(failing):
    world, store = failing
    world.submit()
    world.settle()
    world.finish("1.1")
    world.service.jobs.submit([job_spec(after=(1,)), job_spec()], actor="ann")
    store.fail["job"] = 1
    step_twice(world)
    assert [world.state(job) for job in (2, 3)] == ["STARTING", "STARTING"]


def test_the_board_does_not_ask_the_store_while_it_takes_over_a_commit(failing):
    world, store = failing
    world.submit(job_spec(), job_spec(after=(-1,)), job_spec(after=(-1,)))
    world.settle()
    world.executor.finish("1.1")
    store.calls.clear()
    world.step()
    assert "job" not in store.calls


def test_a_cancellation_is_durable_before_it_is_answered(failing):
    world, store = failing
    world.submit()
    world.settle()
    message = Cancel(1, "ann", "")
    world.service.dispatcher.post(message)
    store.fail["record"] = 1
    with pytest.raises(OutageError):
        world.step()
    assert not message.answer.done()
    world.step()
    assert message.answer.result(0) is None
    assert world.executor.cancels == ["1.1"]


def test_an_attempt_is_stopped_although_the_executor_failed_to_at_first(failing, monkeypatch):
    world, _ = failing
    world.submit()
    world.settle()
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "cancel", broken)
        with pytest.raises(OSError, match="no descriptors"):
            world.cancel(1)
    world.settle()
    assert world.state(1) == "CANCELLED"


def broken(*_arguments, **_options):
    raise OSError("no descriptors left")


def test_a_commit_whose_answer_was_lost_is_found_in_the_store(failing):
    world, store = failing
    world.submit(job_spec(request=wide(2)), job_spec(request=wide(2)), job_spec(after=(-1,)))
    world.settle()
    world.executor.finish("1.1")
    store.lose = 1
    step_twice(world)
    world.settle()
    assert [world.state(job) for job in (1, 2, 3)] == ["SUCCEEDED", "RUNNING", "QUEUED"]
    assert world.names(1) == ["submitted", "placed", "started", "succeeded"]


def test_a_placement_whose_commit_was_not_confirmed_is_launched(failing):
    world, store = failing
    world.service.jobs.submit([job_spec(), job_spec()], actor="ann")
    store.lose = 1
    step_twice(world)
    assert world.executor.launches == ["1.1", "2.1"]
    world.settle()
    world.finish("1.1")
    world.finish("2.1")
    assert [world.state(job) for job in (1, 2)] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_cancellation_whose_commit_was_not_confirmed_takes_effect_once(failing):
    world, store = failing
    world.submit()
    world.settle()
    message = Cancel(1, "ann", "")
    world.service.dispatcher.post(message)
    store.lose = 1
    step_twice(world)
    assert message.answer.result(0) is None
    world.settle()
    assert world.state(1) == "CANCELLED"
    assert world.names(1).count("cancel-requested") == 1


def test_changes_the_store_refuses_are_read_again(failing):
    """As if somebody else had written: the live jobs fall behind, and catch up."""
    world, _ = failing
    world.submit()
    world.settle()
    stale = world.service.live_jobs.jobs[1]
    world.executor.finish("1.1")
    world.step()
    world.service.live_jobs.jobs[1] = stale
    message = Cancel(1, "ann", "")
    world.service.dispatcher.post(message)
    step_twice(world)
    with pytest.raises(StateError, match="job 1 is SUCCEEDED already"):
        message.answer.result(0)
    assert world.service.cluster.statistics()["conflicts"] == 1


def test_an_executor_that_fails_on_one_attempt_launches_the_others(failing, monkeypatch):
    world, _ = failing
    launch = world.executor.launch

    def choosy(order):
        if order.attempt == "1.1":
            broken()
        launch(order)

    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", choosy)
        with pytest.raises(OSError, match="no descriptors"):
            world.submit(job_spec(), job_spec())
    assert world.executor.launches == ["2.1"]
    world.settle()
    assert world.executor.launches == ["2.1", "1.1"]


def test_a_job_cancelled_before_the_executor_took_it_never_runs(failing, monkeypatch):
    world, _ = failing
    with monkeypatch.context() as patch:
        patch.setattr(world.executor, "launch", broken)
        with pytest.raises(OSError, match="no descriptors"):
            world.submit()
    world.cancel(1)
    assert world.state(1) == "CANCELLED"
    assert world.executor.launches == []


def test_an_order_that_cannot_be_made_fails_its_job_and_no_other(failing, monkeypatch):
    world, _ = failing
    build = LaunchSpecBuilder.build

    def choosy(builder, job, *rest):
        if job.id == 1:
            raise MissingError("pool 'cpu' has no device 0")
        return build(builder, job, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(LaunchSpecBuilder, "build", choosy)
        world.submit(job_spec(), job_spec())
        world.settle()
    assert world.job(1).reason == "could not start: pool 'cpu' has no device 0"
    assert [world.state(job) for job in (1, 2)] == ["FAILED", "RUNNING"]


def test_what_two_jobs_need_is_not_lost_with_the_first(failing):
    """The outcome of a dependency is forgotten with its last dependent, and asked for again."""
    world, _ = failing
    world.submit(job_spec(), job_spec(after=(-1,), request=Request(("cpu",))))
    world.settle()
    world.finish("1.1")
    world.finish("2.1")
    world.service.live_jobs.validate()
    world.submit(job_spec(after=(1, 2)))
    assert world.state(3) == "STARTING"
