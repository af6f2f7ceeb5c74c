"""Policies on scenarios in steady state: what the parts about objectives share.

Policies meet the same workloads, failures and errors of estimates, so only paired differences
count: single workloads of heavy tails differ far more than policies do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.evaluation.metrics import REGIME
from agents.evaluation.sample_size import Evidence
from agents.evaluation.statistics import LEAST_WAITING, Difference, Interval, difference
from agents.report.format import NONE
from benchmarks.policy.cases import CaseFigures, Drawn
from benchmarks.policy.document import Found
from benchmarks.policy.evaluation import Measuring, searchable
from benchmarks.policy.tables import Table, number, signed
from envs.baselines.catalogue import DRIVERS
from envs.scenarios import Scenario, Split
from scheduler.domain.errors import FulcrumError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.lookup import named
from scheduler.policies.placements import PLACEMENTS
from scheduler.policies.search import SUFFIX

BASE = "wgc"
ORDERS = tuple(name for name in HEURISTICS if name not in ("tetris", *PLACEMENTS))
HEATS, FINALISTS, TUNING = 2, 6, 10
"""Workloads of the split `tuning` that all orders play; how many orders of these play all."""
TESTED = 2
"""Orders that come to the test; the rival is the one that was best in tuning."""
FEW = 6
"""Workloads that policies play at most whose decisions take long: searches, networks of rows."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A scenario at one preference, and the workloads on which policies meet there."""

    title: str
    scenario: Scenario
    w: float
    workloads: int
    tuned: str = BASE
    """wgc with the constants that were tuned for such scenarios."""
    first: int = 0
    """Seed of the first workload."""
    rivals_from: Split = Split.TUNING
    """Split on whose workloads the best textbook order is chosen."""
    alike: bool = False
    """Whether each workload counts alike, by its ratio: clusters of all sizes are drawn."""

    @property
    def key(self) -> str:
        """For people, and unique in a part."""
        return f"{self.title}, w = {self.w:g}"

    def cases(
        self, how: Measuring, most: int | None = None, split: Split = Split.TEST
    ) -> list[Drawn]:
        """The first `most` workloads; None: all."""
        seeds = how.some(min(self.workloads, most or self.workloads))
        return [Drawn(self.scenario, self.first + at, self.w, how.jobs, split) for at in seeds]


def play(
    how: Measuring,
    title: str,
    settings: Sequence[Setting],
    policies: Mapping[str, Mapping[str, str]],
    missing: list[str],
) -> list[Found]:
    """What each setting's policies reach: one JSON object for each setting.

    `policies`: key of the setting → name → policy; untuned wgc must be among them, because the
    regime is told under it. A policy may be one of `envs.baselines.catalogue.DRIVERS`.
    """
    keyed = {setting.key: setting for setting in settings}
    everyone = {name: policy for those in policies.values() for name, policy in those.items()}

    def cases(name: str, key: str) -> list[Drawn]:
        if name not in policies[key]:
            return []
        policy = everyone[name]
        if policy in DRIVERS:
            return [replace(case, driver=policy) for case in keyed[key].cases(how)]
        return keyed[key].cases(how, _most(policy))

    # Where a driver decides, the policy does not count.
    served = {name: BASE if policy in DRIVERS else policy for name, policy in everyone.items()}
    runs = how.runs(title, keyed, served, cases, missing)
    return [_entry(how, keyed[key], those) for key, those in runs.items()]


def _most(policy: str) -> int | None:
    return FEW if SUFFIX in policy or not searchable(policy) else None


def _entry(how: Measuring, setting: Setting, runs: Mapping[str, Sequence[CaseFigures]]) -> Found:
    scenario, base = setting.scenario, runs[BASE]
    rows = [
        None
        if scenario.source.trace is None
        else scenario.workload(case.seed, case.jobs, case.split).rows
        for case in setting.cases(how)
    ]
    regime = np.mean([one.regime for one in base], axis=0).tolist()
    return {
        "title": setting.title,
        "w": setting.w,
        "scenario": scenario.name,
        "version": scenario.version,
        "digest": scenario.digest,
        "mode": str(scenario.mode),
        "jobs": how.jobs or scenario.source.jobs,
        "workloads": len(base),
        "distinct": Evidence.among(scenario, how.jobs, rows).distinct,
        "alike": setting.alike,
        "tuned": setting.tuned,
        "regime": dict(zip(REGIME, regime, strict=True)),
        "objective": {name: [one.at(setting.w) for one in run] for name, run in runs.items()},
        "means": {
            name: np.mean([(one.dollars, one.jct_s) for one in run], axis=0).tolist()
            for name, run in runs.items()
        },
    }


