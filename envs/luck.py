"""Everything random in a simulation, by purpose and by whom it befalls.

Whether the second attempt of job 17 fails depends on the seed and on nothing else, least of all on
the schedule: policies are compared under equal luck (common random numbers; Law, "Simulation
Modeling and Analysis", 5th ed., 2015, sec. 11.2).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from envs.workloads.streams import Seed

HOUR_S = 3600.0


class _Purpose(IntEnum):
    ATTEMPT = 0
    REVOCATION = 1
    FAILURE = 2


class Luck:
    """Draws of one seed; the same question always has the same answer."""

    def __init__(self, seed: Seed = 0) -> None:
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self._entropy, self._place = root.entropy, root.spawn_key

    def failure(self, job: int, attempt: int, probability: float) -> float | None:
        """The share of its run after which an attempt fails, uniform; None: it does not."""
        fails, share = self._draw(_Purpose.ATTEMPT, job, attempt).random(2)
        return float(share) if fails < probability else None

    def revocation(self, pool: int, node: int, life: int, per_hour: float) -> float:
        """Seconds that a spot node is left to us in its `life`-th life, exponential."""
        return self._life(_Purpose.REVOCATION, pool, node, life, per_hour)

    def breakdown(self, pool: int, node: int, life: int, per_hour: float) -> float:
        """Seconds until a node breaks down in its `life`-th life, exponential."""
        return self._life(_Purpose.FAILURE, pool, node, life, per_hour)

    def _life(self, purpose: _Purpose, pool: int, node: int, life: int, per_hour: float) -> float:
        if per_hour <= 0:
            return np.inf
        drawn = self._draw(purpose, pool, node, life).standard_exponential()
        return float(drawn) * HOUR_S / per_hour

    def _draw(self, purpose: _Purpose, *who: int) -> np.random.Generator:
        key = (*self._place, int(purpose), *who)
        return np.random.default_rng(np.random.SeedSequence(self._entropy, spawn_key=key))
