"""Tuning wgc (weighted greedy under congestion): constants at each preference, with Optuna.

Candidates are simulated on workloads of the split `tuning`. Their score is the objective divided by
that of the untuned wgc on the same workload. The search sees one half of the workloads; the other
half tells how much of the gain is luck. Sampler: TPE (Bergstra et al., NeurIPS 2011). Wilcoxon's
signed-rank test stops candidates that are clearly worse.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import optuna

from agents.process_pool import ProcessPool
from agents.training.validation import simulated_objective
from agents.tuning.search import Search
from envs.scenarios import Scenario, Split
from scheduler.policies.constants import CHEAPEST, EXCHANGE, Constants
from scheduler.policies.lookup import named
from scheduler.policies.wgc import Wgc

UNTUNED = Constants()
"""The baseline: its objective divides all others."""
DOUBT = 0.1
"""p below which a candidate counts as worse than the best one."""
FIRST = 8
"""Candidates before the sampler takes over, guesses included."""
REACH = 0.35
"""λ is searched within this distance of the preference."""
BOUNDS = {
    "congestion": (0.01, 10.0),
    "patience": (0.003, 10.0),
    "ageing": (0.01, 30.0),
    "softening_s": (10.0, 100_000.0),
}

Step = Callable[[], None]
"""Called after each candidate and each rival."""
Found = Callable[[tuple["TunedPoint", ...]], None]


@dataclass(frozen=True, slots=True)
class TunedPoint:
    """The result at one preference; scores are means of objective ÷ the untuned wgc's."""

    w: float
    constants: Constants
    score: float
    """On the workloads of the search."""
    held_out: float
    """On the held-out workloads."""
    rivals: Mapping[str, float] = field(default_factory=dict)
    """Scores of other policies on the held-out workloads."""


def tune(
    scenario: Scenario,
    search: Search,
    *,
    workers: int = 1,
    step: Step = lambda: None,
    found: Found = lambda _: None,
) -> tuple[TunedPoint, ...]:
    """The best constants at each preference, ascending.

    `found` receives all points so far after each preference. Raises `InputError` if the scenario
    has no objective, or lacks the file of its trace.
    """
    scenario.check()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with ProcessPool(TuningContext(scenario, search.jobs), workers) as pool:
        return _tune(partial(pool.map, TuningContext.objective), search, step, found)


def document(
    scenario: Scenario, search: Search, points: Sequence[TunedPoint], command: str, date: str
) -> str:
    """The file of a schedule, which `wgc:FILE` reads, and its origin."""
    lines = [
        f"# wgc's constants at each preference w, tuned for {scenario.name}. Scores: objective ÷",
        "# the untuned wgc's on the same workload, mean over workloads; less is better.",
        f"scenario = {json.dumps(scenario.name)}",
        f"version = {scenario.version}",
        f'digest = "{scenario.digest}"',
        f"command = {json.dumps(command, ensure_ascii=False)}",
        f'date = "{date}"',
        f'split = "{Split.TUNING}"',
        f"jobs = {search.jobs}",
        f"seeds = [{search.seeds.start}, {search.seeds.stop - 1}]",
        f"held_out = [{search.held_out.start}, {search.held_out.stop - 1}]",
        f"trials = {search.trials}",
        f"sampler_seed = {search.seed}",
    ]
    for point in points:
        lines += [
            "",
            "[[at]]",
            f"w = {point.w:g}",
            f"score = {point.score:.4f}",
            f"held_out = {point.held_out:.4f}",
            f"constants = {_inline(asdict(point.constants))}",
        ]
        if point.rivals:
            lines.append(f"rivals = {_inline(point.rivals)}")
    return "\n".join(lines) + "\n"


def rounded(constants: Constants) -> Constants:
    """To three significant digits, so that files are as readable as exact."""
    values = asdict(constants)
    return Constants(
        **{
            name: float(f"{value:.3g}") if isinstance(value, float) else value
            for name, value in values.items()
        }
    )


def _inline(values: Mapping[str, Any]) -> str:
    pairs = (
        # Quoted, as names of rivals may have colons.
        f'"{name}" = {value:.4g}' if isinstance(value, float) else f'"{name}" = "{value}"'
        for name, value in values.items()
    )
    return f"{{ {', '.join(pairs)} }}"


@dataclass(frozen=True, slots=True)
class TuningContext:
    """Where candidates are simulated."""

    scenario: Scenario
    jobs: int
    """Jobs of each workload."""

    def objective(self, task: TuningTask) -> float:
        """One policy on one workload; less is better."""
        policy = named(task.policy) if isinstance(task.policy, str) else Wgc(task.policy)
        return simulated_objective(
            self.scenario, policy, task.seed, task.w, self.jobs, Split.TUNING
        )


