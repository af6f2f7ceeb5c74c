"""Learned policies on recorded traces of GPU clusters with a queue: Muri's and Philly's.

Only latency counts (w = 1). No policy of the benchmark has learned from these traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import Interval, interval
from benchmarks.policy import plots, steady
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table, signed
from envs.scenarios import Split, load
from scheduler.policies.moves import SUFFIX

TRACES = Path(__file__).resolve().parents[3] / ".." / "shared/traces"
MURI = ("trace1", "trace1_pr", "trace2", "trace2_pr")
SHORTEST = "sjf"
WINDOWS = 8
"""Windows of each of Muri's traces; they overlap."""
PHILLY_WINDOWS = 5


def measure(how: Measuring) -> Found:
    """Learned policies, wgc, SJF and the best textbook order, on every trace."""
    missing: list[str] = []
    settings = list(_settings(missing))
    learned = how.learners(missing)
    moving = {name + SUFFIX: policy + SUFFIX for name, policy in how.shipped(missing).items()}
    always = steady.known((BASE, SHORTEST), missing) | learned | moving
    tuning = steady.fair_rivals(how, "traces", settings)
    policies = {
        each.key: always | {name: name for name in list(tuning[each.key])[:1]} for each in settings
    }
    entries = steady.play(how, "traces", settings, policies, missing)
    return {
        "settings": [
            {**entry, "textbook": next(iter(tuning[setting.key]))}
            for entry, setting in zip(entries, settings, strict=True)
        ],
        "learned": [*learned, *moving],
        "missing": missing,
    }


def _settings(missing: list[str]) -> Iterator[Setting]:
    files = [("muri", TRACES / "muri" / f"{name}.csv", name) for name in MURI]
    files.append(("philly", TRACES / "philly" / "philly.csv.gz", "philly"))
    for scenario, file, title in files:
        if not file.is_file():
            missing.append(f"{title}: the trace is no part of the project")
        elif scenario == "muri":
            whole = load(scenario, trace=file)
            yield Setting(f"Muri {title}", whole, 1.0, WINDOWS, rivals_from=Split.TRAIN)
        else:
            whole = load(scenario, trace=file)
            for at in range(PHILLY_WINDOWS):
                window = f"Philly {at + 1}"
                yield Setting(window, whole, 1.0, 1, first=at, rivals_from=Split.TRAIN)


def to_better(entry: Found, name: str) -> float:
    """The relative difference of the means to the better of wgc and SJF on this trace."""
    runs = entry["objective"]
    count = len(runs[name])
    best = min(float(np.mean(runs[rival][:count])) for rival in (BASE, SHORTEST))
    return float(np.mean(runs[name])) / best - 1.0


def overall(found: Found, name: str) -> Interval:
    """Mean over the traces and windows of `to_better`."""
    return interval([to_better(entry, name) for entry in found["settings"]])


def report(found: Found, folder: Path) -> Section:
    """One row for each trace and policy."""
    entries, rows, drawn = found["settings"], [], []
    for entry in entries:
        for name in found["learned"]:
            if name not in entry["objective"]:
                continue
            row = [entry["title"], name]
            for rival in (BASE, SHORTEST, entry["textbook"]):
                row.append(steady.cells(entry, name, rival)[0])
            off = signed(Interval(to_better(entry, name), np.nan, np.nan, 1))
            rows.append([*row, entry["textbook"], off])
    columns = ["trace", "policy", f">to {BASE}", f">to {SHORTEST}", ">to the best textbook order"]
    columns += ["which is", ">to the better of wgc and SJF"]
    text = (
        "Muri's four traces on 64 V100 and Philly's log on an eighth of its cluster, w = 1: only "
        "completion time counts. The best textbook order was chosen on the training part of each "
        "trace. Windows of one trace share jobs, so few are independent, and a single window has "
        "no interval."
    )
    if any(name.endswith(SUFFIX) for name in found["learned"]):
        text += (
            f" With `{SUFFIX}` a policy may stop and move what runs: every job goes on from its "
            "last checkpoint (one every 600 s), and a restart costs 10 s. Estimates are exact on "
            "Muri's traces and learned from finished jobs on Philly's log."
        )
    tables = [Table("Differences", columns, rows), steady.regimes(entries)] if entries else []
    section = Section("Recorded traces", text, tables)
    if not rows:
        return section
    for name in found["learned"]:
        drawn.append((f"{name}, mean of all", overall(found, name)))
    axis = "mean weighted completion time, % of the better of wgc and SJF"
    plots.write(lambda: plots.forest(drawn, axis), folder / "traces.svg", axis)
    return replace(section, plots=(("traces.svg", "Difference to the better of wgc and SJF"),))


PART = ReportPart("traces", measure, report)
