"""Learning an index by search and distillation.

Round by round: what was learned plays training episodes, a search says at some of its choices what
each of the first jobs would save, and a network learns these values. The search plays futures out
with what was learned before, so that values get better from round to round (expert iteration:
Anthony, Tian, Barber, NeurIPS 2017). Validation says which round is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.training.job_index.labels import JobLabels, labelled
from agents.training.job_index.network import fitted
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.settings import DistillationSettings
from agents.training.job_index.task import IndexTask, Validated
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.search import SearchedPolicy

Tell = Callable[[str], None]


def distil(
    task: IndexTask, how: DistillationSettings, folder: Path, tell: Tell = lambda _: None
) -> LearnedIndex:
    """Learn, or go on with what `folder` holds; returns the policy of the best round.

    Raises `StateError` if the folder holds a run with other settings.
    """
    run = IndexRun.open(folder, (task.settings, how))
    for number in range(run.rounds, how.rounds):
        player = task.policy(run.latest)
        parts = [JobLabels.load(run.labels(at)) for at in range(number)]
        labels = _labels(task, how, number, player)
        labels.save(run.labels(number))
        tell(f"round {number + 1}: {len(labels.gains):,} choices searched")
        weights = fitted(JobLabels.of([*parts, labels]), how, task.settings)
        found = task.validated(task.policy(weights))
        run.keep(weights, found)
        tell(f"round {number + 1}: {told(found)}")
    return task.policy(run.best)


def told(found: Validated) -> str:
    """The difference to the base in words."""
    mean, low, high = (100 * getattr(found.difference, each) for each in ("mean", "low", "high"))
    return (
        f"{mean:+.1f} % [{low:+.1f}, {high:+.1f}] to the base on {found.difference.count} "
        f"validation workloads, standard error {100 * found.error:.1f} %"
    )


def _labels(
    task: IndexTask, how: DistillationSettings, number: int, player: LearnedIndex
) -> JobLabels:
    parts = []
    for at in range(how.episodes):
        seed = number * how.episodes + at
        episode = task.episode(seed)
        plays = player if number >= how.improved_from else task.base
        settings = replace(how.search, every_event=episode.spec.every_event)
        objective = task.objective(episode)
        naming = player if how.tries_favourites else None
        search = SearchedPolicy(plays, task.arrivals, settings, objective, naming=naming)
        draws = int(np.random.SeedSequence((task.settings.seed, seed)).generate_state(1)[0])
        parts.append(labelled(episode, player, search, how.share, draws))
    return JobLabels.of(parts)
