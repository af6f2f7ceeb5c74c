"""Learning an index by an evolution strategy: CMA-ES on all weights but B.

If B is 0, the order of jobs is the base's, and only what changes wgc's constants is learned.

Hansen, Ostermeier, "Completely derandomized self-adaptation in evolution strategies", Evolutionary
Computation 9(2), 2001. All candidates of a generation play the same episodes, so that what differs
between them is their weights' doing. The mean of the distribution is what is learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cmaes import CMA, SepCMA

from agents.process_pool import ProcessPool
from agents.training.config import Training
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.task import IndexTask, played
from agents.training.scores import ratio
from scheduler.arrays import Floats
from scheduler.decisions.kernel.learned.job_index import BY_WGC, LIMIT
from scheduler.decisions.kernel.wgc_adjustment import ADJUSTMENT
from scheduler.policies.learned_index import LearnedIndex, order_of

_MOST_FULL = 128
"""Weights up to which the full covariance is learned; above only variances."""
_PARTS = 2
"""Tasks for each process, at least: so that none waits long for the last one."""


@dataclass(frozen=True, slots=True)
class _CandidatesTask:
    """Candidates on one training episode."""

    episode: int
    w: float
    candidates: Sequence[Floats]


class Evolution:
    """The strategy, as far as a run has got."""

    def __init__(self, pool: ProcessPool[IndexTask], run: IndexRun) -> None:
        self._pool, self._run = pool, run
        self._config = config = pool.context.config
        self._start = pool.context.start.weights.astype(np.float64)
        self._first = _first_learned(pool.context.start)
        self._strategy = _strategy(config, self._start[self._first :])
        for fitness in run.fitness:
            self._tell(self._asked(), fitness)

    def improve(self) -> tuple[Floats, int]:
        """Play one generation; returns (mean weights, decisions of all candidates)."""
        candidates, number = self._asked(), len(self._run.fitness)
        weights = [self._whole(each) for each in candidates]
        fitness, decisions = self._fitness(number, weights)
        self._tell(candidates, fitness)
        self._run.fitness.append(fitness)
        return self._whole(self._strategy.mean), decisions

    def _asked(self) -> list[Floats]:
        return [self._strategy.ask() for _ in range(self._config.population)]

    def _tell(self, candidates: Sequence[Floats], fitness: Sequence[float]) -> None:
        self._strategy.tell(list(zip(candidates, fitness, strict=True)))

    def _whole(self, candidate: Floats) -> Floats:
        """All weights: the first ones stay as they are."""
        return np.concatenate((self._start[: self._first], candidate))

    def _fitness(self, number: int, candidates: Sequence[Floats]) -> tuple[list[float], int]:
        """Means over the episodes of ln(objective ÷ the start's), and the decisions played.

        Less is better. How the work is cut depends on the number of processes, the result does not.
        """
        episodes = self._config.n_eval_episodes
        parts = min(-(-_PARTS * self._pool.workers // episodes), len(candidates))
        if self._pool.workers == 1:
            parts = 1
        size = -(-len(candidates) // parts)
        preferences = self._pool.context.preferences(number, episodes)
        tasks = [
            _CandidatesTask(number * episodes + at, w, candidates[first : first + size])
            for at, w in enumerate(preferences)
            for first in range(0, len(candidates), size)
        ]
        found = list(self._pool.map(_play, tasks))
        logs = np.concatenate([each for each, _ in found]).reshape(episodes, len(candidates))
        return logs.mean(axis=0).tolist(), sum(decisions for _, decisions in found)


def _first_learned(start: LearnedIndex) -> int:
    """The first weight that is learned."""
    if start.weights[LIMIT] == 0.0 and order_of(start.base) == BY_WGC:
        return len(start.weights) - ADJUSTMENT
    return LIMIT + 1


def _strategy(config: Training, weights: Floats) -> CMA | SepCMA:
    kind = CMA if len(weights) <= _MOST_FULL else SepCMA
    return kind(
        mean=weights, sigma=config.sigma, population_size=config.population, seed=config.seed
    )


def _play(task: IndexTask, one: _CandidatesTask) -> tuple[Floats, int]:
    """(candidates,) ln(objective ÷ the start's), and the decisions that the candidates took."""
    episode = task.episode(one.episode, one.w)
    policies = (task.start, *map(task.policy, one.candidates))
    start, *own = played(episode, policies)
    # One by one: NumPy's logarithm of a number may depend on the length of its array.
    logs = np.array([math.log(each) for each in ratio(np.array(own), start)])
    return logs, len(one.candidates) * len(episode.workload.jobs)
