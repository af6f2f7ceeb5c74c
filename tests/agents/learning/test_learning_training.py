"""Training: what it leaves behind, that it can be resumed, and that it learns."""

import json
import warnings
from concurrent.futures import Future
from dataclasses import asdict, replace
from itertools import groupby

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.evaluation.promotion import BASELINES
from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST, load
from agents.training import config as configs
from agents.training.config import Training
from agents.training.environments.baseline import BaselineTrajectories, BaselineTrajectory
from agents.training.environments.env import BaselineRewardEnv
from agents.training.imitation import Demonstrations, collect, discounted, imitation_loss
from agents.training.model.ema import Average
from agents.training.model.network import PolicyNetwork
from agents.training.progress import CURVE
from agents.training.scores import relative
from agents.training.trainer import train
from agents.training.validation import Validation, simulated_objective
from agents.training.worker import TrainingContext, frozen
from benchmarks.placement_logs.cells import frozen as first_version
from envs.gym.episodes import scales_of
from envs.scenarios import Split
from envs.scenarios import load as scenario
from scheduler.decisions.features.encoder import size
from scheduler.decisions.state.entries import WAIT
from scheduler.domain.errors import InputError, StateError
from scheduler.policies.lookup import named
from tests.support.learning_world import TINY, mixed_cloud, scorer


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    events = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(TINY, run, "the command", events.append)
    return run, events


def test_a_run_leaves_an_artifact_that_says_how_it_was_made(trained):
    run, events = trained
    manifest = load(run / BEST).manifest
    assert manifest.command == "the command"
    assert configs.of(manifest.config) == configs.read(run) == TINY
    assert manifest.scenario_digest == mixed_cloud().digest
    assert set(manifest.evaluation) == {"policy", *BASELINES}
    assert manifest.evaluation["wgc"]["mean"] == 1
    curve = json.loads((run / CURVE).read_text())
    assert [point["steps"] for point in curve] == [0, 64, 96]
    scores = [point[name] for point in curve for name in ("raw", "averaged") if name in point]
    best = min(score["mean"] for score in scores)
    assert manifest.evaluation["policy"]["mean"] == best
    assert [stage for stage, _ in groupby(event.stage for event in events)] == [
        "demonstrations", "imitation", "heuristics", "validated", "heuristics", "learning",
        "validated", "learning", "validated", "learning",
    ]  # fmt: skip
    for stage in ("demonstrations", "imitation", "heuristics", "learning"):
        shares = [event.done for event in events if event.stage == stage]
        assert (shares[0], shares[-1]) == (0, 1)
        assert shares == sorted(shares)


def test_the_same_seed_gives_the_same_weights(trained, tmp_path):
    train(TINY, tmp_path / "again")
    first, again = (load(run / BEST).manifest for run in (trained[0], tmp_path / "again"))
    assert first.sha256 == again.sha256
    # Seconds differ.
    assert [point["raw"] for point in first.curve] == [point["raw"] for point in again.curve]


@pytest.mark.slow
def test_several_processes_train_as_one_does(tmp_path):
    config = replace(TINY, dagger_steps=30)
    train(config, tmp_path / "alone")
    train(config, tmp_path / "shared", workers=2)
    alone, shared = (load(tmp_path / name / BEST).manifest for name in ("alone", "shared"))
    assert alone.sha256 == shared.sha256
    assert [point["raw"] for point in alone.curve] == [point["raw"] for point in shared.curve]
    assert alone.evaluation == shared.evaluation


def test_curves_can_be_read_by_tensorboard(tmp_path):
    train(replace(TINY, tensorboard=True, expert=None), tmp_path / "run")
    (folder,) = (tmp_path / "run" / "tensorboard").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert {"validation/raw", "rollout/ep_rew_mean"} <= set(events.Tags()["scalars"])


def test_a_run_is_never_overwritten(trained):
    with pytest.raises(StateError, match="holds a training"):
        train(TINY, trained[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"gamma": 1.5},
        {"preference": 2.0},
        {"validation_preferences": ()},
        {"criterion": "mean"},
        {"keep": "first"},
        {"criterion": "ratio_of_means", "preference": None},
    ],
)
def test_hyper_parameters_out_of_range_are_named(wrong):
    with pytest.raises(InputError) as caught:
        replace(TINY, **wrong)
    assert caught.value.fields


def test_unknown_hyper_parameters_are_named():
    with pytest.raises(InputError, match="unknown: gama"):
        configs.of({**asdict(Training()), "gama": 1})


def demonstrated_by(config, count, world=None, student=None):
    context = TrainingContext(world or mixed_cloud(), config)
    return collect(ProcessPool(context), count, config.seed, student=student)


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0])
def test_the_baseline_earns_nothing(w):
    config = replace(TINY, preference=w, rows=400, expert="wgc", gamma=1.0, waiting="free")
    demonstrations = demonstrated_by(config, 1, scenario("random"))
    assert demonstrations.returns[0] == pytest.approx(0.0, abs=1e-6 * config.gain)


