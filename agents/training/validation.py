"""How good a policy is on validation workloads, beside the heuristics on the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.evaluation.promotion import BASELINES
from agents.evaluation.run import simulate
from agents.process_pool import ProcessPool
from agents.training.model.network import PolicyNetwork
from agents.training.scores import Objectives, Score, relative
from agents.training.worker import Player, TrainingContext, frozen
from envs.gym.episodes import scales_of
from envs.scenarios import Scenario, Split
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import InputError


def simulated_objective(
    scenario: Scenario, policy: Policy, seed: int, w: float, jobs: int | None, split: Split
) -> float:
    """One policy on one workload, in the simulation that `fulcrum compare` runs.

    The objective is a sum over jobs; less is better. Raises `InputError` if the scenario has none.
    """
    drawn, result = simulate(scenario, policy, seed, w, jobs, split)
    if drawn.objective is None:
        raise InputError(
            f"scenario {drawn.name!r} has no objective", {"scenario": "one with [objective]"}
        )
    return scales_of(drawn.objective).value(result, w)


@dataclass(frozen=True, slots=True)
class ValidationTask:
    """One player on one validation workload."""

    player: Player
    w: float
    seed: int


def objective(context: TrainingContext, task: ValidationTask) -> float:
    """What the player reaches; less is better."""
    policy, jobs = context.policy(task.player), context.config.jobs
    return simulated_objective(context.scenario, policy, task.seed, task.w, jobs, Split.VALIDATION)


class Validation:
    """Validation workloads, with what the heuristics reach on them."""

    def __init__(self, pool: ProcessPool[TrainingContext]) -> None:
        """Let the baseline play all workloads."""
        self._config = config = pool.context.config
        self._pool = pool
        self.baseline = self.objectives(config.baseline)

    def objectives(self, player: Player) -> Objectives:
        """A player on all workloads, at every w."""
        seeds = range(self._config.validation_workloads)
        keys = [(w, seed) for w in self._config.validated_preferences for seed in seeds]
        tasks = (ValidationTask(player, *key) for key in keys)
        return dict(zip(keys, self._pool.map(objective, tasks), strict=True))

    def score(self, player: Player) -> Score:
        """A player against the baseline."""
        return self._relative(self.objectives(player))

    def evaluate(self, network: PolicyNetwork) -> Score:
        """A network's greedy policy against the baseline."""
        return self.score(frozen(network))

    def _relative(self, objectives: Objectives) -> Score:
        return relative(objectives, self.baseline, self._config.criterion)

    def table(
        self, heuristics: Sequence[str] = BASELINES, tell: Callable[[float], None] = lambda _: None
    ) -> dict[str, Score]:
        """Name → score of heuristics, among them the baseline and all that were imitated.

        `tell` receives the share that is known. One more policy, a network, is left in the end.
        """
        config = self._config
        imitated = filter(None, (config.expert, *config.alternatives))
        names = tuple(dict.fromkeys((config.baseline, *heuristics, *imitated)))
        table = {}
        for count, name in enumerate(names, 1):
            table[name] = (
                Score(1.0, dict.fromkeys(config.validated_preferences, 1.0))
                if name == config.baseline
                else self.score(name)
            )
            tell(count / (len(names) + 1))
        return table
