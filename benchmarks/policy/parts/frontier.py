"""Latency and cost on `mixed-cloud`: one policy for all preferences, held against every heuristic.

At each w the rival is the heuristic that is best on workloads of the split `tuning`; which one that
is, is never decided on test workloads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agents.evaluation.statistics import (
    CONFIDENCE,
    Interval,
    front,
    hypervolume,
    interval,
    relative,
)
from benchmarks.policy import plots
from benchmarks.policy.cases import Drawn
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section, Table, number, signed
from envs.scenarios import Scenario, Split, load
from scheduler.arrays import Floats
from scheduler.domain.errors import FulcrumError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named

SCENARIO = "mixed-cloud"
TUNED = f"wgc:{SCENARIO}"
DIAL = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
WORKLOADS, TUNING, HEATS, JOBS = 48, 24, 6, 160
FINALISTS = 3
"""Heuristics at each w that meet all tuning workloads, and the test."""
IGNORING = ("cheapest", "fastest", "best-value")
"""Heuristics that do not heed the preference."""
PARTS = ("jct_s", "dollars")
"""Of the figures, what is kept of every workload."""
RESAMPLES = 2_000
_SEED = 20_261_123
LEARNED = "learned"
"""In reports: the mean over the trainings."""


def measure(how: Measuring) -> Found:
    """Learned policies, and the heuristics that are among the best on tuning workloads."""
    scenario, found = load(SCENARIO), how.find(SCENARIO)
    missing = list(found.missing)
    always = known(("wgc", TUNED), missing)
    dial = (0.0, 0.3, 0.9) if how.quick else DIAL
    tuning = tuned(how, scenario, dial, [*HEURISTICS, *always])
    finalists = [name for means in tuning.values() for name in means]
    everyone = {name: name for name in (*always, *finalists)} | found.names
    tested = how.runs(
        "frontier, test",
        dial,
        everyone,
        lambda name, w: _cases(scenario, everyone[name], w, how.some(WORKLOADS), Split.TEST),
        missing,
    )
    runs = {
        name: {
            f"{w:g}": {part: [getattr(one, part) for one in tested[w][name]] for part in PARTS}
            | {"objective": [one.at(w) for one in tested[w][name]]}
            for w in dial
        }
        for name in everyone
        if all(name in tested[w] for w in dial)
    }
    assert scenario.objective is not None
    return {
        "scenario": {"name": scenario.name, "version": scenario.version, "digest": scenario.digest},
        "mode": str(scenario.mode),
        "reference": [
            scenario.objective.reference_dollars,
            scenario.objective.reference_latency_s,
        ],
        "ideal": [Drawn(scenario, seed, 0.0, JOBS).ideal() for seed in how.some(WORKLOADS)],
        "dial": list(dial),
        "workloads": len(how.some(WORKLOADS)),
        "tuning_workloads": len(how.some(TUNING)),
        "jobs": JOBS,
        "learned": [name for name in found.names if name in runs],
        "tuning": {
            w: {name: mean for name, mean in means.items() if name in runs}
            for w, means in tuning.items()
        },
        "runs": runs,
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """Differences at each w, hypervolumes, and everybody's means."""
    view = FrontierView(found)
    where = found["scenario"]
    section = Section(
        f"Latency and cost on {where['name']}",
        f"`{where['name']}` version {where['version']} (digest {where['digest']}), reservations "
        f"`{found['mode']}`, {found['workloads']} test workloads of {found['jobs']} jobs. The "
        f"{FINALISTS} heuristics that were best at each w on {found['tuning_workloads']} tuning "
        "workloads came to the test, beside untuned and tuned wgc. Each cell compares the mean of "
        "w · latency + (1 − w) · cost + missed deadlines with the best heuristic's on the same "
        "workloads. Less is better.",
        [view.differences(), view.volumes(), view.everybody()],
    )
    if not view.learned:
        return section
    plots.write(view.plot, folder / "frontier.svg", "Mean cost against mean completion time")
    title = (
        "Mean cost and mean completion time at each preference; dashed: the Pareto front of these "
        "heuristics together"
    )
    return replace(section, plots=(("frontier.svg", title),))


