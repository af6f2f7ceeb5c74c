"""The congestion-priced greedy, by hand."""

import numpy as np
import pytest
from hypothesis import given

from scheduler.decisions.kernel.wgc import PATIENCE
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.policies.constants import Constants, Schedule
from scheduler.policies.wgc import Wgc
from tests.support.worlds import option, pool, snapshot, snapshots, table, waiting

POOLS = (pool("cpu", 4), pool("gpu", 1))
BOTH = [option(90.0, 1, 0, dollars=1.0), option(10.0, 1, 1, dollars=4.0)]
"""90 s for $1 on one of four CPUs, or 10 s for $4 on the only GPU."""


def test_the_cost_is_the_formula():
    jobs = [
        waiting(1, BOTH, 0.0, priority=100, preference=0.25),
        waiting(2, option(30.0, 2, 0, dollars=2.0), 5.0, preference=0.5),
    ]
    wgc = Wgc(Constants(congestion=2.0, patience=np.inf, softening_s=30.0))
    costs = wgc.costs(table(snapshot(POOLS, jobs, now=10.0)))
    u1, u2 = 2.0 / (10.0 + 30.0), 1.0 / (30.0 + 30.0)
    pressure = u1 + u2
    # Of jobs like the first, the CPUs finish 4 in 90 s and the GPU 9; the second runs on CPUs only.
    cpu = pressure * (4 / 13 + 1) / 2
    gpu = pressure * (9 / 13) / 2
    assert costs[1:] == pytest.approx(
        [
            0.25 * u1 * 90.0 + 0.75 * 1.0 / 1.0 + 2.0 * 0.25 * cpu * 90.0 / 4,
            0.25 * u1 * 10.0 + 0.75 * 4.0 / 1.0 + 2.0 * 0.25 * gpu * 10.0,
            0.50 * u2 * 30.0 + 0.50 * 2.0 / 2.0 + 2.0 * 0.50 * cpu * 30.0 * 2 / 4,
        ]
    )


def test_the_index_is_the_formula():
    jobs = [
        waiting(1, BOTH, 0.0, priority=100, preference=1.0),
        waiting(2, option(30.0, 2, 0, dollars=2.0), 5.0, deadline=100.0),
        waiting(3, option(30.0, 2, 0, dollars=2.0), 5.0, priority=0, deadline=30.0),
    ]
    scores = Wgc(Constants(congestion=0.0)).scores(table(snapshot(POOLS, jobs, now=10.0)))
    gpu = np.log(2.0 / ((10.0 + 300.0) * 1.0)) + 0.25 * np.log1p(10.0 / (10.0 + 600.0))
    aged = 0.25 * np.log1p(5.0 / (30.0 + 600.0))
    met = np.log(1.0 / (330.0 * 0.5)) + aged + np.exp(-60.0 / 630.0)
    missed = np.log(1 / 50 / (330.0 * 0.5)) + aged
    assert scores == pytest.approx([PATIENCE, gpu, gpu, met, missed])


def test_it_holds_out_for_the_devices_that_suit_and_less_so_with_age():
    busy = [RunningAttempt(end=12.0, job=9, pool=1, nodes=((0, 1),))]
    wgc = Wgc(Constants(preference=1.0, patience=0.1, ageing=0.01))
    jobs = [waiting(1, BOTH, 0.0)]
    young = run_round(snapshot(POOLS, jobs, busy, now=10.0), wgc, Mode.GREEDY)
    assert young.placements == ()
    busy = [busy[0]._replace(end=10_002.0)]
    old = run_round(snapshot(POOLS, jobs, busy, now=10_000.0), wgc, Mode.GREEDY)
    assert [placed.pool for placed in old.placements] == [0]


def test_congestion_sends_jobs_to_the_larger_pool():
    crowd = [waiting(job, BOTH, 0.0, preference=1.0) for job in range(1, 40)]
    plans = [
        run_round(
            snapshot(POOLS, crowd), Wgc(Constants(congestion=mu, patience=np.inf)), Mode.GREEDY
        )
        for mu in (0.0, 1.0)
    ]
    assert plans[0].placements[0].pool == 1
    assert {placed.pool for placed in plans[1].placements} == {0, 1}


@given(snapshots())
def test_scores_are_numbers_and_the_least_regret_passes(snap):
    view = table(snap)
    scores = Wgc(Constants(patience=0.0, ageing=0.0)).scores(view)
    assert not np.isnan(scores).any()
    # With every row in the table each job's best row has no regret, unless it never fits.
    possible = np.isfinite(view.start_delay[1:])
    assert len(scores) == 1 or not possible.any() or (scores[1:] > PATIENCE).any()
    assert Wgc().costs(view).shape == (len(view),)


def test_cost_is_divided_by_dollars_or_by_what_seconds_cost():
    pools = (
        pool("cpu", 4, dollars_per_device_hour=1.0),
        pool("gpu", 1, dollars_per_device_hour=36),
    )
    view = table(snapshot(pools, [waiting(1, BOTH, 0.0)], now=0.0))
    dollars = {"cheapest": 1.0, "exchange": 36 * 200 / 3600, 8.0: 8.0}
    for scale, divisor in dollars.items():
        wgc = Wgc(Constants(preference=0.0, softening_s=200.0, dollars=scale, patience=np.inf))
        assert wgc.costs(view)[1:] == pytest.approx([1.0 / divisor, 4.0 / divisor])


def test_a_schedule_is_its_constants_at_its_points_and_between_them():
    low = Constants(preference=0.1, congestion=1.0, softening_s=10.0)
    high = Constants(preference=0.7, congestion=3.0, softening_s=1000.0)
    schedule = Schedule(((0.2, low), (0.6, high)))
    view = table(snapshot(POOLS, [waiting(1, BOTH, 0.0), waiting(2, BOTH, 1.0)], now=9.0))

    def scores(constants, w):
        jobs = [waiting(1, BOTH, 0.0, preference=w), waiting(2, BOTH, 1.0, preference=w)]
        return Wgc(constants).scores(table(snapshot(POOLS, jobs, now=9.0)))

    middle = Constants(preference=0.4, congestion=2.0, softening_s=100.0)
    for w, constants in ((0.0, low), (0.2, low), (0.4, middle), (0.6, high), (1.0, high)):
        assert scores(schedule, w) == pytest.approx(scores(constants, w))
    mixed = [waiting(1, BOTH, 0.0, preference=0.2), waiting(2, BOTH, 1.0, preference=0.6)]
    assert np.isfinite(Wgc(schedule).scores(table(snapshot(POOLS, mixed, now=9.0)))[1:]).any()
    assert len(Wgc(schedule).scores(view)) == len(view)
