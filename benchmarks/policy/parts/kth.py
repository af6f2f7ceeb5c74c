"""KTH-SP2, second half: learned policies beside the best of EASY backfilling.

`benchmarks.kth` holds the simulator against published figures of the whole log. The log's first
half is there to learn from; decisions know the users' requested times. Only slowdown counts, so w
is 1.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.evaluation.statistics import relative
from benchmarks import kth
from benchmarks.policy import plots
from benchmarks.policy.cases import Half
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section, Table, signed
from scheduler.policies.search import SUFFIX

SEARCHED = f"saf{SUFFIX}"
"""The best heuristic, searched over: futures are the log's own last arrivals."""
RIVALS = ("EASY", "EASY-SJBF", "EASY++", "SAF", "F4")
"""Rows of `benchmarks.kth`."""
QUICK_JOBS = 600


def measure(how: Measuring) -> Found:
    """One run of each policy: the log is one workload."""
    found = how.find("hpc-kth")
    missing = list(found.missing)
    if not kth.TRACE.is_file():
        missing.append("the log: KTH-SP2.swf.gz is no part of the project")
        return {"learned": [], "runs": {}, "missing": missing}
    jobs = QUICK_JOBS if how.quick else None
    titles = [row.title for row in kth.ROWS]
    ours = {**found.names, SEARCHED: SEARCHED}
    results = how.runs(
        "kth",
        [""],
        # A row of `benchmarks.kth` has a policy of its own, whatever the policy of the run.
        dict.fromkeys(RIVALS, "fcfs") | ours,
        lambda name, _: [Half(kth.TRACE, titles.index(name) if name in RIVALS else None, jobs)],
        missing,
    )
    runs = {
        name: {"slowdown": one.slowdown, "wait_s": one.wait_s, "blocks": list(one.blocks)}
        for name, (one,) in results[""].items()
    }
    learned = [name for name in ours if name in runs]
    return {"learned": learned, "runs": runs, "missing": missing}


def report(found: Found, folder: Path) -> Section:
    """Slowdowns, and their differences to the best heuristic's."""
    runs, learned = found["runs"], found["learned"]
    text = (
        "The second half of the log of KTH's IBM SP2 (14,241 jobs, 100 processors) as one run, "
        "with EASY backfilling and users' requested times (EASY++: predictions). Intervals "
        f"resample blocks of {Half.BLOCK} consecutive jobs. Neighbouring blocks are not "
        "independent, so the intervals are somewhat too narrow."
    )
    if not runs:
        return Section("KTH-SP2", text, [])
    rival = min((name for name in RIVALS if name in runs), key=lambda name: _slowdown(runs, name))
    rows = []
    for name in (*RIVALS, *learned):
        if name not in runs:
            continue
        difference = relative(runs[name]["blocks"], runs[rival]["blocks"])
        rows.append(
            [
                name,
                f"{_slowdown(runs, name):.2f}",
                f"{runs[name]['wait_s']:,.0f}",
                f"{_slowdown(runs, name) / _slowdown(runs, rival):.3f}",
                "–" if name == rival else signed(difference),
            ]
        )
    columns = ["policy", ">slowdown", ">mean wait (s)", ">÷ best", f">to {rival}"]
    section = Section("KTH-SP2", text, [Table("Mean bounded slowdown", columns, rows)])
    if not learned:
        return section
    drawn = [(name, relative(runs[name]["blocks"], runs[rival]["blocks"])) for name in learned]
    axis = f"mean bounded slowdown, % of {rival}'s"
    plots.write(lambda: plots.forest(drawn, axis), folder / "kth.svg", axis)
    return replace(section, plots=(("kth.svg", f"Difference to {rival}"),))


def _slowdown(runs: dict[str, Any], name: str) -> float:
    return float(runs[name]["slowdown"])


PART = ReportPart("kth", measure, report, ("hpc-kth",))
