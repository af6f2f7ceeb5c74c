"""The arrays of a world: how large they are, and what they say of pools in which nothing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.compilation.columns import columns_of
from scheduler.decisions.kernel.cluster.attempts import SPARE_RELEASES
from scheduler.decisions.kernel.columns import (
    BUCKETS,
    CHANGING,
    DEVICES,
    FIXED,
    FREE_ATTEMPT,
    FREE_PART,
    JOBS,
    LIVE,
    MIX,
    NODES,
    ONE,
    POOLS,
    PROJECTS,
    RELEASES,
    ROWS,
    SCRATCH,
    SHAPES,
    SHOWN_ROWS,
    STATIC,
    TOP_PRICE,
    Columns,
)
from scheduler.domain.pools import Pool

_CAPACITY = {JOBS: 16, ROWS: 64, SHAPES: 16, MIX: 8, PROJECTS: 4, SHOWN_ROWS: 64}
GROUP_OF = {each.name: each.metadata["group"] for each in fields(Columns)}
NAMES = {
    use: [each.name for each in fields(Columns) if each.metadata["use"] == use]
    for use in (CHANGING, STATIC, SCRATCH)
}
"""Columns by their use."""


LEAST_CHARGE = 0.01
"""What a second of a device counts at least: free devices must be shared, too."""


def charges(pools: Sequence[Pool]) -> list[float]:
    """What a second of a device of each pool counts as usage.

    Its price ÷ the highest price, at least `LEAST_CHARGE`; without prices 1.
    """
    top = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
    if top <= 0.0:
        return [1.0 for _ in pools]
    return [max(pool.dollars_per_device_hour / top, LEAST_CHARGE) for pool in pools]


def allocate(world: Columns, pools: Sequence[Pool]) -> None:
    """Give a new world its arrays, and describe its pools, in which nothing runs."""
    devices = sum(pool.count for pool in pools)
    size = {
        ONE: 1,
        POOLS: len(pools),
        NODES: sum(pool.nodes for pool in pools),
        BUCKETS: sum(pool.devices_per_node + 2 for pool in pools),
        DEVICES: devices + 1,
        RELEASES: 2 * devices + SPARE_RELEASES * len(pools),
        **_CAPACITY,
    }
    kinds = columns_of(Columns)
    for each in fields(Columns):
        group, lead = each.metadata["group"], each.metadata["lead"]
        shape = lead if group == ONE else (*lead, size[group])
        setattr(world, each.name, np.zeros(shape, dtype=kinds[each.name].dtype))
    _describe_pools(world, pools)
    _link_nodes(world, pools)


def grow(world: Columns, group: str) -> None:
    """Double the capacity of a group of columns: handles of the world are void."""
    assert group not in FIXED
    for name, its in GROUP_OF.items():
        if its == group:
            setattr(world, name, doubled(getattr(world, name)))


def doubled(column: NDArray[Any]) -> NDArray[Any]:
    """The column and as many zeros, along its last axis."""
    size = column.shape[-1]
    # Memory of zeros that nobody writes is not really taken.
    wider = np.zeros((*column.shape[:-1], 2 * size), dtype=column.dtype)
    wider[..., :size] = column
    return wider


def _describe_pools(world: Columns, pools: Sequence[Pool]) -> None:
    node = bucket = release = 0
    world.pool_charge[:] = charges(pools)
    for index, pool in enumerate(pools):
        world.pool_nodes[index], world.pool_per_node[index] = pool.nodes, pool.devices_per_node
        world.pool_memory[index], world.pool_count[index] = pool.memory_per_node, pool.count
        world.pool_boot[index], world.pool_watts[index] = pool.boot_s, pool.watts_per_device
        world.pool_price[index] = pool.dollars_per_device_hour
        world.pool_first_node[index], world.pool_first_bucket[index] = node, bucket
        world.pool_first_release[index] = release
        world.pool_fits_seen[index] = world.pool_starts_seen[index] = -1
        world.pool_rules_seen[index] = -1
        places = slice(node, node + pool.nodes)
        world.node_devices[LIVE, places] = pool.devices_per_node
        world.node_memory[LIVE, places] = pool.memory_per_node
        world.node_cold[LIVE, places] = pool.boot_s > 0
        world.plane_free[LIVE, index] = pool.count
        node, bucket = node + pool.nodes, bucket + pool.devices_per_node + 2
        release += 2 * pool.count + SPARE_RELEASES
    world.figure[TOP_PRICE] = max((pool.dollars_per_device_hour for pool in pools), default=0.0)
    entries = len(world.attempt_job)
    world.attempt_next[:] = np.arange(1, entries + 1)
    world.part_next[:] = np.arange(1, entries + 1)
    world.attempt_next[-1] = world.part_next[-1] = -1
    world.count[FREE_ATTEMPT] = world.count[FREE_PART] = 0


def _link_nodes(world: Columns, pools: Sequence[Pool]) -> None:
    """Put all nodes into their buckets; `nodes.link_all` would have to be compiled first."""
    world.bucket_first[LIVE] = world.bucket_last[LIVE] = -1
    for index, pool in enumerate(pools):
        first, count = int(world.pool_first_node[index]), pool.nodes
        world.node_next[LIVE, first : first + count] = [*range(1, count), -1]
        world.node_before[LIVE, first : first + count] = range(-1, count - 1)
        bucket = int(world.pool_first_bucket[index]) + pool.devices_per_node + (pool.boot_s > 0)
        world.bucket_first[LIVE, bucket], world.bucket_last[LIVE, bucket] = 0, count - 1
