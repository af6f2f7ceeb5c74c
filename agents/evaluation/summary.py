"""Summaries of runs: means over seeds, differences to the baseline, fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agents.evaluation.by_class import By, JobClass, summarised
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import METRICS, Metric
from agents.evaluation.run import RunResult
from agents.evaluation.sample_size import Evidence
from agents.evaluation.statistics import (
    Difference,
    Interval,
    Verdict,
    difference,
    front,
    hypervolume,
    interval,
)

WEIGHED = "objective"
"""Name of the metric that weighs latency and cost by the preference."""


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """A policy at a preference, over all seeds."""

    policy: str
    preference: float | None
    """None: the scenario's own."""
    label: str
    """The policy's name, with the preference where there are several."""
    values: Mapping[str, Interval]
    """By metric; only those that apply."""
    differences: Mapping[str, Difference]
    """By metric; empty for the baseline."""
    latency: Interval
    """Mean JCT ÷ the reference's; nan without an objective."""
    cost: Interval
    """Dollars per job ÷ the reference's; nan without an objective."""
    classes: Mapping[By, tuple[JobClass, ...]] = field(default_factory=dict)
    """Figures and differences by priority, preference and user."""
    runs: Mapping[int, RunResult] = field(default_factory=dict, repr=False)
    """Seed → run, the source of all figures."""

    def column(self, metric: Metric, seeds: Sequence[int]) -> list[float]:
        """Its figures of these seeds."""
        return [self.runs[seed].metrics[metric.name] for seed in seeds]

    def far(self, preference: float) -> float:
        """How far its preference is from another."""
        return 0.0 if self.preference is None else abs(self.preference - preference)

    def count(self, verdict: Verdict) -> int:
        """Measures with this verdict."""
        return sum(one.verdict is verdict for one in self.differences.values())


@dataclass(frozen=True, slots=True)
class Area:
    """The hypervolume of a policy: the area of latency and cost that its preferences dominate.

    It is a share of the rectangle below the reference point, computed seed by seed.
    """

    policy: str
    value: Interval
    difference: Difference | None
    """None for the baseline, or without common seeds."""


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """One scenario of a comparison."""

    scenario: str
    lines: tuple[SummaryLine, ...]
    """By policy, then preference; lines whose runs all failed are left out."""
    metrics: tuple[Metric, ...]
    """Those that apply to the scenario."""
    front: tuple[SummaryLine, ...]
    """Lines that no other beats in both mean latency and mean cost; cheapest last."""
    areas: tuple[Area, ...]
    """Best first; empty without an objective."""
    evidence: Evidence
    """How many independent workloads the differences rest on."""

    @property
    def distinct(self) -> tuple[SummaryLine, ...]:
        """The lines, but a policy that heeds no preference has only one, under its name."""
        found: list[SummaryLine] = []
        for policy in dict.fromkeys(line.policy for line in self.lines):
            mine = [line for line in self.lines if line.policy == policy]
            ignoring = len(mine) > 1 and all(_same(mine[0].values, line.values) for line in mine)
            found += [_at_every_preference(mine[0])] if ignoring else mine
        return tuple(found)

    def at(self, preference: float) -> ComparisonSummary:
        """Only one line a policy, under its name: at the preference nearest to this one."""
        found: dict[str, SummaryLine] = {}
        for line in self.lines:
            rival = found.setdefault(line.policy, line)
            if line.far(preference) < rival.far(preference):
                found[line.policy] = line
        return replace(
            self, lines=tuple(replace(line, label=line.policy) for line in found.values())
        )

    def classes(self, by: By) -> Mapping[str, Sequence[tuple[SummaryLine, JobClass]]]:
        """Class → the lines under which there are such jobs, with their figures."""
        found: dict[str, list[tuple[SummaryLine, JobClass]]] = {}
        for line in self.lines:
            for one in line.classes.get(by, ()):
                found.setdefault(one.name, []).append((line, one))
        return found

    def best(self, metric: Metric) -> str | None:
        """Label of the distinct line that is better than every other; None if none is shown to be.

        As everywhere, a difference is shown on the workloads that both have.
        """
        if not metric.compared:
            return None
        known = [one for one in self.distinct if not np.isnan(one.values[metric.name].mean)]
        known.sort(key=lambda one: one.values[metric.name].mean, reverse=not metric.less)
        if len(known) < 2:
            return None
        first, *others = known
        for other in others:
            seeds = sorted(first.runs.keys() & other.runs.keys())
            found = difference(
                first.column(metric, seeds),
                other.column(metric, seeds),
                distinct=self.evidence.distinct,
                less=metric.less,
            )
            if found.verdict is not Verdict.BETTER:
                return None
        return first.label


