"""When devices become free, by the estimates of what runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from scheduler.decisions.state.occupancy import Nodes, Occupancy
from scheduler.decisions.state.queue import Bools, Floats, Shape
from scheduler.domain.pools import Pool

AHEAD_S = (0.0, 600.0, 3600.0, 14_400.0)
"""Now, in 10 minutes, in an hour, in four."""


class _Release(Protocol):
    """A running attempt, of which only the end matters here."""

    @property
    def end(self) -> float:
        """Estimated end, Unix seconds."""

    @property
    def nodes(self) -> Nodes:
        """Devices that become free."""

    @property
    def memory(self) -> int:
        """Bytes that become free."""


class _Cluster(Protocol):
    """What is read of a `Cluster`, which itself uses this module."""

    pools: tuple[Pool, ...]
    occupancy: list[Occupancy]
    version: list[int]

    def releases(self, pool: int) -> Sequence[_Release]:
        """What runs in a pool, soonest estimated end first."""

    def released(self, pool: int, until: float) -> int:
        """Devices of a pool that attempts hold which end by then, by estimates."""


class FittingShapes:
    """Which shapes fit now; looks again only into pools that have changed."""

    def __init__(self, pools: int) -> None:
        self._shapes: tuple[Shape, ...] = ()
        self._fits: Bools = np.ones(0, dtype=np.bool_)
        self._seen = [-1] * pools
        self._indices: list[list[int]] = [[] for _ in range(pools)]
        self._sizes: list[list[tuple[int, int]]] = [[] for _ in range(pools)]
        self._new: list[int] = []

    def serves(self, shapes: tuple[Shape, ...]) -> bool:
        """Whether what is known holds for these shapes: more may have come, none may be gone."""
        if shapes is self._shapes:
            return True
        known = len(self._shapes)
        if shapes[:known] != self._shapes:
            return False
        for index, (pool, width, memory) in enumerate(shapes[known:], known):
            if pool >= 0:
                self._indices[pool].append(index)
                self._sizes[pool].append((width, memory))
                self._new.append(index)
        self._fits = np.concatenate([self._fits, np.ones(len(shapes) - known, dtype=np.bool_)])
        self._shapes = shapes
        return True

    def now(self, cluster: _Cluster) -> Bools:
        """(shapes,) Which fit; the same array until the next call."""
        version, fits = cluster.version, self._fits
        for index in self._new:
            pool, width, memory = self._shapes[index]
            fits[index] = cluster.occupancy[pool].fit(width, memory) is not None
        self._new.clear()
        if self._seen != version:
            for pool, (seen, current) in enumerate(zip(self._seen, version, strict=True)):
                if seen != current:
                    fit = cluster.occupancy[pool].fit
                    found = [fit(width, memory) is not None for width, memory in self._sizes[pool]]
                    fits[self._indices[pool]] = found
            self._seen = version.copy()
        return fits


class EarliestStarts:
    """Looks ahead in one cluster, and looks again only into pools that have changed."""

    def __init__(self) -> None:
        self._shapes: tuple[Shape, ...] = ()
        self._starts: Floats = np.empty(0)
        self._boots: Floats = np.empty(0)
        self._seen: list[int] = []
        """By shape: the version of its pool when it was last looked at."""

    def starts(
        self, cluster: _Cluster, shapes: tuple[Shape, ...], used: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """As `Cluster.starts`; always of the same cluster."""
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

    def _look(self, cluster: _Cluster, pool: int, indices: list[int]) -> None:
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
            free.release(attempt.nodes, attempt.memory)
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


def ahead(cluster: _Cluster, now: float) -> list[list[float]]:
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
