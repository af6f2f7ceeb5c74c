"""Jobs that are simulated and do not count: both clocks agree on every figure."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.placement_logs import stress
from envs.clock import CompiledSimulation
from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import Episode
from envs.gym.rewards import Scales
from envs.scenarios.scenario import Estimates
from envs.scenarios.supply import Billing
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.lookup import named
from tests.envs.clock.test_parity import assert_equal

JOBS = 30


def partly_counted(seed):
    """Five jobs are under way at the start, five more and the last ten do not count either."""
    scenario, workload = stress.drawn(seed, JOBS)
    rng = np.random.default_rng(seed)
    there = [replace(job, submitted_at=0.0, done=float(rng.random())) for job in workload.jobs[:5]]
    jobs = (*there, *workload.jobs[5:])
    return scenario, replace(workload, jobs=jobs, counted=(10, 20))


@pytest.mark.parametrize("policy", ["fcfs", "sjf", "wgc"])
@pytest.mark.parametrize("estimates", ["exact", "noisy", "requested", "tsafrir", "history"])
def test_both_clocks_play_populations_and_warm_up_alike(estimates, policy):
    for seed in range(4):
        scenario, workload = partly_counted(seed)
        assert_equal(workload, ClusterSpec.of(scenario), policy, Estimates(estimates), seed)


@pytest.mark.parametrize("clock", [Simulation, CompiledSimulation])
def test_only_counted_jobs_are_in_the_records(clock):
    scenario, workload = partly_counted(1)
    outcome = clock(workload, ClusterSpec.of(scenario), seed=1).run(named("fcfs"))
    assert outcome.job.tolist() == [job.id for job in workload.jobs[10:20]]
    assert not np.isnan(outcome.ended).any()
    assert (outcome.load.start, outcome.load.end) == workload.counted_time
    assert 0 <= outcome.utilisation <= 1


@pytest.mark.parametrize("billing", list(Billing))
def test_a_meter_sums_to_the_records_of_the_counted_jobs(billing):
    for seed in range(4):
        scenario, workload = partly_counted(seed)
        supplies = tuple(replace(each, billing=billing) for each in scenario.supplies)
        spec = ClusterSpec.of(replace(scenario, supplies=supplies))
        meter = Meter()
        simulation = Simulation(workload, spec, meter=meter, seed=seed)
        outcome = simulation.run(named("sjf"))
        reading = meter.read(simulation.now)
        assert reading.job_seconds == pytest.approx(outcome.jct.sum())
        assert reading.ended == len(outcome.job)
        assert reading.dollars == pytest.approx(outcome.dollars.sum() + outcome.idle_dollars)
        assert reading.joules == pytest.approx(outcome.joules.sum() + outcome.idle_joules)


def test_a_workload_refuses_to_count_what_it_cannot():
    _, workload = partly_counted(0)
    with pytest.raises(InputError, match=r"counted jobs are \(10, 31\) of 30"):
        replace(workload, counted=(10, 31))
    with pytest.raises(InputError, match="under way at the start"):
        replace(workload, counted=(4, 20))


def test_a_job_under_way_works_for_what_is_left():
    runs = (WorkloadRun("cpu", 1, 100.0),)
    there, later = Arrival(1, 0.0, runs, done=0.75), Arrival(2, 0.0, runs)
    workload = Workload("two", (there, later), counted=(1, 2))
    spec = ClusterSpec((Pool("cpu", DeviceKind.CPU, "CPU", 1),))
    for clock in (Simulation, CompiledSimulation):
        outcome = clock(workload, spec).run(named("fcfs"))
        assert (outcome.started, outcome.ended) == (25.0, 125.0)


def test_the_queue_holds_all_jobs_and_the_share_that_drained_only_counted_ones():
    runs = (WorkloadRun("cpu", 1, 10.0),)
    jobs = tuple(Arrival(number, time, runs) for number, time in ((1, 0), (2, 0), (3, 4), (4, 8)))
    workload = Workload("four", jobs, counted=(1, 3))
    spec = ClusterSpec((Pool("cpu", DeviceKind.CPU, "CPU", 1),))
    for clock in (Simulation, CompiledSimulation):
        outcome = clock(workload, spec).run(named("fcfs"))
        load = outcome.load
        times, waiting = load.queue()
        assert (times.tolist(), waiting.tolist()) == ([0, 4, 8, 10, 20], [1, 2, 3, 2, 1])
        assert (load.seconds, load.queue_mean, load.queue_max) == (4.0, 1.0, 1)
        assert outcome.drained == 1.0  # at 20 and 30 s, and none was submitted after 8 s


@pytest.mark.parametrize("reward", ["objective", "latency", "cost", "energy", "misses"])
def test_rewards_sum_to_figures_of_the_counted_jobs(reward):
    scenario, workload = partly_counted(3)
    spec = ClusterSpec.of(scenario)
    env = ClusterEnv(lambda seed: Episode(workload, spec, seed=seed), 0.5, reward=reward, rows=16)
    env.reset(options={"workload": 3})
    total, over = 0.0, False
    while not over:
        _, value, over, _, info = env.step(env.action_of(named("sjf")))
        total -= value
    outcome = env.simulation.outcome()
    assert len(outcome.job) == info["metrics"]["jobs"] == 10
    dollars = outcome.dollars.sum() + outcome.idle_dollars
    sums = {
        "latency": outcome.jct.sum(),
        "cost": dollars,
        "energy": outcome.joules.sum() + outcome.idle_joules,
        "misses": (outcome.ended > outcome.deadline).sum(),
        "objective": Scales().value(outcome, 0.5),
    }
    assert total == pytest.approx(sums[reward])
