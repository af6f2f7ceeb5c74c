"""Whether a policy may be promoted: a paired test on workloads that nothing was learned from.

Each workload gives one figure per policy: its objective ÷ that of `REFERENCE` on the same workload
at the same preference, averaged over the preferences. The candidate passes if the upper
end of the interval of the mean paired difference is below 0 for the incumbent, and at most a margin
for every heuristic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from agents.evaluation.baselines import RIVALS
from agents.evaluation.compare import Comparison, Done, compare
from agents.evaluation.differences import difference
from agents.evaluation.metrics import REGIME
from agents.evaluation.run import Conditions
from agents.evaluation.sample_size import Evidence
from agents.evaluation.statistics import LEAST, Interval
from agents.evaluation.summary import WEIGHED
from envs.scenarios import Scenario, Split
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.policies.lookup import named

REFERENCE = "wgc"
PREFERENCES = (0.2, 0.5, 0.8)
WORKLOADS = 24


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The candidate against one rival."""

    rival: str
    incumbent: bool
    score: float
    """The rival's mean figure; 1: as the reference."""
    difference: Interval
    """Candidate minus rival, over the workloads; below 0: the candidate is better."""
    margin: float
    """Largest upper end of the difference that passes."""
    median: float
    """Of the workloads' differences, each ÷ the rival's figure."""
    won: int
    """Workloads on which the candidate is better."""
    distinct: int
    """Independent workloads that the test is worth, see `agents.evaluation.sample_size`."""

    @property
    def passed(self) -> bool:
        """Never with fewer than `LEAST` distinct workloads, nor by being equal to the incumbent."""
        high, enough = self.difference.high, self.distinct >= LEAST
        return enough and (high < 0 if self.incumbent else high <= self.margin)


@dataclass(frozen=True, slots=True)
class PromotionTest:
    """A whole test."""

    candidate: str
    score: float
    """Its mean figure; 1: as the reference."""
    scenario: str
    scenario_digest: str
    split: str
    workloads: int
    jobs: int | None
    preferences: tuple[float, ...]
    evidence: str
    """What a person must know of the workloads; empty if each stands for itself."""
    regime: Mapping[str, float]
    """Means under `REFERENCE` of the measures of `REGIME`."""
    duels: tuple[PairedTest, ...]
    """Strongest rival first, but the incumbent before all."""

    @property
    def passed(self) -> bool:
        """Whether all duels are."""
        return all(duel.passed for duel in self.duels)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        content = asdict(self)
        for duel, values in zip(self.duels, content["duels"], strict=True):
            values["passed"] = duel.passed
        return {"passed": self.passed, **content}


def plan(
    candidate: str,
    incumbent: str | None,
    scenario: Scenario,
    *,
    workloads: int = WORKLOADS,
    preferences: Sequence[float] = PREFERENCES,
    jobs: int | None = None,
) -> Comparison:
    """What must be run for the test; wgc as tuned for the scenario takes part if there is that.

    Raises `InputError` for fewer than `LEAST` workloads, or a scenario that weighs nothing.
    """
    if workloads < LEAST:
        raise InputError(
            f"{workloads} workloads tell nothing", {"workloads": f"a whole number ≥ {LEAST}"}
        )
    if scenario.objective is None and scenario.randomisation is None:
        raise InputError(
            f"scenario {scenario.name!r} has no objective", {"scenario": "one with [objective]"}
        )
    scenario.check()
    rivals = (*([incumbent] if incumbent else []), *RIVALS, *_tuned(scenario))
    return Comparison(
        scenarios={scenario.name: scenario},
        policies=tuple(dict.fromkeys((candidate, *rivals))),
        seeds=tuple(range(workloads)),
        baseline=REFERENCE,
        preferences=tuple(preferences),
        conditions=Conditions(jobs=jobs, split=Split.TEST),
    )


def trial(
    comparison: Comparison,
    incumbent: str | None,
    *,
    margin: float = 0.0,
    workers: int = 1,
    done: Done = lambda _: None,
) -> PromotionTest:
    """Run a `plan` and judge its first policy.

    `margin` is what may be lost to a heuristic; to the incumbent nothing may. Raises `InputError`
    if a run fails, naming the first.
    """
    comparison = replace(comparison, runs=compare(comparison, workers=workers, done=done))
    if comparison.failures:
        failed = comparison.failures[0]
        raise InputError(
            f"{failed.cell.policy} failed on {failed.cell.scenario}, seed {failed.cell.seed}: "
            f"{failed.error}",
            {"policy": "one that decides all of the test's workloads"},
        )
    candidate, *rivals = comparison.policies
    figures = _figures(comparison)
    (scenario,) = comparison.scenarios.values()
    evidence = Evidence.of(scenario, comparison.conditions.jobs, comparison.runs)
    duels = []
    for rival in rivals:
        found = difference(figures[candidate], figures[rival], distinct=evidence.distinct)
        duels.append(
            PairedTest(
                rival,
                rival == incumbent,
                float(np.mean(figures[rival])),
                found.value,
                0.0 if rival == incumbent else margin,
                found.median,
                found.won,
                evidence.distinct,
            )
        )
    referred = [run for run in comparison.runs if run.cell.policy == REFERENCE]
    return PromotionTest(
        candidate=candidate,
        score=float(np.mean(figures[candidate])),
        scenario=scenario.name,
        scenario_digest=scenario.digest,
        split=str(comparison.conditions.split),
        workloads=len(comparison.seeds),
        jobs=comparison.conditions.jobs,
        preferences=tuple(w for w in comparison.preferences if w is not None),
        evidence=evidence.sentence,
        regime={name: float(np.mean([run.measures[name] for run in referred])) for name in REGIME},
        duels=tuple(sorted(duels, key=lambda duel: (not duel.incumbent, duel.score))),
    )


def _tuned(scenario: Scenario) -> tuple[str, ...]:
    name = f"{REFERENCE}:{scenario.name}"
    try:
        named(name)
    except FulcrumError:
        return ()
    return (name,)


def _figures(comparison: Comparison) -> Mapping[str, Sequence[float]]:
    """Policy → figure of each workload. Raises `InputError` where there is no objective."""
    objectives = {
        (run.cell.policy, run.cell.preference, run.cell.seed): run.measures[WEIGHED]
        for run in comparison.runs
    }
    found = {
        policy: [
            float(
                np.mean(
                    [
                        objectives[policy, w, seed] / max(objectives[REFERENCE, w, seed], 1e-12)
                        for w in comparison.preferences
                    ]
                )
            )
            for seed in comparison.seeds
        ]
        for policy in comparison.policies
    }
    if not all(math.isfinite(figure) for mine in found.values() for figure in mine):
        raise InputError("the objective of a run is no number", {"scenario": "another"})
    return found