class FrontierView:
    """What was measured, as arrays."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.dial: Sequence[float] = found["dial"]
        self.learned: Sequence[str] = found["learned"]
        self.heuristics = [name for name in found["runs"] if name not in self.learned]

    def objective(self, name: str, w: float) -> Floats:
        """(workloads,) `LEARNED`: the mean over the trainings."""
        if name == LEARNED:
            table = np.array([self.objective(one, w) for one in self.learned])
            mean: Floats = table.mean(axis=0)
            return mean
        return np.array(self.found["runs"][name][f"{w:g}"]["objective"])

    def rival(self, w: float) -> str:
        """The heuristic that is best on the tuning workloads."""
        means: Mapping[str, float] = self.found["tuning"][f"{w:g}"]
        return min(means, key=lambda name: means[name])

    def points(self, names: Sequence[str]) -> Floats:
        """(names · preferences, workloads, 2) dollars and seconds."""
        runs = self.found["runs"]
        table = [
            np.array([runs[name][f"{w:g}"]["dollars"], runs[name][f"{w:g}"]["jct_s"]]).T
            for name in names
            for w in self.dial
        ]
        return np.array(table)

    def differences(self) -> Table:
        """A line each w."""
        others = [name for name in ("wgc", TUNED) if name in self.heuristics]
        columns = [">w", "best heuristic (tuning)", ">its mean"]
        columns += [f">{name}" for name in self.learned]
        if self.learned:
            columns += [">learned (mean)", *(f">learned to {name}" for name in others)]
        rows = []
        for w in self.dial:
            rival = self.rival(w)
            theirs = self.objective(rival, w)
            row = [f"{w:g}", rival, number(float(theirs.mean()))]
            row += [signed(relative(self.objective(one, w), theirs)) for one in self.learned]
            if self.learned:
                mine = self.objective(LEARNED, w)
                row.append(signed(relative(mine, theirs)))
                row += [signed(relative(mine, self.objective(name, w))) for name in others]
            rows.append(row)
        return Table("Difference to the best heuristic at each w", columns, rows)

    def volumes(self) -> Table:
        """Hypervolumes below the reference point."""
        reference = np.array(self.found["reference"])
        rivals = self.points(self.heuristics)
        rows = [["these heuristics together", _volume(rivals, reference), "–"]]
        for name in (*self.learned, "wgc", TUNED):
            if name not in self.found["runs"]:
                continue
            mine = self.points([name])
            ratio = volume_ratio(mine, rivals, reference)
            rows.append([name, _volume(mine, reference), signed(ratio, less=False, digits=2)])
        if self.learned:
            mean = self._mean_volume(rivals, reference)
            rows.append(["learned (mean)", "", signed(mean, less=False, digits=2)])
        # Of one point: the ideal one.
        ideal = np.array([self.found["ideal"]])
        most = volume_ratio(ideal, rivals, reference)
        rows.append(["upper bound, out of reach", _volume(ideal, reference), _bare(most)])
        dollars, seconds = reference
        return Table(
            "Hypervolume",
            ["front", ">share of the area", ">to these heuristics"],
            rows,
            f"The share of the area below ${dollars:g} and {seconds:,.0f} s per job that a front "
            "dominates. Fronts are those of the means over the workloads, at the preferences "
            "above. More is better. The upper bound gives each job the cost of its cheapest "
            "placement and the time of its fastest one, without any wait.",
        )

    def everybody(self) -> Table:
        """Means of all policies at all w, ÷ the rival's."""
        rows = []
        for name in (*self.learned, *self.heuristics):
            shares = [
                self.objective(name, w).mean() / self.objective(self.rival(w), w).mean()
                for w in self.dial
            ]
            rows.append([name, *(f"{share:.3f}" for share in shares)])
        columns = ["policy", *(f">w = {w:g}" for w in self.dial)]
        return Table("Every policy's mean ÷ that of the best heuristic", columns, rows, folded=True)

    def plot(self) -> Figure:
        """Curves of the learned ones and of the heuristics that matter."""
        chosen = dict.fromkeys([*self.learned, "wgc", TUNED, *map(self.rival, self.dial)])
        curves = [
            plots.Curve(
                name,
                [(float(x), float(y)) for x, y in self.points([name]).mean(axis=1)],
                bold=name in self.learned,
            )
            for name in chosen
            if name in self.found["runs"]
        ]
        return plots.fronts(curves, outline(self.points(self.heuristics).mean(axis=1)))

    def _mean_volume(self, rivals: Floats, reference: Floats) -> Interval:
        """Over the trainings: they are what varies."""
        ratios = [
            volume_ratio(self.points([name]), rivals, reference).mean for name in self.learned
        ]
        return interval(ratios)


