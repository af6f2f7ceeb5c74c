"""Changes of a job: costs, retries, cancelling, losing; and walks of random events."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain import transitions
from scheduler.domain.errors import IllegalTransitionError
from scheduler.domain.jobs import Estimate, Job, JobKind, JobSpec, Profile, Retry
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request

POOL = Pool("gpu", DeviceKind.CUDA, "A10", 4, dollars_per_device_hour=3.6, watts_per_device=100.0)
ESTIMATE = Estimate(60.0, 0.12, 12_000.0, "history")


def job(**spec):
    profile = Profile("true", 1.0)
    request = Request(memory_bytes=64)
    full = JobSpec(JobKind.COMMAND, {"argv": ["true"]}, profile, request=request, **spec)
    return Job(7, full, JobState.QUEUED, "waiting", submitted_at=5.0)


def run(queued, placed_at=10.0, started_at=12.0):
    """The job running on two devices, and its attempt."""
    placed, attempt = transitions.placed(queued, POOL, (1, 3), ESTIMATE, placed_at, "best")
    started = transitions.started(placed.job, attempt, 4242, started_at)
    return started.job, started.attempt


def test_placing_makes_an_attempt():
    change, attempt = transitions.placed(job(), POOL, (1, 3), ESTIMATE, 10.0, "best of 3 jobs")
    assert (change.job.state, change.job.attempts, change.job.version) == (JobState.STARTING, 1, 1)
    assert change.job.reason == "best of 3 jobs"
    assert change.attempt == attempt
    assert (attempt.id, attempt.state, attempt.pool) == ("7.1", AttemptState.STARTING, "gpu")
    assert (attempt.devices, attempt.memory_bytes, attempt.placed_at) == ((1, 3), 64, 10.0)
    assert (attempt.estimate, attempt.started_at, attempt.dollars) == (ESTIMATE, None, None)
    event = change.event
    assert (event.name, event.actor, event.time) == (EventName.PLACED, "scheduler", 10.0)
    assert (event.before, event.after, event.attempt) == (JobState.QUEUED, JobState.STARTING, 1)


def test_an_update_tells_old_and_new_and_keeps_the_reason():
    waiting = replace(job(priority=50, deadline=99.5), reason="retry 1 of 2")
    change = transitions.updated(waiting, {"priority": 90, "deadline": None}, "ann", 10.0)
    assert (change.job.spec.priority, change.job.spec.deadline) == (90, None)
    assert (change.job.state, change.job.reason, change.job.version) == (
        "QUEUED",
        "retry 1 of 2",
        1,
    )
    assert change.event.reason == "priority 50 → 90, deadline 1970-01-01 00:01:39 UTC → none"
    assert change.event.data == {"priority": [50, 90], "deadline": [99.5, None]}
    with pytest.raises(IllegalTransitionError):
        transitions.updated(run(job())[0], {"priority": 90}, "ann", 10.0)


def test_starting_keeps_the_process():
    running, attempt = run(job())
    assert (running.state, running.started_at, running.version) == (JobState.RUNNING, 12.0, 2)
    assert (attempt.state, attempt.pid) == (AttemptState.RUNNING, 4242)
    assert running.reason == "on gpu × 2"


def test_success_costs_run_time_times_width():
    running, attempt = run(job())
    change = transitions.succeeded(running, attempt, POOL, {"accuracy": 0.97}, 112.0)
    assert (change.job.state, change.job.finished_at) == (JobState.SUCCEEDED, 112.0)
    ended = change.attempt
    assert ended.dollars == pytest.approx(100 * 2 * 3.6 / 3600)  # $0.20
    assert ended.joules == pytest.approx(100 * 2 * 100.0)
    assert (ended.exit_reason, ended.result) == ("exit code 0", {"accuracy": 0.97})
    assert ended.state is AttemptState.SUCCEEDED


def test_run_times_of_attempts_add_up_and_pauses_do_not_count():
    running, attempt = run(job(retry=Retry(3, 1.0)))
    again = transitions.failed(running, attempt, POOL, "exit code 3", 42.0).job
    assert (again.state, again.ran_s) == (JobState.QUEUED, 30.0)
    running, attempt = run(again, placed_at=60.0, started_at=61.0)
    assert running.ran_s == 30.0
    assert transitions.succeeded(running, attempt, POOL, {}, 66.0).job.ran_s == 35.0


def test_what_never_started_costs_nothing():
    placed, attempt = transitions.placed(job(), POOL, (0,), ESTIMATE, 10.0, "")
    change = transitions.failed(placed.job, attempt, POOL, "exit code 1", 99.0)
    assert (change.attempt.dollars, change.attempt.joules) == (0.0, 0.0)


def test_a_clock_set_back_never_makes_a_negative_cost():
    running, attempt = run(job())
    change = transitions.succeeded(running, attempt, POOL, {}, 11.0)
    assert (change.attempt.dollars, change.attempt.joules) == (0.0, 0.0)


def test_failures_are_retried_with_doubling_backoff_and_then_final():
    current = job(retry=Retry(max_attempts=3, backoff_s=4.0))
    seen = []
    for now in (100.0, 200.0, 300.0):
        running, attempt = run(current, now - 10, now - 5)
        change = transitions.failed(running, attempt, POOL, "exit code 3", now)
        current = change.job
        seen.append((change.event.name.value, current.state.value, current.failures))
        assert change.attempt.state is AttemptState.FAILED
        if now == 100.0:
            assert current.eligible_at == 104.0
            assert current.reason == "retry 1 of 2 in 4 s after exit code 3"
        if now == 200.0:
            assert current.eligible_at == 208.0
            assert current.reason == "retry 2 of 2 in 8 s after exit code 3"
    assert seen == [("retried", "QUEUED", 1), ("retried", "QUEUED", 2), ("failed", "FAILED", 3)]
    assert (current.finished_at, current.reason, current.attempts) == (300.0, "exit code 3", 3)


def test_what_cannot_help_is_not_retried():
    running, attempt = run(job(retry=Retry(max_attempts=3)))
    change = transitions.failed(
        running, attempt, POOL, "no such folder", 20.0, retriable=False, result={"x": 1}
    )
    assert change.job.state is JobState.FAILED
    assert change.attempt.result == {"x": 1}


def test_a_lost_attempt_is_not_the_jobs_failure():
    running, attempt = run(job())
    change = transitions.lost(running, attempt, POOL, "process is gone", 22.0)
    assert (change.job.state, change.job.failures) == (JobState.QUEUED, 0)
    assert change.job.reason == "requeued: process is gone"
    assert change.attempt.state is AttemptState.LOST
    assert change.attempt.exit_reason == "lost: process is gone"
    assert change.attempt.dollars == pytest.approx(10 * 2 * 3.6 / 3600)
    again, second = transitions.placed(change.job, POOL, (0,), ESTIMATE, 30.0, "")
    assert (second.id, again.job.started_at) == ("7.2", None)


def test_cancelling_what_waits_and_what_runs():
    now = transitions.cancelled(job(), 6.0, "ann", "not needed")
    assert (now.job.state, now.job.finished_at, now.attempt) == (JobState.CANCELLED, 6.0, None)
    assert (now.event.actor, now.event.reason) == ("ann", "not needed")

    running, attempt = run(job(retry=Retry(max_attempts=5)))
    asked = transitions.cancel_requested(running, "ann", "not needed", 20.0)
    assert (asked.job.state, asked.attempt) == (JobState.CANCELLING, None)
    for change in (
        transitions.failed(asked.job, attempt, POOL, "signal SIGTERM", 22.0),
        transitions.lost(asked.job, attempt, POOL, "process is gone", 22.0),
    ):
        assert (change.job.state, change.event.name) == (JobState.CANCELLED, EventName.CANCELLED)
        assert change.attempt.state is AttemptState.CANCELLED
        assert change.attempt.dollars == pytest.approx(10 * 2 * 3.6 / 3600)
    ended = transitions.succeeded(asked.job, attempt, POOL, {}, 22.0)
    assert ended.job.state is JobState.SUCCEEDED
    with pytest.raises(IllegalTransitionError):
        transitions.cancelled(running, 20.0, "ann", "at once")


def test_no_job_ends_or_queues_again_over_an_attempt_that_holds_devices():
    running, attempt = run(job())
    asked = transitions.cancel_requested(running, "ann", "", 20.0).job
    with pytest.raises(IllegalTransitionError, match="cannot be cancelled: its attempt still"):
        transitions.cancelled(asked, 21.0, "ann", "")
    done = transitions.cancelled(asked, 21.0, "executor", "stopped", attempt, POOL)
    assert (done.job.state, done.attempt.state.final) == (JobState.CANCELLED, True)


def test_what_waits_for_a_failure_ends():
    first = replace(job(), id=3, state=JobState.FAILED)
    change = transitions.unmet(job(after=(3,)), first, 9.0)
    assert (change.job.state, change.job.reason) == (JobState.CANCELLED, "job 3 ended FAILED")


HAPPENINGS = {
    "place": lambda j, a, t: transitions.placed(j, POOL, (0, 1), ESTIMATE, t, "")[0],
    "start": lambda j, a, t: transitions.started(j, a, 1, t),
    "succeed": lambda j, a, t: transitions.succeeded(j, a, POOL, {}, t),
    "fail": lambda j, a, t: transitions.failed(j, a, POOL, "exit code 1", t),
    "lose": lambda j, a, t: transitions.lost(j, a, POOL, "gone", t),
    "ask": lambda j, a, t: transitions.cancel_requested(j, "ann", "", t),
    "cancel": lambda j, a, t: transitions.cancelled(j, t, "ann", ""),
    "update": lambda j, a, t: transitions.updated(j, {"priority": int(t)}, "ann", t),
}
NEED_ATTEMPT = {"start", "succeed", "fail", "lose"}


@given(st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=25), st.integers(1, 3))
def test_whatever_happens_a_jobs_history_holds_together(names, most):
    current, attempt, ended = job(retry=Retry(most, 1.0)), None, set()
    for time, name in enumerate(names, start=1):
        if name in NEED_ATTEMPT and (attempt is None or attempt.state.final):
            continue
        try:
            change = HAPPENINGS[name](current, attempt, float(time))
        except IllegalTransitionError:
            continue
        assert not current.state.final
        assert change.job.version == current.version + 1
        assert (change.event.before, change.event.after) == (current.state, change.job.state)
        assert change.job.state.final == (change.job.finished_at is not None)
        current, attempt = change.job, change.attempt or attempt
        if change.attempt is not None and attempt.state.final:
            assert attempt.number not in ended
            ended.add(attempt.number)
            assert attempt.dollars >= 0
        # A final state is never reached with an attempt still holding devices.
        assert current.state.active == (attempt is not None and not attempt.state.final)
        assert current.failures <= most
        assert current.attempts == (attempt.number if attempt else 0)
