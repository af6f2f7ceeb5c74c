"""How good a policy is on validation workloads, beside the heuristics on the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agents.config import Criterion, Training
from agents.examination import Examination
from agents.network import Scorer
from agents.policy import LearnedPolicy
from agents.rigid import fits
from agents.rivals import RIVALS
from agents.world import simulated
from envs.scenarios import Scenario, Split
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import Floats
from scheduler.decisions.standing import Floats32
from scheduler.policies.lookup import named

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


class Validation:
    """Validation workloads, with what the heuristics reach on them."""

    def __init__(self, scenario: Scenario, config: Training) -> None:
        self._scenario = scenario
        self._config = config
        self.reference = self.objectives(named(config.reference))
        self._examination = (
            Examination(scenario, config, Split.VALIDATION) if fits(scenario, config) else None
        )

    def objectives(self, policy: Policy) -> Objectives:
        """A policy on all of them, at every w."""
        config = self._config
        return {
            (w, seed): simulated(self._scenario, policy, seed, w, config.jobs, Split.VALIDATION).at(
                w
            )
            for w in config.judged_at
            for seed in range(config.validation_workloads)
        }

    def score(self, policy: Policy) -> Score:
        """A policy against the reference."""
        return self._relative(self.objectives(policy))

    def judge(self, scorer: Scorer) -> Score:
        """A network's greedy policy against the reference."""
        if self._examination is not None:
            return self._relative(self._examination.objectives(scorer))
        return self.score(greedy(scorer, self._config, self._scenario))

    def _relative(self, objectives: Objectives) -> Score:
        return relative(objectives, self.reference, self._config.criterion)

    def table(
        self, rivals: Sequence[str] = RIVALS, tell: Callable[[float], None] = lambda _: None
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
                else self.score(named(name))
            )
            tell(count / (len(names) + 1))
        return table


def greedy(scorer: Scorer, config: Training, scenario: Scenario) -> LearnedPolicy:
    """The policy of a network that is still being trained."""

    def score(encoding: Floats32) -> Floats32:
        with torch.no_grad():
            scores: Floats32 = scorer(torch.as_tensor(np.atleast_2d(encoding))).numpy()
        return scores if encoding.ndim == 2 else scores[0]

    return LearnedPolicy(score, config.rows, scenario.mode)
