"""Trainings on rigid jobs use the compiled simulation, and learn from the same numbers."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.process_pool import ProcessPool
from agents.serving.artifact import load as load_artifact
from agents.training import trainer
from agents.training.algorithms import ALGORITHMS
from agents.training.environments.baseline import play_compiled, play_simulated
from agents.training.environments.compiled import CompiledRewardEnvs, fits
from agents.training.environments.env import vectorised
from agents.training.progress import Score
from agents.training.validation import Validation
from agents.training.worker import TrainingContext, frozen
from envs.compiled.facts import MODES
from envs.scenarios import load
from envs.scenarios.recorded import write
from envs.scenarios.scenario import Estimates
from envs.scenarios.supply import Supply
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.policies.lookup import named
from scheduler.testing.samples import POOL
from tests.support.episodes import episode
from tests.support.learning_world import TINY, mixed_cloud, scorer

RIGID = replace(
    TINY,
    scenario="hpc-lublin",
    jobs=50,
    rows=16,
    envs=3,
    workloads=4,
    baseline="saf",
    expert="saf",
)


@pytest.fixture(scope="module")
def lublin():
    return load("hpc-lublin")


@pytest.mark.parametrize(
    ("preference", "criterion"),
    [(None, "mean_of_ratios"), (1.0, "mean_of_ratios"), (1.0, "ratio_of_means")],
)
def test_observations_rewards_and_episodes_are_those_of_the_environment(
    lublin, preference, criterion
):
    config = replace(RIGID, preference=preference, criterion=criterion, clip_reward=5.0)
    plain, compiled = vectorised(lublin, config, seed=5), CompiledRewardEnvs(lublin, config)
    compiled.seed(5)
    seen, ours = plain.reset(), compiled.reset()
    rng, ended = np.random.default_rng(0), 0
    for _ in range(150):
        assert ours == pytest.approx(seen, abs=1e-5)
        masks = np.stack(plain.env_method("action_masks"))
        assert (np.stack(compiled.env_method("action_masks")) == masks).all()
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
        seen, rewards, done, infos = plain.step(actions)
        ours, our_rewards, our_done, our_infos = compiled.step(actions)
        assert our_rewards == pytest.approx(rewards, abs=1e-4)
        assert (our_done == done).all()
        for b in np.flatnonzero(done):
            ended += 1
            for figure in "rl":
                told = our_infos[b]["episode"][figure]
                assert told == pytest.approx(infos[b]["episode"][figure], abs=1e-3)
    assert ended > 3


@pytest.mark.parametrize("requested", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["fcfs", "sjf", "f1", "f4", "edf", "priority"])
def test_a_static_order_has_the_trajectory_of_the_simulation(name, mode, requested):
    policy = named(name)
    for seed, w in enumerate((0.0, 0.4, 1.0)):
        drawn = episode(seed, mode, requested=requested, bounded=seed != 1)
        ours, theirs = play_compiled(policy.rank, drawn, w), play_simulated(policy, drawn, w)
        assert ours.time == pytest.approx(theirs.time)
        assert ours.states == pytest.approx(theirs.states, abs=1e-9)
        assert (ours.total, ours.jobs) == (pytest.approx(theirs.total), theirs.jobs)


def test_a_network_is_validated_as_in_the_simulation(lublin):
    config = replace(RIGID, validation_workloads=2, validation_preferences=(0.2, 1.0))
    network = scorer()
    validation = Validation(ProcessPool(TrainingContext(lublin, config)))
    compiled, simulated = validation.evaluate(network), validation.score(frozen(network))
    assert compiled.at == pytest.approx(simulated.at)


def test_it_is_taken_where_the_scenario_allows_it(lublin, tmp_path):
    assert fits(lublin, RIGID)
    assert not fits(mixed_cloud(), TINY)
    assert not fits(load("random"), TINY)
    make = ALGORITHMS["ppo"].environments
    assert isinstance(make(ProcessPool(TrainingContext(lublin, RIGID)), 1), CompiledRewardEnvs)
    assert isinstance(make(ProcessPool(TrainingContext(mixed_cloud(), TINY)), 1), DummyVecEnv)
    progress = trainer.train(RIGID, tmp_path / "run")
    assert progress.rollouts == 2
    assert (tmp_path / "run" / "best" / "policy.onnx").is_file()


@pytest.mark.parametrize(("keep", "kept"), [("best", (0, False)), ("last", (96, True))])
def test_where_validation_tells_nothing_the_last_weights_stay(tmp_path, monkeypatch, keep, kept):
    worse = count(1.0, 0.1)
    monkeypatch.setattr(Validation, "evaluate", lambda *_: Score(next(worse), {}))
    trainer.train(replace(RIGID, n_steps=8, keep=keep), tmp_path)
    manifest = load_artifact(tmp_path / "best").manifest
    assert (manifest.steps, manifest.averaged) == kept


def test_one_job_with_a_choice_of_placements_in_a_trace_is_enough_to_refuse_it(tmp_path):
    def written(name, runs):
        jobs = [Arrival(n, 9.0 * n, (WorkloadRun("cpu", 1, 30.0),)) for n in range(1, 60)]
        jobs[-1] = replace(jobs[-1], runs=runs)
        made = write(Workload(name, tuple(jobs)), (Supply(POOL, 1),), tmp_path / f"{name}.toml")
        return replace(made.scenario, estimates=Estimates("requested"))

    wide = min(2, POOL.count)
    assert fits(written("rigid", (WorkloadRun("cpu", 1, 30.0),)), RIGID)
    assert not fits(
        written("moldable", (WorkloadRun("cpu", 1, 30.0), WorkloadRun("cpu", wide, 16.0))), RIGID
    )


def test_nothing_of_it_can_be_set_or_called_by_name(lublin):
    environments = CompiledRewardEnvs(lublin, RIGID)
    with pytest.raises(AttributeError):
        environments.env_method("render")
    with pytest.raises(AttributeError):
        environments.set_attr("render_mode", "human")
    assert environments.get_attr("render_mode") == [None] * 3
    assert environments.has_attr("action_space")