def summarise(comparison: Comparison) -> tuple[ComparisonSummary, ...]:
    """One summary per scenario, in their order."""
    return tuple(_summary(comparison, scenario) for scenario in comparison.scenarios)


def label(comparison: Comparison, policy: str, preference: float | None) -> str:
    """Label of a policy at a preference in tables and plots."""
    several = len(comparison.preferences) > 1 and preference is not None
    return f"{policy} @{preference:g}" if several else policy


def _summary(comparison: Comparison, scenario: str) -> ComparisonSummary:
    found = {
        (policy, preference): runs
        for policy in comparison.policies
        for preference in comparison.preferences
        if (runs := comparison.of(scenario, policy, preference))
    }
    whole = [run for runs in found.values() for run in runs.values()]
    applying = tuple(
        each for each in METRICS.values() if each.applies(run.metrics[each.name] for run in whole)
    )
    evidence = Evidence.of(comparison.scenarios[scenario], comparison.conditions.jobs, whole)
    lines = tuple(
        _line(
            label(comparison, policy, preference),
            policy,
            preference,
            runs,
            None if policy == comparison.baseline else found.get((comparison.baseline, preference)),
            applying,
            evidence.distinct,
        )
        for (policy, preference), runs in found.items()
    )
    placed = [line for line in lines if not np.isnan(line.latency.mean)]
    points = [(line.latency.mean, line.cost.mean) for line in placed]
    return ComparisonSummary(
        scenario,
        lines,
        applying,
        tuple(placed[row] for row in front(points)),
        _areas(comparison, found, evidence.distinct) if placed else (),
        evidence,
    )


def _line(
    name: str,
    policy: str,
    preference: float | None,
    runs: Mapping[int, RunResult],
    baseline: Mapping[int, RunResult] | None,
    metrics: Sequence[Metric],
    distinct: int,
) -> SummaryLine:
    seeds = sorted(runs)
    other = baseline or {}
    both = [seed for seed in seeds if seed in other]
    differences = {
        each.name: difference(
            [runs[seed].metrics[each.name] for seed in both],
            [other[seed].metrics[each.name] for seed in both],
            distinct=distinct,
            less=each.less,
        )
        for each in metrics
        if both and each.compared
    }
    pairs = [(runs[seed].classes, other[seed].classes) for seed in both]
    classes = {
        by: summarised([runs[seed].classes for seed in seeds], pairs, by, distinct=distinct)
        for by in By
    }
    return SummaryLine(
        policy,
        preference,
        name,
        {m.name: interval([runs[seed].metrics[m.name] for seed in seeds]) for m in metrics},
        differences,
        interval([runs[seed].point[0] for seed in seeds]),
        interval([runs[seed].point[1] for seed in seeds]),
        classes,
        runs,
    )


def _same(one: Mapping[str, Interval], other: Mapping[str, Interval]) -> bool:
    return all(
        value.mean == other[name].mean or np.isnan(value.mean)
        for name, value in one.items()
        if name != WEIGHED
    )


def _at_every_preference(line: SummaryLine) -> SummaryLine:
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    values = {name: nothing if name == WEIGHED else one for name, one in line.values.items()}
    return replace(line, label=line.policy, values=values)


def _areas(
    comparison: Comparison,
    found: Mapping[tuple[str, float | None], Mapping[int, RunResult]],
    distinct: int,
) -> tuple[Area, ...]:
    volumes = {policy: _volumes(policy, found) for policy in comparison.policies}
    baseline = volumes[comparison.baseline]
    areas = []
    for policy, by_seed in volumes.items():
        both = sorted(by_seed.keys() & baseline.keys())
        compared = policy != comparison.baseline and both
        held = (
            difference(
                [by_seed[s] for s in both],
                [baseline[s] for s in both],
                distinct=distinct,
                less=False,
            )
            if compared
            else None
        )
        if by_seed:
            areas.append(Area(policy, interval(list(by_seed.values())), held))
    return tuple(sorted(areas, key=lambda area: -area.value.mean))


def _volumes(
    policy: str, found: Mapping[tuple[str, float | None], Mapping[int, RunResult]]
) -> dict[int, float]:
    """Seed → hypervolume, of the seeds on which every preference went well."""
    every = [runs for (name, _), runs in found.items() if name == policy]
    if not every:
        return {}
    seeds = set.intersection(*(set(runs) for runs in every))
    return {
        seed: hypervolume([runs[seed].point for runs in every], (1.0, 1.0))
        for seed in sorted(seeds)
    }
