"""What becomes of a job: from its submission to its end, and every way in between."""

import pytest

from scheduler.domain.errors import (
    IllegalTransitionError,
    InfeasibleError,
    InputError,
    MissingError,
    StateError,
)
from scheduler.domain.jobs import Retry
from scheduler.domain.resources import Request
from scheduler.service.dispatch.messages import Admitted
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, dollars, train, wide


def test_a_job_is_placed_launched_started_and_succeeds(world):
    (job,) = world.submit()
    assert (job.state, job.attempts) == ("STARTING", 1)
    spec = world.executor.specs["1.1"]
    assert spec.folder == world.folder / "jobs" / "1" / "attempt-1"
    assert spec.part.devices == ("cpu-0",)
    world.settle()
    assert (world.state(1), world.attempt(1).pid) == ("RUNNING", 10_000)
    world.clock.advance(36)
    world.finish("1.1", accuracy=0.97)
    job, attempt = world.job(1), world.attempt(1)
    assert (job.state, job.finished_at - job.started_at) == ("SUCCEEDED", 36)
    assert attempt.dollars == pytest.approx(0.1 * 36 / 3600)
    assert attempt.joules == pytest.approx(360)
    assert attempt.result == {"accuracy": 0.97}
    assert world.names(1) == ["submitted", "placed", "started", "succeeded"]
    assert world.store.decisions(1)[0].attempt == 1
    assert not world.service.cluster.view().active


def test_a_job_that_ends_before_its_start_was_heard_has_its_start_nevertheless(world):
    world.submit()
    world.clock.advance(5)
    world.tell("1.1", started_at=world.clock.now() - 4)
    assert world.names(1) == ["submitted", "placed", "succeeded"]
    assert world.job(1).started_at == world.attempt(1).started_at == world.clock.now() - 4
    assert world.attempt(1).joules == pytest.approx(40)


def test_devices_are_held_by_one_attempt_each_and_the_rest_waits(world):
    world.submit(*[job_spec()] * 3)
    assert [world.state(job) for job in (1, 2, 3)] == ["STARTING", "STARTING", "QUEUED"]
    view = world.service.cluster.view()
    assert [device.job for device in view.pools[0].devices] == [1, 2]
    assert (view.queued, view.active, view.pools[0].busy) == (1, 2, 2)
    world.settle()
    world.finish("2.1")
    assert world.attempt(3).devices == (1,)


def test_a_dependent_waits_for_its_dependency_to_succeed(world):
    world.submit(job_spec(), job_spec(after=(-1,)))
    assert world.job(2).spec.after == (1,)
    assert world.state(2) == "QUEUED"
    world.settle()
    world.finish("1.1")
    assert world.state(2) == "RUNNING"


def test_models_of_the_same_submission_are_found_in_their_folders(world):
    world.submit(job_spec(), job_spec(after=(-1,), work={"models": [-1, "other.pt"]}))
    world.settle()
    world.finish("1.1")
    artifacts = str(world.service.folders.artifacts(1))
    assert world.executor.specs["2.1"].work["models"] == [artifacts, "other.pt"]


def test_dependents_of_a_failure_are_cancelled_through_and_through(world):
    world.submit(job_spec(), job_spec(after=(-1,)), job_spec(after=(-2,)), job_spec())
    world.settle()
    world.fail("1.1", "exit code 3")
    assert [world.state(job) for job in (1, 2, 3, 4)] == [
        "FAILED",
        "CANCELLED",
        "CANCELLED",
        "RUNNING",
    ]
    assert world.job(2).reason == "job 1 ended FAILED"
    assert world.job(3).reason == "job 2 ended CANCELLED"
    assert world.names(3) == ["submitted", "dependency-unmet"]


def test_a_dependency_that_ended_before_the_submission_counts_as_it_ended(world):
    world.submit(job_spec(), job_spec())
    world.settle()
    world.finish("1.1")
    world.fail("2.1")
    world.submit(job_spec(after=(1,)), job_spec(after=(1, 2)))
    assert world.state(3) == "STARTING"
    assert (world.state(4), world.job(4).reason) == ("CANCELLED", "job 2 ended FAILED")


@pytest.mark.parametrize("restart", [False, True])
def test_a_job_takes_its_place_in_the_queue_when_what_it_waits_for_has_ended(build, restart):
    world = build(policy="fcfs")  # two CPUs
    world.submit(job_spec(), job_spec(), job_spec(), job_spec(after=(-1,)))
    world.settle()
    world.after(10.0)
    world.submit(job_spec())
    world.after(10.0)
    world.finish("1.1")
    assert [world.state(job) for job in (3, 4, 5)] == ["RUNNING", "QUEUED", "QUEUED"]
    if restart:
        world.restart(policy="fcfs")
    world.finish("2.1")
    assert [world.state(job) for job in (4, 5)] == ["QUEUED", "RUNNING"]
    world.finish("3.1")
    assert world.state(4) == "RUNNING"


