"""From runs to tables: means over seeds, differences to the baseline, fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from agents.cell import Run
from agents.compare import Comparison
from agents.measures import MEASURES, Measure
from agents.statistics import Interval, front, hypervolume, interval, paired, relative

WEIGHED = "objective"
"""The measure that weighs others by the preference, even if the policy does not heed it."""

ROUNDING = 1e-9
"""Relative difference of two figures that counts as none."""


class Verdict(StrEnum):
    """What a paired difference to the baseline says."""

    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"
    """The interval holds 0, or there are too few seeds: these do not tell."""
    EQUAL = "equal"
    """No difference on any seed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of a policy minus that of the baseline, on the same seeds and preference."""

    value: Interval
    """In the measure's unit."""
    relative: Interval
    """The same ÷ the baseline's mean; nan where that is 0."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """A policy at a preference, over all seeds."""

    policy: str
    preference: float | None
    """None: the scenario's own."""
    label: str
    """The policy's name, with the preference where there are several."""
    values: Mapping[str, Interval]
    """By measure; only those that apply."""
    differences: Mapping[str, Difference]
    """By measure; empty for the baseline."""
    latency: Interval
    """Mean JCT ÷ the reference's; nan without an objective."""
    cost: Interval
    """Dollars per job ÷ the reference's; nan without an objective."""

    def far(self, preference: float) -> float:
        """How far its preference is from another."""
        return 0.0 if self.preference is None else abs(self.preference - preference)

    def count(self, verdict: Verdict) -> int:
        """Measures with this verdict."""
        return sum(one.verdict is verdict for one in self.differences.values())


@dataclass(frozen=True, slots=True)
class Area:
    """How much of the plane of latency and cost a policy dominates, all its preferences together.

    As a share of the rectangle below the reference point, computed seed by seed.
    """

    policy: str
    value: Interval
    difference: Difference | None
    """None for the baseline, or without common seeds."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One scenario of a comparison."""

    scenario: str
    lines: tuple[Line, ...]
    """As compared: by policy, then preference; those without any good run are left out."""
    measures: tuple[Measure, ...]
    """Those that apply to the scenario."""
    front: tuple[Line, ...]
    """That no other beats in both mean latency and mean cost; cheapest last."""
    areas: tuple[Area, ...]
    """Best first; empty without an objective."""

    @property
    def distinct(self) -> tuple[Line, ...]:
        """The lines, but a policy that heeds no preference has only one, under its name."""
        found: list[Line] = []
        for policy in dict.fromkeys(line.policy for line in self.lines):
            mine = [line for line in self.lines if line.policy == policy]
            deaf = len(mine) > 1 and all(_same(mine[0].values, line.values) for line in mine)
            found += [_deaf(mine[0])] if deaf else mine
        return tuple(found)

    def at(self, preference: float) -> Summary:
        """Only one line a policy, under its name: at the preference nearest to this one."""
        found: dict[str, Line] = {}
        for line in self.lines:
            rival = found.setdefault(line.policy, line)
            if line.far(preference) < rival.far(preference):
                found[line.policy] = line
        return replace(
            self, lines=tuple(replace(line, label=line.policy) for line in found.values())
        )

    def best(self, measure: Measure) -> frozenset[str]:
        """Labels of the distinct lines whose mean is best; none if all are equal."""
        means = {one.label: one.values[measure.name].mean for one in self.distinct}
        known = [mean for mean in means.values() if not np.isnan(mean)]
        if not known or (len(known) > 1 and min(known) == max(known)):
            return frozenset()
        top = min(known) if measure.less else max(known)
        return frozenset(label for label, mean in means.items() if mean == top)


def summarise(comparison: Comparison) -> tuple[Summary, ...]:
    """One summary per scenario, in their order."""
    return tuple(_summary(comparison, scenario) for scenario in comparison.scenarios)


