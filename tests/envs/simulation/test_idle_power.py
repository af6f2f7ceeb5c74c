"""Devices that are up draw power while nobody uses them; nothing is counted twice or lost."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.scenarios import Supply, load
from envs.scenarios.supply import IDLE_SHARE
from envs.simulator.meter import Meter
from envs.simulator.simulation import Simulation
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from tests.support.simulated import (
    FCFS,
    elastic,
    job,
    pool,
    simulation,
    spec,
    specs,
    workloads,
)


def test_an_owned_pool_draws_power_all_the_time():
    own = pool("gpu", 2, watts_per_device=100.0)
    where = spec(own, supplies=(Supply(own, 1, idle_watts_per_device=10.0),))
    outcome = simulation(where, job(1, 0, 10), job(2, 30, 10, 2)).run(FCFS)
    # Until 40 s, 2 devices are up for 80 device-seconds; 30 of them are used.
    assert outcome.joules.tolist() == [1000.0, 2000.0]
    assert outcome.idle_joules == pytest.approx(50 * 10.0)


def test_an_elastic_node_draws_power_from_its_boot_to_its_shutdown():
    rented = pool("gpu", 2, boot_s=5.0, watts_per_device=100.0)
    where = spec(rented, supplies=(elastic(rented, idle=20.0, idle_watts_per_device=10.0),))
    outcome = simulation(where, job(1, 0, 10), job(2, 100, 10)).run(FCFS)
    # Up from 0 to 35 and from 100 to 115, with one of two devices used for 10 s each time.
    assert outcome.idle_joules == pytest.approx((2 * 50 - 20) * 10.0)


def test_without_an_idle_power_nothing_is_drawn():
    assert simulation(spec(pool("cpu", 2)), job(1, 0, 10)).run(FCFS).idle_joules == 0.0


@pytest.mark.parametrize("watts", [-1.0, 101.0, float("nan")])
def test_an_idle_device_draws_at_most_what_a_busy_one_draws(watts):
    with pytest.raises(InputError) as caught:
        Supply(pool("gpu", 1, watts_per_device=100.0), 1, idle_watts_per_device=watts)
    assert caught.value.fields == {"pools.gpu.idle_watts_per_device": "watts from 0 to 100"}


def test_scenarios_have_an_idle_power_for_every_pool():
    drawn = load("random").draw(3)
    for supply in (*load("mixed-cloud").supplies, *load("lab").supplies, *drawn.supplies):
        share = IDLE_SHARE[supply.pool.kind]
        assert supply.idle_watts_per_device == pytest.approx(share * supply.pool.watts_per_device)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([0.0, 20.0, 100.0]))
def test_energy_is_never_lost_nor_counted_twice(data, idle):
    where = data.draw(specs(Mode.GREEDY))
    pools = tuple(replace(each, watts_per_device=100.0) for each in where.pools)
    same = dict(zip(where.pools, pools, strict=True))
    supplies = tuple(
        replace(each, pool=same[each.pool], idle_watts_per_device=idle) for each in where.supplies
    )
    where = replace(where, pools=pools, supplies=supplies)
    meter = Meter()
    ran = Simulation(data.draw(workloads(pools)), where, meter=meter, seed=2, check=True)
    outcome = ran.run(FCFS)
    total = outcome.joules.sum() + outcome.idle_joules
    assert meter.read(ran.now).joules == pytest.approx(total, rel=1e-9, abs=1e-6)
    most = sum(each.count for each in pools) * 100.0 * ran.now
    assert outcome.joules.sum() - 1e-6 <= total <= most + 1e-6
