"""Orders and placements of the heuristics against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from scheduler.decisions.kernel.queue.orders import LAST
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import option, pool, snapshot, table, waiting

JOBS = (
    waiting(1, option(100.0, 4), 100.0, priority=50, deadline=2500.0),
    waiting(2, option(10.0, 1), 10.0, priority=90),
    waiting(3, option(1000.0, 2), 1000.0, priority=10, deadline=3000.0),
)
"""At second 2000: waits 1900, 1990, 1000 s; r 100, 10, 1000 s; n 4, 1, 2; log10 s 2, 1, 3."""

SCORES = {
    "fcfs": (-100.0, -10.0, -1000.0),
    "sjf": (-100.0, -10.0, -1000.0),
    "smallest": (-4.0, -1.0, -2.0),
    "saf": (-400.0, -10.0, -2000.0),
    "wfp3": (19.0**3 * 4, 199.0**3, 2.0),
    "unicep": (1900 / (2 * 100), 1990 / (1e-6 * 10), 1000 / (1 * 1000)),
    "f1": (-(2 * 4 + 870 * 2), -(1 * 1 + 870), -(3 * 2 + 870 * 3)),
    "f2": (-(10 * 4 + 51200), -(3.16227766 + 25600), -(31.6227766 * 2 + 76800)),
    "f3": (-(400 + 13_720_000), -(10 + 6_860_000), -(2000 + 20_580_000)),
    "f4": (-(200 + 1_060_000), -(10 + 530_000), -(1414.213562 + 1_590_000)),
    "lxf": (20.0, 200.0, 2.0),
    "edf": (-2500.0, LAST, -3000.0),
    "llf": (-2400.0, LAST, -2000.0),
    "priority": (50.0, 90.0, 10.0),
    "cheapest": (-100.0, -10.0, -1000.0),
    "fastest": (-100.0, -10.0, -1000.0),
    "best-value": (-100.0, -10.0, -1000.0),
    # 8 of 8 devices free: share · 1 + ½ · least work (10) ÷ work (400, 10, 2000)
    "tetris": (0.5 + 0.0125, 0.125 + 0.5, 0.25 + 0.0025),
}


def test_every_heuristic_has_its_numbers_here():
    assert SCORES.keys() == HEURISTICS.keys()


@pytest.mark.parametrize("name", HEURISTICS)
def test_order(name):
    view = table(snapshot(pool(devices=8), JOBS, now=2000.0))
    scores = HEURISTICS[name].scores(view)
    assert scores[1:] == pytest.approx(SCORES[name], rel=1e-9)
    assert scores[0] == -np.inf


@pytest.mark.parametrize("name", HEURISTICS)
def test_the_best_score_starts_first(name):
    # One device: the job with the best score gets it.
    jobs = [replace(job, options=[option(job.options[0].runtime_s, 1)]) for job in JOBS]
    snap = snapshot(pool(devices=1), jobs, now=2000.0)
    scores = HEURISTICS[name].scores(table(snap))
    plan = run_round(snap, HEURISTICS[name], Mode.GREEDY)
    (placed,) = plan.placements
    assert scores[placed.job] == scores.max()


@pytest.mark.parametrize("name", HEURISTICS)
def test_equal_jobs_go_oldest_first(name):
    # Same submission second where age decides the score; else age only breaks the tie.
    jobs = [waiting(job, option(10.0, 1), born) for job, born in ((1, 5.0), (2, 4.0), (3, 6.0))]
    plan = run_round(snapshot(pool(devices=1), jobs, now=20.0, origin=4.0), HEURISTICS[name])
    assert [placed.job for placed in plan.placements] == [2]


def test_tetris_puts_what_fits_before_what_does_not():
    busy = RunningAttempt(9999.0, 100, 0, ((0, 6),))
    scores = HEURISTICS["tetris"].scores(table(snapshot(pool(devices=8), JOBS, [busy], 2000.0)))
    fits = [0.125 * 0.25 + 0.5, 0.25 * 0.25 + 0.0025]
    assert scores[1:] == pytest.approx([0.5 * 0.25 + 0.0125 - 2.0, *fits])


def test_tetris_looks_again_after_each_placement():
    # All free: .5 + .15, .375 + .2, .25 + .5: job 3. Then 6 of 8 are free, and the least work is
    # 300: .5·.75 + .5·¾ = .75 against .375·.75 + .5 = .78: job 2, though job 1 had been ahead.
    jobs = [
        waiting(1, option(100.0, 4)),
        waiting(2, option(100.0, 3)),
        waiting(3, option(60.0, 2)),
    ]
    plan = run_round(snapshot(pool(devices=8), jobs), HEURISTICS["tetris"], Mode.GREEDY)
    assert [placed.job for placed in plan.placements] == [3, 2]


@pytest.mark.parametrize("name", ["f1", "f2", "f3", "f4"])
def test_the_f_family_survives_second_zero_and_runtimes_below_a_second(name):
    jobs = [waiting(1, option(0.01), 50.0), waiting(2, option(0.01), 49.0)]
    scores = HEURISTICS[name].scores(table(snapshot(pool(), jobs, now=60.0, origin=50.0)))
    assert np.isfinite(scores[1:]).all()


def test_r_and_n_are_those_of_the_fewest_device_seconds():
    job = waiting(1, [option(100.0, 1), option(60.0, 2), option(24.0, 4)])  # 100, 120, 96
    view = table(snapshot(pool(), [job]))
    assert (view.size[1], view.request[1], view.ideal[1]) == (24.0, 4.0, 24.0)


DEAR = [
    option(100.0, 1, pool=0, dollars=1.0),
    option(30.0, 2, pool=0, dollars=1.5),
    option(10.0, 1, pool=1, dollars=8.0),
]
"""Cheapest: cpu × 1; best value: cpu × 2 (45 against 100 and 80); fastest: gpu × 1."""


@pytest.mark.parametrize(
    ("name", "preference", "place"),
    [
        ("cheapest", 1.0, (0, 1)),
        ("best-value", 0.5, (0, 2)),
        ("fastest", 0.0, (1, 1)),
        ("fcfs", 0.0, (0, 1)),
        ("fcfs", 1.0, (1, 1)),
        # regret: .5·10+.5·1 = 5.5; .5·3+.5·1.5 = 2.25; .5·1+.5·8 = 4.5
        ("fcfs", 0.5, (0, 2)),
    ],
)
def test_placement(name, preference, place):
    snap = snapshot([pool(), pool("gpu")], [waiting(1, DEAR, preference=preference)])
    (placed,) = run_round(snap, HEURISTICS[name]).placements
    assert (placed.pool, placed.width) == place


def test_the_fastest_placement_counts_the_wait_for_it():
    busy = RunningAttempt(95.0, 100, 1, ((0, 4),))  # gpu: 95 + 10 s; cpu × 2: 30 s
    snap = snapshot([pool(), pool("gpu")], [waiting(1, DEAR)], [busy])
    (placed,) = run_round(snap, HEURISTICS["fastest"]).placements
    assert (placed.pool, placed.width) == (0, 2)


@pytest.mark.parametrize("name", HEURISTICS)
@pytest.mark.parametrize("preference", [0.0, 0.5, 1.0])
def test_a_placement_that_never_fits_costs_more_than_any_that_does(name, preference):
    # Free of charge, fast, and nine devices wide in a pool of four.
    options = [option(1.0, 9, dollars=0.0), option(50.0, 1, dollars=3.0)]
    view = table(snapshot(pool(), [waiting(1, options, preference=preference)]))
    costs = HEURISTICS[name].costs(view.only([1, 2]))
    assert not np.isnan(costs).any()
    if name != "cheapest":
        assert costs[1] < costs[0]


@pytest.mark.parametrize("name", HEURISTICS)
def test_summaries_name_the_order(name):
    assert HEURISTICS[name].name == name
    assert 10 < len(HEURISTICS[name].summary) < 80
