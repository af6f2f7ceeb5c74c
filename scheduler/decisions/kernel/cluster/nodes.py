"""Free devices and memory, node by node: which nodes a placement takes, and taking them.

Nodes with equally many free devices share a bucket, a doubly linked list, so the fullest node that
still fits (best fit: least left over; Johnson 1973) takes one look per possible count. Of equal
nodes the one that came into its bucket first is taken. A pool of one node has no buckets. A *cold*
node has to boot; of empty nodes those that are up come first.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.node_choice import among, cheapest_node
from scheduler.decisions.kernel.columns import (
    BESIDE,
    FIT_PARTS,
    LIVE,
    RESERVED,
    RULE,
    Columns,
)


@entry_point
def fit(w: Columns, plane: int, pool: int, width: int, memory: int) -> bool:
    """Find the nodes for `width` devices with `memory` bytes; whether there are any.

    They are left in `fit_node` and `fit_devices`. A width up to a node's devices is placed inside
    one node; a greater one takes nodes whole and the rest best-fit.
    """
    w.count[FIT_PARTS] = 0
    if width > w.plane_free[plane, pool]:
        return False
    per_node = w.pool_per_node[pool]
    whole, rest = width // per_node, width % per_node
    if whole > 1 or (whole == 1 and rest):
        return _spanning(w, plane, pool, width, memory)
    count = per_node if whole else rest
    node = best_node(w, plane, pool, count, memory, 0)
    if node < 0:
        return False
    _take_part(w, node, count)
    return True


@compiled
def best_node(w: Columns, plane: int, pool: int, count: int, memory: int, used: int) -> int:
    """The node for a part of `count` devices and `memory` bytes; -1: none suffices.

    The first `used` nodes of `fit_node` are left out.
    """
    if w.state[RULE] and w.pool_nodes[pool] > 1:
        return cheapest_node(w, plane, pool, count, memory, used)
    limited = memory > 0 and w.pool_memory[pool] > 0
    base = w.pool_first_node[pool]
    if w.pool_nodes[pool] == 1:
        short = w.node_devices[plane, base] < count or (
            limited and w.node_memory[plane, base] < memory
        )
        return -1 if short or used else 0
    for bucket in range(count, w.pool_per_node[pool] + 2):
        node = w.bucket_first[plane, w.pool_first_bucket[pool] + bucket]
        while node >= 0:
            enough = not limited or w.node_memory[plane, base + node] >= memory
            if enough and not (used and among(w, node, used)):
                return node
            node = w.node_next[plane, base + node]
    return -1


@compiled
def part_memory(memory: int, devices: int, width: int) -> int:
    """Memory of a part, in proportion to its devices; the sum of all parts is at least `memory`."""
    if devices == width:
        return memory
    return (memory * devices + width - 1) // width


@compiled
def boot_of(w: Columns, plane: int, pool: int) -> float:
    """Seconds until an attempt on the nodes found runs: the pool's boot time if a node is cold."""
    if w.pool_boot[pool] > 0.0:
        base = w.pool_first_node[pool]
        for part in range(w.count[FIT_PARTS]):
            if w.node_cold[plane, base + w.fit_node[part]]:
                return w.pool_boot[pool]
    return 0.0


@compiled
def room(w: Columns, plane: int, pool: int, memory: int) -> bool:
    """Whether the nodes in `fit_node` have what `fit_devices` and `memory` say."""
    base, width = w.pool_first_node[pool], 0
    for part in range(w.count[FIT_PARTS]):
        width += w.fit_devices[part]
    for part in range(w.count[FIT_PARTS]):
        node, devices = base + w.fit_node[part], w.fit_devices[part]
        short = w.node_memory[plane, node] < part_memory(memory, devices, width)
        if w.node_devices[plane, node] < devices or (w.pool_memory[pool] > 0 and short):
            return False
    return True


@compiled
def occupy(w: Columns, plane: int, pool: int, width: int, memory: int) -> None:
    """Take the nodes that were found."""
    for part in range(w.count[FIT_PARTS]):
        devices = w.fit_devices[part]
        change(w, plane, pool, w.fit_node[part], -devices, -part_memory(memory, devices, width))


@compiled
def release(w: Columns, plane: int, attempt: int) -> None:
    """Free what an attempt holds."""
    pool, width = w.attempt_pool[attempt], w.attempt_width[attempt]
    memory, part = w.attempt_memory[attempt], w.attempt_part[attempt]
    while part >= 0:
        devices = w.part_devices[part]
        change(w, plane, pool, w.part_node[part], devices, part_memory(memory, devices, width))
        part = w.part_next[part]


@compiled
def change(w: Columns, plane: int, pool: int, node: int, devices: int, memory: int) -> None:
    """Add to what is free on a node."""
    at = w.pool_first_node[pool] + node
    w.node_memory[plane, at] += memory
    if devices:
        _unlink(w, plane, pool, node)
        w.node_devices[plane, at] += devices
        w.plane_free[plane, pool] += devices
        _link(w, plane, pool, node)


