"""Transfer without further training: policies on clusters and jobs they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.statistics import Interval, relative
from benchmarks.policy import plots
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.cases import Drawn
from benchmarks.policy.evaluation import RunTask
from benchmarks.policy.frontier import JOBS, SCENARIO, TUNED, known
from benchmarks.policy.part import Found, Measuring, Part
from benchmarks.policy.tables import Section, Table, number, signed
from benchmarks.policy.variants import variants
from envs.scenarios import load
from scheduler.decisions.state.queue import Floats

DIAL = (0.2, 0.5, 0.8)
WORKLOADS = 12
ALLOWED = 0.01
"""What may be lost to wgc."""


def measure(how: Measuring) -> Found:
    """Every variant, w, policy and workload."""
    own, shipped = how.find(SCENARIO), how.find(SHIPPED, seeds=1)
    missing = [*own.missing, *shipped.missing]
    everyone = {name: name for name in known(("wgc", TUNED), missing)}
    everyone |= own.names | shipped.names
    scenarios = variants(load(SCENARIO))
    cases = {
        (variant, w): [Drawn(scenario, seed, w, JOBS) for seed in how.some(WORKLOADS)]
        for variant, scenario in scenarios.items()
        for w in DIAL
    }
    results = how.evaluate(
        "transfer",
        [
            RunTask(case, name)
            for those in cases.values()
            for name in everyone.values()
            for case in those
        ],
    )
    runs: dict[str, Any] = {}
    for (variant, w), those in cases.items():
        for name, policy in everyone.items():
            run = results.of(policy, those)
            if run is None:
                missing.append(f"{name}: failed on {variant} at w = {w:g}")
                continue
            objectives = [one.at(w) for one in run]
            runs.setdefault(variant, {}).setdefault(f"{w:g}", {})[name] = objectives
    return {
        "digests": {name: scenario.digest for name, scenario in scenarios.items()},
        "dial": list(DIAL),
        "workloads": len(how.some(WORKLOADS)),
        "jobs": JOBS,
        "own": list(own.names),
        "shipped": list(shipped.names),
        "runs": runs,
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """A line for each variant and w; what lost too much is marked."""
    groups = {
        f"trained on {SCENARIO}": found["own"],
        f"trained on {SHIPPED}": found["shipped"],
    }
    groups = {title: names for title, names in groups.items() if names}
    columns = ["variant", ">w", ">wgc", f">{TUNED} to wgc"]
    columns += [f">{title} ({len(names)}) to wgc" for title, names in groups.items()]
    columns += [f">{title} to {TUNED}" for title in groups]
    rows, drawn, lost = [], [], 0
    for variant, dial in found["runs"].items():
        for w, runs in dial.items():
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


PART = Part("transfer", measure, report, (SCENARIO, SHIPPED))
