"""Rules that choose between nodes that suffice, other than best fit.

Nodes that are up come before nodes that have to boot; then the node of least cost is taken, and of
equal ones the fullest that came into its bucket first.
"""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    MIX_USED,
    RULE,
    Columns,
)

BEST_FIT, DOT_PRODUCT, FRAGMENTATION = range(3)
"""Values of `RULE`."""


@compiled
def cheapest_node(w: Columns, plane: int, pool: int, count: int, memory: int, used: int) -> int:
    """The node of least cost for a part of `count` devices and `memory` bytes; -1: none suffices.

    The first `used` nodes of `fit_node` are left out.
    """
    limited = w.pool_memory[pool] > 0
    claim, base = memory if limited else 0, w.pool_first_node[pool]
    found, found_cold, least = -1, 0, 0.0
    for bucket in range(count, w.pool_per_node[pool] + 2):
        node = w.bucket_first[plane, w.pool_first_bucket[pool] + bucket]
        while node >= 0:
            at = base + node
            free = w.node_memory[plane, at] if limited else 0
            if free >= claim and not among(w, node, used):
                cold = w.node_cold[plane, at]
                cost = _cost(w, pool, w.node_devices[plane, at], free, count, claim)
                if found < 0 or cold < found_cold or (cold == found_cold and cost < least):
                    found, found_cold, least = node, cold, cost
            node = w.node_next[plane, base + node]
    return found


@compiled
def among(w: Columns, node: int, used: int) -> bool:
    """Whether a node is one of the first `used` that were found."""
    for part in range(used):
        if w.fit_node[part] == node:
            return True
    return False


@compiled
def _cost(w: Columns, pool: int, devices: int, memory: int, count: int, claim: int) -> float:
    if w.state[RULE] == DOT_PRODUCT:
        return _dot_product(w, pool, devices, memory, count, claim)
    return lost_devices(w, pool, devices - count, memory - claim) - lost_devices(
        w, pool, devices, memory
    )


@compiled
def _dot_product(w: Columns, pool: int, devices: int, memory: int, count: int, claim: int) -> float:
    """Demand · free, both as shares of a node, over devices and memory.

    Panigrahy, Talwar, Uyeda, Wieder, "Heuristics for vector bin packing", 2011. They fill one bin
    with the item of the greatest product. Here the item is given: the least product is what leaves
    the bins that suit other items best (so, too, the comparison of Weng et al. 2023); the greatest
    would always be the emptiest node.
    """
    cost = devices * count / (w.pool_per_node[pool] * w.pool_per_node[pool])
    whole = float(w.pool_memory[pool])
    if whole > 0.0:
        cost += float(memory) * float(claim) / (whole * whole)
    return cost


@compiled
def lost_devices(w: Columns, pool: int, devices: int, memory: int) -> float:
    """Free devices of a node that a part drawn from the mix of requests could not use, expected.

    Weng et al., "Beware of fragmentation", USENIX ATC 2023: the fragmentation of a node is the
    expectation over the mix of jobs of those of its free devices which a job cannot use; a job
    goes where it grows least.
    """
    if devices == 0 or w.mix_total[pool] == 0.0:
        return 0.0
    unfit = 0.0
    for part in range(w.count[MIX_USED]):
        if w.mix_pool[part] == pool and (
            w.mix_devices[part] > devices or w.mix_memory[part] > memory
        ):
            unfit += w.mix_weight[part]
    return devices * (unfit / w.mix_total[pool])
