"""What an index is learned for: episodes to learn from, others to validate on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from agents.training.config import Training
from agents.training.futures import arrived
from envs.clock import CompiledSimulation
from envs.gym import episodes
from envs.gym.episodes import Draw, Episode, stratified_preferences
from envs.scenarios import Scenario, Split
from envs.workloads.augmentation import augmented
from scheduler.arrays import Floats
from scheduler.decisions.kernel.learned.job_index import LIMIT, size_of
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.arrivals import ArrivalHistory
from scheduler.decisions.search.settings import PlayoutObjective
from scheduler.domain.errors import InputError
from scheduler.policies.learned_index import LearnedIndex, correctable, order_of
from scheduler.policies.lookup import named
from scheduler.policies.wgc import Wgc

_AUGMENTED, _PREFERENCES = 1, 2
"""Second numbers of the seeds of an episode's augmentation and of a generation's preferences."""
_STRIDE, _HISTORIES = 10_000_000, 9_000_000
"""Training episodes of one seed of a training, and the first of those that futures come from."""
_UNNAMED = 1.0 / 3.0
"""Preference of the cluster in workloads that futures are drawn from: a job with it names none."""


@dataclass
class IndexTask:
    """The context of an `agents.process_pool.ProcessPool`.

    `start`: what is corrected further. `train` and `validation` must share no randomness.
    """

    config: Training
    start: LearnedIndex
    train: Draw
    validation: Draw

    def policy(self, weights: Floats | None) -> LearnedIndex:
        """The index with these weights, B first; None: the one that learning starts from."""
        if weights is None:
            return self.start
        return replace(self.start, weights=np.asarray(weights, dtype=np.float32))

    def preferences(self, number: int, count: int) -> list[float]:
        """Preferences of the `count` episodes of a generation or round."""
        if self.config.preference is not None:
            return [self.config.preference] * count
        rng = np.random.default_rng((self.config.seed, number, _PREFERENCES))
        return [float(w) for w in stratified_preferences(count, rng)]

    def episode(self, number: int, w: float) -> Episode:
        """A training episode at preference w, augmented if the settings say so."""
        episode = self.train(self.config.seed * _STRIDE + number).at(w)
        if not self.config.augment:
            return episode
        rng = np.random.default_rng((self.config.seed, number, _AUGMENTED))
        return replace(episode, workload=augmented(episode.workload, rng))

    def objective(self, episode: Episode) -> PlayoutObjective:
        """The objective per job, in the units of play-outs."""
        scales = episode.scales
        return PlayoutObjective(
            seconds=0.0 if scales.bounded else 1.0 / scales.latency_s,
            slowdown=1.0 / scales.slowdown if scales.bounded else 0.0,
            dollars=1.0 / scales.dollars,
            miss=scales.miss,
            preference=episode.spec.preference,
        )

    def arrivals(self, w: float) -> ArrivalHistory:
        """What futures are drawn from: jobs of training workloads that no policy learns from."""
        own = self._arrivals.preference
        return replace(self._arrivals, preference=np.where(own == _UNNAMED, w, own))

    @cached_property
    def _arrivals(self) -> ArrivalHistory:
        first = self.config.seed * _STRIDE + _HISTORIES
        drawn = (self.train(first + at).at(_UNNAMED) for at in range(self.config.histories))
        return ArrivalHistory.of([arrived(simulation(each), self.start) for each in drawn])


def of_scenario(scenario: Scenario, config: Training, start: LearnedIndex) -> IndexTask:
    """Learning for a scenario: workloads of its splits `train` and `validation`."""
    train, validation = (
        episodes.of_scenario(scenario, config.jobs, split)
        for split in (Split.TRAIN, Split.VALIDATION)
    )
    return IndexTask(config, start, train, validation)


def starting(config: Training) -> LearnedIndex:
    """The policy whose order is corrected, as an index: it decides as the policy does.

    Raises `InputError` for a policy that cannot be corrected, `MissingError` for an unknown one.
    """
    base = named(config.corrected)
    if isinstance(base, LearnedIndex):
        return replace(base, mode=None)
    checked = correctable(base)
    if config.correction_limit == 0.0 and not (config.algo == "cmaes" and isinstance(checked, Wgc)):
        raise InputError(
            f"with a largest correction of 0, {config.algo} on {base.name} has nothing to learn",
            {"correction_limit": "above 0, or 0 with cmaes on wgc"},
        )
    weights = np.zeros(size_of(order_of(checked), config.hidden), dtype=np.float32)
    weights[LIMIT] = config.correction_limit
    return LearnedIndex(checked, weights)


def played(episode: Episode, policies: Sequence[Policy]) -> list[float]:
    """Each policy's objective per job on the episode, at its preference; less is better."""
    first, w = simulation(episode), episode.spec.preference
    outcomes = (first.restarted().run(policy) for policy in policies)
    return [episode.scales.value(each, w) / len(each.job) for each in outcomes]


def simulation(episode: Episode) -> CompiledSimulation:
    """The episode on the compiled clock, from its beginning."""
    return CompiledSimulation(episode.workload, episode.spec, episode.estimator, seed=episode.seed)
