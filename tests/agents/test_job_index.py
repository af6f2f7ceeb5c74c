"""Learning an index of jobs: it finds what is to be gained, and a stopped run goes on as if not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from agents.serving.artifact import INPUT
from agents.training.job_index.distillation import distil
from agents.training.job_index.evolution import evolve
from agents.training.job_index.export import BASE_INPUT, exported
from agents.training.job_index.labels import JobLabels, labelled
from agents.training.job_index.network import fitted, fitted_member
from agents.training.job_index.settings import (
    DistillationSettings,
    EvolutionSettings,
    IndexSettings,
)
from agents.training.job_index.task import IndexTask, simulation
from envs.gym.episodes import Episode
from envs.gym.rewards import Scales
from envs.workloads.augmentation import LOADS, RUNTIMES, augmented
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_COLUMNS, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import size_of
from scheduler.decisions.kernel.queue.orders import FCFS
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.search.settings import SearchSettings
from scheduler.domain.errors import InputError, StateError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.search import SearchedPolicy
from tests.policies.test_search import SPEC, mixed
from tests.support.worlds import option, pool, snapshot, waiting

SETTINGS = IndexSettings("fcfs", hidden=4, validation_workloads=6, histories=2, augment=False)
SEARCH = SearchSettings(jobs=4, futures=4, length=12, patience=1e9)
DISTILLATION = DistillationSettings(rounds=2, episodes=2, share=0.5, epochs=30, search=SEARCH)
EVOLUTION = EvolutionSettings(generations=6, population=8, episodes=2, validate_every=3)


def episode(seed):
    return Episode(mixed(seed, 60), SPEC, scales=Scales(bounded=True))


def task(settings=SETTINGS):
    return IndexTask(settings, episode, lambda seed: episode(500 + seed), w=1.0)


@pytest.mark.parametrize(("learn", "how"), [(distil, DISTILLATION), (evolve, EVOLUTION)])
def test_it_learns_that_short_jobs_go_first(learn, how, tmp_path):
    own = task()
    policy = learn(own, how, tmp_path)
    found = own.validated(policy)
    assert found.difference.mean < -0.3
    assert found.difference.high < 0.0
    assert found.difference.count == 6
    assert found.error > 0.0


@pytest.mark.parametrize(("learn", "how"), [(distil, DISTILLATION), (evolve, EVOLUTION)])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(learn, how, tmp_path):
    whole = learn(task(), how, tmp_path / "whole")

    def stop(text):
        if "validation" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(task(), how, tmp_path / "parts", stop)
    resumed = learn(task(), how, tmp_path / "parts")
    assert np.array_equal(whole.weights, resumed.weights)


def test_a_run_with_other_settings_is_refused(tmp_path):
    few = replace(EVOLUTION, generations=1)
    evolve(task(), few, tmp_path)
    with pytest.raises(StateError, match="other settings"):
        evolve(task(), replace(few, sigma=0.1), tmp_path)


def test_labels_hold_what_the_policy_would_see():
    own, first = task(), episode(0)
    player = own.policy(None)
    search = SearchedPolicy(player, own.arrivals, SEARCH, own.objective(first))
    labels = labelled(first, player, search, 1.0, 0)
    assert len(labels.gains) > 10
    assert labels.columns.shape == (*labels.gains.shape, JOB_WIDTH + CLUSTER_WIDTH)
    tried = np.isfinite(labels.gains)
    assert (tried.sum(axis=1) >= 2).all()
    assert (labels.gains[:, 0] == 0.0).all()
    assert (labels.advantages(3.0)[~tried] == 0.0).all()
    assert np.abs(labels.advantages(3.0)).max() <= 3.0


def test_the_jobs_that_the_learned_policy_likes_are_tried():
    """Also if they are far behind in the order of the base, whose own choice is the first."""
    own, base = task(), HEURISTICS["fcfs"]
    liking = np.zeros(size_of(FCFS, 4) - 1)
    liking[JOB_COLUMNS.index("length_rank")] = -50.0
    player = own.policy(liking)
    jobs = [waiting(at, option(3600.0 - 100.0 * at), submitted=at) for at in range(1, 21)]
    world = snapshot(pool("gpu", devices=1), jobs).world.copy()
    opened = Round(world, 1000.0, Mode.NONE)
    assert opened.free
    search = SearchedPolicy(base, own.arrivals, SEARCH, own.objective(episode(0)), naming=player)
    assert search.search(world).jobs.tolist() == [1, 20, 19, 18]
    with pytest.raises(ValueError, match="plays out what another names"):
        replace(search, policy=own.policy(None)).search(world)


def test_labelling_changes_no_schedule():
    own, first = task(), episode(0)
    player = own.policy(None)
    search = SearchedPolicy(player, own.arrivals, SEARCH, own.objective(first))
    assert len(labelled(first, player, search, 0.5, 0).gains) > 0
    assert own.value(first, player) == own.value(first, HEURISTICS["fcfs"])


def synthetic():
    """Labels of choices in which one column says what a job saves."""
    columns = np.random.default_rng(0).normal(size=(400, 4, JOB_WIDTH + CLUSTER_WIDTH))
    return JobLabels(columns, np.zeros((400, 4)), columns[:, :, 3] - columns[:, :1, 3])


def test_the_network_learns_which_job_saves_most():
    labels = synthetic()
    network = fitted_member(labels, replace(DISTILLATION, epochs=100), SETTINGS)
    chosen = network(torch.as_tensor(labels.columns, dtype=torch.float32)).argmax(1).numpy()
    assert (chosen == labels.gains.argmax(1)).mean() > 0.9


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_mean_of_the_members_is_one_network(hidden):
    labels, how = synthetic(), replace(DISTILLATION, epochs=2)
    settings = replace(SETTINGS, hidden=hidden)
    weights = settings.packed(FCFS, fitted(labels, how, settings))
    members = [
        fitted_member(labels, how, replace(settings, hidden=hidden // 4, seed=seed))
        for seed in range(4)
    ]
    seen = torch.as_tensor(labels.columns[0], dtype=torch.float32)
    with torch.no_grad():
        mean = torch.stack([member.total(seen) for member in members]).mean(0)
        expected = settings.limit * torch.nn.functional.softsign(mean).numpy()
    values = {INPUT: seen.numpy(), BASE_INPUT: np.zeros(4, dtype=np.float32)}
    (found,) = ReferenceEvaluator(exported(FCFS, weights)).run(None, values)
    assert found == pytest.approx(expected, abs=1e-4)


def test_hidden_units_that_cannot_be_shared_are_refused():
    with pytest.raises(InputError, match="cannot be shared"):
        fitted(synthetic(), DISTILLATION, replace(SETTINGS, hidden=6))


def test_more_rounds_may_be_asked_of_a_run(tmp_path):
    distil(task(), replace(DISTILLATION, rounds=1), tmp_path)
    longer = distil(task(), DISTILLATION, tmp_path)
    assert np.array_equal(longer.weights, distil(task(), DISTILLATION, tmp_path / "whole").weights)


def test_augmented_jobs_come_at_another_rate_and_keep_their_number():
    workload = mixed(0, 60)
    other = augmented(workload, np.random.default_rng(1))
    load = workload.jobs[-1].submitted_at / other.jobs[-1].submitted_at
    longer = {
        round(one.runs[0].runtime_s / two.runs[0].runtime_s, 9)
        for one, two in zip(other.jobs, workload.jobs, strict=True)
    }
    assert LOADS[0] <= load <= LOADS[1]
    assert len(longer) == 1
    assert RUNTIMES[0] <= longer.pop() <= RUNTIMES[1]
    assert augmented(workload, np.random.default_rng(1)) == other


def test_an_episode_is_played_from_its_beginning_each_time():
    first = episode(0)
    assert simulation(first).now == simulation(first).now == 0.0