@dataclass(frozen=True, slots=True)
class TuningTask:
    """One simulation."""

    policy: str | Constants
    w: float
    seed: int


Simulate = Callable[[Sequence[TuningTask]], Iterator[float]]


def _tune(simulate: Simulate, search: Search, step: Step, found: Found) -> tuple[TunedPoint, ...]:
    points: dict[float, TunedPoint] = {}
    # From the middle outwards, so that each begins with what was found beside it.
    for w in sorted(search.preferences, key=lambda w: (w < 0.5, abs(w - 0.5))):
        one = _PreferenceSearch(simulate, search, w)
        nearest = sorted(points, key=lambda other: abs(other - w))
        best, score = one.search([points[other].constants for other in nearest], step)
        rivals = {}
        for rival in search.rivals:
            rivals[rival] = one.score(rival, search.held_out)
            step()
        points[w] = TunedPoint(w, best, score, one.score(best, search.held_out), rivals)
        found(tuple(points[w] for w in sorted(points)))
    return tuple(points[w] for w in sorted(points))


class _PreferenceSearch:
    """The search at one preference."""

    def __init__(self, simulate: Simulate, search: Search, w: float) -> None:
        self._simulate = simulate
        self._search = search
        self._w = w
        seeds = range(search.workloads)
        tasks = [TuningTask(UNTUNED, w, seed) for seed in seeds]
        found = simulate(tasks)
        self._baseline = dict(zip(seeds, found, strict=True))

    def score(self, policy: str | Constants, seeds: Sequence[int]) -> float:
        """Mean ratio to the untuned wgc."""
        ratios = [ratio for _, ratio in self._ratios(policy, seeds)]
        return math.fsum(ratios) / len(ratios)

    def search(self, beside: Sequence[Constants], step: Step) -> tuple[Constants, float]:
        """(best constants, their score); `beside`: those of other preferences, nearest first."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                sampler=optuna.samplers.TPESampler(
                    seed=self._search.seed, multivariate=True, n_startup_trials=FIRST
                ),
                pruner=optuna.pruners.WilcoxonPruner(p_threshold=DOUBT, n_startup_steps=4),
            )
        for constants in self._guesses(beside)[: self._search.trials]:
            study.enqueue_trial(self._parameters(constants))
        complete: dict[int, tuple[float, Constants]] = {}

        def objective(trial: optuna.Trial) -> float:
            constants = self._suggest(trial)
            ratios = []
            for seed, ratio in self._ratios(constants, self._search.seeds):
                trial.report(ratio, seed)
                ratios.append(ratio)
                # The mean so far tells the sampler more than a bare "no".
                if len(ratios) < len(self._search.seeds) and trial.should_prune():
                    return math.fsum(ratios) / len(ratios)
            score = math.fsum(ratios) / len(ratios)
            complete[trial.number] = score, constants
            return score

        study.optimize(objective, self._search.trials, callbacks=[lambda *_: step()])
        score, constants = min(complete.values(), key=lambda found: found[0])
        return constants, score

    def _ratios(self, policy: str | Constants, seeds: Sequence[int]) -> Iterator[tuple[int, float]]:
        found = self._simulate([TuningTask(policy, self._w, seed) for seed in seeds])
        for seed, objective in zip(seeds, found, strict=True):
            yield seed, objective / max(self._baseline[seed], 1e-12)

    def _guesses(self, beside: Sequence[Constants]) -> list[Constants]:
        """First candidates: untuned constants, those of other preferences, and known good ones."""
        return [
            replace(UNTUNED, preference=self._w),
            *beside[:1],
            *(replace(one, preference=self._w) for one in beside[:2]),
            Constants(self._w, 0.5, 0.01, 0.7, 15_000.0, EXCHANGE),
            Constants(self._w, 0.05, 0.018, 0.2, 11_600.0, EXCHANGE),
            Constants(self._w, 0.03, 0.02, 0.025, 22_000.0, EXCHANGE),
            Constants(self._w, 1.0, 0.5, 1.0, 30.0, CHEAPEST),
        ]

    def _suggest(self, trial: optuna.Trial) -> Constants:
        found = Constants(
            preference=trial.suggest_float("preference", *self._reach()),
            **{
                name: trial.suggest_float(name, *bounds, log=True)
                for name, bounds in BOUNDS.items()
            },
            dollars=trial.suggest_categorical("dollars", (CHEAPEST, EXCHANGE)),
        )
        return rounded(found)

    def _parameters(self, constants: Constants) -> dict[str, Any]:
        """The constants as parameters, within the bounds of `_suggest`."""
        values = asdict(constants)
        for name, (low, high) in {**BOUNDS, "preference": self._reach()}.items():
            values[name] = min(max(values[name], low), high)
        return values

    def _reach(self) -> tuple[float, float]:
        return max(0.0, self._w - REACH), min(1.0, self._w + REACH)
