"""WAIT: when it is legal, and that every job still starts."""

import numpy as np
import pytest

from agents.serving.learned_policy import LearnedPolicy
from agents.serving.network import NetworkWeights
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.features.encoder import WaitingRule, encode, may_wait
from scheduler.decisions.kernel.queue.positions import IS_WAIT
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.state.entries import RunningAttempt
from tests.support.worlds import option, pool, snapshot, waiting

BUSY = RunningAttempt(500.0, 9, 0, ((0, 1),))


def world(running):
    jobs = [waiting(job, option(100.0), submitted=float(job)) for job in (1, 2)]
    return snapshot(pool("cpu", 4), jobs, running, now=10.0).world


def legal(running, rule, mode=Mode.GREEDY, starvation_s=np.inf):
    round_ = Round(world(running), 10.0, mode)
    round_.rescue(starvation_s)
    table = round_.table()
    encode(table, 8)
    return may_wait(table, rule)


@pytest.mark.parametrize("rule", list(WaitingRule))
def test_never_while_nothing_runs(rule):
    assert not legal([], rule)


def test_free_waiting_is_legal_beside_the_best_place():
    assert legal([BUSY], WaitingRule.FREE)
    assert not legal([BUSY], WaitingRule.BESIDE_BEST)


def test_never_while_a_job_starves():
    assert not legal([BUSY], WaitingRule.FREE, starvation_s=5.0)
    assert legal([BUSY], WaitingRule.FREE, starvation_s=50.0)


def test_never_where_a_reservation_expresses_it():
    assert not legal([BUSY], WaitingRule.FREE, Mode.EASY)
    assert not legal([BUSY], WaitingRule.FREE, Mode.COMMIT_FCFS)


def lazy(rule):
    """A policy that waits whenever it may."""
    weights = np.zeros(len(ROW_COLUMNS) + 1, dtype=np.float32)
    weights[IS_WAIT] = 10.0
    return LearnedPolicy(NetworkWeights(0, weights), 8, Mode.GREEDY, waiting=rule)


def placed(running, rule, starvation_s=np.inf):
    round_ = Round(world(running), 10.0, Mode.GREEDY)
    round_.rescue(starvation_s)
    assert round_.play(lazy(rule).scorer)
    return [placement.job for placement in round_.plan().placements]


def test_the_laziest_policy_starts_all_jobs_in_the_end():
    assert placed([BUSY], WaitingRule.FREE) == []
    assert placed([BUSY], WaitingRule.FREE, starvation_s=8.5) == [1]
    # Once nothing runs it must start one, and may then wait for that.
    assert placed([], WaitingRule.FREE) == [1]
    assert placed([BUSY], WaitingRule.BESIDE_BEST) == [1, 2]


def test_scores_that_are_no_numbers_are_noticed():
    policy = LearnedPolicy(
        NetworkWeights(0, np.full(len(ROW_COLUMNS) + 1, np.nan, dtype=np.float32)), 8
    )
    assert not Round(world([]), 10.0, Mode.GREEDY).play(policy.scorer)


def test_compiled_choices_are_those_of_the_scores():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights = rng.normal(size=len(ROW_COLUMNS) + 1).astype(np.float32)
        policy = LearnedPolicy(NetworkWeights(0, weights), 8, Mode.GREEDY)
        round_ = Round(world([BUSY]), 10.0, Mode.GREEDY)
        table = round_.table()
        best = int(table.rows[policy.scores(table).argmax()])
        assert round_.choose(policy.scorer) == round_.preceding(best, heed=True)
