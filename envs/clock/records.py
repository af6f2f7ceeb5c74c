"""What a compiled simulation has recorded, as values."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from envs.clock.episode import CompiledEpisode
from envs.clock.kernel.columns import (
    DOLLARS,
    ENDED,
    HELD_ATTEMPTS,
    HELD_PARTS,
    JOB_SECONDS,
    JOULES,
    MISSES,
    NEVER,
    SLOWDOWN,
    TIME,
    WEIGHED_SECONDS,
)
from envs.clock.kernel.metering import settle_meter
from envs.simulator.billing import CostModel
from envs.simulator.meter import Reading
from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import HeldDevices


def result_of(episode: CompiledEpisode) -> SimulationResult:
    """The record of all jobs so far."""
    trace = episode.trace
    row = episode.job_row
    placed = row != NEVER
    idle_dollars, idle_joules = _idle(episode)
    return SimulationResult(
        job=trace.job_id.copy(),
        submitted=trace.job_submitted.copy(),
        started=episode.job_started.copy(),
        ended=episode.job_ended.copy(),
        runtime=np.where(placed, trace.row_runtime[row], np.nan),
        ideal=trace.job_ideal.copy(),
        pool=np.where(placed, trace.row_pool[row], -1),
        width=np.where(placed, trace.row_width[row], 0),
        dollars=episode.job_dollars.copy(),
        joules=episode.job_joules.copy(),
        attempts=episode.job_attempts.copy(),
        failed=episode.job_failed.astype(np.bool_),
        wasted=episode.job_wasted.copy(),
        priority=trace.job_priority.copy(),
        deadline=trace.job_deadline.copy(),
        preference=trace.own_preferences.copy(),
        user=trace.users,
        capacity=sum(pool.count for pool in trace.spec.pools),
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


def reading_of(episode: CompiledEpisode) -> Reading:
    """The meter's totals until now."""
    settle_meter(episode.handle)
    figure, count = episode.figure, episode.count
    return Reading(
        float(figure[TIME]),
        float(figure[JOB_SECONDS]),
        float(figure[SLOWDOWN]),
        float(figure[DOLLARS]),
        float(figure[JOULES]),
        int(count[MISSES]),
        int(count[ENDED]),
        float(figure[WEIGHED_SECONDS]),
    )


def _idle(episode: CompiledEpisode) -> tuple[float, float]:
    """Dollars and joules of devices that no attempt uses."""
    spec, now = episode.trace.spec, float(episode.figure[TIME])
    model = CostModel(spec, None)
    for index, used in enumerate(episode.pool_used.tolist()):
        model.attempt(index, used)
    on = {index: _device_seconds(episode, index, now) for index in spec.changing()}
    billed, used_seconds = model.device_seconds(now, on)
    return model.idle_dollars(billed, used_seconds), model.idle_joules(now, on)


def _device_seconds(episode: CompiledEpisode, pool: int, now: float) -> float:
    """Device-seconds that a pool's nodes were switched on so far, boots included."""
    its = episode.trace.spec.pools[pool]
    first = int(episode.world.pool_first_node[pool])
    nodes = slice(first, first + its.nodes)
    since = episode.node_since[nodes][episode.node_on[nodes] != 0].tolist()
    running = sum(now - each for each in since)
    return (float(episode.pool_node_seconds[pool]) + running) * its.devices_per_node
