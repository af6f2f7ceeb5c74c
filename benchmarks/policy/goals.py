"""The table of goals: what was measured beside what was aimed at.

It measures nothing itself: it reads the results of the other parts in the folder of results. What
has not been measured is null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.evaluation.statistics import LEAST, Interval
from benchmarks.policy import goal_figures as read
from benchmarks.policy import plots
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts import frontier, moves, preemption
from benchmarks.policy.tables import Section, Table, number
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.moves import SUFFIX

FARTHEST = 100.0
"""Ratio to the goal beyond which a picture shows no more."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals."""

    name: str
    goal: float
    unit: str
    part: str
    """The part of this benchmark that measures it."""
    measured: Callable[[Path], Interval]
    """Reads it from the folder of results; see `goal_figures`."""
    less: bool = True

    @property
    def command(self) -> str:
        """What measures it."""
        return f"python -m benchmarks.policy {self.part}"

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
        """Whether the goal is reached.

        A difference that shall be below 0 must be shown: by its whole interval, where it has one,
        and by as many workloads as a difference needs.
        """
        reached = found.mean <= self.goal if self.less else found.mean >= self.goal
        if self.unit != "%" or self.goal >= 0:
            return reached
        return reached and found.count >= LEAST and not found.high >= 0


RIGID = "rlscheduler"
_COMMIT, _FCFS = Mode.COMMIT, Mode.COMMIT_FCFS
GOALS = (
    Goal("RLScheduler's ten, no backfilling: slowdown", 205, "", RIGID, read.ten(_COMMIT)),
    Goal("RLScheduler's ten, backfilling: slowdown", 40, "", RIGID, read.ten(_FCFS)),
    *(
        Goal(
            f"120 fresh, {title}: {'searched' if searched else 'network alone'}",
            goal,
            "%",
            RIGID,
            read.fresh(mode, searched=searched),
        )
        for title, mode, searched, goal in (
            ("no backfilling", _COMMIT, True, -15),
            ("backfilling", _FCFS, True, -25),
            ("no backfilling", _COMMIT, False, -6),
            ("backfilling", _FCFS, False, -21),
        )
    ),
    Goal("KTH, second half: to the best of SAF and F4", -8, "%", "kth", read.kth_log),
    *(
        Goal(f"mixed-cloud, w = {w:g}: to tuned wgc", -5, "%", "frontier", read.mixed(w))
        for w in frontier.DIAL
        if w > 0
    ),
    Goal("mixed-cloud, worst w: to tuned wgc", 0.5, "%", "frontier", read.mixed_worst),
    Goal("mixed-cloud, mean over w: to tuned wgc", -2, "%", "frontier", read.mixed_mean),
    *(
        Goal(
            f"{scenario}, w = {w:g}, with moves: to tuned wgc",
            -5,
            "%",
            "moves",
            read.moving(scenario, w),
        )
        for scenario, preferences in moves.SCENARIOS
        for w in preferences
    ),
    Goal("random, mean of the draws: to tuned wgc", -5, "%", "drawn", read.drawn_mean),
    Goal("random, median of the draws: to tuned wgc", -3, "%", "drawn", read.drawn_median),
    Goal("random, draws won", 75, "% won", "drawn", read.drawn_won, less=False),
    *(
        Goal(f"Muri, Philly{how}, {which}: to the better of wgc, SJF", goal, "%", "traces", figure)
        for how, policy in (("", SHIPPED), (", with moves", SHIPPED + SUFFIX))
        for which, goal, figure in (
            ("mean", -5, read.traces_mean(policy)),
            ("worst", 0, read.traces_worst(policy)),
        )
    ),
    Goal(
        "preemption, Muri 1, 2, runtimes known: completion to SRSF",
        5,
        "%",
        "preemption",
        read.preemptive(preemption.KNOWN, (preemption.BOUND,)),
    ),
    Goal(
        "preemption, Muri 1, 2, runtimes learned: to Tiresias and Themis",
        0,
        "%",
        "preemption",
        read.preemptive(preemption.LEARNED, preemption.RIVALS),
    ),
    Goal("decision p99, 1,000 jobs", 1, "ms", "budget", read.decision(1_000)),
    Goal("decision p99, 10,000 jobs", 5, "ms", "budget", read.decision(10_000)),
    *(
        Goal(name, goal, unit, "budget", read.speed(figure), less=unit == "s")
        for name, goal, unit, figure in (
            ("decisions in training", 20_000, "per s", "compiled_learned_decisions_per_s"),
            ("steps of Fulcrum/Cluster-v0", 15_000, "per s", "environment_steps_per_s"),
            ("replay of Lublin-1, FCFS", 1_000_000, "jobs/s", "replay_lublin_fcfs_jobs_per_s"),
            ("replay of KTH, EASY", 0.1, "s", "replay_kth_easy_s"),
        )
    ),
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
        f"policy is `{SHIPPED}`. `benchmarks/policy/results/goals.json` has the same read.",
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
