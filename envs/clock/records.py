"""What a compiled simulation has recorded, as values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from envs.clock.episode import CompiledEpisode
from envs.clock.kernel.columns import (
    COUNTED_ENDED,
    DOLLARS,
    HELD_ATTEMPTS,
    HELD_PARTS,
    JOB_SECONDS,
    JOULES,
    MISSES,
    NEVER,
    SLOWDOWN,
    TIME,
    USEFUL,
    WEIGHED_SECONDS,
)
from envs.clock.kernel.metering import settle_meter
from envs.simulator.billing import CostModel
from envs.simulator.meter import Reading, overlap
from envs.simulator.results import ClusterLoad, SimulationResult, load_until
from envs.simulator.simulated_job import HeldDevices


def result_of(episode: CompiledEpisode) -> SimulationResult:
    """The record of the counted jobs so far."""
    trace = episode.trace
    counted = trace.workload.counted_slice
    row = episode.job_row[counted]
    placed = row != NEVER
    load, idle_dollars, idle_joules = _load(episode)
    return SimulationResult(
        job=trace.job_id[counted].copy(),
        submitted=trace.job_submitted[counted].copy(),
        started=episode.job_started[counted].copy(),
        ended=episode.job_ended[counted].copy(),
        runtime=np.where(placed, trace.row_runtime[row], np.nan),
        ideal=trace.job_ideal[counted].copy(),
        pool=np.where(placed, trace.row_pool[row], -1),
        width=np.where(placed, trace.row_width[row], 0),
        dollars=episode.job_dollars[counted].copy(),
        joules=episode.job_joules[counted].copy(),
        attempts=episode.job_attempts[counted].copy(),
        failed=episode.job_failed[counted].astype(np.bool_),
        wasted=episode.job_wasted[counted].copy(),
        priority=trace.job_priority[counted].copy(),
        deadline=trace.job_deadline[counted].copy(),
        preference=trace.own_preferences[counted].copy(),
        user=trace.users[counted],
        capacity=sum(pool.count for pool in trace.spec.pools),
        load=load,
        idle_dollars=idle_dollars,
        idle_joules=idle_joules,
    )


def held_of(episode: CompiledEpisode) -> list[HeldDevices]:
    """Every attempt that has ended, in order of its end."""
    trace, count = episode.trace, int(episode.count[HELD_ATTEMPTS])
    rows = episode.held_row[:count]
    parts = [*episode.held_part[:count].tolist(), int(episode.count[HELD_PARTS])]
    nodes = list(zip(episode.part_node.tolist(), episode.part_devices.tolist(), strict=True))
    columns = (
        trace.job_id[episode.held_job[:count]].tolist(),
        trace.row_pool[rows].tolist(),
        [tuple(nodes[one:other]) for one, other in pairwise(parts)],
        trace.row_memory[rows].tolist(),
        episode.held_start[:count].tolist(),
        episode.held_end[:count].tolist(),
    )
    return [HeldDevices(*each) for each in zip(*columns, strict=True)]


def holding_of(episode: CompiledEpisode) -> list[HeldDevices]:
    """Devices of running attempts, from their allocation until now."""
    trace, now = episode.trace, float(episode.figure[TIME])
    # Nodes that are down are held under numbers below 1.
    running = (attempt for attempt in episode.world.running() if attempt.job > 0)
    attempts = sorted(running, key=lambda attempt: attempt.job)
    at = np.searchsorted(trace.job_id, [attempt.job for attempt in attempts])
    return [
        HeldDevices(each.job, each.pool, each.nodes, each.memory, placed, now)
        for each, placed in zip(attempts, episode.job_placed[at].tolist(), strict=True)
    ]


def reading_of(episode: CompiledEpisode) -> Reading:
    """The meter's totals until now."""
    settle_meter(episode.handle, episode.trace.handle)
    figure, count = episode.figure, episode.count
    return Reading(
        float(figure[TIME]),
        float(figure[JOB_SECONDS]),
        float(figure[SLOWDOWN]),
        float(figure[DOLLARS]),
        float(figure[JOULES]),
        int(count[MISSES]),
        int(count[COUNTED_ENDED]),
        float(figure[WEIGHED_SECONDS]),
    )


def _load(episode: CompiledEpisode) -> tuple[ClusterLoad, float, float]:
    """How busy the cluster was; dollars and joules of devices that no attempt used."""
    trace, now = episode.trace, float(episode.figure[TIME])
    workload, spec = trace.workload, trace.spec
    time, useful = workload.counted_time, float(episode.figure[USEFUL])
    running = np.flatnonzero(episode.job_entry != NEVER)
    rows = episode.job_row[running]
    pools, widths = trace.row_pool[rows].tolist(), trace.row_width[rows].tolist()
    for begun, width in zip(episode.job_begun[running].tolist(), widths, strict=True):
        useful += overlap(begun, now, time) * width
    model = CostModel(spec, None, time, episode.pool_used.tolist())
    on = {index: _device_seconds(episode, index, now) for index in spec.changing()}
    holding = zip(pools, widths, episode.job_ready[running].tolist(), strict=True)
    billed, used = model.device_seconds(now, on, holding)
    load = load_until(workload, now, trace.job_submitted, episode.job_started, useful)
    return load, model.idle_dollars(billed, used), model.idle_joules(now, on, used)


def _device_seconds(episode: CompiledEpisode, pool: int, now: float) -> float:
    """Device-seconds in the time that counts that a pool's nodes were switched on so far."""
    its = episode.trace.spec.pools[pool]
    first = int(episode.world.pool_first_node[pool])
    nodes = slice(first, first + its.nodes)
    since = episode.node_since[nodes][episode.node_on[nodes] != 0].tolist()
    running = sum(overlap(each, now, episode.trace.workload.counted_time) for each in since)
    return (float(episode.pool_node_seconds[pool]) + running) * its.devices_per_node
