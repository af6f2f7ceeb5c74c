"""What an index is learned for: episodes to learn from, others to validate on, an objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents.evaluation.statistics import Interval, relative
from agents.training.futures import arrived
from agents.training.job_index.settings import IndexSettings
from envs.clock import CompiledSimulation
from envs.gym import episodes
from envs.gym.episodes import Draw, Episode
from envs.scenarios import Scenario, Split
from envs.workloads.augmentation import augmented
from scheduler.arrays import Floats
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.arrivals import ArrivalHistory
from scheduler.decisions.search.settings import PlayoutObjective
from scheduler.policies.learned_index import Base, LearnedIndex, on, order_of
from scheduler.policies.lookup import named

_AUGMENTED = 1
"""Second number of the seed of an episode's augmentation."""


@dataclass(frozen=True, slots=True)
class Validated:
    """A policy on the validation workloads, against the base."""

    difference: Interval
    """(mean objective - the base's) ÷ the base's, with its 95 % interval over the workloads."""
    error: float
    """Standard error of the same, by the delta method."""


@dataclass
class IndexTask:
    """Episodes and settings. `train` and `validation` must share no randomness.

    `w`: preference at which the objective is computed: 1 counts only latency, 0 only cost.
    """

    settings: IndexSettings
    train: Draw
    validation: Draw
    w: float

    @cached_property
    def base(self) -> Base:
        """The policy whose order is corrected. Raises `InputError` if it cannot be."""
        return self.policy(None).base

    def policy(self, weights: Floats | None) -> LearnedIndex:
        """A correction of the base; None: none."""
        base = named(self.settings.base)
        return on(base, self.settings.packed(order_of(base), weights))

    def episode(self, seed: int) -> Episode:
        """A training episode, augmented if the settings say so."""
        episode = self.train(seed)
        if not self.settings.augment:
            return episode
        rng = np.random.default_rng((self.settings.seed, seed, _AUGMENTED))
        return Episode(
            augmented(episode.workload, rng),
            episode.spec,
            episode.estimator,
            episode.scales,
            episode.seed,
        )

    def value(self, episode: Episode, policy: Policy) -> float:
        """The objective per job; less is better."""
        outcome = simulation(episode).run(policy)
        return episode.scales.value(outcome, self.w) / len(outcome.job)

    def objective(self, episode: Episode) -> PlayoutObjective:
        """The same, in the units of play-outs."""
        scales = episode.scales
        return PlayoutObjective(
            seconds=0.0 if scales.bounded else 1.0 / scales.latency_s,
            slowdown=1.0 / scales.slowdown if scales.bounded else 0.0,
            dollars=1.0 / scales.dollars,
            miss=scales.miss,
            preference=self.w,
        )

    @cached_property
    def arrivals(self) -> ArrivalHistory:
        """What futures are drawn from: the jobs of training episodes that nobody plays."""
        first = self.settings.history_from
        episodes = (self.train(first + at) for at in range(self.settings.histories))
        return ArrivalHistory.of([arrived(simulation(each), self.base) for each in episodes])

    @cached_property
    def validation_episodes(self) -> Sequence[Episode]:
        """The validation workloads."""
        return [self.validation(seed) for seed in range(self.settings.validation_workloads)]

    @cached_property
    def base_values(self) -> Floats:
        """(n,) What the base reaches on them."""
        return self.values(self.base)

    def values(self, policy: Policy) -> Floats:
        """(n,) What a policy reaches on the validation workloads."""
        return np.array([self.value(episode, policy) for episode in self.validation_episodes])

    def validated(self, policy: Policy) -> Validated:
        """A policy against the base, on the same workloads."""
        own, base = self.values(policy), self.base_values
        spread = own - base - (own.mean() / base.mean() - 1.0) * base
        error = float(spread.std(ddof=1) / np.sqrt(len(own)) / base.mean())
        return Validated(relative(own, base), error)


def of_scenario(
    scenario: Scenario | str, settings: IndexSettings, *, w: float, jobs: int | None = None
) -> IndexTask:
    """Learning for a scenario: workloads of its splits `train` and `validation`.

    `jobs`: jobs of a workload; None: as many as the scenario says. Raises `MissingError` or
    `InputError` for an unknown scenario.
    """
    train, validation = (
        episodes.of_scenario(scenario, jobs, split) for split in (Split.TRAIN, Split.VALIDATION)
    )
    return IndexTask(settings, train, validation, w)


def simulation(episode: Episode) -> CompiledSimulation:
    """The episode on the compiled clock, from its beginning."""
    return CompiledSimulation(episode.workload, episode.spec, episode.estimator, seed=episode.seed)
