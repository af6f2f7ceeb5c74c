"""Policies on drawn clusters in steady state, on draws that nothing was learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.policy import plots, steady
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table
from envs.scenarios import load

SCENARIO = "random"
TUNED = f"{BASE}:{SCENARIO}"
PREFERENCES = (0.2, 0.5, 0.8)
WORKLOADS = 96


def measure(how: Measuring) -> Found:
    """Learned policies and their rivals on every draw at every preference."""
    missing: list[str] = []
    scenario = load(SCENARIO)
    settings = [
        Setting("drawn clusters", scenario, w, WORKLOADS, TUNED, alike=True) for w in PREFERENCES
    ]
    learned = how.learners(missing)
    always = steady.known((BASE, TUNED), missing) | learned
    tuning = steady.fair_rivals(how, "drawn", settings)
    policies = {
        each.key: always | {name: name for name in list(tuning[each.key])[: steady.TESTED]}
        for each in settings
    }
    entries = steady.play(how, "drawn", settings, policies, missing)
    return {
        "settings": [
            {**entry, "textbook": next(iter(tuning[setting.key]))}
            for entry, setting in zip(entries, settings, strict=True)
        ],
        "tuning": tuning,
        "learned": list(learned),
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """Means and medians of the ratios, and the share of the draws that each policy wins."""
    entries, rows, drawn = found["settings"], [], []
    for entry in entries:
        for name in (*found["learned"], TUNED, entry["textbook"]):
            if name not in entry["objective"]:
                continue
            row = [f"{entry['w']:g}", name, *steady.cells(entry, name, TUNED)]
            row += steady.cells(entry, name, BASE)
            row += steady.cells(entry, name, entry["textbook"])[:1]
            rows.append(row)
            one = steady.gain(entry, name, TUNED)
            if one is not None and name != TUNED:
                drawn.append((f"{name}, w = {entry['w']:g}", steady.shown(entry, one)))
    columns = [">w", "policy", *steady.against(TUNED), *steady.against(BASE)]
    columns.append(">to the best textbook order")
    where = entries[0]
    section = Section(
        "Drawn clusters",
        f"`{SCENARIO}` version {where['version']} (digest {where['digest']}): "
        f"{where['workloads']} test draws of pools, prices and loads, each with {where['jobs']:,} "
        "jobs. The objective is divided by the rival's on the same draw, so that all clusters "
        f"count alike: mean and median of these ratios. `{TUNED}` was tuned on other draws of the "
        "same scenario, and the best textbook order with its placement was chosen on others too.",
        [Table("Differences", columns, rows), steady.regimes(entries)],
    )
    axis = f"mean ratio of w · latency + (1 − w) · cost to {TUNED}'s, %"
    plots.write(lambda: plots.forest(drawn, axis), folder / "drawn.svg", "Drawn clusters")
    return replace(section, plots=(("drawn.svg", f"Differences to {TUNED}"),))


PART = ReportPart("drawn", measure, report)