def test_a_repeated_key_answers_the_first_jobs_and_revives_none(world):
    (first,) = world.submit(key="once", digest="a")
    world.settle()
    world.finish("1.1")
    (again,) = world.submit(key="once", digest="a")
    assert (again.id, again.state) == (first.id, "SUCCEEDED")
    world.submit(job_spec(after=(1,)))
    assert world.state(2) == "STARTING"
    with pytest.raises(StateError):
        world.submit(key="once", digest="b")


def test_a_repeated_key_in_one_commit_makes_one_job(world):
    # As if the second had been read before the first was heard and had ended meanwhile.
    (job,), _ = world.service.jobs.submit([job_spec()], actor="ann", key="k")
    world.cancel(1)
    world.service.dispatcher.post(Admitted([job]))
    world.step()
    assert world.executor.launches == []
    assert world.service.cluster.statistics()["jobs_devices"] == 0


def test_a_failure_is_retried_after_a_doubling_pause(world):
    world.submit(job_spec(retry=Retry(max_attempts=3, backoff_s=10.0)))
    world.settle()
    world.fail("1.1", "exit code 3")
    assert world.job(1).reason == "retry 1 of 2 in 10 s after exit code 3"
    world.after(9.9)
    assert world.state(1) == "QUEUED"
    world.after(0.1)
    assert world.state(1) == "RUNNING"
    world.fail("1.2")
    world.after(19.9)
    assert world.state(1) == "QUEUED"
    world.after(0.1)
    world.fail("1.3", "signal SIGSEGV")
    assert (world.state(1), world.job(1).reason) == ("FAILED", "signal SIGSEGV")
    assert world.names(1).count("retried") == 2


@pytest.mark.parametrize(
    ("reason", "options"), [("time limit", {}), ("exit code 2", {"retriable": False})]
)
def test_what_would_fail_again_is_not_tried_again(world, reason, options):
    world.submit(job_spec(retry=Retry(max_attempts=3)))
    world.settle()
    world.fail("1.1", reason, result={"error": "no such folder"}, **options)
    assert (world.state(1), world.job(1).reason) == ("FAILED", f"{reason}: no such folder")


def test_an_executor_that_cannot_start_it_is_a_failure_like_others(world):
    world.executor.broken = "no such folder"
    world.submit()
    world.settle()
    assert (world.state(1), world.job(1).reason) == ("FAILED", "could not start: no such folder")
    assert world.attempt(1).dollars == 0


def test_a_lost_attempt_is_followed_by_another_at_once_and_counts_as_no_failure(world):
    world.submit()
    world.settle()
    world.lose("1.1")
    assert (world.state(1), world.job(1).failures, world.job(1).attempts) == ("RUNNING", 0, 2)
    world.finish("1.2")
    assert [attempt.state for attempt in world.store.attempts(1)] == ["LOST", "SUCCEEDED"]


def test_a_job_whose_attempts_vanish_five_times_is_given_up(world):
    world.submit(job_spec(retry=Retry(max_attempts=9)))
    world.settle()
    for number in range(1, 6):
        world.lose(f"1.{number}")
    assert (world.state(1), world.job(1).attempts) == ("FAILED", 5)


def test_a_queued_job_is_cancelled_at_once(world):
    world.submit(job_spec(request=wide(2)), job_spec(request=wide(2)))
    world.cancel(2, "wrong data")
    assert (world.state(2), world.job(2).reason) == ("CANCELLED", "wrong data")
    assert world.executor.cancels == []


def test_a_held_job_is_cancelled_at_once(world):
    world.submit(job_spec(), job_spec(after=(-1,)))
    world.cancel(2)
    assert (world.state(2), world.job(2).reason) == ("CANCELLED", "cancelled by ann")


@pytest.mark.parametrize("heard", [False, True], ids=["starting", "running"])
def test_an_active_job_is_stopped_and_pays_for_what_it_used(world, heard):
    world.submit()
    if heard:
        world.settle()
    world.clock.advance(36)
    world.cancel(1)
    assert world.executor.cancels == ["1.1"]
    assert (world.state(1), world.attempt(1).state) == ("CANCELLED", "CANCELLED")
    assert world.attempt(1).joules == pytest.approx(360)
    assert world.names(1)[-2:] == ["cancel-requested", "cancelled"]


def test_cancelling_twice_asks_once(world):
    world.executor.obeys = False
    world.submit()
    world.settle()
    world.cancel(1)
    world.cancel(1)
    assert (world.state(1), world.executor.cancels) == ("CANCELLING", ["1.1"])
    assert world.names(1).count("cancel-requested") == 1
    world.fail("1.1", "signal SIGKILL")
    assert world.state(1) == "CANCELLED"


def test_a_job_that_ends_well_while_it_is_cancelled_has_succeeded(world):
    world.executor.obeys = False
    world.submit()
    world.settle()
    world.cancel(1)
    world.finish("1.1")
    assert (world.state(1), world.attempt(1).state) == ("SUCCEEDED", "SUCCEEDED")