def test_a_trajectory_is_computed_once_while_it_is_kept(monkeypatch):
    monkeypatch.setattr("agents.training.environments.baseline.CAPACITY", 2)
    trajectories, wgc = BaselineTrajectories(mixed_cloud(), TINY), named("wgc")
    first = trajectories.of(wgc, 1, 0.5)
    others = [
        trajectories.of(wgc, 1, 0.6),
        trajectories.of(wgc, 1, 0.5),
        trajectories.of(named("sjf"), 1, 0.5),
    ]
    assert [other is first for other in others] == [False, True, False]
    assert trajectories.of(wgc, 1, 0.5) is first
    trajectories.of(wgc, 2, 0.5), trajectories.of(wgc, 3, 0.5)
    assert trajectories.of(wgc, 1, 0.5) is not first
    assert trajectories.of(wgc, 1, 0.5).total == first.total


def test_an_expected_trajectory_is_computed_in_another_process():
    asked = []
    played = Future()
    played.set_result(BaselineTrajectory(np.arange(2.0), np.zeros((2, 4)), total=1.0, jobs=1))

    def prefetch(*episode):
        asked.append(episode)
        return played

    trajectories, wgc = BaselineTrajectories(mixed_cloud(), TINY, prefetch), named("wgc")
    for _ in range(2):
        trajectories.expect(wgc, 1, 0.5)
    assert trajectories.of(wgc, 1, 0.5) is played.result()
    trajectories.expect(wgc, 1, 0.5)
    assert asked == [(1, 0.5)]
    assert trajectories.of(wgc, 0, 0.5) is not played.result()


def test_networks_for_other_processes_do_not_change_with_what_is_learned():
    network = scorer()
    context, sent = TrainingContext(mixed_cloud(), TINY), frozen(network)
    values = np.ones(size(TINY.rows), dtype=np.float32)
    before = context.policy(sent).network.scores(values)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(1)
    assert (context.policy(sent).network.scores(values) == before).all()
    assert (context.policy(frozen(network)).network.scores(values) != before).any()
    assert not any(weights.is_shared() for weights in network.parameters())


def test_a_trajectory_tells_what_will_wait_until_its_end():
    states = np.zeros((100, 4))
    states[:, 2] = np.arange(100)
    trajectory = BaselineTrajectory(np.arange(100.0), states, total=1.0, jobs=1)
    assert trajectory.lookahead(2.0) == [34, 99, 99]
    assert trajectory.lookahead(1e9) == [99] * 3


def test_rewards_sum_up_to_the_gain_over_the_baseline():
    config = replace(TINY, preference=0.3, clip_reward=1e9)
    env = BaselineRewardEnv(mixed_cloud(), config)
    observation, _ = env.reset(seed=0, options={"workload": 1})
    total, done = 0.0, False
    while not done:
        assert observation in env.observation_space
        action = np.flatnonzero(env.action_masks())[-1]
        observation, reward, done, _, _ = env.step(action)
        total += reward
    reached = scales_of(mixed_cloud().objective).value(env.simulation.outcome(), 0.3)
    wgc = simulated_objective(mixed_cloud(), named("wgc"), 1, 0.3, config.jobs, Split.TRAIN)
    assert reached > 1.01 * wgc
    assert total == pytest.approx(config.gain * (1 - reached / wgc))


def test_demonstrations_hold_the_choices_of_the_alternatives():
    config = replace(TINY, alternatives=("fastest", "wgc"))
    # Under a long queue all choices differ, and a label would prove nothing.
    demonstrations = demonstrated_by(config, 200, first_version("mixed-cloud"))
    assert (demonstrations.others[:, 1] == demonstrations.actions).all()
    differs = demonstrations.others[:, 0] != demonstrations.actions
    assert 0.05 < differs.mean() < 0.95
    assert np.take_along_axis(demonstrations.masks, demonstrations.others, 1).all()


def test_the_best_expert_of_an_episode_is_imitated():
    """On mixed-cloud that is never the cheapest where only latency counts."""
    config = replace(TINY, preference=1.0, jobs=40)
    plain = demonstrated_by(config, 200)
    config = replace(config, expert="cheapest", alternatives=("wgc",), best_expert_per_episode=True)
    demonstrations = demonstrated_by(config, 200)
    assert (demonstrations.actions == plain.actions).all()
    assert (demonstrations.others[:, 0] != demonstrations.actions).any()


def test_the_expert_labels_states_that_the_student_reaches():
    config = replace(TINY, preference=1.0, jobs=40)
    # A cluster that begins empty: where there is a queue, a greedy student may be worth more.
    empty = first_version("mixed-cloud")
    plain = demonstrated_by(config, 120, empty)
    same = demonstrated_by(config, 120, empty, student="wgc")
    assert (same.observations == plain.observations).all()
    led = demonstrated_by(config, 120, empty, student="cheapest")
    assert (
        led.observations.shape != plain.observations.shape
        or (led.observations != plain.observations).any()
    )
    # From the expert's own choices on, a greedy student is worth less than the expert.
    assert led.returns.mean() < plain.returns.mean()
    both = Demonstrations.of((plain, led))
    assert len(both.actions) == len(both.returns) == len(plain.actions) + len(led.actions)


