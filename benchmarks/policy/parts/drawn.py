"""The shipped policy on drawn clusters, on draws that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import relative
from benchmarks.policy import plots
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.cases import Drawn
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts.frontier import JOBS, known
from benchmarks.policy.tables import Section, Table, signed
from envs.scenarios import load

PREFERENCES = (0.2, 0.5, 0.8)
WORKLOADS = 48
TUNED = f"wgc:{SHIPPED}"
BASE = "wgc"
RIVALS = (BASE, TUNED, "wgc:mixed-cloud", "priority", "sjf", "fcfs")


def measure(how: Measuring) -> Found:
    """The objective of every policy at every preference on every draw."""
    shipped = how.find(SHIPPED)
    missing = list(shipped.missing)
    everyone = {name: name for name in known(RIVALS, missing)} | shipped.names
    scenario = load(SHIPPED)
    runs = how.runs(
        "drawn",
        PREFERENCES,
        everyone,
        lambda _, w: [Drawn(scenario, seed, w, JOBS) for seed in how.some(WORKLOADS)],
        missing,
    )
    return {
        "digest": scenario.digest,
        "version": scenario.version,
        "workloads": len(how.some(WORKLOADS)),
        "jobs": JOBS,
        "learned": list(shipped.names),
        "runs": {
            f"{w:g}": {name: [one.at(w) for one in run] for name, run in those.items()}
            for w, those in runs.items()
        },
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """One row for each policy: its differences to wgc, untuned and tuned for this scenario."""
    learned, preferences = set(found["learned"]), list(found["runs"])
    ratios = {
        w: {name: np.asarray(run) / np.asarray(runs[BASE]) for name, run in runs.items()}
        for w, runs in found["runs"].items()
    }
    names = [name for name in ratios[preferences[0]] if name != BASE]
    rows, drawn = [], []
    for name in sorted(names, key=lambda one: one not in learned):
        row = [f"**{name}**" if name in learned else name]
        for rival in (BASE, TUNED):
            for w in preferences:
                here = ratios[w]
                if name == rival or name not in here or rival not in here:
                    row.append("–")
                    continue
                difference = relative(here[name], here[rival])
                row.append(signed(difference))
                if name in learned or (name == TUNED and rival == BASE):
                    drawn.append((f"{name} to {rival}, w = {w}", difference))
        rows.append(row)
    columns = ["policy", *(f">to {rival}, w = {w}" for rival in (BASE, TUNED) for w in preferences)]
    section = Section(
        "The shipped policy on drawn clusters",
        f"`{SHIPPED}` version {found['version']} (digest {found['digest']}): {found['workloads']} "
        f"test draws of pools, prices, loads and {found['jobs']} jobs each. Each objective is "
        f"divided by {BASE}'s on the same draw, so that all clusters count alike; the table "
        f"compares the means. Less is better. `{TUNED}` was tuned on other draws of the same "
        "scenario.",
        [Table("Differences", columns, rows)],
    )
    if not drawn:
        return section
    axis = "mean of w · latency + (1 − w) · cost, %"
    plots.write(
        lambda: plots.forest(drawn, axis), folder / "drawn.svg", "Differences on drawn clusters"
    )
    return replace(section, plots=(("drawn.svg", "Differences on drawn clusters"),))


PART = ReportPart("drawn", measure, report, (SHIPPED,))
