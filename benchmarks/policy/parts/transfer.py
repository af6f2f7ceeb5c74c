"""Transfer: policies on clusters and jobs that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.statistics import Interval, relative
from benchmarks.policy import plots
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.cases import Drawn
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts.frontier import JOBS, SCENARIO, TUNED, known
from benchmarks.policy.tables import Section, Table, number, signed
from benchmarks.policy.variants import variants
from envs.scenarios import load
from scheduler.arrays import Floats

PREFERENCES = (0.2, 0.5, 0.8)
WORKLOADS = 12
ALLOWED = 0.01
"""Relative loss to wgc that is not marked."""


def measure(how: Measuring) -> Found:
    """The objective of every policy on every variant, preference and workload."""
    own, shipped = how.find(SCENARIO), how.find(SHIPPED, seeds=1)
    missing = [*own.missing, *shipped.missing]
    everyone = {name: name for name in known(("wgc", TUNED), missing)}
    everyone |= own.names | shipped.names
    scenarios = variants(load(SCENARIO))
    runs = how.runs(
        "transfer",
        product(scenarios, PREFERENCES),
        everyone,
        lambda _, key: [
            Drawn(scenarios[key[0]], seed, key[1], JOBS) for seed in how.some(WORKLOADS)
        ],
        missing,
    )
    return {
        "digests": {name: scenario.digest for name, scenario in scenarios.items()},
        "dial": list(PREFERENCES),
        "workloads": len(how.some(WORKLOADS)),
        "jobs": JOBS,
        "own": list(own.names),
        "shipped": list(shipped.names),
        "runs": {
            variant: {
                f"{w:g}": {
                    name: [one.at(w) for one in run] for name, run in runs[variant, w].items()
                }
                for w in PREFERENCES
            }
            for variant in scenarios
        },
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """One row for each variant and preference; losses above `ALLOWED` are marked."""
    groups = {
        f"trained on {SCENARIO}": found["own"],
        f"trained on {SHIPPED}": found["shipped"],
    }
    groups = {title: names for title, names in groups.items() if names}
    columns = ["variant", ">w", ">wgc", f">{TUNED} to wgc"]
    columns += [f">{title} ({len(names)}) to wgc" for title, names in groups.items()]
    columns += [f">{title} to {TUNED}" for title in groups]
    rows, drawn, lost = [], [], 0
    for variant, preferences in found["runs"].items():
        for w, runs in preferences.items():
            wgc, tuned = runs["wgc"], runs.get(TUNED)
            row = [variant, w, number(float(np.mean(wgc)))]
            row.append("–" if tuned is None else signed(relative(tuned, wgc)))
            for title, names in groups.items():
                difference = relative(_mean(runs, names), wgc)
                worse = difference.mean > ALLOWED
                lost += worse
                row.append(signed(difference) + (" **!**" if worse else ""))
                drawn.append((f"{variant}, w = {w}: {title}", difference))
            row += [
                "–" if tuned is None else signed(relative(_mean(runs, names), tuned))
                for names in groups.values()
            ]
            rows.append(row)
    section = Section(
        "Transfer without further training",
        f"Variants of `{SCENARIO}` that no training has seen, {found['workloads']} test workloads "
        f"of {found['jobs']} jobs each. Each cell is the difference of w · latency + (1 − w) · "
        "cost on the same workloads, as the mean over the trainings. Less is better. "
        + (
            f"{lost} of {len(drawn)} figures are more than {ALLOWED:.0%} worse than wgc "
            "(marked **!**)."
            if drawn
            else ""
        ),
        [Table("Differences to wgc", columns, rows)],
    )
    if not drawn:
        return section
    plots.write(lambda: _plot(drawn), folder / "transfer.svg", "Differences to wgc on variants")
    return replace(section, plots=(("transfer.svg", "Difference to wgc on variants"),))


def _mean(runs: dict[str, list[float]], names: Sequence[str]) -> Floats:
    mean: Floats = np.mean([runs[name] for name in names if name in runs], axis=0)
    return mean


def _plot(drawn: Sequence[tuple[str, Interval]]) -> Any:
    return plots.forest(drawn, "w · latency + (1 − w) · cost, % of wgc's")


PART = ReportPart("transfer", measure, report, (SCENARIO, SHIPPED))
