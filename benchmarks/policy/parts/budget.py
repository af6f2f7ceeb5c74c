"""What a decision costs by the length of the queue, and a search by its budget; speeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import relative
from api.cli.support.output import err
from benchmarks import decisions, rlscheduler, simulation
from benchmarks.policy import plots
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.cases import Fresh
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring, searchable
from benchmarks.policy.tables import Section, Table, number, signed
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.search import SUFFIX

POLICIES = ("wgc", decisions.LEARNED)
REPEATS, SECONDS = 300, 0.5
AIM_MS = decisions.AIM_MS[1_000]
SEARCHED = "saf"
"""The policy that is searched, on RLScheduler's protocol with backfilling."""
LIMITS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Seconds that a search may take in a round."""
SEQUENCES = 12


def measure(how: Measuring) -> Found:
    """Times of decisions; the slowdown under each time budget."""
    sizes = decisions.SIZES[:2] if how.quick else decisions.SIZES
    repeats, seconds = (20, 0.05) if how.quick else (REPEATS, SECONDS)
    times: dict[str, dict[str, list[float]]] = {}
    shipped = how.find(SHIPPED, seeds=1).trained
    quick = all(searchable(one.policy) for one in shipped)
    searched = decisions.LEARNED if quick else "wgc"
    for one in decisions.measure((*POLICIES, searched + SUFFIX), sizes, repeats, seconds):
        times.setdefault(one.policy, {})[str(one.jobs)] = [*one.decision, *one.round]
    missing: list[str] = []
    policies = {SEARCHED: SEARCHED} | {
        f"{limit:g}": f"{SEARCHED}{SUFFIX}/{limit:g}" for limit in LIMITS_S
    }
    jobs = how.jobs or rlscheduler.JOBS
    runs = how.runs(
        "budget",
        [""],
        policies,
        lambda _, __: [Fresh(seed, jobs, Mode.COMMIT_FCFS) for seed in how.some(SEQUENCES)],
        missing,
    )
    slowdowns = {name: [one.slowdown for one in run] for name, run in runs[""].items()}
    speeds = {} if how.quick else simulation.figures(simulation.TRACES, err().print)
    return {
        "times": times,
        "slowdowns": slowdowns,
        "jobs": jobs,
        "speeds": speeds,
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """Milliseconds by length of the queue, and slowdowns by the budget."""
    times, slowdowns = found["times"], found["slowdowns"]
    sizes = list(next(iter(times.values())))
    rows = [
        [name, *(f"{number(own[size][0])} / {number(own[size][1])}" for size in sizes)]
        for name, own in times.items()
    ]
    columns = ["policy", *(f">{int(size):,} jobs" for size in sizes)]
    alone = slowdowns[SEARCHED]
    quality = [
        [
            "alone" if name == SEARCHED else f"{name} s",
            f"{np.mean(own):.2f}",
            "–" if name == SEARCHED else signed(relative(own, alone)),
        ]
        for name, own in slowdowns.items()
    ]
    lines = [
        (name, [(int(size), own[size][0], own[size][1]) for size in sizes])
        for name, own in times.items()
    ]
    shown = "Time of a decision, p50 to p99; dashed: the aim for 1,000 jobs"
    plots.write(lambda: plots.times(lines, AIM_MS), folder / "budget.svg", shown)
    return Section(
        "Time budgets",
        "Processor time of one decision in one thread, with three pools of three widths each: from "
        "the live queue to a choice (`python -m benchmarks.decisions`). `learned` is the shipped "
        f"policy. A search may take {decisions.SEARCH_S:g} s in a round here. What a smaller "
        f"budget costs: {len(alone)} fresh sequences of {found['jobs']:,} jobs by RLScheduler's "
        f"protocol with backfilling, `{SEARCHED}` searched, on this machine.",
        [
            Table("Decisions (ms, p50 / p99)", columns, rows),
            Table(
                "Mean bounded slowdown by seconds for a search in a round",
                ["budget", ">slowdown", f">to {SEARCHED} alone"],
                quality,
            ),
            *_speeds(found["speeds"]),
        ],
        [("budget.svg", shown)],
    )


def _speeds(speeds: Mapping[str, float | None]) -> list[Table]:
    rows = [
        [name.replace("_", " ").replace(" per s", " per second"), number(value)]
        for name, value in speeds.items()
        if value is not None
    ]
    title = "Speed of simulations on one core (`python -m benchmarks.simulation`)"
    return [Table(title, ["figure", ">value"], rows)] if rows else []


PART = ReportPart("budget", measure, report)
