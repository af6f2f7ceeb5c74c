"""Whatever a policy does, jobs get decided and none starves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.policies.guard import Guard
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import option, pool, snapshot, table, waiting

FCFS, SJF = HEURISTICS["fcfs"], HEURISTICS["sjf"]


@dataclass
class Says:
    """A policy that answers with whatever it was given, or raises it."""

    scored: Any
    cost: Any = None
    name: str = "says"
    stable: bool = True

    def scores(self, table):
        return self._answer(self.scored, table)

    def costs(self, table):
        return self._answer(self.cost, table)

    def _answer(self, answer, table):
        if isinstance(answer, Exception):
            raise answer
        return answer(table) if callable(answer) else answer


def world():
    jobs = [
        waiting(1, [option(90.0, 1), option(50.0, 2)], 0.0),
        waiting(2, [option(10.0, 1), option(8.0, 2)], 5.0),
        waiting(3, [option(50.0, 1), option(30.0, 2)], 7.0),
    ]
    return snapshot(pool(devices=2), jobs, now=10.0)


BROKEN = {
    "raises": RuntimeError("no such operator"),
    "nan": lambda table: np.full(len(table), np.nan),
    "one nan": lambda table: np.where(np.arange(len(table)) == 1, np.nan, 0.0),
    "too short": lambda table: np.zeros(len(table) - 1),
    "a column": lambda table: np.zeros((len(table), 1)),
    "a number": 3.0,
    "nothing": None,
    "words": lambda table: ["best"] * len(table),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_scores_are_replaced_and_counted(what, caplog):
    guard = Guard(Says(BROKEN[what], lambda table: table.dollars), SJF)
    view = table(world())
    assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert guard.fallbacks == 1
    assert "sjf decides" in caplog.text


@pytest.mark.parametrize("what", BROKEN)
def test_broken_costs_are_replaced_and_counted(what, caplog):
    guard = Guard(Says(lambda table: np.arange(len(table), dtype=float), BROKEN[what]), SJF)
    part = table(world()).only([1, 2])
    assert guard.costs(part).tolist() == SJF.costs(part).tolist()
    assert guard.fallbacks == 1


def test_a_round_with_a_broken_policy_is_the_fallbacks_round(caplog):
    guard = Guard(Says(RuntimeError("x"), RuntimeError("y")), FCFS)
    plan = run_round(world(), guard, Mode.EASY)
    assert plan.placements == run_round(world(), FCFS, Mode.EASY).placements
    assert plan.policy == "says"


def test_a_list_of_numbers_will_do():
    guard = Guard(Says(lambda table: list(range(len(table)))), SJF)
    assert guard.scores(table(world())).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert guard.fallbacks == 0


def test_nothing_is_lifted_before_its_time():
    view = table(world())
    for guard in (Guard(SJF, FCFS), Guard(SJF, FCFS, starvation_s=10.0)):
        assert guard.scores(view).tolist() == SJF.scores(view).tolist()
    assert (guard.name, guard.stable) == ("sjf", True)


SCALES = {
    "as they are": SJF,
    "all never": Says(lambda table: np.full(len(table), -np.inf)),
    "beyond all": Says(lambda table: np.where(table.job == 3, np.inf, 1.7e308)),
    "all last": Says(lambda table: np.full(len(table), -1e300)),
    "waits": Says(lambda table: np.where(table.job == 0, 1e12, 0.0)),
}


@pytest.mark.parametrize("scale", SCALES)
def test_starving_jobs_go_first_the_longest_waiting_ahead(scale):
    scores = Guard(SCALES[scale], FCFS, starvation_s=4.0).scores(table(world()))
    wait, one, two, rest = scores[0], scores[1:3], scores[3:5], scores[5:7]
    assert one.min() > two.max()
    assert two.min() > max(rest.max(), wait)


def test_lifting_leaves_the_other_scores_alone():
    view = table(world())
    scores = Guard(SJF, FCFS, starvation_s=6.0).scores(view)
    kept = [0, 3, 4, 5, 6]
    assert scores[kept].tolist() == SJF.scores(view)[kept].tolist()


def test_a_starving_job_gets_the_reservation():
    jobs = [waiting(1, option(99.0, 2), 0.0), waiting(2, option(1.0, 1), 90.0)]
    snap = snapshot(pool(devices=2), jobs, now=100.0)
    assert [p.job for p in run_round(snap, SJF).placements] == [2]
    assert [p.job for p in run_round(snap, Guard(SJF, FCFS, 60.0)).placements] == [1]
