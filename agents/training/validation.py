"""How good a policy is on validation workloads, beside the heuristics on the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.evaluation.promotion import BASELINES
from agents.process_pool import ProcessPool
from agents.training.compiled.reward_env import fits
from agents.training.compiled.validation import Examination
from agents.training.config import Criterion
from agents.training.env import simulated
from agents.training.model.network import PolicyNetwork
from agents.training.worker import Player, TrainingContext, frozen
from envs.scenarios import Split
from scheduler.decisions.state.queue import Floats

Objectives = Mapping[tuple[float, int], float]
"""(w, seed) → objective of a whole workload; less is better."""
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """A policy's objectives ÷ the reference's on the same workloads."""

    mean: float
    """Over all w; below 1: better than the reference."""
    at: Mapping[float, float]
    """w → mean of the ratios on its workloads, or ratio of the means."""


def relative(
    objectives: Objectives, reference: Objectives, criterion: Criterion = "mean_of_ratios"
) -> Score:
    """Paired: all w on the same workloads."""
    at = {}
    for w in sorted({w for w, _ in objectives}):
        keys = [key for key in objectives if key[0] == w]
        own, theirs = (np.array([one[key] for key in keys]) for one in (objectives, reference))
        alike = criterion == "mean_of_ratios"
        at[w] = float(np.mean(_ratio(own, theirs)) if alike else _ratio(own.sum(), theirs.sum()))
    return Score(float(np.mean(list(at.values()))), at)


def _ratio(own: Floats | float, theirs: Floats | float) -> Floats:
    """Of equals 1: where devices are free both may be 0."""
    return np.where(own == theirs, 1.0, own / np.maximum(theirs, _LEAST))


@dataclass(frozen=True, slots=True)
class Match:
    """One player on one validation workload."""

    player: Player
    w: float
    seed: int


def objective(ground: TrainingContext, match: Match) -> float:
    """What the player reaches; less is better."""
    policy, jobs = ground.policy(match.player), ground.config.jobs
    found = simulated(ground.scenario, policy, match.seed, match.w, jobs, Split.VALIDATION)
    return found.at(match.w)


class Validation:
    """Validation workloads, with what the heuristics reach on them."""

    def __init__(self, crew: ProcessPool[TrainingContext]) -> None:
        scenario, config = crew.bench.scenario, crew.bench.config
        self._config = config
        self._crew = crew
        self.reference = self.objectives(config.reference)
        self._examination = (
            Examination(scenario, config, Split.VALIDATION) if fits(scenario, config) else None
        )

    def objectives(self, player: Player) -> Objectives:
        """A player on all of them, at every w."""
        seeds = range(self._config.validation_workloads)
        keys = [(w, seed) for w in self._config.judged_at for seed in seeds]
        matches = (Match(player, *key) for key in keys)
        return dict(zip(keys, self._crew.map(objective, matches), strict=True))

    def score(self, player: Player) -> Score:
        """A player against the reference."""
        return self._relative(self.objectives(player))

    def judge(self, scorer: PolicyNetwork) -> Score:
        """A network's greedy policy against the reference."""
        if self._examination is not None:
            return self._relative(self._examination.objectives(scorer))
        return self.score(frozen(scorer))

    def _relative(self, objectives: Objectives) -> Score:
        return relative(objectives, self.reference, self._config.criterion)

    def table(
        self, rivals: Sequence[str] = BASELINES, tell: Callable[[float], None] = lambda _: None
    ) -> dict[str, Score]:
        """Name → score of heuristics, of all that taught and of the reference among them.

        `tell` hears the share of all that is known then; one more, a network, is left in the end.
        """
        config = self._config
        taught = filter(None, (config.teacher, *config.alternatives))
        names = tuple(dict.fromkeys((config.reference, *rivals, *taught)))
        table = {}
        for count, name in enumerate(names, 1):
            table[name] = (
                Score(1.0, dict.fromkeys(config.judged_at, 1.0))
                if name == config.reference
                else self.score(name)
            )
            tell(count / (len(names) + 1))
        return table
