"""Promotion of a policy: a paired test on workloads that no policy has learned from.

Each workload gives one figure per policy: its objective ÷ that of `REFERENCE` on the same workload
at the same preference, averaged over the preferences. The candidate passes if the upper end of the
interval of the mean paired difference is below 0 for the incumbent, and at most a margin for every
heuristic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from agents.evaluation.compare import Comparison, compare
from agents.evaluation.metrics import REGIME
from agents.evaluation.run import Conditions
from agents.evaluation.sample_size import Evidence
from agents.evaluation.statistics import LEAST, Interval, difference
from agents.evaluation.summary import WEIGHED
from agents.registry.registry import Entry, Registry, at
from agents.serving.artifact import ArtifactManifest
from envs.scenarios import Scenario, Split, load
from scheduler.domain.errors import FulcrumError, InputError, MissingError, StateError
from scheduler.policies.lookup import named

BASELINES = ("wgc", "fastest", "cheapest", "best-value", "sjf", "fcfs", "saf", "f1", "f4")
"""Heuristics that a learned policy is compared with, in training and at promotion. Orders by area,
F1 and F4 are best on logs of parallel computers; wgc and placement by price on mixed clusters."""
REFERENCE = "wgc"
PREFERENCES = (0.2, 0.5, 0.8)
WORKLOADS = 24


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The test of the candidate against one other policy."""

    rival: str
    incumbent: bool
    score: float
    """Mean figure of the other policy; 1: as good as the reference."""
    difference: Interval
    """Candidate minus rival, over the workloads; below 0: the candidate is better."""
    margin: float
    """Largest upper end of the difference that passes."""
    median: float
    """Median over the workloads of the difference ÷ the rival's figure."""
    won: int
    """Workloads on which the candidate is better."""
    distinct: int
    """Independent workloads that the test is worth, see `agents.evaluation.sample_size`."""

    @property
    def passed(self) -> bool:
        """Whether it passed: with at least `LEAST` distinct workloads; the incumbent is beaten."""
        high, enough = self.difference.high, self.distinct >= LEAST
        return enough and (high < 0 if self.incumbent else high <= self.margin)


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Latency and cost of a policy at a preference, means over the workloads."""

    policy: str
    preference: float | None
    latency: float
    """From submission to end of a job: seconds, or ÷ the reference's."""
    cost: float
    """Of a job: dollars, or ÷ the reference's."""


@dataclass(frozen=True, slots=True)
class PromotionTest:
    """The tests of a candidate against the incumbent and the heuristics."""

    candidate: str
    score: float
    """Mean figure of the candidate; 1: as good as the reference."""
    scenario: str
    scenario_digest: str
    split: str
    workloads: int
    jobs: int | None
    preferences: tuple[float, ...]
    evidence: str
    """A sentence if the workloads share jobs; empty if each is independent."""
    regime: Mapping[str, float]
    """Metric of `REGIME` → its mean under `REFERENCE`."""
    duels: tuple[PairedTest, ...]
    """The incumbent first, then by score, best first."""
    relative: bool
    """Whether `trade_offs` are shares of each workload's reference, because its cluster is drawn;
    else they are seconds and dollars."""
    trade_offs: tuple[TradeOff, ...]
    """Of every policy at every preference."""

    @property
    def passed(self) -> bool:
        """Whether every paired test passed."""
        return all(duel.passed for duel in self.duels)

    def plain(self) -> dict[str, Any]:
        """The test as JSON."""
        content = asdict(self)
        for duel, values in zip(self.duels, content["duels"], strict=True):
            values["passed"] = duel.passed
        return {"passed": self.passed, **content}


def _silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """The outcome of `promote`."""

    entry: Entry
    """The candidate, as the registry has it now."""
    test: PromotionTest | None
    """None if it could not be run."""
    promoted: bool
    forced: bool
    """Whether it is promoted without a test that it passed."""
    used: bool
    """Whether it decides now."""
    notes: tuple[str, ...]
    """Sentences on what was left out, e.g. a damaged incumbent."""

    def plain(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "policy": self.entry.reference,
            "promoted": self.promoted,
            "forced": self.forced,
            "used": self.used,
            "trial": None if self.test is None else self.test.plain(),
        }


