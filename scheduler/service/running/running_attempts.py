"""Active attempts as decisions see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from scheduler.decisions.state.entries import Nodes, RunningAttempt
from scheduler.domain.jobs import Attempt
from scheduler.domain.pools import Pool


def running_attempts(
    attempts: Iterable[Attempt], pools: Sequence[Pool], ends: Mapping[int, float]
) -> tuple[RunningAttempt, ...]:
    """The part of each attempt that the pools still have; `ends`: estimated end by job.

    Pools may have been removed, or made smaller, while an attempt ran. Decisions ignore devices
    outside the pools; the rest always fits.
    """
    index = {pool.name: at for at, pool in enumerate(pools)}
    left: dict[tuple[int, int], int] = {}
    found = []
    for attempt in attempts:
        at = index.get(attempt.pool)
        nodes = () if at is None else _nodes(attempt.devices, pools[at])
        if at is None or not nodes:
            continue
        memory, whole = attempt.memory_bytes, pools[at].memory_per_node
        if whole:
            width = sum(count for _, count in nodes)
            free = {node: left.get((at, node), whole) for node, _ in nodes}
            memory = min(memory, *(free[node] * width // count for node, count in nodes))
            for node, count in nodes:
                left[at, node] = free[node] - -(-memory * count // width)
        found.append(RunningAttempt(ends[attempt.job], attempt.job, at, nodes, memory))
    return tuple(found)


def lowest(nodes: Nodes, per_node: int, busy: Collection[int]) -> tuple[int, ...] | None:
    """The lowest device indices on these nodes that are not `busy`; None if there are too few."""
    chosen: list[int] = []
    for node, count in nodes:
        on_node = range(node * per_node, (node + 1) * per_node)
        free = [device for device in on_node if device not in busy][:count]
        if len(free) < count:
            return None
        chosen += free
    return tuple(chosen)


def _nodes(devices: Sequence[int], pool: Pool) -> Nodes:
    counts: dict[int, int] = {}
    for device in devices:
        if device < pool.count:
            node = device // pool.devices_per_node
            counts[node] = counts.get(node, 0) + 1
    return tuple(sorted(counts.items()))
