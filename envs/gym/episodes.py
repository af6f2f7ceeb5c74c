"""Episodes: a workload on a cluster, drawn from a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from envs.gym.rewards import Scales
from envs.scenarios import Latency, Objective, Scenario, Split, load
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import Exact, RuntimeEstimator
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


Draw = Callable[[int], Episode]
"""(seed) → the same episode for the same seed."""


def of_scenario(
    scenario: Scenario | str, jobs: int | None = None, split: Split | str = Split.TRAIN
) -> Draw:
    """A function that draws episodes of a scenario, given by name or as a value.

    Raises `MissingError` or `InputError` for an unknown scenario or split.
    """
    base = load(scenario) if isinstance(scenario, str) else scenario
    split = _split(split)

    def draw(seed: int) -> Episode:
        drawn = base.draw(seed, split)
        return Episode(
            workload=base.workload(seed, jobs, split),
            spec=ClusterSpec.of(drawn),
            estimator=drawn.estimates.make(seed),
            scales=scales_of(drawn.objective),
            seed=seed,
        )

    return draw


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
