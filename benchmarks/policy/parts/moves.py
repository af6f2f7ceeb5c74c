"""Policies that move running jobs between pools, beside those that leave alone what runs.

Rivals that stop jobs, too, are Gavel, Themis, Tiresias and SRSF. The compiled clock does not play
policies that preempt, so workloads are small and few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.policy import plots, steady
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import SEARCH_S, Measuring
from benchmarks.policy.parts import drawn, frontier
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table
from envs.scenarios import load
from scheduler.policies import search
from scheduler.policies.moves import SUFFIX

JOBS = 150
WORKLOADS = 8
SCENARIOS = ((frontier.SCENARIO, (0.2, 0.5, 0.8, 1.0)), (drawn.SCENARIO, drawn.PREFERENCES))
GAVEL = "gavel"
OTHERS = ("themis", "tiresias", "srsf")
"""They do not look at w, and play one setting only."""
OTHERS_AT = (frontier.SCENARIO, 0.5)
SEARCHED = SHIPPED + search.SUFFIX
SEARCHED_AT = (frontier.SCENARIO, 0.8)
"""A search takes long, and plays one setting only."""


def tuned(scenario: str) -> str:
    """The rival: wgc tuned for the scenario."""
    return f"{BASE}:{scenario}"


def measure(how: Measuring) -> Found:
    """The tuned heuristic and the shipped policy, each with moves and without."""
    missing: list[str] = []
    how = replace(how, jobs=how.jobs or JOBS)
    learned = how.shipped(missing)
    moving = {name + SUFFIX: policy + SUFFIX for name, policy in learned.items()}
    settings, policies = [], {}
    for name, preferences in SCENARIOS:
        rival = tuned(name)
        for w in preferences:
            alike = name == drawn.SCENARIO
            setting = Setting(name, load(name), w, WORKLOADS, rival, alike=alike)
            settings.append(setting)
            others = OTHERS if (name, w) == OTHERS_AT else ()
            plain = {each: each for each in (BASE, rival, rival + SUFFIX, GAVEL, *others)}
            policies[setting.key] = plain | learned | moving
            if (name, w) == SEARCHED_AT and SHIPPED in learned:
                limited = f"{learned[SHIPPED]}{search.SUFFIX}/{SEARCH_S:g}"
                policies[setting.key][SEARCHED] = limited
    return {"settings": steady.play(how, "moves", settings, policies, missing), "missing": missing}


def report(found: Found, folder: Path) -> Section:
    """Differences to the tuned heuristic and to Gavel, and how busy the clusters were."""
    entries, bars = found["settings"], []
    for entry in entries:
        one = steady.gain(entry, SHIPPED + SUFFIX, entry["tuned"])
        if one is not None:
            bars.append((f"{entry['title']}, w = {entry['w']:g}", steady.shown(entry, one)))
    text = (
        f"{entries[0]['workloads']} test workloads of {entries[0]['jobs']} jobs. With `{SUFFIX}` "
        "a policy chooses again for a running job after each lease of six minutes, with what is "
        "left of it by estimate; where the job runs it needs no restart. A restart costs 20 s, "
        "and a stopped job saves its work first. The rival is `wgc` tuned for the scenario, which "
        "never stops a job. `gavel`, `themis`, `tiresias` and `srsf` do, and do not know w, prices "
        f"or deadlines. `{SEARCHED}` searches for at most {SEARCH_S:g} s in a round. On drawn "
        "clusters each workload counts alike."
    )
    shown = "Objective of the shipped policy with moves, to tuned wgc"
    axis = "difference of the objective, %"
    plots.write(lambda: plots.forest(bars, axis), folder / "moves.svg", shown)
    columns = ["scenario", ">w", "policy", *steady.against("tuned wgc"), f">to {GAVEL}"]
    columns += [">mean completion (min)", ">cost per job ($)"]
    return Section(
        "Moving running jobs",
        text,
        [Table("Differences", columns, list(_rows(entries))), steady.regimes(entries)],
        [("moves.svg", shown)],
    )


def _rows(entries: list[Found]) -> Iterator[list[str]]:
    for entry in entries:
        for name, (dollars, seconds) in entry["means"].items():
            if name != BASE:
                yield [
                    entry["title"],
                    f"{entry['w']:g}",
                    name,
                    *steady.cells(entry, name, entry["tuned"]),
                    steady.cells(entry, name, GAVEL)[0],
                    f"{seconds / 60:.0f}",
                    f"{dollars:.2f}",
                ]


PART = ReportPart("moves", measure, report)