def test_dagger_steps_come_after_the_demonstrations(tmp_path):
    events = []
    config = replace(TINY, demonstrations=60, dagger_steps=41, imitation_epochs=1, steps=32)
    train(config, tmp_path / "run", tell=events.append)
    shares = [event.done for event in events if event.stage == "demonstrations"]
    assert shares == sorted(shares)
    assert any(share == pytest.approx(60 / 101) for share in shares)
    assert shares[-1] == pytest.approx(1.0)


def test_alternatives_get_their_share_of_what_is_imitated():
    logits = torch.zeros(1, 4, requires_grad=True)
    legal = torch.tensor([[True, True, True, False]])
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        imitation_loss(logits, legal, torch.tensor([1]), torch.tensor([[1, 2]]), 0.4).backward()
        optimizer.step()
    shares = logits.detach().masked_fill(~legal, -torch.inf).softmax(1)
    torch.testing.assert_close(shares, torch.tensor([[0.0, 0.8, 0.2, 0.0]]), atol=0.01, rtol=0)


def test_rewards_of_a_step_are_clipped_on_both_sides():
    env = BaselineRewardEnv(mixed_cloud(), replace(TINY, clip_reward=0.01))
    rewards, rng = [], np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        done = False
        while not done:
            _, reward, done, _, _ = env.step(rng.choice(np.flatnonzero(env.action_masks())))
            rewards.append(reward)
    assert (min(rewards), max(rewards)) == (-0.01, 0.01)


def test_returns_are_discounted_from_each_step_on():
    np.testing.assert_allclose(discounted([1.0, 2.0, 4.0], 0.5), [3.0, 4.0, 4.0])


def test_ratios_are_paired():
    score = relative({(0.2, 0): 1.0, (0.8, 0): 6.0}, {(0.2, 0): 2.0, (0.8, 0): 4.0})
    assert (score.mean, score.at) == (1.0, {0.2: 0.5, 0.8: 1.5})
    free = {(0.0, 0): 0.0, (0.0, 1): 3.0}
    for criterion in ("mean_of_ratios", "ratio_of_means"):
        assert relative(free, free, criterion).mean == 1.0


def test_what_a_workload_counts_is_up_to_the_criterion():
    own, baseline = {(1.0, 0): 1.0, (1.0, 1): 30.0}, {(1.0, 0): 2.0, (1.0, 1): 18.0}
    assert relative(own, baseline).mean == pytest.approx((1 / 2 + 30 / 18) / 2)
    assert relative(own, baseline, "ratio_of_means").mean == 31 / 20


def test_rewards_of_costly_workloads_count_more_where_means_are_compared():
    def gain(criterion, workload):
        config = replace(TINY, preference=0.3, criterion=criterion, clip_reward=1e9)
        env = BaselineRewardEnv(mixed_cloud(), config)
        env.reset(seed=0, options={"workload": workload})
        total, done = 0.0, False
        while not done:
            action = np.flatnonzero(env.action_masks())[-1]
            _, reward, done, _, _ = env.step(action)
            total += reward
        return total, env.trajectory(named("wgc")).total

    workloads = range(TINY.workloads)
    ratios, totals = np.transpose([gain("mean_of_ratios", one) for one in workloads])
    means = [gain("ratio_of_means", one)[0] for one in workloads]
    assert means == pytest.approx(ratios * totals / np.mean(totals))


def test_the_average_of_unchanged_weights_is_those_weights():
    torch.manual_seed(0)
    network = PolicyNetwork(8)
    average = Average(network, 0.95)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average.update()
    torch.testing.assert_close(average.weights(), before)
    with torch.no_grad():
        network.score.bias += 1
    average.update()
    with average.applied():
        assert before["score.bias"] < network.score.bias < before["score.bias"] + 1
    torch.testing.assert_close(network.score.bias.detach(), before["score.bias"] + 1)


@pytest.mark.slow
def test_a_short_training_is_better_than_chance(tmp_path, monkeypatch):
    """Against a masked policy of random weights."""
    config = replace(
        TINY, jobs=40, demonstrations=1500, imitation_epochs=10, n_steps=128, steps=512, hidden=32,
        workloads=8, validation_workloads=2,
    )  # fmt: skip
    progress = train(config, tmp_path / "run")
    rng = np.random.default_rng(0)

    class Chance:
        name, stable = "chance", False

        def scores(self, table):
            return np.where(table.rows == WAIT, -np.inf, rng.random(len(table)))

        def costs(self, table):
            return table.dollars

    monkeypatch.setattr(
        "agents.training.worker.named", {"chance": Chance(), "wgc": named("wgc")}.get
    )
    validation = Validation(ProcessPool(TrainingContext(mixed_cloud(), config)))
    assert progress.best < 0.8 * validation.score("chance").mean
