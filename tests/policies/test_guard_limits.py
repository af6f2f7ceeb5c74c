"""Answers that come late or are none, and jobs that would starve in greedy mode."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.policy import mode_of
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.plan import Action
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.guard import Fault, Guard
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named
from tests.support.waiting import PATIENCE_S
from tests.support.worlds import option, pool, snapshot, table, waiting

FCFS, SJF = HEURISTICS["fcfs"], HEURISTICS["sjf"]


class Narrow:
    """Hostile: always prefers the narrowest, and the youngest of those; never waits."""

    name, stable, mode = "narrow", True, Mode.GREEDY

    def scores(self, table):
        scores = -1e6 * table.width - np.where(np.isfinite(table.wait), table.wait, 1e9)
        scores[0] = -np.inf
        return scores

    def costs(self, table):
        return table.dollars


class Slow:
    """Answers when it is told to."""

    name, stable = "slow", False

    def __init__(self):
        self.may = threading.Event()
        self.asked = []

    def scores(self, table):
        self.asked.append(table)
        assert self.may.wait(PATIENCE_S)
        return SJF.scores(table)

    def costs(self, table):
        return SJF.costs(table)


def world():
    jobs = [waiting(1, option(50.0, 1), 0.0), waiting(2, option(10.0, 1), 5.0)]
    return snapshot(pool(devices=1), jobs, now=10.0)


def let_it_end(policy, guard):
    """The late answer is of another table: it is thrown away, whenever it comes."""
    policy.may.set()
    guard._aside._limit_s = PATIENCE_S
    assert guard._aside._done.acquire(timeout=PATIENCE_S)
    guard._aside._done.release()


class Leaving(Slow):
    def scores(self, table):
        raise SystemExit("enough")


def test_a_policy_that_wants_to_leave_takes_nobody_with_it(caplog):
    guard = Guard(Leaving(), FCFS, limit_s=PATIENCE_S)
    view = table(world())
    for asked in (1, 2):
        assert guard.scores(view).tolist() == FCFS.scores(view).tolist()
        assert guard.faults == {Fault.FAILED: asked}
    assert "enough" in caplog.text


def test_a_late_answer_is_not_waited_for(caplog):
    policy = Slow()
    guard = Guard(policy, FCFS, limit_s=0.01)
    view = table(world())
    assert guard.scores(view).tolist() == FCFS.scores(view).tolist()
    assert guard.scores(view).tolist() == FCFS.scores(view).tolist()
    assert guard.faults == {Fault.SLOW: 2}
    let_it_end(policy, guard)
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert guard.fallbacks == 2
    assert "slow" in caplog.text
    # Late answers run on beside the round, so they have a world of their own.
    worlds = [view.world, *(each.world for each in policy.asked)]
    assert len({id(each) for each in worlds}) == len(worlds) == 3


def test_what_the_kernel_computes_has_no_limit():
    guard = Guard(SJF, FCFS, limit_s=1e-9)
    view = table(world())
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert not guard.faults


def test_within_the_limit_nothing_changes():
    view = table(world())
    guard = Guard(SJF, FCFS, limit_s=PATIENCE_S)
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert not guard.faults


class Pensive:
    """sjf, but for its reasons: those come when it is told to."""

    name, stable = "pensive", False
    scores, costs = SJF.scores, SJF.costs

    def __init__(self):
        self.may = threading.Event()

    def reasons(self, table, chosen, rival):
        assert self.may.wait(PATIENCE_S)
        return {"runtime": 1.0}


def test_a_late_explanation_is_not_waited_for(caplog):
    policy = Pensive()
    guard = Guard(policy, FCFS, limit_s=PATIENCE_S)
    view = table(world())
    guard.scores(view)
    guard._aside._limit_s = 0.01
    assert guard.reasons(view, 1, 2) == {}
    assert "reasons slow" in caplog.text
    # Nothing else is asked of it before it has come to an end.
    assert guard.scores(view).tolist() == FCFS.scores(view).tolist()
    assert guard.faults == {Fault.SLOW: 2}
    let_it_end(policy, guard)
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert guard.reasons(view, 1, 2) == {"runtime": 1.0}
    assert guard.fallbacks == 2


def test_a_round_ends_although_the_policy_never_explains_itself():
    policy = Pensive()
    guard = Guard(policy, FCFS, limit_s=0.05)
    try:
        plan = run_round(world(), guard, Mode.EASY, observer(guard, Mode.EASY))
    finally:
        policy.may.set()
    assert plan.placements
    assert not any(decision.chosen.terms for decision in plan.decisions)
    assert guard.faults[Fault.SLOW] >= 1


@pytest.mark.parametrize("answer", [RuntimeError("no words"), None, {"runtime": "long"}])
@pytest.mark.parametrize("limit_s", [np.inf, PATIENCE_S])
def test_an_explanation_that_fails_is_counted_and_left_out(answer, limit_s, caplog):
    class Mute(Pensive):
        def reasons(self, table, chosen, rival):
            if isinstance(answer, Exception):
                raise answer
            return answer

    guard = Guard(Mute(), FCFS, limit_s=limit_s)
    view = table(world())
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert guard.reasons(view, 1, 2) == {}
    assert guard.faults == {Fault.FAILED: 1}
    assert "cannot give its reasons" in caplog.text


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (RuntimeError("no such operator"), Fault.FAILED),
        (lambda table: np.full(len(table), np.nan), Fault.NAN),
        (lambda table: np.zeros(len(table) + 1), Fault.INFEASIBLE),
        (lambda _: None, Fault.INFEASIBLE),
    ],
)
@pytest.mark.parametrize("limit_s", [np.inf, PATIENCE_S])
def test_what_went_wrong_is_counted_by_reason(answer, fault, limit_s, caplog):
    class Wrong:
        name, stable = "wrong", False

        def scores(self, table):
            if isinstance(answer, Exception):
                raise answer
            return answer(table)

        costs = scores

    guard = Guard(Wrong(), SJF, limit_s=limit_s)
    view = table(world())
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert guard.faults == {fault: 1}
    assert "sjf decides" in caplog.text


def test_the_mode_that_a_policy_was_made_for_wins():
    assert mode_of(Guard(Narrow(), FCFS), Mode.EASY) is Mode.GREEDY
    assert mode_of(Guard(SJF, FCFS), Mode.NONE) is Mode.NONE


def wide_and_narrow(now):
    """One device of two is busy; a wide job waits since second 0, a narrow one came just now."""
    jobs = [waiting(1, option(99.0, 2), 0.0), waiting(2, option(500.0, 1), now)]
    busy = [RunningAttempt(1000 + now, 9, 0, ((0, 1),))]
    return snapshot(pool(devices=2), jobs, now=now, running=busy)


def test_a_starving_job_is_reserved_in_greedy_mode_and_others_start_beside_it():
    plan = run_round(wide_and_narrow(100.0), Guard(Narrow(), FCFS, 60.0), Mode.GREEDY)
    assert [held.job for held in plan.reservations] == [1]
    # 500 s end before the 1000 s at which the other device comes free.
    assert [(one.job, one.action) for one in plan.placements] == [(2, Action.BACKFILL)]


def test_nothing_is_reserved_in_greedy_mode_before_its_time():
    jobs = [waiting(1, option(99.0), 0.0)]
    snap = snapshot(pool(devices=1), jobs, [RunningAttempt(1100.0, 9, 0, ((0, 1),))], now=100.0)
    for guard in (Narrow(), Guard(Narrow(), FCFS), Guard(Narrow(), FCFS, 100.0)):
        assert not run_round(snap, guard, Mode.GREEDY).reservations
    plan = run_round(snap, Guard(Narrow(), FCFS, 60.0), Mode.GREEDY)
    assert [held.job for held in plan.reservations] == [1]


def test_a_starving_job_that_fits_somewhere_starts_there():
    pools = (pool("a", devices=1), pool("b", devices=2))
    jobs = [waiting(1, [option(9.0, 1, pool=0, dollars=1.0), option(9.0, 2, pool=1)], 0.0)]
    busy = [RunningAttempt(500.0, 9, 0, ((0, 1),))]
    snap = snapshot(pools, jobs, now=100.0, running=busy)
    plan = run_round(snap, Guard(Narrow(), FCFS, 60.0), Mode.GREEDY)
    assert [(one.job, one.pool) for one in plan.placements] == [(1, 1)]


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.GREEDY])
def test_rescue_changes_nothing_where_all_can_be_reserved(mode):
    snap = wide_and_narrow(100.0)
    one, other = (Round(snap.world.copy(), snap.now, mode) for _ in range(2))
    one.rescue(10.0)
    assert one.table().rows.tolist() == other.table().rows.tolist()


DEVICES = 4
POOLS = (Pool("cpu", DeviceKind.CPU, "CPU", DEVICES, dollars_per_device_hour=1.0),)
BOUND_S = 300.0


@given(
    st.lists(st.tuples(st.integers(1, 3), st.floats(1.0, 100.0)), min_size=60, max_size=90),
    st.integers(1, 20),
)
def test_no_job_starves_under_a_hostile_policy_in_greedy_mode(small, at):
    """Narrow jobs come faster than they end, for ever; one wide job is among them."""
    jobs, now = [], 0.0
    for index, (width, seconds) in enumerate(small):
        if index == at:
            jobs.append(Arrival(len(jobs) + 1, now, (WorkloadRun("any", DEVICES, 10.0),)))
            wide = len(jobs)
        jobs.append(Arrival(len(jobs) + 1, now, (WorkloadRun("any", width, seconds),)))
        now += width * seconds / (1.2 * DEVICES)
    workload = Workload("hostile", tuple(jobs))
    waited = wait_of(wide, workload, Guard(Narrow(), named("wgc"), BOUND_S))
    # Once it starves, it waits for what runs and for those that starve longer, no more; and each
    # instant only decides when something happens.
    ahead = sum(seconds for _, seconds in small[:at])
    assert waited <= BOUND_S + 200.0 + ahead


def test_without_the_bound_a_wide_job_starves():
    jobs = [Arrival(1 + at, 5.0 * at, (WorkloadRun("any", 1, 50.0),)) for at in range(200)]
    jobs[10] = Arrival(11, 50.0, (WorkloadRun("any", DEVICES, 10.0),))
    workload = Workload("hostile", tuple(jobs))
    assert wait_of(11, workload, Narrow()) > 2000.0
    assert wait_of(11, workload, Guard(Narrow(), FCFS, BOUND_S)) < BOUND_S + 200.0


def wait_of(job, workload, policy):
    outcome = Simulation(workload, ClusterSpec(POOLS, Mode.EASY), check=True).run(policy)
    row = outcome.job.tolist().index(job)
    return outcome.started[row] - outcome.submitted[row]
