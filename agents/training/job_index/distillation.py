"""Learning an index by search and distillation.

Round by round: what was learned plays training episodes, a search says at some of its choices what
each of the first jobs would save, and a network learns these values. The search plays futures out
with what was learned before, so that values get better from round to round (expert iteration:
Anthony, Tian, Barber, NeurIPS 2017). What changes wgc's constants stays as it was at the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.process_pool import ProcessPool
from agents.training.config import Training
from agents.training.job_index.labels import JobLabels, labelled
from agents.training.job_index.network import fitted
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.task import IndexTask
from scheduler.arrays import Floats
from scheduler.decisions.kernel.learned.job_index import hidden_units, size_of
from scheduler.decisions.search.settings import SearchSettings
from scheduler.policies.learned_index import order_of
from scheduler.policies.search import SearchedPolicy

_NEVER = 1e9
"""Patience of the search: no candidate is dropped before all futures are played."""


@dataclass(frozen=True, slots=True)
class _LabellingTask:
    """One training episode whose choices are searched."""

    round: int
    episode: int
    w: float
    learned: Floats | None
    """Weights of the policy that plays; None: the start."""


class Distillation:
    """Search and distillation, as far as a run has got."""

    def __init__(self, pool: ProcessPool[IndexTask], run: IndexRun) -> None:
        self._pool, self._run = pool, run
        self._config = pool.context.config

    def improve(self) -> tuple[Floats, int]:
        """Play one round; returns (learned weights, decisions of the policy that played)."""
        task, number = self._pool.context, self._run.progress.rollouts
        file = self._run.labels(number)
        if file.is_file():
            labels = JobLabels.load(file)
        else:
            labels = self._labels(number)
            labels.save(file)
        before = [JobLabels.load(self._run.labels(at)) for at in range(number)]
        learned = fitted(JobLabels.of([*before, labels]), self._config)
        return _with_adjustment(task, learned), int(labels.decisions.sum())

    def _labels(self, number: int) -> JobLabels:
        count = self._config.search_episodes
        preferences = self._pool.context.preferences(number, count)
        tasks = [
            _LabellingTask(number, number * count + at, w, self._run.latest)
            for at, w in enumerate(preferences)
        ]
        return JobLabels.of(self._pool.map(_labelled, tasks))


def _with_adjustment(task: IndexTask, learned: Floats) -> Floats:
    """The learned weights, and the start's that change wgc's constants."""
    start = task.start.weights.astype(np.float64)
    order = order_of(task.start.base)
    whole = size_of(order, hidden_units(order, task.start.weights))
    index = 1 + len(learned)
    kept = size_of(order, task.config.hidden) - index
    return np.concatenate(([task.config.correction_limit], learned, start[whole - kept :]))


def _labelled(task: IndexTask, one: _LabellingTask) -> JobLabels:
    config, player = task.config, task.policy(one.learned)
    episode = task.episode(one.episode, one.w)
    plays = player if one.round >= config.improved_from else task.start
    search = SearchedPolicy(
        plays,
        task.arrivals(one.w),
        _settings(config, episode.spec.every_event),
        task.objective(episode),
        naming=player if config.tries_favourites else None,
    )
    draws = int(np.random.SeedSequence((config.seed, one.episode)).generate_state(1)[0])
    return labelled(episode, player, search, config.searched_share, draws)


def _settings(config: Training, every_event: bool) -> SearchSettings:
    return SearchSettings(
        jobs=config.tried_jobs,
        futures=config.futures,
        length=config.future_length,
        patience=_NEVER,
        every_event=every_event,
    )
