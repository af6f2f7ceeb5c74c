"""When WAIT is legal is a setting of a training, which its policy keeps wherever it decides."""

from dataclasses import replace

import numpy as np
import pytest

from agents.serving.artifact import BEST, load
from agents.serving.learned_policy import LearnedPolicy, learned
from agents.serving.network import NetworkWeights
from agents.training.environments.env import BaselineRewardEnv
from agents.training.trainer import train
from envs.clock import CompiledSimulation
from envs.simulator.cluster_spec import ClusterSpec
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.features.encoder import WaitingRule
from scheduler.decisions.kernel.columns import RUNNING
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import decide, run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.domain.errors import InputError
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named
from tests.support.learning_world import TINY, mixed_cloud, saved
from tests.support.worlds import option, pool, snapshot, waiting

RULES = tuple(WaitingRule)


def idler(rule):
    """A policy that always prefers to wait."""
    names = [column.name for column in ROW_COLUMNS]
    weights = np.zeros(len(names) + 1, dtype=np.float32)
    weights[names.index("waits")] = 100.0
    return LearnedPolicy(NetworkWeights(0, weights), 24, Mode.GREEDY, waiting=rule)


@pytest.mark.parametrize("rule", RULES)
def test_a_policy_waits_as_it_was_trained(rule, tmp_path):
    run = tmp_path / "run"
    train(replace(TINY, waiting=rule.value, expert=None, steps=32), run)
    assert load(run / BEST).manifest.waiting == rule
    assert learned(run / BEST).waiting is rule


def test_a_policy_of_an_earlier_release_waits_beside_the_best_place_only(tmp_path):
    assert learned(saved(tmp_path / "old")).waiting is WaitingRule.BESIDE_BEST


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match="waiting is 'never'"):
        replace(TINY, waiting="never")


@pytest.mark.parametrize("rule", RULES)
def test_the_service_honours_it(rule):
    """A job could start where its price is least, beside one that runs."""
    job = waiting(2, [option(10.0, 1)], 0.0)
    busy = snapshot(
        pool(devices=4),
        [job],
        [RunningAttempt(end=100.0, job=1, pool=0, nodes=((0, 1),))],
        now=50.0,
    )
    idle = snapshot(pool(devices=4), [job], now=50.0)
    for policy in (idler(rule), Guard(idler(rule), named("wgc"))):
        placed = run_round(busy, policy, Mode.GREEDY).placements
        assert bool(placed) == (rule is WaitingRule.BESIDE_BEST)
        assert run_round(idle, policy, Mode.GREEDY).placements


def test_in_training_waiting_is_legal_only_while_something_runs():
    env = BaselineRewardEnv(mixed_cloud(), replace(TINY, waiting="free", jobs=30))
    waited = 0
    for seed in range(3):
        env.reset(seed=seed)
        done = False
        while not done:
            masks = env.action_masks()
            assert not masks[0] or env.simulation.world.count[RUNNING]
            waited += masks[0]
            _, _, done, _, _ = env.step(np.flatnonzero(masks)[0])
    assert waited


def test_every_job_ends_under_a_policy_that_waits_whenever_it_may():
    scenario = replace(mixed_cloud().draw(0), mode=Mode.GREEDY)
    workload = scenario.workload(0, 20)
    policy = idler(WaitingRule.FREE)
    simulation = CompiledSimulation(
        workload, ClusterSpec.of(scenario), scenario.estimates.make(0), seed=0
    )
    while (round_ := simulation.next()) is not None:
        ran = int(simulation.world.count[RUNNING])
        plan = decide(round_, policy)
        assert not (ran and plan.placements)
        simulation.commit(plan)
    assert np.isfinite(simulation.outcome().ended).tolist() == [True] * 20
