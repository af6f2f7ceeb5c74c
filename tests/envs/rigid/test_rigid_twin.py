"""The compiled simulation of rigid jobs is the environment, decision by decision."""

from dataclasses import replace

import numpy as np
import pytest

from envs.compiled import Worlds, facts, suits
from envs.compiled.facts import MODES
from envs.gym.cluster_env import ClusterEnv, NothingToDecideError
from envs.scenarios import Billing, Failures, Supply
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.runtime_estimates import Noisy
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from scheduler.domain.resources import ANY
from tests.support.episodes import JOBS, POOL, episode

ROWS = 12


def where(index):
    """The name of a number of the encoding, for a failed test."""
    split = ROWS * len(ROW_COLUMNS)
    if index < split:
        return ROW_COLUMNS[index // ROWS].name, index % ROWS
    return GLOBAL_COLUMNS[index - split].name


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_decision_of_an_episode_is_the_environments(mode, requested):
    decisions = 0
    worlds = Worlds(ClusterSpec((POOL,), mode), 2, JOBS, ROWS)
    for seed in range(6):
        w = (0.0, 0.4, 1.0)[seed % 3]
        drawn = episode(seed, mode, requested=requested, bounded=seed % 2 == 0)
        env = ClusterEnv(lambda _, drawn=drawn: drawn, w, rows=ROWS, reward="objective")
        observation, _ = env.reset(options={"workload": 0})
        # The world beside it plays along, and must not be touched by it.
        assert worlds.begin(0, facts(drawn, w), w)
        assert worlds.begin(1, facts(drawn, 0.5), 0.5)
        rng, done, reward = np.random.default_rng(seed), False, 0.0
        while not done:
            apart = np.abs(observation - worlds.seen[0])
            assert apart.max() < 1e-5, where(int(apart.argmax()))
            legal = np.flatnonzero(env.action_masks())
            assert list(legal) == list(range(1, int(worlds.state.rows[0])))
            # Often the oldest: queues grow beyond what is shown.
            action = np.int64(1 if rng.random() < 0.5 else rng.choice(legal))
            observation, step, done, _, _ = env.step(action)
            reward += float(step)
            worlds.step(np.array([action]), np.array([0]))
            assert worlds.state.now[0] == pytest.approx(env.simulation.now)
            decisions += 1
        assert worlds.state.rows[0] == 0
        outcome = env.simulation.outcome()
        assert worlds.completion(0) == pytest.approx(outcome.jct)
        dollars = worlds.state.spent[0] * POOL.dollars_per_device_hour / 3600 / 0.3
        assert w * worlds.state.accrued[0] + (1 - w) * dollars == pytest.approx(-reward)
        assert worlds.state.rows[1] > 0
        assert worlds.state.now[1] < worlds.state.now[0]
    assert decisions > 50


def test_what_it_cannot_play_it_refuses():
    rigid = episode(0, Mode.EASY, requested=False)
    assert suits(rigid)
    spec = rigid.spec
    jobs = rigid.workload.jobs
    elsewhere = replace(jobs[0], runs=(*jobs[0].runs, WorkloadRun(ANY, 4, 1.0)))
    others = {
        "two placements": replace(rigid, workload=Workload("two", (elsewhere, *jobs[1:]))),
        "noise": replace(rigid, estimator=Noisy()),
        "greedy": replace(rigid, spec=replace(spec, mode=Mode.GREEDY)),
        "failures": replace(rigid, spec=replace(spec, failures=Failures(per_attempt=0.1))),
        "each event": replace(rigid, spec=replace(spec, every_event=True)),
        "two pools": replace(rigid, spec=replace(spec, pools=(POOL, replace(POOL, name="b")))),
        "nodes": replace(rigid, spec=ClusterSpec((replace(POOL, nodes=2, devices_per_node=8),))),
        "paid idle": replace(
            rigid, spec=replace(spec, supplies=(Supply(POOL, 1, billing=Billing.AMORTISED),))
        ),
    }
    assert [name for name, other in others.items() if suits(other)] == []
    with pytest.raises(InputError, match="compiled"):
        facts(others["noise"], 0.5)


def test_a_workload_without_choices_is_over_at_once():
    calm = Workload("calm", (Arrival(1, 0.0, (WorkloadRun(ANY, 1, 5.0),)),))
    drawn = replace(episode(0, Mode.COMMIT, requested=False), workload=calm)
    worlds = Worlds(drawn.spec, 1, 1, ROWS)
    assert not worlds.begin(0, facts(drawn, 1.0), 1.0)
    assert worlds.completion(0).tolist() == [5.0]
    with pytest.raises(NothingToDecideError):
        ClusterEnv(lambda _: drawn, 1.0, rows=ROWS).reset(options={"workload": 0})
