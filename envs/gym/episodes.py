"""Episodes: a workload on a cluster, drawn from a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from envs.gym.rewards import Scales
from envs.scenarios import Latency, Objective, Scenario, Split, load
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
from scheduler.arrays import Floats
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import PREFERENCES

RANDOM = "random"
"""A preference that is drawn for every episode."""
ENDS = 0.2
"""Share of drawn preferences that are exactly 0 or 1, half of them each: users ask for both ends,
which a uniform draw never gives."""


class NothingToDecideError(InputError):
    """No round of a workload has more than one choice."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A workload on a cluster, with the units of its rewards."""

    workload: Workload
    spec: ClusterSpec
    estimator: RuntimeEstimator = field(default_factory=Exact)
    """A new estimator: it learns during the episode."""
    scales: Scales = field(default_factory=Scales)
    seed: int = 0
    """Seed of failures and revocations."""

    def at(self, preference: float) -> Episode:
        """The same episode at another preference of jobs that name none."""
        return replace(self, spec=replace(self.spec, preference=preference))


Draw = Callable[[int], Episode]
"""(seed) → the same episode for the same seed."""


def of_scenario(
    scenario: Scenario | str, jobs: int | None = None, split: Split | str = Split.TRAIN
) -> Draw:
    """A function that draws episodes of a scenario, given by name or as a value.

    Raises `MissingError` or `InputError` for an unknown scenario or split.
    """
    return ScenarioDraw(
        load(scenario) if isinstance(scenario, str) else scenario, jobs, _split(split)
    )


@dataclass(frozen=True, slots=True)
class ScenarioDraw:
    """A `Draw` out of a scenario; it can go to another process."""

    scenario: Scenario
    jobs: int | None
    split: Split

    def __call__(self, seed: int) -> Episode:
        """The episode of a seed."""
        drawn = self.scenario.draw(seed, self.split)
        return Episode(
            workload=self.scenario.workload(seed, self.jobs, self.split),
            spec=ClusterSpec.of(drawn),
            estimator=drawn.estimates.make(seed),
            scales=scales_of(drawn.objective),
            seed=seed,
        )


def scales_of(objective: Objective | None) -> Scales:
    """The scales of an objective; all 1 without one."""
    if objective is None:
        return Scales()
    scale, dollars = objective.latency_scale, objective.cost_scale_dollars
    miss = objective.missed_deadline
    if objective.latency is Latency.SLOWDOWN:
        return Scales(slowdown=scale, dollars=dollars, miss=miss, bounded=True)
    return Scales(latency_s=scale, dollars=dollars, miss=miss)


def drawn_preference(rng: np.random.Generator) -> float:
    """A preference that is uniform in 0 … 1, except for the share `ENDS`."""
    place, preference = rng.random(2)
    if place < ENDS:
        return float(place < ENDS / 2)
    return float(preference)


def stratified_preferences(count: int, rng: np.random.Generator) -> Floats:
    """(count,) Preferences distributed as by `drawn_preference`: one of each equal part, ascending.

    From 2 / `ENDS` on, both ends are among them.
    """
    places = (np.arange(count) + rng.random(count)) / count
    found: Floats = np.clip((places - ENDS / 2) / (1.0 - ENDS), 0.0, 1.0)
    return found


def checked_preference(preference: float | str | None) -> float | None:
    """A preference as a number, None for a random one.

    Raises `InputError` for anything that is not 0 … 1, one of `PREFERENCES`, `random` or None.
    """
    if preference is None or preference == RANDOM:
        return None
    number = PREFERENCES.get(preference) if isinstance(preference, str) else preference
    if isinstance(number, int | float) and 0 <= number <= 1:
        return float(number)
    legal = f"0 (cheapest) … 1 (fastest), {', '.join(PREFERENCES)}, or random"
    raise InputError(f"no preference {preference!r}", {"preference": legal})


def _split(split: Split | str) -> Split:
    try:
        return Split(split)
    except ValueError:
        raise InputError(f"no split {split!r}", {"split": f"one of {', '.join(Split)}"}) from None