def promote(
    registry: Registry,
    name: str,
    *,
    scenario: Scenario | None = None,
    workloads: int = WORKLOADS,
    jobs: int | None = None,
    margin: float = 0.0,
    workers: int = 1,
    force: bool = False,
    use: Callable[[str], object] | None = None,
    command: str = "",
    progress: Callable[[int, int], None] = _silent,
) -> Promotion:
    """Test a registered policy, and make it the incumbent if it passes, or if `force`.

    `scenario`: where to test it; None: where it was trained. `margin`: what it may lose to a
    heuristic, as a share of the reference's objective. `use` is called with the name of the
    promoted version and makes it decide. `command` goes into the audit log. `progress` is called
    with the numbers of finished runs and of all runs.

    A test that fails is recorded, and raises nothing. Raises `MissingError` if there is no such
    policy, or if the scenario of its training cannot be loaded; `StateError` if it is the incumbent
    already, or if another policy was promoted during the test; `InputError` if the test cannot be
    run. With `force` it is promoted even if the test cannot be run.
    """
    entry, incumbent = registry.find(name), registry.incumbent()
    if incumbent == entry:
        raise StateError(
            f"{entry.reference} is the incumbent already", {"policy": "one that is not promoted"}
        )
    manifest = entry.manifest()
    test: PromotionTest | None = None
    rival, notes = None, []
    if incumbent is not None:
        if fault := incumbent.fault():
            notes.append(f"not compared with the incumbent: {fault}")
        else:
            rival = incumbent.reference
    try:
        where = _trained_on(manifest) if scenario is None else scenario
        tested = plan(entry.reference, rival, where, workloads=workloads, jobs=jobs)
        # Worker processes find the policies in the data folder that the settings name.
        with at(registry.folder.parent):
            test = evaluate(tested, rival, margin=margin, workers=workers, progress=progress)
    except FulcrumError as error:
        if not force:
            raise
        notes.append(f"not tested: {error.message}")
    passed = test is not None and test.passed
    plain = None if test is None else test.plain()
    if plain is not None and not passed and not force:
        registry.refuse(entry, command, plain)
    else:
        entry = registry.promote(entry, command, forced=not passed, trial=plain, instead=incumbent)
        if use is not None:
            use(entry.reference)
    promoted = passed or force
    return Promotion(
        entry, test, promoted, promoted and not passed, promoted and use is not None, tuple(notes)
    )


def plan(
    candidate: str,
    incumbent: str | None,
    scenario: Scenario,
    *,
    workloads: int = WORKLOADS,
    preferences: Sequence[float] = PREFERENCES,
    jobs: int | None = None,
) -> Comparison:
    """The runs of the test; `wgc` as tuned for the scenario takes part if it exists.

    Raises `InputError` for fewer than `LEAST` workloads, or a scenario without an objective.
    """
    if workloads < LEAST:
        raise InputError(
            f"{workloads} workloads are too few to show a difference",
            {"workloads": f"a whole number ≥ {LEAST}"},
        )
    if scenario.objective is None and scenario.randomisation is None:
        raise InputError(
            f"scenario {scenario.name!r} has no objective", {"scenario": "one with [objective]"}
        )
    scenario.check()
    rivals = (*([incumbent] if incumbent else []), *BASELINES, *_tuned(scenario))
    return Comparison(
        scenarios={scenario.name: scenario},
        policies=tuple(dict.fromkeys((candidate, *rivals))),
        seeds=tuple(range(workloads)),
        baseline=REFERENCE,
        preferences=tuple(preferences),
        conditions=Conditions(jobs=jobs, split=Split.TEST),
    )


