"""The table of goals: what was measured beside what was aimed at.

It measures nothing itself: it reads the results of the other parts in the folder of results. What
has not been measured is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.statistics import LEAST, Interval, interval, relative
from benchmarks.policy import plots, steady
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts import drawn, frontier, kth, rlscheduler, traces
from benchmarks.policy.tables import Section, Table, number
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.search import SUFFIX

NOTHING = Interval(math.nan, math.nan, math.nan, 0)
FARTHEST = 100.0
"""Ratio to the goal beyond which a picture shows no more."""
BETTER = 0.0
"""Where a difference has to be shown, its whole interval lies below this."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals."""

    name: str
    goal: float
    unit: str
    command: str
    measured: Callable[[Path], Interval]
    """Reads it from the folder of results; `NOTHING` if it was not measured."""
    less: bool = True
    shown: bool = False
    """Whether the whole interval must lie below 0, of at least six workloads."""

    def entry(self, results: Path) -> dict[str, Any]:
        """As it stands in goals.json."""
        found = self.measured(results)
        known = math.isfinite(found.mean)
        return {
            "name": self.name,
            "value": found.mean if known else None,
            "low": found.low if math.isfinite(found.low) else None,
            "high": found.high if math.isfinite(found.high) else None,
            "goal": self.goal,
            "met": self.met(found) if known else None,
            "command": self.command,
        }

    def met(self, found: Interval) -> bool:
        """Whether the goal is reached."""
        reached = found.mean <= self.goal if self.less else found.mean >= self.goal
        return reached and (not self.shown or (found.high < BETTER and found.count >= LEAST))


def _read(results: Path, name: str) -> Any:
    file = results / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def _percent(found: Interval) -> Interval:
    return Interval(100 * found.mean, 100 * found.low, 100 * found.high, found.count)


def _bare(value: float | None) -> Interval:
    return NOTHING if value is None else Interval(value, math.nan, math.nan, 1)


def _settings(results: Path, part: str) -> Iterator[Found]:
    """The settings of a part that the shipped policy has played."""
    found = _read(results, part)
    for entry in found["settings"] if found else ():
        if SHIPPED in entry["objective"]:
            yield entry


def _sequences(results: Path, mode: Mode, which: str) -> Mapping[str, Sequence[float]]:
    found = _read(results, rlscheduler.PART.name)
    runs: Mapping[str, Sequence[float]] = (
        found["slowdowns"].get(str(mode), {}).get(which, {}) if found else {}
    )
    return runs


def _best_of(runs: Mapping[str, Sequence[float]], ours: Sequence[str]) -> Sequence[float] | None:
    """Figures of the best of our policies; seeds of one training count by their mean."""
    known = [np.mean([runs[one] for one in those], axis=0) for those in _seeds(runs, ours)]
    return min(known, key=lambda one: float(one.mean())) if known else None


