"""How good an index is on validation workloads, beside the baseline on the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.process_pool import ProcessPool
from agents.training.job_index.task import IndexTask, played
from agents.training.scores import Objectives, Score, relative
from scheduler.arrays import Floats
from scheduler.policies.lookup import named

Player = str | Floats | None
"""A policy's name, weights of the index, or None for the index that learning starts from."""


@dataclass(frozen=True, slots=True)
class _WorkloadTask:
    """One player on one validation workload, at every preference."""

    player: Player
    seed: int


class IndexValidation:
    """Validation workloads, with what the baseline reaches on them."""

    def __init__(
        self, pool: ProcessPool[IndexTask], tell: Callable[[float], None] = lambda _: None
    ) -> None:
        """Let the baseline play all workloads; `tell` receives the share that is done."""
        self._pool, self._config = pool, pool.context.config
        self._baseline = self._objectives(self._config.baseline, tell)

    def start(self) -> Score:
        """The score of the index that learning starts from."""
        if self._config.corrected == self._config.baseline:
            return self._relative(self._baseline)
        return self.score(None)

    def score(self, player: Player) -> Score:
        """A player against the baseline."""
        return self._relative(self._objectives(player))

    def _relative(self, objectives: Objectives) -> Score:
        return relative(objectives, self._baseline, self._config.criterion)

    def _objectives(
        self, player: Player, tell: Callable[[float], None] = lambda _: None
    ) -> Objectives:
        count, found = self._config.validation_workloads, {}
        tasks = (_WorkloadTask(player, seed) for seed in range(count))
        for seed, values in enumerate(self._pool.map(_validate, tasks)):
            pairs = zip(self._config.validated_preferences, values, strict=True)
            found.update({(w, seed): value for w, value in pairs})
            tell((seed + 1) / count)
        return found


def _validate(task: IndexTask, one: _WorkloadTask) -> list[float]:
    """The objective at each validated preference."""
    policy = named(one.player) if isinstance(one.player, str) else task.policy(one.player)
    episode = task.validation(one.seed)
    return [played(episode.at(w), [policy])[0] for w in task.config.validated_preferences]
