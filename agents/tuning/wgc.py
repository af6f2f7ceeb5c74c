"""Tuning wgc for a scenario: constants at each preference, searched with Optuna.

Candidates are simulated on workloads of the split `tuning`, and judged by the objective there
divided by that of the untuned wgc on the same workload. The search sees one half of the workloads;
the other half tells what of the gain is luck. Sampler: TPE (Bergstra et al., NeurIPS 2011);
candidates that are worse beyond doubt are broken off by Wilcoxon's signed-rank test.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Annotated, Any

import optuna
from annotated_types import Ge

from agents.process_pool import ProcessPool
from agents.training.env import SimulatedTotals, totals
from envs.scenarios import Scenario, Split
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads.base import Workload
from scheduler.domain.errors import InputError
from scheduler.policies.constants import CHEAPEST, EXCHANGE, Constants
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named
from scheduler.policies.wgc import Wgc

DIAL = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
"""Preferences at which constants are sought."""
UNTUNED = Constants()
"""The reference: what everything is divided by."""
DOUBT = 0.1
"""p below which a candidate counts as worse than the best one."""
FIRST = 7
"""Candidates before the sampler takes over, the guesses among them."""
REACH = 0.35
"""λ is sought this far from the preference."""
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
class Search:
    """How much is tried."""

    preferences: tuple[float, ...] = DIAL
    trials: Annotated[int, Ge(1)] = 40
    """Candidates at each preference."""
    workloads: Annotated[int, Ge(2)] = 24
    """One half to search on, one half to report."""
    jobs: Annotated[int, Ge(1)] = 400
    """Of each workload."""
    seed: Annotated[int, Ge(0)] = 0
    """Of the sampler."""
    rivals: tuple[str, ...] = tuple(HEURISTICS)
    """Policies reported beside."""

    def __post_init__(self) -> None:
        """Raises `InputError` naming the field."""
        if self.workloads < 2 or self.trials < 1 or not self.preferences:
            raise InputError(
                f"{self.trials} trials on {self.workloads} workloads",
                {"trials": "≥ 1", "workloads": "≥ 2"},
            )
        if not all(0 <= w <= 1 for w in self.preferences):
            raise InputError("no preference", {"preferences": "numbers from 0 to 1"})

    @property
    def seeds(self) -> range:
        """Of the workloads that the search sees."""
        return range(self.workloads // 2)

    @property
    def held_out(self) -> range:
        """Of those that it does not see."""
        return range(self.workloads // 2, self.workloads)

    @property
    def steps(self) -> int:
        """How often `Step` is called."""
        return len(self.preferences) * (self.trials + len(self.rivals))


@dataclass(frozen=True, slots=True)
class TunedPoint:
    """What was found at one preference; scores are means of objective ÷ the untuned wgc's."""

    w: float
    constants: Constants
    score: float
    """On the workloads of the search."""
    held_out: float
    """On the others."""
    rivals: Mapping[str, float] = field(default_factory=dict)
    """On the others."""


def tune(
    scenario: Scenario,
    search: Search,
    *,
    workers: int = 1,
    step: Step = lambda: None,
    found: Found = lambda _: None,
) -> tuple[TunedPoint, ...]:
    """The best constants at each preference, ascending.

    `found` hears of all so far after each. Raises `InputError` if the scenario has no objective,
    or no trace is named for it.
    """
    scenario.check()
    bench = Bench(scenario, search.jobs)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with ProcessPool(bench, workers) as crew:
        return _tune(partial(crew.map, Bench.totals), search, step, found)


def document(
    scenario: Scenario, search: Search, points: Sequence[TunedPoint], command: str, date: str
) -> str:
    """The file of a schedule: what `wgc:FILE` reads, and where it is from."""
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


class Bench:
    """Workloads, each drawn once."""

    def __init__(self, scenario: Scenario, jobs: int) -> None:
        self._scenario = scenario
        self._jobs = jobs
        self._drawn: dict[int, tuple[Scenario, Workload]] = {}

    def totals(self, task: TuningTask) -> SimulatedTotals:
        """One policy on one workload."""
        scenario, workload = self._draw(task.seed)
        at = replace(scenario, preference=task.w)
        simulation = Simulation(
            workload, ClusterSpec.of(at), at.estimates.make(task.seed), seed=task.seed
        )
        policy = named(task.policy) if isinstance(task.policy, str) else Wgc(task.policy)
        return totals(simulation.run(policy), at)

    def _draw(self, seed: int) -> tuple[Scenario, Workload]:
        if seed not in self._drawn:
            self._drawn[seed] = (
                self._scenario.draw(seed, Split.TUNING),
                self._scenario.workload(seed, self._jobs, Split.TUNING),
            )
        return self._drawn[seed]


@dataclass(frozen=True, slots=True)
class TuningTask:
    """One simulation."""

    policy: str | Constants
    w: float
    seed: int


Simulate = Callable[[Sequence[TuningTask]], Iterator[SimulatedTotals]]


def _tune(simulate: Simulate, search: Search, step: Step, found: Found) -> tuple[TunedPoint, ...]:
    points: dict[float, TunedPoint] = {}
    # From the middle outwards, so that each begins with what was found beside it.
    for w in sorted(search.preferences, key=lambda w: (w < 0.5, abs(w - 0.5))):
        one = _Dial(simulate, search, w)
        nearest = sorted(points, key=lambda other: abs(other - w))
        best, score = one.search([points[other].constants for other in nearest], step)
        rivals = {}
        for rival in search.rivals:
            rivals[rival] = one.score(rival, search.held_out)
            step()
        points[w] = TunedPoint(w, best, score, one.score(best, search.held_out), rivals)
        found(tuple(points[w] for w in sorted(points)))
    return tuple(points[w] for w in sorted(points))


class _Dial:
    """The search at one preference."""

    def __init__(self, simulate: Simulate, search: Search, w: float) -> None:
        self._simulate = simulate
        self._search = search
        self._w = w
        seeds = range(search.workloads)
        tasks = [TuningTask(UNTUNED, w, seed) for seed in seeds]
        found = simulate(tasks)
        self._reference = {seed: each.at(w) for seed, each in zip(seeds, found, strict=True)}

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
                # The mean so far teaches the sampler more than a bare "no".
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
        for seed, each in zip(seeds, found, strict=True):
            yield seed, each.at(self._w) / max(self._reference[seed], 1e-12)

    def _guesses(self, beside: Sequence[Constants]) -> list[Constants]:
        """What is tried first: the untuned, what others found, and the objective itself."""
        return [
            replace(UNTUNED, preference=self._w),
            *beside[:1],
            *(replace(one, preference=self._w) for one in beside[:2]),
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
        """As `_suggest` could have chosen them."""
        values = asdict(constants)
        for name, (low, high) in {**BOUNDS, "preference": self._reach()}.items():
            values[name] = min(max(values[name], low), high)
        return values

    def _reach(self) -> tuple[float, float]:
        return max(0.0, self._w - REACH), min(1.0, self._w + REACH)
