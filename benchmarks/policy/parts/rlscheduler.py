"""RLScheduler's protocol: its ten sequences, and fresh ones out of the same model.

Zhang et al., "RLScheduler: an automated HPC batch job scheduler using reinforcement learning", SC
2020; `benchmarks.rlscheduler` holds the simulator against its table. Decisions know the runtimes;
only slowdown counts, so w is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import Interval, relative
from benchmarks import rlscheduler
from benchmarks.policy import plots
from benchmarks.policy.cases import Case, Fresh, Published
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section, Table, number, signed
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.search import SUFFIX

HEURISTICS = ("fcfs", "sjf", "f1", "saf", "f4", "wgc")
SEARCHED = {Mode.COMMIT: f"f1{SUFFIX}", Mode.COMMIT_FCFS: f"saf{SUFFIX}"}
"""The search over the heuristic that is best in each mode."""
MODES = {Mode.COMMIT: "no backfilling", Mode.COMMIT_FCFS: "backfilling"}
LENGTHS = (1024,)
FRESH = 120
"""Sequences of each length."""
PUBLISHED = {
    "RLScheduler, published": (254.67, 58.64),
    "RLScheduler, greedy checkpoint": (250.50, 58.43),
}
"""Mean over the ten sequences, without and with backfilling."""
TEN = "ten"
INDEX = "hpc-lublin-index"
"""Group of the indices that a search has taught; the first is searched over, too."""


def measure(how: Measuring) -> Found:
    """Mean bounded slowdown of every sequence."""
    found = how.find("hpc-lublin")
    missing = list(found.missing)
    lengths = LENGTHS[:1] if how.quick else LENGTHS
    cases: dict[tuple[str, str], list[Case]] = {
        (str(mode), str(jobs)): [Fresh(seed, jobs, mode) for seed in how.some(FRESH)]
        for mode in MODES
        for jobs in lengths
    }
    if rlscheduler.TRACE.is_file():
        starts = rlscheduler.STARTS[:2] if how.quick else rlscheduler.STARTS
        cases |= {
            (str(mode), TEN): [Published(rlscheduler.TRACE, start, mode) for start in starts]
            for mode in MODES
        }
    else:
        missing.append("the ten sequences: lublin_256.swf.gz is no part of the project")
    modes = {one.name: one.manifest.mode for one in found.trained}
    searched = {name: name for name in SEARCHED.values()}
    indices = [one for one in found.trained if one.group == INDEX]
    searched |= {one.name + SUFFIX: one.policy + SUFFIX for one in indices[:1]}
    modes |= {name + SUFFIX: mode for name, mode in modes.items()}
    modes |= {name: str(mode) for mode, name in SEARCHED.items()}
    runs = how.runs(
        "rlscheduler",
        cases,
        {name: name for name in HEURISTICS} | searched | found.names,
        lambda name, key: cases[key] if modes.get(name, key[0]) == key[0] else [],
        missing,
    )
    slowdowns: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (mode, which), those in runs.items():
        slowdowns.setdefault(mode, {})[which] = {
            name: [one.slowdown for one in run] for name, run in those.items()
        }
    return {
        "learned": [*searched, *found.names],
        "slowdowns": slowdowns,
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """The ten sequences, then the fresh ones."""
    learned: Sequence[str] = found["learned"]
    slowdowns = found["slowdowns"]
    tables = []
    if all(TEN in sets for sets in slowdowns.values()):
        ten = {mode: sets[TEN] for mode, sets in slowdowns.items()}
        tables.append(_sequences(f"The ten sequences of {rlscheduler.JOBS:,} jobs", ten, learned))
    tables.append(_fresh(slowdowns, learned))
    section = Section(
        "RLScheduler's protocol",
        "Mean bounded slowdown on 256 processors with known runtimes. A chosen job blocks all "
        "others until it fits (mode `commit`; with backfilling `commit+fcfs`). A sequence is a "
        "window of a longer file. Ten sequences are the published ones. The fresh ones are drawn "
        "from the model of Lublin and Feitelson with seeds that no training used. A search "
        "(`…+search`) plays 8 jobs out in 16 futures of 48 arrivals from other files of the "
        f"model, and has no time limit. `{INDEX}` learned what searches found, the other networks "
        "by PPO.",
        tables,
    )
    rows = [
        (f"{MODES[Mode(mode)]}, {which}: {name}", _against(sets[which], name)[1])
        for mode, sets in slowdowns.items()
        for which in sets
        for name in _present(sets[which], learned)
    ]
    if not rows:
        return section
    axis = "mean bounded slowdown, % of the best heuristic"
    plots.write(lambda: plots.forest(rows, axis), folder / "rlscheduler.svg", axis)
    return replace(section, plots=(("rlscheduler.svg", "Difference to the best heuristic"),))


def _sequences(
    title: str,
    sets: Mapping[str, Mapping[str, Sequence[float]]],
    learned: Sequence[str],
) -> Table:
    rows = [
        [name, *(f"{value:.2f}" for value in pair), "–", "–"] for name, pair in PUBLISHED.items()
    ]
    for name in (*HEURISTICS, *learned):
        own = {mode: [sets[mode][name]] for mode in MODES if name in sets[mode]}
        rows.append([name, *_cells(sets, own, rated=name in learned)])
    for group, names in _groups(learned).items():
        own = {
            mode: [sets[mode][name] for name in names]
            for mode in MODES
            if all(name in sets[mode] for name in names)
        }
        rows.append([f"{group} (mean of {len(names)})", *_cells(sets, own, rated=True)])
    return Table(
        title,
        [
            "policy",
            *(f">{title}" for title in MODES.values()),
            *(f">{title}: to the best heuristic" for title in MODES.values()),
        ],
        rows,
        "Each learned policy runs only in the mode that it was trained for. The best heuristic is "
        "the one with the smallest mean in this table.",
    )


def _cells(
    sets: Mapping[str, Mapping[str, Sequence[float]]],
    own: Mapping[Mode, Sequence[Sequence[float]]],
    *,
    rated: bool,
) -> list[str]:
    """Means and differences to the best heuristic, in the modes that a policy was made for."""
    means = {mode: np.mean(runs, axis=0) for mode, runs in own.items()}
    slowdowns = [f"{means[mode].mean():.2f}" if mode in means else "–" for mode in MODES]
    if not rated:
        return [*slowdowns, *("–" for _ in MODES)]
    differences = []
    for mode in MODES:
        rival = best(sets[mode])
        differences.append(
            f"{signed(relative(means[mode], sets[mode][rival]))} to {rival}"
            if mode in means
            else "–"
        )
    return [*slowdowns, *differences]


def _fresh(
    slowdowns: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], learned: Sequence[str]
) -> Table:
    rows = []
    for mode, sets in slowdowns.items():
        for which, runs in sets.items():
            if which == TEN:
                continue
            rival, present = best(runs), _present(runs, learned)
            rated = {name: runs[name] for name in present} | {
                f"{group} (mean of {len(names)})": np.mean([runs[name] for name in names], axis=0)
                for group, names in _groups(present).items()
            }
            for name, own in ({name: runs[name] for name in HEURISTICS} | rated).items():
                row = [MODES[Mode(mode)], which, name, number(float(np.mean(own)), 4)]
                if name in rated:
                    won = np.mean(np.array(own) < np.array(runs[rival]))
                    row += [rival, signed(relative(own, runs[rival])), f"{won:.0%}"]
                else:
                    row += ["", "", ""]
                rows.append(row)
    count = len(next(iter(next(iter(slowdowns.values())).values()))[HEURISTICS[0]])
    return Table(
        f"Fresh sequences, {count} of each length",
        ["mode", ">jobs", "policy", ">slowdown", "best heuristic", ">to it", ">sequences won"],
        rows,
        "The best heuristic is chosen on these same sequences, which favours it.",
    )


def _against(runs: Mapping[str, Sequence[float]], name: str) -> tuple[str, Interval]:
    """The heuristic with the least mean, and the difference to it."""
    rival = best(runs)
    return rival, relative(runs[name], runs[rival])


def best(runs: Mapping[str, Sequence[float]]) -> str:
    """The heuristic with the least mean."""
    return min(HEURISTICS, key=lambda one: float(np.mean(runs[one])))


def _groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Trainings that differ only in their seed, where there are several."""
    return {group: members for group, members in seeds(names).items() if len(members) > 1}


def seeds(names: Sequence[str]) -> dict[str, list[str]]:
    """Name without the seed → names; a search over a policy is another policy."""
    groups: dict[str, list[str]] = {}
    for name in names:
        alone, search, _ = name.partition(SUFFIX)
        groups.setdefault((alone.rpartition("-")[0] or alone) + search, []).append(name)
    return groups


def _present(runs: Mapping[str, Sequence[float]], learned: Sequence[str]) -> list[str]:
    return [name for name in learned if name in runs]


PART = ReportPart("rlscheduler", measure, report, ("hpc-lublin",))
