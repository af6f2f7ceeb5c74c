"""Figures of the table of goals, read from the results of the parts.

Each function takes the folder of results and returns the figure with its interval; `NOTHING` if it
has not been measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.statistics import Interval, interval, relative
from benchmarks.policy import steady
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found
from benchmarks.policy.parts import (
    drawn,
    frontier,
    kth,
    moves,
    preemption,
    rlscheduler,
    traces,
)
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies import moves as moving_policies
from scheduler.policies.search import SUFFIX

NOTHING = Interval(math.nan, math.nan, math.nan, 0)


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
    groups = rlscheduler.seeds([name for name in ours if name in runs]).values()
    known = [np.mean([runs[one] for one in those], axis=0) for those in groups]
    return min(known, key=lambda one: float(one.mean())) if known else None


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
    """Difference to the best of SAF and F4, of the best of our policies (%)."""
    found = _read(results, kth.PART.name)
    if not found or not found["learned"] or "SAF" not in found["runs"]:
        return NOTHING
    runs = found["runs"]
    rival = min(("SAF", "F4"), key=lambda name: float(runs[name]["slowdown"]))
    blocks = {name: runs[name]["blocks"] for name in found["learned"]}
    own = _best_of(blocks, found["learned"])
    return NOTHING if own is None else _percent(relative(own, runs[rival]["blocks"]))


def mixed(w: float) -> Callable[[Path], Interval]:
    """Difference to wgc tuned for the scenario at one preference (%)."""

    def measured(results: Path) -> Interval:
        for entry in _settings(results, frontier.PART.name):
            one = steady.gain(entry, SHIPPED, frontier.TUNED)
            if entry["w"] == w and one is not None:
                return _percent(steady.shown(entry, one))
        return NOTHING

    return measured


def moving(scenario: str, w: float) -> Callable[[Path], Interval]:
    """Difference of the shipped policy with moves to wgc tuned for a scenario (%)."""

    def measured(results: Path) -> Interval:
        for entry in _settings(results, moves.PART.name):
            one = steady.gain(entry, SHIPPED + moving_policies.SUFFIX, entry["tuned"])
            if (entry["scenario"], entry["w"]) == (scenario, w) and one is not None:
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
    if not ratios:
        return NOTHING
    return Interval(100 * (float(np.median(ratios)) - 1.0), math.nan, math.nan, len(ratios[0]))


def drawn_won(results: Path) -> Interval:
    """Share of the draws that are better than under tuned wgc (%)."""
    ratios = _draws(results)
    return _percent(interval(np.mean(np.array(ratios) < 1.0, axis=0))) if ratios else NOTHING


def _to_better(results: Path, policy: str) -> list[float]:
    entries = _settings(results, traces.PART.name)
    return [traces.to_better(each, policy) for each in entries if policy in each["objective"]]


def traces_mean(policy: str) -> Callable[[Path], Interval]:
    """Mean over the traces and windows of the difference to the better of wgc and SJF (%)."""

    def measured(results: Path) -> Interval:
        found = _to_better(results, policy)
        return _percent(interval(found)) if found else NOTHING

    return measured


def traces_worst(policy: str) -> Callable[[Path], Interval]:
    """The largest of these differences (%)."""

    def measured(results: Path) -> Interval:
        found = _to_better(results, policy)
        return _bare(100 * max(found)) if found else NOTHING

    return measured


def preemptive(runtimes: str, rivals: tuple[str, ...]) -> Callable[[Path], Interval]:
    """Difference of completion times to the best of the rivals that preempt (%)."""

    def measured(results: Path) -> Interval:
        found = _read(results, preemption.PART.name)
        if not found or not found["settings"]:
            return NOTHING
        return _percent(preemption.overall(found, runtimes, rivals))

    return measured


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
