"""Latency and cost on `mixed-cloud` in steady state, from the cheapest preference to the fastest.

Rivals are wgc tuned for the scenario, untuned wgc, and the textbook order with the placement that
was best at each w on workloads of the split `tuning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.policy import plots, steady
from benchmarks.policy.artifacts import RIVAL
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table, number
from envs.scenarios import load

SCENARIO = "mixed-cloud"
TUNED = f"{BASE}:{SCENARIO}"
DIAL = (0.0, 0.2, 0.5, 0.8, 1.0)
WORKLOADS = 48


def measure(how: Measuring) -> Found:
    """Learned policies and their rivals at every preference."""
    missing: list[str] = []
    settings = [Setting(SCENARIO, load(SCENARIO), w, WORKLOADS, TUNED) for w in DIAL]
    learned = how.learners(missing)
    always = steady.known((BASE, TUNED), missing) | learned
    tuning = steady.fair_rivals(how, "frontier", settings)
    policies = {
        each.key: always | {name: name for name in list(tuning[each.key])[: steady.TESTED]}
        for each in settings
    }
    entries = steady.play(how, "frontier", settings, policies, missing)
    bounds = [float(np.mean([case.bound() for case in setting.cases(how)])) for setting in settings]
    return {
        "settings": [
            {**entry, "bound": bound, "textbook": next(iter(tuning[setting.key]))}
            for entry, bound, setting in zip(entries, bounds, settings, strict=True)
        ],
        "tuning": tuning,
        "learned": list(learned),
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """Differences at each w, everybody's means, and how busy the cluster was."""
    entries, learned = found["settings"], found["learned"]
    where = entries[0]
    section = Section(
        f"Latency and cost on {SCENARIO}",
        f"`{SCENARIO}` version {where['version']} (digest {where['digest']}), reservations "
        f"`{where['mode']}`, {where['workloads']} test workloads of {where['jobs']:,} jobs. Each "
        "cell compares the mean of w · latency + (1 − w) · cost + missed deadlines. "
        f"`{TUNED}` was tuned for this scenario. The best textbook order is the one of "
        f"{len(steady.ORDERS)} orders with five placement rules each that was best on tuning "
        "workloads at this w. Policies whose decisions take long play fewer workloads; the "
        "differences are those on the workloads that both have played.",
        [_differences(entries, learned), _everybody(entries), steady.regimes(entries)],
    )
    shown = "Mean cost and mean job completion time at each preference"
    plots.write(lambda: _plot(entries, learned), folder / "frontier.svg", shown)
    return replace(section, plots=(("frontier.svg", shown),))


def _differences(entries: Sequence[Found], learned: Sequence[str]) -> Table:
    rows = []
    for entry in entries:
        names = [name for name in learned if name in entry["objective"]]
        for name in (*names, entry["textbook"]):
            row = [f"{entry['w']:g}", name, *steady.cells(entry, name, TUNED)]
            row += steady.cells(entry, name, BASE)[:1]
            row += steady.cells(entry, name, entry["textbook"])[:1]
            rows.append(row)
    columns = [">w", "policy", *steady.against(TUNED), f">to {BASE}", ">to the best textbook order"]
    return Table("Differences at each w", columns, rows)


def _everybody(entries: Sequence[Found]) -> Table:
    rows = []
    for entry in entries:
        base = entry["objective"][TUNED]
        for name, runs in entry["objective"].items():
            mean, own = float(np.mean(runs)), float(np.mean(runs) / np.mean(base[: len(runs)]))
            rows.append([f"{entry['w']:g}", name, str(len(runs)), number(mean), f"{own:.3f}"])
        bound = entry["bound"]
        share = f"{bound / np.mean(base):.3f}"
        rows.append([f"{entry['w']:g}", "bound: no job ever waits", "–", number(bound), share])
    columns = [">w", "policy", ">workloads", ">mean objective", f">÷ {TUNED}"]
    note = (
        "The bound starts each job at once on the placement that is best for it, with its true "
        "runtime. No scheduler reaches it."
    )
    return Table("Every policy's mean", columns, rows, note, folded=True)


def _plot(entries: Sequence[Found], learned: Sequence[str]) -> Figure:
    """Curves over the preferences, of policies that play all workloads."""
    names = [BASE, TUNED, *learned]
    return plots.fronts(
        [
            plots.Curve(name, [entry["means"][name] for entry in entries], bold=name in learned)
            for name in names
            if all(len(entry["objective"].get(name, ())) == entry["workloads"] for entry in entries)
        ]
    )


PART = ReportPart("frontier", measure, report, (RIVAL,))
