"""The lives of nodes: boots, revocations, breakdowns, repairs, shutdowns of idle ones."""

from __future__ import annotations

import numpy as np

from envs.clock.kernel.attempts import interrupt
from envs.clock.kernel.columns import DUE, REPAIR_S, TIME, EpisodeColumns, WorkloadColumns
from envs.clock.kernel.events import (
    BOOTED,
    IDLE,
    LIVE,
    LOST,
    RELEASED,
    REPAIRED,
    push,
)
from envs.clock.kernel.nodes import switch_off, switch_on
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.cluster import attempts as entries
from scheduler.decisions.kernel.cluster.nodes import mark_cold
from scheduler.decisions.kernel.columns import FIT_PARTS, Columns

_POOL_STEP = 1_000_000


@compiled
def change_node(
    w: Columns, e: EpisodeColumns, t: WorkloadColumns, kind: int, at: int, stamp: int
) -> None:
    """An event of a node; `at`: its position among the nodes of all pools."""
    pool = _pool_of(w, at)
    if kind == REPAIRED:
        entries.finish(w, e.node_repair[at])
        _replace(w, e, t, pool, at)
    elif kind == RELEASED:
        push(e, t.pool_idle_s[pool], IDLE, at, stamp)
    elif not e.node_on[at]:
        return
    elif kind == IDLE:
        if e.node_changes[at] == stamp and e.pool_on[pool] > t.pool_min_nodes[pool]:
            switch_off(w, e, t, pool, at)
    elif e.node_life[at] != stamp:
        return
    elif kind == LIVE and e.node_ready[at] > e.node_since[at]:
        push(e, w.pool_boot[pool], BOOTED, at, stamp)
    elif kind in (LIVE, BOOTED):
        mark_cold(w, pool, at - w.pool_first_node[pool], 0)
        lasts = t.life_s[stamp - 1, at]
        if lasts != np.inf:
            push(e, lasts, LOST, at, stamp)
    else:
        _lose(w, e, t, pool, at)


@compiled
def _lose(w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, at: int) -> None:
    """A node is revoked, or breaks down."""
    # The node goes down before its jobs are lost, so that no job is placed there meanwhile.
    switch_off(w, e, t, pool, at)
    job = _first_on(w, pool, at, 0)
    while job:
        interrupt(w, e, t, index_of(t, job))
        job = _first_on(w, pool, at, job)
    if t.life_breaks[e.node_life[at] - 1, at]:
        _repair(w, e, t, pool, at)
    else:
        _replace(w, e, t, pool, at)


@compiled
def _repair(w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, at: int) -> None:
    """Hold a broken node until it is repaired: decisions see it as in use."""
    node = at - w.pool_first_node[pool]
    w.fit_node[0], w.fit_devices[0], w.count[FIT_PARTS] = node, w.pool_per_node[pool], 1
    # Jobs have positive numbers.
    held = -1 - node - pool * _POOL_STEP
    end = e.figure[TIME] + t.number[REPAIR_S]
    width, memory = w.pool_per_node[pool], w.pool_memory[pool]
    e.node_repair[at] = entries.begin(w, held, pool, width, memory, end)
    e.count[DUE] = 1
    push(e, t.number[REPAIR_S], REPAIRED, at, 0)


@compiled
def _replace(w: Columns, e: EpisodeColumns, t: WorkloadColumns, pool: int, at: int) -> None:
    """A node that was lost is switched on again if too few are up."""
    if e.pool_on[pool] < t.pool_min_nodes[pool]:
        switch_on(w, e, t, pool, at, w.pool_boot[pool])
    e.count[DUE] = 1


@compiled
def _first_on(w: Columns, pool: int, at: int, after: int) -> int:
    """The least id above `after` of the jobs on a node; 0: there is none."""
    least, node = 0, at - w.pool_first_node[pool]
    for entry in range(len(w.attempt_job)):
        job = w.attempt_job[entry]
        if job > after and w.attempt_pool[entry] == pool and (least == 0 or job < least):
            part = w.attempt_part[entry]
            while part >= 0:
                if w.part_node[part] == node:
                    least = job
                part = w.part_next[part]
    return least


@compiled
def _pool_of(w: Columns, at: int) -> int:
    pool = len(w.pool_first_node) - 1
    while w.pool_first_node[pool] > at:
        pool -= 1
    return pool


@compiled
def index_of(t: WorkloadColumns, job: int) -> int:
    """Position of a job by its id."""
    low, high = job - t.job_id[0], len(t.job_id) - 1
    if low <= high and t.job_id[low] == job:
        return low
    low = 0
    while low < high:
        middle = (low + high) // 2
        if t.job_id[middle] < job:
            low = middle + 1
        else:
            high = middle
    return low