def label(comparison: Comparison, policy: str, preference: float | None) -> str:
    """What tables and plots call a policy at a preference."""
    several = len(comparison.preferences) > 1 and preference is not None
    return f"{policy} @{preference:g}" if several else policy


def _summary(comparison: Comparison, scenario: str) -> Summary:
    found = {
        (policy, preference): runs
        for policy in comparison.policies
        for preference in comparison.preferences
        if (runs := comparison.of(scenario, policy, preference))
    }
    applying = tuple(
        each
        for each in MEASURES.values()
        if any(
            not np.isnan(run.measures[each.name])
            for runs in found.values()
            for run in runs.values()
        )
    )
    lines = tuple(
        _line(
            label(comparison, policy, preference),
            policy,
            preference,
            runs,
            None if policy == comparison.baseline else found.get((comparison.baseline, preference)),
            applying,
        )
        for (policy, preference), runs in found.items()
    )
    placed = [line for line in lines if not np.isnan(line.latency.mean)]
    points = [(line.latency.mean, line.cost.mean) for line in placed]
    return Summary(
        scenario,
        lines,
        applying,
        tuple(placed[row] for row in front(points)),
        _areas(comparison, found) if placed else (),
    )


def _line(
    name: str,
    policy: str,
    preference: float | None,
    runs: Mapping[int, Run],
    baseline: Mapping[int, Run] | None,
    measures: Sequence[Measure],
) -> Line:
    seeds = sorted(runs)
    both = [seed for seed in seeds if baseline and seed in baseline]
    differences = {
        each.name: _difference(
            [runs[seed].measures[each.name] for seed in both],
            [baseline[seed].measures[each.name] for seed in both],
            less=each.less,
        )
        for each in measures
        if baseline and both
    }
    return Line(
        policy,
        preference,
        name,
        {m.name: interval([runs[seed].measures[m.name] for seed in seeds]) for m in measures},
        differences,
        interval([runs[seed].point[0] for seed in seeds]),
        interval([runs[seed].point[1] for seed in seeds]),
    )


def _difference(values: Sequence[float], baseline: Sequence[float], *, less: bool) -> Difference:
    other = np.asarray(baseline, dtype=np.float64)
    # The same jobs added up in another order: a difference of sums, not of policies.
    one = np.where(np.isclose(values, other, rtol=ROUNDING, atol=0.0), other, values)
    value = paired(one, other)
    both = ~np.isnan(one - other)
    if value.count and bool((one[both] == other[both]).all()):
        verdict = Verdict.EQUAL
    elif not value.significant:
        verdict = Verdict.OPEN
    else:
        verdict = Verdict.BETTER if (value.mean < 0) is less else Verdict.WORSE
    return Difference(value, relative(one, other), verdict)


def _same(one: Mapping[str, Interval], other: Mapping[str, Interval]) -> bool:
    return all(
        value.mean == other[name].mean or np.isnan(value.mean)
        for name, value in one.items()
        if name != WEIGHED
    )


def _deaf(line: Line) -> Line:
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    values = {name: nothing if name == WEIGHED else one for name, one in line.values.items()}
    return replace(line, label=line.policy, values=values)


def _areas(
    comparison: Comparison, found: Mapping[tuple[str, float | None], Mapping[int, Run]]
) -> tuple[Area, ...]:
    volumes = {policy: _volumes(policy, found) for policy in comparison.policies}
    baseline = volumes[comparison.baseline]
    areas = []
    for policy, by_seed in volumes.items():
        both = sorted(by_seed.keys() & baseline.keys())
        compared = policy != comparison.baseline and both
        difference = (
            _difference([by_seed[s] for s in both], [baseline[s] for s in both], less=False)
            if compared
            else None
        )
        if by_seed:
            areas.append(Area(policy, interval(list(by_seed.values())), difference))
    return tuple(sorted(areas, key=lambda area: -area.value.mean))


def _volumes(
    policy: str, found: Mapping[tuple[str, float | None], Mapping[int, Run]]
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
