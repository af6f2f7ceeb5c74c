"""Services that share a PostgreSQL database: what a follower does, and what a leader hears."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler import bootstrap
from scheduler.clock import SystemClock
from scheduler.domain.errors import (
    IllegalTransitionError,
    InputError,
    LostLeadershipError,
    MissingError,
    StateError,
)
from scheduler.domain.groups.sweeps import Dimension, SweepMethod, SweepState
from scheduler.domain.lifecycle import JobState
from scheduler.executors.absent import AbsentExecutor
from scheduler.hardware.inventory import Inventory
from scheduler.service.jobs.bulk_cancel import BulkCancel
from scheduler.service.service import Service
from scheduler.service.standby import follower as followers
from scheduler.service.standby import standby as standbys
from scheduler.service.standby.follower import FollowerService
from scheduler.service.standby.standby import Standby
from scheduler.settings import Settings
from scheduler.store.base import JobQuery
from scheduler.store.sql import SqlStore
from scheduler.store.sql.sharing import lease
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.samples import job_spec
from scheduler.testing.stores.sweeps import SWEEP
from tests.support.service_worlds import CPU
from tests.support.waiting import until

SIZES = {"work.env.SIZE": Dimension(choices=("1", "2", "3"))}


class Pair:
    """Services on one database and one data folder, with executors that the test drives."""

    def __init__(self, folder: Path, url: str) -> None:
        self.settings = Settings(data_dir=folder, policy="priority", database_url=url)
        self.inventory = Inventory((CPU,), {"cpu": ("0", "1")}, {}, {})
        self.executors: list[FakeExecutor] = []
        self.services: list[Standby] = []

    def standby(self) -> Standby:
        """Another service; it leads if there is no leader."""
        store = SqlStore(self.settings.database)
        parts = bootstrap.components(
            self.settings,
            store,
            AbsentExecutor(),
            self.inventory,
            SystemClock(),
            shared=store,
            leads=False,
        )

        def build() -> Service:
            self.executors.append(
                self.executors[-1].successor() if self.executors else FakeExecutor(SystemClock())  # type: ignore[arg-type]
            )
            return Service(
                bootstrap.components(
                    self.settings,
                    store,
                    self.executors[-1],
                    self.inventory,
                    SystemClock(),
                    shared=store,
                )
            )

        service = Standby(FollowerService(parts, store), store, build)
        service.start()
        self.services.append(service)
        return service

    def deliver(self) -> None:
        self.executors[-1].deliver()


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str) -> Iterator[Pair]:
    pair = Pair(tmp_path, postgres_url)
    yield pair
    for service in pair.services:
        service.stop()


def state(service: Standby, job: int) -> JobState:
    return service.current.store.job(job).state


def test_a_job_submitted_to_the_follower_is_run_by_the_leader(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    assert (leader.leads, follower.leads) == (True, False)
    (job,), replayed = follower.current.jobs.submit([job_spec()], actor="ann", key="k", digest="d")
    assert not replayed
    until(lambda: pair.executors[0].launches == [f"{job.id}.1"])
    pair.deliver()
    pair.executors[0].finish(f"{job.id}.1", {})
    until(lambda: state(follower, job.id) is JobState.SUCCEEDED)
    for service in (leader, follower):
        again, replayed = service.current.jobs.submit(
            [job_spec()], actor="ann", key="k", digest="d"
        )
        assert ([one.id for one in again], replayed) == ([job.id], True)


def test_a_follower_says_how_far_a_running_job_is(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    (job,), _ = leader.current.jobs.submit([job_spec()], actor="ann")
    until(lambda: pair.executors[0].launches == [f"{job.id}.1"])
    pair.deliver()
    until(lambda: state(follower, job.id) is JobState.RUNNING)
    folder = follower.current.folders.attempt(job.id, 1)
    folder.mkdir(parents=True, exist_ok=True)
    line = {"kind": "progress", "fraction": 0.25, "time": time.time(), "epoch": 1, "epochs": 4}
    (folder / "metrics.jsonl").write_text(json.dumps(line) + "\n")

    def told() -> tuple[float | None, int | None]:
        (figures,) = follower.current.queries.figures([follower.current.job(job.id)])
        run = figures.running
        return (None, None) if run is None else (run.fraction, run.epoch)

    until(lambda: told() == (0.25, 1))


def test_jobs_of_both_are_decided_on_whatever_the_order(pair: Pair) -> None:
    """The leader hears of its own jobs at once, and of others a moment later."""
    leader, follower = pair.standby(), pair.standby()

    def submit(service: Standby) -> None:
        for _ in range(20):
            service.current.jobs.submit([job_spec()] * 2, actor="ann")

    threads = [threading.Thread(target=submit, args=(one,)) for one in (leader, follower)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(leader.current.live_jobs.jobs) == 80)
    leader.current.quiesce()
    leader.current.live_jobs.validate()
    assert len(pair.executors[0].launches) == 2


def test_changes_go_to_the_leader_and_its_answer_comes_back(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    (first, second, third), _ = follower.current.jobs.submit([job_spec()] * 3, actor="ann")
    until(lambda: len(pair.executors[0].launches) == 2)
    pair.deliver()
    changed = follower.current.jobs.update(third.id, {"priority": 7}, actor="ann")
    assert changed.spec.priority == 7
    assert follower.current.jobs.cancel(third.id, actor="bob").state is JobState.CANCELLED
    assert leader.current.job(third.id).reason == "cancelled by bob"
    assert follower.current.jobs.cancel(first.id, actor="ann").state is JobState.CANCELLING
    with pytest.raises(IllegalTransitionError, match=f"job {third.id} is CANCELLED already"):
        follower.current.jobs.cancel(third.id, actor="ann")
    with pytest.raises(MissingError):
        follower.current.jobs.cancel(99, actor="ann")
    until(lambda: state(leader, second.id) is JobState.RUNNING)
    with pytest.raises(StateError, match="cannot be preempted"):
        follower.current.jobs.preempt(second.id, actor="ann")


def test_a_job_of_the_follower_can_be_cancelled_at_the_leader_at_once(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    for _ in range(10):
        (job,), _ = follower.current.jobs.submit([job_spec()], actor="ann")
        assert leader.current.jobs.cancel(job.id, actor="ann").state in {
            JobState.CANCELLED,
            JobState.CANCELLING,
        }


def test_many_jobs_are_cancelled_at_the_follower(pair: Pair) -> None:
    _, follower = pair.standby(), pair.standby()
    follower.current.jobs.submit([job_spec()] * 50, actor="ann")
    bulk = BulkCancel(follower.current.store, follower.current.post)
    assert len(bulk.cancel(bulk.live(JobQuery()), actor="ann")) == 50
    assert follower.current.store.count(JobQuery(states=[JobState.QUEUED])) == 0


def test_a_follower_shows_what_the_leader_shows(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    jobs, _ = leader.current.jobs.submit([job_spec()] * 4, actor="ann")
    until(lambda: len(pair.executors[0].launches) == 2)
    pair.deliver()
    until(lambda: state(leader, jobs[1].id) is JobState.RUNNING)
    until(lambda: follower.current.cluster.view().active == 2)
    views = [service.current.cluster.view() for service in (leader, follower)]
    assert [view.pools for view in views] == [views[0].pools] * 2
    assert [(view.queued, view.active) for view in views] == [(2, 2)] * 2
    told = [service.current.queries.explain(jobs[3].id) for service in (leader, follower)]
    assert (told[0].cause, told[0].position) == (told[1].cause, told[1].position) == ("order", 2)
    assert [one.leader and one.leader.follows for one in views] == [False, True]
    pair.executors[0].finish(f"{jobs[0].id}.1", {})
    until(lambda: follower.current.job(jobs[0].id).state is JobState.SUCCEEDED)
    until(lambda: follower.current.queries.explain(jobs[0].id).cause == "final")
    assert follower.current.queries.plan(job_spec())


def test_who_waits_at_the_follower_hears_of_the_leaders_change(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    (job,), _ = leader.current.jobs.submit([job_spec()], actor="ann")
    heard: list[Any] = []
    waiting = threading.Thread(
        target=lambda: heard.append(follower.current.wait_for_change(job.id, job.version, 300.0))
    )
    waiting.start()
    waiting.join()
    assert heard[0].version > job.version


def test_policies_are_the_leaders(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    leader.announce("http://one:8470")
    for change in (
        lambda: follower.current.policy_control.use("sjf", actor="ann"),
        lambda: follower.current.policy_control.prefer(0.9, actor="ann"),
        lambda: follower.current.policy_control.follow("sjf", actor="ann"),
        lambda: follower.current.policy_control.evaluate(actor="ann"),
        follower.current.policy_control.score,
    ):
        with pytest.raises(StateError, match="http://one:8470") as caught:
            change()
        assert caught.value.fields == {"leader": "http://one:8470"}
    leader.current.policy_control.use("sjf", actor="ann")
    leader.current.policy_control.prefer(0.9, actor="ann")
    until(lambda: follower.current.policy_control.view().name == "sjf")
    assert follower.current.policy_control.preferences().cluster == 0.9


def test_the_follower_takes_over_and_adopts_what_runs(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    jobs, _ = leader.current.jobs.submit([job_spec()] * 3, actor="ann")
    until(lambda: len(pair.executors[0].launches) == 2)
    pair.deliver()
    led: list[int] = []
    follower.when_leading(lambda: led.append(1))
    before = follower.current
    pair.services.remove(leader)
    leader.stop()
    until(lambda: led == [1])
    assert follower.leads
    follower.when_leading(lambda: led.append(2))
    assert led == [1, 2]
    assert follower.current.sharing.leader().epoch == 2  # type: ignore[union-attr]
    pair.deliver()
    assert [job.attempts for job in map(follower.current.store.job, (1, 2, 3))] == [1, 1, 0]
    pair.executors[-1].finish("1.1", {})
    until(lambda: state(follower, jobs[2].id) is JobState.STARTING)
    # A request that began at the follower ends well, and its job is heard of at once.
    (late,), _ = before.jobs.submit([job_spec()], actor="ann")
    until(lambda: late.id in follower.current.live_jobs.jobs)
    assert before.jobs.cancel(late.id, actor="ann").state is JobState.CANCELLED


def test_a_sweep_of_the_follower_goes_on_when_it_takes_over(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    store = follower.current.store
    sweep, _ = follower.current.sweeps.submit(
        replace(SWEEP, method=SweepMethod.GRID, parameters=SIZES, trials=3, parallel=2),
        actor="ann",
    )

    def jobs() -> list[int]:
        return [job.id for job in store.jobs(JobQuery(sweep=sweep.id))]

    until(lambda: len(pair.executors[0].launches) == 2)
    pair.services.remove(leader)
    leader.stop()
    until(lambda: follower.leads)
    pair.deliver()
    pair.executors[-1].finish("1.1", {})
    until(lambda: jobs() == [3, 2, 1])
    follower.current.sweeps.cancel(sweep.id, actor="ann")

    def cancelled() -> bool:
        pair.deliver()
        return store.sweeps.sweep(sweep.id).state is SweepState.CANCELLED

    until(cancelled)
    found = follower.current.sweeps.view(sweep.id)
    assert found.counts == {"FAILED": 1, "CANCELLED": 2}  # the first reported nothing


def test_a_request_that_the_leader_did_not_answer_is_answered_by_the_next(pair: Pair) -> None:
    leader, follower = pair.standby(), pair.standby()
    (job,), _ = follower.current.jobs.submit([job_spec(after=())], actor="ann")
    leader.current.sharing.stop()  # it hears nothing any more
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(follower.current.jobs.cancel(job.id, actor="ann"))
    )
    asking.start()
    until(follower.current.store.asked)  # type: ignore[attr-defined]
    pair.services.remove(leader)
    leader.stop()
    asking.join()
    assert answers[0].state in {JobState.CANCELLED, JobState.CANCELLING}


def test_a_leader_that_hung_changes_nothing_when_it_wakes_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = pair.standby(), pair.standby()
    leader.current.jobs.submit([job_spec()], actor="ann")
    until(lambda: pair.executors[0].launches)
    monkeypatch.setattr(lease, "RENEW_S", 3600.0)
    old = leader.current.store
    until(lambda: follower.leads)
    assert pair.executors[-1] is not pair.executors[0]
    until(lambda: state(follower, 1) is JobState.RUNNING)
    follower.current.quiesce()
    count = len(follower.current.store.events())
    with pytest.raises(LostLeadershipError):
        old.submit([])
    with pytest.raises(LostLeadershipError):
        leader.current.jobs.submit([job_spec()], actor="ann")
    assert len(follower.current.store.events()) == count
    until(lambda: any(one.part == "store" and one.fatal for one in leader.current.problems()))


def test_a_take_over_that_fails_leaves_the_follower_following(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standbys, "RETRY_S", 0.05)
    leader, follower = pair.standby(), pair.standby()
    build: Callable[[], Service] = follower._build
    tries: list[int] = []

    def fails_once() -> Service:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no space left on device")
        return build()

    follower._build = fails_once
    pair.services.remove(leader)
    leader.stop()
    follower.current.jobs.submit([job_spec()], actor="ann")
    until(lambda: follower.leads)
    assert len(tries) == 2
    until(lambda: pair.executors[-1].launches == ["1.1"])


def test_sqlite_has_no_second_service(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PostgreSQL") as caught:
        bootstrap.standby(Settings(data_dir=tmp_path, policy="priority"))
    assert "standby" in caught.value.fields


def test_a_follower_is_well_while_somebody_leads(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader, follower = pair.standby(), pair.standby()
    assert not any(problem.fatal for problem in follower.current.problems())
    monkeypatch.setattr(follower, "_build", None)  # it cannot take over
    pair.services.remove(leader)
    leader.stop()
    monkeypatch.setattr(followers, "ALONE_S", -lease.TTL_S - 1)
    until(lambda: [one.part for one in follower.current.problems() if one.fatal] == ["leader"])