def fair_rivals(
    how: Measuring, title: str, settings: Sequence[Setting]
) -> dict[str, dict[str, float]]:
    """Key of a setting → the `FINALISTS` textbook orders, best first, with their tuning figures.

    Each order comes with every placement rule, wgc's price with the tuned constants among them,
    and is chosen on workloads of the split `tuning`. A figure is the mean objective; where
    workloads count alike, the mean of its ratios to wgc's.
    """
    orders = ORDERS[:2] if how.quick else ORDERS
    left = {each.key: [*_placed(orders, each)] for each in settings}
    found: dict[str, dict[str, float]] = {}
    keyed = {each.key: each for each in settings}
    for count, kept in ((HEATS, FINALISTS), (TUNING, FINALISTS)):
        names = dict.fromkeys([BASE, *(name for those in left.values() for name in those)])
        runs = how.runs(
            f"{title}: orders with placements, {count} tuning workloads",
            keyed,
            {name: name for name in names},
            lambda name, key: (
                replace(keyed[key], workloads=count).cases(how, split=keyed[key].rivals_from)  # noqa: B023
                if name == BASE or name in left[key]
                else []
            ),
            [],
        )
        for key, those in runs.items():
            base = np.array([one.at(keyed[key].w) for one in those[BASE]])
            means = {}
            for name in left[key]:
                own = np.array([one.at(keyed[key].w) for one in those[name]])
                means[name] = float(np.mean(own / base if keyed[key].alike else own))
            best = sorted(means, key=lambda name: means[name])[:kept]
            left[key], found[key] = best, {name: means[name] for name in best}
    return found


def _placed(orders: Sequence[str], setting: Setting) -> Iterable[str]:
    """Each order with each placement. Where all devices are alike, all rules place alike."""
    if len({pool.model for pool in setting.scenario.pools}) == 1:
        return orders
    rules = (*PLACEMENTS, setting.tuned)
    return [f"{order}@{rule}" for order in orders for rule in rules]


def known(names: Iterable[str], missing: list[str]) -> dict[str, str]:
    """Name → policy, of those that can be used; `missing` gets a note on the others."""
    usable = {}
    for name in names:
        try:
            named(name)
            usable[name] = name
        except FulcrumError as error:
            missing.append(f"{name}: {error.message}")
    return usable


def gain(entry: Found, name: str, rival: str) -> Difference | None:
    """The difference of two policies on the workloads that both have played; None: one has not."""
    runs = entry["objective"]
    if name not in runs or rival not in runs:
        return None
    count = min(len(runs[name]), len(runs[rival]))
    own, other = (np.array(runs[one][:count]) for one in (name, rival))
    if entry["alike"]:
        own, other = own / other, np.ones(count)
    return difference(own, other, distinct=min(count, entry["distinct"]))


def shown(entry: Found, found: Difference) -> Interval:
    """The relative difference; it counts as many workloads as it is worth."""
    return replace(found.relative, count=min(found.count, entry["distinct"]))


def cells(entry: Found, name: str, rival: str) -> list[str]:
    """Mean with its interval, median, share of the workloads won."""
    found = gain(entry, name, rival)
    if found is None or name == rival:
        return [NONE] * 3
    won = f"{found.won} of {found.count}"
    median = signed(Interval(found.median, np.nan, np.nan, 1))
    return [signed(shown(entry, found)), median, won]


def against(rival: str) -> list[str]:
    """Heads of the columns of `cells`."""
    return [f">to {rival}", ">median", ">won"]


def regimes(entries: Sequence[Found]) -> Table:
    """How busy the clusters were: a result holds for no other regime."""
    rows = []
    for entry in entries:
        regime = entry["regime"]
        waiting = f"{regime['waiting']:.0%}"
        used = regime["utilisation"]
        known = not np.isnan(used)  # where all jobs come at once there is no time that counts
        rows.append(
            [
                entry["title"],
                f"{entry['w']:g}",
                f"{entry['workloads']} × {entry['jobs']:,}",
                str(entry["distinct"]),
                f"{used:.0%}" if known else NONE,
                number(regime["queue_mean"]),
                number(regime["queue_max"]) if known else NONE,
                waiting if regime["waiting"] >= LEAST_WAITING else f"{waiting} (hardly queues)",
            ]
        )
    columns = ["scenario", ">w", ">workloads × jobs", ">independent", ">utilisation"]
    columns += [">mean queue", ">longest queue", ">waiting share of latency"]
    note = (
        "Means under untuned wgc. Jobs are those that count, in a cluster that is busy before the "
        "first and after the last. Independent: how many workloads without a common job these are "
        "worth; below six nothing is marked."
    )
    return Table("Regime", columns, rows, note)