def tuned(
    how: Measuring, scenario: Scenario, dial: Sequence[float], names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Preference → means of the `FINALISTS` best heuristics on tuning workloads.

    All run on the first `HEATS` of them; the best also run on the others.
    """
    left = {w: list(names) for w in dial}
    found: dict[str, dict[str, float]] = {}
    for count in (HEATS, TUNING):
        seeds = how.some(count)
        runs = how.runs(
            f"frontier, tuning on {len(seeds)}",
            dial,
            {name: name for name in names},
            partial(_tuning_cases, scenario, left, seeds),
            [],
        )
        for w, those in runs.items():
            means = {
                name: float(np.mean([one.at(w) for one in run])) for name, run in those.items()
            }
            best = sorted(means, key=lambda name: means[name])[:FINALISTS]
            left[w], found[f"{w:g}"] = best, {name: means[name] for name in best}
    return found


def _cases(
    scenario: Scenario, policy: str, w: float, seeds: Sequence[int], split: Split
) -> list[Drawn]:
    return [Drawn(scenario, seed, heeded(policy, w), JOBS, split) for seed in seeds]


def _tuning_cases(
    scenario: Scenario,
    left: Mapping[float, Sequence[str]],
    seeds: Sequence[int],
    name: str,
    w: float,
) -> list[Drawn]:
    return _cases(scenario, name, w, seeds, Split.TUNING) if name in left[w] else []


def heeded(policy: str, w: float) -> float:
    """The preference at which the policy runs for the preference `w`."""
    return 0.0 if policy in IGNORING else w


def known(names: Sequence[str], missing: list[str]) -> list[str]:
    """Those that can be used; `missing` is told of the others."""
    usable = []
    for name in names:
        try:
            named(name)
            usable.append(name)
        except FulcrumError as error:
            missing.append(f"{name}: {error.message}")
    return usable


def volume_ratio(points: Floats, rivals: Floats, reference: Floats) -> Interval:
    """(Hypervolume of `points`) ÷ (that of `rivals`) - 1, resampling workloads.

    Shapes (policies, workloads, 2) and (2,). The fronts are those of the means over the workloads,
    so that being best on a single workload by luck does not count.
    """
    one, other = points / reference, rivals / reference
    workloads = points.shape[1]

    def ratio(weights: Floats) -> float:
        means = [np.einsum("w,pwx->px", weights, table) for table in (one, other)]
        mine, theirs = (hypervolume(table, (1.0, 1.0)) for table in means)
        return mine / theirs - 1 if theirs else np.nan

    mean = ratio(np.full(workloads, 1 / workloads))
    if workloads < 2:
        return Interval(mean, np.nan, np.nan, workloads)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(workloads, np.full(workloads, 1 / workloads), RESAMPLES) / workloads
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile([ratio(weights) for weights in drawn], (tail, 1 - tail))
    return Interval(mean, float(low), float(high), workloads)


def outline(points: Floats) -> list[tuple[float, float]]:
    """The front of `points`, shape (n, 2), by the first column."""
    return [(float(x), float(y)) for x, y in points[front(points)]]


def _bare(found: Interval) -> str:
    """Without a mark: a bound wins nothing."""
    return signed(found, less=False, digits=2).rstrip(" ✓✗")


def _volume(points: Floats, reference: Floats) -> str:
    return f"{hypervolume(points.mean(axis=1) / reference, (1.0, 1.0)):.4f}"


PART = ReportPart("frontier", measure, report, (SCENARIO,))
