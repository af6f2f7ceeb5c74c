"""Nodes that cannot be used, as decisions see them: something runs there that no job is.

The simulator shows a broken node in the same way (`envs.simulator.nodes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scheduler.decisions.state.entries import RunningAttempt
from scheduler.domain.pools import Pool
from scheduler.service.nodes.cluster_nodes import HeldNode

NODES = 1_000_000
"""No pool has more nodes."""


def held_devices(
    held: Iterable[HeldNode], pools: Sequence[Pool], running: Iterable[RunningAttempt]
) -> list[RunningAttempt]:
    """What takes all devices of these nodes that no attempt holds."""
    busy: Counter[tuple[int, int]] = Counter()
    for attempt in running:
        for node, devices in attempt.nodes:
            busy[attempt.pool, node] += devices
    found = []
    for pool, number, _, end in held:
        free = pools[pool].devices_per_node - busy[pool, number]
        if free > 0:
            # Jobs have positive numbers.
            mark = -1 - number - pool * NODES
            found.append(RunningAttempt(end, mark, pool, ((number, free),)))
    return found