@pytest.mark.parametrize("end", ["fail", "lose"])
def test_a_cancelled_job_is_not_tried_again(world, end):
    world.executor.obeys = False
    world.submit(job_spec(retry=Retry(max_attempts=5)))
    world.settle()
    world.cancel(1)
    getattr(world, end)("1.1")
    assert (world.state(1), world.job(1).attempts) == ("CANCELLED", 1)


def test_what_has_ended_or_never_was_cannot_be_cancelled(world):
    world.submit()
    world.settle()
    world.finish("1.1")
    with pytest.raises(IllegalTransitionError, match="job 1 is SUCCEEDED already"):
        world.cancel(1)
    with pytest.raises(MissingError):
        world.cancel(7)


def test_a_waiting_job_overtakes_once_it_is_more_important(world):
    world.service.policy_control.use("priority", actor="ann")
    world.submit(*[job_spec(request=wide(2)) for _ in range(3)])
    world.settle()
    version = world.job(3).version
    world.update(3, priority=90, preference=1.0)
    assert (world.state(3), world.job(3).spec.priority) == ("QUEUED", 90)
    world.update(3, priority=90)
    assert world.job(3).version == version + 1
    world.restart()
    world.finish("1.1")
    assert (world.state(2), world.state(3)) == ("QUEUED", "RUNNING")
    assert world.names(3)[:3] == ["submitted", "updated", "placed"]
    assert world.job(3).spec.preference == 1.0


def test_what_does_not_wait_cannot_be_changed(world):
    world.submit()
    world.settle()
    with pytest.raises(IllegalTransitionError, match="job 1 is RUNNING"):
        world.update(1, priority=90)
    world.finish("1.1")
    with pytest.raises(IllegalTransitionError, match="job 1 is SUCCEEDED already"):
        world.update(1, priority=90)
    with pytest.raises(MissingError):
        world.update(7, priority=90)
    assert world.job(1).spec.priority == 50


def test_a_cancellation_heard_together_with_the_end_names_the_end(world):
    world.submit()
    world.settle()
    world.executor.finish("1.1")
    with pytest.raises(IllegalTransitionError, match="job 1 is SUCCEEDED already"):
        world.cancel(1)


def test_events_of_older_attempts_change_nothing(world):
    world.submit(job_spec(retry=Retry(max_attempts=3, backoff_s=0.0)))
    world.settle()
    world.fail("1.1")
    assert world.state(1) == "RUNNING"
    before = world.job(1)
    world.tell("1.1")
    world.tell("1.1", success=False, lost=True)
    assert world.job(1) == before
    world.finish("1.2")
    world.tell("1.2", success=False, reason="exit code 9")
    assert world.state(1) == "SUCCEEDED"
    assert world.service.cluster.statistics()["stale_events"] == 3


def test_a_persons_retry_is_a_new_job_that_names_the_old_one(world):
    world.submit(job_spec(name="seven"))
    with pytest.raises(IllegalTransitionError, match="job 1 is STARTING"):
        world.service.jobs.retry(1, actor="ben")
    world.settle()
    world.fail("1.1")
    job, _ = world.service.jobs.retry(1, actor="ben")
    world.settle()
    assert (job.id, job.retry_of, job.spec.name, world.state(2)) == (2, 1, "seven", "RUNNING")


def test_what_no_pool_could_run_is_refused_naming_the_field(world):
    with pytest.raises(InfeasibleError) as caught:
        world.submit(job_spec(), job_spec(request=Request(("cuda",))))
    assert list(caught.value.fields) == ["jobs[1].request.devices"]
    with pytest.raises(InfeasibleError) as caught:
        world.submit(job_spec(request=wide(3)))
    assert list(caught.value.fields) == ["request.width"]
    with pytest.raises(InfeasibleError) as caught:
        world.submit(job_spec(request=wide(1, memory=9 * 2**30)))
    assert list(caught.value.fields) == ["request.memory"]
    assert not world.store.live()[0]


def test_an_unknown_dependency_is_refused(world):
    with pytest.raises(InputError):
        world.submit(job_spec(after=(9,)))
    with pytest.raises(InputError):
        world.submit(job_spec(after=(-2,)), job_spec())
    assert not world.store.live()[0]


def test_a_budget_below_the_cheapest_placement_is_refused(build):
    world = build((CPU, GPU))
    with pytest.raises(InfeasibleError) as caught:
        world.submit(train(budget=0.001))
    assert list(caught.value.fields) == ["budget"]
    assert caught.value.fields["budget"].startswith("at least $")


def test_a_budget_closes_the_dear_placements_and_holds_what_has_spent_it(build):
    world = build((CPU, GPU))
    cheap = dollars(train(), CPU)
    world.submit(train(budget=cheap * 1.5, preference=1.0, retry=Retry(3, backoff_s=0.0)))
    assert world.attempt(1).pool == "cpu"
    world.settle()
    world.after(100)
    world.fail("1.1")
    explanation = world.service.queries.explain(1)
    assert (world.state(1), explanation.cause) == ("QUEUED", "budget")
    world.restart((CPU, GPU))
    assert world.service.queries.explain(1).cause == "budget"
    assert world.service.cluster.statistics()["jobs_budget"] == 1
