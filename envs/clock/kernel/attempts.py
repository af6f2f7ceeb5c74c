"""Attempts: start, work, failure, end, and what is kept of their work."""

from __future__ import annotations

import numpy as np

from envs.clock.kernel.arrivals import enqueue
from envs.clock.kernel.columns import (
    ATTEMPTS,
    CHECKPOINT_S,
    COUNTED_ENDED,
    DUE,
    ENDED,
    HELD_ATTEMPTS,
    HELD_PARTS,
    METERS,
    NEVER,
    PER_ATTEMPT,
    RECORDS,
    RETRIES,
    TIME,
    TINY_S,
    USEFUL,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.clock.kernel.estimates import learn_end, remaining
from envs.clock.kernel.events import DRAW, FAIL, FINISH, OVERRUN, push
from envs.clock.kernel.metering import change_power, counted_seconds, counts, meter_end
from envs.clock.kernel.nodes import occupy_nodes, release_nodes
from envs.simulator.attempts import OVERRUN_S
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.cluster import attempts as entries
from scheduler.decisions.kernel.columns import Columns


@compiled
def start(
    w: Columns,
    e: EpisodeColumns,
    t: WorkloadColumns,
    job: int,
    row: int,
    entry: int,
    runtime: float,
) -> None:
    """Start an attempt on a row; the world holds its devices already, for `runtime` seconds."""
    pool, now = t.row_pool[row], e.figure[TIME]
    e.job_attempts[job] += 1
    attempt = e.job_attempts[job]
    e.count[ATTEMPTS] = max(e.count[ATTEMPTS], attempt)
    e.job_row[job], e.job_entry[job] = row, entry
    boot = w.pool_boot[pool]
    if t.pool_changes[pool]:
        boot = occupy_nodes(w, e, t, entry) - now
        entries.extend(w, entry, now + boot + runtime)
    restart = t.job_restart[job] if attempt > 1 else 0.0
    e.job_placed[job], e.job_ready[job], e.job_begun[job] = now, now + boot, now + boot + restart
    if np.isnan(e.job_started[job]):
        e.job_started[job] = e.job_ready[job]
    if t.setting[METERS]:
        if boot > 0.0:
            push(e, boot, DRAW, job, attempt)
        else:
            draw(w, e, t, job)
    _work(e, t, job, boot + restart, boot + runtime)


@compiled
def _work(e: EpisodeColumns, t: WorkloadColumns, job: int, lead: float, believed: float) -> None:
    """Run the attempt: work begins after `lead` seconds and should end after `believed`."""
    attempt, whole = e.job_attempts[job], t.row_runtime[e.job_row[job]]
    left = whole if e.job_done[job] == 0.0 else (1.0 - e.job_done[job]) * whole
    share = t.failure_share[attempt - 1, job] if t.number[PER_ATTEMPT] > 0.0 else np.nan
    if np.isnan(share):
        lasts = lead + left
        push(e, lasts, FINISH, job, attempt)
    else:
        lasts = lead + share * left
        push(e, lasts, FAIL, job, attempt)
    if lasts > believed + OVERRUN_S:
        push(e, believed, OVERRUN, job, attempt)


@compiled
def draw(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """Meter the attempt from the moment at which its nodes are up."""
    pool, width = t.row_pool[e.job_row[job]], t.row_width[e.job_row[job]]
    e.job_drawing[job] = 1
    change_power(w, e, t, job, pool, width, 1.0)


@compiled
def overrun(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """Replace the estimate of an attempt that still runs at its estimated end."""
    now = e.figure[TIME]
    left = remaining(e, t, job, e.job_row[job], max(0.0, now - e.job_begun[job]))
    entries.extend(w, e.job_entry[job], now + left)
    push(e, left, OVERRUN, job, e.job_attempts[job])
    e.count[DUE] = 1


@compiled
def finish(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """The attempt has done its work."""
    _use(e, t, job, _stop(w, e, t, job))
    learn_end(e, t, job)
    _leave(e, t, job)


@compiled
def fail(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """The attempt fails: the job tries again, unless it has no retries left."""
    worked = _stop(w, e, t, job)
    e.job_failures[job] += 1
    if e.job_failures[job] > t.setting[RETRIES]:
        e.job_failed[job] = 1
        e.job_wasted[job] += worked
        _leave(e, t, job)
    else:
        _keep(e, t, job, worked)
        enqueue(w, e, t, job)


@compiled
def interrupt(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """End the attempt before its time; the job waits again."""
    _keep(e, t, job, _stop(w, e, t, job))
    enqueue(w, e, t, job)


@compiled
def _leave(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    e.job_ended[job] = e.figure[TIME]
    meter_end(e, t, job)
    e.count[ENDED] += 1
    e.count[COUNTED_ENDED] += counts(t, job)
    e.count[DUE] = 1


@compiled
def _stop(w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int) -> float:
    """Release the attempt's devices and bill it; returns the seconds that it really worked."""
    row, now = e.job_row[job], e.figure[TIME]
    pool, width = t.row_pool[row], t.row_width[row]
    first = _hold(w, e, job)
    entries.finish(w, e.job_entry[job])
    e.job_entry[job] = NEVER
    if t.pool_changes[pool]:
        release_nodes(w, e, t, pool, first, e.count[HELD_PARTS])
    if not t.setting[RECORDS]:
        e.count[HELD_ATTEMPTS] = e.count[HELD_PARTS] = 0
    e.pool_used[pool] += counted_seconds(t, e.job_ready[job], now) * width
    device_seconds = max(0.0, now - e.job_ready[job]) * width
    e.job_dollars[job] += device_seconds / 3600 * w.pool_price[pool]
    e.job_joules[job] += device_seconds * w.pool_watts[pool]
    if e.job_drawing[job]:
        e.job_drawing[job] = 0
        change_power(w, e, t, job, pool, width, -1.0)
    if e.job_started[job] > now:
        e.job_started[job] = np.nan
    e.job_wasted[job] += max(0.0, min(now, e.job_begun[job]) - e.job_ready[job])
    return float(max(0.0, now - e.job_begun[job]))


@compiled
def _hold(w: Columns, e: EpisodeColumns, job: int) -> int:
    """Record which devices the attempt held until now; returns the first of its parts."""
    at, first = e.count[HELD_ATTEMPTS], e.count[HELD_PARTS]
    e.held_job[at], e.held_row[at] = job, e.job_row[job]
    e.held_action[at], e.held_part[at] = e.job_action[job], first
    e.held_start[at], e.held_end[at] = e.job_placed[job], e.figure[TIME]
    part, count = w.attempt_part[e.job_entry[job]], first
    while part >= 0:
        e.part_node[count], e.part_devices[count] = w.part_node[part], w.part_devices[part]
        count += 1
        part = w.part_next[part]
    e.count[HELD_ATTEMPTS], e.count[HELD_PARTS] = at + 1, count
    return int(first)


@compiled
def _use(e: EpisodeColumns, t: WorkloadColumns, job: int, kept: float) -> None:
    """Count the first `kept` seconds of the attempt's work as useful."""
    begun, width = e.job_begun[job], t.row_width[e.job_row[job]]
    e.figure[USEFUL] += counted_seconds(t, begun, begun + kept) * width


@compiled
def _keep(e: EpisodeColumns, t: WorkloadColumns, job: int, worked: float) -> None:
    """Keep what the last checkpoint holds of `worked` seconds; the rest is wasted."""
    interval, row = t.number[CHECKPOINT_S], e.job_row[job]
    kept = worked // interval * interval if interval > 0.0 else 0.0
    whole = t.row_runtime[row]
    e.job_done[job] = min(1.0, e.job_done[job] + kept / whole) if whole > 0.0 else 1.0
    e.job_known[job] += kept / max(e.row_estimate[row], TINY_S)
    e.job_wasted[job] += worked - kept
    _use(e, t, job, kept)