@entry_point
def mark_cold(w: Columns, pool: int, node: int, cold: int) -> None:
    """Note whether a start on a node has to wait for its boot."""
    at = w.pool_first_node[pool] + node
    if w.node_cold[LIVE, at] != cold:
        _unlink(w, LIVE, pool, node)
        w.node_cold[LIVE, at] = cold
        _link(w, LIVE, pool, node)
    w.pool_version[pool] += 1


@compiled
def copy_plane(w: Columns, source: int, target: int, pool: int) -> None:
    """Make one plane of a pool equal to another."""
    for at in range(w.pool_first_node[pool], w.pool_first_node[pool] + w.pool_nodes[pool]):
        w.node_devices[target, at] = w.node_devices[source, at]
        w.node_memory[target, at] = w.node_memory[source, at]
        w.node_cold[target, at] = w.node_cold[source, at]
        w.node_next[target, at] = w.node_next[source, at]
        w.node_before[target, at] = w.node_before[source, at]
    w.plane_free[target, pool] = w.plane_free[source, pool]
    if w.pool_nodes[pool] == 1:
        return
    first = w.pool_first_bucket[pool]
    for at in range(first, first + w.pool_per_node[pool] + 2):
        w.bucket_first[target, at] = w.bucket_first[source, at]
        w.bucket_last[target, at] = w.bucket_last[source, at]


@compiled
def refresh_beside(w: Columns, pool: int) -> None:
    """Make the plane BESIDE what is free both now and at the start of the reservation."""
    if w.pool_beside[pool]:
        return
    w.pool_beside[pool] = 1
    first, free = w.pool_first_node[pool], 0
    for at in range(first, first + w.pool_nodes[pool]):
        devices = min(w.node_devices[LIVE, at], w.node_devices[RESERVED, at])
        w.node_devices[BESIDE, at] = devices
        w.node_memory[BESIDE, at] = min(w.node_memory[LIVE, at], w.node_memory[RESERVED, at])
        w.node_cold[BESIDE, at] = w.node_cold[RESERVED, at]
        free += devices
    w.plane_free[BESIDE, pool] = free
    link_all(w, BESIDE, pool)


@compiled
def link_all(w: Columns, plane: int, pool: int) -> None:
    """Put all nodes into their buckets, by number."""
    if w.pool_nodes[pool] == 1:
        return
    first = w.pool_first_bucket[pool]
    for bucket in range(first, first + w.pool_per_node[pool] + 2):
        w.bucket_first[plane, bucket] = w.bucket_last[plane, bucket] = -1
    for node in range(w.pool_nodes[pool]):
        _link(w, plane, pool, node)


@compiled
def _bucket(w: Columns, plane: int, pool: int, node: int) -> int:
    at = w.pool_first_node[pool] + node
    free = w.node_devices[plane, at]
    if free == w.pool_per_node[pool] and w.node_cold[plane, at]:
        free += 1
    return w.pool_first_bucket[pool] + free


@compiled
def _unlink(w: Columns, plane: int, pool: int, node: int) -> None:
    if w.pool_nodes[pool] == 1:
        return
    base, bucket = w.pool_first_node[pool], _bucket(w, plane, pool, node)
    after, before = w.node_next[plane, base + node], w.node_before[plane, base + node]
    if before >= 0:
        w.node_next[plane, base + before] = after
    else:
        w.bucket_first[plane, bucket] = after
    if after >= 0:
        w.node_before[plane, base + after] = before
    else:
        w.bucket_last[plane, bucket] = before


@compiled
def _link(w: Columns, plane: int, pool: int, node: int) -> None:
    if w.pool_nodes[pool] == 1:
        return
    base, bucket = w.pool_first_node[pool], _bucket(w, plane, pool, node)
    last = w.bucket_last[plane, bucket]
    w.node_before[plane, base + node] = last
    w.node_next[plane, base + node] = -1
    if last >= 0:
        w.node_next[plane, base + last] = node
    else:
        w.bucket_first[plane, bucket] = node
    w.bucket_last[plane, bucket] = node


@compiled
def _take_part(w: Columns, node: int, devices: int) -> None:
    part = w.count[FIT_PARTS]
    w.fit_node[part], w.fit_devices[part] = node, devices
    w.count[FIT_PARTS] = part + 1


@compiled
def _spanning(w: Columns, plane: int, pool: int, width: int, memory: int) -> bool:
    """Whole nodes, and one more for the rest."""
    per_node, base = w.pool_per_node[pool], w.pool_first_node[pool]
    whole, rest = width // per_node, width % per_node
    limited = memory > 0 and w.pool_memory[pool] > 0
    share = part_memory(memory, per_node, width)
    for bucket in range(per_node, per_node + 2):
        node = w.bucket_first[plane, w.pool_first_bucket[pool] + bucket]
        while node >= 0 and w.count[FIT_PARTS] < whole:
            if not limited or w.node_memory[plane, base + node] >= share:
                _take_part(w, node, per_node)
            node = w.node_next[plane, base + node]
    if w.count[FIT_PARTS] < whole:
        return False
    if rest:
        need = part_memory(memory, rest, width)
        node = best_node(w, plane, pool, rest, need, whole)
        if node < 0:
            return False
        _take_part(w, node, rest)
    return True