def _seeds(runs: Mapping[str, Sequence[float]], ours: Sequence[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in ours:
        if name in runs:
            groups.setdefault(name.rpartition("-")[0] or name, []).append(name)
    return list(groups.values())


def _rigid(results: Path, mode: Mode, which: str) -> tuple[list[str], list[str]]:
    """(searched, reactive) names of ours."""
    runs = _sequences(results, mode, which)
    ours = [name for name in runs if name not in rlscheduler.HEURISTICS]
    return [name for name in ours if SUFFIX in name], [name for name in ours if SUFFIX not in name]


def ten(mode: Mode) -> Callable[[Path], Interval]:
    """Mean bounded slowdown of the ten published sequences, of the best of our policies."""

    def measured(results: Path) -> Interval:
        searched, reactive = _rigid(results, mode, rlscheduler.TEN)
        best = _best_of(_sequences(results, mode, rlscheduler.TEN), [*searched, *reactive])
        return NOTHING if best is None else interval(best)

    return measured


def fresh(mode: Mode, *, searched: bool) -> Callable[[Path], Interval]:
    """Difference to the best heuristic on the fresh sequences (%)."""

    def measured(results: Path) -> Interval:
        which = str(rlscheduler.LENGTHS[-1])
        runs = _sequences(results, mode, which)
        ours = _rigid(results, mode, which)[0 if searched else 1]
        best = _best_of(runs, ours)
        return NOTHING if best is None else _percent(relative(best, runs[rlscheduler.best(runs)]))

    return measured


def kth_log(results: Path) -> Interval:
    """Difference to the best of SAF and F4, mean over the trainings (%)."""
    found = _read(results, kth.PART.name)
    if not found or not found["learned"] or "SAF" not in found["runs"]:
        return NOTHING
    runs = found["runs"]
    rival = min(("SAF", "F4"), key=lambda name: float(runs[name]["slowdown"]))
    own = np.mean([runs[name]["blocks"] for name in found["learned"]], axis=0)
    return _percent(relative(own, runs[rival]["blocks"]))


def mixed(w: float) -> Callable[[Path], Interval]:
    """Difference to wgc tuned for the scenario at one preference (%)."""

    def measured(results: Path) -> Interval:
        for entry in _settings(results, frontier.PART.name):
            one = steady.gain(entry, SHIPPED, frontier.TUNED)
            if entry["w"] == w and one is not None:
                return _percent(steady.shown(entry, one))
        return NOTHING

    return measured


def mixed_worst(results: Path) -> Interval:
    """The largest difference to tuned wgc at any preference (%)."""
    found = [mixed(entry["w"])(results) for entry in _settings(results, frontier.PART.name)]
    return max(found, key=lambda one: one.mean, default=NOTHING)


def mixed_mean(results: Path) -> Interval:
    """The difference to tuned wgc, mean over w from 0.2 on (%), resampling workloads."""
    ratios = []
    for entry in _settings(results, frontier.PART.name):
        if entry["w"] > 0 and frontier.TUNED in entry["objective"]:
            own, other = (np.array(entry["objective"][n]) for n in (SHIPPED, frontier.TUNED))
            ratios.append((own - other) / other.mean())
    return _percent(interval(np.mean(ratios, axis=0))) if ratios else NOTHING


def _draws(results: Path) -> list[np.ndarray[Any, Any]]:
    """Objective ÷ tuned wgc's on each draw, at each preference."""
    return [
        np.array(entry["objective"][SHIPPED]) / np.array(entry["objective"][drawn.TUNED])
        for entry in _settings(results, drawn.PART.name)
        if drawn.TUNED in entry["objective"]
    ]


def drawn_mean(results: Path) -> Interval:
    """Mean over draws and preferences of the difference to tuned wgc (%)."""
    ratios = _draws(results)
    return _percent(interval(np.mean(ratios, axis=0) - 1.0)) if ratios else NOTHING


def drawn_median(results: Path) -> Interval:
    """Median over all draws and preferences (%)."""
    ratios = _draws(results)
    return _bare(100 * (float(np.median(ratios)) - 1.0)) if ratios else NOTHING


def drawn_won(results: Path) -> Interval:
    """Share of the draws that are better than under tuned wgc (%)."""
    ratios = _draws(results)
    return _percent(interval(np.mean(np.array(ratios) < 1.0, axis=0))) if ratios else NOTHING


def traces_mean(results: Path) -> Interval:
    """Mean over the traces and windows of the difference to the better of wgc and SJF (%)."""
    found = [traces.to_better(each, SHIPPED) for each in _settings(results, traces.PART.name)]
    return _percent(interval(found)) if found else NOTHING


def traces_worst(results: Path) -> Interval:
    """The largest of these differences (%)."""
    found = [traces.to_better(each, SHIPPED) for each in _settings(results, traces.PART.name)]
    return _bare(100 * max(found)) if found else NOTHING


def decision(jobs: int) -> Callable[[Path], Interval]:
    """99th percentile of a decision of the shipped policy (ms)."""

    def measured(results: Path) -> Interval:
        found = _read(results, "budget")
        times = found["times"].get("learned", {}).get(str(jobs)) if found else None
        return _bare(times and times[1])

    return measured


def speed(name: str) -> Callable[[Path], Interval]:
    """A figure of `benchmarks.simulation`."""

    def measured(results: Path) -> Interval:
        found = _read(results, "budget")
        return _bare(found["speeds"].get(name) if found else None)

    return measured


def unmeasured(_: Path) -> Interval:
    """No benchmark measures it yet."""
    return NOTHING


def _part(name: str) -> str:
    return f"python -m benchmarks.policy {name}"


_RIGID, _MIXED = _part("rlscheduler"), _part("frontier")
_COMMIT, _FCFS = Mode.COMMIT, Mode.COMMIT_FCFS
GOALS = (
    Goal("RLScheduler's ten, no backfilling: slowdown", 205, "", _RIGID, ten(_COMMIT)),
    Goal("RLScheduler's ten, backfilling: slowdown", 40, "", _RIGID, ten(_FCFS)),
    Goal(
        "120 fresh, no backfilling: searched",
        -15,
        "%",
        _RIGID,
        fresh(_COMMIT, searched=True),
        shown=True,
    ),
    Goal(
        "120 fresh, backfilling: searched",
        -25,
        "%",
        _RIGID,
        fresh(_FCFS, searched=True),
        shown=True,
    ),
    Goal(
        "120 fresh, no backfilling: network alone",
        -6,
        "%",
        _RIGID,
        fresh(_COMMIT, searched=False),
        shown=True,
    ),
    Goal(
        "120 fresh, backfilling: network alone",
        -21,
        "%",
        _RIGID,
        fresh(_FCFS, searched=False),
        shown=True,
    ),
    Goal("KTH, second half: to the best of SAF and F4", -8, "%", _part("kth"), kth_log, shown=True),
    *(
        Goal(f"mixed-cloud, w = {w:g}: to tuned wgc", -5, "%", _MIXED, mixed(w), shown=True)
        for w in frontier.DIAL
        if w > 0
    ),
    Goal("mixed-cloud, worst w: to tuned wgc", 0.5, "%", _MIXED, mixed_worst),
    Goal("mixed-cloud, learning over the mended order", -2, "%", _MIXED, mixed_mean, shown=True),
    Goal(
        "random, mean of the draws: to tuned wgc", -5, "%", _part("drawn"), drawn_mean, shown=True
    ),
    Goal("random, median of the draws: to tuned wgc", -3, "%", _part("drawn"), drawn_median),
    Goal("random, draws won", 75, "% won", _part("drawn"), drawn_won, less=False),
    Goal(
        "Muri and Philly, mean: to the better of wgc, SJF",
        -5,
        "%",
        _part("traces"),
        traces_mean,
        shown=True,
    ),
    Goal(
        "Muri and Philly, worst: to the better of wgc, SJF", 0, "%", _part("traces"), traces_worst
    ),
    Goal(
        "preemption, Muri 1 and 2: mean completion to SRSF",
        5,
        "%",
        "python -m benchmarks.muri",
        unmeasured,
    ),
    Goal("decision p99, 1,000 jobs", 1, "ms", _part("budget"), decision(1_000)),
    Goal("decision p99, 10,000 jobs", 5, "ms", _part("budget"), decision(10_000)),
    Goal(
        "decisions in training, one core",
        20_000,
        "per s",
        _part("budget"),
        speed("compiled_learned_decisions_per_s"),
        less=False,
    ),
    Goal(
        "steps of Fulcrum/Cluster-v0",
        15_000,
        "per s",
        _part("budget"),
        speed("environment_steps_per_s"),
        less=False,
    ),
    Goal(
        "replay of Lublin-1, FCFS",
        1_000_000,
        "jobs/s",
        _part("budget"),
        speed("replay_lublin_fcfs_jobs_per_s"),
        less=False,
    ),
    Goal("replay of KTH, EASY", 0.1, "s", _part("budget"), speed("replay_kth_easy_s")),
)


def measure(how: Measuring) -> Found:
    """Every goal from the results that are there."""
    return {"entries": [goal.entry(how.results) for goal in GOALS], "missing": []}


def report(found: Found, folder: Path) -> Section:
    """The table, and a picture of values beside goals."""
    goals = {goal.name: goal for goal in GOALS}
    entries = [entry for entry in found["entries"] if entry["name"] in goals]
    rows, bars = [], []
    for entry in entries:
        goal = goals[entry["name"]]
        sign = "≤" if goal.less else "≥"
        aim = f"{sign} {number(entry['goal'], 2)} {goal.unit}".rstrip()
        mark = {True: "✓", False: "✗", None: "not measured"}[entry["met"]]
        rows.append([entry["name"], _value(entry, goal.unit), aim, mark, f"`{entry['command']}`"])
        if entry["value"] is not None:
            bars.append((goal, _bar(goal, entry)))
    met = sum(entry["met"] is True for entry in entries)
    known = sum(entry["met"] is not None for entry in entries)
    section = Section(
        "Goals",
        f"{met} of {len(entries)} goals are met, {known - met} are missed, and "
        f"{len(entries) - known} have not been measured. Values with their 95 % intervals; a "
        "difference below 0 counts as better only if its whole interval is below 0. The shipped "
        f"policy is `{SHIPPED}`. `benchmarks/policy/results/goals.json` has the same figures.",
        [Table("Goals", ["goal", ">value", ">aim", "met", "command"], rows)],
    )
    if not bars:
        return section
    differences = [bar for goal, bar in bars if goal.unit == "%"]
    others = [bar for goal, bar in bars if goal.unit != "%"]
    shown = "Values with intervals beside their goals; green: met, red: missed"
    plots.write(lambda: plots.bars(differences, others), folder / "goals.svg", shown)
    return Section(section.title, section.text, section.tables, [("goals.svg", shown)])


def _bar(goal: Goal, entry: Mapping[str, Any]) -> plots.Bar:
    """In per cent, or as a ratio that is at most 1 where the goal is met."""
    value, low, high = (_place(goal, entry[end]) for end in ("value", "low", "high"))
    return plots.Bar(
        goal.name, value, low, high, goal.goal if goal.unit == "%" else 1.0, bool(entry["met"])
    )


def _place(goal: Goal, figure: float | None) -> float:
    if figure is None:
        return math.nan
    if goal.unit == "%":
        return figure
    # The axis is logarithmic, and ends somewhere.
    return figure / goal.goal if goal.less else goal.goal / max(figure, goal.goal / FARTHEST)


def _value(entry: Mapping[str, Any], unit: str) -> str:
    if entry["value"] is None:
        return "–"
    if unit.startswith("%"):
        text = f"{entry['value']:+.1f}" if unit == "%" else f"{entry['value']:.0f}"
        ends = [entry[end] for end in ("low", "high")]
        interval_ = "" if None in ends else f" [{ends[0]:+.1f}, {ends[1]:+.1f}]"
        return f"{text} %{interval_ if unit == '%' else interval_.replace('+', '')}".replace(
            "-", "−"
        )
    return f"{number(entry['value'])} {unit}".rstrip()


PART = ReportPart("goals", measure, report, bare="entries")
