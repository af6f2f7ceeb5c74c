"""The random events of a simulation, drawn by purpose and by the attempt or node concerned.

Whether the second attempt of job 17 fails depends on the seed and on nothing else. It does not
depend on the schedule, so policies are compared under common random numbers (Law, "Simulation
Modeling and Analysis", 5th ed., 2015, sec. 11.2).

The numbers are counter-based (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011): a hash of the seed, the purpose and the numbers of the attempt or node. A draw
needs no seeded generator.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import blake2b
from math import inf, log1p
from struct import Struct

import numpy as np

from envs.workloads.streams import Seed

HOUR_S = 3600.0
_COUNTERS = Struct("<4q").pack
_TWO = Struct("<2Q").unpack
_UNIT = 2.0**-53


class _Purpose(IntEnum):
    ATTEMPT = 0
    REVOCATION = 1
    FAILURE = 2


class RandomEvents:
    """Draws of one seed. The same arguments always give the same result."""

    def __init__(self, seed: Seed = 0) -> None:
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        key = root.generate_state(8, np.uint32).astype("<u4").tobytes()
        self._keyed = blake2b(digest_size=16, key=key)

    def failure(self, job: int, attempt: int, probability: float) -> float | None:
        """Share of the run after which an attempt fails, uniform; None if it does not fail."""
        fails, share = self._draw(_Purpose.ATTEMPT, job, attempt, 0)
        return share if fails < probability else None

    def revocation(self, pool: int, node: int, life: int, per_hour: float) -> float:
        """Seconds until a spot node is revoked in its `life`-th life, exponential."""
        return self._life(_Purpose.REVOCATION, pool, node, life, per_hour)

    def breakdown(self, pool: int, node: int, life: int, per_hour: float) -> float:
        """Seconds until a node breaks down in its `life`-th life, exponential."""
        return self._life(_Purpose.FAILURE, pool, node, life, per_hour)

    def _life(self, purpose: _Purpose, pool: int, node: int, life: int, per_hour: float) -> float:
        if per_hour <= 0:
            return inf
        return -log1p(-self._draw(purpose, pool, node, life)[0]) * HOUR_S / per_hour

    def _draw(self, purpose: _Purpose, *counters: int) -> tuple[float, float]:
        """Two numbers, uniform in [0, 1)."""
        keyed = self._keyed.copy()
        keyed.update(_COUNTERS(purpose, *counters))
        first, second = _TWO(keyed.digest())
        return (first >> 11) * _UNIT, (second >> 11) * _UNIT
