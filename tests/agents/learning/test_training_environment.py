"""A training's environment, on the compiled clock, is `Fulcrum/Cluster-v0` with other rewards."""

from dataclasses import replace

import numpy as np
import pytest

from agents.training.config import Training
from agents.training.environments.baseline import play, worth
from agents.training.environments.env import BaselineRewardEnv
from agents.training.environments.reward import CRITIC_FEATURES
from agents.training.validation import simulated_objective
from agents.training.worker import TrainingContext, frozen
from envs.clock import CompiledSimulation
from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import of_scenario
from envs.gym.rewards import weighed
from envs.scenarios import Split, load
from envs.simulator.meter import Meter
from envs.simulator.results import BOUND_S
from envs.simulator.simulation import Simulation
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.policies.lookup import named
from tests.support.learning_world import scorer

SCENARIOS = ("mixed-cloud", "random", "medical", "hpc-lublin")
"""Elastic nodes, drawn clusters, nodes that fail, rigid jobs on one pool."""
W = 0.37


def config(name, **changes):
    fields = {"jobs": 30, "rows": 24, "preference": W, "workloads": 1, "clip_reward": 1e9}
    return Training(scenario=name, **{**fields, **changes})


def to_come(simulation, scales, counted):
    """The objective that running attempts of counted jobs will add, by their estimates."""
    seconds = dollars = 0.0
    for attempt in simulation.world.running():
        if attempt.job not in counted:
            continue  # Or a node that has failed.
        left = max(0.0, attempt.end - simulation.now)
        job, pool = simulation.job(attempt.job), simulation.spec.pools[attempt.pool]
        dollars += left * attempt.width * pool.dollars_per_device_hour / 3600
        seconds += left * (
            1.0 / max(min(run.runtime_s for run in job.runs), BOUND_S) / scales.slowdown
            if scales.bounded
            else job.priority / MIDDLE_PRIORITY / scales.latency_s
        )
    return weighed(seconds, dollars, W, cost_scale=scales.dollars)


@pytest.mark.parametrize("waiting", ["beside-best", "free"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_both_clocks_show_the_same_and_reward_alike(name, waiting):
    settings = config(name, waiting=waiting)
    compiled = BaselineRewardEnv(load(name), settings)
    simulated = ClusterEnv(
        load(name), W, jobs=30, rows=24, reward="objective", illegal="raise", waiting=waiting
    )
    seen, _ = compiled.reset(options={"workload": 0})
    expected, _ = simulated.reset(options={"workload": 0})
    trajectory = compiled.trajectory(named(settings.baseline))
    workload = load(name).workload(0, 30)
    counted = {job.id for job in workload.jobs[workload.counted_slice]}
    factor, potential = settings.gain / trajectory.total, 0.0
    rng, done, waited = np.random.default_rng(0), False, 0
    while not done:
        assert np.array_equal(seen[:-CRITIC_FEATURES], expected)
        masks = compiled.action_masks()
        assert np.array_equal(masks, simulated.action_masks())
        action = rng.choice(np.flatnonzero(masks))
        waited += action == 0
        seen, reward, done, _, _ = compiled.step(action)
        expected, plain, over, _, _ = simulated.step(action)
        assert done == over
        before, simulation = potential, simulated.simulation
        ahead = to_come(simulation, simulated.scales, counted)
        potential = factor * (
            trajectory.total if done else trajectory.at(simulation.now).charged - ahead
        )
        assert reward == pytest.approx(factor * plain + potential - before, rel=1e-9, abs=1e-9)
    assert waited or waiting == "beside-best" or len(simulation.spec.pools) == 1


@pytest.mark.parametrize("baseline", ["wgc", "f1"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_trajectory_ends_with_what_the_simulator_charges(name, baseline):
    draw, meter = of_scenario(load(name), 30, Split.TRAIN), Meter()
    trajectory = play(named(baseline), draw(1), W)
    episode = draw(1)
    simulation = Simulation(
        episode.workload,
        replace(episode.spec, preference=W),
        episode.estimator,
        meter,
        seed=episode.seed,
    )
    simulation.run(named(baseline))
    charged = worth(meter.read(simulation.now), episode.scales, W)
    assert trajectory.total == pytest.approx(charged, rel=1e-12)
    assert trajectory.time[-1] == simulation.now
    assert trajectory.states[-1].tolist() == [trajectory.total, 0.0, 0.0, simulation.finished]
    assert trajectory.jobs == len(episode.workload.jobs) >= simulation.finished


@pytest.mark.parametrize("name", SCENARIOS)
def test_validation_is_worth_the_same_on_both_clocks(name):
    settings, scenario = config(name, hidden=16), load(name)
    context = TrainingContext(scenario, settings)
    for player in ("wgc", "sjf", frozen(scorer())):
        policy, worths = context.policy(player), []
        for clock in (Simulation, CompiledSimulation):
            episode = of_scenario(scenario, 30, Split.VALIDATION)(0)
            spec = replace(episode.spec, preference=W)
            simulation = clock(episode.workload, spec, episode.estimator, seed=episode.seed)
            worths.append(episode.scales.value(simulation.run(policy), W))
        own = simulated_objective(scenario, policy, 0, W, 30, Split.VALIDATION)
        assert worths == [own, own]
