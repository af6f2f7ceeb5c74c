"""Published schedulers that preempt, beside ours that moves jobs: on Muri's traces 1 and 2.

Only completion time counts (w = 1). With known runtimes SRSF (shortest remaining service first,
Tiresias: Gu et al., NSDI 2019) is the bound in practice; Tiresias and Themis do without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agents.evaluation.statistics import Interval, interval
from benchmarks.policy import plots, steady
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts.traces import TRACES
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table
from envs.scenarios import Estimates, load
from scheduler.policies.moves import SUFFIX

FILES = ("trace1", "trace2")
WINDOWS = 8
"""Windows of each trace; they overlap."""
OURS = SHIPPED + SUFFIX
BOUND = "srsf"
RIVALS = ("tiresias", "themis")
KNOWN, LEARNED = "known", "learned"
RUNTIMES: Mapping[str, Estimates] = {KNOWN: Estimates("exact"), LEARNED: Estimates("learned")}


def measure(how: Measuring) -> Found:
    """Mean completion times with known runtimes and with learned estimates."""
    missing: list[str] = []
    settings = []
    for name in FILES:
        file = TRACES / "muri" / f"{name}.csv"
        if not file.is_file():
            missing.append(f"{name}: the trace is no part of the project")
            continue
        whole = load("muri", trace=file)
        settings += [
            Setting(
                f"Muri {name}, runtimes {title}", replace(whole, estimates=estimates), 1.0, WINDOWS
            )
            for title, estimates in RUNTIMES.items()
        ]
    ours = {name + SUFFIX: policy + SUFFIX for name, policy in how.shipped(missing).items()}
    policies = {name: name for name in (BASE, BOUND, *RIVALS, "gavel")} | ours
    entries = steady.play(
        how, "preemption", settings, {each.key: policies for each in settings}, missing
    )
    return {"settings": entries, "missing": missing}


def to(entry: Found, rival: str) -> float:
    """Relative difference of our mean completion time to a rival's."""
    means = entry["means"]
    return float(means[OURS][1] / means[rival][1] - 1.0)


def overall(found: Found, runtimes: str, rivals: tuple[str, ...]) -> Interval:
    """Mean over the traces of the difference to the best of the rivals."""
    entries = [each for each in found["settings"] if each["title"].endswith(runtimes)]
    return interval([max(to(each, rival) for rival in rivals) for each in entries])


def report(found: Found, folder: Path) -> Section:
    """One row for each trace and policy."""
    entries, rows, drawn = found["settings"], [], []
    for entry in entries:
        for name, (_, seconds) in entry["means"].items():
            row = [entry["title"], name, f"{seconds / 3600:.1f}"]
            rows.append([*row, *(steady.cells(entry, name, rival)[0] for rival in (BOUND, BASE))])
        one = steady.gain(entry, OURS, BOUND)
        if one is not None:
            drawn.append((entry["title"], steady.shown(entry, one)))
    text = (
        f"Eight windows of 100 jobs of each trace on 64 V100, w = 1. `{OURS}` moves jobs; "
        "`srsf` knows what is left of each job, or what the estimate says. Windows of one trace "
        "share jobs, so few are independent."
    )
    columns = ["trace", "policy", ">mean completion (h)", f">to {BOUND}", f">to {BASE}"]
    tables = [Table("Completion", columns, rows), steady.regimes(entries)] if entries else []
    section = Section("Preemption on Muri's traces", text, tables)
    if not drawn:
        return section
    axis = f"mean completion time of {OURS}, % of {BOUND}'s"
    plots.write(lambda: plots.forest(drawn, axis), folder / "preemption.svg", axis)
    return replace(section, plots=(("preemption.svg", f"{OURS} beside {BOUND}"),))


PART = ReportPart("preemption", measure, report)
