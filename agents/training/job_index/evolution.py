"""Learning an index by an evolution strategy: CMA-ES on the weights of the correction.

All candidates of a generation play the same episodes, so that what differs between them is their
weights' doing. The mean of the distribution is what is learned.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cmaes import CMA, SepCMA

from agents.training.job_index.distillation import Tell, told
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.settings import EvolutionSettings
from agents.training.job_index.task import IndexTask
from scheduler.arrays import Floats
from scheduler.decisions.kernel.learned.job_index import size_of
from scheduler.policies.learned_index import LearnedIndex, order_of

_MOST_FULL = 128
"""Weights up to which the full covariance is learned; above only variances."""


def evolve(
    task: IndexTask, how: EvolutionSettings, folder: Path, tell: Tell = lambda _: None
) -> LearnedIndex:
    """Learn, or go on with what `folder` holds; returns the policy of the best validation.

    Raises `StateError` if the folder holds a run with other settings.
    """
    run, strategy = IndexRun.open(folder, (task.settings, how)), _begin(task, how)
    for number in range(how.generations):
        candidates = [strategy.ask() for _ in range(how.population)]
        if number == len(run.fitness):
            run.note(_fitness(task, how, number, candidates))
        strategy.tell(list(zip(candidates, run.fitness[number], strict=True)))
        done = number + 1
        due = done % how.validate_every == 0 or done == how.generations
        if due and run.rounds < -(-done // how.validate_every):
            found = task.validated(task.policy(strategy.mean))
            run.keep(strategy.mean, found)
            tell(f"generation {done}: {told(found)}")
    return task.policy(run.best)


def _begin(task: IndexTask, how: EvolutionSettings) -> CMA | SepCMA:
    start = np.zeros(size_of(order_of(task.base), task.settings.hidden) - 1)
    kind = CMA if len(start) <= _MOST_FULL else SepCMA
    return kind(
        mean=start, sigma=how.sigma, population_size=how.population, seed=task.settings.seed
    )


def _fitness(
    task: IndexTask, how: EvolutionSettings, number: int, candidates: list[Floats]
) -> list[float]:
    """Of a generation: means of the logarithms of the objective ÷ the base's; less is better."""
    episodes = [task.episode(number * how.episodes + at) for at in range(how.episodes)]
    base = np.array([task.value(episode, task.base) for episode in episodes])
    found = []
    for weights in candidates:
        policy = task.policy(weights)
        own = np.array([task.value(episode, policy) for episode in episodes])
        found.append(float(np.log(own / base).mean()))
    return found
