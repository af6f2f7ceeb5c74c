"""Transfer: the shipped policy on clusters and jobs of another source than it learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.policy import plots, steady
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts.frontier import SCENARIO, TUNED
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table
from benchmarks.policy.variants import variants
from envs.scenarios import load

PREFERENCES = (0.2, 0.8)
OTHERS = ("lab", "medical", "driving", "smart-home")
"""Scenarios with jobs of other kinds."""
WORKLOADS = 12
ALLOWED = 0.01
"""Relative loss to wgc that is not marked."""


def measure(how: Measuring) -> Found:
    """The shipped policy on every variant and scenario."""
    missing: list[str] = []
    scenarios = variants(load(SCENARIO)) | {name: load(name) for name in OTHERS}
    settings = [
        Setting(title, scenario, w, WORKLOADS)
        for title, scenario in scenarios.items()
        for w in PREFERENCES
    ]
    learned = how.shipped(missing)
    always = steady.known((BASE, TUNED), missing) | learned
    policies = {each.key: always for each in settings}
    entries = steady.play(how, "transfer", settings, policies, missing)
    return {"settings": entries, "learned": list(learned), "missing": missing}


def report(found: Found, folder: Path) -> Section:
    """One row for each setting; losses above `ALLOWED` are marked."""
    entries, learned = found["settings"], found["learned"]
    rows, drawn, lost = [], [], 0
    for entry in entries:
        row = [entry["title"], f"{entry['w']:g}"]
        for rival in (BASE, TUNED):
            for name in learned:
                one = steady.gain(entry, name, rival)
                if one is None:
                    row.append("–")
                    continue
                bad = rival == BASE and one.relative.mean > ALLOWED
                lost += bad
                row.append(steady.cells(entry, name, rival)[0] + (" **!**" if bad else ""))
                if rival == BASE:
                    drawn.append((f"{entry['title']}, w = {entry['w']:g}: {name}", one.relative))
        rows.append(row)
    columns = [
        "variant",
        ">w",
        *(f">{name} to {rival}" for rival in (BASE, TUNED) for name in learned),
    ]
    section = Section(
        "Transfer without further training",
        f"Variants of `{SCENARIO}` and scenarios with other jobs, {entries[0]['workloads']} test "
        "workloads each, as long as the scenario says. No training has seen them. Each cell is "
        f"the difference of the objective on the same workloads. {lost} of {len(drawn)} figures "
        f"are more than {ALLOWED:.0%} worse than wgc (marked **!**). Recorded traces: "
        "[traces](#recorded-traces).",
        [Table("Differences", columns, rows), replace(steady.regimes(entries), folded=True)],
    )
    axis = "objective, % of wgc's"
    plots.write(lambda: plots.forest(drawn, axis), folder / "transfer.svg", "Transfer")
    return replace(section, plots=(("transfer.svg", "Difference to wgc"),))


PART = ReportPart("transfer", measure, report)