def evaluate(
    comparison: Comparison,
    incumbent: str | None,
    *,
    margin: float = 0.0,
    workers: int = 1,
    progress: Callable[[int, int], None] = _silent,
) -> PromotionTest:
    """Run a `plan`, and test its first policy against the others.

    `margin`: what may be lost to a heuristic; nothing may be lost to the incumbent. Raises
    `InputError` if a run fails, naming the first.
    """
    total = len(comparison.keys)
    numbers = iter(range(1, total + 1))
    runs = compare(comparison, workers=workers, done=lambda _: progress(next(numbers), total))
    comparison = replace(comparison, runs=runs)
    if comparison.failures:
        failed = comparison.failures[0]
        raise InputError(
            f"{failed.key.policy} failed on {failed.key.scenario}, seed {failed.key.seed}: "
            f"{failed.error}",
            {"policy": "one that decides all workloads of the test"},
        )
    candidate, *rivals = comparison.policies
    figures = _figures(comparison)
    (scenario,) = comparison.scenarios.values()
    evidence = Evidence.of(scenario, comparison.conditions.jobs, comparison.runs)
    duels = []
    for rival in rivals:
        found = difference(figures[candidate], figures[rival], distinct=evidence.distinct)
        duels.append(
            PairedTest(
                rival,
                rival == incumbent,
                float(np.mean(figures[rival])),
                found.value,
                0.0 if rival == incumbent else margin,
                found.median,
                found.won,
                evidence.distinct,
            )
        )
    references = [run for run in comparison.runs if run.key.policy == REFERENCE]
    return PromotionTest(
        candidate=candidate,
        score=float(np.mean(figures[candidate])),
        scenario=scenario.name,
        scenario_digest=scenario.digest,
        split=str(comparison.conditions.split),
        workloads=len(comparison.seeds),
        jobs=comparison.conditions.jobs,
        preferences=tuple(w for w in comparison.preferences if w is not None),
        evidence=evidence.sentence,
        regime={name: float(np.mean([run.metrics[name] for run in references])) for name in REGIME},
        duels=tuple(sorted(duels, key=lambda duel: (not duel.incumbent, duel.score))),
        relative=scenario.objective is None,
        trade_offs=tuple(_trade_offs(comparison, relative=scenario.objective is None)),
    )


def _trade_offs(comparison: Comparison, *, relative: bool) -> Iterator[TradeOff]:
    (scenario,) = comparison.scenarios
    for policy in comparison.policies:
        for preference in comparison.preferences:
            runs = comparison.of(scenario, policy, preference).values()
            points = [
                run.point if relative else (run.metrics["jct_s"], run.metrics["dollars"])
                for run in runs
            ]
            latency, cost = np.mean(points, axis=0)
            yield TradeOff(policy, preference, float(latency), float(cost))


def _trained_on(manifest: ArtifactManifest) -> Scenario:
    try:
        return load(str(manifest.config.get("scenario", manifest.scenario)))
    except FulcrumError as error:
        raise MissingError(
            f"the scenario it was trained on cannot be loaded: {error.message}",
            {"scenario": "a name or a file to test it in"},
        ) from error


def _tuned(scenario: Scenario) -> tuple[str, ...]:
    name = f"{REFERENCE}:{scenario.name}"
    try:
        named(name)
    except FulcrumError:
        return ()
    return (name,)


def _figures(comparison: Comparison) -> Mapping[str, Sequence[float]]:
    """Policy → figure of each workload. Raises `InputError` if an objective is not finite."""
    objectives = {
        (run.key.policy, run.key.preference, run.key.seed): run.metrics[WEIGHED]
        for run in comparison.runs
    }
    found = {
        policy: [
            float(
                np.mean(
                    [
                        objectives[policy, w, seed] / max(objectives[REFERENCE, w, seed], 1e-12)
                        for w in comparison.preferences
                    ]
                )
            )
            for seed in comparison.seeds
        ]
        for policy in comparison.policies
    }
    if not all(math.isfinite(figure) for mine in found.values() for figure in mine):
        raise InputError("the objective of a run is not a number", {"scenario": "another"})
    return found
