"""Nodes that come and go: switched on by attempts, off when idle, billed while on."""

from __future__ import annotations

from envs.clock.kernel.columns import LIVES, METERS, TIME, UP, EpisodeColumns, WorkloadColumns
from envs.clock.kernel.events import LIVE, RELEASED, push_urgent
from envs.clock.kernel.metering import counted_seconds, draw_power, stop_power
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.nodes import mark_cold
from scheduler.decisions.kernel.columns import LIVE as LIVE_PLANE
from scheduler.decisions.kernel.columns import Columns


@entry_point
def switch_on(
    w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, at: int, boot_s: float
) -> None:
    """Boot a node; `at`: its position among the nodes of all pools."""
    e.node_on[at] = 1
    e.node_since[at] = e.figure[TIME]
    e.node_ready[at] = e.figure[TIME] + boot_s
    e.node_life[at] += 1
    e.count[LIVES] = max(e.count[LIVES], e.node_life[at])
    e.pool_on[pool] += 1
    if t.setting[METERS]:
        draw_power(
            e, t, 0.0, 0.0, _node_price(w, t, pool), w.pool_per_node[pool] * t.pool_idle_watts[pool]
        )
    push_urgent(e, LIVE, at, e.node_life[at])


@compiled
def switch_off(w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, at: int) -> None:
    """A node goes off."""
    e.node_on[at] = 0
    e.pool_node_seconds[pool] += counted_seconds(t, e.node_since[at], e.figure[TIME])
    e.pool_on[pool] -= 1
    if t.setting[METERS]:
        stop_power(
            e, t, 0.0, 0.0, _node_price(w, t, pool), w.pool_per_node[pool] * t.pool_idle_watts[pool]
        )
    mark_cold(w, pool, at - w.pool_first_node[pool], 1)


@compiled
def occupy_nodes(w: Columns, e: EpisodeColumns, t: WorkloadColumns, entry: int) -> float:
    """Boot those nodes of a new attempt that are off; returns when all of them are up."""
    pool, part = w.attempt_pool[entry], w.attempt_part[entry]
    ready = e.figure[TIME]
    while part >= 0:
        at = w.pool_first_node[pool] + w.part_node[part]
        if not e.node_on[at]:
            switch_on(w, e, t, pool, at, w.pool_boot[pool])
        e.node_changes[at] += 1
        ready = max(ready, e.node_ready[at])
        part = w.part_next[part]
    return float(ready)


@compiled
def release_nodes(
    w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, first: int, last: int
) -> None:
    """An attempt has left the nodes of these held parts; those left idle may be switched off."""
    for part in range(first, last):
        at = w.pool_first_node[pool] + e.part_node[part]
        e.node_changes[at] += 1
        unused = w.node_devices[LIVE_PLANE, at] == w.pool_per_node[pool]
        if e.node_on[at] and unused and t.pool_elastic[pool]:
            push_urgent(e, RELEASED, at, e.node_changes[at])


@compiled
def _node_price(w: Columns, t: WorkloadColumns, pool: int) -> float:
    """Dollars per hour of a node that is billed while it is up."""
    price = w.pool_price[pool] if t.pool_billing[pool] == UP else 0.0
    return float(w.pool_per_node[pool] * price)
