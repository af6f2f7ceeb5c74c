"""Well-formed answers that decide nothing are faults, and the fallback decides."""

import numpy as np
import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.guard import Fault, Guard
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.wgc import Wgc
from tests.policies.test_guard import Says, world
from tests.support.worlds import option, pool, snapshot, table, waiting

FCFS = HEURISTICS["fcfs"]


def waits(view):
    return np.where(np.arange(len(view)) == 0, 1.0, -np.inf)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_the_same_infinity_for_all_rows_is_no_answer(infinity, caplog):
    guard = Guard(Says(lambda view: np.full(len(view), infinity), lambda view: view.dollars), FCFS)
    plan = run_round(world(), guard, Mode.EASY)
    assert plan.placements == run_round(world(), FCFS, Mode.EASY).placements
    assert guard.faults[Fault.INFEASIBLE] >= 1
    assert "fcfs decides" in caplog.text


@pytest.mark.parametrize("stable", [True, False])
def test_a_policy_that_only_waits_is_replaced_for_the_whole_round(stable, caplog):
    guard = Guard(Says(waits, lambda view: view.dollars, stable=stable), FCFS)
    plan = run_round(world(), guard, Mode.GREEDY)
    assert plan.placements == run_round(world(), FCFS, Mode.GREEDY).placements
    assert guard.faults == {Fault.IDLE: guard.fallbacks}
    assert guard.fallbacks
    assert "answer idle" in caplog.text


def busy(*jobs):
    running = RunningAttempt(100.0, 9, 0, ((0, 1),))
    return snapshot(pool(devices=2), [waiting(job, option(10.0)) for job in jobs], [running], 10.0)


def test_waiting_beside_a_running_job_is_a_choice():
    guard = Guard(Says(waits), FCFS)
    assert not run_round(busy(1, 2), guard, Mode.GREEDY).placements
    assert not guard.faults


def test_a_policy_that_idled_is_trusted_again_once_it_chooses():
    says = Says(waits)
    guard = Guard(says, FCFS)
    guard.scores(table(world()))
    assert guard.scores(table(busy(1))).tolist() == FCFS.scores(table(busy(1))).tolist()
    assert guard.faults == {Fault.IDLE: 2}
    says.scored = lambda view: np.arange(len(view), dtype=float)
    guard.scores(table(busy(1)))
    says.scored = waits
    guard.scores(table(busy(1)))
    assert guard.faults == {Fault.IDLE: 2}


def test_wgc_never_idles():
    guard = Guard(Wgc(), FCFS)
    run_round(world(), guard, Mode.EASY)
    assert not guard.faults
