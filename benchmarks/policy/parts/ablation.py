"""What each part of a policy brings, by leaving it out: on `mixed-cloud` in steady state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agents.evaluation.statistics import difference
from benchmarks.policy import plots, steady
from benchmarks.policy.artifacts import SHIPPED
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts.frontier import SCENARIO, TUNED
from benchmarks.policy.steady import BASE, Setting
from benchmarks.policy.tables import Section, Table, signed
from envs.scenarios import Estimates, load

PREFERENCES = (0.2, 0.8)
WORKLOADS = 24
ESTIMATES: Mapping[str, Estimates] = {
    "exact": Estimates("exact"),
    "learned": Estimates("learned"),
    "noise": Estimates("noisy", {"sigma": 0.5}),
}
"""Instead of the scenario's: means of the last jobs that were alike."""
INDEX, CONSTANTS = f"{SHIPPED} index", f"{SHIPPED} constants"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a policy, and the policies with it and without it."""

    part: str
    whole: str
    without: str


PARTS = (
    LeftOut("order: wgc's index, not first come first served", TUNED, f"fcfs@{TUNED}"),
    LeftOut("order: wgc's index, not the smallest area first", TUNED, f"saf@{TUNED}"),
    LeftOut("placement: the price, not the preference (first come)", f"fcfs@{TUNED}", "fcfs"),
    LeftOut("placement: the price, not the end (first come)", f"fcfs@{TUNED}", "fcfs@fastest"),
    LeftOut("waiting: wgc may hold out for better devices", TUNED, f"{TUNED},patience=1e9"),
    LeftOut("constants: wgc's tuned ones, not the untuned ones", TUNED, BASE),
    LeftOut("learning: all that was learned over tuned wgc", SHIPPED, TUNED),
    LeftOut("learning: the correction of the order", SHIPPED, CONSTANTS),
    LeftOut("learning: constants that follow the cluster's state", SHIPPED, INDEX),
)


def measure(how: Measuring) -> Found:
    """Every policy of `PARTS`, then wgc and the shipped policy with other estimates."""
    missing: list[str] = []
    scenario = load(SCENARIO)
    settings = [Setting("as it is", scenario, w, WORKLOADS, TUNED) for w in PREFERENCES]
    policies = _policies(how, missing)
    entries = steady.play(
        how, "ablation", settings, {each.key: policies for each in settings}, missing
    )
    few = {name: policies[name] for name in (BASE, TUNED, SHIPPED) if name in policies}
    others = [
        Setting(name, replace(scenario, estimates=estimates), w, WORKLOADS, TUNED)
        for name, estimates in ESTIMATES.items()
        for w in PREFERENCES
    ]
    estimated = steady.play(
        how, "ablation, estimates", others, {each.key: few for each in others}, missing
    )
    return {"settings": entries, "estimates": estimated, "missing": missing}


def _policies(how: Measuring, missing: list[str]) -> dict[str, str]:
    """Name → policy, of all that `PARTS` compares and that can be used here."""
    found = how.find(SHIPPED, seeds=1)
    missing += found.missing
    learned: dict[str, str] = {}
    for one in found.trained[:1]:
        learned[SHIPPED] = one.policy
        if one.manifest.base:
            learned |= {INDEX: f"{one.policy}#index", CONSTANTS: f"{one.policy}#constants"}
    names = dict.fromkeys(name for each in PARTS for name in (each.whole, each.without))
    plain = [name for name in names if not name.startswith(SHIPPED)]
    usable = steady.known([BASE, *plain], missing)
    return usable | learned


def report(found: Found, folder: Path) -> Section:
    """The objective without each part, relative to the whole: above 0 the part helps."""
    entries, drawn, rows = found["settings"], [], []
    for each in PARTS:
        row = [each.part, each.whole, each.without]
        for entry in entries:
            one = steady.gain(entry, each.without, each.whole)
            if one is None:
                row.append("–")
                continue
            row.append(signed(steady.shown(entry, one), less=False))
            drawn.append((f"{each.part}, w = {entry['w']:g}", steady.shown(entry, one)))
        rows.append(row)
    columns = ["part", "with", "without", *(f">w = {entry['w']:g}" for entry in entries)]
    note = "✓: the part helps. What a search adds is under [moves](#moving-running-jobs)."
    where = entries[0]
    section = Section(
        "What each part brings",
        f"`{SCENARIO}`, {where['workloads']} test workloads of {where['jobs']:,} jobs. The "
        "objective without a part, relative to the policy with it on the same workloads: above 0 "
        "the part helps.",
        [
            Table("Parts left out", columns, rows, note),
            _estimates(entries, found["estimates"]),
            steady.regimes(entries),
        ],
    )
    axis = "objective without the part, % of that with it"
    plots.write(
        lambda: plots.forest(drawn, axis, less=False), folder / "ablation.svg", "Parts left out"
    )
    return replace(section, plots=(("ablation.svg", "The objective without each part"),))


def _estimates(entries: list[Found], estimated: list[Found]) -> Table:
    """The objective with other estimates, relative to the scenario's own."""
    rows = []
    for entry in estimated:
        own = next(each for each in entries if each["w"] == entry["w"])
        for name in (TUNED, SHIPPED):
            if name in entry["objective"]:
                one = difference(
                    entry["objective"][name], own["objective"][name], distinct=entry["distinct"]
                )
                rows.append([entry["title"], f"{entry['w']:g}", name, signed(one.relative)])
    return Table(
        "Estimates of runtimes",
        ["estimates", ">w", "policy", ">to the scenario's own"],
        rows,
        "The scenario's own estimates are means of the last jobs that were alike. Exact ones are "
        "out of reach: they show what better estimates could bring.",
    )


PART = ReportPart("ablation", measure, report)
