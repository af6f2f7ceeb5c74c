"""The devices of attempts as lanes of a picture: one lane is one device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import groupby

from scheduler.decisions.state.entries import Nodes

Lane = int
"""Number of a device in its pool: node · devices per node + device."""


def device_lanes(
    attempts: Iterable[tuple[float, float, int, Nodes]], devices_per_node: Sequence[int]
) -> Iterator[list[range]]:
    """The lanes of each attempt, as ranges of neighbouring lanes.

    `attempts`: (start, end, pool, nodes) in order of start. `devices_per_node`: by pool. A
    simulation counts the devices of a node without naming them, so an attempt gets the lowest free
    lanes of its nodes.
    """
    free: dict[tuple[int, int], list[Lane]] = {}
    held: list[tuple[float, int, list[Lane]]] = []
    for start, end, pool, nodes in attempts:
        per_node = devices_per_node[pool]
        while held and held[0][0] <= start:
            _, its_pool, released = heappop(held)
            for lane in released:
                heappush(free[its_pool, lane // devices_per_node[its_pool]], lane)
        taken: list[Lane] = []
        for node, count in nodes:
            first = node * per_node
            lanes = free.setdefault((pool, node), list(range(first, first + per_node)))
            taken += [heappop(lanes) for _ in range(count)]
        heappush(held, (end, pool, taken))
        yield list(_ranges(sorted(taken)))


def _ranges(lanes: Iterable[Lane]) -> Iterator[range]:
    """Neighbouring lanes joined: 0, 1, 2, 5 → 0 to 2 and 5."""
    for _, group in groupby(enumerate(lanes), lambda pair: pair[1] - pair[0]):
        joined = [lane for _, lane in group]
        yield range(joined[0], joined[-1] + 1)
