"""The service with its threads running: group commit, waiting, cancelling, stopping."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler import bootstrap, settings
from scheduler.clock import SystemClock
from scheduler.domain.errors import MissingError, OutageError, StateError
from scheduler.domain.jobs import Retry
from scheduler.hardware.inventory import Inventory
from scheduler.service.dispatch.messages import Cancel
from scheduler.service.service import Service
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, Failing
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def store() -> Failing:
    return Failing(MemoryStore())


@pytest.fixture
def executor() -> FakeExecutor:
    return FakeExecutor(SystemClock())


@pytest.fixture
def service(tmp_path: Path, store: Failing, executor: FakeExecutor) -> Iterator[Service]:
    service = Service(
        bootstrap.components(
            settings.Settings(data_dir=tmp_path, policy="priority"),
            store,
            executor,
            Inventory((CPU,), {"cpu": ("0", "1")}, {}, {}),
            SystemClock(),
        )
    )
    service.start()
    yield service
    service.live_jobs.validate()
    service.stop()


def until(service, job, state):
    """The job once it is in that state."""
    found = service.store.job(job)
    while found.state != state:
        changed = service.wait_for_change(job, found.version, PATIENCE_S)
        assert changed.version > found.version, f"still {changed.state}"
        found = changed
    return found


def run(service, executor, job, attempt=1):
    until(service, job, "STARTING")
    executor.deliver()
    until(service, job, "RUNNING")
    executor.finish(f"{job}.{attempt}")
    return until(service, job, "SUCCEEDED")


def test_jobs_run_one_after_the_other(service, executor):
    assert not any(problem.fatal for problem in service.problems())
    service.jobs.submit([job_spec(), job_spec(after=(-1,))], actor="ann")
    run(service, executor, 1)
    run(service, executor, 2)
    statistics = service.cluster.statistics()
    assert statistics["launches"] == 2
    assert statistics["jobs_active"] == statistics["jobs_devices"] == 0
    assert statistics["rounds"] >= 2
    assert statistics["decision_seconds_max"] >= statistics["decision_seconds_mean"] > 0
    assert statistics["fallbacks"] == 0


def test_a_retry_starts_by_itself_when_its_pause_is_over(service, executor):
    service.jobs.submit([job_spec(retry=Retry(2, backoff_s=0.05))], actor="ann")
    until(service, 1, "STARTING")
    executor.fail("1.1")
    until(service, 1, "QUEUED")
    until(service, 1, "STARTING")
    assert service.store.job(1).attempts == 2


def test_a_failed_step_is_made_again(service, store, executor, monkeypatch):
    monkeypatch.setattr("scheduler.service.dispatch.dispatcher.RETRY_S", 0.01)
    store.fail["record"] = 3
    service.jobs.submit([job_spec()], actor="ann")
    run(service, executor, 1)
    assert service.cluster.statistics()["failed_steps"] == 3


def test_submissions_that_arrive_together_share_a_commit(service, store, monkeypatch):
    entered, gate = threading.Event(), threading.Event()
    submit = store._store.submit

    def slow(submissions):
        entered.set()
        assert gate.wait(PATIENCE_S)
        return submit(submissions)

    monkeypatch.setattr(store._store, "submit", slow)
    with ThreadPoolExecutor(32) as pool:
        first = pool.submit(service.jobs.submit, [job_spec()], actor="ann", key="k", digest="a")
        assert entered.wait(PATIENCE_S)
        others = [
            pool.submit(service.jobs.submit, [job_spec(name=str(at))], actor="ann")
            for at in range(30)
        ]
        conflict = pool.submit(service.jobs.submit, [job_spec()], actor="ann", key="k", digest="b")
        while service.submissions.waiting < 32:
            time.sleep(0.001)
        gate.set()
        jobs = [found.result(PATIENCE_S)[0][0] for found in (first, *others)]
        with pytest.raises(StateError, match="'k'"):
            conflict.result(PATIENCE_S)
    assert sorted(job.id for job in jobs) == list(range(1, 32))
    assert [job.spec.name for job in jobs[1:]] == [str(at) for at in range(30)]
    assert service.cluster.statistics()["commits"] == 2


def test_nobody_waits_for_a_change_that_was_before(service):
    (job,), _ = service.jobs.submit([job_spec()], actor="ann")
    until(service, 1, "STARTING")
    assert service.wait_for_change(1, job.version, PATIENCE_S).state == "STARTING"
    assert service.wait_for_change(1, 99, 0.01).state == "STARTING"
    with pytest.raises(MissingError):
        service.wait_for_change(2, 0, 0.01)


def test_who_waits_for_a_change_does_not_read_the_store_at_every_other(service, store, executor):
    service.jobs.submit([job_spec(), job_spec()], actor="ann")
    until(service, 2, "STARTING")
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(service.wait_for_change, 2, 99, 0.2)
        store.calls.clear()
        executor.deliver()
        executor.finish("1.1")
        waiter.result(PATIENCE_S)
    assert "job" not in store.calls


def test_cancelling_answers_with_the_job(service, executor):
    executor.obeys = False
    service.jobs.submit([job_spec()], actor="ann")
    until(service, 1, "STARTING")
    assert service.jobs.cancel(1, actor="ann").state == "CANCELLING"
    with pytest.raises(MissingError):
        service.jobs.cancel(9, actor="ann")


def test_a_cancellation_that_cannot_be_confirmed_says_so(service, store, monkeypatch):
    monkeypatch.setattr("scheduler.service.dispatch.messages.ANSWER_S", 0.05)
    service.jobs.submit([job_spec()], actor="ann")
    until(service, 1, "STARTING")
    store.fail["record"] = 1
    with pytest.raises(OutageError, match="not confirmed"):
        service.jobs.cancel(1, actor="ann")
    until(service, 1, "CANCELLING")


def test_a_stopped_service_accepts_nothing_and_leaves_nobody_waiting(service, store, monkeypatch):
    monkeypatch.setattr("scheduler.service.dispatch.dispatcher.RETRY_S", 60.0)
    service.jobs.submit([job_spec()], actor="ann")
    until(service, 1, "STARTING")
    store.fail["record"] = 1
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(service.jobs.cancel, 1, actor="ann")
        while store.fail["record"]:
            time.sleep(0.001)
        service.stop()
        with pytest.raises(OutageError, match="stopping"):
            waiting.result(PATIENCE_S)
    with pytest.raises(OutageError, match="stopping"):
        service.jobs.cancel(1, actor="ann")
    with pytest.raises(OutageError, match="stopping"):
        service.jobs.submit([job_spec()], actor="ann")
    assert "the dispatcher does not run" in [problem.text for problem in service.problems()]


def test_a_quiet_service_has_launched_all_that_it_can(service, store):
    service.jobs.submit([job_spec()] * 3, actor="ann")
    service.quiesce(PATIENCE_S)
    assert [service.store.job(job).state for job in (1, 2, 3)] == ["STARTING", "STARTING", "QUEUED"]
    store.fail["record"] = 1000
    service.dispatcher.post(Cancel(3, "ann", ""))
    with pytest.raises(OutageError, match="still busy"):
        service.quiesce(0.05)
    store.fail["record"] = 0
    service.quiesce(PATIENCE_S)
    assert service.store.job(3).state == "CANCELLED"
