"""When devices become free, by the estimates of what runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scheduler.decisions.state.queue import Floats, Shape

if TYPE_CHECKING:
    from scheduler.decisions.state.cluster import Cluster

AHEAD_S = (0.0, 600.0, 3600.0, 14_400.0)
"""Now, in 10 minutes, in an hour, in four."""


class EarliestStarts:
    """Looks ahead in one cluster, and looks again only into pools that have changed."""

    def __init__(self) -> None:
        self._shapes: tuple[Shape, ...] = ()
        self._starts: Floats = np.empty(0)
        self._boots: Floats = np.empty(0)
        self._seen: list[int] = []
        """By shape: the version of its pool that is known of."""

    def starts(
        self, cluster: Cluster, shapes: tuple[Shape, ...], used: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """As `Cluster.starts`, of the cluster whose horizon this is."""
        if shapes is not self._shapes:
            known = len(self._shapes) if shapes[: len(self._shapes)] == self._shapes else 0
            new = len(shapes) - known
            self._shapes = shapes
            self._starts = np.concatenate([self._starts[:known], np.full(new, -np.inf)])
            self._boots = np.concatenate([self._boots[:known], np.zeros(new)])
            self._seen = self._seen[:known] + [-1] * new
        version, unknown = cluster.version, dict[int, list[int]]()
        for index in used:
            pool = shapes[index].pool
            if pool >= 0 and self._seen[index] != version[pool]:
                self._seen[index] = version[pool]
                unknown.setdefault(pool, []).append(index)
        for pool, indices in unknown.items():
            self._look(cluster, pool, indices)
        return self._starts, self._boots

    def _look(self, cluster: Cluster, pool: int, indices: list[int]) -> None:
        """One walk along the pool's releases for all shapes: what fits once, fits from then on."""
        free, starts, boots = cluster.occupancy[pool], self._starts, self._boots
        left: list[tuple[int, int, int]] = []
        for index in indices:
            shape = self._shapes[index]
            nodes = free.fit(shape.width, shape.memory)
            if nodes is None:
                left.append((shape.width, shape.memory, index))
            else:
                starts[index], boots[index] = -np.inf, free.boot_s(nodes)
        if not left:
            return
        # Least first: while the first does not fit, most others need not be asked.
        left.sort()
        free = free.copy()
        for attempt in cluster.releases(pool):
            free.give(attempt.nodes, attempt.memory)
            if free.free < left[0][0]:
                continue
            waiting = []
            for size in left:
                nodes = free.fit(size[0], size[1])
                if nodes is None:
                    waiting.append(size)
                else:
                    starts[size[2]], boots[size[2]] = attempt.end, free.boot_s(nodes)
            if not waiting:
                return
            left = waiting
        for _, _, index in left:
            starts[index] = np.inf


def ahead(cluster: Cluster, now: float) -> list[list[float]]:
    """Per pool: free devices ÷ devices of the pool, `AHEAD_S` from now."""
    shares: list[list[float]] = []
    for index, occupancy in enumerate(cluster.occupancy):
        free, count = occupancy.free, cluster.pools[index].count
        if free == count:
            shares.append([1.0] * len(AHEAD_S))
            continue
        soon = [(free + cluster.released(index, now + later)) / count for later in AHEAD_S[1:]]
        shares.append([free / count, *soon])
    return shares
